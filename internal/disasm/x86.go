package disasm

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/utemu/utemu/emu/arch/x86"
)

// decodeX86 takes the mnemonic and the registers from a decoder, and the
// length, memory operands, immediates and targets from the encoding.
func decodeX86(s *set, pc uint64, code []byte, _ uint8) Inst {
	long := s.addrMask != addr32
	l, ok := x86.Parse(long, code)
	if !ok {
		return Inst{Len: min(1, len(code)), Text: "(bad)"}
	}
	x := x86Text{l: l, code: code[:l.Len], end: pc + uint64(l.Len), mask: s.addrMask}
	if !x.find(s, pc) {
		return Inst{Len: l.Len, Text: "(bad)"}
	}
	in := Inst{Len: l.Len, Known: true}
	in.Text = x.String()
	in.Target, in.HasTarget = x.target, x.hasTarget
	if x.hasTarget && x.ripData {
		in.Text += " # " + hex(x.target)
	}
	return in
}

// x86Text is an instruction's text in the making.
type x86Text struct {
	l    x86.Encoding
	code []byte
	end  uint64 // pc after it
	mask uint64

	prefix string // prefixes printed as words
	mnem   string
	ops    []string

	target    uint64
	hasTarget bool
	ripData   bool // target is what a rip-relative operand names
}

// find asks the decoders in turn, first for the bytes as they are, then for
// others that a CPU takes for the same instruction.
func (x *x86Text) find(s *set, pc uint64) bool {
	return x.byTable() || x.ask(s, pc, x.code) || x.askPlain(s, pc) || x.named()
}

// ask asks x86asm, then libcapstone. An answer of the wrong length is none.
func (x *x86Text) ask(s *set, pc uint64, code []byte) bool {
	bits := 32
	if x.l.Long {
		bits = 64
	}
	if in, err := x86asm.Decode(code, bits); err == nil && in.Op != 0 && in.Len == len(code) && trustX86(in) {
		if x.take(x86asm.GNUSyntax(in, pc, nil)) {
			x.fix()
			return true
		}
	}
	if t, ok := s.lib(pc, code); ok && t.Len == len(code) {
		x.take(t.Mnemonic + " " + t.Operands)
		x.fixLib()
		x.fix()
		return true
	}
	return false
}

// trustX86 is false for what x86asm takes for another instruction without an
// error, though its length is right.
func trustX86(in x86asm.Inst) bool {
	switch in.Op {
	case x86asm.LFENCE, x86asm.MFENCE, x86asm.SFENCE:
		return in.Prefix[0] == 0 || in.Prefix[0]&0xf0 == 0x40
	}
	return true
}

// askPlain asks for the instruction without prefixes that have no effect on
// it, which then are printed as words, and with the usual form of opcodes that
// have two.
func (x *x86Text) askPlain(s *set, pc uint64) bool {
	if x.l.Enc != x86.Legacy {
		for _, code := range x.vectorVariants() {
			if x.ask(s, pc, code) {
				return true
			}
		}
		if i := x.l.Start - 1; x.l.Long && i >= 0 && x.code[i]&0xf0 == 0x40 { // which faults
			if x.ask(s, pc, append(append([]byte(nil), x.code[:i]...), x.code[i+1:]...)) {
				x.prefix += x.prefixWord(x.code[i]) + " "
				return true
			}
		}
		return x.vexNamed()
	}
	code := append([]byte(nil), x.code...)
	if x.aliased(code) && x.ask(s, pc, code) {
		return true
	}
	var words []string
	n := x.l.Start
	for i := 0; i < n; {
		b := code[i]
		if b&0xf0 == 0x40 && i == n-1 && x.l.Long && b&8 != 0 {
			break
		}
		rest := append(append([]byte(nil), code[:i]...), code[i+1:]...)
		if nl, ok := x86.Parse(x.l.Long, rest); !ok || nl.Len != len(rest) {
			i++
			continue
		}
		words = append(words, x.prefixWord(b))
		code, n = rest, n-1
		if x.ask(s, pc, code) {
			x.prefix = strings.Join(words, " ") + " " + x.prefix
			return true
		}
	}
	return false
}

// aliased turns opcodes that a CPU knows but the manuals hide into the others.
func (x *x86Text) aliased(code []byte) bool {
	if x.l.Map != 0 || x.l.ModRM == 0 {
		return false
	}
	m := &code[x.l.ModRM]
	switch op := code[x.l.Opcode]; {
	case (op&0xfe == 0xc0 || op&0xfc == 0xd0) && *m>>3&7 == 6: // SAL
		*m = *m&^0x38 | 4<<3
	case op&0xfe == 0xf6 && *m>>3&7 == 1: // TEST
		*m &^= 0x38
	case op == 0x82 && !x.l.Long:
		code[x.l.Opcode] = 0x80
	default:
		return false
	}
	return true
}

func (x *x86Text) prefixWord(b byte) string {
	switch b {
	case 0x66:
		return "data16"
	case 0x67:
		if x.l.Long {
			return "addr32"
		}
		return "addr16"
	case 0xf0:
		return "lock"
	case 0xf2:
		return "repnz"
	case 0xf3:
		return "repz"
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65:
		return segNames[b]
	}
	if b == 0x40 {
		return "rex"
	}
	w := "rex."
	for i, c := range "WRXB" {
		if b>>(3-i)&1 != 0 {
			w += string(c)
		}
	}
	return w
}

var segNames = map[byte]string{0x26: "es", 0x2e: "cs", 0x36: "ss", 0x3e: "ds", 0x64: "fs", 0x65: "gs"}

