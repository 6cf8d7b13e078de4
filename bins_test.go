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

// TestBins holds the freestanding programs to what they print natively on
// x86-64: it is the same on every architecture.
func TestBins(t *testing.T) {
	for program, args := range map[string][]string{
		"hello": nil, "branches": nil, "memory": nil, "smc": nil, "files": nil, "args": {"one", "two three"},
	} {
		want, err := os.ReadFile(filepath.Join("testdata/bins/expect", program+".txt"))
		require.NoError(t, err)
		bins(t, program, func(t *testing.T, arch, path string) {
			t.Chdir(t.TempDir())
			out, _, st := guest(t, utemu.Config{Path: path, Args: append([]string{path}, args...), Env: []string{"K=V"}})
			require.Equal(t, string(want), fmt.Sprintf("%sstatus %d\n", out, st.Code))
			require.Zero(t, st.Signal)
		})
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
		"read":     {unix.SIGSEGV, "read of 0x10, not mapped at die+", nil},
		"write":    {unix.SIGSEGV, "write to 0x10, not mapped at die+", nil},
		"readonly": {unix.SIGSEGV, "not permitted at die+", nil},
		"none":     {unix.SIGSEGV, "not permitted at die+", nil},
		"jump":     {unix.SIGSEGV, "execution of 0x10, not mapped at 0x10", nil},
		"bus":      {unix.SIGBUS, "past the end of the file at die+", nil},
		"illegal":  {unix.SIGILL, " at die+", nil},
		"break":    {unix.SIGTRAP, "breakpoint at die+", nil},
		"privileged": {unix.SIGILL, " at die+", func(a string) bool {
			// In 64-bit PowerPC guests privileged instructions do not fault:
			// the engine cannot leave supervisor state.
			return !x86(a) && a != "ppc64"
		}},
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
			})
		})
	}
}
