package utemu_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu"
)

// TestSender: a guest learns who on the host has sent it a signal.
func TestSender(t *testing.T) {
	g := startGuest(t, libcCompile(t, "../hostexec/sender.c", libcTargetOf("ppc"), []string{"-O1", "-static"}))
	require.Equal(t, "ready\n", g.line())
	for no, name := range map[int]string{10: "-USR1", 15: "-TERM"} {
		kill := exec.Command("/bin/kill", name, strconv.Itoa(os.Getpid()))
		require.NoError(t, kill.Run())
		require.Equal(t, fmt.Sprintf("%d 0 %d %d\n", no, kill.Process.Pid, os.Getuid()), g.line())
	}
	require.Equal(t, emu.Status{}, g.end())
}
