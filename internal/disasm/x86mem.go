package disasm

import (
	"strconv"
	"strings"

	"github.com/utemu/utemu/emu/arch/x86"
)

var (
	x86Regs64 = [16]string{"%rax", "%rcx", "%rdx", "%rbx", "%rsp", "%rbp", "%rsi", "%rdi",
		"%r8", "%r9", "%r10", "%r11", "%r12", "%r13", "%r14", "%r15"}
	x86Regs32 = [16]string{"%eax", "%ecx", "%edx", "%ebx", "%esp", "%ebp", "%esi", "%edi",
		"%r8d", "%r9d", "%r10d", "%r11d", "%r12d", "%r13d", "%r14d", "%r15d"}
	x86Base16 = [8]string{"%bx,%si", "%bx,%di", "%bp,%si", "%bp,%di", "%si", "%di", "%bp", "%bx"}
)

// memory is the operand that ModRM addresses. The decoder's text of it serves
// where this package does not read the encoding: the vector index of a gather
// and the scaled displacements of EVEX.
func (x *x86Text) memory(op string) string {
	l := &x.l
	m := x.code[l.ModRM]
	mod, rm := m>>6, m&7
	var disp int64
	if l.DispN > 0 {
		disp = signed(x.code[l.Disp:], l.DispN)
	}
	seg := x.segment()
	switch {
	case l.Long && mod == 0 && rm == 5:
		return seg + x.ripOperand(disp)
	case l.Enc == x86.EVEX:
		return x.evexMemory(op)
	case l.Addr && !l.Long:
		return seg + memory16(mod, rm, disp)
	case mod == 0 && rm == 5:
		return seg + hex(uint64(disp)&addr32)
	case l.SIB > 0:
		return seg + x.sibOperand(mod, disp, vectorIndex(op))
	}
	return seg + dispText(mod, disp) + "(" + x.addrRegs()[rm|l.Rex&1<<3] + ")"
}

// sibOperand is a memory operand with a SIB byte.
func (x *x86Text) sibOperand(mod byte, disp int64, vector string) string {
	regs, sib := x.addrRegs(), x.code[x.l.SIB]
	noBase := mod == 0 && sib&7 == 5
	rex := x.l.Rex
	if !x.l.Long {
		rex = 0
	}
	base := regs[sib&7|rex&1<<3]
	index := regs[sib>>3&7|rex>>1&1<<3]
	none := vector == "" && sib>>3&7 == 4 && rex&2 == 0
	switch {
	case vector != "":
		index = vector
	case none && noBase && x.l.Long && sib>>6 == 0:
		return hex(x.absolute(disp))
	case none && sib&7 == 4 && sib>>6 == 0:
		return dispText(mod, disp) + "(" + base + ")"
	case none:
		index = regs[4][:2] + "iz"
	}
	scaled := "," + index + "," + strconv.Itoa(1<<(sib>>6)) + ")"
	if noBase {
		return shex(disp) + "(" + scaled
	}
	return dispText(mod, disp) + "(" + base + scaled
}

// absolute is an address without registers: 32 bits, extended by sign.
func (x *x86Text) absolute(disp int64) uint64 {
	if x.l.Addr {
		return uint64(disp) & addr32
	}
	return uint64(disp) & x.mask
}

// ripOperand notes the target too.
func (x *x86Text) ripOperand(disp int64) string {
	reg := "(%rip)"
	x.target, x.hasTarget, x.ripData = x.end+uint64(disp), true, true
	if x.l.Addr {
		reg = "(%eip)"
		x.target &= addr32
	}
	return shex(disp) + reg
}

func memory16(mod, rm byte, disp int64) string {
	if mod == 0 && rm == 6 {
		return hex(uint64(disp) & 0xffff)
	}
	return dispText(mod, disp) + "(" + x86Base16[rm] + ")"
}

// addrRegs are the names of the registers that form an address.
func (x *x86Text) addrRegs() *[16]string {
	if x.l.Long && !x.l.Addr {
		return &x86Regs64
	}
	return &x86Regs32
}

// segment is the override in front of a memory operand. In 64-bit mode only
// two have an effect; the others are printed as words.
func (x *x86Text) segment() string {
	if x.l.Seg == 0 || x.l.Long && x.l.Seg < 0x64 {
		return ""
	}
	return "%" + segNames[x.l.Seg] + ":"
}

// dispText is a displacement; mod 0 has none.
func dispText(mod byte, disp int64) string {
	if mod == 0 {
		return ""
	}
	return shex(disp)
}

// shex is a signed number in C's notation.
func shex(v int64) string {
	if v < 0 {
		return "-" + hex(uint64(-v))
	}
	return hex(uint64(v))
}

// vectorIndex is the vector register in the decoder's text of an operand.
func vectorIndex(op string) string {
	for _, class := range [...]string{"%xmm", "%ymm", "%zmm"} {
		if i := strings.Index(op, class); i >= 0 {
			v := op[i:]
			if j := strings.IndexAny(v, ",)"); j >= 0 {
				return v[:j]
			}
		}
	}
	return ""
}

// evexMemory is the decoder's operand with its displacement in hex.
func (x *x86Text) evexMemory(op string) string {
	if x.l.Seg == 0 && len(op) > 4 && op[3] == ':' {
		op = op[4:] // x86asm takes bytes of EVEX for prefixes
	}
	if strings.HasSuffix(op, ")") && strings.Count(op, ",") == 1 {
		op = op[:len(op)-1] + ",1)"
	}
	i := strings.IndexByte(op, '(')
	if i <= 0 {
		return op
	}
	if v, err := strconv.ParseInt(op[:i], 0, 64); err == nil {
		return shex(v) + op[i:]
	}
	return op
}
