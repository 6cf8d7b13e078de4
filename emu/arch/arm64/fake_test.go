package arm64

import (
	"encoding/binary"
	"testing"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
)

func TestARM64(t *testing.T) {
	archtest.Run(t, ARM64, func(c *archtest.CPU) {
		c.SetReg(pstate, c.Reg(pstate)&^(psrRES0|psrMode|psrDAIF))
	})
}

// modelCPU is a CPU of a certain model.
type modelCPU struct {
	*archtest.CPU
	model string
}

func (c modelCPU) Model() *arch.Model {
	m, _ := ARM64.Engine.Model(c.model)
	return m
}

// newFake is a CPU with some memory.
func newFake(base uint64, mem ...byte) *archtest.CPU {
	c := archtest.NewCPU(ARM64)
	c.Map(base, mem)
	return c
}

func words(w ...uint32) []byte {
	var b []byte
	for _, w := range w {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}
