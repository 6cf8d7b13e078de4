package elf

import (
	"bytes"
	delf "debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Programs for the host that write the stack they begin with, from the stack
// pointer to its end, to descriptor 1: a page at a time until write fails.
var dumpers = map[*arch.Arch][]byte{
	x86_64: {
		0x48, 0x89, 0xe6, //                   mov %rsp,%rsi
		0x89, 0xf2, //                      1: mov %esi,%edx
		0x81, 0xca, 0x00, 0xf0, 0xff, 0xff, // or $-4096,%edx
		0xf7, 0xda, //                         neg %edx
		0xbf, 0x01, 0x00, 0x00, 0x00, //       mov $1,%edi
		0xb8, 0x01, 0x00, 0x00, 0x00, //       mov $1,%eax (write)
		0x0f, 0x05, //                         syscall
		0x48, 0x85, 0xc0, //                   test %rax,%rax
		0x7e, 0x05, //                         jle 2f
		0x48, 0x01, 0xc6, //                   add %rax,%rsi
		0xeb, 0xe0, //                         jmp 1b
		0x31, 0xff, //                      2: xor %edi,%edi
		0xb8, 0x3c, 0x00, 0x00, 0x00, //       mov $60,%eax (exit)
		0x0f, 0x05, //                         syscall
	},
	i386: {
		0x89, 0xe1, //                         mov %esp,%ecx
		0x89, 0xca, //                      1: mov %ecx,%edx
		0x81, 0xca, 0x00, 0xf0, 0xff, 0xff, // or $-4096,%edx
		0xf7, 0xda, //                         neg %edx
		0xbb, 0x01, 0x00, 0x00, 0x00, //       mov $1,%ebx
		0xb8, 0x04, 0x00, 0x00, 0x00, //       mov $4,%eax (write)
		0xcd, 0x80, //                         int $0x80
		0x85, 0xc0, //                         test %eax,%eax
		0x7e, 0x04, //                         jle 2f
		0x01, 0xc1, //                         add %eax,%ecx
		0xeb, 0xe2, //                         jmp 1b
		0x31, 0xdb, //                      2: xor %ebx,%ebx
		0xb8, 0x01, 0x00, 0x00, 0x00, //       mov $1,%eax (exit)
		0xcd, 0x80, //                         int $0x80
	},
}

// dumper is the program as a file; typ ET_DYN makes it a static PIE.
func dumper(a *arch.Arch, typ delf.Type) []byte {
	base := uint64(0)
	if typ == delf.ET_EXEC {
		base = 0x400000
	}
	code := load(rx, 0, base, 0x1000, 0x1000, 0)
	data := load(rw, 0x2100, base+0x2100, 0x100, 0x2000, 'd')
	text := seg{delf.ProgHeader{Type: delf.PT_NOTE, Off: 0x800}, dumpers[a]} // puts the code into the file
	return image{arch: a, typ: typ, entry: base + 0x800, segs: []seg{code, data, text}}.build()
}

const addrNoRandomize = 0x0040000

// noRandomize runs f on a thread whose children have the same layout each
// time. The host has to allow that.
func noRandomize(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _, e := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	require.Zero(t, e)
	_, _, e = unix.Syscall(unix.SYS_PERSONALITY, old|addrNoRandomize, 0, 0)
	require.Zero(t, e, "personality(2)")
	defer unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0) //nolint:errcheck // it was allowed before
	f()
}

// runNative executes a file and returns what it wrote.
func runNative(t *testing.T, path string, argv, env []string) ([]byte, error) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	if env == nil {
		env = []string{} // nil would be that of the test
	}
	var p *os.Process
	noRandomize(t, func() {
		p, err = os.StartProcess(path, argv, &os.ProcAttr{Env: env, Files: []*os.File{nil, w, os.Stderr}})
	})
	require.NoError(t, w.Close())
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	st, err := p.Wait()
	require.NoError(t, err)
	require.True(t, st.Success(), "%v", st)
	return out, nil
}

// native is a stack as the host's kernel made it.
type native struct {
	*fakeSpace
	sp  uint64
	aux map[uint64]uint64
	pre []arch.Aux // what comes before AT_HWCAP
}

