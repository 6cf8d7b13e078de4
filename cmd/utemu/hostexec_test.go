package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hostExecCommand is a command line that has the host run a program which
// tells that it is there and waits, and what it writes.
func hostExecCommand(t *testing.T) (*exec.Cmd, *bufio.Reader) {
	dir := t.TempDir()
	native, guest := filepath.Join(dir, "native"), filepath.Join(dir, "guest")
	for _, build := range [][]string{
		{"gcc", "-O1", "-static", "-o", native, "../../testdata/hostexec/native.c"},
		{"powerpc-linux-gnu-gcc", "-O1", "-static", "-pthread", "-o", guest, "../../testdata/hostexec/guest.c"},
	} {
		out, err := exec.Command(build[0], build[1:]...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "run", "--allow-host-exec", guest, dir, native, "exec", "native", "wait")
	cmd.Env = append(os.Environ(), "UTEMU_TEST_COMMAND=1")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	in := bufio.NewReader(r)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd, in
}

// TestHostExecKilled: what the host runs goes with utemu.
func TestHostExecKilled(t *testing.T) {
	cmd, out := hostExecCommand(t)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	rest, err := io.ReadAll(out) // to the end of the last that has the pipe
	require.NoError(t, err)
	require.Empty(t, rest)
}

// TestHostExecSignal: signals for utemu are the program's, and its end is
// utemu's.
func TestHostExecSignal(t *testing.T) {
	cmd, out := hostExecCommand(t)
	require.NoError(t, cmd.Process.Signal(unix.SIGUSR1))
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "usr1\n", line)
	require.NoError(t, cmd.Process.Signal(unix.SIGTERM))
	var end *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &end)
	require.Equal(t, 128+int(unix.SIGTERM), end.ExitCode())
}
