package disasm

import (
	"encoding/binary"
	"strconv"
	"strings"
)

func lenThumb(_ *set, code []byte) int {
	if code[1] >= 0xe8 {
		return 4
	}
	return 2
}

func decodeThumb(s *set, pc uint64, code []byte, it uint8) Inst {
	if len(code) < 2 || len(code) < lenThumb(s, code) {
		return s.short(code)
	}
	in := Inst{Len: lenThumb(s, code), Known: true}
	w := uint32(binary.LittleEndian.Uint16(code)) << 16
	if in.Len == 4 {
		w |= uint32(binary.LittleEndian.Uint16(code[2:]))
	}
	in.Target, in.HasTarget = targetThumb(pc, w)
	in.Target &= addr32
	if in.Len == 2 {
		in.Text, in.Known = s.text16(pc, w, in)
	} else {
		in.Text, in.Known = s.text32(pc, code, w, in)
	}
	switch {
	case !in.Known && in.Len == 2:
		in.Text, in.HasTarget = ".short "+hex(uint64(w>>16)), false
	case !in.Known:
		in.Text, in.HasTarget = ".inst.w 0x"+hex8(w), false
	case it&15 != 0:
		in.Text = inITBlock(in.Text, it, in.Len)
	}
	return in
}

// special16 are those 16-bit instructions that a table of fields cannot tell.
func special16(h uint32) (text string, ok bool) {
	four := func(v uint32) string { return "0x" + hex8(v)[4:] }
	switch {
	case h == 0xbf00:
		return "nop", true
	case h>>8 == 0xbf && h&15 != 0:
		return itText(h), true
	case h&0xfe00 == 0xb400:
		return "push {" + regList(h&0xff|h<<6&0x4000) + "}", true
	case h&0xfe00 == 0xbc00:
		return "pop {" + regList(h&0xff|h<<7&0x8000) + "}", true
	case h>>11 == 0x18:
		return "stmia " + armRegs[h>>8&7] + "!, {" + regList(h&0xff) + "}", true
	case h>>11 == 0x19:
		return "ldmia " + armRegs[h>>8&7] + pick(h>>(h>>8&7)&1 == 0, "!", "") + ", {" + regList(h&0xff) + "}", true
	case h&0xffe8 == 0xb660:
		return "cps" + pick(h&0x10 != 0, "id ", "ie ") + pick(h&4 != 0, "a", "") + pick(h&2 != 0, "i", "") + pick(h&1 != 0, "f", ""), true
	case h&0xfff7 == 0xb650:
		return "setend " + pick(h&8 != 0, "be", "le"), true
	case h&0xfff7 == 0xb610:
		return "setpan #" + pick(h&8 != 0, "1", "0"), true
	case h>>8 == 0xbe:
		return "bkpt " + four(h&0xff), true
	case h>>6 == 0xba80>>6:
		return "hlt " + four(h&0x3f), true
	}
	return "", false
}

// itText is IT with a letter for each further instruction of its block.
func itText(h uint32) string {
	cond, mask := h>>4&15, h&15
	t := "it"
	for ; mask&7 != 0; mask = mask << 1 & 15 {
		t += pick(mask>>3 == cond&1, "t", "e")
	}
	if cond == 14 {
		return t + " al"
	}
	return t + " " + armConds[cond]
}

// text16 is the text of a 16-bit instruction, all of which are in the table.
func (s *set) text16(pc uint64, w uint32, in Inst) (text string, ok bool) {
	if t, ok := special16(w >> 16); ok {
		return t, true
	}
	text, ok = s.names.text(w, pc)
	if !ok {
		return "", false
	}
	text = renameRegs(text)
	if in.HasTarget && w>>27 == 0x09 || w>>27 == 0x14 {
		text += " @ " + hex(in.Target)
	}
	return text, true
}

