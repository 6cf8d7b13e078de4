package stepper

import (
	"context"

	"github.com/utemu/utemu/emu/arch"
)

// to runs the thread to one of some places; runTo to one that lies ahead in a
// straight line.
type (
	to    func(ctx context.Context, t Target, d []arch.Dest) (Stop, error)
	runTo func(ctx context.Context, t Target, d arch.Dest) (Stop, error)
)

// software makes steps of any mode by running to predicted places.
func software(ctx context.Context, t Target, m Mode, reach to, run runTo) (Stop, error) {
	step := func(ctx context.Context, t Target, i arch.Insn) (Stop, error) { return predicted(ctx, t, i, reach) }
	if m != Insn {
		return block(ctx, t, m, step, run)
	}
	i, err := here(t)
	if err != nil {
		return faulting(ctx, t)
	}
	return step(ctx, t, i)
}

// faulting runs an instruction that cannot be read, or that would read memory
// that cannot be read: it ends in a signal.
func faulting(ctx context.Context, t Target) (Stop, error) { return t.Resume(ctx, Limit{Events: true}) }

// predicted steps over i by prediction.
func predicted(ctx context.Context, t Target, i arch.Insn, reach to) (Stop, error) {
	a := t.Arch()
	note := ""
	switch {
	case i.Is(arch.IsLoadLink):
		if ends, ok := sequence(t, i); ok {
			return reach(ctx, t, ends)
		}
		note = noteOpen
	case i.Is(arch.IsRepeat) && a.Once != nil:
		return repeat(ctx, t, i, reach)
	case i.Is(arch.IsSyscall):
		// The target tells when it has returned, wherever to.
		return faulting(ctx, t)
	}
	d, err := dests(t, i)
	if err != nil {
		return faulting(ctx, t)
	}
	if len(d) == 1 && d[0].PC == i.PC && a.XOL(i).How == arch.MoveSimulate {
		// A branch to itself leaves no place for a breakpoint.
		return simulated(ctx, t, i, d)
	}
	st, err := reach(ctx, t, d)
	if st.Note == "" {
		st.Note = note
	}
	return st, err
}

// settle delivers what is pending before the thread is changed in a way that
// nobody should see. It is false if st tells of something that came of it.
func settle(ctx context.Context, t Target) (st Stop, ok bool, err error) {
	st, err = t.Resume(ctx, Limit{Settle: true, Events: true})
	return st, err == nil && st.Why == Settled, err
}

// simulated steps over a branch without running it.
func simulated(ctx context.Context, t Target, i arch.Insn, d []arch.Dest) (Stop, error) {
	if !runs(t, &i) {
		return faulting(ctx, t)
	}
	if st, ok, err := settle(ctx, t); !ok {
		return st, err
	}
	if err := t.Arch().Simulate(i, t.Regs(), user(t)); err != nil {
		return faulting(ctx, t)
	}
	st := Stop{Why: Stepped, PC: pc(t)}
	mark(&st, d)
	return st, nil
}

// repeat runs one iteration of a repeated string instruction, the count of
// which is lowered to 1 meanwhile.
func repeat(ctx context.Context, t Target, i arch.Insn, reach to) (Stop, error) {
	if st, ok, err := settle(ctx, t); !ok {
		return st, err
	}
	done := t.Arch().Once(i, t.Regs())
	next := arch.Dest{PC: t.Arch().Addr(i.End()), State: i.State}
	st, err := reach(ctx, t, []arch.Dest{next})
	if err != nil {
		return st, err
	}
	if done(st.Why != Stepped) && st.Why == Stepped {
		setPC(t, i.PC)
		st.PC = i.PC
	}
	return st, nil
}

// maxSequence is how many instructions an atomic sequence may have, as gdb
// and the architectures have it.
const maxSequence = 16

// sequence is where the atomic sequence that i opens may be left: behind its
// store, and where branches out of it lead to. It is false if the sequence has
// no end in sight or branches in a way that cannot be told beforehand.
func sequence(t Target, i arch.Insn) (ends []arch.Dest, ok bool) {
	a, m := t.Arch(), t.Mem()
	var out []arch.Dest
	start := i.PC
	for range maxSequence {
		var err error
		if i, err = a.Follow(i, m); err != nil {
			return nil, false
		}
		switch {
		case i.Is(arch.IsStoreCond):
			ends = append(ends, a.After(i))
			for _, d := range out {
				if d.PC < start || d.PC >= i.End() {
					ends = append(ends, d)
				}
			}
			return ends, true
		case i.Is(arch.IsSyscall | arch.IsTrap | arch.IsUndefined | arch.IsIndirect | arch.IsCall):
			return nil, false
		case i.Is(arch.IsBranch):
			d, _ := a.Target(i)
			out = append(out, d)
			if !i.Is(arch.IsCond) && (d.PC < start || d.PC > i.PC) {
				return nil, false
			}
		}
	}
	return nil, false
}
