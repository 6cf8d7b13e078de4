package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFileLimit: a guest may have as many files open as its limit says: that is
// the one that utemu was started with, less what utemu needs where it may not
// raise it.
func TestFileLimit(t *testing.T) {
	const limit = 200
	guest := filepath.Join(t.TempDir(), "files")
	out, err := exec.Command("powerpc-linux-gnu-gcc", "-O1", "-static", "-o", guest, "testdata/files.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" run "$1"`, limit), self, guest)
	cmd.Env = append(os.Environ(), "UTEMU_TEST_COMMAND=1")
	out, err = cmd.Output()
	require.NoError(t, err, "%s", out)
	var soft, hard, n int
	var why string
	_, err = fmt.Sscanf(string(out), "limit %d %d\n%d %s", &soft, &hard, &n, &why)
	require.NoError(t, err, "%s", out)
	want := limit
	if raise := fmt.Sprintf("ulimit -n %d && ulimit -n %d", limit, limit+1); exec.Command("sh", "-c", raise).Run() != nil {
		want = limit - limit/4
	}
	require.Equal(t, []int{want, want}, []int{soft, hard})
	require.Equal(t, "Too", why, "%s", out)
	require.Equal(t, want, n)
}

// TestCPULimit: RLIMIT_CPU is of the process that set it, not of all guests.
func TestCPULimit(t *testing.T) {
	guest := filepath.Join(t.TempDir(), "cpulimit")
	out, err := exec.Command("powerpc-linux-gnu-gcc", "-O1", "-static", "-o", guest, "testdata/cpulimit.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "run", guest)
	cmd.Env = append(os.Environ(), "UTEMU_TEST_COMMAND=1")
	out, err = cmd.Output()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "SIGXCPU\n1 9\n", string(out))
}
