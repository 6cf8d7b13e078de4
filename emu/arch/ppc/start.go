package ppc

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
)

// startRegs32 is start_thread: all registers zero but these.
func startRegs32(c arch.CPU, im arch.Image) error {
	c.SetReg(nip, im.Entry)
	c.SetReg(r0+1, im.SP)
	return nil
}

// startRegs64 is start_thread for the ELFv1 ABI, where an entry point is the
// address of a function descriptor: the code's address and the TOC pointer,
// both without what the loader added, as nobody has relocated the file yet.
func startRegs64(c arch.CPU, im arch.Image) error {
	var d [16]byte
	if _, err := c.ReadAt(d[:], im.Entry); err != nil {
		return fmt.Errorf("ppc64: function descriptor at the entry point %#x: %w", im.Entry, err)
	}
	c.SetReg(nip, be.Uint64(d[:])+im.Bias)
	c.SetReg(r0+2, be.Uint64(d[8:])+im.Bias)
	c.SetReg(r0+1, im.SP)
	return nil
}
