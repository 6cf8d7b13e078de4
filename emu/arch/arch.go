// Package arch says what a guest architecture is: its registers, its system
// call and process start conventions, how its CPU model is brought into user
// mode and how its exceptions turn into Linux traps. An Arch holds facts and
// pure functions only; everything with state lives above, in emu and syscalls.
package arch

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// Arch is one guest architecture with one byte order and word size.
type Arch struct {
	Name    string // as qemu-user names it: "i386", "x86_64", "arm", "aarch64", "ppc", "ppc64"
	Aliases []string
	Machine elf.Machine
	Class   elf.Class
	Order   binary.ByteOrder
	Word    int // bytes in a pointer and in a C long

	// MatchELF looks at the parts of an ELF header that Machine, Class and
	// Order leave open and says why such a program cannot run; nil means all can.
	MatchELF func(flags uint32, entry uint64) error

	Regs []Reg // the first Core of them are read together at each stop
	Core int
	PC   regset.ID
	SP   regset.ID

	Views []*regset.View // Views[0] is the native one

	Engine Engine
	Start  Start
	ABI    ABI
	Ptrace Ptrace

	// Sysnum is the system call table by rising number, Layout the structures
	// of the kernel ABI by their kernel names, Const the constants whose values
	// differ between architectures (open flags, mmap flags, socket options,
	// terminal ioctls). All three are generated.
	Sysnum []Sysno
	Layout map[string]Layout
	Const  map[string]uint64

	Code
}

// Addr cuts v to the width of an address.
func (a *Arch) Addr(v uint64) uint64 {
	if a.Word == 4 {
		return v & 0xffffffff
	}
	return v
}

// RegByName finds a register by its name; ok is false if there is none.
func (a *Arch) RegByName(name string) (r Reg, ok bool) {
	for _, r := range a.Regs {
		if r.Name == name {
			return r, true
		}
	}
	return Reg{}, false
}

// Reg is one register of an architecture.
type Reg struct {
	ID   regset.ID
	Name string // as gdb names it
	Bits int
	UC   int    // libunicorn's number, or UCHidden, or UCSoft
	Mask uint64 // bits that traces compare; zero means all
}

// Registers that libunicorn has no number for.
const (
	// UCHidden is a register that the CPU has but the library's register
	// calls do not reach: Engine.Hidden finds it in the saved context.
	UCHidden = -1
	// UCSoft is a value the kernel keeps beside the registers (orig_rax): a
	// variable of the task, zero at first.
	UCSoft = -2
)

// Caps are the abilities of an architecture's hardware that stepping builds on.
type Caps uint16

// The abilities: arch_has_single_step and arch_has_block_step of the kernel.
const (
	HasSingleStep Caps = 1 << iota
	HasBlockStep
)

