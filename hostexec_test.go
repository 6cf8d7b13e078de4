package utemu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// hostExecTargets are the guests of TestHostExec.
var hostExecTargets = []string{"x86_64", "ppc", "arm"}

// hostExecPrograms compiles the program of the host, and makes the folder in
// which the guest is to find what it executes.
func hostExecPrograms(t *testing.T) (native, dir string) {
	base := t.TempDir()
	native, dir = filepath.Join(base, "native"), filepath.Join(base, "dir")
	require.NoError(t, os.Mkdir(dir, 0o777))
	for out, link := range map[string]string{native: "-static", filepath.Join(base, "broken"): "-Wl,--dynamic-linker=/nowhere/ld.so"} {
		b, err := os.ReadFile(libcCompile(t, "../hostexec/native.c", libcTargetOf("x86_64"), []string{"-O1", link}))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(out, b, 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "script"), []byte("#!"+native+" report  x\n"), 0o755))
	return native, dir
}

// hostExecGuest compiles the guest.
func hostExecGuest(t *testing.T, target string) string {
	return libcCompile(t, "../hostexec/guest.c", libcTargetOf(target), []string{"-O1", "-static", "-pthread"})
}

// unbreak puts back what the guest changes in its folder.
func unbreak(t *testing.T, dir string) {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "broken"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken"), b, 0o700))
	require.NoError(t, os.Chmod(filepath.Join(dir, "broken"), 0o700))
}

// TestHostExec: what a guest sees of programs that the host runs, and these of
// the guest, is what there is to see natively.
func TestHostExec(t *testing.T) {
	native, dir := hostExecPrograms(t)
	unbreak(t, dir)
	want, err := exec.Command(hostExecGuest(t, "x86_64"), dir, native, "all").Output()
	require.NoError(t, err, "%s", want)
	require.Contains(t, string(want), "relative script: exit 0\n")
	require.NotContains(t, string(want), "emulated")
	for _, target := range hostExecTargets {
		t.Run(target, func(t *testing.T) {
			unbreak(t, dir)
			path := hostExecGuest(t, target)
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			require.NoError(t, err)
			defer out.Close()
			st, err := hostExecRun(t, utemu.Config{Path: path, Args: []string{path, dir, native, "all"}, Stdout: out})
			require.NoError(t, err)
			require.Equal(t, emu.Status{}, st)
			b, err := os.ReadFile(out.Name())
			require.NoError(t, err)
			require.Equal(t, string(want), string(b))
		})
		t.Run(target+"/first", func(t *testing.T) {
			path := hostExecGuest(t, target)
			for _, tc := range []struct {
				args []string
				want emu.Status
			}{
				{[]string{"exit", "7"}, emu.Status{Code: 7}},
				{[]string{"die", "15"}, emu.Status{Signal: unix.SIGTERM}},
			} {
				st, err := hostExecRun(t, utemu.Config{Path: path, Args: append([]string{path, dir, native, "exec", "native"}, tc.args...)})
				require.NoError(t, err)
				require.Equal(t, tc.want, st)
			}
		})
	}
}

// hostExecRun runs a guest that may execute programs of the host.
func hostExecRun(t *testing.T, c utemu.Config) (emu.Status, error) {
	c.AllowHostExec, c.Stock = true, stock
	if c.Stdin == nil {
		c.Stdin = strings.NewReader("")
	}
	m, err := utemu.Load(c)
	if err != nil {
		return emu.Status{}, err
	}
	defer func() { require.NoError(t, m.Close()) }()
	return m.Run(t.Context())
}

// TestHostExecSysroot: what is in the sysroot is not the host's, and without
// leave nothing is.
func TestHostExecSysroot(t *testing.T) {
	native, dir := hostExecPrograms(t)
	path := hostExecGuest(t, "x86_64")
	run := func(allow bool, sysroot string) string {
		var out bytes.Buffer
		m, err := utemu.Load(utemu.Config{
			Path: path, Args: []string{path, dir, native, "exec", "native", "pid"}, Sysroot: sysroot,
			AllowHostExec: allow, Stdin: strings.NewReader(""), Stdout: &out, Stock: stock,
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		st, err := m.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, emu.Status{}, st)
		return out.String()
	}
	// The first guest has this process's number.
	for _, tc := range []struct {
		allow   bool
		sysroot string
		host    bool
	}{
		{true, "", true},
		{true, filepath.Dir(native), false},
		{false, "", false},
	} {
		out := run(tc.allow, tc.sysroot)
		require.Equal(t, tc.host, out != fmt.Sprintln(os.Getpid()), "%+v: %s", tc, out)
	}
}

// TestHostExecDeterministic: programs of the host make no runs alike.
func TestHostExecDeterministic(t *testing.T) {
	_, err := utemu.Load(utemu.Config{Path: "testdata/bins/ppc/hello", AllowHostExec: true, Deterministic: true, Stock: stock})
	require.ErrorContains(t, err, "not deterministic")
}

// lives records the reports of a task.
type lives struct {
	emu.NoTracer
	seen []string
}

func (l *lives) Exec(t *emu.Task)          { l.seen = append(l.seen, "exec "+t.Proc.Arch.Name) }
func (l *lives) Exit(_ *emu.Task, st *int) { l.seen = append(l.seen, fmt.Sprintf("exit %#x", *st)) }
func (l *lives) Death(*emu.Task)           { l.seen = append(l.seen, "death") }

// TestHostExecTraced: a tracer sees the exec, the exit and the death.
func TestHostExecTraced(t *testing.T) {
	native, dir := hostExecPrograms(t)
	path := hostExecGuest(t, "ppc")
	m, err := utemu.Load(utemu.Config{Path: path, Args: []string{path, dir, native, "exec", "native", "exit", "9"}, AllowHostExec: true, Stock: stock})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	var l lives
	m.Task().SetTracer(&l)
	st, err := m.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, emu.Status{Code: 9}, st)
	require.Equal(t, []string{"exec x86_64", "exit 0x900", "death"}, l.seen)
}

// TestHostExecCancel: the end of the context ends a program of the host.
func TestHostExecCancel(t *testing.T) {
	native, dir := hostExecPrograms(t)
	path := hostExecGuest(t, "ppc")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	m, err := utemu.Load(utemu.Config{Path: path, Args: []string{path, dir, native, "exec", "native", "wait"}, Stdout: w, AllowHostExec: true, Stock: stock})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := m.Run(ctx)
		done <- err
	}()
	b := make([]byte, 6)
	_, err = r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "ready\n", string(b))
	cancel()
	require.True(t, errors.Is(<-done, ctx.Err()))
	require.NoError(t, m.Close())
	require.NoError(t, w.Close())
	n, _ := r.Read(b)
	require.Zero(t, n, "nobody else has the pipe")
}
