package utemu_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/stepper"
)

// BenchmarkStep is the cost of a step by arch, mode and strategy.
func BenchmarkStep(b *testing.B) {
	for _, a := range utemu.Arches() {
		for _, m := range []stepper.Mode{stepper.Insn, stepper.Block} {
			for _, s := range stepper.Strategies {
				b.Run(a.Name+"/"+m.String()+"/"+s.Name(), func(b *testing.B) {
					path, err := filepath.Abs(filepath.Join("testdata/bins", a.Name, "work"))
					require.NoError(b, err)
					g, _ := stepTarget(b, path, "call", "100000000")
					ctx := context.Background()
					for b.Loop() {
						if st, err := s.Step(ctx, g, m); err != nil || st.Why == stepper.Exited {
							b.Fatal(st, err)
						}
					}
				})
			}
		}
	}
}
