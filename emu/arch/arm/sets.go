package arm

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// view is user_arm_view of arch/arm/kernel/ptrace.c.
var view = &regset.View{
	Name:    "arm",
	Machine: uint16(elf.EM_ARM),
	Sets: []regset.Set{
		regset.Set{Name: "general", Note: 1, N: 18, Size: 4, Align: 4}.WithImage(getGeneral, putGeneral),
		fpa(),
		regset.Set{Name: "vfp", Note: 0x400, N: 65, Size: 4, Align: 4}.WithImage(getVFP, putVFP),
	},
}

// fpa is struct user_fp: the registers of a coprocessor that none of the CPU
// models has. They read as zeros and ignore writes, but the kernel shows them
// all the same.
func fpa() regset.Set {
	return regset.Set{Name: "fp", Note: 2, N: 29, Size: 4, Align: 4}.WithImage(
		func(regset.Regs, []byte) {}, func(regset.Regs, []byte) error { return nil })
}

// general lists the slots of struct pt_regs.
func general(i int) regset.ID {
	if i == 17 {
		return origR0
	}
	return r0 + regset.ID(i)
}

func getGeneral(r regset.Regs, img []byte) {
	for i := range 18 {
		binary.LittleEndian.PutUint32(img[4*i:], uint32(r.Reg(general(i))))
	}
}

// putGeneral refuses, as valid_user_regs does, a CPSR that is not user mode's.
func putGeneral(r regset.Regs, img []byte) error {
	psr := binary.LittleEndian.Uint32(img[4*16:]) &^ (psrF | psrA)
	if psr&psrI != 0 || psr&psrMode != modeUser {
		return unix.EINVAL
	}
	binary.LittleEndian.PutUint32(img[4*16:], psr)
	for i := range 18 {
		r.SetReg(general(i), uint64(binary.LittleEndian.Uint32(img[4*i:])))
	}
	return nil
}

func getVFP(r regset.Regs, img []byte) {
	for i := range 32 {
		binary.LittleEndian.PutUint64(img[8*i:], r.Reg(d0+regset.ID(i)))
	}
	binary.LittleEndian.PutUint32(img[256:], uint32(r.Reg(fpscr)))
}

func putVFP(r regset.Regs, img []byte) error {
	for i := range 32 {
		r.SetReg(d0+regset.ID(i), binary.LittleEndian.Uint64(img[8*i:]))
	}
	r.SetReg(fpscr, uint64(binary.LittleEndian.Uint32(img[256:])))
	return nil
}
