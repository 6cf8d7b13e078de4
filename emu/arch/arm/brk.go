package arm

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// xol implements arch.Code.XOL.
func xol(i arch.Insn) arch.Verdict {
	switch {
	case i.Is(arch.IsUndefined):
		return arch.Refuse("it is no instruction")
	case i.Is(arch.IsSyscall):
		return arch.Refuse("a system call must be made from its place")
	case i.Is(arch.IsTrap):
		return arch.Refuse("it raises a trap, which tells its address")
	case i.Is(arch.IsPrivileged):
		return arch.Refuse("it is privileged")
	case i.Is(arch.IsLoadLink | arch.IsStoreCond):
		return arch.Refuse("an exclusive access must stay near its partner")
	case i.Is(arch.IsBranch | arch.IsIT):
		return arch.Verdict{How: arch.MoveSimulate}
	case i.Is(arch.IsPCRel) && i.State == thumb:
		return arch.Verdict{How: arch.MoveSimulate}
	case i.Is(arch.IsPCRel):
		if w := word(&i); w&0x0e100000 == 0x08000000 {
			return arch.Refuse("it stores the PC")
		}
		return arch.Verdict{How: arch.MoveFix}
	case i.IT != 0:
		return arch.Verdict{How: arch.MoveFix}
	}
	return arch.Verdict{How: arch.MoveCopy}
}

// skip goes on behind i.
func skip(i *arch.Insn, r regset.Regs) {
	r.SetReg(cpsr, withIT(r.Reg(cpsr), nextIT(i)))
	r.SetReg(regPC, uint64(uint32(i.End())))
}

// enter goes on at d.
func enter(d arch.Dest, r regset.Regs) {
	v := withIT(r.Reg(cpsr), d.IT) &^ psrT
	if d.State == thumb {
		v |= psrT
	}
	r.SetReg(cpsr, v)
	r.SetReg(regPC, d.PC)
}

// simulate implements arch.Code.Simulate: branches, IT, and what Thumb code
// computes from the PC.
func simulate(i arch.Insn, r regset.Regs, m arch.Memory) error {
	switch {
	case i.Is(arch.IsIT), !holds(condition(&i), r.Reg(cpsr)):
		skip(&i, r)
		return nil
	case !i.Is(arch.IsBranch):
		if err := literal(&i, r, m); err != nil {
			return err
		}
		skip(&i, r)
		return nil
	}
	d, err := branch(&i, r, m)
	if err != nil {
		return err
	}
	if err := effects(&i, r, m); err != nil {
		return err
	}
	enter(d, r)
	return nil
}

// effects are what a branch does beside branching.
func effects(i *arch.Insn, r regset.Regs, m arch.Mem) error {
	if i.Is(arch.IsCall) {
		v := uint32(i.End())
		if i.State == thumb {
			v |= 1
		}
		r.SetReg(regLR, uint64(v))
		return nil
	}
	switch {
	case i.State != thumb:
		return effectsA32(word(i), i, r, m)
	case i.Len == 2 && half(i)>>8 == 0xbd:
		return loadAll(half(i)&0xff|1<<15, regSP, uint32(r.Reg(regSP)), true, +1, r, m)
	case i.Len == 4:
		return effects32(wordThumb(i), i, r, m)
	}
	return nil
}

func effectsA32(w uint32, i *arch.Insn, r regset.Regs, m arch.Mem) error {
	rn := r0 + regset.ID(w>>16&15)
	switch {
	case w>>25&7 == 4:
		n := multipleLow(w, r)
		dir := +1
		if w>>23&1 == 0 {
			dir = -1
		}
		return loadAll(w&0xffff, rn, n, w>>21&1 != 0, dir, r, m)
	case w>>26&3 == 1 && (w>>24&1 == 0 || w>>21&1 != 0):
		off := w & 0xfff
		if w>>25&1 != 0 {
			off, _ = shifted(i, w, r)
		}
		if w>>23&1 == 0 {
			off = -off
		}
		r.SetReg(rn, uint64(uint32(r.Reg(rn))+off))
	}
	return nil
}

// multipleLow is the lowest address that LDM of A32 loads from.
func multipleLow(w uint32, r regset.Regs) uint32 {
	last := multiple(w, r)
	n := uint32(0)
	for l := w & 0x7fff; l != 0; l &= l - 1 {
		n++
	}
	return last - 4*n
}

func effects32(w uint32, i *arch.Insn, r regset.Regs, m arch.Mem) error {
	rn := r0 + regset.ID(w>>16&15)
	switch {
	case w>>25 == 0x74 && w>>22&1 == 0: // LDM
		base := uint32(r.Reg(rn))
		n := uint32(0)
		for l := w & 0xffff; l != 0; l &= l - 1 {
			n++
		}
		if w>>24&1 != 0 {
			return loadAll(w&0xffff, rn, base-4*n, w>>21&1 != 0, -1, r, m)
		}
		return loadAll(w&0xffff, rn, base, w>>21&1 != 0, +1, r, m)
	case w>>16&0xfff0 == 0xf850 && w>>16&15 != 15 && w>>11&1 != 0 && w>>8&1 != 0: // LDR with write-back
		off := w & 0xff
		if w>>9&1 == 0 {
			off = -off
		}
		r.SetReg(rn, uint64(uint32(r.Reg(rn))+off))
	}
	return nil
}

