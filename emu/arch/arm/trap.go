package arm

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// The engine's exception numbers (EXCP_* of target/arm/cpu.h).
const (
	excUndef    = 1
	excSVC      = 2
	excPrefetch = 3
	excData     = 4
	excBKPT     = 7
	excHVC      = 11
	excSMC      = 13
)

// The si_code values that this file uses (asm-generic/siginfo.h).
const (
	illOpc     = 1 // ILL_ILLOPC
	illTrp     = 4 // ILL_ILLTRP
	segvMapErr = 1 // SEGV_MAPERR
	busAdrAln  = 1 // BUS_ADRALN
	trapBrkpt  = 1 // TRAP_BRKPT
)

// noSyscall is orig_r0 of a task that is not in a system call.
const noSyscall = 0xffffffff

func trap(c arch.CPU, e arch.Exception) arch.Trap {
	t := explain(c, e)
	noteTrap(c, t)
	return t
}

func explain(c arch.CPU, e arch.Exception) arch.Trap {
	if e.Kind == arch.ExcIntr && e.No == excSVC {
		return svc(c, e.PC)
	}
	c.SetReg(origR0, noSyscall)
	switch e.Kind {
	case arch.ExcInvalid:
		return undefined(c, e.PC)
	case arch.ExcIntr:
		return interrupt(c, e)
	}
	return arch.Trap{PC: e.PC}
}

func interrupt(c arch.CPU, e arch.Exception) arch.Trap {
	switch e.No {
	case excUndef:
		return undefined(c, e.PC)
	case excBKPT:
		return breakpoint(e.PC)
	case excPrefetch:
		return signal(e.PC, unix.SIGSEGV, segvMapErr, e.PC)
	case excData:
		// Only exclusives and swaps check their alignment.
		return signal(e.PC, unix.SIGBUS, busAdrAln, exclusiveAddr(c, e.PC))
	case excHVC, excSMC:
		pc := (e.PC - 4) & 0xffffffff
		return signal(pc, unix.SIGILL, illOpc, pc)
	}
	return arch.Trap{PC: e.PC}
}

func signal(pc uint64, sig unix.Signal, code int, addr uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(sig), Code: code, Addr: addr}
}

func breakpoint(pc uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapBreak, PC: pc, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: pc}
}

// svc is the end of vector_swi of arch/arm/kernel/entry-common.S and
// arm_syscall of traps.c: the private calls that end in a signal never come to
// the table. pc is after the instruction.
func svc(c arch.CPU, pc uint64) arch.Trap {
	c.SetReg(origR0, c.Reg(r0))
	nr := number(c)
	if nr < nrPrivate {
		return arch.Trap{Kind: arch.TrapSyscall, PC: pc}
	}
	at := (pc - svcSize(c)) & 0xffffffff
	switch nr {
	case nrPrivate:
		return signal(pc, unix.SIGSEGV, segvMapErr, 0)
	case nrBreakpoint:
		return breakpoint(at)
	case nrCacheFlush, nrSetTLS, nrGetTLS:
		return arch.Trap{Kind: arch.TrapSyscall, PC: pc}
	case nrBreakpoint + 2, nrBreakpoint + 3: // usr26 and usr32 need a 26-bit CPU
		return signal(pc, unix.SIGILL, illTrp, at)
	}
	if nr > nrPrivateEnd {
		return signal(pc, unix.SIGILL, illTrp, at)
	}
	return arch.Trap{Kind: arch.TrapSyscall, PC: pc}
}

// insn reads the instruction at pc: the word in A32, one or both halfwords
// (the first one high) in Thumb. wide tells of four bytes; ok is false if it
// cannot be read.
func insn(c arch.CPU, pc uint64) (op uint32, wide, ok bool) {
	var b [4]byte
	if !inThumb(c) {
		_, err := c.ReadAt(b[:], pc)
		return binary.LittleEndian.Uint32(b[:]), true, err == nil
	}
	if _, err := c.ReadAt(b[:2], pc); err != nil {
		return 0, false, false
	}
	op = uint32(binary.LittleEndian.Uint16(b[:]))
	if op < 0xe800 {
		return op, false, true
	}
	if _, err := c.ReadAt(b[2:], pc+2); err != nil {
		return op, false, false
	}
	return op<<16 | uint32(binary.LittleEndian.Uint16(b[2:])), true, true
}

// undefined is do_undefinstr of arch/arm/kernel/traps.c with the breakpoint
// hooks of ptrace.c.
func undefined(c arch.CPU, pc uint64) arch.Trap {
	op, wide, ok := insn(c, pc)
	if ok && isBreak(op, wide, inThumb(c)) {
		return breakpoint(pc)
	}
	return signal(pc, unix.SIGILL, illOpc, pc)
}

// isBreak knows the instructions that Linux takes for breakpoints. The
// condition of the A32 one does not count.
func isBreak(op uint32, wide, thumb bool) bool {
	switch {
	case !thumb:
		return op&0x0fffffff == 0x07f001f0
	case wide:
		return op == 0xf7f0a000
	}
	return op == 0xde01
}

// exclusiveAddr is the address that the exclusive load or store, or the swap,
// at pc accesses: its base register, plus an offset in the Thumb word forms.
// For another instruction it is the PC.
func exclusiveAddr(c arch.CPU, pc uint64) uint64 {
	op, wide, ok := insn(c, pc)
	if !ok || !wide {
		return pc
	}
	base := c.Reg(r0 + regset.ID(op>>16&15))
	switch {
	case !inThumb(c):
		if op&0x0f0000f0 == 0x01000090 {
			return base
		}
	case op&0xffe00000 == 0xe8400000: // STREX, LDREX
		return (base + uint64(op&0xff)*4) & 0xffffffff
	case op&0xffe00000 == 0xe8c00000: // the other sizes, acquire and release
		return base
	}
	return pc
}
