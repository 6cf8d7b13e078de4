package trace

import (
	"sort"

	"github.com/utemu/utemu/internal/disasm"
)

// block is a stretch of code that the engine runs as a whole.
type block struct {
	pc    uint64
	code  []byte
	state uint8 // instruction set state
	it    uint8 // ITSTATE at the start
	isa   disasm.ISA

	off []uint32 // where the instructions begin, and the end; nil until split

	// What the filter makes of it.
	wanted []bool // by instruction; nil means all
	none   bool   // no instruction is wanted
	edges  bool   // an address where tracing starts or ends lies in it

	// What a format keeps.
	lines []byte            // text of the wanted instructions, or what a binary file has of them
	again bool              // lines is all of it
	ends  []uint32          // where the text of each ends in lines
	insns int               // events of a whole pass
	token uint64            // of the whole block in a binary file
	spans map[[2]int]uint64 // of parts of it
}

// split finds the instructions of a block.
func (b *block) split() []uint32 {
	if b.off != nil {
		return b.off
	}
	for i := 0; i < len(b.code); {
		b.off = append(b.off, uint32(i))
		n := disasm.Len(b.isa, b.code[i:])
		if n == 0 {
			n = len(b.code) - i // cut short by a fault of its fetch
		}
		i += n
	}
	b.off = append(b.off, uint32(len(b.code)))
	return b.off
}

// n is the number of instructions.
func (b *block) n() int { return len(b.split()) - 1 }

// pcOf is the address of an instruction.
func (b *block) pcOf(i int) uint64 { return b.pc + uint64(b.split()[i]) }

// bytes are the bytes of an instruction.
func (b *block) bytes(i int) []byte {
	o := b.split()
	return b.code[o[i]:o[i+1]]
}

// find is the index of the instruction at pc, or of the first after it.
func (b *block) find(pc uint64) (int, bool) {
	o := b.split()
	if pc < b.pc || pc-b.pc >= uint64(len(b.code)) {
		return b.n(), false
	}
	d := uint32(pc - b.pc)
	i := sort.Search(len(o), func(i int) bool { return o[i] >= d })
	return min(i, b.n()), i < b.n() && o[i] == d
}

// text disassembles all instructions and calls f with each.
func (b *block) text(syms disasm.Symbols, f func(i int, in disasm.Inst)) {
	it := b.it
	for i := range b.n() {
		// With the bytes of the instruction alone no decoder can take more.
		in := disasm.DecodeIT(b.isa, b.pcOf(i), b.bytes(i), it, syms)
		f(i, in)
		it = nextIT(b.isa, b.bytes(i), it)
	}
}

// nextIT is ITSTATE after an instruction (ARM ARM, ITAdvance).
func nextIT(isa disasm.ISA, code []byte, it uint8) uint8 {
	switch {
	case isa != disasm.Thumb:
		return 0
	case len(code) == 2 && code[1] == 0xbf && code[0]&0xf != 0:
		return code[0]
	case it&7 == 0:
		return 0
	}
	return it&0xe0 | it<<1&0x1f
}
