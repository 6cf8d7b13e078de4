package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Exception numbers.
const (
	excDE = 0  // divide error
	excDB = 1  // debug
	excBP = 3  // int3
	excOF = 4  // into
	excBR = 5  // bound
	excUD = 6  // undefined instruction
	excDF = 8  // double fault
	excNP = 11 // segment not present
	excSS = 12 // stack segment
	excGP = 13 // general protection
	excMF = 16 // x87 error
	excAC = 17 // alignment
	excXM = 19 // SSE error

	vecSyscall = 0x80
)

// Codes of siginfo that x/sys does not have.
const (
	siKernel = 0x80 // SI_KERNEL

	illIllopn = 2 // ILL_ILLOPN
	busAdraln = 1 // BUS_ADRALN

	fpeIntdiv = 1 // FPE_INTDIV
	fpeFltdiv = 3
	fpeFltovf = 4
	fpeFltund = 5
	fpeFltres = 6
	fpeFltinv = 7

	trapBrkpt = 1 // TRAP_BRKPT
)

// syscallLen is the length of SYSCALL and of int 0x80.
const syscallLen = 2

// kernelSignal is a signal that says no more than which one it is.
func kernelSignal(sig unix.Signal, pc uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(sig), Code: siKernel}
}

// fault is a signal whose address is that of the instruction.
func fault(sig unix.Signal, code int, pc uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(sig), Code: code, Addr: pc}
}

func trap64(c arch.CPU, e arch.Exception) arch.Trap {
	t := user64(c, e)
	if t.Kind != arch.TrapSyscall {
		c.SetReg(origRAX, ^uint64(0))
	}
	return noted(c, e, t)
}

func trap32(c arch.CPU, e arch.Exception) arch.Trap {
	t := user32(c, e)
	if t.Kind != arch.TrapSyscall {
		c.SetReg(origRAX, 0xffffffff)
	}
	return noted(c, e, t)
}

func user64(c arch.CPU, e arch.Exception) arch.Trap {
	switch e.Kind {
	case arch.ExcSyscall:
		next := e.PC + syscallLen
		c.SetReg(rcx, next)
		c.SetReg(r11, c.Reg(eflags))
		return systemCall(c, next)
	case arch.ExcMem:
		return memory64(c, e)
	case arch.ExcIntr:
		if e.No == vecSyscall {
			// As on a kernel without CONFIG_IA32_EMULATION.
			return kernelSignal(unix.SIGSEGV, e.PC-syscallLen)
		}
	}
	return trap(c, e)
}

func user32(c arch.CPU, e arch.Exception) arch.Trap {
	switch e.Kind {
	case arch.ExcSyscall: // an AMD thing that CPUID does not announce
		return fault(unix.SIGILL, illIllopn, e.PC)
	case arch.ExcIntr:
		if e.No == vecSyscall {
			return systemCall(c, e.PC)
		}
	}
	return trap(c, e)
}

// systemCall keeps the number, as the kernel's entry code does, because the
// result overwrites it.
func systemCall(c arch.CPU, pc uint64) arch.Trap {
	c.SetReg(origRAX, c.Reg(rax))
	return arch.Trap{Kind: arch.TrapSyscall, PC: pc}
}

// trap is what both modes have in common.
func trap(c arch.CPU, e arch.Exception) arch.Trap {
	switch e.Kind {
	case arch.ExcMem:
		return arch.Trap{Kind: arch.TrapDefault, PC: e.PC}
	case arch.ExcSysenter: // not announced by CPUID either
		return fault(unix.SIGILL, illIllopn, e.PC)
	case arch.ExcIO: // IOPL is 0 and there is no permission bitmap
		return kernelSignal(unix.SIGSEGV, e.PC)
	case arch.ExcInvalid:
		return invalid(c, e.PC)
	}
	return interrupt(c, e)
}

// invalid tells the one undefined instruction that is none from the rest:
// libunicorn does not know INT1, also called ICEBP.
func invalid(c arch.CPU, pc uint64) arch.Trap {
	const int1 = 0xf1
	op, n := opcode(c, pc)
	if n > 0 && op[0] == int1 {
		next := pc + uint64(n)
		return arch.Trap{Kind: arch.TrapBreak, PC: next, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: next}
	}
	return fault(unix.SIGILL, illIllopn, pc)
}

