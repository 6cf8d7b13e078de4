package disasm

import (
	"embed"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// The tables hold the instructions that neither golang.org/x/arch nor
// libcapstone 4 knows: SVE, SME, MTE and later on AArch64, Power's embedded and
// historical branches, coprocessors and reserved forms on ARM. One row is a
// mask, a value and a text with fields:
//
//	ffe0fc00 04200000 add z{d0.5}.b, z{d5.5}.b, z{d16.5}.b
//
// A field is a kind, pieces of the word as position.width, high one first,
// and how to make the number of them:
//
//	d  decimal; x: hexadecimal; s before the pieces: signed
//	   *m and +a or -a: value*m + a
//	f  a floating point constant of 8 bits
//	l  a list of ARM's core registers, one bit each
//	t  an address, relative to that of the instruction
//	z  the number of a register, zr for 31; n: sp for 31
//	p  the name of an SVE element count
//	b  a bitmask immediate of AArch64, of *m bits
//	m  an immediate of A32: eight bits, rotated
//	c  an ARM condition, of bits 31-28; such a row is not for 1111
//
// Rows are ordered: the first that matches counts, and more particular ones
// come first. They are made and checked by TestNames.
//
//go:embed names/*.tab
var nameFiles embed.FS

// nameTable finds the text of a word by a table of masks.
type nameTable struct {
	file string
	once sync.Once
	rows []nameRow
	byOp [256][]uint16 // rows by the word's top byte, in order
}

type nameRow struct {
	mask, value uint32
	lit         []string // one more than fields
	fields      []nameField
	cond        bool
}

type nameField struct {
	kind   byte
	signed bool
	pieces []piece
	mul    int64
	add    int64
}

type piece struct{ pos, width uint8 }

func (t *nameTable) load() {
	data, err := nameFiles.ReadFile("names/" + t.file)
	if err != nil {
		panic(err) // embedded: it is there or the program was not built
	}
	for line := range strings.Lines(string(data)) {
		if row, ok := parseNameRow(strings.TrimSpace(line)); ok {
			t.add(row)
		}
	}
}

func (t *nameTable) add(row nameRow) {
	for b := range uint32(256) {
		if (b<<24^row.value)&row.mask>>24 == 0 {
			t.byOp[b] = append(t.byOp[b], uint16(len(t.rows)))
		}
	}
	t.rows = append(t.rows, row)
}

// parseNameRow reads one line of a table; ok is false for an empty one or a
// comment.
func parseNameRow(line string) (row nameRow, ok bool) {
	mask, rest, ok1 := strings.Cut(line, " ")
	value, text, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || mask[0] == '#' {
		return row, false
	}
	row.mask, row.value = parseHex(mask), parseHex(value)
	for {
		i := strings.IndexByte(text, '{')
		for i >= 0 && !isField(text[i+1:]) {
			j := strings.IndexByte(text[i+1:], '{')
			if j < 0 {
				i = -1
				break
			}
			i += 1 + j
		}
		if i < 0 {
			break
		}
		j := i + strings.IndexByte(text[i:], '}')
		f := parseField(text[i+1 : j])
		row.cond = row.cond || f.kind == 'c'
		row.lit = append(row.lit, text[:i])
		row.fields = append(row.fields, f)
		text = text[j+1:]
	}
	row.lit = append(row.lit, text)
	return row, true
}

// isField tells a field from the braces of a register list.
func isField(s string) bool {
	end := strings.IndexByte(s, '}')
	if end == 1 && s[0] == 'c' {
		return true
	}
	if end < 4 || strings.IndexByte("dxtflznpbm", s[0]) < 0 {
		return false
	}
	return strings.Trim(s[1:end], "s0123456789.|*+-") == "" && strings.IndexByte(s[:end], '.') > 0
}

func parseField(s string) nameField {
	f := nameField{kind: s[0], mul: 1}
	s = s[1:]
	if strings.HasPrefix(s, "s") {
		f.signed, s = true, s[1:]
	}
	if i := strings.LastIndexAny(s, "+-"); i > 0 && s[i-1] != '*' {
		f.add, _ = strconv.ParseInt(s[i:], 10, 64)
		s = s[:i]
	}
	if i := strings.IndexByte(s, '*'); i >= 0 {
		f.mul, _ = strconv.ParseInt(s[i+1:], 10, 64)
		s = s[:i]
	}
	for p := range strings.SplitSeq(s, "|") {
		pos, width, _ := strings.Cut(p, ".")
		a, _ := strconv.Atoi(pos)
		b, _ := strconv.Atoi(width)
		f.pieces = append(f.pieces, piece{uint8(a), uint8(b)})
	}
	return f
}

func parseHex(s string) uint32 {
	v, _ := strconv.ParseUint(s, 16, 32)
	return uint32(v)
}

// text is the text of w, if the table has it.
func (t *nameTable) text(w uint32, pc uint64) (string, bool) {
	if t == nil {
		return "", false
	}
	t.once.Do(t.load)
	for _, i := range t.byOp[w>>24] {
		r := &t.rows[i]
		if (w^r.value)&r.mask == 0 && !(r.cond && w>>28 == 15) {
			return r.text(w, pc), true
		}
	}
	return "", false
}

func (r *nameRow) text(w uint32, pc uint64) string {
	b := make([]byte, 0, 64)
	for i, f := range r.fields {
		b = append(b, r.lit[i]...)
		b = f.append(b, w, pc)
	}
	return string(append(b, r.lit[len(r.fields)]...))
}

// raw is the number that the pieces of w form.
func (f *nameField) raw(w uint32) int64 {
	var v uint64
	n := 0
	for _, p := range f.pieces {
		v = v<<p.width | uint64(w>>p.pos)&(1<<p.width-1)
		n += int(p.width)
	}
	if f.signed {
		return int64(v<<(64-n)) >> (64 - n)
	}
	return int64(v)
}

func (f *nameField) append(b []byte, w uint32, pc uint64) []byte {
	v := f.raw(w)
	switch f.kind {
	case 'c':
		return append(b, condARM(w>>28)...)
	case 'f':
		return strconv.AppendFloat(b, float8(uint8(v)), 'e', 18, 64)
	case 'p':
		if svePatterns[v&31] == "" {
			return strconv.AppendInt(append(b, '#'), v, 10)
		}
		return append(b, svePatterns[v&31]...)
	case 'z', 'n':
		if v*f.mul+f.add == 31 {
			return append(b, pick(f.kind == 'z', "zr", "sp")...)
		}
	case 'm':
		return strconv.AppendUint(b, uint64(bits.RotateLeft32(uint32(v)&0xff, -2*int(v>>8&15))), 10)
	case 'b':
		return strconv.AppendUint(append(b, "0x"...), logicalImm(uint32(v))&(1<<(f.mul-1)<<1-1), 16)
	case 'l':
		return append(b, regList(uint32(v))...)
	}
	v = v*f.mul + f.add
	switch f.kind {
	case 'z', 'n':
		return strconv.AppendInt(b, v, 10)
	case 't':
		return strconv.AppendUint(append(b, "0x"...), uint64(uint32(pc+uint64(v))), 16)
	case 'd':
		return strconv.AppendInt(b, v, 10)
	}
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	return strconv.AppendUint(append(b, "0x"...), uint64(v), 16)
}

// float8 expands the 8-bit floating point immediate of the ARM architectures:
// a sign, three bits of exponent, four of fraction.
func float8(v uint8) float64 {
	exp := int(v>>4&7^4) - 3
	f := math.Ldexp(float64(16+int(v&15)), exp-4)
	if v>>7 != 0 {
		return -f
	}
	return f
}

// logicalImm expands N:immr:imms: a run of ones, rotated, in each element. It
// is 0 if the combination is reserved.
func logicalImm(v uint32) uint64 {
	n, immr, imms := v>>12&1, v>>6&63, v&63
	top := bits.Len32(n<<6|^imms&63) - 1
	if top < 1 {
		return 0
	}
	size := uint(1) << top
	r, ones := uint(immr)&(size-1), uint(imms)&(size-1)+1
	if ones == size {
		return 0
	}
	elem := uint64(1)<<ones - 1
	if r > 0 {
		elem = (elem>>r | elem<<(size-r)) & (1<<(size-1)<<1 - 1)
	}
	for ; size < 64; size *= 2 {
		elem |= elem << size
	}
	return elem
}

// regList is a list of ARM's core registers as objdump writes it.
func regList(v uint32) string {
	var b strings.Builder
	for ; v != 0; v &= v - 1 {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(armRegs[bits.TrailingZeros32(v)&15])
	}
	return b.String()
}

// svePatterns are the names of SVE's element counts; the rest have none.
var svePatterns = [32]string{"pow2", "vl1", "vl2", "vl3", "vl4", "vl5", "vl6", "vl7", "vl8",
	"vl16", "vl32", "vl64", "vl128", "vl256", 29: "mul4", 30: "mul3"}

var armRegs = [16]string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "sl", "fp", "ip", "sp", "lr", "pc"}

var armConds = [16]string{"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", ""}

func condARM(c uint32) string { return armConds[c&15] }
