package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
)

// TestAgree: what a call brings in from outside is the first one's for all, what
// it computes is not touched.
func TestAgree(t *testing.T) {
	const at = 0x20000
	for _, a := range archs.All {
		for call, copied := range map[string]bool{"read": true, "getrandom": true, "write": false, "getpid": false} {
			t.Run(a.Name+"/"+call, func(t *testing.T) {
				var cs []stepper.Contestant
				for k := range byte(2) {
					p, err := emu.NewProcess(1, a, &a.Engine.Models[0], emu.Options{})
					require.NoError(t, err)
					t.Cleanup(func() { require.NoError(t, p.Close()) })
					require.NoError(t, p.Space.Map(emu.VMA{Addr: at, End: at + emu.PageSize, Prot: arch.Read | arch.Write}))
					_, err = p.Space.WriteAt([]byte{k + 1, k + 1, k + 1, k + 1, k + 1}, at)
					require.NoError(t, err)
					nr, args := a.ABI.Nr, a.ABI.Args
					if a.ABI.OrigNr != 0 {
						nr = a.ABI.OrigNr
					}
					if a.ABI.OrigArg != 0 {
						args[0] = a.ABI.OrigArg
					}
					for _, id := range args {
						p.CPU().SetReg(id, at)
					}
					for _, n := range a.Sysnum {
						if n.Name == call {
							p.CPU().SetReg(nr, uint64(n.Nr))
						}
					}
					p.CPU().SetReg(a.ABI.Ret, 4)
					g, err := emu.NewTarget(p.NewTask(1, nil))
					require.NoError(t, err)
					cs = append(cs, stepper.Contestant{Target: g})
				}
				require.NoError(t, Agree(nil, cs, []stepper.Stop{{Why: stepper.Syscall}, {Why: stepper.Syscall}}))
				got := make([]byte, 5)
				_, err := cs[1].Target.Mem().ReadAt(got, at)
				require.NoError(t, err)
				require.Equal(t, map[bool][]byte{true: {1, 1, 1, 1, 2}, false: {2, 2, 2, 2, 2}}[copied], got)
			})
		}
	}
}

// TestAgreeOnFlags: flags that an instruction has left undefined are the first
// one's for all, others are not touched.
func TestAgreeOnFlags(t *testing.T) {
	const at = 0x20000
	for _, a := range archs.All {
		reg, ok := a.RegByName("eflags")
		if !ok {
			continue
		}
		for _, x := range []struct {
			code []byte
			want uint64 // of the second, whose flags were all clear
		}{
			{[]byte{0x0f, 0xba, 0xe0, 8}, fOF | fSF | fAF | fPF}, // bt $8,%eax
			{[]byte{0x01, 0xc0}, 0},                              // add %eax,%eax
		} {
			var cs []stepper.Contestant
			for k := range 2 {
				p, err := emu.NewProcess(1, a, &a.Engine.Models[0], emu.Options{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, p.Close()) })
				require.NoError(t, p.Space.Map(emu.VMA{Addr: at, End: at + emu.PageSize, Prot: arch.Read | arch.Exec | arch.Write}))
				_, err = p.Space.WriteAt(x.code, at)
				require.NoError(t, err)
				p.CPU().SetReg(reg.ID, uint64(1-k)*(fCF|fOF|fSF|fZF|fAF|fPF))
				g, err := emu.NewTarget(p.NewTask(1, nil))
				require.NoError(t, err)
				cs = append(cs, stepper.Contestant{Target: g})
			}
			i, err := a.Decode(cs[0].Target.Regs(), cs[0].Target.Mem(), at)
			require.NoError(t, err)
			require.NoError(t, Agree([]arch.Insn{i}, cs, make([]stepper.Stop, 2)))
			require.Equal(t, x.want, cs[1].Target.Regs().Reg(reg.ID)&(fCF|fOF|fSF|fZF|fAF|fPF), "% x", x.code)
		}
	}
}
