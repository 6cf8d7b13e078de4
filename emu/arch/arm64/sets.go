package arm64

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// view is user_aarch64_view of arch/arm64/kernel/ptrace.c without the sets of
// extensions that the CPU models do not have.
var view = &regset.View{
	Name:    "aarch64",
	Machine: uint16(elf.EM_AARCH64),
	Sets: []regset.Set{
		regset.Set{Name: "general", Note: 1, N: 34, Size: 8, Align: 8}.WithImage(getGeneral, putGeneral),
		regset.Set{Name: "fp", Note: 2, N: 132, Size: 4, Align: 4}.WithImage(getFP, putFP),
		// The second slot is TPIDR2_EL0 of SME.
		regset.Set{Name: "tls", Note: 0x401, N: 2, Size: 8, Align: 8}.WithImage(getTLS, putTLS),
		debug("hw_break", 0x402),
		debug("hw_watch", 0x403),
		regset.Set{Name: "system_call", Note: 0x404, N: 1, Size: 4, Align: 4}.WithImage(getSyscall, putSyscall),
	},
}

// compat is user_aarch32_view: what a 64-bit kernel shows of a task by the
// registers of a 32-bit one. Ours are all 64-bit tasks, so PSTATE is as it is
// in the native view.
var compat = &regset.View{
	Name:    "aarch32",
	Machine: uint16(elf.EM_ARM),
	Sets: []regset.Set{
		regset.Set{Name: "general", Note: 1, N: 18, Size: 4, Align: 4}.WithSlots(binary.LittleEndian, getCompat, putCompat),
		regset.Set{Name: "vfp", Note: 0x400, N: 65, Size: 4, Align: 4}.WithImage(getVFP, putVFP),
	},
}

// Slots of the 32-bit general set beside the registers 0 to 14.
const (
	slotPC   = 15
	slotCPSR = 16
	slotOrig = 17
)

// compatReg is the register behind a slot of the 32-bit general set.
func compatReg(slot int) regset.ID {
	switch slot {
	case slotPC:
		return regPC
	case slotCPSR:
		return pstate
	case slotOrig:
		return origX0
	}
	return x0 + regset.ID(slot)
}

func getCompat(r regset.Regs, slot int) uint64 { return r.Reg(compatReg(slot)) }

func putCompat(r regset.Regs, first int, v []uint64) error {
	if i := slotCPSR - first; i >= 0 && i < len(v) {
		psr, err := userPSR(r, v[i])
		if err != nil {
			return err
		}
		v[i] = psr
	}
	for i, w := range v {
		r.SetReg(compatReg(first+i), w)
	}
	return nil
}

// Bits of FPSCR that are in FPSR and in FPCR (asm/fpsimd.h).
const (
	fpscrStat = 0xf800009f
	fpscrCtrl = 0x07f79f00
)

// getVFP shows 32 doubles, which are the halves of the first 16 vectors, and
// FPSCR.
func getVFP(r regset.Regs, img []byte) {
	for i := range 16 {
		r.Bytes(v0+regset.ID(i), img[16*i:][:16])
	}
	binary.LittleEndian.PutUint32(img[256:], uint32(r.Reg(fpsr)&fpscrStat|r.Reg(fpcr)&fpscrCtrl))
}

func putVFP(r regset.Regs, img []byte) error {
	for i := range 16 {
		r.SetBytes(v0+regset.ID(i), img[16*i:][:16])
	}
	w := uint64(binary.LittleEndian.Uint32(img[256:]))
	r.SetReg(fpsr, w&fpscrStat)
	r.SetReg(fpcr, w&fpscrCtrl)
	return nil
}

// debug is struct user_hwdebug_state of a CPU without registers for hardware
// breakpoints or watchpoints: its first byte is their number, the next the
// version of the debug architecture, ARMv8's. Setting one is ENOSPC.
func debug(name string, note uint32) regset.Set {
	const info, regs = 6 << 8, 8
	return regset.Set{Name: name, Note: note, N: 66, Size: 4, Align: 4}.WithImage(
		func(_ regset.Regs, img []byte) { binary.LittleEndian.PutUint32(img, info) },
		func(_ regset.Regs, img []byte) error {
			for _, b := range img[regs:] {
				if b != 0 {
					return unix.ENOSPC
				}
			}
			return nil
		})
}

func getGeneral(r regset.Regs, img []byte) {
	for i := range 34 {
		binary.LittleEndian.PutUint64(img[8*i:], r.Reg(x0+regset.ID(i)))
	}
}

// userPSR is the PSTATE that a tracer gives, by the rules of valid_user_regs.
// The bit of the hardware step is the kernel's to set.
func userPSR(r regset.Regs, psr uint64) (uint64, error) {
	if psr &^= psrRES0; psr&(psrMode|psrDAIF) != 0 {
		return 0, unix.EINVAL
	}
	return psr&^psrSS | r.Reg(pstate)&psrSS, nil
}

func putGeneral(r regset.Regs, img []byte) error {
	psr, err := userPSR(r, binary.LittleEndian.Uint64(img[8*33:]))
	if err != nil {
		return err
	}
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