// interrupt is an exception by number. An int instruction comes as its vector
// number with PC behind it; programs may use 3, 4 and 0x80 only, and every
// other is a general protection fault at the instruction.
func interrupt(c arch.CPU, e arch.Exception) arch.Trap {
	if e.No != excBP && c.Reg(oldException) != noException {
		// INT3 does not touch it, and steps by breakpoints would pay for asking.
		c.SetReg(oldException, noException)
	}
	switch e.No {
	case excBP:
		return arch.Trap{Kind: arch.TrapBreak, PC: e.PC, Signo: int(unix.SIGTRAP), Code: siKernel}
	case excOF, excGP:
		return kernelSignal(unix.SIGSEGV, e.PC)
	case excDF:
		return doubled(c, e.PC)
	case excDB:
		if c.Reg(eflags)&flagTF != 0 || !softInt(c, e) {
			return arch.Trap{Kind: arch.TrapStep, PC: e.PC}
		}
	case excDE:
		if divides(c, e.PC) || !softInt(c, e) {
			return fault(unix.SIGFPE, fpeIntdiv, e.PC)
		}
	}
	if e.No >= 32 || softInt(c, e) {
		return kernelSignal(unix.SIGSEGV, e.PC-syscallLen)
	}
	switch e.No {
	case excUD:
		return fault(unix.SIGILL, illIllopn, e.PC)
	case excMF:
		return fault(unix.SIGFPE, fpeCode(c.Reg(fstat)&^c.Reg(fctrl)), e.PC)
	case excXM:
		csr := c.Reg(mxcsr)
		return fault(unix.SIGFPE, fpeCode(csr&^(csr>>7)), e.PC)
	case excNP, excSS:
		return kernelSignal(unix.SIGBUS, e.PC)
	case excAC:
		return arch.Trap{Kind: arch.TrapSignal, PC: e.PC, Signo: int(unix.SIGBUS), Code: busAdraln}
	}
	return kernelSignal(unix.SIGSEGV, e.PC)
}

// doubled is a double fault. There is no such thing in user mode: the library
// forgets to take back that a fault was being delivered, and calls the next
// one of the same class a double fault. So it is a divide error or a general
// protection fault, and the instruction tells which.
func doubled(c arch.CPU, pc uint64) arch.Trap {
	if divides(c, pc) {
		return fault(unix.SIGFPE, fpeIntdiv, pc)
	}
	return kernelSignal(unix.SIGSEGV, pc)
}

// softInt reports whether the instruction before PC is int with the
// exception's number.
func softInt(m arch.Mem, e arch.Exception) bool {
	var b [2]byte
	_, err := m.ReadAt(b[:], e.PC-2)
	return err == nil && b[0] == 0xcd && int(b[1]) == e.No
}

// divides reports whether the instruction at pc is one that can raise a
// divide error.
func divides(c arch.CPU, pc uint64) bool {
	op, n := opcode(c, pc)
	if n == 0 {
		return false
	}
	switch op[0] {
	case 0xf6, 0xf7: // div and idiv
		return op[1]>>3&7 >= 6
	case 0xd4: // aam
		return op[1] == 0
	}
	return false
}

// opcode returns the first two bytes of the instruction at pc after its
// prefixes, and how long it is up to the first of them; zero if it cannot be
// read.
func opcode(c arch.CPU, pc uint64) (op [2]byte, n int) {
	var b [15]byte
	got, _ := c.ReadAt(b[:], pc)
	long := c.Reg(cs) == selUserCS
	for i := 0; i < got; i++ {
		switch p := b[i]; {
		case p == 0x26, p == 0x2e, p == 0x36, p == 0x3e, p >= 0x64 && p <= 0x67, p == 0xf0, p == 0xf2, p == 0xf3:
			continue
		case long && p&0xf0 == 0x40: // REX
			continue
		}
		op[0] = b[i]
		if i+1 < got {
			op[1] = b[i+1]
		}
		return op, i + 1
	}
	return op, 0
}

// fpeCode is fpu__exception_code of the kernel: the si_code of unmasked
// exception bits, which x87 and SSE have in the same order.
func fpeCode(bits uint64) int {
	switch {
	case bits&0x01 != 0:
		return fpeFltinv
	case bits&0x04 != 0:
		return fpeFltdiv
	case bits&0x08 != 0:
		return fpeFltovf
	case bits&0x12 != 0: // underflow, denormal
		return fpeFltund
	case bits&0x20 != 0:
		return fpeFltres
	}
	return siKernel
}
