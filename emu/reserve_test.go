package emu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
)

// A reservation ends with the task's turn, though nobody wrote the word: the
// other task may have changed it and changed it back.
func TestReservationEndsWithTurn(t *testing.T) {
	tests := map[string]struct {
		base, value string
		code        []byte // a load with reservation and a conditional store
	}{
		"arm":     {"r1", "r3", []byte{0x9f, 0x0f, 0x91, 0xe1, 0x93, 0x2f, 0x81, 0xe1}},
		"aarch64": {"x1", "x3", []byte{0x20, 0x7c, 0x5f, 0x88, 0x23, 0x7c, 0x02, 0x88}},
		"ppc":     {"r4", "r5", []byte{0x7c, 0x60, 0x20, 0x28, 0x7c, 0xa0, 0x21, 0x2d}},
		"ppc64":   {"r4", "r5", []byte{0x7c, 0x60, 0x20, 0x28, 0x7c, 0xa0, 0x21, 0x2d}},
	}
	for _, a := range archs.All {
		tt, ok := tests[a.Name]
		require.Equal(t, ok, a.Engine.Reserve != nil, a.Name)
		if !ok {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			for _, switched := range []bool{false, true} {
				m, _ := a.Engine.Model("")
				p, err := NewProcess(1, a, m, Options{})
				require.NoError(t, err)
				defer func() { require.NoError(t, p.Close()) }()
				const at = 0x100000
				require.NoError(t, p.Space.Map(VMA{Addr: at, End: at + PageSize, Prot: arch.Read | arch.Write | arch.Exec}))
				_, err = p.Space.WriteAt(tt.code, at)
				require.NoError(t, err)
				one, two := p.NewTask(1, nil), p.NewTask(2, nil)
				require.NoError(t, p.switchTo(one))
				for _, r := range a.Regs {
					switch r.Name {
					case tt.base:
						p.cpu.SetReg(r.ID, at+0x800)
					case tt.value:
						p.cpu.SetReg(r.ID, 7)
					}
				}
				p.cpu.SetReg(a.PC, at)
				step := func(to uint64) {
					why, _, err := p.cpu.run(stepper.Limit{Insns: 1})
					require.NoError(t, err)
					require.Equal(t, stepper.InsnLimit, why)
					require.EqualValues(t, to, p.cpu.Reg(a.PC))
				}
				step(at + 4)
				want := uint32(7)
				if switched {
					require.NoError(t, p.switchTo(two))
					require.NoError(t, p.switchTo(one))
					want = 0
				}
				step(at + 8)
				b := make([]byte, 4)
				_, err = p.Space.ReadAt(b, at+0x800)
				require.NoError(t, err)
				require.Equal(t, want, a.Order.Uint32(b), "switched: %v", switched)
			}
		})
	}
}
