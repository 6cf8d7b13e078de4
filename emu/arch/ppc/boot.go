package ppc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// scratch is a page below the lowest address a program can map.
const scratch = 0x1000

const pageSize = 4096

// boot32 enters problem state with floating point and AltiVec on. A model
// without AltiVec has no such bit.
func boot32(b arch.Bare, _ *arch.Model) error {
	if err := b.SetReg(ucnum.PPC_REG_MSR, msrPR|msrFP|msrVR); err != nil {
		return fmt.Errorf("ppc: msr: %w", err)
	}
	if got := b.Reg(ucnum.PPC_REG_MSR) & 0xffffffff; got&^msrVR != msrPR|msrFP {
		return fmt.Errorf("ppc: msr is %#x after setting user mode", got)
	}
	return clearRegs(b)
}

// boot64 gives the CPU the hypervisor's state. Problem state would turn address
// translation on, for which there are no tables, so privileged instructions
// do not fault here. The bit cannot be set by a register write, which drops
// it, but the saved context holds it: MSR is found there by its value.
func boot64(b arch.Bare, _ *arch.Model) error {
	at, err := findMSR(b)
	if err != nil {
		return err
	}
	ctx := b.Context()
	binary.NativeEndian.PutUint64(ctx[at:], binary.NativeEndian.Uint64(ctx[at:])|msrHV)
	if err := b.SetContext(ctx); err != nil {
		return fmt.Errorf("ppc64: context: %w", err)
	}
	// Writing it once more derives the library's flags from it.
	const want = msrSF | msrFP | msrVR | msrVSX
	if err := b.SetReg(ucnum.PPC_REG_MSR, want); err != nil {
		return fmt.Errorf("ppc64: msr: %w", err)
	}
	if got := b.Reg(ucnum.PPC_REG_MSR); got != want|msrHV {
		return fmt.Errorf("ppc64: msr is %#x instead of %#x", got, uint64(want|msrHV))
	}
	return clearRegs(b)
}

// findMSR finds the place of MSR in the saved context: the only one that
// follows two different values.
func findMSR(b arch.Bare) (int, error) {
	const tries = 2
	var offs []int
	for i, v := range [tries]uint64{msrSF | msrFP, msrSF | msrFP | msrVR | msrVSX} {
		if err := b.SetReg(ucnum.PPC_REG_MSR, v); err != nil {
			return 0, fmt.Errorf("ppc64: msr: %w", err)
		}
		got := b.Reg(ucnum.PPC_REG_MSR)
		ctx := b.Context()
		var now []int
		for off := 0; off+8 <= len(ctx); off += 8 {
			if binary.NativeEndian.Uint64(ctx[off:]) == got && (i == 0 || contains(offs, off)) {
				now = append(now, off)
			}
		}
		offs = now
	}
	// hflags may be equal to MSR; MSR comes first.
	if len(offs) == 0 {
		return 0, errors.New("ppc64: MSR is not in the library's context")
	}
	return offs[0], nil
}

func contains(l []int, v int) bool {
	for _, x := range l {
		if x == v {
			return true
		}
	}
	return false
}

func clearRegs(b arch.Bare) error {
	for i := range 32 {
		if err := b.SetReg(ucnum.PPC_REG_0+i, 0); err != nil {
			return fmt.Errorf("ppc: r%d: %w", i, err)
		}
	}
	return nil
}
