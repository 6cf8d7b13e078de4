package ppc

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// The library's exception numbers.
const (
	excAlign   = 5
	excProgram = 6
	excNoFP    = 7
	excSyscall = 8
	excTrace   = 68
	excNoVR    = 73
	excNoVSX   = 94
	excIllegal = 96 // hypervisor emulation assistance
)

// Codes of siginfo that x/sys does not have.
const (
	illIllopc = 1 // ILL_ILLOPC
	illPrvopc = 5 // ILL_PRVOPC

	busAdraln = 1 // BUS_ADRALN

	segvMaperr = 1 // SEGV_MAPERR

	fpeFltunk = 14 // FPE_FLTUNK
	fpeFltdiv = 3
	fpeFltovf = 4
	fpeFltund = 5
	fpeFltres = 6
	fpeFltinv = 7

	trapBrkpt = 1 // TRAP_BRKPT
)

// insnLen is the length of an instruction. The library reports every exception
// with PC behind the instruction.
const insnLen = 4

func fault(sig unix.Signal, code int, pc, addr uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(sig), Code: code, Addr: addr}
}

// kernel is what differs between the two kernels.
type kernel struct {
	mask uint64 // of addresses
}

func (k kernel) trap(c arch.CPU, e arch.Exception) arch.Trap {
	t := k.explain(c, e)
	noteTrap(c, t)
	return t
}

func (k kernel) explain(c arch.CPU, e arch.Exception) arch.Trap {
	switch e.Kind {
	case arch.ExcMem:
		return arch.Trap{Kind: arch.TrapDefault, PC: e.PC}
	case arch.ExcInvalid:
		return k.illegal(c, e.PC, illIllopc)
	}
	pc := (e.PC - insnLen) & k.mask
	switch e.No {
	case excSyscall:
		c.SetReg(origR3, c.Reg(r0+3))
		c.SetReg(trapNo, vecSyscall)
		return arch.Trap{Kind: arch.TrapSyscall, PC: e.PC & k.mask}
	case excTrace:
		return arch.Trap{Kind: arch.TrapStep, PC: pc}
	case excProgram:
		return k.program(c, pc)
	case excAlign:
		return k.alignment(c, pc)
	case excNoFP, excNoVR, excNoVSX: // a unit that this CPU does not have
		return fault(unix.SIGILL, illIllopc, pc, pc)
	}
	return k.illegal(c, pc, illIllopc)
}

// vecSyscall is the vector of sc, which pt_regs.trap shows.
const vecSyscall = 0xc00

// program is a program check. The library does not say which: illegal
// instructions come under another number, so it is a trap instruction, a
// floating point exception that is enabled, or a privileged instruction.
func (k kernel) program(c arch.CPU, pc uint64) arch.Trap {
	insn, ok := fetch(c, pc)
	if !ok {
		return fault(unix.SIGSEGV, segvMaperr, pc, pc)
	}
	const fex = 1 << 30
	switch {
	case isTrap(insn):
		return arch.Trap{Kind: arch.TrapBreak, PC: pc, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: pc}
	case isFloat(insn) && c.Reg(fpscr)&fex != 0:
		return fault(unix.SIGFPE, fpeCode(c.Reg(fpscr)), pc, pc)
	case insn == insnRfi && k.mask>>32 != 0: // which 64-bit processors do not have
		return k.illegal(c, pc, illIllopc)
	}
	return k.illegal(c, pc, illPrvopc)
}

// illegal emulates an instruction as the kernel does, or ends in SIGILL with
// the code given.
func (k kernel) illegal(c arch.CPU, pc uint64, code int) arch.Trap {
	insn, ok := fetch(c, pc)
	if !ok {
		return fault(unix.SIGSEGV, segvMaperr, pc, pc)
	}
	switch k.emulate(c, insn) {
	case done:
		return arch.Trap{Kind: arch.TrapResume, PC: (pc + insnLen) & k.mask}
	case badAddress: // the kernel gives the instruction's address here
		return fault(unix.SIGSEGV, segvMaperr, pc, pc)
	}
	return fault(unix.SIGILL, code, pc, pc)
}

// alignment is an access that the CPU wants aligned: a load with reservation
// or its store, in the form rA, rB.
func (k kernel) alignment(c arch.CPU, pc uint64) arch.Trap {
	insn, ok := fetch(c, pc)
	if !ok {
		return fault(unix.SIGSEGV, segvMaperr, pc, pc)
	}
	addr := k.indexed(c, insn)
	c.SetReg(dar, addr)
	return fault(unix.SIGBUS, busAdraln, pc, addr)
}

// indexed is the address (rA|0) + rB of an instruction.
func (k kernel) indexed(c arch.CPU, insn uint32) uint64 {
	return (base(c, insn) + c.Reg(rB(insn))) & k.mask
}

func fetch(m arch.Mem, pc uint64) (uint32, bool) {
	var b [insnLen]byte
	_, err := m.ReadAt(b[:], pc)
	return be.Uint32(b[:]), err == nil
}

const insnRfi = 0x4c000064

// isTrap reports whether insn is tw, td, twi or tdi.
func isTrap(insn uint32) bool {
	switch insn >> 26 {
	case 2, 3:
		return true
	case 31:
		xo := insn >> 1 & 0x3ff
		return xo == 4 || xo == 68
	}
	return false
}

// isFloat reports whether insn computes in floating point or moves to FPSCR.
func isFloat(insn uint32) bool {
	op := insn >> 26
	return op == 59 || op == 60 || op == 63
}

// fpeCode is __parse_fpscr of the kernel: the si_code of the first exception
// in FPSCR that is enabled.
func fpeCode(v uint64) int {
	for _, x := range []struct {
		bit, enable uint64
		code        int
	}{
		{1 << 29, 1 << 7, fpeFltinv},
		{1 << 28, 1 << 6, fpeFltovf},
		{1 << 27, 1 << 5, fpeFltund},
		{1 << 26, 1 << 4, fpeFltdiv},
		{1 << 25, 1 << 3, fpeFltres},
	} {
		if v&x.bit != 0 && v&x.enable != 0 {
			return x.code
		}
	}
	return fpeFltunk
}