func readNative(t *testing.T, a *arch.Arch, dump []byte) *native {
	t.Helper()
	n := &native{fakeSpace: newSpace(a), aux: map[uint64]uint64{}}
	n.sp = a.Start.StackTop - uint64(len(dump))
	require.NoError(t, n.MapAnon(roundDown(n.sp), a.Start.StackTop-roundDown(n.sp), arch.Read, "[stack]"))
	_, err := n.WriteAt(dump, n.sp)
	require.NoError(t, err)
	w := uint64(a.Word)
	at := n.sp + w*(n.word(t, n.sp)+2) // argc, argv, 0
	for n.word(t, at) != 0 {
		at += w
	}
	common := false
	for at += w; n.word(t, at) != atNull; at += 2 * w {
		e := arch.Aux{Type: n.word(t, at), Val: n.word(t, at+w)}
		common = common || e.Type == atHwcap
		if !common {
			n.pre = append(n.pre, e)
		}
		n.aux[e.Type] = e.Val
	}
	return n
}

// TestNativeStack compares whole stacks, byte for byte, with those of the
// kernel. Only what this package is told is taken from there: the CPU's
// abilities, the architecture's own entries, the random bytes.
func TestNativeStack(t *testing.T) {
	long := strings.Repeat("long ", 20000)
	tests := map[string]struct{ argv, env []string }{
		"usual":              {[]string{"prog", "one", "two words"}, []string{"HOME=/root", "PATH=/bin"}},
		"nothing":            {[]string{"p"}, nil},
		"no argv":            {nil, []string{"A=1"}},
		"empty strings":      {[]string{"", "", "x"}, []string{"", "A"}},
		"odd number":         {[]string{"prog", "1"}, []string{"A=1"}},
		"several pages":      {[]string{"prog", long, "x"}, []string{"L=" + long, "Z="}},
		"rounding, 1 more":   {[]string{"prog", "a", "b"}, nil},
		"rounding, 2 more":   {[]string{"prog", "a", "b", "c"}, nil},
		"rounding, a string": {[]string{"prog", "0123456789abcd"}, nil},
	}
	for _, a := range []*arch.Arch{x86_64, i386} {
		for _, typ := range []delf.Type{delf.ET_EXEC, delf.ET_DYN} {
			path := filepath.Join(t.TempDir(), fmt.Sprint(a.Name, typ))
			require.NoError(t, os.WriteFile(path, dumper(a, typ), 0o755))
			for name, tt := range tests {
				t.Run(fmt.Sprint(a.Name, " ", typ, " ", name), func(t *testing.T) {
					dump, err := runNative(t, path, tt.argv, tt.env)
					require.NoError(t, err)
					compareStack(t, readNative(t, a, dump), dump, path, tt.argv, tt.env)
				})
			}
		}
	}
}

func compareStack(t *testing.T, n *native, dump []byte, path string, argv, env []string) {
	t.Helper()
	host := *n.arch
	host.Start.Aux = func(*arch.Model) []arch.Aux { return n.pre }
	_, rseq := n.aux[atRseqAlign]
	c := StackConfig{
		Argv: argv, Envp: env, ExecFn: path,
		UID: uint32(os.Getuid()), EUID: uint32(os.Geteuid()), GID: uint32(os.Getgid()), EGID: uint32(os.Getegid()),
		Model:      &arch.Model{HWCap: n.aux[atHwcap], HWCap2: n.aux[atHwcap2], Platform: n.cstr(t, n.aux[atPlatform])},
		RSeq:       rseq,
		StackLimit: stackLimit,
	}
	copy(c.Random[:], n.read(t, n.aux[atRandom], 16))

	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	s := newSpace(&host)
	im, err := Load(s, f, path, []*arch.Arch{&host}, noInterp, stackLimit)
	require.NoError(t, err)
	st, err := Stack(s, im, c)
	require.NoError(t, err)
	require.Equal(t, n.sp, st.SP)
	mine := s.read(t, st.SP, len(dump))
	if !bytes.Equal(dump, mine) {
		require.Equal(t, hexWords(n.arch, dump), hexWords(n.arch, mine))
		require.Equal(t, dump, mine)
	}
}

func hexWords(a *arch.Arch, b []byte) []string {
	var out []string
	for ; len(b) >= a.Word; b = b[a.Word:] {
		out = append(out, fmt.Sprintf("%x", b[:a.Word]))
	}
	return out
}

