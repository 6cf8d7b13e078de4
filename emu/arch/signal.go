package arch

import "github.com/utemu/utemu/regset"

// UserMem is guest memory as copy_from_user and copy_to_user of the kernel
// reach it: with the program's own permissions, and with stacks growing. All
// of p is copied, or none and the error is EFAULT.
type UserMem interface {
	CopyIn(p []byte, addr uint64) error
	CopyOut(p []byte, addr uint64) error
}

// Signals is how the kernel of an architecture runs handlers
// (arch/*/kernel/signal*.c).
type Signals struct {
	// Setup puts the frame of a handler onto the stack and sets the registers
	// to the handler's first instruction. An error means that the frame
	// cannot be there, which ends in SIGSEGV; the registers are unchanged.
	Setup func(c CPU, m UserMem, f *SigFrame) error
	// Return takes the registers from the frame that the stack pointer leads
	// to: that of rt_sigreturn, or with rt false that of sigreturn. An error
	// means that the frame is bad, which ends in SIGSEGV; what has been
	// restored up to there stays.
	Return func(c CPU, m UserMem, rt bool) (SigRestore, error)
	// Fault notes a memory fault for the frames of handlers; nil if these do
	// not tell of it. Trap notes the other exceptions.
	Fault func(c CPU, f SigFault)
	// Restart makes the system call instruction happen again as
	// restart_syscall, whose number is nr; nil means that Rewind and the Nr
	// register do.
	Restart func(r regset.Regs, nr uint64)
	// Swap is swapcontext(2), where there is one: it saves the registers and the
	// mask to the ucontext of size bytes at old and takes those at new, where
	// these are not 0. taken tells that the registers are new, and that an error
	// ends in SIGSEGV.
	Swap func(c CPU, m UserMem, old, new, size, mask uint64) (back SigRestore, taken bool, err error)
}

// SigFrame is what a handler is run with.
type SigFrame struct {
	No       int
	Handler  uint64
	Siginfo  bool   // SA_SIGINFO: the frame is of the rt kind where there are two
	Restorer uint64 // 0 without SA_RESTORER

	// SP is where the frame goes below: the stack pointer, or with Switch the
	// end of the signal stack. Nested tells that SP is on the signal stack
	// already.
	SP             uint64
	Switch, Nested bool

	Info []byte   // siginfo_t
	Mask uint64   // the signals blocked before; bit s-1 is signal s
	Alt  SigStack // the signal stack as uc_stack tells it
}

// Fits tells whether a frame at sp is still on the signal stack, where that is
// to be checked.
func (f *SigFrame) Fits(sp uint64) bool {
	return !f.Switch && !f.Nested || sp > f.Alt.SP && sp-f.Alt.SP <= f.Alt.Size
}

// SigStack is stack_t.
type SigStack struct {
	SP, Size uint64
	Flags    uint32
}

// SigRestore is what a frame holds beside registers.
type SigRestore struct {
	Mask uint64
	Alt  *SigStack // nil in the old kind of frame
}

// SigFault is a memory fault.
type SigFault struct {
	Signo, Code int
	Addr        uint64
	Access      Prot // Read, Write or Exec
}
