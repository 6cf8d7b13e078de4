package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// memory64 picks out the accesses that are no page faults on x86-64: those to
// addresses that are not canonical, and calls into the vsyscall page.
func memory64(c arch.CPU, e arch.Exception) arch.Trap {
	if e.Access == arch.Exec && e.Addr&^(pageSize-1) == vsyscallPage {
		return vsyscall(c, e)
	}
	if canonical(e.Addr) {
		return arch.Trap{Kind: arch.TrapDefault, PC: e.PC}
	}
	if e.Access != arch.Exec && !canonical(c.Reg(rsp)) {
		return kernelSignal(unix.SIGBUS, e.PC) // a stack fault
	}
	return kernelSignal(unix.SIGSEGV, e.PC)
}

// canonical reports whether an address fits 48 bits, sign-extended.
func canonical(a uint64) bool { return int64(a)<<16>>16 == int64(a) }

// The vsyscall page, as with vsyscall=xonly: three functions at fixed places,
// which fault when they are called and are then emulated.
const (
	vsyscallPage = 0xffffffffff600000
	vsyscallStep = 0x400
)

// vsyscallNr are the system calls behind the functions: gettimeofday, time
// and getcpu.
var vsyscallNr = [3]uint64{96, 201, 309}

// vsyscall returns to the caller of the function and makes a system call of
// it, whose result then arrives in RAX as the function's.
func vsyscall(c arch.CPU, e arch.Exception) arch.Trap {
	off := e.Addr - vsyscallPage
	if off%vsyscallStep != 0 || off/vsyscallStep >= uint64(len(vsyscallNr)) {
		return kernelSignal(unix.SIGSEGV, e.Addr)
	}
	var ret [8]byte
	sp := c.Reg(rsp)
	if _, err := c.ReadAt(ret[:], sp); err != nil {
		return kernelSignal(unix.SIGSEGV, e.Addr)
	}
	c.SetReg(rsp, sp+8)
	c.SetReg(rax, vsyscallNr[off/vsyscallStep])
	return systemCall(c, le.Uint64(ret[:]))
}
