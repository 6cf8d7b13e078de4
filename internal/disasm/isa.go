package disasm

import (
	"encoding/binary"
	"sync"

	"github.com/utemu/utemu/emu/arch/x86"
	"github.com/utemu/utemu/internal/capstone"
)

// set is what the package knows of an instruction set.
type set struct {
	name      string
	unit, max int
	addrMask  uint64
	order     binary.ByteOrder
	capstone  capstone.Mode

	decode func(s *set, pc uint64, code []byte, it uint8) Inst
	length func(s *set, code []byte) int
	names  *nameTable // of words that neither decoder knows; may be nil

	once   sync.Once
	handle *capstone.Handle // nil without cgo
}

const addr32 = 1<<32 - 1

var (
	a32Names   = &nameTable{file: "a32.tab"}
	thumbNames = &nameTable{file: "thumb.tab"}
	a64Names   = &nameTable{file: "a64.tab"}
	powerNames = &nameTable{file: "power.tab"}
)

var sets = [numISA]*set{
	I386: {name: "i386", unit: 1, max: x86.MaxLen, addrMask: addr32, order: binary.LittleEndian,
		capstone: capstone.X86, decode: decodeX86, length: lenX86},
	X86_64: {name: "x86_64", unit: 1, max: x86.MaxLen, addrMask: ^uint64(0), order: binary.LittleEndian,
		capstone: capstone.X8664, decode: decodeX86, length: lenX86},
	A32: {name: "a32", unit: 4, max: 4, addrMask: addr32, order: binary.LittleEndian,
		capstone: capstone.ARM, decode: decodeA32, length: lenFixed, names: a32Names},
	Thumb: {name: "thumb", unit: 2, max: 4, addrMask: addr32, order: binary.LittleEndian,
		capstone: capstone.Thumb, decode: decodeThumb, length: lenThumb, names: thumbNames},
	A64: {name: "a64", unit: 4, max: 4, addrMask: ^uint64(0), order: binary.LittleEndian,
		capstone: capstone.ARM64, decode: decodeA64, length: lenFixed, names: a64Names},
	PPC32: {name: "ppc", unit: 4, max: 8, addrMask: addr32, order: binary.BigEndian,
		capstone: capstone.PPC32, decode: decodePower, length: lenPower, names: powerNames},
	PPC64: {name: "ppc64", unit: 4, max: 8, addrMask: ^uint64(0), order: binary.BigEndian,
		capstone: capstone.PPC64, decode: decodePower, length: lenPower, names: powerNames},
}

func isaOf(isa ISA) *set {
	if int(isa) >= len(sets) {
		return nil
	}
	return sets[isa]
}

// lenFixed is the length of instructions that all have one.
func lenFixed(s *set, _ []byte) int { return s.unit }

// lib asks libcapstone for the text of an instruction.
func (s *set) lib(pc uint64, code []byte) (capstone.Text, bool) {
	s.open()
	if s.handle == nil {
		return capstone.Text{}, false
	}
	return s.handle.Decode(pc, code)
}

// open opens the handle of libcapstone at the first use. That it cannot be
// opened only means that fewer instructions are known.
func (s *set) open() {
	s.once.Do(func() {
		if h, err := capstone.Open(s.capstone); err == nil {
			s.handle = h
		}
	})
}

// short is the answer to code that ends within an instruction.
func (s *set) short(code []byte) Inst {
	text := ".byte"
	if len(code) == 0 {
		return Inst{Text: "(bad)"}
	}
	sep := " "
	for _, b := range code {
		text += sep + hex(uint64(b))
		sep = ","
	}
	return Inst{Len: min(len(code), s.unit), Text: text}
}
