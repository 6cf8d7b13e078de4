package arch

import (
	"errors"

	"github.com/utemu/utemu/regset"
)

// Insn is one decoded instruction, as far as stepping cares.
type Insn struct {
	PC    uint64
	Raw   [16]byte
	Len   uint8
	State uint8 // instruction set state, as Code.State
	IT    uint8 // ITSTATE of ARM that is in force for it, 0 outside of IT blocks
	Class Class
}

// Bytes are the bytes of the instruction.
func (i *Insn) Bytes() []byte { return i.Raw[:i.Len] }

// End is the address behind the instruction.
func (i *Insn) End() uint64 { return i.PC + uint64(i.Len) }

// Is tells whether the instruction has one of the properties c.
func (i *Insn) Is(c Class) bool { return i.Class&c != 0 }

// Class are properties of an instruction. None of them means that it computes
// and goes on with the next one.
type Class uint32

// The properties.
const (
	// IsBranch: it may send control elsewhere than to the next instruction,
	// by its own doing: a jump, call, return or any other write of the PC.
	IsBranch   Class = 1 << iota
	IsCond           // a branch or trap that depends on flags or registers
	IsIndirect       // a branch to what a register or memory holds
	IsCall           // a branch that leaves a return address
	IsReturn         // a branch of the kind that functions return by
	IsFar            // an x86 branch that may change the code segment
	IsSyscall
	IsTrap       // raises a trap, with IsCond perhaps: breakpoints and their like
	IsUndefined  // known to raise an undefined instruction exception
	IsPrivileged // not for user mode
	IsLoadLink   // opens an atomic sequence: LDREX, LDXR, lwarx
	IsStoreCond  // closes it
	IsRepeat     // an x86 string instruction that repeats itself
	IsPCRel      // computes with the PC otherwise than as a branch
	IsPushFlags  // stores the flags register to memory
	IsPopFlags   // loads it
	IsShadow     // x86: holds off traps up to the end of the next instruction
	IsIT         // opens a Thumb IT block
	IsPredicated // runs only if a condition holds, and is no branch
	IsTransaction
	IsTime // reads a clock, so that no two runs agree
)

// Dest is where an instruction may lead to.
type Dest struct {
	PC    uint64
	State uint8 // instruction set state there
	IT    uint8 // ITSTATE there
	// Taken tells that the instruction transfers control there, even if it is
	// the next instruction.
	Taken bool
}

// ErrNoNext is returned by Code.Next where the next PC cannot be told from
// registers and memory: x86 branches into another code segment.
var ErrNoNext = errors.New("arch: next instruction unknown")

// How is a way to run an instruction elsewhere than at its address.
type How uint8

// The ways.
const (
	MoveCopy     How = iota // a copy does the same; only the PC is to be put right
	MoveFix                 // a copy made by Code.Move, and put right by what it returns
	MoveSimulate            // Code.Simulate does it all
	MoveRefuse              // not at all, see Verdict.Reason
)

// Verdict says how an instruction is run out of line.
type Verdict struct {
	How    How
	Reason string // of a refusal, as in "it cannot be moved: ..."
}

// Refuse is the verdict on an instruction that must stay in its place.
func Refuse(reason string) Verdict { return Verdict{MoveRefuse, reason} }

// Insn decodes the instruction at the PC of r.
func (a *Arch) Insn(r regset.Regs, m Mem) (Insn, error) { return a.Decode(r, m, r.Reg(a.PC)) }

// Plant is the breakpoint instruction that stops whoever comes to d. In an IT
// block of Thumb it is one that does not ask for the condition.
func (a *Arch) Plant(d Dest) []byte {
	if d.IT != 0 && a.BreakIT != nil {
		return a.BreakIT
	}
	return a.Break(d.State)
}

// After is the place behind i.
func (a *Arch) After(i Insn) Dest {
	if a.Behind != nil {
		return a.Behind(i)
	}
	return Dest{PC: a.Addr(i.End()), State: i.State}
}
