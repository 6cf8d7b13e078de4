package arch

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// ABI is the system call convention.
type ABI struct {
	Nr   regset.ID
	Args [6]regset.ID
	Ret  regset.ID

	// OrigNr and OrigArg are where the kernel keeps the number and the first
	// argument of the call, of which it makes it again; 0 for none. A tracer
	// changes the number by OrigNr, where there is one.
	OrigNr, OrigArg regset.ID

	// EvenPair: a 64-bit argument of a 32-bit call starts at an even register.
	EvenPair bool
	// AdviceSecond: fadvise64_64 takes its advice after the descriptor.
	AdviceSecond bool
	// OldMmap: the call named "mmap" takes one pointer to its arguments
	// (i386); elsewhere it takes them in registers.
	OldMmap bool
	// OldSelect is the same for "select". GuessSelect: it is so if its first
	// argument is too large for a count (PowerPC).
	OldSelect, GuessSelect bool
	// SuspendThird: sigsuspend takes its mask as the third argument
	// (CONFIG_OLD_SIGSUSPEND3).
	SuspendThird bool
	// CloneTLSFourth: clone's fourth argument is the TLS pointer and the
	// fifth the child TID (CLONE_BACKWARDS).
	CloneTLSFourth bool

	// Number is the system call number at a TrapSyscall, where it is not just
	// the Nr register; nil means it is.
	Number func(c CPU) uint64
	// Result puts the outcome of a call into the registers: the value v, or
	// the errno if that is not 0 (in the guest's numbering).
	Result func(r regset.Regs, v uint64, errno uint16)
	// Rewind puts PC back onto the system call instruction.
	Rewind func(r regset.Regs)

	// Errno has the errors whose number is not that of asm-generic.
	Errno map[unix.Errno]uint16
	// Machine is utsname.machine, where the CPU model has none of its own.
	Machine string
	// Machine32 is that of a program with the personality PER_LINUX32, where it
	// is another.
	Machine32 string

	// Calls are the system calls only this architecture has, by name.
	Calls map[string]Private

	// Signals is how handlers are run.
	Signals Signals

	// SetTLS sets the thread pointer as clone's CLONE_SETTLS does.
	SetTLS func(c CPU, v uint64) error
}

// Private is a system call that only one architecture has. It returns the
// call's value or a unix.Errno.
type Private func(c CPU, args [6]uint64) (uint64, error)

// Guest is the guest's number of an errno.
func (a *ABI) Guest(e unix.Errno) uint16 {
	if n, ok := a.Errno[e]; ok {
		return n
	}
	return uint16(e)
}

// Aux is one entry of the auxiliary vector.
type Aux struct{ Type, Val uint64 }

// Image is what process start needs to know of a loaded program.
type Image struct {
	Entry uint64 // where execution starts: the interpreter's entry if there is one
	SP    uint64
	Start uint64 // the program's own entry (AT_ENTRY)
	Bias  uint64 // what was added to the addresses of the file that Entry lies in
	Flags uint32 // e_flags
}

// Start is the layout of a new process, as the kernel of the architecture
// lays it out with address randomisation off (ADDR_NO_RANDOMIZE).
type Start struct {
	TaskSize uint64 // first address past user space
	StackTop uint64 // the stack's end
	MmapBase uint64 // mappings grow down from here
	PIEBase  uint64 // where a position independent program goes (ELF_ET_DYN_BASE)
	MinAddr  uint64 // lowest address mmap may choose or MAP_FIXED may ask for (vm.mmap_min_addr)

	StackAlign uint64 // of the initial stack pointer

	// BasePlatform: the auxiliary vector tells of the real CPU beside the one
	// that programs are to see (AT_BASE_PLATFORM); ours is the same.
	BasePlatform bool

	// Aux are the architecture's entries of the auxiliary vector that come
	// before the common ones (cache lines on PowerPC); AT_HWCAP, AT_HWCAP2
	// and AT_PLATFORM come from the model.
	Aux func(m *Model) []Aux

	// Regs sets the registers of a new program, all of which are zero before.
	Regs func(c CPU, im Image) error

	// Pages are mappings every process has beside its own (ARM's kuser page).
	Pages []Page
}

// Page is a mapping that the kernel provides.
type Page struct {
	Addr uint64
	Name string // as in /proc/PID/maps
	Prot Prot
	Data []byte
}
