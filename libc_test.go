package utemu_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
)

// libcDir holds the sources of the programs that need a libc.
const libcDir = "testdata/libc"

// libcTarget is a compiler whose programs the tests run.
type libcTarget struct {
	name    string
	arch    string // as utemu.Arches names it
	cc, cxx string
	flags   []string
	vector  []string // what turns the vector unit on
	sysroot string   // as a user would give it with -L
	soft    bool     // floating point is done by the compiler's library
	x87     bool     // has it
	big     bool     // is of the other byte order than this machine
	noPIE   bool     // Debian's libc has no start file for static-pie
}

var libcTargets = []libcTarget{
	{name: "x86_64", arch: "x86_64", cc: "gcc", cxx: "g++", x87: true, sysroot: "/"},
	{name: "i386", arch: "i386", cc: "i686-linux-gnu-gcc", cxx: "i686-linux-gnu-g++", x87: true,
		vector: []string{"-msse2"}, sysroot: "/usr/i686-linux-gnu"},
	{name: "arm", arch: "arm", cc: "arm-linux-gnueabihf-gcc", cxx: "arm-linux-gnueabihf-g++", flags: []string{"-marm"},
		vector: []string{"-mfpu=neon"}, sysroot: "/usr/arm-linux-gnueabihf", noPIE: true},
	{name: "thumb", arch: "arm", cc: "arm-linux-gnueabihf-gcc", cxx: "arm-linux-gnueabihf-g++", flags: []string{"-mthumb"},
		vector: []string{"-mfpu=neon"}, sysroot: "/usr/arm-linux-gnueabihf", noPIE: true},
	{name: "armel", arch: "arm", cc: "arm-linux-gnueabi-gcc", cxx: "arm-linux-gnueabi-g++", sysroot: "/usr/arm-linux-gnueabi", soft: true, noPIE: true},
	{name: "aarch64", arch: "aarch64", cc: "aarch64-linux-gnu-gcc", cxx: "aarch64-linux-gnu-g++",
		sysroot: "/usr/aarch64-linux-gnu"},
	{name: "ppc", arch: "ppc", cc: "powerpc-linux-gnu-gcc", cxx: "powerpc-linux-gnu-g++",
		vector: []string{"-maltivec"}, sysroot: "/usr/powerpc-linux-gnu", big: true, noPIE: true},
	{name: "ppc64", arch: "ppc64", cc: "powerpc64-linux-gnu-gcc", cxx: "powerpc64-linux-gnu-g++",
		vector: []string{"-maltivec"}, sysroot: "/usr/powerpc64-linux-gnu", big: true, noPIE: true},
}

// libcTargetOf is the target of a name.
func libcTargetOf(name string) libcTarget {
	return libcTargets[slices.IndexFunc(libcTargets, func(t libcTarget) bool { return t.name == name })]
}

// libcLink is a way to link a program.
type libcLink struct {
	name  string
	flags []string
	// sysroot is whether the guest gets the sysroot as of -L; without it the
	// machine has to find the dynamic linker by itself.
	sysroot bool
	static  bool
}

var libcLinks = []libcLink{
	{name: "static-O0", flags: []string{"-O0", "-static", "-no-pie"}, static: true},
	{name: "pie-O2", flags: []string{"-O2", "-fPIE", "-pie"}},
	{name: "static-pie-O2", flags: []string{"-O2", "-fPIE", "-static-pie"}, static: true},
	{name: "dynamic-O0", flags: []string{"-O0", "-no-pie"}, sysroot: true},
	{name: "static-O2", flags: []string{"-O2", "-static", "-no-pie"}, static: true},
	{name: "pie-O0", flags: []string{"-O0", "-fPIE", "-pie"}, sysroot: true},
}

// libcProgram is what a program of testdata/libc needs, where it needs
// anything.
type libcProgram struct {
	dynamic bool   // is not for static linking
	hard    bool   // looks at the floating-point unit
	x87     bool   // is for the machines that have x87
	vector  bool   // is built for the vector unit
	plugin  string // a source that is built as a shared library, argument 2
	order   bool   // reads binary files of this machine, its locale
	slow    bool   // takes long to compile
	flags   []string
}