// TestNativeLayout compares where a dynamic program of the host, its dynamic
// linker and its heap are with where its kernel put them.
func TestNativeLayout(t *testing.T) {
	const cat = "/bin/cat"
	out, err := runNative(t, cat, []string{"cat", "/proc/self/maps"}, nil)
	require.NoError(t, err)
	f, err := os.Open(cat)
	require.NoError(t, err)
	defer f.Close()
	exe, err := filepath.EvalSymlinks(cat)
	require.NoError(t, err)
	im, err := Load(newSpace(x86_64), f, exe, known, func(p string) (*os.File, string, error) {
		ld, err := os.Open(p)
		if err != nil {
			return nil, "", err
		}
		p, err = filepath.EvalSymlinks(p)
		return ld, p, err
	}, stackLimit)
	require.NoError(t, err)

	for name, r := range map[string]Range{exe: im.Exe.Range, im.Interp.Name: im.Interp.Range} {
		got := nativeRange(t, out, name)
		require.Equal(t, got.Low, r.Low, name)
		require.Less(t, got.High-0x10000, r.High, name) // a file's pages, without bss
		require.GreaterOrEqual(t, roundUp(r.High), got.High, name)
	}
	require.Equal(t, nativeRange(t, out, "[heap]").Low, im.BrkStart)
	require.Equal(t, nativeRange(t, out, "[stack]").High, im.Stack.High)
}

// nativeRange is the range of the mappings of that name in /proc/PID/maps.
func nativeRange(t *testing.T, maps []byte, name string) Range {
	t.Helper()
	r := Range{Low: ^uint64(0)}
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) == 6 && f[5] == name {
			var lo, hi uint64
			_, err := fmt.Sscanf(f[0], "%x-%x", &lo, &hi)
			require.NoError(t, err)
			r = Range{min(r.Low, lo), max(r.High, hi)}
		}
	}
	require.NotZero(t, r.High, "no mapping of %s in\n%s", name, maps)
	return r
}

// TestNativeScript runs scripts with odd first lines on the host and compares
// the arguments that their interpreter gets.
func TestNativeScript(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "s") // short, for the lines of 256 bytes
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	interp := filepath.Join(dir, "i")
	require.NoError(t, os.WriteFile(interp, dumper(x86_64, delf.ET_EXEC), 0o755))
	script := filepath.Join(dir, "s")
	pad := func(n int, before, after string) string {
		return before + strings.Repeat(" ", n-len(before)-len(after)) + after
	}
	bang := "#!" + interp
	tests := map[string]string{
		"plain":                          bang + "\n",
		"an argument":                    bang + " -x\n",
		"one argument with blanks":       bang + " \t-x  y\t \n",
		"blanks before":                  "#! \t " + interp + "\n",
		"trailing blanks":                bang + " \t \n",
		"no newline":                     bang,
		"no newline, argument":           bang + " -x",
		"no newline, trailing blank":     bang + " ",
		"carriage return":                bang + " -x\r\n",
		"zero byte":                      bang + "\x00-x\n",
		"zero byte in the argument":      bang + " -x\x00y\n",
		"name empty":                     "#!\n",
		"name of blanks":                 "#! \t \n",
		"nothing":                        "#!",
		"blanks and no more":             "#!   ",
		"zero byte as name":              "#!\x00\n",
		"argument cut off":               bang + " " + strings.Repeat("a", 300) + "\n",
		"argument after 255 bytes":       pad(300, bang, "z\n"),
		"argument at byte 254":           pad(256, bang, "z\n"),
		"argument at byte 255":           pad(257, bang, "z\n"),
		"argument at bytes 254 and 255":  pad(258, bang, "zz\n"),
		"newline as last byte looked at": pad(256, bang, "\n"),
		"name cut off":                   "#!" + strings.Repeat("/", 300) + interp + "\n",
		"name ends at byte 255":          pad(256, "#!", interp+"\n"),
		"name ends at byte 256":          pad(257, "#!", interp+"\n"),
		"name ends in a blank there":     pad(256, "#!", interp+" "),
		"all blanks":                     pad(300, "#!", "\n"),
		"no script":                      "# !/bin/sh\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(script, []byte(text), 0o755))
			argv := []string{"argv0", "", "last"}
			dump, execErr := runNative(t, script, argv, nil)
			s, ok, err := Script([]byte(text))
			switch {
			case errors.Is(execErr, unix.ENOEXEC):
				require.True(t, !ok || errors.Is(err, unix.ENOEXEC), "%q: %+v, %v", text, s, err)
				return
			case execErr != nil:
				require.ErrorIs(t, execErr, unix.EACCES, "%q", text)
				require.ErrorIs(t, err, unix.EACCES, "%q", text)
				return
			}
			require.NoError(t, err)
			require.True(t, ok)
			n := readNative(t, x86_64, dump)
			require.Equal(t, n.args(t), s.Argv(script, argv))
			require.Equal(t, script, n.cstr(t, n.aux[atExecfn]))
		})
	}
}

