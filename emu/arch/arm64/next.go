package arm64

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// next implements arch.Code.Next.
func next(i arch.Insn, r regset.Regs, _ arch.Mem, dst []arch.Dest) ([]arch.Dest, error) {
	switch {
	case i.Is(arch.IsUndefined | arch.IsTrap):
		return dst, nil
	case !i.Is(arch.IsBranch):
		return append(dst, arch.Dest{PC: i.End()}), nil
	case i.Is(arch.IsPrivileged):
		return dst, arch.ErrNoNext
	}
	return append(dst, branch(&i, r)), nil
}

// branch evaluates a branch. A signed pointer counts as it is: the CPUs here
// have pointer authentication switched off.
func branch(i *arch.Insn, r regset.Regs) arch.Dest {
	w := word(i)
	if i.Is(arch.IsIndirect) {
		n := w >> 5 & 31
		if w&0xfffffbff == 0xd65f0bff { // RETAA, RETAB
			n = 30
		}
		return arch.Dest{PC: reg(r, n), Taken: true}
	}
	if i.Is(arch.IsCond) && !taken(w, r) {
		return arch.Dest{PC: i.End()}
	}
	return direct(i)
}

// direct is the target of a branch with an offset.
func direct(i *arch.Insn) arch.Dest {
	w := word(i)
	bits, shift := 19, 5
	switch {
	case !i.Is(arch.IsCond):
		bits, shift = 26, 0
	case w&0x7e000000 == 0x36000000:
		bits = 14
	}
	return arch.Dest{PC: i.PC + offset(w, bits, shift), Taken: true}
}

// target implements arch.Code.Target.
func target(i arch.Insn) (arch.Dest, bool) {
	if !i.Is(arch.IsBranch) || i.Is(arch.IsIndirect) {
		return arch.Dest{}, false
	}
	return direct(&i), true
}

// offset is a signed number of words at a place in w, in bytes.
func offset(w uint32, bits, shift int) uint64 {
	return uint64(int64(w>>shift) << (64 - bits) >> (62 - bits))
}

// reg is a general register; number 31 is zero.
func reg(r regset.Regs, n uint32) uint64 {
	if n == 31 {
		return 0
	}
	return r.Reg(x0 + regset.ID(n))
}

// taken evaluates the condition of a branch.
func taken(w uint32, r regset.Regs) bool {
	v := reg(r, w&31)
	switch w >> 24 & 0x7e {
	case 0x34: // CBZ, CBNZ
		if w>>31 == 0 {
			v &= 0xffffffff
		}
		return (v == 0) == (w>>24&1 == 0)
	case 0x36: // TBZ, TBNZ
		bit := w>>31<<5 | w>>19&31
		return v>>bit&1 == uint64(w>>24&1)
	}
	return holds(w&15, r.Reg(pstate))
}

// The flags of PSTATE.
const (
	flagN = 1 << 31
	flagZ = 1 << 30
	flagC = 1 << 29
	flagV = 1 << 28
)

// holds evaluates a condition.
func holds(cond uint32, p uint64) bool {
	n, z, c, v := p&flagN != 0, p&flagZ != 0, p&flagC != 0, p&flagV != 0
	var is bool
	switch cond >> 1 {
	case 0:
		is = z
	case 1:
		is = c
	case 2:
		is = n
	case 3:
		is = v
	case 4:
		is = c && !z
	case 5:
		is = n == v
	case 6:
		is = n == v && !z
	default:
		return true
	}
	return is != (cond&1 != 0)
}
