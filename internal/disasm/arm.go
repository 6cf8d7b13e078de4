package disasm

import (
	"encoding/binary"
	"strconv"
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
	in.Text = s.textA32(pc, code, w, in)
	if in.Text == "" {
		return Inst{Len: 4, Text: ".inst 0x" + hex8(w)}
	}
	return in
}

func (s *set) textA32(pc uint64, code []byte, w uint32, in Inst) string {
	if w>>28 != 15 && w&0x0f000000 == 0x0f000000 {
		return "svc" + armConds[w>>28] + " 0x" + hex8(w&0xffffff)
	}
	vector := w>>28 == 15 && (w>>25&7 == 1 || w&0x0f100000 == 0x04000000) || isVFP(w)
	if isCoprocessor(w) && !(w>>28 == 15 && w>>8&12 == 8) {
		if t, ok := coprocessor(w); ok {
			return t
		}
	}
	if !vector {
		if t, err := armasm.Decode(code, armasm.ModeARM); err == nil {
			return fixA32(armasm.GNUSyntax(t), in, w)
		}
	}
	if t, ok := s.lib(pc, code); ok {
		if w>>28 != 15 && w&0x0fd00000 == 0x08c00000 && strings.HasPrefix(t.Mnemonic, "stm") {
			t.Mnemonic = "stmia" + t.Mnemonic[3:]
		}
		return libARM(t, in)
	}
	if w>>28 != 15 && w&0x0d900000 == 0x01100000 && w&0xf000 != 0 {
		// TST, TEQ, CMP and CMN ignore Rd, which should be 0.
		if t := s.textA32(pc, binary.LittleEndian.AppendUint32(nil, w&^0xf000), w&^0xf000, in); t != "" {
			return t
		}
	}
	if t, ok := s.names.text(w, pc); ok {
		return renameRegs(t)
	}
	if w>>28 != 15 && w&0x0d800000 == 0x01000000 && w>>20&1 == 0 {
		// Without S these are other instructions; objdump's names for what is
		// left between them are those of the comparisons.
		v := w&^0xf000 | 1<<20
		if t := s.textA32(pc, binary.LittleEndian.AppendUint32(nil, v), v, in); t != "" {
			return t
		}
	}
	if isCoprocessorSpace(w) { // what VFP leaves undefined has a generic name
		t, _ := coprocessor(w)
		return t
	}
	return ""
}

// isCoprocessorSpace says whether w names a coprocessor, VFP's two included.
func isCoprocessorSpace(w uint32) bool {
	return w&0x0c000000 == 0x0c000000 && w&0x0f000000 != 0x0f000000
}

// isVFP says whether w belongs to VFP's coprocessors, 10 and 11.
func isVFP(w uint32) bool { return isCoprocessorSpace(w) && w>>9&7 == 5 }

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

// fixA32 puts the target in place of armasm's offset, and objdump's names.
func fixA32(text string, in Inst, w uint32) string {
	if w&0x0fffffff == 0x01a00000 { // mov r0, r0 has been the nop before ARMv6K
		return "nop" + armConds[w>>28]
	}
	if w&0x0ff00000 == 0x08a00000 && strings.HasPrefix(text, "stm") {
		text = "stmia" + text[3:]
	}
	if !in.HasTarget {
		return text
	}
	if i := strings.IndexByte(text, '.'); i >= 0 && (strings.HasPrefix(text[i:], ".+") || strings.HasPrefix(text[i:], ".-")) {
		return text[:i] + hex(in.Target)
	}
	return text + " @ " + hex(in.Target)
}

// libARM turns libcapstone's text into objdump's.
func libARM(t capstone.Text, in Inst) string {
	m, ops := t.Mnemonic, t.Operands
	if c := strings.TrimSuffix(m, ".w"); len(c) > 2 {
		switch c[len(c)-2:] {
		case "lo":
			m = c[:len(c)-2] + "cc" + m[len(c):]
		case "hs":
			m = c[:len(c)-2] + "cs" + m[len(c):]
		}
	}
	if ops == "" {
		return m
	}
	ops = strings.ReplaceAll(strings.ReplaceAll(ops, "sb", "r9"), "} ^", "}^")
	if in.HasTarget && !strings.Contains(ops, "[") {
		return m + " " + hashTarget(ops, in)
	}
	ops = fixVFP(m, ops)
	ops = collapse(hashDecimal(alignDecimal(ops)))
	if in.HasTarget {
		ops += " @ " + hex(in.Target)
	}
	return m + " " + ops
}

// fixVFP writes the immediates of VFP as objdump does: VMOV's is the encoded
// byte, with the value as a comment.
func fixVFP(m, ops string) string {
	switch {
	case strings.HasPrefix(m, "vmrs"):
		return strings.Replace(ops, "apsr_nzcv", "APSR_nzcv", 1)
	case strings.HasPrefix(m, "vcmp") && strings.HasSuffix(ops, "#0"):
		return ops + ".0"
	case !strings.HasPrefix(m, "vmov") || !strings.Contains(ops, "e+") && !strings.Contains(ops, "e-"):
		return ops
	}
	i := strings.IndexByte(ops, '#')
	v, err := strconv.ParseFloat(ops[i+1:], 64)
	if i < 0 || err != nil {
		return ops
	}
	for b := range 256 {
		if float8(uint8(b)) == v {
			return ops[:i+1] + strconv.Itoa(b) + " @ " + strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return ops
}

// alignDecimal writes the alignment of a NEON address in decimal.
func alignDecimal(ops string) string {
	i := strings.Index(ops, ":0x")
	if i < 0 {
		return ops
	}
	j := i + 3 + strings.IndexByte(ops[i+3:]+"]", ']')
	v, err := strconv.ParseUint(ops[i+3:j], 16, 32)
	if err != nil {
		return ops
	}
	return strings.TrimSuffix(ops[:i], " ") + " :" + strconv.FormatUint(v, 10) + ops[j:]
}

// collapse writes a list of consecutive vector registers as a range.
func collapse(ops string) string {
	i := strings.IndexByte(ops, '{')
	j := strings.IndexByte(ops, '}')
	if i < 0 || j < i+2 || ops[i+1] != 'd' && ops[i+1] != 's' || strings.IndexByte(ops[i:j], ',') < 0 {
		return ops
	}
	regs := strings.Split(ops[i+1:j], ", ")
	first, suffix := vectorReg(regs[0])
	for k, r := range regs {
		if n, s := vectorReg(r); n < 0 || n != first+k || s != suffix || s != "" && s != "[]" || r[0] != ops[i+1] {
			return ops
		}
	}
	return ops[:i+1] + regs[0] + "-" + regs[len(regs)-1] + ops[j:]
}

// vectorReg is the number of d0 or s0 and the lane that follows it.
func vectorReg(r string) (n int, lane string) {
	k := 1
	for k < len(r) && isWord(r[k]) {
		k++
	}
	n, err := strconv.Atoi(r[1:k])
	if err != nil {
		return -1, ""
	}
	return n, r[k:]
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
