package utemu_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// stock runs the tests on the library without the shim.
var stock = os.Getenv("UTEMU_STOCK_ENGINE") == "1"

// guest runs a program to its end and returns its output.
func guest(t *testing.T, c utemu.Config) (string, *utemu.Machine, emu.Status) {
	t.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stdin, c.Stock = &out, strings.NewReader(""), stock
	m, err := utemu.Load(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	if !stock {
		is, why := m.Stock()
		require.False(t, is, why)
	}
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	return out.String(), m, st
}

// bins calls f for each architecture's binary of a program, variants included.
func bins(t *testing.T, program string, f func(t *testing.T, arch, path string)) {
	for _, a := range utemu.Arches() {
		paths, err := filepath.Glob(filepath.Join("testdata/bins", a.Name, program+"*"))
		require.NoError(t, err)
		require.NotEmpty(t, paths, "no %s for %s", program, a.Name)
		for _, p := range paths {
			abs, err := filepath.Abs(p)
			require.NoError(t, err)
			t.Run(a.Name+"/"+filepath.Base(p), func(t *testing.T) { f(t, a.Name, abs) })
		}
	}
}

// binCase is a line of testdata/bins/CASES.
type binCase struct {
	name, program string
	arches, args  []string
}

// table returns the fields of the lines of a file that are no comments.
func table(t *testing.T, path string, least int) [][]string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var rows [][]string
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		require.GreaterOrEqual(t, len(f), least, "%s: %q", path, l)
		rows = append(rows, f)
	}
	require.NotEmpty(t, rows, path)
	return rows
}

// binCases reads testdata/bins/CASES.
func binCases(t *testing.T) []binCase {
	var l []binCase
	for _, f := range table(t, "testdata/bins/CASES", 3) {
		c := binCase{name: f[0], program: f[2], arches: strings.Fields(f[1]), args: f[3:]}
		if f[1] == "*" {
			c.arches = nil
			for _, a := range utemu.Arches() {
				c.arches = append(c.arches, a.Name)
			}
		}
		l = append(l, c)
	}
	return l
}

// binWant is what a case gives on an architecture: of that very one, else of all.
func binWant(t *testing.T, name, arch string) string {
	b, err := os.ReadFile(filepath.Join("testdata/bins/expect", name+"."+arch+".txt"))
	if os.IsNotExist(err) {
		b, err = os.ReadFile(filepath.Join("testdata/bins/expect", name+".txt"))
	}
	require.NoError(t, err, "testdata/bins/expect.sh -w %s", name)
	return string(b)
}

// binUnable are the cases in which the engine cannot do what Linux does, by
// case and architecture. What is here and passes all the same fails the test.
var binUnable = map[string]string{
	"fault-align i386":             "the library checks no alignment on x86",
	"fault-align x86_64":           "the library checks no alignment on x86",
	"fault-alignment-check i386":   "the library checks no alignment on x86",
	"fault-alignment-check x86_64": "the library checks no alignment on x86",
}

// TestBins holds the programs of testdata/bins to what expect/ says they give:
// what Linux does on x86, what qemu-user does elsewhere where that is what Linux
// does. A program that a signal ends gives 128 and the signal, as for a shell.
func TestBins(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	met := map[string]bool{}
	for _, c := range binCases(t) {
		for _, arch := range c.arches {
			want := binWant(t, c.name, arch)
			key := c.name + " " + arch
			why, unable := binUnable[key]
			met[key] = true
			for _, v := range binVariants(t, root, arch, c.program) {
				t.Run(c.name+"/"+arch+"/"+filepath.Base(v), func(t *testing.T) {
					t.Chdir(t.TempDir())
					out, m, st := guest(t, utemu.Config{Path: v, Args: append([]string{v}, c.args...), Env: []string{"K=V"}})
					code := st.Code
					if st.Signal != 0 {
						code = 128 + int(st.Signal)
					}
					got := fmt.Sprintf("%sstatus %d\n", out, code)
					if unable {
						require.NotEqual(t, want, got, "passes although it cannot: %s", why)
						return
					}
					require.Equal(t, want, got, m.Explain(st))
				})
			}
		}
	}
	for key := range binUnable {
		require.True(t, met[key], "no case for %q", key)
	}
}

