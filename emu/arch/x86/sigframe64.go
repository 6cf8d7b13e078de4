package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var signals64 = arch.Signals{Setup: setup64, Return: return64, Fault: noteFault}

// struct rt_sigframe and its parts (arch/x86/include/asm/sigframe.h,
// uapi/asm/ucontext.h and sigcontext.h).
const (
	redzone = 128

	rtUC64    = 8 // after pretcode
	rtInfo64  = rtUC64 + 304
	rtSize64  = rtInfo64 + siginfoLen
	ucStack64 = 16
	ucSC64    = 40
	ucMask64  = 296

	scSeg64  = 18 * 8 // cs, gs, fs, ss
	scErr64  = scSeg64 + 8
	scTrap64 = scErr64 + 8
	scOld64  = scErr64 + 16
	scCR264  = scErr64 + 24
	scFP64   = scErr64 + 32

	// UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS; UC_FP_XSTATE comes with
	// XSAVE, which none of the CPU models has.
	ucFlags64 = 2 | 4
)

// sc64 is the order of registers in struct sigcontext.
var sc64 = [18]regset.ID{r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags}

// setup64 is x64_setup_rt_frame. A program that gives no restorer is killed.
func setup64(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	if f.Restorer == 0 {
		return unix.EFAULT
	}
	sp := f.SP
	if !f.Switch {
		sp -= redzone
	}
	fp, _ := fpFrame(sp, 0)
	at := (fp-rtSize64)&^(frameAlign-1) - 8
	if !f.Fits(at) {
		return unix.EFAULT
	}
	img := make([]byte, fp-at+fxSize)
	le.PutUint64(img, f.Restorer)
	uc := img[rtUC64:]
	le.PutUint64(uc, ucFlags64)
	le.PutUint64(uc[ucStack64:], f.Alt.SP)
	le.PutUint32(uc[ucStack64+8:], f.Alt.Flags)
	le.PutUint64(uc[ucStack64+16:], f.Alt.Size)
	le.PutUint64(uc[ucMask64:], f.Mask)
	context64(c, uc[ucSC64:], f.Mask, fp)
	copy(img[rtInfo64:rtSize64], f.Info)
	fxsave(16)(c, img[fp-at:])
	if err := m.CopyOut(img, at); err != nil {
		return err
	}
	resetFPU(c, 16)
	c.SetReg(rdi, uint64(f.No))
	c.SetReg(rax, 0)
	c.SetReg(rsi, at+rtInfo64)
	c.SetReg(rdx, at+rtUC64)
	c.SetReg(rip, f.Handler)
	c.SetReg(rsp, at)
	c.SetReg(eflags, c.Reg(eflags)&^handlerFlags)
	return nil
}

// context64 fills struct sigcontext.
func context64(c arch.CPU, sc []byte, mask, fp uint64) {
	for i, id := range sc64 {
		le.PutUint64(sc[8*i:], c.Reg(id))
	}
	le.PutUint16(sc[scSeg64:], uint16(c.Reg(cs)))
	le.PutUint16(sc[scSeg64+6:], uint16(c.Reg(ss)))
	le.PutUint64(sc[scErr64:], c.Reg(trapErr))
	le.PutUint64(sc[scTrap64:], c.Reg(trapNo))
	le.PutUint64(sc[scOld64:], mask)
	le.PutUint64(sc[scCR264:], c.Reg(cr2))
	le.PutUint64(sc[scFP64:], fp)
}

// return64 is rt_sigreturn. The code segment must be that of 64-bit programs.
func return64(c arch.CPU, m arch.UserMem, _ bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	uc := make([]byte, rtInfo64-rtUC64)
	if err := m.CopyIn(uc, c.Reg(rsp)-8+rtUC64); err != nil {
		return out, err
	}
	out.Mask = le.Uint64(uc[ucMask64:])
	out.Alt = &arch.SigStack{SP: le.Uint64(uc[ucStack64:]), Flags: le.Uint32(uc[ucStack64+8:]), Size: le.Uint64(uc[ucStack64+16:])}
	sc := uc[ucSC64:]
	for i, id := range sc64 {
		if v := le.Uint64(sc[8*i:]); id == eflags {
			c.SetReg(eflags, c.Reg(eflags)&^fixFlags|v&fixFlags)
		} else {
			c.SetReg(id, v)
		}
	}
	c.SetReg(origRAX, ^uint64(0))
	if le.Uint16(sc[scSeg64:])|3 != selUserCS {
		return out, unix.EFAULT
	}
	if sel := uint64(le.Uint16(sc[scSeg64+6:])) | 3; !segment(c, tables64, ss, sel) {
		// Without UC_STRICT_RESTORE_SS a bad selector is mended.
		if le.Uint64(uc)&4 != 0 {
			return out, unix.EFAULT
		}
		c.SetReg(ss, selUserDS)
	}
	return out, restoreFP(c, m, le.Uint64(sc[scFP64:]), 0, 16)
}

// restoreFP loads the floating point state whose FXSAVE image follows a head
// at address at; without an address there is none and the unit is reset.
func restoreFP(c arch.CPU, m arch.UserMem, at, head uint64, n int) error {
	if at == 0 {
		resetFPU(c, n)
		return nil
	}
	img := make([]byte, fxSize)
	if err := m.CopyIn(img, at+head); err != nil {
		return err
	}
	return fxrstor(n)(c, img)
}
