package ppc

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

var signals32 = arch.Signals{Setup: setup32, Return: return32, Fault: noteFault, Swap: swap32}

// struct sigframe, struct rt_sigframe and their parts
// (arch/powerpc/kernel/signal_32.c, uapi/asm/sigcontext.h, asm/ucontext.h).
const (
	gap32   = 64 // __SIGNAL_FRAMESIZE, the frame of the handler's caller
	rtGap32 = gap32 + 16
	abiGap  = 56 * 4

	mcFP32  = slots * 4
	mcVR32  = mcFP32 + fpLen + 8 // after mc_pad
	mcLen32 = mcVR32 + vmxLen

	scHandler32 = 20
	scMask32    = 24
	scRegs32    = 28
	scLen32     = 32
	scMaskHi32  = 12 // in _unused

	sigLen32 = scLen32 + mcLen32 + abiGap

	ucStack32  = 8
	ucRegs32   = 48
	ucMask32   = 52
	ucMC32     = 192
	rtUC32     = siginfoLen
	rtLen32    = rtUC32 + ucMC32 + mcLen32 + abiGap
	sigMask32  = 8
	ucHeadLen  = ucMask32 + sigMask32
	vrsaveOff  = mcVR32 + 32*16 // VRSAVE is beside VSCR
	frameAlign = 16
)

// setup32 is handle_signal32 and handle_rt_signal32.
func setup32(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	size, gap := uint64(sigLen32), uint64(gap32)
	if f.Siginfo {
		size, gap = rtLen32, rtGap32
	}
	at := (f.SP - size) &^ (frameAlign - 1)
	sp := at - gap
	if sp >= f.SP {
		return unix.EFAULT
	}
	img := make([]byte, at+size-abiGap-sp)
	be.PutUint32(img, uint32(c.Reg(r0+1))) // the back chain
	b := img[gap:]
	ret := uint64(vdso32 + tramp)
	if f.Siginfo {
		ret = vdso32 + trampRt
		copy(b[:siginfoLen], f.Info)
		uc := b[rtUC32:]
		be.PutUint32(uc[ucStack32:], uint32(f.Alt.SP))
		be.PutUint32(uc[ucStack32+4:], f.Alt.Flags)
		be.PutUint32(uc[ucStack32+8:], uint32(f.Alt.Size))
		be.PutUint32(uc[ucRegs32:], uint32(at+rtUC32+ucMC32))
		putMask32(uc[ucMask32:], uc[ucMask32+4:], f.Mask)
		mcontext32(c, uc[ucMC32:])
	} else {
		be.PutUint32(b[signalNo:], uint32(f.No))
		be.PutUint32(b[scHandler32:], uint32(f.Handler))
		putMask32(b[scMask32:], b[scMaskHi32:], f.Mask)
		be.PutUint32(b[scRegs32:], uint32(at+scLen32))
		mcontext32(c, b[scLen32:])
	}
	if err := m.CopyOut(img, sp); err != nil {
		return err
	}
	if f.Siginfo {
		enter(c, f.Handler&^3, sp, ret, uint64(f.No), at, at+rtUC32, at)
	} else {
		enter(c, f.Handler&^3, sp, ret, uint64(f.No), at)
	}
	return nil
}

// putMask32 stores the two words of a mask, that of the first signals first.
func putMask32(lo, hi []byte, mask uint64) {
	be.PutUint32(lo, uint32(mask))
	be.PutUint32(hi, uint32(mask>>32))
}

func mask32(lo, hi []byte) uint64 { return uint64(be.Uint32(lo)) | uint64(be.Uint32(hi))<<32 }

// mcontext32 is save_user_regs.
func mcontext32(c arch.CPU, mc []byte) {
	var flags uint64
	if hasVectors(c) {
		flags = msrVECUser
		vectors(c, mc[mcVR32:])
		be.PutUint32(mc[vrsaveOff:], uint32(c.Reg(vrsave)))
	}
	copy(mc, gregs(c, 4, flags))
	set := fp
	_ = set.Get(c, 0, mc[mcFP32:][:fpLen]) // it is all of the set
}

// return32 is sys_sigreturn and sys_rt_sigreturn; both find the registers by a
// pointer in the frame.
func return32(c arch.CPU, m arch.UserMem, rt bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	sp := c.Reg(r0 + 1)
	var at uint64
	if rt {
		uc := make([]byte, ucHeadLen)
		if err := m.CopyIn(uc, (sp+rtGap32+rtUC32)&0xffffffff); err != nil {
			return out, err
		}
		out.Mask = mask32(uc[ucMask32:], uc[ucMask32+4:])
		out.Alt = &arch.SigStack{
			SP: uint64(be.Uint32(uc[ucStack32:])), Flags: be.Uint32(uc[ucStack32+4:]), Size: uint64(be.Uint32(uc[ucStack32+8:])),
		}
		at = uint64(be.Uint32(uc[ucRegs32:]))
	} else {
		sc := make([]byte, scLen32)
		if err := m.CopyIn(sc, (sp+gap32)&0xffffffff); err != nil {
			return out, err
		}
		out.Mask = mask32(sc[scMask32:], sc[scMaskHi32:])
		at = uint64(be.Uint32(sc[scRegs32:]))
	}
	return out, restore32(c, m, at)
}

// restore32 is restore_user_regs for a signal.
func restore32(c arch.CPU, m arch.UserMem, at uint64) error {
	mc := make([]byte, mcLen32)
	if err := m.CopyIn(mc, at); err != nil {
		return err
	}
	putGregs(c, mc, 4)
	set := fp
	if err := set.Put(c, 0, mc[mcFP32:][:fpLen]); err != nil {
		return err
	}
	var vr []byte
	if slot(mc, 4, slotMSR)&msrVECUser != 0 {
		vr = mc[mcVR32:]
	}
	return putVectors(c, vr, be.Uint32(mc[vrsaveOff:]))
}

// swap32 is sys_swapcontext, behind getcontext, setcontext and swapcontext of
// the C library. The thread pointer stays.
func swap32(c arch.CPU, m arch.UserMem, old, new, size, mask uint64) (out arch.SigRestore, taken bool, err error) {
	if size < ucMC32+mcLen32 {
		return out, false, unix.EINVAL
	}
	if old != 0 {
		at := (old + ucMC32) &^ (frameAlign - 1)
		mc := make([]byte, mcLen32)
		// The kernel's entry has taken the error flag away.
		c.SetReg(cr, c.Reg(cr)&^cr0SO)
		mcontext32(c, mc)
		var head [ucHeadLen - ucRegs32]byte
		be.PutUint32(head[:], uint32(at))
		putMask32(head[ucMask32-ucRegs32:], head[ucMask32-ucRegs32+4:], mask)
		if err := m.CopyOut(mc, at); err != nil {
			return out, false, err
		}
		if err := m.CopyOut(head[:], old+ucRegs32); err != nil {
			return out, false, err
		}
	}
	if new == 0 {
		return out, false, nil
	}
	uc := make([]byte, ucHeadLen)
	if err := m.CopyIn(uc, new); err != nil {
		return out, false, err
	}
	out.Mask = mask32(uc[ucMask32:], uc[ucMask32+4:])
	tls := c.Reg(r0 + 2)
	err = restore32(c, m, uint64(be.Uint32(uc[ucRegs32:])))
	c.SetReg(r0+2, tls)
	return out, true, err
}
