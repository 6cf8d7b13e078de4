package stepper

import (
	"context"

	"github.com/utemu/utemu/emu/arch"
)

// Native has the CPU run one instruction, which leaves no trace in memory or
// registers.
type Native struct {
	// Split stops inside sequences of load with reservation and conditional
	// store too. That works on targets that keep the reservation.
	Split bool
	// Faithful is Split as hardware has it: each stop drops the reservation of a
	// target that is a Reserver, so that the store fails.
	Faithful bool
}

// Name implements Strategy.
func (Native) Name() string { return "native" }

// Supports implements Strategy.
func (Native) Supports(t Target, m Mode) bool {
	return t.Caps()&(CanInsns|CanEvents) == CanInsns|CanEvents && (m == Insn || t.Caps()&CanStops != 0)
}

// Step implements Strategy.
func (n Native) Step(ctx context.Context, t Target, m Mode) (Stop, error) {
	if !n.Supports(t, m) {
		return Stop{}, ErrNoStep
	}
	if m != Insn {
		return n.block(ctx, t, m)
	}
	if t.Arch().Exclusives && !n.split() && t.Caps()&CanStops != 0 && opens(t) {
		i, err := here(t)
		if err == nil {
			return n.insn(ctx, t, i)
		}
	}
	if p, ok := t.(Plain); ok && !n.Faithful {
		if _, pc, ok, err := p.ResumePlain(ctx, &oneInsn); ok || err != nil {
			return Stop{Why: Stepped, PC: pc}, err
		}
	}
	return n.one(ctx, t)
}

// oneInsn is the limit of most steps.
var oneInsn = Limit{Insns: 1, Events: true}

// opens tells whether the instruction at the PC opens an atomic sequence.
func opens(t Target) bool {
	if c, ok := t.(Cacher); ok {
		i, err := c.Cache().Here(t)
		return err == nil && i.Is(arch.IsLoadLink)
	}
	i, err := here(t)
	return err == nil && i.Is(arch.IsLoadLink)
}

// resume is Resume, by the shorter way if there is one.
func resume(ctx context.Context, t Target, l *Limit) (Stop, error) {
	if p, ok := t.(Plain); ok {
		if why, pc, ok, err := p.ResumePlain(ctx, l); ok || err != nil {
			return Stop{Why: why, PC: pc}, err
		}
	}
	return t.Resume(ctx, *l)
}

// block makes a step of a block: in one run as long as where branches lead to
// tells whether they were taken.
func (n Native) block(ctx context.Context, t Target, m Mode) (Stop, error) {
	c := blockCache(t)
	if c == nil {
		return block(ctx, t, m, n.insn, runToAddress)
	}
	for {
		i, ok := c.endOf(t, m == BlockAny)
		ends := tells(t.Arch(), &i)
		start := pc(t)
		if !ok || !ends && i.PC == start {
			return block(ctx, t, m, n.insn, runToAddress)
		}
		c.stop[0] = i.PC
		c.limit = Limit{Stops: c.stop[:], Past: ends, Taken: true, Events: true}
		st, err := resume(ctx, t, &c.limit)
		if err != nil {
			return st, err
		}
		switch {
		case st.Why == TakenBranch:
			return Stop{Why: TakenBranch, PC: st.PC, Taken: true}, nil
		case st.Why == Signal && st.Fetch && st.PC-start > i.PC-start:
			t.Amend(Stop{}) // the branch is done, and the fault will come again
			return Stop{Why: TakenBranch, PC: st.PC, Taken: true}, nil
		case st.Why != Address:
			return st, nil
		case ends: // not taken, or to the next instruction
			return Stop{Why: TakenBranch, PC: st.PC, Taken: !i.Is(arch.IsCond)}, nil
		}
		if err := ctx.Err(); err != nil {
			return Stop{}, err
		}
	}
}

// tells tells whether it shows from where i leads to if it was taken: not if
// that may be the next instruction.
func tells(a *arch.Arch, i *arch.Insn) bool {
	if !i.Is(arch.IsBranch) || i.Is(blockEnds&^arch.IsBranch|arch.IsFar) || i.IT != 0 {
		return false
	}
	if !i.Is(arch.IsCond) {
		return true
	}
	d, ok := a.Target(*i)
	return ok && d.PC != a.After(*i).PC && d.PC != i.PC
}

// one runs an instruction.
func (n Native) one(ctx context.Context, t Target) (Stop, error) {
	st, err := t.Resume(ctx, oneInsn)
	if st.Why == InsnLimit {
		st.Why = Stepped
	}
	if r, ok := t.(Reserver); ok && n.Faithful && err == nil && st.Why != Exited {
		err = r.DropReservation()
	}
	return st, err
}

func (n Native) split() bool { return n.Split || n.Faithful }

// insn steps over i, which is at the PC.
func (n Native) insn(ctx context.Context, t Target, i arch.Insn) (Stop, error) {
	if i.Is(arch.IsLoadLink) && !n.split() {
		if ends, ok := sequence(t, i); ok {
			return stepTo(ctx, t, ends)
		}
		st, err := n.one(ctx, t)
		st.Note = noteOpen
		return st, err
	}
	d, err := dests(t, i)
	if err != nil {
		d = nil
	}
	st, err := n.one(ctx, t)
	mark(&st, d)
	return st, err
}

// noteOpen is said of a step into an atomic sequence that has no end in sight.
const noteOpen = "atomic sequence without an end: stepped by instruction"

// mark notes whether the step that st ended was a taken branch.
func mark(st *Stop, d []arch.Dest) {
	if st.Why != Stepped {
		return
	}
	for _, x := range d {
		if x.PC == st.PC {
			st.Taken = x.Taken
		}
	}
}

// dests is where i may lead to.
func dests(t Target, i arch.Insn) ([]arch.Dest, error) {
	return t.Arch().Next(i, t.Regs(), t.Mem(), make([]arch.Dest, 0, 4))
}
