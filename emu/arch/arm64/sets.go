package arm64

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// view is user_aarch64_view of arch/arm64/kernel/ptrace.c without the sets of
// hardware that the CPU models do not have. Hardware breakpoints and
// watchpoints are not offered.
var view = &regset.View{
	Name:    "aarch64",
	Machine: uint16(elf.EM_AARCH64),
	Sets: []regset.Set{
		regset.Set{Name: "general", Note: 1, N: 34, Size: 8, Align: 8}.WithImage(getGeneral, putGeneral),
		regset.Set{Name: "fp", Note: 2, N: 132, Size: 4, Align: 4}.WithImage(getFP, putFP),
		// The second slot is TPIDR2_EL0 of SME.
		regset.Set{Name: "tls", Note: 0x401, N: 2, Size: 8, Align: 8}.WithImage(getTLS, putTLS),
		regset.Set{Name: "system_call", Note: 0x404, N: 1, Size: 4, Align: 4}.WithImage(getSyscall, putSyscall),
	},
}

func getGeneral(r regset.Regs, img []byte) {
	for i := range 34 {
		binary.LittleEndian.PutUint64(img[8*i:], r.Reg(x0+regset.ID(i)))
	}
}

// putGeneral checks PSTATE as valid_user_regs does. The bit of the hardware
// step is the kernel's to set.
func putGeneral(r regset.Regs, img []byte) error {
	psr := binary.LittleEndian.Uint64(img[8*33:])
	if psr &^= psrRES0; psr&(psrMode|psrDAIF) != 0 {
		return unix.EINVAL
	}
	psr = psr&^psrSS | r.Reg(pstate)&psrSS
	for i := range 33 {
		r.SetReg(x0+regset.ID(i), binary.LittleEndian.Uint64(img[8*i:]))
	}
	r.SetReg(pstate, psr)
	return nil
}

// getFP is struct user_fpsimd_state: 32 registers, fpsr, fpcr, padding.
func getFP(r regset.Regs, img []byte) {
	for i := range 32 {
		r.Bytes(v0+regset.ID(i), img[16*i:][:16])
	}
	binary.LittleEndian.PutUint32(img[512:], uint32(r.Reg(fpsr)))
	binary.LittleEndian.PutUint32(img[516:], uint32(r.Reg(fpcr)))
}

func putFP(r regset.Regs, img []byte) error {
	for i := range 32 {
		r.SetBytes(v0+regset.ID(i), img[16*i:][:16])
	}
	r.SetReg(fpsr, uint64(binary.LittleEndian.Uint32(img[512:])))
	r.SetReg(fpcr, uint64(binary.LittleEndian.Uint32(img[516:])))
	return nil
}

func getTLS(r regset.Regs, img []byte) { binary.LittleEndian.PutUint64(img, r.Reg(tpidr)) }

func putTLS(r regset.Regs, img []byte) error {
	r.SetReg(tpidr, binary.LittleEndian.Uint64(img))
	return nil
}

func getSyscall(r regset.Regs, img []byte) {
	binary.LittleEndian.PutUint32(img, uint32(r.Reg(syscallNo)))
}

func putSyscall(r regset.Regs, img []byte) error {
	r.SetReg(syscallNo, uint64(binary.LittleEndian.Uint32(img)))
	return nil
}
