package arm64

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var signals = arch.Signals{Setup: setupFrame, Return: returnFrame, Fault: noteFault}

var le = binary.LittleEndian

// struct rt_sigframe and its parts (arch/arm64/kernel/signal.c,
// uapi/asm/sigcontext.h).
const (
	frameUC    = 128 // after siginfo
	ucStack    = 16
	ucMask     = 40
	ucFault    = 176 // uc_mcontext: fault_address
	ucRegs     = ucFault + 8
	ucReserved = ucFault + 288
	reserved   = 4096
	ucSize     = ucReserved + reserved
	frameSize  = frameUC + ucSize
	recordSize = 16 // struct frame_record: fp, lr

	fpsimdMagic = 0x46508001
	fpsimdSize  = 528
	esrMagic    = 0x45535201
	esrSize     = 16
	headSize    = 8
)

// vdso is the page with __kernel_rt_sigreturn, which handlers return to
// without a restorer and which unwinders know by its instructions.
const (
	vdso          = 1<<39 - 128<<20
	vdsoSigreturn = 0x7a8
)

func vdsoPage() []byte {
	p := make([]byte, 4096)
	for i := 0; i < len(p); i += 4 {
		le.PutUint32(p[i:], 0xd503201f) // nop
	}
	le.PutUint32(p[vdsoSigreturn:], 0xd2801168)   // mov x8, #139
	le.PutUint32(p[vdsoSigreturn+4:], 0xd4000001) // svc #0
	return p
}

// The fault status that user mode sees (asm/esr.h).
const (
	esrIABT  = 0x20<<26 | esrIL
	esrDABT  = 0x24<<26 | esrIL
	esrIL    = 1 << 25
	esrWrite = 1 << 6
	fscTrans = 7 // level 3
	fscPerm  = 0xf
	fscAlign = 0x21
)

// noteFault is set_thread_esr: what a frame tells of a memory fault.
func noteFault(c arch.CPU, f arch.SigFault) {
	esr := uint64(esrDABT)
	if f.Access == arch.Exec {
		esr = esrIABT
	}
	if f.Access == arch.Write {
		esr |= esrWrite
	}
	if f.Signo == int(unix.SIGSEGV) && f.Code != segvMapErr {
		esr |= fscPerm
	} else {
		esr |= fscTrans
	}
	c.SetReg(faultCode, esr)
	c.SetReg(faultAddr, f.Addr)
}

// noteTrap is what arm64_notify_die leaves, and do_alignment_fault.
func noteTrap(c arch.CPU, t arch.Trap) {
	if t.Kind != arch.TrapSignal {
		return
	}
	c.SetReg(faultAddr, 0)
	c.SetReg(faultCode, 0)
	if t.Signo == int(unix.SIGBUS) {
		c.SetReg(faultAddr, t.Addr)
		c.SetReg(faultCode, esrDABT|fscAlign)
	}
}

// setupFrame is setup_rt_frame.
func setupFrame(c arch.CPU, m arch.UserMem, f *arch.SigFrame) error {
	record := (f.SP - recordSize) &^ 15
	at := record - frameSize
	if at >= f.SP {
		return unix.EFAULT
	}
	img := make([]byte, frameSize+recordSize)
	if f.Siginfo {
		copy(img[:frameUC], f.Info)
	}
	uc := img[frameUC:]
	le.PutUint64(uc[ucStack:], f.Alt.SP)
	le.PutUint32(uc[ucStack+8:], f.Alt.Flags)
	le.PutUint64(uc[ucStack+16:], f.Alt.Size)
	le.PutUint64(uc[ucMask:], f.Mask)
	le.PutUint64(uc[ucFault:], c.Reg(faultAddr))
	getGeneral(c, uc[ucRegs:])
	fillReserved(c, uc[ucReserved:ucSize])
	le.PutUint64(img[frameSize:], c.Reg(x0+29))
	le.PutUint64(img[frameSize+8:], c.Reg(x0+30))
	if err := m.CopyOut(img, at); err != nil {
		return err
	}
	c.SetReg(x0, uint64(f.No))
	if f.Siginfo {
		c.SetReg(x0+1, at)
		c.SetReg(x0+2, at+frameUC)
	}
	c.SetReg(regSP, at)
	c.SetReg(x0+29, record)
	if f.Restorer != 0 {
		c.SetReg(x0+30, f.Restorer)
	} else {
		c.SetReg(x0+30, vdso+vdsoSigreturn)
	}
	c.SetReg(regPC, f.Handler)
	c.SetReg(pstate, c.Reg(pstate)&^psrBTYPE)
	return nil
}

// fillReserved writes the records behind the registers; the last is empty.
func fillReserved(c arch.CPU, b []byte) {
	le.PutUint32(b, fpsimdMagic)
	le.PutUint32(b[4:], fpsimdSize)
	var fp [528]byte // 512 of registers, FPSR, FPCR, padding
	getFP(c, fp[:])
	copy(b[8:16], fp[512:520])
	copy(b[16:fpsimdSize], fp[:512])
	if esr := c.Reg(faultCode); esr != 0 {
		b = b[fpsimdSize:]
		le.PutUint32(b, esrMagic)
		le.PutUint32(b[4:], esrSize)
		le.PutUint64(b[8:], esr)
	}
}

// returnFrame is sys_rt_sigreturn.
func returnFrame(c arch.CPU, m arch.UserMem, _ bool) (arch.SigRestore, error) {
	var out arch.SigRestore
	sp := c.Reg(regSP)
	if sp&15 != 0 {
		return out, unix.EFAULT
	}
	uc := make([]byte, ucSize)
	if err := m.CopyIn(uc, sp+frameUC); err != nil {
		return out, err
	}
	out.Mask = le.Uint64(uc[ucMask:])
	out.Alt = &arch.SigStack{SP: le.Uint64(uc[ucStack:]), Flags: le.Uint32(uc[ucStack+8:]), Size: le.Uint64(uc[ucStack+16:])}
	c.SetReg(syscallNo, noSyscall)
	if err := putGeneral(c, uc[ucRegs:]); err != nil {
		return out, err
	}
	fp, err := findFP(uc[ucReserved:])
	if err != nil {
		return out, err
	}
	var img [528]byte
	copy(img[512:], fp[8:16])
	copy(img[:], fp[16:])
	return out, putFP(c, img[:])
}

// findFP is parse_user_sigframe: the floating point record among those in b,
// which must be there once; records that the kernel does not know are errors.
func findFP(b []byte) (fp []byte, err error) {
	for {
		if len(b) < headSize {
			return nil, unix.EINVAL
		}
		magic, size := le.Uint32(b), uint64(le.Uint32(b[4:]))
		if magic == 0 {
			if size != 0 || fp == nil {
				return nil, unix.EINVAL
			}
			return fp, nil
		}
		if size < headSize || size > uint64(len(b)) || size&15 != 0 {
			return nil, unix.EINVAL
		}
		switch {
		case magic == fpsimdMagic && fp == nil && size == fpsimdSize:
			fp = b[:size]
		case magic == esrMagic:
		default:
			return nil, unix.EINVAL
		}
		b = b[size:]
	}
}

// rewind goes back to the SVC, with its first argument back in the register
// that the result shares with it.
func rewind(r regset.Regs) {
	r.SetReg(x0, r.Reg(origX0))
	r.SetReg(regPC, r.Reg(regPC)-4)
}
