package x86

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// next implements arch.Code.Next.
func (s isa) next(i arch.Insn, r regset.Regs, m arch.Mem, dst []arch.Dest) ([]arch.Dest, error) {
	end := s.cut(i.End())
	switch {
	case i.Is(arch.IsUndefined), i.Class&(arch.IsTrap|arch.IsCond) == arch.IsTrap:
		return dst, nil
	case i.Is(arch.IsTransaction) && i.Is(arch.IsBranch):
		e := s.parse(&i)
		return append(dst, arch.Dest{PC: end}, arch.Dest{PC: s.relative(&e, &i), Taken: true}), nil
	case i.Is(arch.IsRepeat):
		return s.repeats(&i, r, dst), nil
	case !i.Is(arch.IsBranch):
		return append(dst, arch.Dest{PC: end}), nil
	}
	e := s.parse(&i)
	to, taken, err := s.branch(&e, &i, r, m)
	if err != nil {
		return dst, err
	}
	if !taken {
		to = end
	}
	return append(dst, arch.Dest{PC: to, Taken: taken}), nil
}

// branch evaluates a branch.
func (s isa) branch(e *Encoding, i *arch.Insn, r regset.Regs, m arch.Mem) (to uint64, taken bool, err error) {
	op := i.Raw[e.Opcode]
	switch {
	case i.Is(arch.IsFar):
		return s.far(e, i, r, m)
	case i.Is(arch.IsReturn):
		to, err = s.load(m, s.stack(r.Reg(rsp)), s.size(e))
		return s.short(e, to), true, err
	case i.Is(arch.IsIndirect):
		to, err = s.operand(e, i, r, m)
		return s.short(e, to), true, err
	}
	to = s.relative(e, i)
	switch {
	case e.Map == 1, op&0xf0 == 0x70:
		return to, condition(op&15, r.Reg(eflags)), nil
	case op&0xfc == 0xe0:
		return to, s.counted(e, op, r), nil
	}
	return to, true, nil
}

// size is the operand size of a near branch in bytes.
func (s isa) size(e *Encoding) int {
	if e.Op16 && !e.Wide() {
		return 2
	}
	return s.word
}

// short cuts the target of a near branch to the operand size.
func (s isa) short(e *Encoding, to uint64) uint64 {
	if s.size(e) == 2 {
		return to & 0xffff
	}
	return s.cut(to)
}

func (s isa) relative(e *Encoding, i *arch.Insn) uint64 {
	return s.short(e, i.End()+uint64(signed(i.Raw[e.Imm:e.Imm+e.ImmN])))
}

// signed is a little-endian number.
func signed(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(le.Uint16(b)))
	case 4:
		return int64(int32(le.Uint32(b)))
	}
	return 0
}

// condition is the test of a condition code.
func condition(cc byte, f uint64) bool {
	is := func(b uint64) bool { return f&b != 0 }
	var v bool
	switch cc >> 1 {
	case 0:
		v = is(flagOF)
	case 1:
		v = is(flagCF)
	case 2:
		v = is(flagZF)
	case 3:
		v = is(flagCF | flagZF)
	case 4:
		v = is(flagSF)
	case 5:
		v = is(flagPF)
	case 6:
		v = is(flagSF) != is(flagOF)
	case 7:
		v = is(flagZF) || is(flagSF) != is(flagOF)
	}
	return v != (cc&1 != 0)
}

// countMask is the width of the counter of loops and repeats, which goes by
// the address size.
func (s isa) countMask(e *Encoding) uint64 {
	switch {
	case s.long && !e.Addr:
		return ^uint64(0)
	case s.long || !e.Addr:
		return 0xffffffff
	}
	return 0xffff
}

// counted is the test of LOOPNE, LOOPE, LOOP and JCXZ.
func (s isa) counted(e *Encoding, op byte, r regset.Regs) bool {
	mask := s.countMask(e)
	n := r.Reg(rcx) & mask
	if op == 0xe3 {
		return n == 0
	}
	zero := r.Reg(eflags)&flagZF != 0
	return (n-1)&mask != 0 && (op == 0xe2 || zero == (op == 0xe1))
}

// repeats tells where a repeated string instruction leads to: to itself while
// it has iterations left. Those that compare are not evaluated.
func (s isa) repeats(i *arch.Insn, r regset.Regs, dst []arch.Dest) []arch.Dest {
	e := s.parse(i)
	next := arch.Dest{PC: s.cut(i.End())}
	if r.Reg(rcx)&s.countMask(&e) <= 1 {
		return append(dst, next)
	}
	dst = append(dst, arch.Dest{PC: i.PC})
	if compares(i.Raw[e.Opcode]) {
		dst = append(dst, next)
	}
	return dst
}

// compares knows CMPS and SCAS.
func compares(op byte) bool { return op&0xfe == 0xa6 || op&0xfe == 0xae }

