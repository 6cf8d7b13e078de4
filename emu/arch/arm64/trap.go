package arm64

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// The engine's exception numbers (EXCP_* of target/arm/cpu.h).
const (
	excUndef    = 1 // also trapped system registers and a misaligned PC
	excSVC      = 2
	excPrefetch = 3
	excData     = 4
	excBRK      = 7
	excHVC      = 11
	excSMC      = 13
)

// The si_code values that this file uses (asm-generic/siginfo.h).
const (
	illOpc     = 1 // ILL_ILLOPC
	segvMapErr = 1 // SEGV_MAPERR
	busAdrAln  = 1 // BUS_ADRALN
	trapBrkpt  = 1 // TRAP_BRKPT
)

// noSyscall is NO_SYSCALL of the kernel's ptrace.h.
const noSyscall = 0xffffffff

func trap(c arch.CPU, e arch.Exception) arch.Trap {
	t := explain(c, e)
	noteTrap(c, t)
	return t
}

func explain(c arch.CPU, e arch.Exception) arch.Trap {
	if e.Kind == arch.ExcIntr && e.No == excSVC {
		c.SetReg(syscallNo, c.Reg(x0+8)&0xffffffff)
		c.SetReg(origX0, c.Reg(x0))
		return arch.Trap{Kind: arch.TrapSyscall, PC: e.PC}
	}
	c.SetReg(syscallNo, noSyscall)
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
	case excBRK:
		return arch.Trap{Kind: arch.TrapBreak, PC: e.PC, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: e.PC}
	case excPrefetch:
		return signal(e.PC, unix.SIGSEGV, segvMapErr, e.PC)
	case excData:
		return dataAbort(c, e.PC)
	case excHVC, excSMC:
		return signal(e.PC-4, unix.SIGILL, illOpc, e.PC-4)
	}
	return arch.Trap{PC: e.PC}
}

func signal(pc uint64, sig unix.Signal, code int, addr uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(sig), Code: code, Addr: addr}
}

// insn reads the instruction at pc; one that cannot be read is 0, UDF #0.
func insn(c arch.CPU, pc uint64) uint32 {
	var b [4]byte
	if _, err := c.ReadAt(b[:], pc); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b[:])
}

// undefined is do_sp_pc_abort, do_el0_sys and do_el0_undef of
// arch/arm64/kernel.
func undefined(c arch.CPU, pc uint64) arch.Trap {
	if pc&3 != 0 {
		return signal(pc, unix.SIGBUS, busAdrAln, pc)
	}
	op := insn(c, pc)
	reg, rt := sysreg(op&0x1fffe0), x0+regset.ID(op&31)
	switch {
	case op&0xffe00000 == 0xd5200000: // MRS and SYSL
		if v, ok := readID(c.Model().UC, reg); ok {
			if rt != regSP { // number 31 is XZR here
				c.SetReg(rt, v)
			}
			return skip(c, pc)
		}
	case op&0xfff80000 == 0xd5080000: // SYS
		var addr uint64
		if rt != regSP {
			addr = c.Reg(rt)
		}
		if known, present := maintain(c, reg, addr); known && present {
			return skip(c, pc)
		} else if known {
			return signal(pc, unix.SIGSEGV, segvMapErr, untag(addr))
		}
	}
	return signal(pc, unix.SIGILL, illOpc, pc)
}

// skip goes on behind the emulated instruction at pc, as
// arm64_skip_faulting_instruction does.
func skip(c arch.CPU, pc uint64) arch.Trap {
	c.SetReg(pstate, c.Reg(pstate)&^psrBTYPE)
	return arch.Trap{Kind: arch.TrapResume, PC: pc + 4}
}

// readID is emulate_sys_reg of the kernel's cpufeature.c: the space of
// identification registers reads as zero where nothing is known of it, but
// CRm 1 and the reserved ones of CRm 0 stay undefined.
func readID(model int, reg sysreg) (uint64, bool) {
	if reg&^(15<<8|7<<5) != midr {
		return 0, false
	}
	v, ok := ids[model][reg]
	crm := reg >> 8 & 15
	return v, ok || crm >= 2 && crm <= 7
}

// Cache maintenance by address, which is all that Linux lets user code do.
var (
	icIVAU   = sysRegister(1, 3, 7, 5, 1)
	dcByAddr = map[sysreg]bool{
		sysRegister(1, 3, 7, 10, 1): true, // DC CVAC
		sysRegister(1, 3, 7, 11, 1): true, // DC CVAU
		sysRegister(1, 3, 7, 12, 1): true, // DC CVAP
		sysRegister(1, 3, 7, 13, 1): true, // DC CVADP
		sysRegister(1, 3, 7, 14, 1): true, // DC CIVAC
	}
)

// lineSize is the cache line that CTR_EL0 of every model tells.
const lineSize = 64

// maintain is user_cache_maint_handler of the kernel's traps.c. known tells
// whether reg is an operation of this kind, present whether memory is there.
func maintain(c arch.CPU, reg sysreg, addr uint64) (known, present bool) {
	if reg != icIVAU && !dcByAddr[reg] {
		return false, false
	}
	var b [1]byte
	addr = untag(addr)
	if _, err := c.ReadAt(b[:], addr); err != nil {
		return true, false
	}
	if reg == icIVAU {
		c.DropCode(addr&^(lineSize-1), lineSize)
	}
	return true, true
}

// untag is untagged_addr of the kernel for a user address.
func untag(addr uint64) uint64 {
	if addr>>55&1 != 0 {
		return addr
	}
	return addr & (1<<56 - 1)
}

// dataAbort is the alignment fault of exclusive and atomic accesses, the only
// ones whose alignment is checked. They have a base register and no offset.
// libunicorn 2.1 also has it for addresses beyond those that a page table can
// map.
func dataAbort(c arch.CPU, pc uint64) arch.Trap {
	op := insn(c, pc)
	base := c.Reg(x0 + regset.ID(op>>5&31)) // number 31 is SP here
	size := uint64(1) << (op >> 30)
	exclusive, atomic := op&0x3f000000 == 0x08000000, op&0x3b200c00 == 0x38200000
	if exclusive && op&(1<<23|1<<21) == 1<<21 { // a pair
		size = 8 << (op >> 30 & 1)
	}
	if (exclusive || atomic) && base&(size-1) != 0 {
		return signal(pc, unix.SIGBUS, busAdrAln, base)
	}
	return signal(pc, unix.SIGSEGV, segvMapErr, base)
}
