package x86

import (
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// xol implements arch.Code.XOL.
func (s isa) xol(i arch.Insn) arch.Verdict {
	e := s.parse(&i)
	switch {
	case i.Is(arch.IsUndefined):
		return arch.Refuse("it is no instruction")
	case i.Is(arch.IsSyscall):
		return arch.Refuse("a system call must be made from its place")
	case i.Is(arch.IsTrap):
		return arch.Refuse("it raises a trap, which tells its address")
	case i.Is(arch.IsFar):
		return arch.Refuse("a far branch may leave the code segment")
	case i.Is(arch.IsTransaction):
		return arch.Refuse("a transaction does not survive it")
	case i.Is(arch.IsShadow):
		return arch.Refuse("it holds off the trap behind it")
	case i.Is(arch.IsPrivileged):
		return arch.Refuse("it is privileged")
	case i.Is(arch.IsBranch) && s.size(&e) == 2:
		return arch.Refuse("CPUs differ over branches with the prefix 66")
	case i.Is(arch.IsCall), i.Is(arch.IsPCRel) && !i.Is(arch.IsBranch):
		return arch.Verdict{How: arch.MoveFix}
	case i.Is(arch.IsBranch):
		return arch.Verdict{How: arch.MoveSimulate}
	}
	return arch.Verdict{How: arch.MoveCopy}
}

// simulate implements arch.Code.Simulate: jumps, loops and returns.
func (s isa) simulate(i arch.Insn, r regset.Regs, m arch.Memory) error {
	e := s.parse(&i)
	to, taken, err := s.branch(&e, &i, r, m)
	if err != nil {
		return err
	}
	if !taken {
		to = s.cut(i.End())
	}
	op := i.Raw[e.Opcode]
	switch {
	case e.Map == 0 && op >= 0xe0 && op <= 0xe2:
		r.SetReg(rcx, s.decrement(&e, r.Reg(rcx)))
	case i.Is(arch.IsReturn):
		sp := r.Reg(rsp) + uint64(s.size(&e))
		if op == 0xc2 {
			sp += uint64(le.Uint16(i.Raw[e.Imm:]))
		}
		r.SetReg(rsp, s.cut(sp))
	}
	r.SetReg(rip, to)
	return nil
}

// decrement takes one off the counter of a loop or repeat. A 16-bit counter
// leaves the rest of the register, a 32-bit one clears it.
func (s isa) decrement(e *Encoding, n uint64) uint64 { return s.count(e, n, n-1) }

// count puts v into the counter that old holds.
func (s isa) count(e *Encoding, old, v uint64) uint64 {
	if mask := s.countMask(e); mask != 0xffff {
		return v & mask
	}
	return old&^0xffff | v&0xffff
}

// errFar is why a RIP-relative operand cannot be reached from a slot.
var errFar = errors.New("x86: slot is too far away")

// move implements arch.Code.Move: calls, and RIP-relative operands.
func (s isa) move(i arch.Insn, r regset.Regs, m arch.Memory, slot uint64) ([]byte, func(bool) (bool, error), error) {
	e := s.parse(&i)
	if !i.Is(arch.IsCall) {
		code := append([]byte(nil), i.Bytes()...)
		d := int64(int32(le.Uint32(code[e.Disp:]))) + int64(i.PC-slot)
		if int64(int32(d)) != d {
			return nil, nil, errFar
		}
		le.PutUint32(code[e.Disp:], uint32(d))
		return code, func(bool) (bool, error) { return false, nil }, nil
	}
	to, _, err := s.branch(&e, &i, r, m)
	if err != nil {
		return nil, nil, err
	}
	// A call to the instruction behind it does the push, and faults as the
	// real one would.
	mend := func(faulted bool) (bool, error) {
		if faulted {
			return false, nil
		}
		ret := le.AppendUint64(nil, s.cut(i.End()))[:s.word]
		r.SetReg(rip, to)
		_, err := m.WriteAt(ret, s.cut(r.Reg(rsp)))
		return true, err
	}
	return []byte{0xe8, 0, 0, 0, 0}, mend, nil
}

// once implements arch.Code.Once.
func (s isa) once(i arch.Insn, r regset.Regs) func(bool) bool {
	e := s.parse(&i)
	old := r.Reg(rcx)
	n := old & s.countMask(&e)
	if n <= 1 {
		return func(bool) bool { return false }
	}
	r.SetReg(rcx, s.count(&e, old, 1))
	return func(faulted bool) bool {
		if faulted {
			r.SetReg(rcx, old)
			return false
		}
		r.SetReg(rcx, s.decrement(&e, old))
		zero := r.Reg(eflags)&flagZF != 0
		return !compares(i.Raw[e.Opcode]) || zero == (e.Rep == 0xf3)
	}
}

// spent implements arch.Code.Spent.
func (s isa) spent(i arch.Insn, r regset.Regs) bool {
	e := s.parse(&i)
	return r.Reg(rcx)&s.countMask(&e) == 0
}
