package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var signals32 = arch.Signals{Setup: setup32, Return: return32, Fault: noteFault}

// struct sigframe_ia32, struct rt_sigframe_ia32 and their parts
// (arch/x86/include/asm/sigframe.h).
const (
	sigSC32    = 8 // after pretcode and sig
	scSize32   = 88
	fpSize32   = 624 // struct _fpstate_32, which is not used there any more
	sigMask32  = sigSC32 + scSize32 + fpSize32
	sigCode32  = sigMask32 + 4
	sigSize32  = sigCode32 + 8
	rtInfo32   = 16
	rtUC32     = rtInfo32 + siginfoLen
	ucStack32  = 8
	ucSC32     = 20
	ucMask32   = ucSC32 + scSize32
	rtCode32   = rtUC32 + ucMask32 + 8
	rtSize32   = rtCode32 + 8
	fsaveSize  = 112 // struct fregs_state and the status word
	sigPopLen  = 4   // what the trampoline of the old frame has popped
	scTrap32   = 48
	scErr32    = 52
	scFlags32  = 64
	scSP32     = 68
	scFP32     = 76
	scOld32    = 80
	scCR232    = 84
	fsaveStat  = 108
	fsaveMagic = 110
)

// sc32 is where struct sigcontext_32 has the registers.
var sc32 = []struct {
	off int
	id  regset.ID
}{
	{16, rdi}, {20, rsi}, {24, rbp}, {28, rsp}, {32, rbx}, {36, rdx}, {40, rcx}, {44, rax}, {56, rip},
}

// segs32 is the same for the segment registers.
var segs32 = []struct {
	off int
	id  regset.ID
}{{0, gs}, {4, fs}, {8, es}, {12, ds}, {72, ss}}

const scCS32 = 60

// vdso32 is the page with the functions that handlers return to without a
// restorer: __kernel_sigreturn and __kernel_rt_sigreturn of the vDSO, which
// unwinders know by their instructions.
const (
	vdso32        = 0xf7ffe000
	vdsoReturn    = 0x571
	vdsoRtReturn  = 0x581
	vdsoSyscall32 = 0x560 // __kernel_vsyscall
)

var (
	// pop %eax; mov $__NR_sigreturn,%eax; int $0x80
	retcode32 = []byte{0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80}
	// mov $__NR_rt_sigreturn,%eax; int $0x80
	rtRetcode32 = []byte{0xb8, 173, 0, 0, 0, 0xcd, 0x80}
)

func vdsoPage32() []byte {
	p := make([]byte, pageSize)
	for i := range p {
		p[i] = 0x90
	}
	copy(p[vdsoSyscall32:], []byte{0xcd, 0x80, 0xc3})
	copy(p[vdsoReturn:], retcode32)
	copy(p[vdsoRtReturn:], rtRetcode32)
	return p
}

// setup32 is ia32_setup_frame and ia32_setup_rt_frame.
func setup32(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	size := uint64(sigSize32)
	if f.Siginfo {
		size = rtSize32
	}
	fp, fx := fpFrame(f.SP, fsaveSize)
	at := (fp-size+4)&^(frameAlign-1) - 4
	if fp >= f.SP || at >= fp || !f.Fits(at) { // the stack pointer is near zero
		return unix.EFAULT
	}
	img := make([]byte, fx-at+fxSize)
	if f.Siginfo {
		rtFrame32(c, img, f, at, fp)
	} else {
		frame32(c, img, f, fp)
	}
	fsave(c, img[fp-at:][:fsaveStat])
	le.PutUint16(img[fp-at+fsaveStat:], uint16(c.Reg(fstat)))
	le.PutUint16(img[fp-at+fsaveMagic:], 0) // X86_FXSR_MAGIC
	fxsave(8)(c, img[fx-at:])
	if err := m.CopyOut(img, at); err != nil {
		return err
	}
	resetFPU(c, 8)
	var info, uc uint64
	if f.Siginfo {
		info, uc = at+rtInfo32, at+rtUC32
	}
	for _, r := range []struct {
		id regset.ID
		v  uint64
	}{{rsp, at}, {rip, f.Handler}, {rax, uint64(f.No)}, {rdx, info}, {rcx, uc}, {eflags, c.Reg(eflags) &^ handlerFlags}} {
		c.SetReg(r.id, r.v)
	}
	for _, id := range []regset.ID{ds, es, ss} {
		if c.Reg(id) != selUserDS {
			c.SetReg(id, selUserDS)
		}
	}
	return nil
}

func frame32(c arch.CPU, img []byte, f *arch.SigFrame, fp uint64) {
	ret := uint64(vdso32 + vdsoReturn)
	if f.Restorer != 0 {
		ret = f.Restorer
	}
	le.PutUint32(img[0:], uint32(ret))
	le.PutUint32(img[4:], uint32(f.No))
	context32(c, img[sigSC32:], f.Mask, fp)
	le.PutUint32(img[sigMask32:], uint32(f.Mask>>32))
	copy(img[sigCode32:], retcode32)
}

