package ppc

import (
	"debug/elf"
	"encoding/binary"

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
	Sets:    []regset.Set{general(4), fp, vmx},
}

var view64 = &regset.View{
	Name:    "ppc64",
	Machine: uint16(elf.EM_PPC64),
	Sets:    []regset.Set{general(8), fp, vmx, vsx},
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

// general makes the set of struct pt_regs.
func general(size int) regset.Set {
	s := regset.Set{Name: "general", Note: ntPRStatus, N: slots, Size: size, Align: size}
	put := func(img []byte, i int, v uint64) {
		if size == 4 {
			be.PutUint32(img[4*i:], uint32(v))
		} else {
			be.PutUint64(img[8*i:], v)
		}
	}
	get := func(img []byte, i int) uint64 {
		if size == 4 {
			return uint64(be.Uint32(img[4*i:]))
		}
		return be.Uint64(img[8*i:])
	}
	return s.WithImage(
		func(r regset.Regs, img []byte) {
			for i, id := range order {
				if id != 0 {
					put(img, i, r.Reg(id))
				}
			}
			put(img, slotMSR, userMSR(size)|r.Reg(msr)&msrStep)
			if size == 8 {
				put(img, slotMQ, 1) // interrupts are on
			}
		},
		func(r regset.Regs, img []byte) error {
			for i, id := range order[:slotTrap] {
				switch id {
				case 0:
				case msr:
					r.SetReg(msr, r.Reg(msr)&^msrStep|get(img, i)&msrStep)
				default:
					r.SetReg(id, get(img, i))
				}
			}
			r.SetReg(trapNo, get(img, slotTrap)&0xfff0)
			return nil
		})
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
