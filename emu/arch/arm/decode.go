package arm

import (
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// row is one row of a decode table: words w with w&mask == bits have the class,
// and the first row that fits counts.
type row struct {
	mask, bits uint32
	class      arch.Class
}

// find is the class of the first row that fits w.
func find(rows []row, w uint32) arch.Class {
	for i := range rows {
		if w&rows[i].mask == rows[i].bits {
			return rows[i].class
		}
	}
	return 0
}

const (
	jump   = arch.IsBranch
	byReg  = arch.IsBranch | arch.IsIndirect
	ret    = arch.IsBranch | arch.IsIndirect | arch.IsReturn
	priv   = arch.IsPrivileged
	always = 14 // the condition AL
)

// decode implements arch.Code.Decode.
func decode(r regset.Regs, m arch.Mem, pc uint64) (arch.Insn, error) {
	v := r.Reg(cpsr)
	var it uint8
	if v&psrT != 0 && pc == r.Reg(regPC) {
		it = itState(v)
	}
	return decodeAt(m, pc, state(r), it)
}

// decodes implements arch.Code.Decodes.
func decodes(r regset.Regs) uint16 {
	v := r.Reg(cpsr)
	if v&psrT == 0 {
		return 0
	}
	return thumb | uint16(itState(v))<<8
}

// follow implements arch.Code.Follow.
func follow(i arch.Insn, m arch.Mem) (arch.Insn, error) {
	return decodeAt(m, uint64(uint32(i.End())), i.State, nextIT(&i))
}

// itState is ITSTATE of a CPSR, withIT a CPSR with another.
func itState(cpsr uint64) uint8 { return uint8(cpsr>>10&0x3f<<2 | cpsr>>25&3) }

func withIT(cpsr uint64, it uint8) uint64 {
	return cpsr&^0x0600fc00 | uint64(it)>>2<<10 | uint64(it)&3<<25
}

// advance is ITSTATE after an instruction of the block.
func advance(it uint8) uint8 {
	if it&7 == 0 {
		return 0
	}
	return it&0xe0 | it<<1&0x1f
}

// nextIT is ITSTATE behind i.
func nextIT(i *arch.Insn) uint8 {
	if i.Is(arch.IsIT) {
		return i.Raw[0]
	}
	return advance(i.IT)
}

func decodeAt(m arch.Mem, pc uint64, state, it uint8) (i arch.Insn, err error) {
	i = arch.Insn{PC: pc, State: state, IT: it}
	if state != thumb {
		if _, err = m.ReadAt(i.Raw[:4], pc); err != nil {
			return i, err
		}
		i.Len, i.Class = 4, classA32(binary.LittleEndian.Uint32(i.Raw[:]))
		return i, nil
	}
	n, err := m.ReadAt(i.Raw[:4], pc)
	if n < 2 {
		return i, err
	}
	hw := binary.LittleEndian.Uint16(i.Raw[:])
	if hw < 0xe800 {
		i.Len, i.Class = 2, classThumb16(hw)
		i.Raw[2], i.Raw[3] = 0, 0
	} else {
		if n < 4 {
			return i, err
		}
		i.Len, i.Class = 4, classThumb32(wordThumb(&i))
	}
	if it != 0 {
		i.Class = inIT(&i)
	}
	return i, nil
}

// inIT is the class of an instruction in an IT block. BKPT takes no notice of
// its condition.
func inIT(i *arch.Insn) arch.Class {
	switch {
	case i.IT>>4 == always, i.Len == 2 && half(i)>>8 == 0xbe:
		return i.Class
	case i.Is(arch.IsBranch | arch.IsTrap | arch.IsUndefined):
		return i.Class | arch.IsCond
	}
	return i.Class | arch.IsPredicated
}

// word is an A32 instruction, wordThumb a 32-bit Thumb one with the first
// halfword on top.
func word(i *arch.Insn) uint32 { return binary.LittleEndian.Uint32(i.Raw[:]) }

func wordThumb(i *arch.Insn) uint32 {
	return uint32(binary.LittleEndian.Uint16(i.Raw[:]))<<16 | uint32(binary.LittleEndian.Uint16(i.Raw[2:]))
}

func half(i *arch.Insn) uint32 { return uint32(binary.LittleEndian.Uint16(i.Raw[:])) }

// rowsNever are the instructions without a condition.
var rowsNever = []row{
	{0xfe000000, 0xfa000000, jump | arch.IsCall}, // BLX
	{0xfe50ffff, 0xf8100a00, byReg | priv},       // RFE
	{0xfe5fffe0, 0xf84d0500, priv},               // SRS
	{0xfff1fe20, 0xf1000000, priv},               // CPS
	{0xfd3f0000, 0xf51f0000, arch.IsPCRel},       // PLD, PLDW, literal
	{0xfd3f0000, 0xf41f0000, arch.IsPCRel},       // PLI literal
	{0xfe1f0000, 0xfc1f0000, arch.IsPCRel},       // LDC2 literal
}

// rowsA32 are the instructions with a condition, of which some are decided
// further below.
var rowsA32 = []row{
	{0x0ff000f0, 0x07f000f0, arch.IsUndefined},
	{0x0f000000, 0x0f000000, arch.IsSyscall},
	{0x0f000000, 0x0a000000, jump},
	{0x0f000000, 0x0b000000, jump | arch.IsCall},
	// Miscellaneous instructions.
	{0x0fffffff, 0x012fff1e, ret}, // BX LR
	{0x0ffffff0, 0x012fff10, byReg},
	{0x0ffffff0, 0x012fff20, byReg}, // BXJ
	{0x0ffffff0, 0x012fff30, byReg | arch.IsCall},
	{0x0ff000f0, 0x01200070, arch.IsTrap}, // BKPT
	{0x0ff000f0, 0x01400070, priv},        // HVC
	{0x0ff000f0, 0x01600070, priv},        // SMC
	{0x0fffffff, 0x0160006e, byReg | priv},
	// Multiplies, swaps, exclusives: bits 7 and 4 are set and 6, 5 clear.
	{0x0f900ef0, 0x01900e90, arch.IsLoadLink}, // LDREX, LDAEX and their sizes
	{0x0f900ef0, 0x01800e90, arch.IsStoreCond},
	{0x0f0000f0, 0x00000090, 0},
	{0x0f0000f0, 0x01000090, 0},
	// Loads and stores of halfwords, doublewords and signed bytes.
	{0x0e4f0090, 0x004f0090, arch.IsPCRel},
	{0x0e000090, 0x00000090, 0},
	{0x0f900000, 0x01000000, 0}, // MSR, SMLA, QADD, CLZ, CRC32 and the rest
	{0x0fb00000, 0x03000000, 0}, // MOVW, MOVT
	{0x0fb00000, 0x03200000, 0}, // MSR, hints
	// Media instructions.
	{0x0e000010, 0x06000010, 0},
	// Loads and stores of words and bytes.
	{0x0c5ff000, 0x041ff000, byReg | arch.IsPCRel}, // LDR PC, [PC
	{0x0fffffff, 0x049df004, ret},                  // POP {PC}
	{0x0c50f000, 0x0410f000, byReg},
	{0x0c50f000, 0x0400f000, arch.IsPCRel}, // STR PC
	{0x0c0f0000, 0x040f0000, arch.IsPCRel},
	// Load and store multiple.
	{0x0e508000, 0x08508000, byReg | priv}, // LDM ^ with PC
	{0x0e508000, 0x08108000, byReg},
	{0x0e108000, 0x08008000, arch.IsPCRel},
	{0x0e000000, 0x08000000, 0},
	// Coprocessors.
	{0x0f000000, 0x0e000000, 0},
	{0x0e0f0000, 0x0c0f0000, arch.IsPCRel}, // LDC, VLDR literal
	{0x0c000000, 0x0c000000, 0},
}

func classA32(w uint32) arch.Class {
	cond := w >> 28
	if cond == 15 {
		return find(rowsNever, w)
	}
	var c arch.Class
	if w&0x0fffffff == 0x07f001f0 {
		c = arch.IsTrap // what the kernel takes for a breakpoint, whatever the condition
	} else if c = find(rowsA32, w); c == 0 && w&0x0c000000 == 0 {
		c = classData(w)
	}
	switch {
	case c&ret == byReg && w&0x0fff0000 == 0x08bd0000:
		c |= arch.IsReturn // POP {..., PC}
	case c&arch.IsUndefined != 0 && cond != always:
		return 0 // a NOP, or undefined
	}
	if cond == always || c&(arch.IsTrap|arch.IsUndefined) != 0 {
		return c
	}
	if c&arch.IsBranch != 0 {
		return c | arch.IsCond
	}
	return c | arch.IsPredicated
}

// isData tells data processing from what shares its space.
func isData(w uint32) bool {
	switch {
	case w&0x0c000000 != 0:
		return false
	case w&0x0e000090 == 0x00000090: // multiplies, extra loads and stores
		return false
	case w&0x01900000 == 0x01000000: // the compare group without S
		return false
	}
	return true
}

// classData classifies data processing: whether it writes PC, or reads it.
func classData(w uint32) (c arch.Class) {
	if !isData(w) {
		return 0
	}
	op := w >> 21 & 15
	if w>>12&15 == 15 && op&12 != 8 {
		c = byReg
		if w&0x0ff0ffff == 0x01a0f00e { // MOV PC, LR
			c |= arch.IsReturn
		}
		if w>>20&1 != 0 { // an exception return
			c |= priv
		}
	}
	if w>>16&15 == 15 && op != 13 && op != 15 || w>>25&1 == 0 && w&15 == 15 {
		c |= arch.IsPCRel
	}
	return c
}
