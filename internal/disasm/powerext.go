package disasm

import "strconv"

// extendedPower is the text of instructions that have an extended mnemonic,
// which ppc64asm and libcapstone know in part only.
func extendedPower(w uint32, target uint64) (text string, ok bool) {
	switch w >> 26 {
	case 2, 3:
		return trapImmediate(w)
	case 16:
		return branchHint(w, target)
	case 17:
		return systemCall(w)
	case 19:
		return crPower(w)
	case 21:
		return rotate32(w)
	case 23:
		if w>>1&0x3ff == 0x1f { // MB 0, ME 31
			return "rotlw" + dot(w) + " " + list(r(w, 16), r(w, 21), r(w, 11)), true
		}
	case 30:
		return rotate64(w)
	case 31:
		return extended31(w)
	case 60:
		return permute(w)
	case 4:
		return vectorExtended(w)
	}
	return "", false
}

// r is the name of the general register in the field at bit lo.
func r(w uint32, lo uint) string { return "r" + num(w>>lo&31) }

// r0 is r for a base register: r0 stands for the number 0 there.
func r0(w uint32, lo uint) string {
	if w>>lo&31 == 0 {
		return "0"
	}
	return r(w, lo)
}

func num(v uint32) string { return strconv.Itoa(int(v)) }

func list(ops ...string) string {
	s := ops[0]
	for _, op := range ops[1:] {
		s += "," + op
	}
	return s
}

// dot is the mark of the record form.
func dot(w uint32) string { return pick(w&1 != 0, ".", "") }

var trapConds = map[uint32]string{16: "lt", 20: "le", 4: "eq", 12: "ge", 8: "gt", 24: "ne", 2: "llt", 6: "lle", 5: "lge", 1: "lgt", 31: "u"}

func trapImmediate(w uint32) (string, bool) {
	cond, ok := trapConds[w>>21&31]
	if !ok {
		return "", false
	}
	return pick(w>>26 == 2, "td", "tw") + cond + "i " + list(r(w, 16), strconv.Itoa(int(int16(w)))), true
}

func systemCall(w uint32) (string, bool) {
	switch {
	case w&0x03fff01f == 2 && w>>5&0x7f == 0:
		return "sc", true
	case w&0x03fff01f == 1:
		return "scv " + num(w>>5&0x7f), true
	}
	return "", false
}

// condNames are the conditional branches by the truth of the bit and the bit.
var condNames = [2][4]string{{"bge", "ble", "bne", "bns"}, {"blt", "bgt", "beq", "bso"}}

// branchHint is BC with the BO fields that carry the branch prediction bit of
// older processors or reserved bits.
func branchHint(w uint32, target uint64) (string, bool) {
	bo, bi := w>>21&31, w>>16&31
	suffix := pick(w&1 != 0, "l", "") + pick(w&2 != 0, "a", "")
	var name string
	switch {
	case bo == 5 || bo == 13:
		name = condNames[bo>>3&1][bi&3]
		cr := ""
		if bi>>2 != 0 {
			cr = "cr" + num(bi>>2) + ","
		}
		return name + suffix + " " + cr + hex(target), true
	case bo == 19 && bi == 0:
		return "bdz" + suffix + " " + hex(target), true
	case bo == 17 && bi == 0:
		return "bdnz" + suffix + " " + hex(target), true
	}
	return "", false
}

// crPower is the condition register's logic with equal operands.
func crPower(w uint32) (string, bool) {
	d, a, b := w>>21&31, w>>16&31, w>>11&31
	switch w & 0x7fe {
	case 16 << 1, 528 << 1:
		if d == 5 || d == 13 {
			reg := pick(w&0x7fe == 16<<1, "lr", "ctr") + pick(w&1 != 0, "l", "") + "+"
			return condNames[d>>3&1][a&3] + reg + pick(a>>2 != 0, " cr"+num(a>>2), ""), true
		}
	case 193 << 1:
		if d == a && a == b {
			return "crclr " + crBit(d), true
		}
	case 289 << 1:
		if d == a && a == b {
			return "crset " + crBit(d), true
		}
	case 33 << 1:
		if a == b {
			return "crnot " + list(crBit(d), crBit(a)), true
		}
	case 449 << 1:
		if a == b {
			return "crmove " + list(crBit(d), crBit(a)), true
		}
	}
	return "", false
}

func crBit(n uint32) string {
	bit := [4]string{"lt", "gt", "eq", "so"}[n&3]
	if n < 4 {
		return bit
	}
	return "4*cr" + num(n>>2) + "+" + bit
}

// rotate32 is RLWINM by what it does: a shift, the clearing of bits.
func rotate32(w uint32) (string, bool) {
	sh, mb, me := w>>11&31, w>>6&31, w>>1&31
	ops := list(r(w, 16), r(w, 21)) + ","
	switch {
	case mb == 0 && me == 31:
		return "rotlwi" + dot(w) + " " + ops + num(sh), true
	case mb == 0 && sh != 0 && me == 31-sh:
		return "slwi" + dot(w) + " " + ops + num(sh), true
	case sh != 0 && me == 31 && mb == 32-sh:
		return "srwi" + dot(w) + " " + ops + num(mb), true
	case sh == 0 && me == 31:
		return "clrlwi" + dot(w) + " " + ops + num(mb), true
	case sh == 0 && mb == 0:
		return "clrrwi" + dot(w) + " " + ops + num(31-me), true
	}
	return "", false
}

