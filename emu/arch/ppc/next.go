package ppc

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// next implements arch.Code.Next.
func (s isa) next(i arch.Insn, r regset.Regs, _ arch.Mem, dst []arch.Dest) ([]arch.Dest, error) {
	switch {
	case i.Is(arch.IsUndefined):
		return dst, nil
	case i.Is(arch.IsTrap):
		if s.traps(be.Uint32(i.Raw[:]), r) {
			return dst, nil
		}
	case i.Is(arch.IsBranch):
		d, _ := s.branch(&i, r)
		return append(dst, d), nil
	}
	return append(dst, arch.Dest{PC: i.End() & s.mask}), nil
}

// branch evaluates a branch. The counter is what CTR is afterwards.
func (s isa) branch(i *arch.Insn, r regset.Regs) (d arch.Dest, counter uint64) {
	w := be.Uint32(i.Raw[:])
	counter = r.Reg(ctr)
	if w>>26 == 18 {
		return s.direct(i), counter
	}
	b := bo(w)
	ok := true
	if b&boNoCTR == 0 {
		counter = (counter - 1) & s.mask
		ok = (counter == 0) == (b&boZero != 0)
	}
	if b&boNoCR == 0 {
		bit := r.Reg(cr)>>(31-w>>16&31)&1 != 0
		ok = ok && bit == (b&boTrue != 0)
	}
	switch {
	case !ok:
		return arch.Dest{PC: i.End() & s.mask}, counter
	case w>>26 == 16:
		return s.direct(i), counter
	case w>>1&0x3ff == 16:
		return s.to(r.Reg(lr)), counter
	case w>>1&0x3ff == 528:
		// It does not count CTR down; the form is invalid.
		return s.to(r.Reg(ctr)), counter
	}
	return arch.Dest{PC: i.End() & s.mask}, counter // TAR, which this CPU has not
}

func (s isa) to(a uint64) arch.Dest { return arch.Dest{PC: a & s.mask &^ 3, Taken: true} }

// direct is the target of a branch with an offset, from the branch or from 0.
func (s isa) direct(i *arch.Insn) arch.Dest {
	w := be.Uint32(i.Raw[:])
	off := uint64(int64(int16(w))) &^ 3
	if w>>26 == 18 {
		off = uint64(int32(w<<6)>>6) &^ 3
	}
	if w>>1&1 == 0 {
		off += i.PC
	}
	return s.to(off)
}

// target implements arch.Code.Target.
func (s isa) target(i arch.Insn) (arch.Dest, bool) {
	if !i.Is(arch.IsBranch) || i.Is(arch.IsIndirect) {
		return arch.Dest{}, false
	}
	return s.direct(&i), true
}

// traps evaluates a trap instruction.
func (s isa) traps(w uint32, r regset.Regs) bool {
	a := r.Reg(r0 + regset.ID(w>>16&31))
	b := uint64(int64(int16(w)))
	wide := w>>26 == 2 || w>>26 == 31 && w>>1&0x3ff == 68
	if w>>26 == 31 {
		b = r.Reg(r0 + regset.ID(w>>11&31))
	}
	if !wide {
		a, b = uint64(int64(int32(a))), uint64(int64(int32(b)))
	}
	to := bo(w)
	less := a < b
	if !wide {
		less = uint32(a) < uint32(b)
	}
	return to&16 != 0 && int64(a) < int64(b) || to&8 != 0 && int64(a) > int64(b) || to&4 != 0 && a == b ||
		to&2 != 0 && less || to&1 != 0 && !less && a != b
}
