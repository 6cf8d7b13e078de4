package utemu_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/stepper"
)

// TestOneWriter: output and errors may go to one writer, which one goroutine at
// a time writes to; and all is there after Close, where Run was not used too.
func TestOneWriter(t *testing.T) {
	for range 20 {
		for _, stepped := range []bool{false, true} {
			var out bytes.Buffer
			m, err := utemu.Load(utemu.Config{Path: "testdata/bins/ppc/hello", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Stock: stock})
			require.NoError(t, err)
			if stepped {
				g, err := emu.NewTarget(m.Task())
				require.NoError(t, err)
				st, err := g.Resume(context.Background(), stepper.Limit{})
				require.NoError(t, err)
				require.Equal(t, stepper.Exited, st.Why)
			} else {
				_, err = m.Run(context.Background())
				require.NoError(t, err)
			}
			require.NoError(t, m.Close())
			require.Equal(t, "hello, world\n", out.String())
		}
	}
}
