package stepper

import (
	"bytes"
	"context"

	"github.com/utemu/utemu/emu/arch"
)

// XOL runs a copy of the instruction in a slot, puts right what depends on the
// place, and so never takes breakpoints out of the code, as kprobes and
// uprobes do. Branches it simulates. What cannot be moved it runs in place by
// InPlace, and says so in Stop.Note.
type XOL struct {
	InPlace Strategy // MemBP if nil
}

// Name implements Strategy.
func (XOL) Name() string { return "xol" }

// Supports implements Strategy.
func (x XOL) Supports(t Target, m Mode) bool {
	return t.Caps()&(CanSlots|CanEvents) == CanSlots|CanEvents && x.inPlace().Supports(t, m)
}

func (x XOL) inPlace() Strategy {
	if x.InPlace == nil {
		return MemBP{}
	}
	return x.InPlace
}

// Step implements Strategy.
func (x XOL) Step(ctx context.Context, t Target, m Mode) (Stop, error) {
	if !x.Supports(t, m) {
		return Stop{}, ErrNoStep
	}
	if m != Insn {
		return block(ctx, t, m, x.insn, runToTrap)
	}
	i, err := here(t)
	if err != nil {
		return faulting(ctx, t)
	}
	return x.insn(ctx, t, i)
}

// insn steps over i.
func (x XOL) insn(ctx context.Context, t Target, i arch.Insn) (Stop, error) {
	v := t.Arch().XOL(i)
	switch v.How {
	case arch.MoveRefuse:
		st, err := x.inPlace().Step(ctx, t, Insn)
		if st.Note == "" {
			st.Note = "in place: " + v.Reason
		}
		return st, err
	case arch.MoveSimulate:
		d, err := dests(t, i)
		if err != nil {
			return faulting(ctx, t)
		}
		return simulated(ctx, t, i, d)
	}
	if i.Is(arch.IsRepeat) && t.Arch().Once != nil {
		return repeat(ctx, t, i, func(ctx context.Context, t Target, _ []arch.Dest) (Stop, error) { return moved(ctx, t, i, v) })
	}
	return moved(ctx, t, i, v)
}

// moved runs i in a slot.
func moved(ctx context.Context, t Target, i arch.Insn, v arch.Verdict) (Stop, error) {
	if !runs(t, &i) {
		return faulting(ctx, t)
	}
	slot, err := t.(Slotter).Slot(i.PC)
	if err != nil {
		return Stop{}, err
	}
	if st, ok, err := settle(ctx, t); !ok {
		return st, err
	}
	code, mend := i.Bytes(), func(bool) (bool, error) { return false, nil }
	if v.How == arch.MoveFix {
		if code, mend, err = t.Arch().Move(i, t.Regs(), user(t), slot); err != nil {
			st, err := MemBP{}.Step(ctx, t, Insn)
			st.Note = "in place: it cannot be moved to the slot"
			return st, err
		}
	}
	end := slot + uint64(len(code))
	if err := fill(t, slot, append(append(make([]byte, 0, 24), code...), t.Arch().Break(i.State)...)); err != nil {
		return Stop{}, err
	}
	setPC(t, slot)
	st, err := t.Resume(ctx, Limit{Events: true, Hold: true})
	if err != nil {
		return st, err
	}
	return fixed(t, &i, st, slot, end, mend)
}

// fill writes what is to be in a slot, unless it is there from the last time.
func fill(t Target, slot uint64, b []byte) error {
	now := make([]byte, len(b))
	if _, err := t.Mem().ReadAt(now, slot); err == nil && bytes.Equal(now, b) {
		return nil
	}
	_, err := t.Mem().WriteAt(b, slot)
	return err
}

// fixed puts the thread right after the code in the slot has run up to end, or
// has faulted.
func fixed(t Target, i *arch.Insn, st Stop, slot, end uint64, mend func(bool) (bool, error)) (Stop, error) {
	a := t.Arch()
	done := st.Why == Signal && st.Trap && a.Addr(st.PC-uint64(a.BreakBack)) == end
	own, err := mend(!done)
	if err != nil {
		return st, err
	}
	if done {
		t.Amend(Stop{})
		next := arch.Dest{PC: pc(t), Taken: true}
		if !own {
			next = a.After(*i)
			setPC(t, next.PC)
		}
		return Stop{Why: Stepped, PC: next.PC, Taken: next.Taken}, nil
	}
	if st.Why != Signal {
		return st, nil
	}
	// The program is to see its own address.
	if st.PC >= slot && st.PC <= end {
		st.PC = a.Addr(st.PC - slot + i.PC)
		setPC(t, st.PC)
	}
	if st.Addr >= slot && st.Addr < end {
		st.Addr = a.Addr(st.Addr - slot + i.PC)
	}
	t.Amend(st)
	return st, nil
}