func rtFrame32(c arch.CPU, img []byte, f *arch.SigFrame, at, fp uint64) {
	ret := uint64(vdso32 + vdsoRtReturn)
	if f.Restorer != 0 {
		ret = f.Restorer
	}
	for i, v := range []uint64{ret, uint64(f.No), at + rtInfo32, at + rtUC32} {
		le.PutUint32(img[4*i:], uint32(v))
	}
	copy(img[rtInfo32:rtUC32], f.Info)
	uc := img[rtUC32:]
	le.PutUint32(uc[ucStack32:], uint32(f.Alt.SP))
	le.PutUint32(uc[ucStack32+4:], f.Alt.Flags)
	le.PutUint32(uc[ucStack32+8:], uint32(f.Alt.Size))
	context32(c, uc[ucSC32:], f.Mask, fp)
	le.PutUint64(uc[ucMask32:], f.Mask)
	copy(img[rtCode32:], rtRetcode32)
}

// context32 fills struct sigcontext_32.
func context32(c arch.CPU, sc []byte, mask, fp uint64) {
	for _, r := range sc32 {
		le.PutUint32(sc[r.off:], uint32(c.Reg(r.id)))
	}
	for _, r := range segs32 {
		le.PutUint32(sc[r.off:], uint32(c.Reg(r.id)))
	}
	le.PutUint32(sc[scCS32:], uint32(c.Reg(cs)))
	le.PutUint32(sc[scTrap32:], uint32(c.Reg(trapNo)))
	le.PutUint32(sc[scErr32:], uint32(c.Reg(trapErr)))
	le.PutUint32(sc[scFlags32:], uint32(c.Reg(eflags)))
	le.PutUint32(sc[scSP32:], uint32(c.Reg(rsp)))
	le.PutUint32(sc[scFP32:], uint32(fp))
	le.PutUint32(sc[scOld32:], uint32(mask))
	le.PutUint32(sc[scCR232:], uint32(c.Reg(cr2)))
}

// return32 is sigreturn, whose trampoline has popped the return address and
// the signal number, and rt_sigreturn.
func return32(c arch.CPU, m arch.UserMem, rt bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	if !rt {
		b := make([]byte, sigCode32)
		if err := m.CopyIn(b, (c.Reg(rsp)-4-sigPopLen)&0xffffffff); err != nil {
			return out, err
		}
		out.Mask = uint64(le.Uint32(b[sigSC32+scOld32:])) | uint64(le.Uint32(b[sigMask32:]))<<32
		return out, restore32(c, m, b[sigSC32:])
	}
	uc := make([]byte, ucMask32+8)
	if err := m.CopyIn(uc, (c.Reg(rsp)-4+rtUC32)&0xffffffff); err != nil {
		return out, err
	}
	out.Mask = le.Uint64(uc[ucMask32:])
	out.Alt = &arch.SigStack{
		SP: uint64(le.Uint32(uc[ucStack32:])), Flags: le.Uint32(uc[ucStack32+4:]), Size: uint64(le.Uint32(uc[ucStack32+8:])),
	}
	return out, restore32(c, m, uc[ucSC32:])
}

// restore32 is ia32_restore_sigcontext. A data selector that cannot be loaded
// becomes null, as in the kernel; a bad code or stack segment would fault on
// the way back.
func restore32(c arch.CPU, m arch.UserMem, sc []byte) error {
	for _, r := range sc32 {
		c.SetReg(r.id, uint64(le.Uint32(sc[r.off:])))
	}
	flags := uint64(le.Uint32(sc[scFlags32:]))
	c.SetReg(eflags, c.Reg(eflags)&^fixFlags|flags&fixFlags)
	c.SetReg(origRAX, 0xffffffff)
	if le.Uint16(sc[scCS32:])|3 != selUser32CS {
		return unix.EFAULT
	}
	for _, r := range segs32 {
		sel := uint64(le.Uint16(sc[r.off:]))
		if sel != 0 || r.id == ss {
			sel |= 3
		}
		if segment(c, tables32, r.id, sel) {
			continue
		}
		if r.id == ss {
			return unix.EFAULT
		}
		c.SetReg(r.id, 0)
	}
	at := uint64(le.Uint32(sc[scFP32:]))
	if err := restoreFP(c, m, at, fsaveSize, 8); err != nil || at == 0 {
		return err
	}
	// The x87 part counts in the form of FSAVE.
	head := make([]byte, fsaveStat)
	if err := m.CopyIn(head, at); err != nil {
		return err
	}
	return frstor(c, head)
}
