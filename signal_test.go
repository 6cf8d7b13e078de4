package utemu_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// sigTargets are the compilers of the signal programs, by target.
var sigTargets = map[string][]string{
	"x86_64":  {"x86_64-linux-gnu-gcc"},
	"i386":    {"i686-linux-gnu-gcc"},
	"arm":     {"arm-linux-gnueabihf-gcc", "-marm"},
	"thumb":   {"arm-linux-gnueabihf-gcc", "-mthumb"},
	"aarch64": {"aarch64-linux-gnu-gcc"},
	"ppc":     {"powerpc-linux-gnu-gcc"},
	"ppc64":   {"powerpc64-linux-gnu-gcc"},
}

// sigBuild compiles a program of testdata/libc.
func sigBuild(t *testing.T, target, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	cc := sigTargets[target]
	args := append(append([]string{}, cc[1:]...), "-O1", "-static", "-fwrapv", "-o", out, filepath.Join("testdata/libc", name+".c"))
	text, err := exec.Command(cc[0], args...).CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// sigRun runs a program to its end.
func sigRun(t *testing.T, path string, args ...string) (emu.Status, string) {
	t.Helper()
	var out bytes.Buffer
	m, err := utemu.Load(utemu.Config{
		Path: path, Args: append([]string{path, t.TempDir()}, args...), Env: []string{"LC_ALL=C"},
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Stock: stock,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	st, err := m.Run(t.Context())
	require.NoError(t, err)
	return st, out.String()
}

// TestSignalHostile: frames that no kernel made, stacks that are not there and
// faults that cannot be escaped end the program by SIGSEGV, and nothing else.
func TestSignalHostile(t *testing.T) {
	modes := []string{"wipe", "gone", "return", "nostack", "nostack2", "blocked", "ignored", "again"}
	for target := range sigTargets {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			path := sigBuild(t, target, "sighostile")
			for _, mode := range modes {
				st, out := sigRun(t, path, mode)
				require.Equal(t, unix.SIGSEGV, st.Signal, "%s: %+v\n%s", mode, st, out)
			}
			for seed := range 20 {
				st, out := sigRun(t, path, "garbage", fmt.Sprint(seed+1))
				require.NotZero(t, st.Signal, "%d: %+v\n%s", seed, st, out)
			}
		})
	}
}

// TestSignalStorm interrupts computations ten thousand times.
func TestSignalStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	st, out := sigRun(t, sigBuild(t, "i386", "sigstorm"), "10000")
	require.Equal(t, emu.Status{}, st, out)
}

// TestSignalHost: signals that are sent to the host process reach the guest's
// handlers.
func TestSignalHost(t *testing.T) {
	for target := range sigTargets {
		t.Run(target, func(t *testing.T) {
			path := sigBuild(t, target, "sighostile")
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			m, err := utemu.Load(utemu.Config{Path: path, Args: []string{path, t.TempDir(), "host"}, Stdin: strings.NewReader(""), Stdout: w, Stock: stock})
			require.NoError(t, err)
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
			require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Minute)))
			in := bufio.NewReader(r)
			line := func() string { s, _ := in.ReadString('\n'); return s }
			require.Equal(t, "ready\n", line())
			for _, s := range []unix.Signal{unix.SIGUSR1, unix.SIGWINCH, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, 40} {
				require.NoError(t, unix.Kill(os.Getpid(), s))
				require.Equal(t, fmt.Sprintf("got %d\n", int(s)), line())
			}
			got := <-done
			require.NoError(t, got.err)
			require.Equal(t, emu.Status{}, got.st)
			_, err = io.Copy(io.Discard, in)
			require.NoError(t, err)
			require.NoError(t, m.Close())
		})
	}
}
