package ppc

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

var signals64 = arch.Signals{Setup: setup64, Return: return64, Fault: noteFault}

// struct rt_sigframe and its parts (arch/powerpc/kernel/signal_64.c of a
// kernel without transactional memory, uapi/asm/sigcontext.h).
const (
	gap64     = 128 // __SIGNAL_FRAMESIZE
	redzone64 = 512 // USER_REDZONE_SIZE

	ucStack64   = 16
	ucMask64    = 40
	sc64        = 168 // uc_mcontext
	scSignal64  = sc64 + 32
	scHandler64 = scSignal64 + 8
	scRegs64    = scSignal64 + 24
	scGP64      = scSignal64 + 32
	scFP64      = scGP64 + slots*8
	scVR64      = scFP64 + fpLen // v_regs, the pointer
	scVMX64     = scVR64 + 8     // vmx_reserve
	ucLen64     = scVMX64 + 101*8
	rtTramp64   = ucLen64 + 16
	rtPinfo64   = rtTramp64 + 32 // six or seven words, and padding
	rtPuc64     = rtPinfo64 + 8
	rtInfo64    = rtPuc64 + 8
	rtLen64     = (rtInfo64 + siginfoLen + redzone64 + 15) &^ 15

	vsxLen = 32 * 8
	vrLen  = 34 * 16 // the vectors, VSCR, VRSAVE
)

// setup64 is handle_rt_signal64, for the ELFv1 ABI: the handler is a function
// descriptor. It starts at once, as up to Linux 5.8; later kernels call it
// from the trampoline.
func setup64(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	at := (f.SP - rtLen64) &^ (frameAlign - 1)
	sp := at - gap64
	if sp >= f.SP {
		return unix.EFAULT
	}
	var fn [16]byte
	if err := m.CopyIn(fn[:], f.Handler); err != nil {
		return err
	}
	img := make([]byte, gap64+rtLen64-redzone64)
	be.PutUint64(img, c.Reg(r0+1)) // the back chain
	b := img[gap64:]
	be.PutUint64(b[ucStack64:], f.Alt.SP)
	be.PutUint32(b[ucStack64+8:], f.Alt.Flags)
	be.PutUint64(b[ucStack64+16:], f.Alt.Size)
	be.PutUint64(b[ucMask64:], f.Mask)
	be.PutUint32(b[scSignal64:], uint32(f.No))
	be.PutUint64(b[scHandler64:], f.Handler)
	sigcontext64(c, b, at)
	be.PutUint64(b[rtPinfo64:], at+rtInfo64)
	be.PutUint64(b[rtPuc64:], at)
	if f.Siginfo {
		copy(b[rtInfo64:][:siginfoLen], f.Info)
	}
	if err := m.CopyOut(img, sp); err != nil {
		return err
	}
	pc, toc := be.Uint64(fn[:]), be.Uint64(fn[8:])
	if f.Siginfo {
		enter(c, pc&^3, sp, vdso64+trampRt, uint64(f.No), at+rtInfo64, at, at)
	} else {
		enter(c, pc&^3, sp, vdso64+trampRt, uint64(f.No), at+sc64)
	}
	c.SetReg(r0+2, toc)
	return nil
}

// sigcontext64 is setup_sigcontext for the frame at address at.
func sigcontext64(c arch.CPU, b []byte, at uint64) {
	vr := (at + scVMX64 + 15) &^ 15
	be.PutUint64(b[scVR64:], vr)
	var flags uint64
	if hasVectors(c) {
		img := b[vr-at:]
		vectors(c, img)
		be.PutUint32(img[33*16:], uint32(c.Reg(vrsave)))
		set := vsx
		_ = set.Get(c, 0, img[vrLen:][:vsxLen]) // it is all of the set
		flags = msrVECUser | msrVSXUser
	}
	be.PutUint64(b[scRegs64:], at+scGP64)
	copy(b[scGP64:], gregs(c, 8, flags))
	set := fp
	_ = set.Get(c, 0, b[scFP64:][:fpLen])
}

// return64 is sys_rt_sigreturn; the trampoline has taken away the handler's
// caller's frame.
func return64(c arch.CPU, m arch.UserMem, _ bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	uc := make([]byte, scVMX64)
	if err := m.CopyIn(uc, c.Reg(r0+1)); err != nil {
		return out, err
	}
	out.Mask = be.Uint64(uc[ucMask64:])
	out.Alt = &arch.SigStack{SP: be.Uint64(uc[ucStack64:]), Flags: be.Uint32(uc[ucStack64+8:]), Size: be.Uint64(uc[ucStack64+16:])}
	putGregs(c, uc[scGP64:], 8)
	set := fp
	if err := set.Put(c, 0, uc[scFP64:][:fpLen]); err != nil {
		return out, err
	}
	if !hasVectors(c) {
		return out, nil
	}
	flags, at := slot(uc[scGP64:], 8, slotMSR), be.Uint64(uc[scVR64:])
	img := make([]byte, vrLen+vsxLen)
	if at != 0 {
		n := vrLen
		if flags&msrVSXUser != 0 {
			n = len(img)
		}
		if err := m.CopyIn(img[:n], at); err != nil {
			return out, err
		}
	}
	save := be.Uint32(img[33*16:])
	if flags&msrVECUser == 0 {
		clear(img[:vmxLen])
	}
	if err := putVectors(c, img[:vmxLen], save); err != nil {
		return out, err
	}
	low := vsx
	return out, low.Put(c, 0, img[vrLen:])
}