// far is a branch with a selector. One that stays in the segment leads where
// its offset says.
func (s isa) far(e *Encoding, i *arch.Insn, r regset.Regs, m arch.Mem) (to uint64, taken bool, err error) {
	n := 4
	if e.Op16 {
		n = 2
	}
	if e.Wide() {
		n = 8
	}
	var sel uint64
	switch op := i.Raw[e.Opcode]; op {
	case 0x9a, 0xea:
		to = uint64(signed(i.Raw[e.Imm:e.Imm+n])) & (1<<(8*n) - 1)
		sel = uint64(le.Uint16(i.Raw[e.Imm+n:]))
	default:
		at := s.stack(r.Reg(rsp))
		if op == 0xff {
			at = s.address(e, i, r)
		}
		if to, err = s.load(m, at, n); err != nil {
			return 0, false, err
		}
		if sel, err = s.load(m, at+uint64(n), 2); err != nil {
			return 0, false, err
		}
	}
	if sel != r.Reg(cs) {
		return 0, false, arch.ErrNoNext
	}
	return s.cut(to), true, nil
}

// stack is the stack pointer as an address.
func (s isa) stack(v uint64) uint64 { return s.cut(v) }

// load reads n bytes of memory.
func (s isa) load(m arch.Mem, at uint64, n int) (uint64, error) {
	var b [8]byte
	if _, err := m.ReadAt(b[:n], s.cut(at)); err != nil {
		return 0, err
	}
	return le.Uint64(b[:]), nil
}

// gpr is a general register by its number in the encoding.
func gpr(r regset.Regs, n byte) uint64 { return r.Reg(rax + regset.ID(n)) }

// operand is the value of the ModRM operand of a near branch.
func (s isa) operand(e *Encoding, i *arch.Insn, r regset.Regs, m arch.Mem) (uint64, error) {
	if modrm := i.Raw[e.ModRM]; modrm >= 0xc0 {
		return gpr(r, modrm&7|e.Rex&1<<3), nil
	}
	return s.load(m, s.address(e, i, r), s.size(e))
}

// address is where the ModRM operand lies in memory.
func (s isa) address(e *Encoding, i *arch.Insn, r regset.Regs) uint64 {
	modrm := i.Raw[e.ModRM]
	a := uint64(signed(i.Raw[e.Disp : e.Disp+e.DispN]))
	segment := e.Seg
	switch {
	case e.Addr && !s.long:
		a = (a + base16(modrm, r)) & 0xffff
	case modrm&7 == 4:
		a += s.sib(e, i.Raw[e.SIB], modrm, r)
	case modrm&0xc7 == 5:
		if s.long {
			a += i.End()
		}
	default:
		a += gpr(r, modrm&7|e.Rex&1<<3)
	}
	if e.Addr || !s.long {
		a &= 0xffffffff
	}
	return s.cut(a + s.segmentBase(segment, r))
}

func (s isa) sib(e *Encoding, sib, modrm byte, r regset.Regs) (a uint64) {
	if base := sib & 7; base != 5 || modrm>>6 != 0 {
		a = gpr(r, base|e.Rex&1<<3)
	}
	if index := sib>>3&7 | e.Rex&2<<2; index != 4 {
		a += gpr(r, index) << (sib >> 6)
	}
	return a
}

// base16 is the register part of a 16-bit address.
func base16(modrm byte, r regset.Regs) uint64 {
	switch modrm & 7 {
	case 0:
		return r.Reg(rbx) + r.Reg(rsi)
	case 1:
		return r.Reg(rbx) + r.Reg(rdi)
	case 2:
		return r.Reg(rbp) + r.Reg(rsi)
	case 3:
		return r.Reg(rbp) + r.Reg(rdi)
	case 4:
		return r.Reg(rsi)
	case 5:
		return r.Reg(rdi)
	case 6:
		if modrm>>6 == 0 {
			return 0
		}
		return r.Reg(rbp)
	}
	return r.Reg(rbx)
}

// segmentBase is the base of the segment that a prefix asks for. Those without
// a prefix start at 0.
func (s isa) segmentBase(prefix byte, r regset.Regs) uint64 {
	var sel regset.ID
	switch prefix {
	case 0x64:
		if s.long {
			return r.Reg(fsBase)
		}
		sel = fs
	case 0x65:
		if s.long {
			return r.Reg(gsBase)
		}
		sel = gs
	default:
		return 0
	}
	c, ok := r.(arch.CPU)
	if !ok {
		return 0
	}
	v := r.Reg(sel)
	if v&4 != 0 {
		v += ldtOff
	}
	d, err := entry(c, tables32+v&^7)
	if err != nil {
		return 0
	}
	return d>>16&0xffffff | d>>56<<24
}

// target implements arch.Code.Target.
func (s isa) target(i arch.Insn) (arch.Dest, bool) {
	if !i.Is(arch.IsBranch) || i.Is(arch.IsIndirect|arch.IsFar|arch.IsTransaction) {
		return arch.Dest{}, false
	}
	e := s.parse(&i)
	return arch.Dest{PC: s.relative(&e, &i), Taken: true}, true
}
