package disasm

// x86Max is the CPU's limit on an instruction's length; a longer one faults.
const x86Max = 15

// x86Layout is where the parts of an x86 instruction lie in its bytes, all as
// offsets from its start; 0 means that there is no such part.
type x86Layout struct {
	len    int
	opcode int // the last opcode byte
	modrm  int
	sib    int
	disp   int
	dispN  int
	imm    int
	immN   int // bytes of immediate, or of a branch displacement

	long  bool  // 64-bit mode
	enc   uint8 // encLegacy, ...
	space uint8 // opcode map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A, 8-10 XOP
	rex   uint8 // W R X B as in a REX prefix, also from VEX and EVEX
	op16  bool  // 66
	adr   bool  // 67
	seg   uint8 // the last segment prefix
	rep   uint8 // the last of F2 and F3
	lock  bool
	start int // first byte after legacy prefixes and REX
}

const (
	encLegacy = iota
	encVEX
	encEVEX
	encXOP
)

// What follows the opcode, by opcode. M: ModRM; the rest are immediates, and
// capital letters have a ModRM before them.
//
//	b B  8 bits          w  16 bits        z Z  16 or 32 by operand size
//	v    16, 32 or 64    o  an address     p    far pointer
//	e    16 and 8 bits   t T  F6/F7: only with /0 and /1
//	j    16/32 branch    R  ModRM that is always a register
//	.    nothing         P  a prefix or an escape
const x86One = "MMMMbz..MMMMbz.P" + "MMMMbz..MMMMbz.." +
	"MMMMbzP.MMMMbzP." + "MMMMbzP.MMMMbzP." +
	"................" + "................" +
	"..MMPPPPzZbB...." + "bbbbbbbbbbbbbbbb" +
	"BZBBMMMMMMMMMMMM" + "..........p....." +
	"oooo....bz......" + "bbbbbbbbvvvvvvvv" +
	"BBw.MMBZe.w..b.." + "MMMMbb..MMMMMMMM" +
	"bbbbbbbbjjpb...." + "P.PP..tT......MM"

const x86Two = "MMMM.........M.B" + "MMMMMMMMMMMMMMMM" +
	"RRRRRRRRMMMMMMMM" + "........P.P....." +
	"MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM" +
	"MMMMMMMMMMMMMMMM" + "BBBBMMM.MMMMMMMM" +
	"jjjjjjjjjjjjjjjj" + "MMMMMMMMMMMMMMMM" +
	"...MBMMM...MBMMM" + "MMMMMMMMMMBMMMMM" +
	"MMBMBBBM........" + "MMMMMMMMMMMMMMMM" +
	"MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM"

func lenX86(s *set, code []byte) int {
	l, ok := layoutX86(s.addrMask != addr32, code)
	if !ok {
		return 0
	}
	return l.len
}

// layoutX86 takes an instruction apart. ok is false if code ends within it or
// it is longer than a CPU takes.
func layoutX86(long bool, code []byte) (l x86Layout, ok bool) {
	if len(code) > x86Max {
		code = code[:x86Max]
	}
	l.long = long
	i := l.prefixes(code)
	l.start = i
	if i+1 > len(code) {
		return l, false
	}
	kind, i := l.opcodeOf(code, i)
	if i > len(code) {
		return l, false
	}
	if kind >= 'A' && kind <= 'Z' || kind == 't' {
		if i = l.operand(code, i, kind); i > len(code) {
			return l, false
		}
	}
	l.immN = l.immSize(code, kind)
	if l.immN > 0 {
		l.imm = i
	}
	l.len = i + l.immN
	return l, l.len <= len(code)
}

// prefixes reads legacy prefixes and REX and gives the offset after them. A
// REX that is not the last prefix has no effect.
func (l *x86Layout) prefixes(code []byte) int {
	for i, b := range code {
		switch {
		case b == 0x66:
			l.op16 = true
		case b == 0x67:
			l.adr = true
		case b == 0xf0:
			l.lock = true
		case b == 0xf2, b == 0xf3:
			l.rep = b
		case b&0xe7 == 0x26, b == 0x64, b == 0x65:
			l.seg = b
		case l.long && b&0xf0 == 0x40:
			l.rex = b
			continue
		default:
			return i
		}
		l.rex = 0
	}
	return len(code)
}

// opcodeOf reads the opcode at i with its escapes and tells what follows it.
// The offset it returns lies past the end of code if that is too short.
func (l *x86Layout) opcodeOf(code []byte, i int) (kind byte, next int) {
	b := code[i]
	var b1 byte
	if i+1 < len(code) {
		b1 = code[i+1]
	}
	switch {
	case b == 0x0f:
		return l.escape(code, i+1)
	case (b == 0xc4 || b == 0xc5) && (l.long || b1 >= 0xc0):
		return l.vex(code, i, b == 0xc5)
	case b == 0x62 && (l.long || b1 >= 0xc0):
		return l.evex(code, i)
	case b == 0x8f && b1&0x1f >= 8 && b1&0x1f <= 10:
		l.enc = encXOP
		return l.vexMap(code, i+3, b1, at(code, i+2))
	}
	l.opcode = i
	kind = x86One[b]
	if l.long && (b == 0x9a || b == 0xea) {
		kind = '.' // no far pointers in 64-bit mode
	}
	return kind, i + 1
}

