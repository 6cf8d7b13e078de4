package arm

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var signals = arch.Signals{Setup: setupFrame, Return: returnFrame, Fault: noteFault, Restart: restart}

var le = binary.LittleEndian

// struct ucontext and what is in it (arch/arm/include/asm/ucontext.h,
// uapi/asm/sigcontext.h).
const (
	ucStack     = 8
	ucTrap      = 20 // trap_no, error_code, oldmask
	ucRegs      = 32 // r0 to r15, CPSR
	ucFault     = 100
	ucMask      = 104
	ucRegspace  = 232
	ucSize      = ucRegspace + 512
	retcodeSize = 16
	siginfoLen  = 128

	sigframeSize = ucSize + retcodeSize

	// oldFlags is uc_flags of the old kind of frame, which debuggers tell by it.
	oldFlags = 0x5ac3c35a

	vfpMagic = 0x56465001
	vfpSize  = 288 // struct vfp_sigframe
	vfpRegs  = 8
	vfpExc   = vfpRegs + 264 // FPEXC, FPINST, FPINST2
	fpexcEN  = 1 << 30
)

// Bits of the CPSR and of the FPSCR that a handler starts without.
const (
	psrE        = 1 << 9
	psrIT       = 0x0600fc00
	fpscrVector = 7<<16 | 3<<20 // length and stride of VFP's vectors
)

// sigreturnCodes are the functions that handlers return to without a
// restorer: sigreturn in A32 and Thumb, then the same of rt_sigreturn. The
// kernel has them on a page of their own and writes a copy into each frame.
var sigreturnCodes = [7]uint32{
	0xe3a07077, // mov r7, #119
	0xef900077, // svc #0x900077
	0xdf002777, // movs r7, #119; svc #0
	0xe3a070ad, // mov r7, #173
	0xef9000ad, // svc #0x9000ad
	0xdf0027ad, // movs r7, #173; svc #0
}

// sigpage is where the kernel puts them; their place in the page is random
// there, at least sigpageOff.
const (
	sigpage    = taskSize - 128<<20
	sigpageOff = 0x200
)

func sigpageData() []byte {
	p := make([]byte, 4096)
	for i := 0; i < len(p); i += 4 {
		le.PutUint32(p[i:], 0xe7fddef1) // as the rest of the page of vectors
	}
	for i, w := range sigreturnCodes[:6] {
		le.PutUint32(p[sigpageOff+4*i:], w)
	}
	return p
}

// noteFault is what __do_user_fault leaves in thread_struct. The status is
// that of the short descriptor format.
func noteFault(c arch.CPU, f arch.SigFault) {
	const (
		translation = 0x17
		permission  = 0x1f
		prefetch    = 1<<31 | 0x10 // FSR_LNX_PF; the domain is not told
		write       = 1 << 11
		noAbort     = 14
	)
	fsr := uint64(translation)
	if f.Signo == int(unix.SIGSEGV) && f.Code != segvMapErr {
		fsr = permission
	}
	switch f.Access {
	case arch.Write:
		fsr |= write
	case arch.Exec:
		fsr ^= prefetch
	}
	c.SetReg(trapNo, noAbort)
	c.SetReg(errorCode, fsr)
	c.SetReg(faultAddr, f.Addr)
}

// noteTrap is what arm_notify_die leaves.
func noteTrap(c arch.CPU, t arch.Trap) {
	const undefTrap, alignment = 6, 1
	if t.Kind != arch.TrapSignal {
		return
	}
	c.SetReg(errorCode, 0)
	c.SetReg(trapNo, 0)
	switch unix.Signal(t.Signo) {
	case unix.SIGILL:
		c.SetReg(trapNo, undefTrap)
	case unix.SIGBUS:
		c.SetReg(errorCode, alignment)
	}
}

