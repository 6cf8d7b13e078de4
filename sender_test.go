package utemu_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// TestSender: a guest learns who on the host has sent it a signal.
func TestSender(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sender")
	compile(t, hostExecTargets["ppc"], "testdata/hostexec/sender.c", path, "-static")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	m, err := utemu.Load(utemu.Config{Path: path, Stdout: w, Stock: stock})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	type end struct {
		st  emu.Status
		err error
	}
	done := make(chan end, 1)
	go func() {
		st, err := m.Run(t.Context())
		w.Close()
		done <- end{st, err}
	}()
	in := bufio.NewReader(r)
	line := func() string { s, _ := in.ReadString('\n'); return s }
	require.Equal(t, "ready\n", line())
	for no, name := range map[int]string{10: "-USR1", 15: "-TERM"} {
		kill := exec.Command("/bin/kill", name, strconv.Itoa(os.Getpid()))
		require.NoError(t, kill.Run())
		require.Equal(t, fmt.Sprintf("%d 0 %d %d\n", no, kill.Process.Pid, os.Getuid()), line())
	}
	require.Equal(t, end{}, <-done)
}
