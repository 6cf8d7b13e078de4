package arm64

import (
	"encoding/binary"

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
	case i.Is(arch.IsBranch | arch.IsPCRel):
		return arch.Verdict{How: arch.MoveSimulate}
	}
	return arch.Verdict{How: arch.MoveCopy}
}

// simulate implements arch.Code.Simulate: branches, ADR, ADRP and the loads
// of literals.
func simulate(i arch.Insn, r regset.Regs, m arch.Memory) error {
	if !i.Is(arch.IsBranch) {
		if err := literal(&i, r, m); err != nil {
			return err
		}
		r.SetReg(regPC, i.End())
		return nil
	}
	d := branch(&i, r)
	if i.Is(arch.IsCall) {
		r.SetReg(x0+30, i.End())
	}
	r.SetReg(regPC, d.PC)
	return nil
}

func literal(i *arch.Insn, r regset.Regs, m arch.Mem) error {
	w := word(i)
	rt := w & 31
	if w&0x1f000000 == 0x10000000 {
		off := offset(w, 19, 5) | uint64(w>>29&3) // in bytes, as ADR has it
		v := i.PC + off
		if w>>31 != 0 {
			v = i.PC&^0xfff + off<<12
		}
		set(r, rt, v)
		return nil
	}
	at := i.PC + offset(w, 19, 5)
	size := 4 << (w >> 30)
	if w>>26&1 == 0 {
		switch w >> 30 {
		case 2: // LDRSW
			size = 4
		case 3: // PRFM
			return nil
		}
	}
	var b [16]byte
	if size > len(b) {
		return nil // not an instruction
	}
	if _, err := m.ReadAt(b[:size], at); err != nil {
		return err
	}
	switch {
	case w>>26&1 != 0:
		r.SetBytes(v0+regset.ID(rt), b[:])
	case w>>30 == 2:
		set(r, rt, uint64(int64(int32(binary.LittleEndian.Uint32(b[:])))))
	default:
		set(r, rt, binary.LittleEndian.Uint64(b[:]))
	}
	return nil
}

// set writes a general register; number 31 is none.
func set(r regset.Regs, n uint32, v uint64) {
	if n != 31 {
		r.SetReg(x0+regset.ID(n), v)
	}
}