func (s *set) text32(pc uint64, code []byte, w uint32, in Inst) (text string, ok bool) {
	if w>>29 == 7 && isCoprocessor(w) && (w>>28 == 14 || w>>8&12 != 8) {
		if t, ok := coprocessor(w); ok {
			return t, true
		}
	}
	if t, ok := s.lib(pc, code[:4]); ok && t.Len == 4 {
		return wide(libARM(t, in), w), true
	}
	if t, ok := branchFuture(pc, w); ok {
		return t, true
	}
	if t, ok := s.names.text(w, pc); ok {
		return renameRegs(t), true
	}
	if w>>29 == 7 && isCoprocessorSpace(w) {
		return coprocessor(w)
	}
	return "", false
}

// branchFuture is BF, BFL and BFCSEL of Armv8.1-M, which objdump names for all
// profiles; their target has three pieces.
func branchFuture(pc uint64, w uint32) (text string, ok bool) {
	point := w >> 23 & 15 * 2
	if w>>27 != 0x1e || w&0xc001 != 0xc001 || w&0x1000 != 0 || point == 0 {
		return "", false
	}
	target := func(bits uint) string { // immA has so many bits
		v := w>>16&(1<<bits-1)<<11 | w&0x7fe | w>>11&1
		return hex((pc + 4 + uint64(int64(v)<<(53-bits)>>(53-bits))<<1) & addr32)
	}
	at := strconv.FormatUint(uint64(point), 16) + ", "
	switch {
	case w&0x2000 == 0:
		return "bfl " + at + target(7), true
	case w>>21&3 == 2:
		return "bf " + at + target(5), true
	case w>>22&1 == 0:
		after := strconv.FormatUint(uint64(point+2+w>>17&1*2), 16)
		return "bfcsel " + at + target(1) + ", " + after + ", " + armConds[w>>18&15], true
	}
	return "", false
}

// wideForms are the mnemonics that objdump marks with .w in 32-bit instructions.
var wideForms = func() map[string]bool {
	m := map[string]bool{}
	for _, op := range strings.Fields("and bic orr eor adc sbc add sub mov mvn lsl lsr asr ror") {
		m[op], m[op+"s"] = true, true
	}
	for _, op := range strings.Fields("cmp cmn tst mul ldr ldrb ldrh ldrsb ldrsh str strb strh uxtb uxth sxtb sxth rev rev16 revsh ldmia stmia nop") {
		m[op] = true
	}
	return m
}()

// wide mends the text of a 32-bit instruction.
func wide(text string, w uint32) string {
	m, ops, _ := strings.Cut(text, " ")
	m = strings.TrimSuffix(m, ".w")
	switch {
	case m == "pop" && w&0xffff0000 == 0xe8bd0000:
		m, ops = "ldmia", "sp!, "+ops
	case m == "push" && w&0xffff0000 == 0xe92d0000:
		return "stmdb sp!, " + ops
	case m == "ldm" || m == "stm":
		m += "ia"
	case w&0xffef8000 == 0xea4f0000 && m != "mov" && m != "movs":
		i := strings.LastIndexByte(ops, ',')
		shift := strings.TrimSuffix(m, "s")
		if shift == "rrx" {
			ops += ", rrx"
		} else if i > 0 {
			ops = ops[:i] + ", " + shift + ops[i+1:]
		}
		m = pick(strings.HasSuffix(m, "s"), "movs", "mov")
	case w&0xfa008000 == 0xf0000000: // a modified immediate
		if i := strings.Index(ops, "#-"); i >= 0 {
			v, _ := strconv.ParseInt(ops[i+1:], 10, 64)
			ops = ops[:i+1] + strconv.FormatUint(uint64(uint32(v)), 10)
		}
	}
	if wideForms[m] || m != "rsb" && m != "rsbs" && strings.HasPrefix(text, m+".w") {
		m += ".w"
	}
	if ops == "" {
		return m
	}
	return m + " " + ops
}

