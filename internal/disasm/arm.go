package disasm

import (
	"encoding/binary"
	"strings"

	"golang.org/x/arch/arm/armasm"

	"github.com/utemu/utemu/internal/capstone"
)

func decodeA32(s *set, pc uint64, code []byte, _ uint8) Inst {
	if len(code) < 4 {
		return s.short(code)
	}
	w := binary.LittleEndian.Uint32(code)
	in := Inst{Len: 4, Known: true}
	in.Target, in.HasTarget = targetA32(pc, w)
	in.Target &= addr32
	if t, err := armasm.Decode(code, armasm.ModeARM); err == nil {
		in.Text = fixA32(armasm.GNUSyntax(t), in)
		return in
	}
	if t, ok := s.lib(pc, code); ok {
		in.Text = libARM(t, in)
		return in
	}
	if t, ok := s.names.text(w); ok {
		in.Text = renameRegs(t)
		return in
	}
	return Inst{Len: 4, Text: ".inst 0x" + hex8(w)}
}

// targetA32 is the target of B, BL and BLX, and of LDR and its kind with the pc
// as base and no writeback.
func targetA32(pc uint64, w uint32) (target uint64, ok bool) {
	switch {
	case w&0x0e000000 == 0x0a000000:
		t := pc + 8 + uint64(int64(w)<<40>>38)
		if w>>28 == 15 {
			t += uint64(w >> 23 & 2)
		}
		return t, true
	case w>>28 == 15:
		return 0, false
	case w&0x0f3f0000 == 0x051f0000: // LDR, LDRB
		return offset(pc+8, uint64(w&0xfff), w), true
	case w&0x0f7f0090 == 0x015f0090 && w&0x60 != 0: // LDRH, LDRSB, LDRSH
		return offset(pc+8, uint64(w>>4&0xf0|w&15), w), true
	case w&0x0f3f0e00 == 0x0d1f0a00: // VLDR
		return offset(pc+8, uint64(w&0xff)<<2, w), true
	}
	return 0, false
}

// offset adds imm to base or, without the U bit, subtracts it.
func offset(base, imm uint64, w uint32) uint64 {
	if w>>23&1 != 0 {
		return base + imm
	}
	return base - imm
}

// fixA32 puts the target in place of armasm's offset.
func fixA32(text string, in Inst) string {
	if !in.HasTarget {
		return text
	}
	if i := strings.IndexAny(text, "."); i >= 0 && strings.HasPrefix(text[i:], ".+") || i >= 0 && strings.HasPrefix(text[i:], ".-") {
		return text[:i] + hex(in.Target)
	}
	return text + " @ " + hex(in.Target)
}

func libARM(t capstone.Text, in Inst) string {
	return hashTarget(strings.TrimSpace(t.Mnemonic+" "+t.Operands), in)
}

func lenThumb(_ *set, code []byte) int {
	if code[1] >= 0xe8 {
		return 4
	}
	return 2
}

func decodeThumb(s *set, pc uint64, code []byte, it uint8) Inst {
	if len(code) < 2 {
		return s.short(code)
	}
	n := lenThumb(s, code)
	if len(code) < n {
		return s.short(code)
	}
	in := Inst{Len: n, Known: true}
	if t, ok := s.lib(pc, code[:n]); ok && t.Len == n {
		in.Text = libARM(t, in)
		return in
	}
	w := uint32(binary.LittleEndian.Uint16(code)) << 16
	if n == 4 {
		w |= uint32(binary.LittleEndian.Uint16(code[2:]))
	}
	if t, ok := s.names.text(w); ok {
		in.Text = renameRegs(t)
		return in
	}
	return Inst{Len: n, Text: ".inst"}
}

// renameRegs gives r10 to r15 the names that objdump prints by default.
func renameRegs(s string) string {
	for i := 0; i+3 <= len(s); i++ {
		if s[i] == 'r' && s[i+1] == '1' && s[i+2] >= '0' && s[i+2] <= '5' && (i == 0 || !isWord(s[i-1])) &&
			(i+3 == len(s) || !isWord(s[i+3])) {
			s = s[:i] + armRegs[10+s[i+2]-'0'] + s[i+3:]
		}
	}
	return s
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
