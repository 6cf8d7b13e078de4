package ppc

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// isa is what decoding has to know: the width of addresses, and the longest
// instruction.
type isa struct {
	mask uint64
	max  int
}

var (
	isa32 = isa{0xffffffff, insnLen}
	isa64 = isa{^uint64(0), prefixedLen}
)

// prefixedLen is the length of an instruction with a prefix (ISA 3.1).
const prefixedLen = 8

// row is one row of a decode table: words w with w&mask == bits have the class,
// and the first row that fits counts.
type row struct {
	mask, bits uint32
	class      arch.Class
}

const (
	jump = arch.IsBranch
	priv = arch.IsPrivileged
	// The fields: primary opcode, extended opcode, and the last bit.
	opMask = 0x3f << 26
	xoMask = opMask | 0x3ff<<1
)

// op and xo are the bits of the opcode fields.
func op(n uint32) uint32    { return n << 26 }
func xo(n, x uint32) uint32 { return n<<26 | x<<1 }

var rows = []row{
	{opMask | 1, op(18), jump},
	{opMask | 1, op(18) | 1, jump | arch.IsCall},
	{opMask, op(16), jump},
	{xoMask, xo(19, 16), jump | arch.IsIndirect},
	{xoMask, xo(19, 528), jump | arch.IsIndirect},
	{xoMask, xo(19, 560), jump | arch.IsIndirect},
	{opMask | 3, op(17) | 2, arch.IsSyscall},
	{opMask | 3, op(17) | 1, arch.IsSyscall}, // scv
	{opMask, op(2), arch.IsTrap},             // tdi
	{opMask, op(3), arch.IsTrap},             // twi
	{xoMask, xo(31, 4), arch.IsTrap},         // tw
	{xoMask, xo(31, 68), arch.IsTrap},        // td
	{0xffffffff, 0, arch.IsUndefined},
	{opMask | 0x1f<<1, xo(19, 2), arch.IsPCRel}, // addpcis
	// Returns from interrupts; rfebb comes without the supervisor, but needs
	// what it never grants here.
	{xoMask, xo(19, 18), priv}, {xoMask, xo(19, 50), priv}, {xoMask, xo(19, 51), priv}, {xoMask, xo(19, 38), priv},
	{xoMask, xo(19, 39), priv}, {xoMask, xo(19, 82), priv}, {xoMask, xo(19, 274), priv}, {xoMask, xo(19, 146), priv},
	{xoMask, xo(19, 370), priv},
	// Moves to the machine state, translation control.
	{xoMask, xo(31, 83), priv}, {xoMask, xo(31, 146), priv}, {xoMask, xo(31, 178), priv}, {xoMask, xo(31, 210), priv},
	{xoMask, xo(31, 242), priv}, {xoMask, xo(31, 595), priv}, {xoMask, xo(31, 659), priv}, {xoMask, xo(31, 306), priv},
	{xoMask, xo(31, 274), priv}, {xoMask, xo(31, 370), priv}, {xoMask, xo(31, 566), priv}, {xoMask, xo(31, 470), priv},
	// Loads with reservation and their stores.
	{xoMask, xo(31, 20), arch.IsLoadLink}, {xoMask, xo(31, 84), arch.IsLoadLink}, {xoMask, xo(31, 52), arch.IsLoadLink},
	{xoMask, xo(31, 116), arch.IsLoadLink}, {xoMask, xo(31, 276), arch.IsLoadLink},
	{xoMask | 1, xo(31, 150) | 1, arch.IsStoreCond}, {xoMask | 1, xo(31, 214) | 1, arch.IsStoreCond},
	{xoMask | 1, xo(31, 694) | 1, arch.IsStoreCond}, {xoMask | 1, xo(31, 726) | 1, arch.IsStoreCond},
	{xoMask | 1, xo(31, 182) | 1, arch.IsStoreCond},
	// Transactions: tbegin. to trechkpt.
	{opMask | 0x7f<<1 | 1, xo(31, 14) | 1, arch.IsTransaction},
	{xoMask, xo(31, 910), arch.IsTransaction},
	{xoMask, xo(31, 371), arch.IsTime},                         // mftb
	{xoMask | 0x3fe<<11, xo(31, 339) | 0x188<<11, arch.IsTime}, // mfspr 268, 269
}

// Fields of a bc: bits of BO.
const (
	boNoCTR  = 4  // CTR is left alone
	boZero   = 2  // branch if CTR has become 0
	boNoCR   = 16 // the condition register does not count
	boTrue   = 8  // branch if the bit is set
	boAlways = boNoCTR | boNoCR
)

func bo(w uint32) uint32 { return w >> 21 & 31 }

func class(w uint32) arch.Class {
	var c arch.Class
	for i := range rows {
		if w&rows[i].mask == rows[i].bits {
			c = rows[i].class
			break
		}
	}
	switch {
	case c == arch.IsTrap:
		if bo(w) != 31 { // a trap on some conditions only
			c |= arch.IsCond
		}
	case c&jump != 0 && w>>26 != 18:
		c |= classCond(w)
	}
	return c
}

// classCond is the rest of a bc's or bclr's class.
func classCond(w uint32) (c arch.Class) {
	if bo(w)&boAlways != boAlways {
		c |= arch.IsCond
	}
	switch {
	case w == bcl20: // the way to learn the PC
		c |= arch.IsPCRel
	case w&1 != 0:
		c |= arch.IsCall
	case w>>26 == 19 && w>>1&0x3ff == 16:
		c |= arch.IsReturn
	}
	return c
}

// bcl20 is bcl 20,31,$+4.
const bcl20 = 0x429f0005

// decode implements arch.Code.Decode.
func (s isa) decode(_ regset.Regs, m arch.Mem, pc uint64) (i arch.Insn, err error) {
	i.PC = pc
	if _, err = m.ReadAt(i.Raw[:insnLen], pc); err != nil {
		return i, err
	}
	w := be.Uint32(i.Raw[:])
	i.Len, i.Class = insnLen, class(w)
	// A prefix; one that would have its suffix in the next 64 bytes raises an
	// alignment fault.
	if w>>26 == 1 && s.max == prefixedLen && pc&63 != 60 {
		if _, err = m.ReadAt(i.Raw[:prefixedLen], pc); err != nil {
			return i, err
		}
		i.Len = prefixedLen
		if w>>20&1 != 0 {
			i.Class |= arch.IsPCRel
		}
	}
	return i, nil
}

// follow implements arch.Code.Follow.
func (s isa) follow(i arch.Insn, m arch.Mem) (arch.Insn, error) {
	return s.decode(nil, m, i.End()&s.mask)
}
