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
				require.NoError(t, Agree(cs, []stepper.Stop{{Why: stepper.Syscall}, {Why: stepper.Syscall}}))
				got := make([]byte, 5)
				_, err := cs[1].Target.Mem().ReadAt(got, at)
				require.NoError(t, err)
				require.Equal(t, map[bool][]byte{true: {1, 1, 1, 1, 2}, false: {2, 2, 2, 2, 2}}[copied], got)
			})
		}
	}
}
