package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// What both kinds of frames have in common.
const (
	frameAlign = 16
	fpAlign    = 64
	fxSize     = 512 // struct fxregs_state
	siginfoLen = 128

	// fixFlags are the flags that a frame restores (FIX_EFLAGS).
	fixFlags = flagsPtrace
	// initFCW is the x87 control word after FNINIT.
	initFCW = 0x37f
)

// Numbers of the exceptions that a frame tells of (asm/trapnr.h).
const trapPF = 14

// Bits of a page fault's error code (asm/trap_pf.h).
const (
	pfProt  = 1 << 0
	pfWrite = 1 << 1
	pfUser  = 1 << 2
	pfInstr = 1 << 4
)

// noteFault is what a page fault leaves in thread_struct: cr2, error_code and
// trap_nr.
func noteFault(c arch.CPU, f arch.SigFault) {
	code := uint64(pfUser)
	if f.Code == segvAccerr && f.Signo == int(unix.SIGSEGV) {
		code |= pfProt
	}
	switch f.Access {
	case arch.Write:
		code |= pfWrite
	case arch.Exec:
		code |= pfInstr
	}
	resume(c)
	c.SetReg(trapNo, trapPF)
	c.SetReg(trapErr, code)
	c.SetReg(cr2, f.Addr)
}

const segvAccerr = 2 // SEGV_ACCERR

// noted records what the frame of a handler for t will tell of the exception.
func noted(c arch.CPU, e arch.Exception, t arch.Trap) arch.Trap {
	if t.Kind != arch.TrapSignal && t.Kind != arch.TrapBreak && t.Kind != arch.TrapStep {
		return t
	}
	no, code := uint64(excGP), uint64(0)
	switch {
	case t.Kind == arch.TrapStep || t.Kind == arch.TrapBreak && e.Kind == arch.ExcInvalid:
		no = excDB
	case t.Signo == int(unix.SIGILL):
		no = excUD
	case e.Kind == arch.ExcIntr && (e.No >= 32 || t.Signo == int(unix.SIGSEGV) && e.PC != t.PC):
		code = uint64(e.No)<<3 | 2 // a gate that user code may not use
	case e.Kind == arch.ExcIntr && t.Signo == int(unix.SIGFPE) && e.No == excDF:
		no = excDE
	case e.Kind == arch.ExcIntr && e.No != excDF:
		no = uint64(e.No)
	case e.Kind == arch.ExcMem && t.Signo == int(unix.SIGBUS):
		no = excSS
	}
	if t.Kind == arch.TrapSignal && no != excOF {
		resume(c)
	}
	c.SetReg(trapNo, no)
	c.SetReg(trapErr, code)
	return t
}

// resume sets the flag that the CPU sets in the flags that a fault leaves, but
// not a trap: the instruction will run again, past its breakpoint.
func resume(c arch.CPU) { c.SetReg(eflags, c.Reg(eflags)|flagRF) }

// fpFrame is where the state of the floating point unit goes below sp: its
// start, which the frame points to, and its FXSAVE image.
func fpFrame(sp uint64, head uint64) (start, fx uint64) {
	fx = (sp - fxSize) &^ (fpAlign - 1)
	return fx - head, fx
}

// resetFPU is fpu__clear_user_states.
func resetFPU(r regset.Regs, n int) {
	img := make([]byte, fxSize)
	le.PutUint16(img[0:], initFCW)
	le.PutUint32(img[24:], initMXCSR)
	_ = fxrstor(n)(r, img) // its MXCSR is valid
}

// handlerFlags are cleared for a handler.
const handlerFlags = flagDF | flagRF | flagTF

// segment loads a selector unless the register holds it already. An unusable
// one is refused.
func segment(c arch.CPU, table uint64, id regset.ID, sel uint64) bool {
	if sel == c.Reg(id) {
		return true
	}
	if !loadable(c, table, sel, id == ss) {
		return false
	}
	c.SetReg(id, sel)
	return true
}

// loadable tells whether a data segment register can be loaded with sel at
// privilege level 3: a null selector, or that of a descriptor that is present
// and a user's; the stack's must be writable.
func loadable(c arch.CPU, table, sel uint64, stack bool) bool {
	if sel&^3 == 0 {
		return !stack
	}
	at := table + sel&^7
	if sel&4 != 0 {
		if at = table + ldtOff + sel&^7; sel>>3 >= ldtEntries {
			return false
		}
	} else if sel&^7 > gdtLimit {
		return false
	}
	d, err := entry(c, at)
	if err != nil || d>>47&1 == 0 || d>>44&1 == 0 || d>>45&3 != 3 {
		return false
	}
	code, bit1 := d>>43&1 != 0, d>>41&1 != 0 // bit1: readable code, writable data
	if stack {
		return !code && bit1
	}
	return !code || bit1
}
