package x86

// MaxLen is the CPU's limit on an instruction's length; a longer one faults.
const MaxLen = 15

// Encoding is where the parts of an x86 instruction lie in its bytes, all as
// offsets from its start; 0 means that there is no such part.
type Encoding struct {
	Len    int
	Opcode int // the last opcode byte
	ModRM  int
	SIB    int
	Disp   int
	DispN  int
	Imm    int
	ImmN   int // bytes of immediate, or of a branch displacement

	Long  bool  // 64-bit mode
	Enc   uint8 // Legacy, ...
	Map   uint8 // opcode map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A, 8-10 XOP
	Rex   uint8 // W R X B as in a REX prefix, also from VEX and EVEX
	Op16  bool  // 66
	Addr  bool  // 67
	Seg   uint8 // the last segment prefix
	Rep   uint8 // the last of F2 and F3
	Lock  bool
	Start int // first byte after legacy prefixes and REX
}

// The ways of encoding an instruction.
const (
	Legacy = iota
	VEX
	EVEX
	XOP
)

// What follows the opcode, by opcode. M: ModRM; the rest are immediates, and
// capital letters have a ModRM before them.
//
//	b B  8 bits          w  16 bits        z Z  16 or 32 by operand size
//	v    16, 32 or 64    o  an address     p    far pointer
//	e    16 and 8 bits   t T  F6/F7: only with /0 and /1
//	j    16/32 branch    R  ModRM that is always a register
//	.    nothing         P  a prefix or an escape
const mapOne = "MMMMbz..MMMMbz.P" + "MMMMbz..MMMMbz.." +
	"MMMMbzP.MMMMbzP." + "MMMMbzP.MMMMbzP." +
	"................" + "................" +
	"..MMPPPPzZbB...." + "bbbbbbbbbbbbbbbb" +
	"BZBBMMMMMMMMMMMM" + "..........p....." +
	"oooo....bz......" + "bbbbbbbbvvvvvvvv" +
	"BBw.MMBZe.w..b.." + "MMMMbb..MMMMMMMM" +
	"bbbbbbbbjjpb...." + "P.PP..tT......MM"

const mapTwo = "MMMM.........M.B" + "MMMMMMMMMMMMMMMM" +
	"RRRRRRRRMMMMMMMM" + "........P.P....." +
	"MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM" +
	"MMMMMMMMMMMMMMMM" + "BBBBMMM.MMMMMMMM" +
	"jjjjjjjjjjjjjjjj" + "MMMMMMMMMMMMMMMM" +
	"...MBMMM...MBMMM" + "MMMMMMMMMMBMMMMM" +
	"MMBMBBBM........" + "MMMMMMMMMMMMMMMM" +
	"MMMMMMMMMMMMMMMM" + "MMMMMMMMMMMMMMMM"

// Parse takes the first instruction of code apart, in 64-bit mode if long. ok is false if code ends within it or
// it is longer than a CPU takes.
func Parse(long bool, code []byte) (l Encoding, ok bool) {
	if len(code) > MaxLen {
		code = code[:MaxLen]
	}
	l.Long = long
	i := l.prefixes(code)
	l.Start = i
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
	l.ImmN = l.immSize(code, kind)
	if l.ImmN > 0 {
		l.Imm = i
	}
	l.Len = i + l.ImmN
	return l, l.Len <= len(code)
}

// prefixes reads legacy prefixes and REX and gives the offset after them. A
// REX that is not the last prefix has no effect.
func (l *Encoding) prefixes(code []byte) int {
	for i, b := range code {
		switch {
		case b == 0x66:
			l.Op16 = true
		case b == 0x67:
			l.Addr = true
		case b == 0xf0:
			l.Lock = true
		case b == 0xf2, b == 0xf3:
			l.Rep = b
		case b&0xe7 == 0x26, b == 0x64, b == 0x65:
			l.Seg = b
		case l.Long && b&0xf0 == 0x40:
			l.Rex = b
			continue
		default:
			return i
		}
		l.Rex = 0
	}
	return len(code)
}

