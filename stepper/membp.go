package stepper

import (
	"bytes"
	"context"
	"errors"

	"github.com/utemu/utemu/emu/arch"
)

// MemBP predicts where the instruction leads to, writes breakpoint
// instructions there, runs, and takes them out again, as the ARM kernel's
// PTRACE_SINGLESTEP did. While the thread runs, other threads hit the
// breakpoints and everybody can read them.
type MemBP struct{}

// Name implements Strategy.
func (MemBP) Name() string { return "membp" }

// Supports implements Strategy.
func (MemBP) Supports(t Target, _ Mode) bool { return t.Caps()&CanEvents != 0 }

// Step implements Strategy.
func (s MemBP) Step(ctx context.Context, t Target, m Mode) (Stop, error) {
	if !s.Supports(t, m) {
		return Stop{}, ErrNoStep
	}
	if st, ok, err := settle(ctx, t); !ok {
		return st, err
	}
	return software(ctx, t, m, trapAt, runToTrap)
}

// runToTrap runs in a straight line to d.
func runToTrap(ctx context.Context, t Target, d arch.Dest) (Stop, error) {
	return trapAt(ctx, t, []arch.Dest{d})
}

// temp is a breakpoint instruction in memory for the time of one resume.
type temp struct {
	at        uint64
	old, code []byte
	by        Planter // that has written it, or nil
}

// plant writes a breakpoint for d. Where it cannot be written the thread faults
// by itself.
func plant(t Target, d arch.Dest) (temp, bool) {
	code := t.Arch().Plant(d)
	if p, ok := t.(Planter); ok && d.IT == 0 && p.Plant(d.PC, code) {
		return temp{at: d.PC, by: p}, true
	}
	b := temp{at: d.PC, code: code, old: make([]byte, len(code))}
	m := t.Mem()
	if _, err := m.ReadAt(b.old, d.PC); err != nil {
		return b, false
	}
	_, err := m.WriteAt(code, d.PC)
	return b, err == nil
}

// lift takes a breakpoint out. Bytes that the program has written meanwhile
// are the program's.
func (b *temp) lift(m arch.Memory) error {
	if b.by != nil {
		b.by.Lift(b.at)
		return nil
	}
	now := make([]byte, len(b.code))
	if _, err := m.ReadAt(now, b.at); err != nil {
		return nil // the memory is gone, and the breakpoint with it
	}
	if !bytes.Equal(now, b.code) {
		return nil
	}
	_, err := m.WriteAt(b.old, b.at)
	return err
}

// trapAt runs to one of the places d by breakpoints in memory.
func trapAt(ctx context.Context, t Target, d []arch.Dest) (Stop, error) {
	var temps []temp
	for _, x := range d {
		if b, ok := plant(t, x); ok {
			temps = append(temps, b)
		}
	}
	m := t.Mem()
	st, err := t.Resume(ctx, Limit{Events: true})
	if st.Why != Exec {
		for k := range temps {
			err = errors.Join(err, temps[k].lift(m))
		}
	}
	if err != nil {
		return st, err
	}
	return trapped(t, st, d), nil
}

// trapped turns the trap of a breakpoint at a place of d into the end of a
// step.
func trapped(t Target, st Stop, d []arch.Dest) Stop {
	at := st.PC
	switch {
	case st.Why == Breakpoint: // one of Breakpoints is at the same place
	case st.Why == Signal && st.Trap:
		at = t.Arch().Addr(at - uint64(t.Arch().BreakBack))
	default:
		return arrived(t, st, d)
	}
	for _, x := range d {
		if x.PC == at {
			t.Amend(Stop{})
			setPC(t, at)
			return Stop{Why: Stepped, PC: at, Taken: x.Taken}
		}
	}
	return st
}
