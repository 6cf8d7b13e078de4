package ppc

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
	case i.Is(arch.IsTransaction):
		return arch.Refuse("a transaction does not survive it")
	case i.Is(arch.IsLoadLink | arch.IsStoreCond):
		return arch.Refuse("a reservation does not survive it")
	case i.Len == prefixedLen && i.Is(arch.IsPCRel):
		return arch.Refuse("it is prefixed and relative to the PC")
	case i.Is(arch.IsBranch | arch.IsPCRel):
		return arch.Verdict{How: arch.MoveSimulate}
	}
	return arch.Verdict{How: arch.MoveCopy}
}

// simulate implements arch.Code.Simulate: branches and addpcis.
func (s isa) simulate(i arch.Insn, r regset.Regs, _ arch.Memory) error {
	w := be.Uint32(i.Raw[:])
	end := i.End() & s.mask
	if !i.Is(arch.IsBranch) { // addpcis
		d := w&0xffc0 | w>>16&31<<1 | w&1
		r.SetReg(r0+regset.ID(w>>21&31), (end+uint64(int64(int16(d)))<<16)&s.mask)
		r.SetReg(nip, end)
		return nil
	}
	d, counter := s.branch(&i, r)
	if w>>26 != 18 && bo(w)&boNoCTR == 0 {
		r.SetReg(ctr, counter)
	}
	if w&1 != 0 {
		r.SetReg(lr, end)
	}
	r.SetReg(nip, d.PC)
	return nil
}