var libcPrograms = map[string]libcProgram{
	"dl.c":       {dynamic: true, plugin: "dl_plugin.c", flags: []string{"-rdynamic"}},
	"locale.c":   {order: true},
	"library.cc": {slow: true},
	"fetraps.c":  {x87: true, flags: []string{"-msse2", "-mfpmath=sse", "-frounding-math", "-fno-builtin"}},
	"fenv.c":     {hard: true, flags: []string{"-frounding-math", "-fno-builtin"}},
	"integer.c":  {flags: []string{"-latomic"}},
	"rounding.c": {hard: true, flags: []string{"-frounding-math", "-fno-builtin"}},
	"switches.c": {hard: true, vector: true},
	"text.c":     {x87: true, flags: []string{"-msse4.2"}},
	"vector.c":   {vector: true},
	"x87.c":      {x87: true, flags: []string{"-msse2", "-frounding-math", "-fno-builtin"}},
}

// TestLibc holds programs on glibc to what they print natively, on every
// target. Each is linked for each target in one way, with UTEMU_FULL=1 in all
// of them; -short takes a third of that.
func TestLibc(t *testing.T) {
	full := os.Getenv("UTEMU_FULL") == "1"
	for i, src := range libcSources(t) {
		for j, target := range libcTargets {
			prog := libcPrograms[src]
			if prog.hard && target.soft || prog.x87 && !target.x87 || prog.order && target.big {
				continue
			}
			ways := libcWays(src, target)
			for k, link := range ways {
				if !full && k != (i+j)%len(ways) || (testing.Short() || prog.slow && !full) && (i+j)%3 != 0 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%s", src, target.name, link.name), func(t *testing.T) {
					t.Parallel()
					libcCompare(t, src, target, link)
				})
			}
		}
	}
}

// libcWays are the ways to link a program.
func libcWays(src string, target libcTarget) []libcLink {
	return slices.DeleteFunc(slices.Clone(libcLinks), func(l libcLink) bool {
		return l.static && libcPrograms[src].dynamic || target.noPIE && strings.HasPrefix(l.name, "static-pie")
	})
}

// libcSources are the names of the programs.
func libcSources(t *testing.T) []string {
	var s []string
	for _, pattern := range []string{"*.c", "*.cc"} {
		m, err := filepath.Glob(filepath.Join(libcDir, pattern))
		require.NoError(t, err)
		s = append(s, m...)
	}
	for i := range s {
		s[i] = filepath.Base(s[i])
	}
	s = slices.DeleteFunc(s, func(n string) bool { return strings.Contains(n, "_plugin.") })
	slices.Sort(s)
	require.Greater(t, len(s), 20)
	return s
}

// libcCompare runs a program natively and in the emulator.
func libcCompare(t *testing.T, src string, target libcTarget, link libcLink) {
	prog := libcPrograms[src]
	want := libcNative(t, src)
	require.True(t, strings.HasSuffix(want, "status 0\n"), "%s fails natively:\n%s", src, want)
	path := libcBuild(t, src, target, link)
	args := []string{path, t.TempDir()}
	if prog.plugin != "" {
		args = append(args, libcBuildPlugin(t, prog.plugin, target))
	}
	c := utemu.Config{Path: path, Args: args, Env: libcEnv}
	if link.sysroot {
		c.Sysroot = target.sysroot
	}
	got := libcRun(t, c)
	require.Equal(t, want, got)
}

// libcEnv is the environment of the programs.
var libcEnv = []string{"PATH=/usr/bin:/bin", "HOME=/", "LC_ALL=C", "TZ=UTC", "UTEMU_TEST=a value"}

// libcRun runs a program in the emulator and returns its output and status. It
// does so in a process of its own: this one starts programs, and what is forked
// for that has all descriptors up to its exec, so that a pipe that a guest has
// closed is open for a moment more.
func libcRun(t *testing.T, c utemu.Config) string {
	b, err := json.Marshal(libcGuest{c.Path, c.Args, c.Env, c.Sysroot, c.Deterministic, c.Seed})
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), libcGuestVar+"="+string(b))
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, &text)
	return string(out)
}

// libcGuest is what a process that libcRun has started is to run; it has it as
// JSON in a variable of its environment.
type libcGuest struct {
	Path          string
	Args, Env     []string
	Sysroot       string
	Deterministic bool
	Seed          uint64
}

const libcGuestVar = "UTEMU_TEST_GUEST"

// run is what that process does.
func (g libcGuest) run() error {
	m, err := utemu.Load(utemu.Config{Path: g.Path, Args: g.Args, Env: g.Env, Sysroot: g.Sysroot, Deterministic: g.Deterministic, Seed: g.Seed,
		Stdin: strings.NewReader(""), Stdout: os.Stdout, Stderr: io.Discard, Stock: stock})
	if err != nil {
		return err
	}
	st, err := m.Run(context.Background())
	if err == nil && st.Signal != 0 {
		_, err = fmt.Println(m.Explain(st))
	} else if err == nil {
		_, err = fmt.Printf("status %d\n", st.Code)
	}
	return errors.Join(err, m.Close())
}

