package x86

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// isa is what decoding has to know: the mode.
type isa struct {
	long bool
	word int // bytes
}

var (
	isa32 = isa{false, 4}
	isa64 = isa{true, 8}
)

// decode implements arch.Code.Decode.
func (s isa) decode(_ regset.Regs, m arch.Mem, pc uint64) (arch.Insn, error) {
	i, _, err := s.read(m, pc)
	return i, err
}

// follow implements arch.Code.Follow.
func (s isa) follow(i arch.Insn, m arch.Mem) (arch.Insn, error) {
	return s.decode(nil, m, s.cut(i.End()))
}

// cut is an address as the mode has it.
func (s isa) cut(a uint64) uint64 {
	if s.long {
		return a
	}
	return a & 0xffffffff
}

func (s isa) read(m arch.Mem, pc uint64) (i arch.Insn, e Encoding, err error) {
	i.PC = pc
	n, err := m.ReadAt(i.Raw[:MaxLen], pc)
	e, ok := Parse(s.long, i.Raw[:n])
	if !ok {
		if n == MaxLen || n > 0 && err == nil {
			// Longer than a CPU takes, which is a fault.
			i.Len, i.Class = 1, arch.IsUndefined
			return i, e, nil
		}
		return i, e, err
	}
	i.Len = uint8(e.Len)
	clear(i.Raw[e.Len:])
	i.Class = s.class(&e, i.Raw[:])
	return i, e, nil
}

// parse takes an instruction apart again that decode has given.
func (s isa) parse(i *arch.Insn) Encoding {
	e, _ := Parse(s.long, i.Raw[:MaxLen])
	return e
}

// class classifies an instruction by its opcode.
func (s isa) class(e *Encoding, code []byte) arch.Class {
	var c arch.Class
	op := code[e.Opcode]
	var modrm byte
	memory := false
	if e.ModRM != 0 {
		modrm = code[e.ModRM]
		memory = modrm < 0xc0 && !(e.Map == 1 && e.Enc == Legacy && Always(op))
	}
	if s.long && memory && modrm&0xc7 == 0x05 {
		c |= arch.IsPCRel
	}
	if e.Enc != Legacy {
		return c
	}
	switch e.Map {
	case 0:
		return c | s.classOne(e, op, modrm, code)
	case 1:
		return c | classTwo(op, modrm, memory)
	}
	return c
}

// classes are the properties of the one-byte opcodes that have some. Those
// that depend on more than the opcode are in classOne.
var classes = func() (t [256]arch.Class) {
	set := func(c arch.Class, ops ...byte) {
		for _, op := range ops {
			t[op] |= c
		}
	}
	for op := 0x70; op < 0x80; op++ {
		set(arch.IsBranch|arch.IsCond, byte(op))
	}
	set(arch.IsBranch|arch.IsCond, 0xe0, 0xe1, 0xe2, 0xe3)
	set(arch.IsBranch|arch.IsCall, 0xe8)
	set(arch.IsBranch, 0xe9, 0xeb)
	set(arch.IsBranch|arch.IsReturn|arch.IsIndirect, 0xc2, 0xc3)
	set(arch.IsBranch|arch.IsReturn|arch.IsIndirect|arch.IsFar, 0xca, 0xcb, 0xcf)
	set(arch.IsBranch|arch.IsCall|arch.IsFar, 0x9a)
	set(arch.IsBranch|arch.IsFar, 0xea)
	set(arch.IsTrap, 0xcc, 0xcd, 0xf1)
	set(arch.IsTrap|arch.IsCond, 0xce)
	set(arch.IsPushFlags, 0x9c)
	set(arch.IsPopFlags, 0x9d, 0xcf)
	set(arch.IsPrivileged, 0xfa, 0xfb, 0xf4, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f)
	set(arch.IsShadow, 0x17)
	return t
}()

// gone are the one-byte opcodes that 64-bit mode has not.
const gone = "\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x82\x9a\xce\xd4\xd5\xd6\xea"

func (s isa) classOne(e *Encoding, op, modrm byte, code []byte) arch.Class {
	if s.long {
		for k := range len(gone) {
			if gone[k] == op {
				return arch.IsUndefined
			}
		}
	}
	switch op {
	case 0xcd:
		if code[e.Imm] == vecSyscall {
			return arch.IsSyscall
		}
	case 0x8e:
		if modrm>>3&7 == 2 {
			return arch.IsShadow
		}
	case 0x62: // BOUND; EVEX is no legacy encoding
		return arch.IsTrap | arch.IsCond
	case 0xff:
		return classGroup5(modrm)
	case 0xc7:
		if modrm == 0xf8 {
			return arch.IsTransaction | arch.IsBranch | arch.IsCond // XBEGIN
		}
	case 0xc6:
		if modrm == 0xf8 {
			return arch.IsTransaction
		}
	case 0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf:
		if e.Rep != 0 {
			return classes[op] | arch.IsRepeat
		}
	}
	return classes[op]
}

func classGroup5(modrm byte) arch.Class {
	switch modrm >> 3 & 7 {
	case 2:
		return arch.IsBranch | arch.IsIndirect | arch.IsCall
	case 3:
		return arch.IsBranch | arch.IsIndirect | arch.IsCall | arch.IsFar
	case 4:
		return arch.IsBranch | arch.IsIndirect
	case 5:
		return arch.IsBranch | arch.IsIndirect | arch.IsFar
	case 7:
		return arch.IsUndefined
	}
	return 0
}

func classTwo(op, modrm byte, memory bool) arch.Class {
	switch {
	case op&0xf0 == 0x80:
		return arch.IsBranch | arch.IsCond
	case op >= 0x20 && op <= 0x23: // MOV with control and debug registers
		return arch.IsPrivileged
	}
	switch op {
	case 0x05, 0x34:
		return arch.IsSyscall
	case 0x0b, 0xb9, 0xff:
		return arch.IsUndefined
	case 0x00:
		if r := modrm >> 3 & 7; r == 2 || r == 3 { // LLDT, LTR
			return arch.IsPrivileged
		}
	case 0x01:
		if r := modrm >> 3 & 7; memory && (r == 2 || r == 3 || r == 7) || r == 6 && modrm != 0xf7 && modrm&0xc0 != 0xc0 {
			return arch.IsPrivileged // LGDT, LIDT, INVLPG, LMSW
		}
		if modrm == 0xf9 { // RDTSCP
			return arch.IsTime
		}
		if modrm == 0xd5 || modrm == 0xd6 { // XEND, XTEST
			return arch.IsTransaction
		}
	case 0x31, 0x33: // RDTSC, RDPMC
		return arch.IsTime
	case 0x06, 0x07, 0x08, 0x09, 0x30, 0x32, 0x35:
		return arch.IsPrivileged
	}
	return 0
}
