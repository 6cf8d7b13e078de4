package utemu_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
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
