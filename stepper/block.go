package stepper

import (
	"context"

	"github.com/utemu/utemu/emu/arch"
)

// maxScan is how many instructions are looked at for the end of a block; a
// longer one is run in pieces.
const maxScan = 512

// ends are the classes of instructions that a straight run cannot go over.
const blockEnds = arch.IsBranch | arch.IsSyscall | arch.IsTrap | arch.IsUndefined | arch.IsLoadLink | arch.IsIT | arch.IsTransaction

// block runs to the next instruction that may branch, steps over it, and goes
// on if it did not.
func block(ctx context.Context, t Target, m Mode, step func(context.Context, Target, arch.Insn) (Stop, error), run runTo) (Stop, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Stop{}, err
		}
		i, err := here(t)
		if err != nil {
			return faulting(ctx, t)
		}
		if last, ok := straight(t, i); ok {
			st, err := run(ctx, t, last)
			if err != nil || st.Why != Stepped {
				return st, err
			}
			continue
		}
		st, err := step(ctx, t, i)
		if err != nil || st.Why != Stepped {
			return st, err
		}
		if st.Taken || m == BlockAny && i.Is(arch.IsBranch) {
			st.Why = TakenBranch
			return st, nil
		}
		if i.Is(arch.IsSyscall) { // on a target that does not tell
			return st, nil
		}
	}
}

// straight finds the last place that a run from i, the instruction at the PC,
// comes to without a branch. It is false if that is i itself.
func straight(t Target, i arch.Insn) (arch.Dest, bool) {
	a, m := t.Arch(), t.Mem()
	start := i.PC
	for n := 0; n < maxScan && !i.Is(blockEnds) && i.IT == 0; n++ {
		end := a.Addr(i.End())
		if end < i.PC { // the end of the address space
			break
		}
		f, err := a.Follow(i, m)
		if err != nil {
			// The run ends in a fault there.
			f = arch.Insn{PC: end, State: i.State}
		}
		if i = f; err != nil {
			break
		}
	}
	return arch.Dest{PC: i.PC, State: i.State}, i.PC != start
}
