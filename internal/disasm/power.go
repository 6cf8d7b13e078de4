package disasm

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/arch/ppc64/ppc64asm"
)

// lenPower is 8 for the prefixed instructions of ISA 3.1, whose first word has
// primary opcode 1.
func lenPower(s *set, code []byte) int {
	if s.order.Uint32(code)>>26 == 1 {
		return 8
	}
	return 4
}

func decodePower(s *set, pc uint64, code []byte, _ uint8) Inst {
	if len(code) < 4 {
		return s.short(code)
	}
	w := s.order.Uint32(code)
	in := Inst{Len: 4, Known: true}
	in.Target, in.HasTarget = targetPower(pc, w)
	if t, ok := extendedPower(w, in.Target&s.addrMask); ok {
		in.Text = t
		return in
	}
	if t, err := ppc64asm.Decode(code, binary.BigEndian); err == nil && t.Op != 0 {
		in.Len = t.Len
		in.Text = fixPower(ppc64asm.GNUSyntax(t, pc), in, s.addrMask)
		return in
	}
	if t, ok := s.lib(pc, code); ok && t.Len == 4 {
		in.Text = libPower(t.Mnemonic + " " + t.Operands)
		return in
	}
	if t, ok := s.names.text(w, pc); ok {
		in.Text = t
		return in
	}
	return Inst{Len: 4, Text: ".long " + hex(uint64(w))}
}

// targetPower is where B and BC go, absolute ones too.
func targetPower(pc uint64, w uint32) (target uint64, ok bool) {
	var d uint64
	switch w >> 26 {
	case 18:
		d = uint64(int64(w)<<38>>38) &^ 3
	case 16:
		d = uint64(int64(w)<<48>>48) &^ 3
	default:
		return 0, false
	}
	if w&2 != 0 {
		return d, true
	}
	return pc + d, true
}

// fixPower puts the target in place of what ppc64asm makes of it.
func fixPower(text string, in Inst, mask uint64) string {
	if !in.HasTarget {
		return text
	}
	i := strings.LastIndexAny(text, " ,")
	return text[:i+1] + hex(in.Target&mask)
}

// libPower turns libcapstone's text into objdump's: numbers in decimal.
func libPower(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "0x")
		if i < 0 {
			break
		}
		j := i + 2
		for j < len(text) && strings.IndexByte("0123456789abcdef", text[j]) >= 0 {
			j++
		}
		v, err := strconv.ParseUint(text[i:j], 0, 64)
		b.WriteString(text[:i])
		if err != nil {
			b.WriteString(text[i:j])
		} else {
			b.WriteString(strconv.FormatUint(v, 10))
		}
		text = text[j:]
	}
	b.WriteString(text)
	return strings.TrimSpace(strings.ReplaceAll(b.String(), ", ", ","))
}
