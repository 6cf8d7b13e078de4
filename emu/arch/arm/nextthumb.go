package arm

import (
	"math/bits"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

func branch16(i *arch.Insn, w uint32, r regset.Regs, m arch.Mem) (arch.Dest, error) {
	switch {
	case w>>12 == 0xd:
		return stay(i, ahead(i)+extend(w, 8)<<1)
	case w>>11 == 0x1c:
		return stay(i, ahead(i)+extend(w, 11)<<1)
	case w&0xf500 == 0xb100: // CBZ, CBNZ
		zero := r.Reg(r0+regset.ID(w&7)) == 0
		if zero == (w>>11&1 != 0) {
			return behind(i), nil
		}
		return stay(i, compareTarget(i))
	case w>>8 == 0xbd: // POP
		n := uint32(bits.OnesCount32(w & 0xff))
		return swapLoaded(m, uint32(r.Reg(regSP))+4*n)
	case w>>8 == 0x47: // BX, BLX
		return swap(reg(i, r, w>>3&15))
	case w>>8 == 0x46: // MOV
		return stay(i, reg(i, r, w>>3&15))
	}
	return stay(i, ahead(i)+reg(i, r, w>>3&15)) // ADD
}

func branch32(i *arch.Insn, w uint32, r regset.Regs, m arch.Mem) (arch.Dest, error) {
	switch {
	case i.Is(arch.IsPrivileged):
		return arch.Dest{}, arch.ErrNoNext
	case w>>27 == 0x1e && w>>15&1 != 0:
		return branchFar(i, w, r)
	case w&0xfff0ffe0 == 0xe8d0f000:
		return table(i, w, r, m)
	case w>>25 == 0x74: // LDM
		n := uint32(bits.OnesCount32(w & 0xffff))
		base := reg(i, r, w>>16&15)
		if w>>24&1 != 0 { // DB
			return swapLoaded(m, base-4)
		}
		return swapLoaded(m, base+4*(n-1))
	}
	return swapLoaded(m, indexed32(i, w, r))
}

// branchFar is the group of branches with an offset, and BXJ.
func branchFar(i *arch.Insn, w uint32, r regset.Regs) (arch.Dest, error) {
	if w&0xfff0d000 == 0xf3c08000 {
		return swap(reg(i, r, w>>16&15))
	}
	s, j1, j2 := w>>26&1, w>>13&1, w>>11&1
	if w&0xd000 == 0x8000 { // conditional
		off := extend(s<<20|j2<<19|j1<<18|w>>16&0x3f<<12|w&0x7ff<<1, 21)
		return stay(i, ahead(i)+off)
	}
	off := extend(s<<24|(1^j1^s)<<23|(1^j2^s)<<22|w>>16&0x3ff<<12|w&0x7ff<<1, 25)
	if w&0xd000 == 0xc000 { // BLX
		return swap(ahead(i)&^3 + off&^3)
	}
	return stay(i, ahead(i)+off)
}

// table is TBB and TBH.
func table(i *arch.Insn, w uint32, r regset.Regs, m arch.Mem) (arch.Dest, error) {
	base, index := reg(i, r, w>>16&15), reg(i, r, w&15)
	var b [2]byte
	n := 1
	if w>>4&1 != 0 {
		n, index = 2, index*2
	}
	if _, err := m.ReadAt(b[:n], uint64(base+index)); err != nil {
		return arch.Dest{}, err
	}
	return stay(i, ahead(i)+2*(uint32(b[0])|uint32(b[1])<<8))
}

// indexed32 is the address of LDR.W.
func indexed32(i *arch.Insn, w uint32, r regset.Regs) uint32 {
	base := reg(i, r, w>>16&15)
	switch {
	case w>>16&15 == 15: // literal
		if base &^= 3; w>>23&1 == 0 {
			return base - w&0xfff
		}
		return base + w&0xfff
	case w>>23&1 != 0:
		return base + w&0xfff
	case w>>11&1 == 0:
		return base + reg(i, r, w&15)<<(w>>4&3)
	case w>>10&1 == 0: // post-indexed
		return base
	case w>>9&1 == 0:
		return base - w&0xff
	}
	return base + w&0xff
}

// compareTarget is where CBZ and CBNZ lead to.
func compareTarget(i *arch.Insn) uint32 {
	w := half(i)
	return ahead(i) + w>>9&1<<6 + w>>3&31<<1
}
