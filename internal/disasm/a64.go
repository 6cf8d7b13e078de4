package disasm

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/arch/arm64/arm64asm"
)

func decodeA64(s *set, pc uint64, code []byte, _ uint8) Inst {
	if len(code) < 4 {
		return s.short(code)
	}
	w := binary.LittleEndian.Uint32(code)
	in := Inst{Len: 4, Known: true}
	in.Target, in.HasTarget = targetA64(pc, w)
	if t, err := arm64asm.Decode(code); err == nil {
		in.Text = fixA64(arm64asm.GNUSyntax(t), in.Target, w)
		return in
	}
	if t, ok := s.lib(pc, code); ok {
		in.Text = hashTarget(libA64(t.Mnemonic+" "+t.Operands), in)
		return in
	}
	if w&0xff000010 == 0x54000010 {
		in.Text = "bc." + condA64(w&15) + " " + hex(in.Target)
		return in
	}
	if t, ok := s.names.text(w, pc); ok {
		in.Text = strings.ReplaceAll(t, "xsp", "sp") // see names_test.go
		return in
	}
	return Inst{Len: 4, Text: ".inst 0x" + hex8(w)}
}

func condA64(c uint32) string {
	if c >= 14 {
		return [2]string{"al", "nv"}[c-14]
	}
	return armConds[c]
}

// hex8 is w as eight hex digits.
func hex8(w uint32) string {
	s := strconv.FormatUint(uint64(w), 16)
	return "00000000"[len(s):] + s
}

// targetA64 is where a direct branch goes or what a pc-relative operand names:
// B, BL, B.cond, BC.cond, CBZ, CBNZ, TBZ, TBNZ, LDR (literal), PRFM (literal),
// ADR and ADRP.
func targetA64(pc uint64, w uint32) (target uint64, ok bool) {
	imm := func(lo, n uint) uint64 { return uint64(int64(w) << (64 - lo - n) >> (64 - n)) }
	switch {
	case w&0x7c000000 == 0x14000000:
		return pc + imm(0, 26)<<2, true
	case w&0xff000000 == 0x54000000, w&0x7e000000 == 0x34000000, w&0x3b000000 == 0x18000000:
		return pc + imm(5, 19)<<2, true
	case w&0x7e000000 == 0x36000000:
		return pc + imm(5, 14)<<2, true
	case w&0x1f000000 == 0x10000000:
		v := imm(5, 19)<<2 | uint64(w>>29&3)
		if w>>31 != 0 {
			return pc&^0xfff + v<<12, true
		}
		return pc + v, true
	}
	return 0, false
}

// fixA64 mends the text of arm64asm: relative targets and system registers.
func fixA64(text string, target uint64, w uint32) string {
	if w&0xff00001f == 0x5400000f {
		return "b.nv " + hex(target)
	}
	if w>>12&15 == 15 && w&0x1f000000 != 0x14000000 && (strings.HasSuffix(text, ",al") || strings.HasSuffix(text, " al")) {
		return text[:len(text)-2] + "nv" // the condition 15 has a name of its own
	}
	if i := strings.LastIndex(text, ".+0x"); i >= 0 {
		return text[:i] + hex(target)
	}
	if w&0xffd00000 == 0xd5100000 { // MRS, MSR
		if name, ok := sysRegsA64[w>>5&0x7fff|0x8000]; ok {
			if i := strings.Index(text, "s3_"); i >= 0 {
				j := i + strings.IndexAny(text[i:]+",", ", ")
				return text[:i] + name + text[j:]
			}
		}
	}
	return text
}

// hashTarget replaces libcapstone's #0x... of a target.
func hashTarget(text string, in Inst) string {
	if !in.HasTarget {
		return text
	}
	if i := strings.LastIndexByte(text, '#'); i >= 0 {
		return text[:i] + hex(in.Target)
	}
	return text
}

// libA64 turns libcapstone's text into objdump's.
func libA64(text string) string { return strings.TrimSpace(hashDecimal(text)) }

// hashDecimal writes the immediates of text in decimal.
func hashDecimal(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '#')
		if i < 0 {
			break
		}
		b.WriteString(text[:i+1])
		text = text[i+1:]
		j := 0
		for j < len(text) && strings.IndexByte("-0123456789abcdefx.", text[j]) >= 0 {
			j++
		}
		num := text[:j]
		if v, err := strconv.ParseInt(num, 0, 64); err == nil {
			num = strconv.FormatInt(v, 10)
		} else if v, err := strconv.ParseUint(num, 0, 64); err == nil {
			num = strconv.FormatUint(v, 10)
		}
		b.WriteString(num)
		text = text[j:]
	}
	b.WriteString(text)
	return b.String()
}
