package ppc

import (
	"math/bits"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// outcome is what became of an attempt to emulate an instruction.
type outcome uint8

const (
	unknown outcome = iota
	done
	badAddress
)

// The instructions that Linux emulates when the CPU does not take them
// (asm/ppc-opcode.h), each as a value under a mask.
const (
	insnMfpvr   = 0x7c1f42a6
	maskMfpvr   = 0xfc1fffff
	insnMcrxr   = 0x7c000400
	insnDcba    = 0x7c0005ec
	insnPopcntb = 0x7c0000f4
	insnSync    = 0x7c0004ac
	maskX       = 0xfc0007fe
	insnString  = 0x7c00042a
	maskString  = 0xfc00067e
	insnIsel    = 0x7c00001e
	maskIsel    = 0xfc00003e
)

// The string instructions, by the bits of maskSub.
const (
	maskSub  = 0x7fe
	subLswi  = 0x4aa
	subLswx  = 0x42a
	subStswi = 0x5aa
	subStswx = 0x52a
)

func rD(insn uint32) regset.ID { return r0 + regset.ID(insn>>21&31) }
func rA(insn uint32) regset.ID { return r0 + regset.ID(insn>>16&31) }
func rB(insn uint32) regset.ID { return r0 + regset.ID(insn>>11&31) }

// base is (rA|0).
func base(c arch.CPU, insn uint32) uint64 {
	if id := rA(insn); id != r0 {
		return c.Reg(id)
	}
	return 0
}

// emulate is emulate_instruction of arch/powerpc/kernel/traps.c.
func (k kernel) emulate(c arch.CPU, insn uint32) outcome {
	switch {
	case insn&maskMfpvr == insnMfpvr:
		c.SetReg(rD(insn), c.Reg(pvr))
	case insn&maskX == insnDcba, insn&maskX == insnSync:
		// Hints and orderings that mean nothing with one CPU.
	case insn&maskX == insnMcrxr:
		shift := insn >> 21 & 0x1c
		field := uint64(0xf0000000 >> shift)
		x := c.Reg(xer)
		c.SetReg(cr, c.Reg(cr)&^field|x>>shift&field)
		c.SetReg(xer, x&^0xf0000000)
	case insn&maskString == insnString:
		return k.moveString(c, insn)
	case insn&maskX == insnPopcntb:
		c.SetReg(rA(insn), popcntb(c.Reg(rD(insn)))&k.mask)
	case insn&maskIsel == insnIsel:
		if c.Reg(cr)>>(31-insn>>6&31)&1 != 0 {
			c.SetReg(rD(insn), base(c, insn))
		} else {
			c.SetReg(rD(insn), c.Reg(rB(insn)))
		}
	default:
		return unknown
	}
	return done
}

// popcntb counts the ones of each byte.
func popcntb(v uint64) uint64 {
	var r uint64
	for i := 0; i < 64; i += 8 {
		r |= uint64(bits.OnesCount8(uint8(v>>i))) << i
	}
	return r
}

// moveString is lswi, lswx, stswi or stswx: bytes to or from registers, four
// in each and the left one first, from rD on and round to r0.
func (k kernel) moveString(c arch.CPU, insn uint32) outcome {
	const (
		gprs  = 32
		count = 0x7f // of XER
		each  = 4    // bytes in a register
	)
	sub := insn & maskSub
	n := uint64(insn >> 11 & 31)
	if n == 0 {
		n = gprs
	}
	addr := base(c, insn)
	if sub == subLswx || sub == subStswx {
		n = c.Reg(xer) & count
		addr += c.Reg(rB(insn))
	}
	addr &= k.mask
	reg := insn >> 21 & 31
	buf := make([]byte, n)
	load := sub == subLswi || sub == subLswx
	if !load && sub != subStswi && sub != subStswx {
		return unknown
	}
	if load {
		if _, err := c.ReadAt(buf, addr); err != nil {
			return badAddress
		}
	}
	for i := 0; i < len(buf); i += each {
		id := r0 + regset.ID((reg+uint32(i/each))%gprs)
		var w [each]byte
		if load {
			copy(w[:], buf[i:])
			c.SetReg(id, uint64(be.Uint32(w[:])))
		} else {
			be.PutUint32(w[:], uint32(c.Reg(id)))
			copy(buf[i:], w[:])
		}
	}
	if !load {
		if _, err := c.WriteAt(buf, addr); err != nil {
			return badAddress
		}
	}
	return done
}