// take splits a decoder's text. It is false for text that names nothing.
func (x *x86Text) take(text string) bool {
	x.prefix, x.mnem, x.ops = "", "", nil
	text = strings.TrimSpace(text)
	for {
		w, rest, _ := strings.Cut(text, " ")
		text = strings.TrimSpace(rest)
		if !isPrefixWord(w) || text == "" {
			x.mnem = w
			break
		}
		x.prefix += w + " "
	}
	x.ops = splitOperands(text)
	return x.mnem != "" && !strings.Contains(x.mnem, "(bad)")
}

func isPrefixWord(w string) bool {
	switch w {
	case "lock", "rep", "repz", "repnz", "repne", "repe", "repn", "data16", "addr32", "addr16", "xacquire", "xrelease",
		"cs", "ds", "es", "fs", "gs", "ss", "bnd", "notrack", "data32":
		return true
	}
	return strings.HasPrefix(w, "rex")
}

// splitOperands cuts at the commas outside of parentheses.
func splitOperands(s string) []string {
	var ops []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			depth--
		case ',':
			if depth <= 0 {
				ops = append(ops, strings.TrimSpace(s[from:i]))
				from = i + 1
			}
		}
	}
	if rest := strings.TrimSpace(s[from:]); rest != "" || from > 0 {
		ops = append(ops, rest)
	}
	return ops
}

// String joins the parts.
func (x *x86Text) String() string {
	if len(x.ops) == 0 {
		return x.prefix + x.mnem
	}
	return x.prefix + x.mnem + " " + strings.Join(x.ops, ",")
}

// fix puts operands that come from the encoding in place of the decoder's.
func (x *x86Text) fix() {
	x.fixMnemonic()
	if x.branch() {
		return
	}
	if x.l.Enc == x86.Legacy && x.l.Map == 0 && ownOperands(x.code[x.l.Opcode]) {
		return
	}
	memory := false
	for i, op := range x.ops {
		switch {
		case x.l.Long && len(op) > 8 && op[3] == ':' && op[7] == ':':
			x.ops[i] = "%ds:" + op[8:] // an override that 64-bit mode ignores
			if op[4] != '%' || op[1:3] == "fs" || op[1:3] == "gs" {
				x.ops[i] = op
			}
		case strings.HasPrefix(op, "$"):
			if v, ok := x.immediate(); ok {
				x.ops[i] = "$" + hex(v)
			}
		case x.isMemory(op):
			star := ""
			if strings.HasPrefix(op, "*") {
				star = "*"
			}
			x.ops[i] = star + x.memory(op)
			memory = true
		case op == "%st" && len(x.ops) == 1:
			x.ops[i] = "%st(0)"
		}
	}
	if w := segNames[x.l.Seg]; memory && x.l.Long && x.l.Seg < 0x64 && w != "" && !strings.Contains(x.prefix, w+" ") {
		x.prefix += w + " "
	}
}

// ownOperands says whether fixMnemonic has written all operands of op.
func ownOperands(op byte) bool { return op&0xfc == 0xa0 || op == 0x9a || op == 0xea }

// branch sets the operand of a direct branch.
func (x *x86Text) branch() bool {
	op := x.code[x.l.Opcode]
	near := x.l.Enc == x86.Legacy && (x.l.Map == 0 && (op&0xf0 == 0x70 || op&0xfc == 0xe0 || op&0xfc == 0xe8 && op != 0xea) ||
		x.l.Map == 1 && op&0xf0 == 0x80 || x.l.Map == 0 && op == 0xc7 && x.l.ModRM > 0 && x.code[x.l.ModRM] == 0xf8)
	if !near {
		return false
	}
	x.target = x.end + uint64(signed(x.code[x.l.Imm:], x.l.ImmN))
	if x.l.ImmN == 2 {
		x.target &= 0xffff
	}
	x.target &= x.mask
	x.hasTarget = true
	x.ops = []string{hex(x.target)}
	return true
}

func signed(b []byte, n int) int64 {
	var v uint64
	for i := 0; i < n; i++ {
		v |= uint64(b[i]) << (8 * i)
	}
	return int64(v<<(64-8*n)) >> (64 - 8*n)
}

// isMemory says whether op is the operand that ModRM addresses.
func (x *x86Text) isMemory(op string) bool {
	l := &x.l
	if l.ModRM == 0 || x.code[l.ModRM] >= 0xc0 || l.Map == 1 && l.Enc == x86.Legacy && x86.Always(x.code[l.Opcode]) {
		return false
	}
	op = strings.TrimPrefix(op, "*")
	return op == "" || strings.Contains(op, "(") && !strings.HasPrefix(op, "%st(") || (op[0] >= '0' && op[0] <= '9' || op[0] == '-') ||
		len(op) > 3 && op[0] == '%' && op[3] == ':'
}

// immediate is the value of an immediate, extended as the CPU does and cut to
// the size of the operation. ok is false if it has a form of its own.
func (x *x86Text) immediate() (v uint64, ok bool) {
	l := &x.l
	if l.ImmN == 0 || l.ImmN == 3 {
		return 0, false
	}
	imm := signed(x.code[l.Imm:], l.ImmN)
	size := l.ImmN
	if l.Enc == x86.Legacy && l.Map == 0 {
		op := x.code[l.Opcode]
		switch {
		case op == 0x6b, op == 0x83, op == 0x69, op == 0x81, op == 0xc7, op == 0xf7, op == 0xa9, op < 0x40 && op&7 == 5:
			size = x.opSize()
		case op == 0x6a, op == 0x68:
			size = x.opSize()
			if l.Long && size == 4 {
				size = 8
			}
		}
	}
	if size >= 8 {
		return uint64(imm), true
	}
	return uint64(imm) & (1<<(8*size) - 1), true
}

func (x *x86Text) opSize() int {
	switch {
	case x.l.Wide():
		return 8
	case x.l.Op16:
		return 2
	}
	return 4
}
