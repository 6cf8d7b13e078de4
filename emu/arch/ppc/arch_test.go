package ppc

import (
	"testing"

	"github.com/utemu/utemu/emu/arch/archtest"
)

func TestPPC(t *testing.T)   { archtest.Run(t, PPC, user) }
func TestPPC64(t *testing.T) { archtest.Run(t, PPC64, user) }

// user gives the slots that a tracer cannot write the values they have in a
// system call.
func user(c *archtest.CPU) {
	c.SetReg(trapNo, vecSyscall)
	c.SetReg(dar, 0)
	c.SetReg(dsisr, 0)
	c.SetReg(result, 0)
}
