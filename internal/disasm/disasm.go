// Package disasm gives the text of machine instructions as objdump and gdb
// print them: GNU syntax (AT&T for x86), numbers as objdump writes them, one
// space after the mnemonic, direct branch targets as 0x... hex.
//
// Each instruction set has its first decoder, the one whose text agrees best
// with objdump's (golang.org/x/arch, libcapstone for Thumb), then a second,
// then tables of this package for what both lack. A decoder that is known to
// err without an error is checked: lengths of x86 instructions come from this
// package alone, and an answer of another length is not used.
package disasm

import "strconv"

// ISA is an instruction set as a disassembler knows it. Together with the
// address it decides what code means; an architecture with several states,
// such as ARM, has several.
type ISA uint8

// The instruction sets. Code is little-endian except that of the PowerPC ones.
const (
	I386 ISA = iota + 1
	X86_64
	A32
	Thumb
	A64
	PPC32
	PPC64

	numISA = iota + 1
)

// Inst is the text of one instruction.
type Inst struct {
	// Len is the instruction's size in bytes: at least the instruction set's
	// smallest unit, and never more than MaxLen. For an unknown
	// instruction it is what a reader should skip.
	Len int
	// Text is the instruction in GNU syntax, mnemonic first. An unknown one is
	// what objdump has for data: ".word 0xdeadbeef", "(bad)".
	Text string
	// Target is where a direct branch goes, or the data that a pc-relative
	// operand names. HasTarget says whether there is one.
	Target    uint64
	HasTarget bool
	// Known is false if no decoder had a name for it.
	Known bool
}

// Symbols resolves an address to the symbol that covers it: its name and its
// value. An empty name means none. A nil Symbols knows none.
type Symbols = func(addr uint64) (name string, value uint64)

// String is the name of the instruction set.
func (isa ISA) String() string {
	if s := isaOf(isa); s != nil {
		return s.name
	}
	return "ISA(" + strconv.Itoa(int(isa)) + ")"
}

// MinLen is the unit of the instruction set: every instruction's length and
// address is a multiple of it. It is 1 for an ISA that does not exist.
func (isa ISA) MinLen() int {
	if s := isaOf(isa); s != nil {
		return s.unit
	}
	return 1
}

// MaxLen is the length of the longest instruction. A caller that offers so
// many bytes to Decode never has an instruction cut short.
func (isa ISA) MaxLen() int {
	if s := isaOf(isa); s != nil {
		return s.max
	}
	return 1
}

// Decode disassembles the first instruction of code, which lies at pc. Bytes
// after it are ignored; if there are too few for a whole one, it is unknown.
// With sym, targets are followed by <symbol+0xoffset>.
//
// A Thumb instruction is taken as outside of an IT block; see DecodeIT.
// Decode may be called by many goroutines at once.
func Decode(isa ISA, pc uint64, code []byte, sym Symbols) Inst {
	return decode(isa, pc, code, 0, sym)
}

// DecodeIT is Decode for a Thumb instruction with the ITSTATE it (CPSR bits
// 15-10 and 26-25) in force, so that it prints with its condition. Other
// instruction sets take no notice of it.
func DecodeIT(isa ISA, pc uint64, code []byte, it uint8, sym Symbols) Inst {
	return decode(isa, pc, code, it, sym)
}

func decode(isa ISA, pc uint64, code []byte, it uint8, sym Symbols) Inst {
	s := isaOf(isa)
	if s == nil {
		return Inst{Len: min(1, len(code)), Text: "(bad)"}
	}
	if len(code) > s.max {
		code = code[:s.max]
	}
	in := s.decode(s, pc, code, it)
	if in.HasTarget {
		in.Target &= s.addrMask
		if sym != nil && in.Known {
			in.Text += symbol(in.Target, sym)
		}
	}
	return in
}

// symbol is " <name+0xoffset>", or nothing.
func symbol(addr uint64, sym Symbols) string {
	name, value := sym(addr)
	switch {
	case name == "":
		return ""
	case addr == value:
		return " <" + name + ">"
	}
	return " <" + name + "+" + hex(addr-value) + ">"
}

// hex is v in C's notation.
func hex(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// Len is the length in bytes of the first instruction of code, decided by its
// encoding alone: whether the instruction exists does not matter. It is 0 if
// code ends within it.
//
// For x86 it is what a CPU takes, 15 bytes at most with all prefixes; objdump
// shows prefixes that have no effect as instructions of their own.
func Len(isa ISA, code []byte) int {
	s := isaOf(isa)
	if s == nil || len(code) < s.unit {
		return 0
	}
	n := s.length(s, code)
	if n > len(code) {
		return 0
	}
	return n
}
