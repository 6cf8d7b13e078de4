package x86

import (
	"testing"

	"github.com/utemu/utemu/emu/arch/archtest"
	"github.com/utemu/utemu/regset"
)

func TestX86_64(t *testing.T) { archtest.Run(t, X86_64, user(selUserCS)) }
func TestI386(t *testing.T)   { archtest.Run(t, I386, user(selUser32CS)) }

// user gives a CPU what only some values are possible of.
func user(code uint64) func(c *archtest.CPU) {
	return func(c *archtest.CPU) {
		c.SetReg(eflags, bootFlags)
		for id, v := range map[regset.ID]uint64{
			cs: code, ss: selUserDS, ds: selUserDS, es: selUserDS, fs: 0, gs: 0,
			fsBase: 0x7ffff7d00740, gsBase: 0x1000, mxcsr: initMXCSR,
		} {
			c.SetReg(id, v)
		}
		// Tags say what the registers hold, and offsets have 32 bits on i386.
		c.SetReg(ftag, uint64(fullTag(c, abridge(uint16(c.Reg(ftag))))))
		c.SetReg(fioff, c.Reg(fioff)&0xffffffff)
		c.SetReg(fooff, c.Reg(fooff)&0xffffffff)
		// A TLS descriptor, in the memory of the CPU.
		t := tables()
		d := userDesc{base: uint32(c.Reg(rax)), limit: 0xfffff, flags: udSeg32 | udLimitInPages | udUseable}
		le.PutUint64(t[8*tlsMin:], d.descriptor())
		c.Table.Map(tables32, t)
	}
}