// libcNatives are the references by source, made once each.
var libcNatives sync.Map

// libcNative is what the program prints on this machine.
func libcNative(t *testing.T, src string) string {
	f, _ := libcNatives.LoadOrStore(src, sync.OnceValues(func() (string, error) {
		prog := libcPrograms[src]
		path := libcBuild(t, src, libcTargets[0], libcLinks[3])
		dir, err := os.MkdirTemp("", "utemu-libc")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		cmd := exec.Command(path, dir)
		if prog.plugin != "" {
			cmd.Args = append(cmd.Args, libcBuildPlugin(t, prog.plugin, libcTargets[0]))
		}
		cmd.Env = libcEnv
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return "", err
		}
		return fmt.Sprintf("%sstatus %d\n", out, cmd.ProcessState.ExitCode()), nil
	}))
	out, err := f.(func() (string, error))()
	require.NoError(t, err)
	return out
}

// libcBuild compiles a program and returns its path.
func libcBuild(t *testing.T, src string, target libcTarget, link libcLink) string {
	flags := append(slices.Clone(target.flags), link.flags...)
	prog := libcPrograms[src]
	if prog.vector {
		flags = append(append(flags, target.vector...), "-O3")
	}
	flags = append(flags, prog.flags...)
	return libcCompile(t, src, target, append(flags, "-lm", "-ldl"))
}

// libcBuildPlugin compiles a shared library and returns its path.
func libcBuildPlugin(t *testing.T, src string, target libcTarget) string {
	return libcCompile(t, src, target, append(slices.Clone(target.flags), "-O2", "-fPIC", "-shared"))
}

// libcVersions are what compilers say of themselves, by command.
var libcVersions sync.Map

// libcCompile runs the target's compiler, unless it did so for the same source,
// flags and version before.
func libcCompile(t *testing.T, src string, target libcTarget, flags []string) string {
	cc := target.cc
	if strings.HasSuffix(src, ".cc") {
		cc = target.cxx
	}
	version, _ := libcVersions.LoadOrStore(cc, sync.OnceValues(func() ([]byte, error) {
		return exec.Command(cc, "--version").Output()
	}))
	v, err := version.(func() ([]byte, error))()
	require.NoError(t, err, "%s is missing: internal/setup/setup.sh packages test", cc)
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%q\n", cc, v, flags)
	for _, f := range []string{src, "t.h"} {
		b, err := os.ReadFile(filepath.Join(libcDir, f))
		require.NoError(t, err)
		h.Write(b)
	}
	dir, err := filepath.Abs(".build/libc")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o777))
	out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(src), filepath.Ext(src))+"-"+target.name+"-"+hex.EncodeToString(h.Sum(nil))[:16])
	if _, err := os.Stat(out); err == nil {
		return out
	}
	tmp, err := os.MkdirTemp(dir, "tmp")
	require.NoError(t, err)
	defer os.RemoveAll(tmp)
	// The name of the source, which is in the messages of failed checks, is to
	// be the same everywhere; overflow wraps, so that tests may look at it.
	args := append([]string{"-fwrapv", "-w", "-o", filepath.Join(tmp, "out"), src}, flags...)
	cmd := exec.Command(cc, args...)
	cmd.Dir = libcDir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", cmd, text)
	require.NoError(t, os.Rename(filepath.Join(tmp, "out"), out))
	return out
}

// TestLibcInterpreter runs the dynamic linkers of the cross packages as
// programs.
func TestLibcInterpreter(t *testing.T) {
	for _, target := range libcTargets[1:] {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			prog := libcBuild(t, "integer.c", target, libcLinks[1])
			f, err := elf.Open(prog)
			require.NoError(t, err)
			defer f.Close()
			b := make([]byte, 256)
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					n, err := p.ReadAt(b[:p.Filesz], 0)
					require.NoError(t, err)
					b = b[:n-1]
				}
			}
			interp := filepath.Join(target.sysroot, string(b))
			run := func(args ...string) string {
				return libcRun(t, utemu.Config{Path: interp, Args: append([]string{interp}, args...), Env: libcEnv, Sysroot: target.sysroot})
			}
			out := run("--version")
			require.Regexp(t, `^ld\.so \(Debian GLIBC .*\n`, out)
			require.Contains(t, out, "status 0\n")
			out = run("--list", prog)
			require.Contains(t, out, "libc.so.6 => ")
			require.Contains(t, out, "status 0\n")
			require.Equal(t, libcNative(t, "integer.c"), run(prog))
		})
	}
}
