package ppc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

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

// boot64 enters problem state with hypervisor state and without translation,
// for which there are no tables. No register write does that: it drops the bit
// for hypervisor state, and turns translation on in problem state, as server
// processors do. But the saved context holds both MSR and the flag by which the
// library takes the CPU for a server's.
func boot64(b arch.Bare, m *arch.Model) error {
	at, err := placesFor(b, m)
	if err != nil {
		return err
	}
	ctx := b.Context()
	at.msr.or(ctx, msrHV)
	at.flags.clear(ctx, flagServer)
	at.fscr.or(ctx, fscrTAR)
	if err := b.SetContext(ctx); err != nil {
		return fmt.Errorf("ppc64: context: %w", err)
	}
	// Writing it once more derives the library's flags from it.
	if !takesMSR(b) {
		return fmt.Errorf("ppc64: msr is %#x after setting user mode", b.Reg(ucnum.PPC_REG_MSR))
	}
	return clearRegs(b)
}

// flagServer is the library's flag of a CPU with the segments of a 64-bit server
// (PPC_SEGMENT_64B), by which it knows one. For programs it has no other meaning;
// that RFI is undefined there, and not privileged, Trap knows.
const flagServer = 1 << 45

// fscrTAR lets programs use the target address register, as Linux does.
const fscrTAR = 1 << 8

// takesMSR sets MSR to that of a program, and tells whether it is that then.
func takesMSR(b arch.Bare) bool {
	const want = msrSF | msrFP | msrVR | msrVSX | msrPR
	return b.SetReg(ucnum.PPC_REG_MSR, want) == nil && b.Reg(ucnum.PPC_REG_MSR) == want|msrHV
}

// place is that of a doubleword in the saved context.
type place int

func (p place) get(ctx []byte) uint64      { return binary.NativeEndian.Uint64(ctx[p:]) }
func (p place) or(ctx []byte, bits uint64) { binary.NativeEndian.PutUint64(ctx[p:], p.get(ctx)|bits) }
func (p place) clear(ctx []byte, bits uint64) {
	binary.NativeEndian.PutUint64(ctx[p:], p.get(ctx)&^bits)
}

// places are what boot64 changes.
type places struct{ msr, flags, fscr place }

// foundPlaces are by model: they are the same in every engine of one process.
var foundPlaces sync.Map // *arch.Model -> places

// placesFor finds the places by what they do.
func placesFor(b arch.Bare, m *arch.Model) (at places, err error) {
	if p, ok := foundPlaces.Load(m); ok {
		return p.(places), nil
	}
	if at.msr, err = findMSR(b); err != nil {
		return at, err
	}
	ctx := b.Context()
	at.msr.or(ctx, msrHV)
	if at.flags, err = findFlags(b, ctx); err != nil {
		return at, err
	}
	if at.fscr, err = findFSCR(ctx); err != nil {
		return at, err
	}
	foundPlaces.Store(m, at)
	return at, nil
}

// findMSR finds the place of MSR: the only one that follows two different
// values.
func findMSR(b arch.Bare) (place, error) {
	const tries = 2
	var at []place
	for i, v := range [tries]uint64{msrSF | msrFP, msrSF | msrFP | msrVR | msrVSX} {
		if err := b.SetReg(ucnum.PPC_REG_MSR, v); err != nil {
			return 0, fmt.Errorf("ppc64: msr: %w", err)
		}
		got := b.Reg(ucnum.PPC_REG_MSR)
		ctx := b.Context()
		at = where(ctx, func(p place) bool { return p.get(ctx) == got && (i == 0 || slices.Contains(at, p)) })
	}
	// hflags may be equal to MSR; MSR comes first.
	if len(at) == 0 {
		return 0, errors.New("ppc64: MSR is not in the library's context")
	}
	return at[0], nil
}

// findFlags finds the word of ctx that, without the flag, lets MSR take problem
// state alone. Words like addresses of the host, of which there are many, are
// not looked at: there are flags above them.
func findFlags(b arch.Bare, ctx []byte) (place, error) {
	const host = 1 << 47
	for _, p := range where(ctx, func(p place) bool { return p.get(ctx) >= host && p.get(ctx)&flagServer != 0 }) {
		try := bytes.Clone(ctx)
		p.clear(try, flagServer)
		if err := b.SetContext(try); err != nil {
			return 0, fmt.Errorf("ppc64: context: %w", err)
		}
		if takesMSR(b) {
			return p, nil
		}
	}
	return 0, errors.New("ppc64: the flags of the CPU are not in the library's context")
}

// findFSCR finds FSCR. Special registers are in an array by number, where one is
// known: what the processor is.
func findFSCR(ctx []byte) (place, error) {
	const sprPVR, sprFSCR = 287, 153
	at := where(ctx, func(p place) bool { return p.get(ctx) == pvrPower10 })
	if len(at) == 0 || at[0] < 8*sprPVR {
		return 0, errors.New("ppc64: PVR is not in the library's context")
	}
	return at[0] - 8*(sprPVR-sprFSCR), nil
}

// where is the places in a context that are right.
func where(ctx []byte, right func(p place) bool) (l []place) {
	for p := place(0); int(p)+8 <= len(ctx); p += 8 {
		if right(p) {
			l = append(l, p)
		}
	}
	return l
}

func clearRegs(b arch.Bare) error {
	for i := range 32 {
		if err := b.SetReg(ucnum.PPC_REG_0+i, 0); err != nil {
			return fmt.Errorf("ppc: r%d: %w", i, err)
		}
	}
	return nil
}