// Code is what a tracer must know of an architecture's instructions.
type Code struct {
	MinInsn, MaxInsn int // bytes
	Caps             Caps

	// State is the instruction set state that decoding depends on (Thumb);
	// nil means there is only one.
	State func(r regset.Regs) uint8
	// Decodes is all that decoding at the PC depends on beside bytes: State, and
	// ITSTATE in the high byte; nil means nothing.
	Decodes func(r regset.Regs) uint16
	// ISA names the instruction set of a state for the disassembler.
	ISA func(state uint8) ISA
	// Break is the breakpoint instruction that Linux turns into SIGTRAP, of
	// the given state.
	Break func(state uint8) []byte
	// BreakIT is a breakpoint that stops in a Thumb IT block whatever the
	// condition of its slot; nil where there is no such thing.
	BreakIT []byte
	// BreakBack is how many bytes behind the breakpoint instruction Linux
	// reports the PC.
	BreakBack int

	// Decode reads and classifies the instruction at pc, taking the
	// instruction set state from r, and ITSTATE if pc is r's. The error is that
	// of the memory that cannot be read. An instruction that does not exist is
	// none: it has at least MinInsn bytes, and IsUndefined if that is known.
	Decode func(r regset.Regs, m Mem, pc uint64) (Insn, error)
	// Follow decodes the instruction that lies behind i in memory, in the
	// state that i leaves.
	Follow func(i Insn, m Mem) (Insn, error)
	// Next appends to dst where i leads to from the state r, which it is about
	// to run in: one place as a rule, since conditions are evaluated. It is the
	// instruction itself if that repeats; both places if it cannot be told
	// whether it does. An instruction that always raises an exception has no
	// next place; one that may, a system call too, has the one behind it. The
	// error is that of memory that i would read and cannot be read, or
	// ErrNoNext.
	Next func(i Insn, r regset.Regs, m Mem, dst []Dest) ([]Dest, error)

	// Behind is the place behind i, that control comes to if i does not branch;
	// nil means its end, in its state.
	Behind func(i Insn) Dest
	// Target is where i leads to if it is a branch to a fixed place and is
	// taken; ok is false for all other instructions.
	Target func(i Insn) (d Dest, ok bool)
	// Exclusives: there are instructions with IsLoadLink.
	Exclusives bool

	// Holds tells whether an instruction with IsPredicated, or a branch in an IT
	// block, has its condition fulfilled; nil where there is no such thing.
	Holds func(i Insn, r regset.Regs) bool
	// Spent tells whether an instruction with IsRepeat has no iteration left.
	Spent func(i Insn, r regset.Regs) bool

	// XOL says how i can be run elsewhere than at its address.
	XOL func(i Insn) Verdict
	// Simulate carries out an instruction whose verdict is MoveSimulate: it
	// changes registers, the PC too, and memory. With an error, that of memory,
	// it has changed nothing.
	Simulate func(i Insn, r regset.Regs, m Memory) error
	// Move makes the code that does at slot what i does at its address, for
	// MoveFix; it may change registers for it. After the code has run, or has
	// faulted, mend puts registers and memory right, the PC not in case of a
	// fault, else it too if the result is true. Without an error, that is.
	Move func(i Insn, r regset.Regs, m Memory, slot uint64) (code []byte, mend func(faulted bool) (pc bool, err error), err error)
	// Once prepares an instruction with IsRepeat so that it does one iteration
	// and goes on behind itself. Done tells, when it has, whether there are
	// more, and puts the count right; faulted says that it has not.
	Once func(i Insn, r regset.Regs) (done func(faulted bool) (more bool))
}

// ISA is an instruction set as a disassembler knows it.
type ISA uint8

// The instruction sets that guests use.
const (
	ISAI386 ISA = iota + 1
	ISAX86_64
	ISAA32
	ISAThumb
	ISAA64
	ISAPPC32
	ISAPPC64
)

// Mem reads guest memory. ReadAt reads all of p or returns how much of it was
// readable with an error, as io.ReaderAt does.
type Mem interface {
	ReadAt(p []byte, addr uint64) (int, error)
}

// Memory is guest memory as a debugger or the kernel uses it: writes ignore
// page protections and reach code that has already been translated.
type Memory interface {
	Mem
	WriteAt(p []byte, addr uint64) (int, error)
}

// Prot are page protection bits, PROT_READ, PROT_WRITE and PROT_EXEC of mmap(2).
type Prot uint8

// The protections.
const (
	Read  Prot = unix.PROT_READ
	Write Prot = unix.PROT_WRITE
	Exec  Prot = unix.PROT_EXEC
)

// String writes the protections as /proc/PID/maps does.
func (p Prot) String() string {
	b := []byte("---")
	for i, f := range []Prot{Read, Write, Exec} {
		if p&f != 0 {
			b[i] = "rwx"[i]
		}
	}
	return string(b)
}

// Sysno is one row of a system call table.
type Sysno struct {
	Nr   uint32
	Name string
}

// Layout is one C structure of the guest's kernel ABI: its size and alignment
// in bytes, and where each field lies.
type Layout struct {
	Size, Align int
	Fields      map[string]Field
}

// Field is the place of one field of a structure, in bytes.
type Field struct{ Off, Size int }
