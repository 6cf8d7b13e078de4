package utemu_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/stepper"
)

// TestCompare: programs that change their own code, and that branch in many
// ways, make the same stops by all strategies, and come to a good end.
func TestCompare(t *testing.T) {
	t.Parallel()
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

// TestSlotAside: pages for instructions out of line are where neither brk nor
// mmap would put anything of the program's.
func TestSlotAside(t *testing.T) {
	for _, a := range utemu.Arches() {
		t.Run(a.Name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("testdata/bins", a.Name, "hello"))
			require.NoError(t, err)
			g, _ := stepTarget(t, path)
			s := g.Task().Proc.Space
			var image uint64 // its lowest address
			s.VMAs(func(v *emu.VMA) bool { image = v.Addr; return false })
			gap, err := s.Gap(emu.PageSize, emu.PageSize)
			require.NoError(t, err)
			for _, near := range []uint64{g.Regs().Reg(a.PC), a.Start.MmapBase - emu.PageSize, a.Start.StackTop - 1, a.Start.TaskSize, a.Addr(^uint64(0xfff))} {
				slot, err := g.Slot(near)
				require.NoError(t, err)
				require.NotNil(t, s.Find(slot), "near %#x", near)
				require.True(t, slot < image || slot >= a.Start.MmapBase, "slot %#x near %#x, image at %#x", slot, near, image)
				now, err := s.Gap(emu.PageSize, emu.PageSize)
				require.NoError(t, err)
				require.Equal(t, gap, now, "where mmap maps next, near %#x", near)
			}
		})
	}
}
