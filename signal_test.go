package utemu_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// sigTargets are the targets of the signal programs.
var sigTargets = []string{"x86_64", "i386", "arm", "thumb", "aarch64", "ppc", "ppc64"}

// sigBuild compiles a program of testdata/libc.
func sigBuild(t *testing.T, target, name string) string {
	t.Helper()
	to := libcTargetOf(target)
	return libcCompile(t, name+".c", to, append(slices.Clone(to.flags), "-O1", "-static"))
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
	for _, target := range sigTargets {
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

// TestSignalStorm interrupts computations ten thousand times, with -short a
// thousand times.
func TestSignalStorm(t *testing.T) {
	t.Parallel()
	times := "10000"
	if testing.Short() {
		times = "1000"
	}
	st, out := sigRun(t, sigBuild(t, "i386", "sigstorm"), times)
	require.Equal(t, emu.Status{}, st, out)
}

// TestSignalHost: signals that are sent to the host process reach the guest's
// handlers.
func TestSignalHost(t *testing.T) {
	for _, target := range sigTargets {
		t.Run(target, func(t *testing.T) {
			path := sigBuild(t, target, "sighostile")
			g := startGuest(t, path, t.TempDir(), "host")
			require.Equal(t, "ready\n", g.line())
			for _, s := range []unix.Signal{unix.SIGUSR1, unix.SIGWINCH, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, 40} {
				require.NoError(t, unix.Kill(os.Getpid(), s))
				require.Equal(t, fmt.Sprintf("got %d\n", int(s)), g.line())
			}
			require.Equal(t, emu.Status{}, g.end())
		})
	}
}

// startedGuest is a program that runs beside the test, which reads its lines.
type startedGuest struct {
	line func() string // "" at the end
	end  func() emu.Status
}

// startGuest runs a program.
func startGuest(t *testing.T, args ...string) startedGuest {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Minute)))
	m, err := utemu.Load(utemu.Config{Path: args[0], Args: args, Stdin: strings.NewReader(""), Stdout: w, Stock: stock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	var st emu.Status
	done := make(chan error, 1)
	go func() {
		var err error
		st, err = m.Run(t.Context())
		w.Close()
		done <- err
	}()
	in := bufio.NewReader(r)
	return startedGuest{
		line: func() string { s, _ := in.ReadString('\n'); return s },
		end: func() emu.Status {
			require.NoError(t, <-done)
			_, err := io.Copy(io.Discard, in)
			require.NoError(t, err)
			return st
		},
	}
}