// loadAll loads the registers of list, all but PC, from at on, and with back
// moves the base register up or down by their size.
func loadAll(list uint32, base regset.ID, at uint32, back bool, dir int, r regset.Regs, m arch.Mem) error {
	var v [15]uint32
	n := 0
	for k := range v {
		if list>>k&1 == 0 {
			continue
		}
		var err error
		if v[k], err = load(m, at+uint32(4*n)); err != nil {
			return err
		}
		n++
	}
	moved := r.Reg(base) + uint64(dir*4*(n+1))
	for k := range v {
		if list>>k&1 != 0 {
			r.SetReg(r0+regset.ID(k), uint64(v[k]))
		}
	}
	if back {
		r.SetReg(base, uint64(uint32(moved)))
	}
	return nil
}

// literal is what Thumb code computes from the PC or loads from beside it.
func literal(i *arch.Insn, r regset.Regs, m arch.Mem) error {
	pc := ahead(i) &^ 3
	if i.Len == 2 {
		w := half(i)
		rd := r0 + regset.ID(w>>8&7)
		switch {
		case w>>11 == 9: // LDR
			v, err := load(m, pc+w&0xff*4)
			if err == nil {
				r.SetReg(rd, uint64(v))
			}
			return err
		case w>>11 == 0x14: // ADR
			r.SetReg(rd, uint64(pc+w&0xff*4))
			return nil
		}
		rd = r0 + regset.ID(w&7|w>>4&8)
		v := ahead(i)
		if w>>8 == 0x44 {
			v += uint32(r.Reg(rd))
		}
		r.SetReg(rd, uint64(v))
		return nil
	}
	return literal32(wordThumb(i), pc, r, m)
}

func literal32(w, pc uint32, r regset.Regs, m arch.Mem) error {
	at := pc + w&0xfff
	if w>>23&1 == 0 {
		at = pc - w&0xfff
	}
	rt := w >> 12 & 15
	switch {
	case w>>27 == 0x1e: // ADR
		off := w>>26&1<<11 | w>>12&7<<8 | w&0xff
		if w>>21&7 == 5 {
			off = -off
		}
		r.SetReg(r0+regset.ID(w>>8&15), uint64(pc+off))
		return nil
	case w>>25 == 0x7c: // LDR and its sizes
		return literalSized(w, at, rt, r, m)
	}
	at = pc + w&0xff*4
	if w>>23&1 == 0 {
		at = pc - w&0xff*4
	}
	lo, err := load(m, at)
	if err != nil {
		return err
	}
	if w>>25 == 0x76 && w>>8&15 == 10 { // VLDR, single
		n := rt<<1 | w>>22&1
		id := d0 + regset.ID(n/2)
		shift := 32 * (n & 1)
		r.SetReg(id, r.Reg(id)&^(0xffffffff<<shift)|uint64(lo)<<shift)
		return nil
	}
	hi, err := load(m, at+4)
	if err != nil {
		return err
	}
	if w>>25 == 0x76 { // VLDR, double
		r.SetReg(d0+regset.ID(w>>22&1<<4|rt), uint64(hi)<<32|uint64(lo))
		return nil
	}
	r.SetReg(r0+regset.ID(rt), uint64(lo)) // LDRD
	r.SetReg(r0+regset.ID(w>>8&15), uint64(hi))
	return nil
}

func literalSized(w, at, rt uint32, r regset.Regs, m arch.Mem) error {
	size := w >> 21 & 3
	if rt == 15 && size != 2 { // PLD, PLI
		return nil
	}
	var b [4]byte
	if _, err := m.ReadAt(b[:1<<size], uint64(at)); err != nil {
		return err
	}
	v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	if w>>24&1 != 0 { // signed
		v = extend(v, 8<<size)
	}
	r.SetReg(r0+regset.ID(rt), uint64(v))
	return nil
}

// move implements arch.Code.Move: A32 code that reads the PC gets a register
// that holds it, and an instruction in an IT block becomes the last of one.
func move(i arch.Insn, r regset.Regs, _ arch.Memory, _ uint64) ([]byte, func(bool) (bool, error), error) {
	old := r.Reg(cpsr)
	if i.IT != 0 {
		r.SetReg(cpsr, withIT(old, i.IT&0xf0|8))
		return i.Bytes(), func(faulted bool) (bool, error) {
			it := nextIT(&i)
			if faulted {
				it = i.IT
			}
			r.SetReg(cpsr, withIT(r.Reg(cpsr), it))
			return false, nil
		}, nil
	}
	w := word(&i)
	id, v := spare(w), uint32(0)
	saved := r.Reg(r0 + regset.ID(id))
	v = ahead(&i)
	r.SetReg(r0+regset.ID(id), uint64(v))
	w = substitute(w, id)
	return []byte{byte(w), byte(w >> 8), byte(w >> 16), byte(w >> 24)}, func(bool) (bool, error) {
		r.SetReg(r0+regset.ID(id), saved)
		return false, nil
	}, nil
}

// spare is a register that the instruction does not name.
func spare(w uint32) uint32 {
	used := uint32(1)<<(w>>16&15) | 3<<(w>>12&15) | 1<<(w>>8&15) | 1<<(w&15)
	n := uint32(0)
	for used>>n&1 != 0 {
		n++
	}
	return n
}

// substitute names register n where w names the PC.
func substitute(w, n uint32) uint32 {
	if w>>16&15 == 15 {
		w = w&^(15<<16) | n<<16
	}
	switch {
	case isData(w) && w>>25&1 == 0 && w&15 == 15:
		w = w&^15 | n
	case w>>26&3 == 1 && w>>20&1 == 0 && w>>12&15 == 15: // STR PC
		w = w&^(15<<12) | n<<12
	}
	return w
}
