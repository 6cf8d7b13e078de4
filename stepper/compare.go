package stepper

import (
	"context"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
)

// Contestant is a program under one strategy.
type Contestant struct {
	Name     string
	Target   Target
	Strategy Strategy
}

// Difference is where contestants part.
type Difference struct {
	Step  uint64 // number of the step, from 1
	From  uint64 // where the step began
	Stops []Stop // by contestant
	// Regs names the registers that differ, with the values by contestant.
	Regs []RegDifference
}

// RegDifference is a register that differs.
type RegDifference struct {
	Name   string
	Values []uint64
}

// Compare steps the same program under several strategies side by side, most
// steps at most (0: no bound) and gives the first difference: another stop, or
// other registers. Before they are compared agree, if that is not nil, may change
// what no two runs have the same; it gets the instructions that the step may
// have run. The first contestant's stops go to seen, if that is not nil. It returns the number of steps that were equal.
func Compare(ctx context.Context, m Mode, most uint64, cs []Contestant, agree func([]arch.Insn, []Contestant, []Stop) error, seen func(n uint64, st Stop) error) (uint64, *Difference, error) {
	for _, c := range cs {
		if !c.Strategy.Supports(c.Target, m) {
			return 0, nil, fmt.Errorf("%s: %s: %w", c.Name, m, ErrNoStep)
		}
	}
	stops := make([]Stop, len(cs))
	var ran []arch.Insn
	for n := uint64(0); most == 0 || n < most; n++ {
		from := pc(cs[0].Target)
		ran = ahead(cs[0].Target, m, ran[:0])
		timed := m == Insn && len(ran) != 0 && ran[0].Is(arch.IsTime)
		for k, c := range cs {
			var err error
			if stops[k], err = c.Strategy.Step(ctx, c.Target, m); err != nil {
				return n, nil, fmt.Errorf("%s: step %d at %#x: %w", c.Name, n+1, from, err)
			}
		}
		if timed {
			align(cs)
		}
		if agree != nil {
			if err := agree(ran, cs, stops); err != nil {
				return n, nil, err
			}
		}
		if d := differ(cs, stops); d != nil {
			d.Step, d.From = n+1, from
			return n, d, nil
		}
		if seen != nil {
			if err := seen(n+1, stops[0]); err != nil {
				return n + 1, nil, err
			}
		}
		if stops[0].Why == Exited {
			return n + 1, nil, nil
		}
	}
	return most, nil, nil
}

// ahead adds to l the instructions that a step may run.
func ahead(t Target, m Mode, l []arch.Insn) []arch.Insn {
	i, err := here(t)
	for n := 0; err == nil && n < maxScan; n++ {
		l = append(l, i)
		if m == Insn || i.Is(blockEnds) && !i.Is(arch.IsCond) {
			break
		}
		i, err = t.Arch().Follow(i, t.Mem())
	}
	return l
}

// align gives all contestants the registers of the first, after an instruction
// that reads a clock.
func align(cs []Contestant) {
	a := cs[0].Target.Arch()
	for _, r := range a.Regs[:a.Core] {
		for _, c := range cs[1:] {
			if r.ID != a.PC {
				c.Target.Regs().SetReg(r.ID, cs[0].Target.Regs().Reg(r.ID))
			}
		}
	}
}

// differ compares stops and registers.
func differ(cs []Contestant, stops []Stop) *Difference {
	a := cs[0].Target.Arch()
	same := true
	for _, st := range stops[1:] {
		x, y := stops[0], st
		// What a strategy tells of itself, and what Insn steps need not know.
		x.Note, y.Note, x.Taken, y.Taken = "", "", false, false
		same = same && x == y
	}
	var regs []RegDifference
	if stops[0].Why != Exited {
		for _, r := range a.Regs[:a.Core] {
			if d := differReg(cs, r); d != nil {
				regs = append(regs, *d)
			}
		}
	}
	if same && regs == nil {
		return nil
	}
	return &Difference{Stops: append([]Stop(nil), stops...), Regs: regs}
}

func differReg(cs []Contestant, r arch.Reg) *RegDifference {
	mask := r.Mask
	if mask == 0 {
		mask = ^uint64(0)
	}
	d := RegDifference{Name: r.Name}
	same := true
	for _, c := range cs {
		d.Values = append(d.Values, c.Target.Regs().Reg(r.ID))
		same = same && (d.Values[0]^d.Values[len(d.Values)-1])&mask == 0
	}
	if same {
		return nil
	}
	return &d
}
