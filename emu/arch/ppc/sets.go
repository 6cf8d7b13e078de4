package ppc

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var be = binary.BigEndian

// ELF note types of the register sets.
const (
	ntPRStatus = 1
	ntPRFPReg  = 2
	ntPPCVMX   = 0x100
	ntPPCVSX   = 0x102
)

// Slots of the general set beside the registers (enum in asm/ptrace.h).
const (
	slots    = 48 // ELF_NGREG
	slotMSR  = 33
	slotMQ   = 39 // SOFTE on 64 bits
	slotTrap = 40
)

// order is struct pt_regs; zero is a slot without a register.
var order = func() [44]regset.ID {
	var o [44]regset.ID
	for i := range 32 {
		o[i] = r0 + regset.ID(i)
	}
	copy(o[32:], []regset.ID{nip, msr, origR3, ctr, lr, xer, cr, 0, trapNo, dar, dsisr, result})
	return o
}()

var view32 = &regset.View{
	Name:    "ppc",
	Machine: uint16(elf.EM_PPC),
	Sets:    []regset.Set{general(4), fp, needs(vmx, featureAltivec)},
}

var view64 = &regset.View{
	Name:    "ppc64",
	Machine: uint16(elf.EM_PPC64),
	Sets:    []regset.Set{general(8), fp, needs(vmx, featureAltivec), needs(vsx, featureVSX)},
}

// userMSR is the machine state of a user program on Linux, apart from single
// stepping: the engine's own differs, as it has no paging.
func userMSR(size int) uint64 {
	const eePRMEIRDRRI = 0xd032
	if size == 8 {
		return msrSF | eePRMEIRDRRI
	}
	return eePRMEIRDRRI
}

// general makes the set of struct pt_regs with words of size bytes.
func general(size int) regset.Set {
	s := regset.Set{Name: "general", Note: ntPRStatus, N: slots, Size: size, Align: size}
	get := func(r regset.Regs, i int) uint64 {
		switch {
		case i == slotMSR:
			return userMSR(size) | r.Reg(msr)&msrStep
		case i == slotMQ && size == 8:
			return 1 // interrupts are on
		case i >= len(order) || order[i] == 0:
			return 0
		}
		return r.Reg(order[i])
	}
	put := func(r regset.Regs, first int, v []uint64) error {
		for i, w := range v {
			switch i += first; {
			case i == slotMSR:
				r.SetReg(msr, r.Reg(msr)&^msrStep|w&msrStep)
			case i == slotTrap:
				r.SetReg(trapNo, w&0xfff0)
			case i < slotTrap && order[i] != 0:
				r.SetReg(order[i], w)
			}
		}
		return nil
	}
	return s.WithSlots(be, get, put)
}

// needs returns s as a set that depends on a feature of the CPU model, a bit of
// AT_HWCAP. Registers that do not come with a model have it.
func needs(s regset.Set, feature uint64) regset.Set {
	s.Active = func(r regset.Regs) (int, error) {
		if c, ok := r.(interface{ Model() *arch.Model }); ok && c.Model().HWCap&feature == 0 {
			return 0, unix.ENODEV
		}
		return s.N, nil
	}
	return s
}

// fp is struct thread_fp_state as the kernel shows it: 32 doubles and FPSCR.
var fp = regset.Set{Name: "fp", Note: ntPRFPReg, N: 33, Size: 8, Align: 8}.WithImage(
	func(r regset.Regs, img []byte) {
		for i := range 32 {
			r.Bytes(f0+regset.ID(i), img[8*i:][:8])
		}
		be.PutUint64(img[256:], r.Reg(fpscr))
	},
	func(r regset.Regs, img []byte) error {
		for i := range 32 {
			r.SetBytes(f0+regset.ID(i), img[8*i:][:8])
		}
		r.SetReg(fpscr, be.Uint64(img[256:])&0xffffffff)
		return nil
	})

// vmx is 32 vectors, VSCR in the last word of a vector and VRSAVE in the first
// word of another.
var vmx = regset.Set{Name: "vmx", Note: ntPPCVMX, N: 34, Size: 16, Align: 16}.WithImage(
	func(r regset.Regs, img []byte) {
		for i := range 32 {
			r.Bytes(v0+regset.ID(i), img[16*i:][:16])
		}
		be.PutUint32(img[32*16+12:], uint32(r.Reg(vscr)))
		be.PutUint32(img[33*16:], uint32(r.Reg(vrsave)))
	},
	func(r regset.Regs, img []byte) error {
		for i := range 32 {
			r.SetBytes(v0+regset.ID(i), img[16*i:][:16])
		}
		r.SetReg(vscr, uint64(be.Uint32(img[32*16+12:])))
		r.SetReg(vrsave, uint64(be.Uint32(img[33*16:])))
		return nil
	})

// vsx is the halves of vs0 to vs31 that the floating point registers are not.
var vsx = regset.Set{Name: "vsx", Note: ntPPCVSX, N: 32, Size: 8, Align: 8}.WithImage(
	func(r regset.Regs, img []byte) {
		for i := range 32 {
			r.Bytes(vsl0+regset.ID(i), img[8*i:][:8])
		}
	},
	func(r regset.Regs, img []byte) error {
		for i := range 32 {
			r.SetBytes(vsl0+regset.ID(i), img[8*i:][:8])
		}
		return nil
	})
