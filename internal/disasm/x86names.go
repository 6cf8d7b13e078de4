package disasm

import (
	"strings"

	"github.com/utemu/utemu/emu/arch/x86"
)

// x86Name is an instruction that neither x86asm nor libcapstone 4 knows.
type x86Name struct {
	pp    byte // 0x66, 0xf2, 0xf3 or 0
	space uint8
	op    byte
	reg   int8   // of ModRM, -1 for any
	mod   byte   // r: a register, m: memory, e: either
	name  string // q or d in place of a % by the operand size
	ops   string // in AT&T order, see operand
}

var x86Names = []x86Name{
	{0xf3, 1, 0x1e, 1, 'r', "rdssp%", "E"},
	{0xf3, 1, 0xae, 5, 'r', "incssp%", "E"},
	{0xf3, 1, 0xae, 4, 'r', "ptwrite", "E"},
	{0xf3, 1, 0xae, 4, 'm', "ptwrite", "E"},
	{0xf3, 1, 0xae, 6, 'r', "umonitor", "A"},
	{0xf3, 1, 0xae, 6, 'm', "clrssbsy", "E"},
	{0xf2, 1, 0xae, 6, 'r', "umwait", "L"},
	{0x66, 1, 0xae, 6, 'r', "tpause", "L"},
	{0xf3, 1, 0xae, 0, 'r', "rdfsbase", "E"},
	{0xf3, 1, 0xae, 1, 'r', "rdgsbase", "E"},
	{0xf3, 1, 0xae, 2, 'r', "wrfsbase", "E"},
	{0xf3, 1, 0xae, 3, 'r', "wrgsbase", "E"},
	{0, 1, 0xae, 5, 'r', "lfence", ""},
	{0xf3, 1, 0x01, 5, 'm', "rstorssp", "E"},
	{0xf3, 1, 0xc7, 7, 'r', "rdpid", "A"},
	{0xf3, 1, 0x09, -1, '-', "wbnoinvd", ""},
	{0, 1, 0xb9, -1, 'e', "ud1", "EG"},
	{0, 1, 0xff, -1, 'e', "ud0", "EG"},
	{0, 2, 0xf6, -1, 'm', "wrss%", "GE"},
	{0x66, 2, 0xf5, -1, 'm', "wruss%", "GE"},
	{0, 2, 0xf9, -1, 'm', "movdiri", "GE"},
	{0x66, 2, 0xf8, -1, 'm', "movdir64b", "EB"},
	{0xf2, 2, 0xf8, -1, 'm', "enqcmd", "EB"},
	{0xf3, 2, 0xf8, -1, 'm', "enqcmds", "EB"},
	{0, 2, 0xfc, -1, 'm', "aadd", "GE"},
	{0x66, 2, 0xfc, -1, 'm', "aand", "GE"},
	{0xf2, 2, 0xfc, -1, 'm', "aor", "GE"},
	{0xf3, 2, 0xfc, -1, 'm', "axor", "GE"},
	{0x66, 2, 0xcf, -1, 'e', "gf2p8mulb", "UX"},
	{0x66, 3, 0xce, -1, 'e', "gf2p8affineqb", "IUX"},
	{0x66, 3, 0xcf, -1, 'e', "gf2p8affineinvqb", "IUX"},
	{0xf3, 2, 0xdc, -1, 'm', "aesenc128kl", "UX"},
	{0xf3, 2, 0xdd, -1, 'm', "aesdec128kl", "UX"},
	{0xf3, 2, 0xde, -1, 'm', "aesenc256kl", "UX"},
	{0xf3, 2, 0xdf, -1, 'm', "aesdec256kl", "UX"},
	{0xf3, 2, 0xd8, 0, 'm', "aesencwide128kl", "U"},
	{0xf3, 2, 0xd8, 1, 'm', "aesdecwide128kl", "U"},
	{0xf3, 2, 0xd8, 2, 'm', "aesencwide256kl", "U"},
	{0xf3, 2, 0xd8, 3, 'm', "aesdecwide256kl", "U"},
	{0xf3, 2, 0xdc, -1, 'r', "loadiwkey", "UX"},
	{0xf3, 2, 0xfa, -1, 'r', "encodekey128", "KH"},
	{0xf3, 2, 0xfb, -1, 'r', "encodekey256", "KH"},
}

// x86Exact are names of 0F 01 with a whole ModRM byte.
var x86Exact = map[[2]byte]string{
	{0, 0xee}: "rdpkru", {0, 0xef}: "wrpkru",
	{0xf2, 0xe9}: "xresldtrk", {0xf2, 0xe8}: "xsusldtrk",
	{0xf3, 0xe8}: "setssbsy", {0xf3, 0xea}: "saveprevssp",
	{0xf3, 0xec}: "uiret", {0xf3, 0xed}: "testui", {0xf3, 0xee}: "clui", {0xf3, 0xef}: "stui",
}