// targetThumb is the target of a direct branch, or what a pc-relative load or
// ADR names. w has a 16-bit instruction in its upper half.
func targetThumb(pc uint64, w uint32) (target uint64, ok bool) {
	base, h := (pc+4)&^3, w>>16
	signedBits := func(v uint32, n uint) uint64 { return uint64(int64(v) << (64 - n) >> (64 - n)) }
	switch {
	case h>>11 == 0x09, h>>11 == 0x14: // LDR (literal), ADR
		return base + uint64(h&0xff)<<2, true
	case h>>12 == 0x0d && h>>9&7 != 7: // B<c>
		return pc + 4 + signedBits(h&0xff, 8)<<1, true
	case h>>11 == 0x1c: // B
		return pc + 4 + signedBits(h&0x7ff, 11)<<1, true
	case h&0xf500 == 0xb100: // CBZ, CBNZ
		return pc + 4 + uint64(h>>3&0x1f|h>>4&0x20)<<1, true
	case w&0xf8008000 == 0xf0008000:
		return targetBranch32(pc, w)
	case w&0xfe5f0000 == 0xf81f0000 && w>>16&0x180 != 0x180 || w&0xff7f0000 == 0xf85f0000, // LDR, LDRH, LDRB
		w&0xff1f0000 == 0xf91f0000: // LDRSB, LDRSH
		return offset(base, uint64(w&0xfff), w), true
	case w&0xff3f0e00 == 0xed1f0a00: // VLDR
		return offset(base, uint64(w&0xff)<<2, w), true
	case w&0xff7f0000 == 0xe95f0000: // LDRD
		return offset(base, uint64(w&0xff)<<2, w), true
	case w&0xfbff8000 == 0xf20f0000: // ADR
		return base + uint64(imm12(w)), true
	case w&0xfbff8000 == 0xf2af0000:
		return base - uint64(imm12(w)), true
	}
	return 0, false
}

// imm12 is i:imm3:imm8 of a 32-bit instruction.
func imm12(w uint32) uint32 { return w>>15&0x800 | w>>4&0x700 | w&0xff }

func targetBranch32(pc uint64, w uint32) (target uint64, ok bool) {
	sign := -(w >> 26 & 1)
	i1, i2 := ^(w>>13^sign)&1, ^(w>>11^sign)&1
	far := uint64(int64(int32(sign<<24 | i1<<23 | i2<<22 | w>>16&0x3ff<<12 | w&0x7ff<<1)))
	switch {
	case w&0x1000 != 0: // B, BL
		return pc + 4 + far, true
	case w&0x4000 != 0: // BLX
		return (pc+4)&^3 + far, true
	case w>>22&15 >= 14:
		return 0, false
	}
	near := sign<<20 | w>>11&1<<19 | w>>13&1<<18 | w>>16&0x3f<<12 | w&0x7ff<<1
	return pc + 4 + uint64(int64(int32(near))), true
}

// inITBlock puts the condition of an IT block on a mnemonic. The 16-bit forms
// that set the flags elsewhere do not in an IT block.
func inITBlock(text string, it uint8, n int) string {
	m, rest, _ := strings.Cut(text, " ")
	if rest != "" {
		rest = " " + rest
	}
	if m == "bkpt" || strings.HasPrefix(m, "it") {
		return text
	}
	suffix := ""
	if i := strings.IndexByte(m, '.'); i >= 0 {
		m, suffix = m[:i], m[i:]
	}
	if n == 2 && strings.HasSuffix(m, "s") && len(m) > 3 {
		m = m[:len(m)-1]
	}
	return m + condARM(uint32(it)>>4) + suffix + rest
}

// AdvanceIT is the ITSTATE after the Thumb instruction that begins code, when
// it was in force before it.
func AdvanceIT(it uint8, code []byte) uint8 {
	switch {
	case len(code) >= 2 && code[1] == 0xbf && code[0]&15 != 0:
		return code[0]
	case it&7 == 0:
		return 0
	}
	return it&0xe0 | it<<1&0x1f
}