func at(code []byte, i int) byte {
	if i < len(code) {
		return code[i]
	}
	return 0
}

// escape reads what follows 0F.
func (l *x86Layout) escape(code []byte, i int) (kind byte, next int) {
	switch b := at(code, i); b {
	case 0x38:
		l.space, l.opcode = 2, i+1
		return 'M', i + 2
	case 0x3a:
		l.space, l.opcode = 3, i+1
		return 'B', i + 2
	default:
		l.space, l.opcode = 1, i
		if b == 0x78 && (l.op16 || l.rep == 0xf2) {
			return 'W', i + 1 // EXTRQ, INSERTQ: two bytes
		}
		return x86Two[b], i + 1
	}
}

func (l *x86Layout) vex(code []byte, i int, two bool) (kind byte, next int) {
	l.enc = encVEX
	if two {
		p := at(code, i+1) // R and no more; the map is 0F
		return l.vexMap(code, i+2, p&0x80|0x61, p&0x7f)
	}
	return l.vexMap(code, i+3, at(code, i+1), at(code, i+2))
}

// vexMap reads the opcode at i. p1 holds inverted R, X, B and the map, p2 has W
// at its top and the implied prefix at its bottom.
func (l *x86Layout) vexMap(code []byte, i int, p1, p2 byte) (kind byte, next int) {
	l.space, l.opcode = p1&0x1f, i
	l.rex = ^p1>>5&7 | p2>>7<<3
	l.implied(p2)
	return l.vexKind(at(code, i)), i + 1
}

// implied notes the prefix that pp stands for.
func (l *x86Layout) implied(pp byte) {
	switch pp & 3 {
	case 1:
		l.op16 = true
	case 2:
		l.rep = 0xf3
	case 3:
		l.rep = 0xf2
	}
}

func (l *x86Layout) evex(code []byte, i int) (kind byte, next int) {
	p0, p1 := at(code, i+1), at(code, i+2)
	l.enc, l.space, l.opcode = encEVEX, p0&7, i+4
	l.rex = ^p0>>5&7 | p1>>7<<3
	l.implied(p1)
	return l.vexKind(at(code, i+4)), i + 5
}

func (l *x86Layout) vexKind(op byte) byte {
	switch l.space {
	case 1:
		switch k := x86Two[op]; {
		case op == 0x77 && l.enc == encVEX:
			return '.' // VZEROALL
		case k == 'B' && (op&0xfc == 0x70 || op&0xf8 == 0xc0):
			return 'B'
		}
	case 3, 8:
		return 'B'
	case 10:
		return 'D'
	}
	return 'M'
}

// operand reads ModRM at i, SIB and displacement, and gives the offset after.
func (l *x86Layout) operand(code []byte, i int, kind byte) int {
	m := at(code, i)
	l.modrm = i
	i++
	mod, rm := m>>6, m&7
	if mod == 3 || kind == 'R' {
		return i
	}
	switch {
	case l.adr && !l.long:
		l.dispN = [3]int{0, 1, 2}[mod]
		if mod == 0 && rm == 6 {
			l.dispN = 2
		}
	default:
		if rm == 4 {
			l.sib = i
			rm = at(code, i) & 7
			i++
		}
		l.dispN = [3]int{0, 1, 4}[mod]
		if mod == 0 && rm == 5 {
			l.dispN = 4
		}
	}
	if l.dispN > 0 {
		l.disp = i
	}
	return i + l.dispN
}

func (l *x86Layout) immSize(code []byte, kind byte) int {
	z := 4
	if l.op16 && !l.wide() {
		z = 2
	}
	switch kind {
	case 'b', 'B':
		return 1
	case 'w', 'W':
		return 2
	case 'z', 'Z', 'j':
		return z
	case 'v':
		if l.wide() {
			return 8
		}
		return z
	case 'D':
		return 4
	case 'e':
		return 3
	case 'p':
		return z + 2
	case 'o':
		n := 4
		if l.long {
			n = 8
		}
		if l.adr {
			n /= 2
		}
		return n
	case 't', 'T':
		if at(code, l.modrm)>>3&7 > 1 {
			return 0
		} else if kind == 't' {
			return 1
		}
		return z
	}
	return 0
}

// wide says whether the operand size is 64 bits by REX.W or its like.
func (l *x86Layout) wide() bool { return l.rex&8 != 0 }