// setupFrame is setup_frame and setup_rt_frame of arch/arm/kernel/signal.c.
func setupFrame(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	size, info := uint64(sigframeSize), uint64(0)
	if f.Siginfo {
		size, info = size+siginfoLen, siginfoLen
	}
	at := (f.SP - size) &^ 7
	if at >= f.SP {
		return unix.EFAULT
	}
	img := make([]byte, size)
	copy(img[:info], f.Info)
	uc := img[info:]
	if f.Siginfo {
		le.PutUint32(uc[ucStack:], uint32(f.Alt.SP))
		le.PutUint32(uc[ucStack+4:], f.Alt.Flags)
		le.PutUint32(uc[ucStack+8:], uint32(f.Alt.Size))
	} else {
		le.PutUint32(uc, oldFlags)
	}
	fillContext(c, uc, f.Mask)
	psr := c.Reg(cpsr) &^ (psrF | psrE | psrIT | psrT)
	idx, t := 0, f.Handler&1
	if t != 0 {
		idx, psr = 2, psr|psrT
	}
	if f.Siginfo {
		idx += 3
	}
	ret := f.Restorer
	if ret == 0 {
		ret = sigpage + sigpageOff + uint64(idx)<<2 + t
		le.PutUint32(uc[ucSize:], sigreturnCodes[idx])
		le.PutUint32(uc[ucSize+4:], sigreturnCodes[idx+1])
	}
	if err := m.CopyOut(img, at); err != nil {
		return err
	}
	c.SetReg(fpscr, c.Reg(fpscr)&^fpscrVector)
	c.SetReg(restarting, 0)
	c.SetReg(r0, uint64(f.No))
	if f.Siginfo {
		c.SetReg(r0+1, at)
		c.SetReg(r0+2, at+info)
	}
	c.SetReg(regSP, at)
	c.SetReg(regLR, ret)
	c.SetReg(regPC, f.Handler&^1)
	c.SetReg(cpsr, psr)
	return nil
}

// fillContext is setup_sigframe.
func fillContext(c arch.CPU, uc []byte, mask uint64) {
	le.PutUint32(uc[ucTrap:], uint32(c.Reg(trapNo)))
	le.PutUint32(uc[ucTrap+4:], uint32(c.Reg(errorCode)))
	le.PutUint32(uc[ucTrap+8:], uint32(mask))
	for i := range 17 {
		le.PutUint32(uc[ucRegs+4*i:], uint32(c.Reg(r0+regset.ID(i))))
	}
	le.PutUint32(uc[ucFault:], uint32(c.Reg(faultAddr)))
	le.PutUint64(uc[ucMask:], mask)
	vfp := uc[ucRegspace:]
	le.PutUint32(vfp, vfpMagic)
	le.PutUint32(vfp[4:], vfpSize)
	getVFP(c, vfp[vfpRegs:])
	le.PutUint32(vfp[vfpExc:], fpexcEN)
	// The end of the list is a zero.
}

// returnFrame is sys_sigreturn and sys_rt_sigreturn.
func returnFrame(c arch.CPU, m arch.UserMem, rt bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	sp := c.Reg(regSP)
	if sp&7 != 0 {
		return out, unix.EFAULT
	}
	if rt {
		sp = (sp + siginfoLen) & 0xffffffff
	}
	uc := make([]byte, ucSize)
	if err := m.CopyIn(uc, sp); err != nil {
		return out, err
	}
	out.Mask = le.Uint64(uc[ucMask:])
	if rt {
		out.Alt = &arch.SigStack{
			SP: uint64(le.Uint32(uc[ucStack:])), Flags: le.Uint32(uc[ucStack+4:]), Size: uint64(le.Uint32(uc[ucStack+8:])),
		}
	}
	psr := le.Uint32(uc[ucRegs+4*16:]) &^ (psrF | psrA | psrE)
	if psr&psrI != 0 || psr&psrMode != modeUser {
		return out, unix.EFAULT
	}
	for i := range 16 {
		c.SetReg(r0+regset.ID(i), uint64(le.Uint32(uc[ucRegs+4*i:])))
	}
	c.SetReg(cpsr, uint64(psr))
	c.SetReg(regPC, returnPC(uint64(le.Uint32(uc[ucRegs+4*15:])), psr))
	c.SetReg(origR0, noSyscall)
	c.SetReg(restarting, 0)
	vfp := uc[ucRegspace:]
	if le.Uint32(vfp) != vfpMagic || le.Uint32(vfp[4:]) != vfpSize {
		return out, unix.EINVAL
	}
	return out, putVFP(c, vfp[vfpRegs:][:260])
}

// returnPC drops the bits of an address that an exception return does not take.
func returnPC(pc uint64, psr uint32) uint64 {
	if psr&psrT != 0 {
		return pc &^ 1
	}
	return pc &^ 3
}

// restart makes the system call again as restart_syscall without a change of
// r7, as the kernel does by not going back to user mode.
func restart(r regset.Regs, nr uint64) {
	rewind(r)
	r.SetReg(restarting, nr)
}

// number is the number of the system call at an SVC.
func number(c arch.CPU) uint64 {
	if nr := c.Reg(restarting); nr != 0 {
		return nr
	}
	return c.Reg(r7)
}