// binVariants are the paths of a program: for ARM the one in Thumb code, too.
func binVariants(t *testing.T, root, arch, program string) []string {
	p := filepath.Join(root, "testdata/bins", arch, program)
	require.FileExists(t, p)
	if _, err := os.Stat(p + "-thumb"); err == nil {
		return []string{p, p + "-thumb"}
	}
	return []string{p}
}

// TestBinTables holds the tables of testdata/bins to each other: no expectation
// without a case, no reason without an expectation.
func TestBinTables(t *testing.T) {
	known, named := map[string]bool{}, map[string]bool{}
	for _, c := range binCases(t) {
		require.False(t, named[c.name], c.name)
		named[c.name] = true
		for _, a := range c.arches {
			known[c.name+"\t"+a] = true
		}
	}
	for _, f := range table(t, "testdata/bins/DIFFERS", 3) {
		require.True(t, known[f[0]+"\t"+f[1]], "DIFFERS: no case %s on %s", f[0], f[1])
	}
	files, err := filepath.Glob("testdata/bins/expect/*")
	require.NoError(t, err)
	for _, p := range files {
		name, arch, own := strings.Cut(strings.TrimSuffix(filepath.Base(p), ".txt"), ".")
		require.True(t, named[name] && (!own || known[name+"\t"+arch]), "%s belongs to no case", p)
	}
}

// TestFaults holds faults to the signal, the code and the place that Linux
// gives.
func TestFaults(t *testing.T) {
	x86 := func(a string) bool { return a == "i386" || a == "x86_64" }
	cases := map[string]struct {
		sig  unix.Signal
		text string // in what is told, "" for none
		only func(arch string) bool
	}{
		"read":           {unix.SIGSEGV, "read of 0x10, not mapped at die+", nil},
		"write":          {unix.SIGSEGV, "write to 0x10, not mapped at die+", nil},
		"readonly":       {unix.SIGSEGV, "not permitted at die+", nil},
		"none":           {unix.SIGSEGV, "not permitted at die+", nil},
		"jump":           {unix.SIGSEGV, "execution of 0x10, not mapped at 0x10", nil},
		"bus":            {unix.SIGBUS, "past the end of the file at die+", nil},
		"illegal":        {unix.SIGILL, " at die+", nil},
		"break":          {unix.SIGTRAP, "breakpoint at die+", nil},
		"privileged":     {unix.SIGILL, " at die+", func(a string) bool { return !x86(a) }},
		"privileged x86": {unix.SIGSEGV, "general protection fault at die+", x86},
		"divide":         {unix.SIGFPE, "integer division by zero at die+", x86},
		"abort":          {unix.SIGABRT, "killed by SIGABRT", nil},
		"term":           {unix.SIGTERM, "killed by SIGTERM", nil},
	}
	for how, c := range cases {
		t.Run(how, func(t *testing.T) {
			bins(t, "fault", func(t *testing.T, arch, path string) {
				if c.only != nil && !c.only(arch) {
					return
				}
				arg, _, _ := strings.Cut(how, " ")
				out, m, st := guest(t, utemu.Config{Path: path, Args: []string{path, arg}})
				require.Equal(t, "before\n", out)
				require.Equal(t, c.sig, st.Signal, m.Explain(st))
				require.Contains(t, m.Explain(st), c.text)
				if c.sig == unix.SIGILL {
					require.Regexp(t, `\): \S`, m.Explain(st), "the instruction")
				}
			})
		})
	}
}

// TestWarn: nothing is wrong with the floating point of the library at hand, or
// has been mended.
func TestWarn(t *testing.T) {
	bins(t, "fp", func(t *testing.T, _, path string) {
		guest(t, utemu.Config{Path: path, Warn: func(line string) { require.Fail(t, line) }})
	})
}