// opcodeOf reads the opcode at i with its escapes and tells what follows it.
// The offset it returns lies past the end of code if that is too short.
func (l *Encoding) opcodeOf(code []byte, i int) (kind byte, next int) {
	b := code[i]
	var b1 byte
	if i+1 < len(code) {
		b1 = code[i+1]
	}
	switch {
	case b == 0x0f:
		return l.escape(code, i+1)
	case (b == 0xc4 || b == 0xc5) && (l.Long || b1 >= 0xc0):
		return l.vex(code, i, b == 0xc5)
	case b == 0x62 && (l.Long || b1 >= 0xc0):
		return l.evex(code, i)
	case b == 0x8f && b1&0x1f >= 8 && b1&0x1f <= 10:
		l.Enc = XOP
		return l.vexMap(code, i+3, b1, byteAt(code, i+2))
	}
	l.Opcode = i
	kind = mapOne[b]
	if l.Long && (b == 0x9a || b == 0xea) {
		kind = '.' // no far pointers in 64-bit mode
	}
	return kind, i + 1
}

func byteAt(code []byte, i int) byte {
	if i < len(code) {
		return code[i]
	}
	return 0
}

// escape reads what follows 0F.
func (l *Encoding) escape(code []byte, i int) (kind byte, next int) {
	switch b := byteAt(code, i); b {
	case 0x38:
		l.Map, l.Opcode = 2, i+1
		return 'M', i + 2
	case 0x3a:
		l.Map, l.Opcode = 3, i+1
		return 'B', i + 2
	default:
		l.Map, l.Opcode = 1, i
		if b == 0x78 && (l.Op16 || l.Rep == 0xf2) {
			return 'W', i + 1 // EXTRQ, INSERTQ: two bytes
		}
		return mapTwo[b], i + 1
	}
}

func (l *Encoding) vex(code []byte, i int, two bool) (kind byte, next int) {
	l.Enc = VEX
	if two {
		p := byteAt(code, i+1) // R and no more; the map is 0F
		return l.vexMap(code, i+2, p&0x80|0x61, p&0x7f)
	}
	return l.vexMap(code, i+3, byteAt(code, i+1), byteAt(code, i+2))
}

// vexMap reads the opcode at i. p1 holds inverted R, X, B and the map, p2 has W
// at its top and the implied prefix at its bottom.
func (l *Encoding) vexMap(code []byte, i int, p1, p2 byte) (kind byte, next int) {
	l.Map, l.Opcode = p1&0x1f, i
	l.Rex = ^p1>>5&7 | p2>>7<<3
	l.implied(p2)
	return l.vexKind(byteAt(code, i)), i + 1
}

// implied notes the prefix that pp stands for.
func (l *Encoding) implied(pp byte) {
	switch pp & 3 {
	case 1:
		l.Op16 = true
	case 2:
		l.Rep = 0xf3
	case 3:
		l.Rep = 0xf2
	}
}

func (l *Encoding) evex(code []byte, i int) (kind byte, next int) {
	p0, p1 := byteAt(code, i+1), byteAt(code, i+2)
	l.Enc, l.Map, l.Opcode = EVEX, p0&7, i+4
	l.Rex = ^p0>>5&7 | p1>>7<<3
	l.implied(p1)
	return l.vexKind(byteAt(code, i+4)), i + 5
}

func (l *Encoding) vexKind(op byte) byte {
	switch l.Map {
	case 1:
		switch k := mapTwo[op]; {
		case op == 0x77 && l.Enc == VEX:
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
func (l *Encoding) operand(code []byte, i int, kind byte) int {
	m := byteAt(code, i)
	l.ModRM = i
	i++
	mod, rm := m>>6, m&7
	if mod == 3 || kind == 'R' {
		return i
	}
	switch {
	case l.Addr && !l.Long:
		l.DispN = [3]int{0, 1, 2}[mod]
		if mod == 0 && rm == 6 {
			l.DispN = 2
		}
	default:
		if rm == 4 {
			l.SIB = i
			rm = byteAt(code, i) & 7
			i++
		}
		l.DispN = [3]int{0, 1, 4}[mod]
		if mod == 0 && rm == 5 {
			l.DispN = 4
		}
	}
	if l.DispN > 0 {
		l.Disp = i
	}
	return i + l.DispN
}

func (l *Encoding) immSize(code []byte, kind byte) int {
	z := 4
	if l.Op16 && !l.Wide() {
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
		if l.Wide() {
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
		if l.Long {
			n = 8
		}
		if l.Addr {
			n /= 2
		}
		return n
	case 't', 'T':
		if byteAt(code, l.ModRM)>>3&7 > 1 {
			return 0
		} else if kind == 't' {
			return 1
		}
		return z
	}
	return 0
}

// Always tells whether the ModRM of an opcode of the 0F map names a register
// even where it looks like memory.
func Always(op byte) bool { return mapTwo[op] == 'R' }

// Wide says whether the operand size is 64 bits by REX.W or its like.
func (l *Encoding) Wide() bool { return l.Rex&8 != 0 }
