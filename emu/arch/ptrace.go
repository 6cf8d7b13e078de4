package arch

import "github.com/utemu/utemu/regset"

// Ptrace are the requests of ptrace(2) that are not the same everywhere. Zero
// stands for one that the architecture does not have.
type Ptrace struct {
	// Sets are the requests for a register set, or its start.
	Sets map[uint64]PtraceSet
	// User is what PTRACE_PEEKUSER and PTRACE_POKEUSER reach, UserSize where
	// their addresses end; between the parts there are zeros that cannot be
	// written. 0 is for an architecture that does not have them.
	User     []PtraceUser
	UserSize uint64

	SingleBlock, SysEmu, SysEmuStep uint64
	SetSyscall                      uint64 // changes the number of a call, at its entry

	// Read serves requests that read something else: what it is, and to which
	// address of the tracer it goes. ok is false for others. Nil is for none.
	Read func(r regset.Regs, request, addr, data uint64) (b []byte, to uint64, ok bool)
}

// PtraceSet is a request that reads, or writes, the first Size bytes of the
// register set of a note type.
type PtraceSet struct {
	Note  uint32
	Size  int
	Write bool
}

// PtraceUser are Size bytes of a register set, from its start, at an address of
// struct user.
type PtraceUser struct {
	Addr, Size uint64
	Note       uint32
}
