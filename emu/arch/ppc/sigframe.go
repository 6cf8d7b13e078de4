package ppc

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// What the frames of both word sizes have in common.
const (
	siginfoLen = 128
	fpLen      = 33 * 8  // f0 to f31, FPSCR
	vmxLen     = 33 * 16 // the vectors, VSCR
	signalNo   = 16      // in struct sigcontext
	msrVECUser = 1 << 25 // MSR_VEC as frames have it
	msrVSXUser = 1 << 23
)

// The trampolines that handlers return to: __kernel_sigtramp32,
// __kernel_sigtramp_rt32 and __kernel_sigtramp_rt64 of the vDSO. Unwinders
// know them by their instructions.
const (
	vdso32  = 0xb8000000
	vdso64  = 0x7ffff8000000
	tramp   = 0x3c4 // after a nop: unwinders look at the instruction before
	trampRt = 0x3d4

	insnNop   = 0x60000000
	insnLi0   = 0x38000000 // li r0,n
	insnSc    = 0x44000002
	insnAddSP = 0x38210000 // addi r1,r1,n

	nrSigreturn   = 119
	nrRtSigreturn = 172
)

func vdsoPage(code map[int][]uint32) []byte {
	p := make([]byte, pageSize)
	for i := 0; i < len(p); i += 4 {
		be.PutUint32(p[i:], insnNop)
	}
	for at, insns := range code {
		for i, w := range insns {
			be.PutUint32(p[at+4*i:], w)
		}
	}
	return p
}

func vdsoPage32() []byte {
	return vdsoPage(map[int][]uint32{
		tramp:   {insnLi0 | nrSigreturn, insnSc},
		trampRt: {insnLi0 | nrRtSigreturn, insnSc},
	})
}

// The vectors of struct pt_regs.trap.
const (
	vecDSI     = 0x300
	vecISI     = 0x400
	vecAlign   = 0x600
	vecProgram = 0x700
	vecTrace   = 0xd00
)

// Bits of DSISR.
const (
	dsisrNoHPTE  = 0x40000000
	dsisrProt    = 0x08000000
	dsisrIsStore = 0x02000000
)

// noteFault fills what pt_regs tells of a memory fault. An instruction fetch
// has its status in SRR1, of which the kernel keeps these bits in dsisr.
func noteFault(c arch.CPU, f arch.SigFault) {
	const accessError = 2 // SEGV_ACCERR
	status := uint64(dsisrNoHPTE)
	if f.Signo == int(unix.SIGSEGV) && f.Code == accessError {
		status = dsisrProt
	}
	if f.Access == arch.Exec {
		c.SetReg(trapNo, vecISI)
		c.SetReg(dsisr, status)
		return
	}
	if f.Access == arch.Write {
		status |= dsisrIsStore
	}
	c.SetReg(trapNo, vecDSI)
	c.SetReg(dar, f.Addr)
	c.SetReg(dsisr, status)
}

// noteTrap fills pt_regs.trap for the other exceptions.
func noteTrap(c arch.CPU, t arch.Trap) {
	switch t.Kind {
	case arch.TrapStep:
		c.SetReg(trapNo, vecTrace)
	case arch.TrapSignal, arch.TrapBreak:
		vec := uint64(vecProgram)
		if t.Signo == int(unix.SIGBUS) {
			vec = vecAlign
		}
		c.SetReg(trapNo, vec)
	}
}

// gregs fills mc_gregs or gp_regs: struct pt_regs with the machine state that
// tells which of the other registers the frame holds.
func gregs(c arch.CPU, size int, flags uint64) []byte {
	img := make([]byte, slots*size)
	set := general(size)
	_ = set.Get(c, 0, img) // it is all of the set
	// Interrupts came with user mode, steps are the tracer's.
	putSlot(img, size, slotMSR, userMSR(size)|flags)
	return img
}

func putSlot(img []byte, size, i int, v uint64) {
	if size == 4 {
		be.PutUint32(img[4*i:], uint32(v))
		return
	}
	be.PutUint64(img[8*i:], v)
}

func slot(img []byte, size, i int) uint64 {
	if size == 4 {
		return uint64(be.Uint32(img[4*i:]))
	}
	return be.Uint64(img[8*i:])
}

// putGregs restores the registers of struct pt_regs, but the machine state,
// and marks the task as out of its system call.
func putGregs(c arch.CPU, img []byte, size int) {
	for i, id := range order {
		switch id {
		case 0, msr, trapNo:
		case xer:
			if v := slot(img, size, i) & 0xffffffff; v != c.Reg(xer) {
				c.SetReg(xer, v)
			}
		default:
			c.SetReg(id, slot(img, size, i))
		}
	}
	c.SetReg(trapNo, 0)
}

func hasVectors(c arch.CPU) bool { return c.Reg(msr)&msrVR != 0 }

// vectors fills the AltiVec part: vmxLen bytes, then VRSAVE where the caller
// wants it.
func vectors(c arch.CPU, img []byte) {
	set := vmx
	b := make([]byte, set.Bytes())
	_ = set.Get(c, 0, b) // it is all of the set
	copy(img[:vmxLen], b)
}

// putVectors restores the AltiVec registers, or clears them if img is nil, and
// VRSAVE.
func putVectors(c arch.CPU, img []byte, save uint32) error {
	if !hasVectors(c) {
		return nil
	}
	set := vmx
	b := make([]byte, set.Bytes())
	copy(b, img)
	be.PutUint32(b[33*16:], save)
	return set.Put(c, 0, b)
}

// enter sets the registers that handlers of both word sizes start with. The
// exceptions of the floating point unit are off for a handler.
func enter(c arch.CPU, pc, sp, ret uint64, args ...uint64) {
	for i, v := range args {
		c.SetReg(r0+3+regset.ID(i), v)
	}
	c.SetReg(nip, pc)
	c.SetReg(lr, ret)
	c.SetReg(r0+1, sp)
	c.SetReg(result, 0)
	c.SetReg(trapNo, 0)
	c.SetReg(fpscr, 0)
}