// args are the strings of argv.
func (n *native) args(t *testing.T) (v []string) {
	t.Helper()
	for i := range n.word(t, n.sp) {
		v = append(v, n.cstr(t, n.word(t, n.sp+8*(i+1))))
	}
	return v
}

// TestNativeScripts runs scripts that are each other's interpreters, as many
// as the kernel lets be and one more.
func TestNativeScripts(t *testing.T) {
	dir := t.TempDir()
	prev := filepath.Join(dir, "0")
	require.NoError(t, os.WriteFile(prev, dumper(x86_64, delf.ET_EXEC), 0o755))
	for i := 1; i <= maxScripts+1; i++ {
		path := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(path, []byte("#!"+prev+" arg\n"), 0o755))
		prev = path
		dump, execErr := runNative(t, path, []string{"x", "y"}, nil)

		open := func(p string) (*os.File, string, error) {
			f, err := os.Open(p)
			return f, p, err
		}
		f, err := os.Open(path)
		require.NoError(t, err)
		got, err := Follow(Target{f, path, path, []string{"x", "y"}}, open)
		if execErr != nil {
			require.ErrorIs(t, execErr, unix.ELOOP)
			require.ErrorIs(t, err, unix.ELOOP)
			require.Equal(t, maxScripts+1, i)
			return
		}
		require.NoError(t, err)
		require.NoError(t, got.File.Close())
		require.Equal(t, readNative(t, x86_64, dump).args(t), got.Argv)
		require.Equal(t, filepath.Join(dir, "0"), got.Path)
	}
	t.Fatal("the host's kernel follows more scripts")
}

// TestNativeLimits finds that the host's execve and CheckArgs agree on the
// last size that is allowed.
func TestNativeLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	require.NoError(t, os.WriteFile(path, dumper(x86_64, delf.ET_EXEC), 0o755))
	var lim unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_STACK, &lim))
	total := min(lim.Cur/4, maxArgs)
	// Strings of 128 KiB and their pointers, and a last one to fill up.
	full := strings.Repeat("x", maxArgStrlen-1)
	var big []string
	left := total - uint64(len(path)) - 1
	for left > 2*maxArgStrlen {
		big = append(big, full)
		left -= maxArgStrlen + 8
	}
	big = append(big, strings.Repeat("y", 1000))
	left -= 1000 + 1 + 8
	tests := map[string]struct {
		argv []string
		ok   bool
	}{
		"longest string":     {[]string{full}, true},
		"one byte more":      {[]string{full + "x"}, false},
		"all that is":        {append(big[:len(big):len(big)], strings.Repeat("z", int(min(left-8-1, maxArgStrlen-1)))), true},
		"all and a byte":     {append(big[:len(big):len(big)], full[:maxArgStrlen-10], strings.Repeat("z", int(left-8-maxArgStrlen+9-8))), false},
		"all, in two pieces": {append(big[:len(big):len(big)], full[:maxArgStrlen-10], strings.Repeat("z", int(left-8-maxArgStrlen+9-8-1))), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, execErr := runNative(t, path, tt.argv, nil)
			c := StackConfig{Argv: tt.argv, ExecFn: path, StackLimit: lim.Cur}
			err := c.CheckArgs(x86_64)
			if tt.ok {
				require.NoError(t, execErr)
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, execErr, unix.E2BIG)
			require.ErrorIs(t, err, unix.E2BIG)
		})
	}
}
