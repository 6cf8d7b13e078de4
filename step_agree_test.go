package utemu_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/stepper"
)

// TestCompare: programs that change their own code, and that branch in many
// ways, make the same stops by all strategies, and come to a good end.
func TestCompare(t *testing.T) {
	for _, a := range utemu.Arches() {
		for _, name := range []string{"selfmod", "smc", "hello"} {
			for _, m := range []stepper.Mode{stepper.Insn, stepper.Block} {
				t.Run(a.Name+"/"+name+"/"+m.String(), func(t *testing.T) {
					path, err := filepath.Abs(filepath.Join("testdata/bins", a.Name, name))
					require.NoError(t, err)
					var cs []stepper.Contestant
					for _, s := range stepper.Strategies {
						g, _ := stepTarget(t, path)
						cs = append(cs, stepper.Contestant{Name: s.Name(), Target: g, Strategy: s})
					}
					_, d, err := stepper.Compare(context.Background(), m, 3000, cs, nil, nil)
					require.NoError(t, err)
					require.Nil(t, d)
					for k := range cs { // to the ends, without steps
						for {
							st, err := cs[k].Target.Resume(context.Background(), stepper.Limit{})
							if err != nil {
								require.ErrorIs(t, err, stepper.ErrExited)
								break
							}
							require.Equal(t, stepper.Exited, st.Why)
							require.Zero(t, st.Code)
						}
					}
				})
			}
		}
	}
}
