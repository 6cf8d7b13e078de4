package disasm

import "strconv"

// coprocessor is the text of a coprocessor instruction by the generic names
// that objdump uses for coprocessors other than VFP: w is the A32 word, or the
// Thumb one, whose top nibble is 14 or, for the forms with 2, 15. ok is false
// if w is none.
func coprocessor(w uint32) (text string, ok bool) {
	cond := armConds[w>>28]
	if w>>28 == 15 {
		cond = "2"
	}
	bits := func(lo, n uint) string { return strconv.Itoa(int(w >> lo & (1<<n - 1))) }
	reg := func(lo uint) string { return armRegs[w>>lo&15] }
	cr := func(lo uint) string { return "cr" + bits(lo, 4) }
	cp := " " + bits(8, 4) + ", "
	load := w>>20&1 != 0
	switch {
	case w&0x0fe00000 == 0x0c400000:
		return pick(load, "mrrc", "mcrr") + cond + cp + bits(4, 4) + ", " + reg(12) + ", " + reg(16) + ", " + cr(0), true
	case w&0x0f000010 == 0x0e000000:
		return "cdp" + cond + cp + bits(20, 4) + ", " + cr(12) + ", " + cr(16) + ", " + cr(0) + ", {" + bits(5, 3) + "}", true
	case w&0x0f000010 == 0x0e000010:
		rt := reg(12)
		if load && rt == "pc" {
			rt = "APSR_nzcv"
		}
		return pick(load, "mrc", "mcr") + cond + cp + bits(21, 3) + ", " + rt + ", " + cr(16) + ", " + cr(0) + ", {" + bits(5, 3) + "}", true
	case w&0x0e000000 == 0x0c000000:
		return pick(load, "ldc", "stc") + transferName(w, cond) + cp + cr(12) + ", " + transferAddr(w), true
	}
	return "", false
}

func pick(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// transferName is what follows ldc or stc: 2, l, condition.
func transferName(w uint32, cond string) string {
	long := pick(w>>22&1 != 0, "l", "")
	if cond == "2" {
		return cond + long
	}
	return long + cond
}

func transferAddr(w uint32) string {
	base := "[" + armRegs[w>>16&15]
	imm := "#" + pick(w>>23&1 == 0, "-", "") + strconv.Itoa(int(w&0xff)*4)
	index, write := w>>24&1 != 0, w>>21&1 != 0
	switch {
	case index && w&0xff == 0 && w>>23&1 != 0:
		return base + "]" + pick(write, "!", "")
	case index:
		return base + ", " + imm + "]" + pick(write, "!", "")
	case write:
		return base + "], " + imm
	}
	return base + "], {" + strconv.Itoa(int(w&0xff)) + "}"
}

// isCoprocessor says whether w is in the space of coprocessors that have no
// instructions of their own: all but VFP's, and CP14 and CP15 among them.
func isCoprocessor(w uint32) bool {
	cp := w >> 8 & 15
	return w&0x0c000000 == 0x0c000000 && w&0x0f000000 != 0x0f000000 && cp != 10 && cp != 11
}