// byTable looks x up in x86Names. It comes before the decoders, since x86asm
// takes some of these for others.
func (x *x86Text) byTable() bool {
	if x.l.Enc == x86.VEX && x.l.Map == 1 && x.code[x.l.Opcode] == 0x77 {
		x.mnem = pick(x.code[x.l.Opcode-1]&4 != 0, "vzeroall", "vzeroupper")
		return true
	}
	if x.l.Enc != x86.Legacy || x.l.Map == 0 {
		return false
	}
	pp, op := x.pp(), x.code[x.l.Opcode]
	var m byte
	if x.l.ModRM > 0 {
		m = x.code[x.l.ModRM]
	}
	if x.l.Map == 1 && op == 1 {
		if name, ok := x86Exact[[2]byte{pp, m}]; ok {
			x.mnem = name
			return true
		}
	}
	for i := range x86Names {
		if n := &x86Names[i]; n.op == op && n.space == x.l.Map && (n.pp == pp || n.pp == 0 && pp != 0x66 && op&0x0f >= 9 && n.name[:2] == "ud") &&
			(n.reg < 0 || byte(n.reg) == m>>3&7) && (n.mod == '-' || n.mod == 'e' || (n.mod == 'r') == (m >= 0xc0)) {
			x.fill(n, m)
			return true
		}
	}
	return false
}

// pp is the mandatory prefix.
func (x *x86Text) pp() byte {
	switch {
	case x.l.Rep != 0:
		return x.l.Rep
	case x.l.Op16:
		return 0x66
	}
	return 0
}

func (x *x86Text) fill(n *x86Name, m byte) {
	size := 4
	if x.l.Wide() {
		size = 8
	}
	x.mnem = strings.Replace(n.name, "%", pick(size == 8, "q", "d"), 1)
	x.prefix, x.ops = "", nil
	for _, c := range n.ops {
		x.ops = append(x.ops, x.operandText(byte(c), m, size))
	}
}

// operandText is an operand: E ModRM.rm, G ModRM.reg, U and X the same for
// vectors; L and K are E and H is G with 32 bits; A is E and B is G with the
// size of addresses; I is the immediate.
func (x *x86Text) operandText(c, m byte, size int) string {
	rm, reg := m&7|x.l.Rex&1<<3, m>>3&7|x.l.Rex>>2&1<<3
	gpr := func(n byte, size int) string {
		if size == 8 {
			return x86Regs64[n]
		}
		return x86Regs32[n]
	}
	addr := 4
	if x.l.Long != x.l.Addr && x.l.Long {
		addr = 8
	}
	switch {
	case c == 'I':
		return "$" + hex(uint64(x.code[x.l.Imm]))
	case c == 'X':
		return "%xmm" + num(uint32(reg))
	case m < 0xc0 && strings.IndexByte("EULKA", c) >= 0:
		return x.memory("")
	case c == 'U':
		return "%xmm" + num(uint32(rm))
	case c == 'E':
		return gpr(rm, size)
	case c == 'G':
		return gpr(reg, size)
	case c == 'L', c == 'K':
		return gpr(rm, 4)
	case c == 'H':
		return gpr(reg, 4)
	case c == 'A':
		return gpr(rm, addr)
	}
	return gpr(reg, addr)
}

// vectorVariants are encodings of the same instruction with the other value of
// bits that it ignores: W, and the vector length of a scalar.
func (x *x86Text) vectorVariants() [][]byte {
	at, w := 2, byte(0x80)
	length := byte(4)
	switch {
	case x.l.Enc == x86.EVEX:
		length = 0x60
	case x.l.Enc != x86.VEX || x.code[x.l.Start] != 0xc4:
		return nil
	}
	var out [][]byte
	for _, f := range []struct{ w, l bool }{{true, false}, {false, true}, {true, true}} {
		c := append([]byte(nil), x.code...)
		if f.w {
			c[x.l.Start+at] ^= w
		}
		if f.l {
			i := x.l.Start + at
			if x.l.Enc == x86.EVEX {
				i++
			}
			if c[i]&length == 0 || x.l.Enc == x86.VEX && x.l.Rep == 0 {
				continue
			}
			c[i] &^= length
		}
		out = append(out, c)
	}
	return out
}

var cmpccxadd = [16]string{"o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l", "nl", "le", "nle"}

// vexNamed is CMPccXADD.
func (x *x86Text) vexNamed() bool {
	op, m := x.code[x.l.Opcode], x.code[x.l.ModRM]
	if x.l.Enc != x86.VEX || x.l.Map != 2 || op&0xf0 != 0xe0 || m >= 0xc0 || !x.l.Long {
		return false
	}
	size := 4
	if x.l.Wide() {
		size = 8
	}
	v := ^x.code[x.l.Opcode-1] >> 3 & 15
	regs := &x86Regs32
	if size == 8 {
		regs = &x86Regs64
	}
	x.prefix, x.mnem = "", "cmp"+cmpccxadd[op&15]+"xadd"
	x.ops = []string{regs[v], x.operandText('G', m, size), x.memory("")}
	return true
}
