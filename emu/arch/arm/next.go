package arm

import (
	"encoding/binary"
	"math/bits"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// next implements arch.Code.Next.
func next(i arch.Insn, r regset.Regs, m arch.Mem, dst []arch.Dest) ([]arch.Dest, error) {
	runs := holds(condition(&i), r.Reg(cpsr))
	if runs && i.Is(arch.IsUndefined|arch.IsTrap) {
		return dst, nil
	}
	if !runs || !i.Is(arch.IsBranch) {
		return append(dst, behind(&i)), nil
	}
	d, err := branch(&i, r, m)
	if err != nil {
		return dst, err
	}
	return append(dst, d), nil
}

// behind is the next instruction in memory.
func behind(i *arch.Insn) arch.Dest {
	return arch.Dest{PC: uint64(uint32(i.End())), State: i.State, IT: nextIT(i)}
}

// condition is the condition that i runs under, always for none.
func condition(i *arch.Insn) uint32 {
	switch {
	case i.State != thumb:
		if w := word(i); !i.Is(arch.IsTrap) && w>>28 != 15 {
			return w >> 28
		}
	case i.IT != 0:
		if half(i)>>8 != 0xbe {
			return uint32(i.IT >> 4)
		}
	case i.Is(arch.IsCond) && i.Len == 2 && half(i)>>12 == 0xd:
		return half(i) >> 8 & 15
	case i.Is(arch.IsCond) && i.Len == 4:
		return wordThumb(i) >> 22 & 15
	}
	return always
}

// The flags of the CPSR.
const (
	flagN = 1 << 31
	flagZ = 1 << 30
	flagC = 1 << 29
	flagV = 1 << 28
)

// holds evaluates a condition.
func holds(cond uint32, v uint64) bool {
	n, z, c, o := v&flagN != 0, v&flagZ != 0, v&flagC != 0, v&flagV != 0
	var is bool
	switch cond >> 1 {
	case 0:
		is = z
	case 1:
		is = c
	case 2:
		is = n
	case 3:
		is = o
	case 4:
		is = c && !z
	case 5:
		is = n == o
	case 6:
		is = n == o && !z
	default:
		return true
	}
	return is != (cond&1 != 0)
}

// branch is where a branch leads to whose condition holds.
func branch(i *arch.Insn, r regset.Regs, m arch.Mem) (arch.Dest, error) {
	switch {
	case i.State != thumb:
		return branchA32(i, word(i), r, m)
	case i.Len == 2:
		return branch16(i, half(i), r, m)
	}
	return branch32(i, wordThumb(i), r, m)
}

// stay is a branch that keeps the state, swap one by what bit 0 says.
func stay(i *arch.Insn, to uint32) (arch.Dest, error) {
	if i.State == thumb {
		to &^= 1
	} else {
		to &^= 3
	}
	return arch.Dest{PC: uint64(to), State: i.State, Taken: true}, nil
}

func swap(to uint32) (arch.Dest, error) {
	if to&1 != 0 {
		return arch.Dest{PC: uint64(to &^ 1), State: thumb, Taken: true}, nil
	}
	return arch.Dest{PC: uint64(to), Taken: true}, nil
}

// swapLoaded is swap for a word in memory.
func swapLoaded(m arch.Mem, at uint32) (arch.Dest, error) {
	to, err := load(m, at)
	if err != nil {
		return arch.Dest{}, err
	}
	return swap(to)
}

func load(m arch.Mem, at uint32) (uint32, error) {
	var b [4]byte
	_, err := m.ReadAt(b[:], uint64(at))
	return binary.LittleEndian.Uint32(b[:]), err
}

// reg is a register as an operand: PC reads two instructions ahead.
func reg(i *arch.Insn, r regset.Regs, n uint32) uint32 {
	if n == 15 {
		return ahead(i)
	}
	return uint32(r.Reg(r0 + regset.ID(n)))
}

func ahead(i *arch.Insn) uint32 {
	if i.State == thumb {
		return uint32(i.PC) + 4
	}
	return uint32(i.PC) + 8
}

// extend sign-extends the low n bits of v.
func extend(v uint32, n int) uint32 { return uint32(int32(v<<(32-n)) >> (32 - n)) }

func branchA32(i *arch.Insn, w uint32, r regset.Regs, m arch.Mem) (arch.Dest, error) {
	switch {
	case w>>25 == 0x7d: // BLX
		return swap(ahead(i) + extend(w, 24)<<2 + w>>24&1<<1 | 1)
	case w>>28 == 15 || i.Is(arch.IsPrivileged): // RFE, exception returns
		return arch.Dest{}, arch.ErrNoNext
	case w>>25&7 == 5:
		return stay(i, ahead(i)+extend(w, 24)<<2)
	case w&0x0fffffc0 == 0x012fff00: // BX, BXJ, BLX
		return swap(reg(i, r, w&15))
	case w>>25&7 == 4:
		return swapLoaded(m, multiple(w, r))
	case w>>26&3 == 1:
		return swapLoaded(m, indexed(i, w, r))
	}
	return swap(compute(i, w, r))
}

// multiple is the address that LDM of A32 loads PC from: that of its last
// register.
func multiple(w uint32, r regset.Regs) uint32 {
	base := uint32(r.Reg(r0 + regset.ID(w>>16&15)))
	n := uint32(bits.OnesCount32(w & 0xffff))
	before := w >> 24 & 1
	if w>>23&1 != 0 {
		return base + 4*(n-1) + 4*before
	}
	return base - 4*before
}

// indexed is the address of LDR.
func indexed(i *arch.Insn, w uint32, r regset.Regs) uint32 {
	base := reg(i, r, w>>16&15)
	if w>>24&1 == 0 { // post-indexed
		return base
	}
	off := w & 0xfff
	if w>>25&1 != 0 {
		off, _ = shifted(i, w, r)
	}
	if w>>23&1 == 0 {
		return base - off
	}
	return base + off
}

// shifted is a register shifted by an immediate or by a register.
func shifted(i *arch.Insn, w uint32, r regset.Regs) (v uint32, carry bool) {
	v = reg(i, r, w&15)
	c := r.Reg(cpsr)&flagC != 0
	kind, n := w>>5&3, w>>7&31
	if w>>4&1 != 0 && w>>26&3 == 0 {
		n = reg(i, r, w>>8&15) & 0xff
		if n == 0 {
			return v, c
		}
	} else if n == 0 {
		switch kind {
		case 0:
			return v, c
		case 3: // RRX
			carry = v&1 != 0
			v >>= 1
			if c {
				v |= 1 << 31
			}
			return v, carry
		}
		n = 32
	}
	switch kind {
	case 0:
		return v << n, n <= 32 && uint64(v)<<n>>32&1 != 0
	case 1:
		return v >> n, n <= 32 && v>>(n-1)&1 != 0
	case 2:
		return uint32(int32(v) >> n), uint32(int32(v)>>(n-1))&1 != 0
	}
	v = bits.RotateLeft32(v, -int(n&31))
	return v, v>>31 != 0
}

// compute is the result of a data processing instruction of A32.
func compute(i *arch.Insn, w uint32, r regset.Regs) uint32 {
	a := reg(i, r, w>>16&15)
	var b uint32
	if w>>25&1 != 0 {
		b = bits.RotateLeft32(w&0xff, -int(w>>8&15*2))
	} else {
		b, _ = shifted(i, w, r)
	}
	c := uint32(r.Reg(cpsr) >> 29 & 1)
	switch w >> 21 & 15 {
	case 0:
		return a & b
	case 1:
		return a ^ b
	case 2:
		return a - b
	case 3:
		return b - a
	case 4:
		return a + b
	case 5:
		return a + b + c
	case 6:
		return a - b - 1 + c
	case 7:
		return b - a - 1 + c
	case 12:
		return a | b
	case 13:
		return b
	case 14:
		return a &^ b
	}
	return ^b // MVN: those that compare write no PC
}

// target implements arch.Code.Target.
func target(i arch.Insn) (arch.Dest, bool) {
	if !i.Is(arch.IsBranch) || i.Is(arch.IsIndirect) {
		return arch.Dest{}, false
	}
	if i.State == thumb && i.Len == 2 && half(&i)&0xf500 == 0xb100 {
		d, _ := stay(&i, compareTarget(&i))
		return d, true
	}
	// A direct branch looks at neither registers nor memory.
	d, err := branch(&i, nil, nil)
	return d, err == nil
}
