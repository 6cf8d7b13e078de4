package arm

import (
	"encoding/binary"
	"testing"

	"github.com/utemu/utemu/emu/arch/archtest"
)

func TestARM(t *testing.T) {
	archtest.Run(t, ARM, func(c *archtest.CPU) {
		c.SetReg(cpsr, c.Reg(cpsr)&^(psrMode|psrI|psrF|psrA)|modeUser)
	})
}

// newFake is a CPU in user mode with some memory.
func newFake(base uint64, mem ...byte) *archtest.CPU {
	c := archtest.NewCPU(ARM)
	c.Map(base, mem)
	c.SetReg(cpsr, modeUser)
	return c
}

func words(w ...uint32) []byte {
	var b []byte
	for _, w := range w {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func halves(h ...uint16) []byte {
	var b []byte
	for _, h := range h {
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	return b
}
