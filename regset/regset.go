// Package regset describes the registers of a guest as the kernel's regset.h
// does: a View is what one ELF machine exposes, a Set is one ELF note's worth
// of registers, and Regs is the register file they are read from.
package regset

// ID names one register inside one architecture. The numbers are private to
// the architecture's package; zero is never a register.
type ID uint16

// Regs is the register file of one stopped task. Values are in host byte
// order; a register narrower than 64 bits occupies the low bits and the rest
// reads as zero. A register the architecture does not have reads as zero and
// ignores writes. Only the goroutine that runs the task, or one that holds it
// stopped, may call it.
type Regs interface {
	Reg(id ID) uint64
	SetReg(id ID, v uint64)
	// Bytes fills p with the low len(p) bytes of a register in the guest's
	// byte order; it is the way to registers wider than 64 bits.
	Bytes(id ID, p []byte)
	SetBytes(id ID, p []byte)
}

// Set is one register set: N slots of Size bytes each, carried by one ELF note
// type (struct user_regset in include/linux/regset.h).
type Set struct {
	Name  string // as gdb and readelf call it: "general", "fp", "vmx"
	Note  uint32 // NT_* number
	N     int    // slots
	Size  int    // bytes in a slot
	Align int    // alignment of a transfer's start
	Bias  int    // added to a slot's number in the note

	// Get copies bytes pos..pos+len(dst) of the set's image out of r, and Put
	// copies them in. Both want pos and the length to be multiples of Size.
	Get func(r Regs, pos int, dst []byte) error
	Put func(r Regs, pos int, src []byte) error

	// Active tells how many slots hold something; nil means all.
	Active func(r Regs) (int, error)
}

// Bytes is the size of the whole set's image.
func (s *Set) Bytes() int { return s.N * s.Size }

// View is the list of register sets that one ELF machine exposes
// (struct user_regset_view).
type View struct {
	Name    string // as the kernel names it: "i386", "x86_64", "arm", "ppc"
	Machine uint16 // e_machine of its core files
	Flags   uint32 // e_flags of its core files
	OSABI   uint8
	Sets    []Set
}