// rotate64 is RLDICL, RLDICR and RLDCL likewise.
func rotate64(w uint32) (string, bool) {
	sh, m := w>>11&31|w<<4&32, w>>6&31|w&32
	ops := list(r(w, 16), r(w, 21)) + ","
	switch op := w >> 1 & 15; {
	case op < 2 && m == 0:
		return "rotldi" + dot(w) + " " + ops + num(sh), true
	case op < 2 && sh == 0:
		return "clrldi" + dot(w) + " " + ops + num(m), true
	case op < 2 && m == 64-sh:
		return "srdi" + dot(w) + " " + ops + num(m), true
	case op < 4 && op >= 2 && sh == 0:
		return "clrrdi" + dot(w) + " " + ops + num(63-m), true
	case op < 4 && op >= 2 && m == 63-sh:
		return "sldi" + dot(w) + " " + ops + num(sh), true
	case op == 8 && m == 0:
		return "rotld" + dot(w) + " " + ops + r(w, 11), true
	}
	return "", false
}

// indexed are instructions of opcode 31 whose RA is a base, so that 0 is the
// number, which ppc64asm prints as r0.
var indexed = map[uint32]string{
	150: "stwcx. ", 214: "stdcx. ", 694: "stbcx. ", 726: "sthcx. ", 182: "stqcx. ",
}

var vectorIndexed = map[uint32]string{
	7: "lvebx", 39: "lvehx", 71: "lvewx", 103: "lvx", 359: "lvxl", 6: "lvsl", 38: "lvsr",
	135: "stvebx", 167: "stvehx", 199: "stvewx", 231: "stvx", 487: "stvxl",
}

func extended31(w uint32) (string, bool) {
	op, s, b := w>>1&0x3ff, w>>21&31, w>>11&31
	switch {
	case op == 444 && s == b:
		return "mr" + dot(w) + " " + list(r(w, 16), r(w, 21)), true
	case op == 124 && s == b:
		return "not" + dot(w) + " " + list(r(w, 16), r(w, 21)), true
	case op == 4 || op == 68:
		return trapRegister(w, op)
	case op == 144 && w&0x1ff801 == 0xff000:
		return "mtcr " + r(w, 21), true
	case w&1 != 0 && indexed[op] != "":
		return indexed[op] + list(r(w, 21), r0(w, 16), r(w, 11)), true
	case w&1 == 0 && (op == 532 || op == 660):
		return pick(op == 532, "ldbrx ", "stdbrx ") + list(r(w, 21), r0(w, 16), r(w, 11)), true
	case w&0xffe007ff == 0x7c0007ec:
		return "dcbz " + list(r0(w, 16), r(w, 11)), true
	case w&0x1fffff == 0x42a6 || w&0x1fffff == 0x43a6:
		return pick(w>>8&1 == 0, "mfvrsave ", "mtvrsave ") + r(w, 21), true
	case w&1 == 0 && vectorIndexed[op] != "":
		return vectorIndexed[op] + " " + list("v"+num(s), r0(w, 16), r(w, 11)), true
	case op == 51 && b == 0:
		return pick(w&1 != 0, "mfvrd ", "mffprd ") + list(r(w, 16), pick(w&1 != 0, "v", "f")+num(s)), true
	case op == 179 && b == 0:
		return pick(w&1 != 0, "mtvrd ", "mtfprd ") + list(pick(w&1 != 0, "v", "f")+num(s), r(w, 16)), true
	case op == 278 && w&1 == 0 && s == 0x10:
		return "dcbtt " + list(r0(w, 16), r(w, 11)), true
	}
	return "", false
}

func trapRegister(w, op uint32) (string, bool) {
	if w == 0x7fe00008 {
		return "trap", true
	}
	cond, ok := trapConds[w>>21&31]
	if !ok || w&1 != 0 {
		return "", false
	}
	return pick(op == 68, "td", "tw") + cond + " " + list(r(w, 16), r(w, 11)), true
}

func vectorExtended(w uint32) (string, bool) {
	if w&0x7ff == 1156 && w>>16&31 == w>>11&31 {
		return "vmr v" + num(w>>21&31) + ",v" + num(w>>16&31), true
	}
	return "", false
}

// permute is XXPERMDI by what it does.
func permute(w uint32) (string, bool) {
	if w&0x4f8 != 10<<3 {
		return "", false
	}
	vs := func(lo, high uint) string { return "vs" + num(w>>lo&31|w>>high&1<<5) }
	t, a, b := vs(21, 0), vs(16, 2), vs(11, 1)
	switch dm := w >> 8 & 3; {
	case a == b && dm == 2:
		return "xxswapd " + list(t, a), true
	case a == b && dm != 1:
		return "xxspltd " + list(t, a, pick(dm == 0, "0", "1")), true
	case dm == 0 || dm == 3:
		return pick(dm == 0, "xxmrghd ", "xxmrgld ") + list(t, a, b), true
	}
	return "", false
}
