package utemu_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// What a process holds goes with it when its parent has gone before, so that
// others see the ends of its pipes.
func TestOrphans(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	m, err := utemu.Load(utemu.Config{Path: "/bin/sh", Args: []string{"sh", "-c", "(sleep 0.1; echo end) | cat > " + file + " &"}, Stock: stock})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = m.Run(ctx)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "end\n", string(b))
}

// TestOrphansEnd: when the first process has ended, a signal to this one ends
// what it has left, whatever it did with that signal.
func TestOrphansEnd(t *testing.T) {
	g := startGuest(t, "/bin/sh", "-c", "trap 'echo caught' TERM; sleep 1000 >/dev/null & echo ready")
	require.Equal(t, "ready\n", g.line())
	ended := make(chan emu.Status, 1)
	go func() { ended <- g.end() }()
	for range 1000 {
		require.NoError(t, unix.Kill(os.Getpid(), unix.SIGTERM))
		select {
		case st := <-ended:
			require.Equal(t, unix.SIGTERM, st.Signal)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	require.Fail(t, "it goes on")
}
