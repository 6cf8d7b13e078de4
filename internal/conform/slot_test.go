package conform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// jumps are, by instruction set, an instruction that does nothing and a jump to
// what a register says.
var jumps = map[string]struct {
	code string
	reg  string
}{
	"i386":    {"\x90\xff\xe0", "eax"},
	"x86_64":  {"\x90\xff\xe0", "rax"},
	"arm":     {"\x00\x00\xa0\xe1\x10\xff\x2f\xe1", "r0"},
	"thumb":   {"\x00\xbf\x00\x47", "r0"},
	"aarch64": {"\x1f\x20\x03\xd5\x00\x00\x1f\xd6", "x0"},
	"ppc":     {"\x60\x00\x00\x00\x4e\x80\x04\x20", "ctr"},
	"ppc64":   {"\x60\x00\x00\x00\x4e\x80\x04\x20", "ctr"},
}

// TestIntoSlot: a program that jumps into the slot is told the addresses that it
// is at, and not those of the code that was moved there; the breakpoint behind
// that is its own SIGTRAP. Every strategy says the same.
func TestIntoSlot(t *testing.T) {
	for _, isa := range isas {
		for _, s := range stepper.Strategies {
			t.Run(isa+"/"+s.Name(), func(t *testing.T) {
				j := jumps[isa]
				g, _ := bare(t, isa, []byte(j.code))
				a := g.Arch()
				step := func(s stepper.Strategy) stepper.Stop {
					st, err := s.Step(t.Context(), g, stepper.Insn)
					require.NoError(t, err)
					return st
				}
				next := step(stepper.XOL{}).PC // which leaves the first instruction in the slot
				slot, err := g.(stepper.Slotter).Slot(steptest.CodeAt)
				require.NoError(t, err)
				reg, ok := a.RegByName(j.reg)
				require.True(t, ok)
				to := slot
				if isa == "thumb" {
					to |= 1
				}
				g.Regs().SetReg(reg.ID, to)

				require.Equal(t, slot, step(s).PC)
				behind := slot + next - steptest.CodeAt
				st := step(s)
				require.Equal(t, behind, st.PC)
				require.Equal(t, stepper.Stepped, st.Why)
				st = step(s)
				require.Equal(t, stepper.Signal, st.Why)
				require.Equal(t, int(unix.SIGTRAP), st.Signo)
				require.Equal(t, behind+uint64(a.BreakBack), st.PC)
			})
		}
	}
}
