package disasm

import (
	"fmt"
	"math/bits"
	"sort"
	"strings"
)

// madeRow is a row in the making.
type madeRow struct {
	mask, value uint32
	text        string
	g           *group
	s           []sample
}

// table infers the rows and orders them.
func (m *maker) table() string {
	var rows []madeRow
	var names []string
	for n := range m.groups {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		g := m.groups[n]
		rows = append(rows, m.infer(g, g.s, 0)...)
	}
	rows = m.separate(rows)
	m.t.Logf("%s: %d rows", m.o.isa, len(rows))
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: mask value text, see names.go. Made by TestNames -update; do not edit.\n", m.o.isa)
	for _, r := range rows {
		fmt.Fprintf(&b, "%08x %08x %s\n", r.mask, r.value, r.text)
	}
	return b.String()
}

// infer makes the rows of a group: one if each number is a field, more if it
// must be told apart by a bit that the text does not show.
func (m *maker) infer(g *group, s []sample, depth int) []madeRow {
	mask, value := maskOf(s)
	text, bad := g.render(s, mask)
	if bad >= 0 && depth < 5 && len(s) >= 8 {
		if bit := bestSplit(g, s, mask, bad); bit >= 0 {
			a, b := splitBy(s, bit)
			return append(m.infer(g, a, depth+1), m.infer(g, b, depth+1)...)
		}
	}
	if m.o.isa == A32 && value>>28 != 15 {
		mask &= 0x0fffffff
		value &= 0x0fffffff
		text = m.conditional(text, s)
	}
	return []madeRow{{mask, value, text, g, s}}
}

// conditional puts the condition's field where objdump prints it.
func (m *maker) conditional(text string, s []sample) string {
	var both [2]string
	for i, c := range []uint32{0xe, 0} {
		raw := m.o.words([]uint32{s[0].w&0x0fffffff | c<<28})
		m.o.dump(m.t, raw, []string{"-M", "reg-names-raw"}, func(l line) { both[i] = strings.Fields(l.text)[0] })
	}
	k := 0
	for k < len(both[0]) && k < len(both[1]) && both[0][k] == both[1][k] {
		k++
	}
	for j := k; j >= 0; j-- {
		if len(both[1]) >= j+2 && both[1][:j]+both[1][j+2:] == both[0] && both[1][j:j+2] == "eq" {
			return text[:j] + "{c}" + text[j:]
		}
	}
	return text
}

// render writes the row's text. bad is the first number that is no field, or -1.
func (g *group) render(s []sample, mask uint32) (text string, bad int) {
	var b strings.Builder
	bad = -1
	for i, kind := range g.kinds {
		b.WriteString(g.lit[i])
		spec, ok := fieldFor(s, i, kind, mask)
		if kind == 'z' && strings.HasPrefix(spec, "{d") && strings.HasSuffix(spec, ".5}") {
			// Register 31 did not occur: rare, or not allowed.
			spec = pick(strings.HasSuffix(g.lit[i], "[x"), "{n", "{z") + spec[2:]
		}
		if !ok {
			if bad < 0 {
				bad = i
			}
			spec = "?"
		}
		b.WriteString(spec)
	}
	b.WriteString(g.lit[len(g.kinds)])
	return b.String(), bad
}

// fieldFor finds the bits that make number i of all samples.
func fieldFor(s []sample, i int, kind byte, mask uint32) (spec string, ok bool) {
	same := true
	for _, x := range s {
		same = same && x.nums[i].txt == s[0].nums[i].txt
	}
	switch {
	case same:
		return s[0].nums[i].txt, true
	case kind == 'l' || kind == 'L':
		pos, width := 0, 16
		if s[0].w>>27 < 0x1d {
			pos = 16
		}
		if kind == 'L' {
			width = 8
		}
		return fmt.Sprintf("{l%d.%d}", pos, width), true
	}
	if kind == 'z' {
		kind = kindOf31(s, i)
	}
	for _, f := range candidates(mask) {
		f.kind = kind
		if f.fit(s, i) {
			return f.spec(), true
		}
	}
	return special(s, i)
}

// special tries the immediates that are no linear function of a field.
func special(s []sample, i int) (spec string, ok bool) {
	tries := []nameField{{kind: 'm', pieces: []piece{{0, 12}}, mul: 1}}
	for _, size := range []int64{64, 32, 16, 8} {
		tries = append(tries, nameField{kind: 'b', pieces: []piece{{5, 13}}, mul: size})
	}
	for _, f := range tries {
		if f.fitText(s, i) {
			return f.spec(), true
		}
	}
	return "", false
}

// kindOf31 is what register 31 means to number i.
func kindOf31(s []sample, i int) byte {
	for _, x := range s {
		switch x.nums[i].txt {
		case "zr":
			return 'z'
		case "sp":
			return 'n'
		}
	}
	return 'd'
}

// candidates are the fields of bits that vary, simple ones first.
func candidates(mask uint32) []nameField {
	var out []nameField
	varies := func(pos, width int) bool { return mask>>pos&1 == 0 && mask>>(pos+width-1)&1 == 0 }
	for _, signed := range []bool{false, true} {
		for width := 1; width <= 26; width++ {
			for pos := 0; pos+width <= 32; pos++ {
				if varies(pos, width) {
					out = append(out, nameField{signed: signed, pieces: []piece{{uint8(pos), uint8(width)}}})
				}
			}
		}
	}
	for _, signed := range []bool{false, true} {
		for wh := 1; wh <= 9; wh++ {
			for wl := 1; wl <= 8; wl++ {
				for ph := 0; ph+wh <= 32; ph++ {
					for pl := 0; pl+wl <= 32; pl++ {
						apart := ph+wh <= pl || pl+wl <= ph
						if apart && ph != pl+wl && varies(ph, wh) && varies(pl, wl) {
							out = append(out, nameField{signed: signed, pieces: []piece{{uint8(ph), uint8(wh)}, {uint8(pl), uint8(wl)}}})
						}
					}
				}
			}
		}
	}
	return out
}

// fit finds the factor and the summand with which f gives number i.
func (f *nameField) fit(s []sample, i int) bool {
	if f.kind == 'f' {
		return len(f.pieces) == 1 && f.pieces[0].width == 8 && f.fitText(s, i)
	}
	f.mul, f.add = 1, 0
	r0, v0 := f.raw(s[0].w), s[0].nums[i].v
	k := 1
	for ; k < len(s); k++ {
		if r := f.raw(s[k].w); r != r0 {
			d := s[k].nums[i].v - v0
			if d == 0 || d%(r-r0) != 0 {
				return false
			}
			f.mul = d / (r - r0)
			break
		} else if s[k].nums[i].v != v0 {
			return false
		}
	}
	if k == len(s) {
		return false
	}
	f.add = v0 - r0*f.mul
	for _, x := range s {
		if f.raw(x.w)*f.mul+f.add != x.nums[i].v {
			return false
		}
	}
	if f.kind == 'p' {
		return f.mul == 1 && f.add == 0
	}
	return f.mul > -1<<20 && f.mul < 1<<20
}

func (f *nameField) fitText(s []sample, i int) bool {
	for _, x := range s {
		if string(f.append(nil, x.w, 0)) != x.nums[i].txt {
			return false
		}
	}
	return true
}

func (f *nameField) spec() string {
	var b strings.Builder
	b.WriteByte('{')
	b.WriteByte(f.kind)
	if f.signed {
		b.WriteByte('s')
	}
	for i, p := range f.pieces {
		if i > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%d.%d", p.pos, p.width)
	}
	if f.kind != 'f' && f.mul != 1 {
		fmt.Fprintf(&b, "*%d", f.mul)
	}
	if f.kind != 'f' && f.add != 0 {
		fmt.Fprintf(&b, "%+d", f.add)
	}
	b.WriteByte('}')
	return b.String()
}

// bestSplit is a bit that makes number bad a field on both sides, or at least
// on one, or -1.
func bestSplit(g *group, s []sample, mask uint32, bad int) int {
	best, score := -1, 0
	for bit := range 32 {
		if mask>>bit&1 != 0 {
			continue
		}
		a, b := splitBy(s, bit)
		if len(a) < 3 || len(b) < 3 {
			continue
		}
		n := 0
		for _, half := range [][]sample{a, b} {
			hm, _ := maskOf(half)
			if _, ok := fieldFor(half, bad, g.kinds[bad], hm); ok {
				n += 2
			} else {
				n -= distinct(half, bad) / (len(half) + 1)
			}
		}
		if n > score {
			best, score = bit, n
		}
	}
	return best
}

func distinct(s []sample, i int) int {
	m := map[string]bool{}
	for _, x := range s {
		m[x.nums[i].txt] = true
	}
	return len(m)
}

func splitBy(s []sample, bit int) (a, b []sample) {
	for _, x := range s {
		if x.w>>bit&1 == 0 {
			a = append(a, x)
		} else {
			b = append(b, x)
		}
	}
	return a, b
}

// separate orders the rows, and cuts those that cover words of others.
func (m *maker) separate(rows []madeRow) []madeRow {
	for range 6 {
		sort.SliceStable(rows, func(i, j int) bool {
			return bits.OnesCount32(rows[i].mask) > bits.OnesCount32(rows[j].mask)
		})
		foreign := m.foreign(rows)
		if len(foreign) == 0 {
			return rows
		}
		var next []madeRow
		for i, r := range rows {
			if f := foreign[i]; len(f) > 0 {
				next = append(next, m.cut(r, f, 0)...)
			} else {
				next = append(next, r)
			}
		}
		if len(next) == len(rows) {
			return next
		}
		rows = next
	}
	return rows
}

// foreign is, by row, the words that it takes from later rows.
func (m *maker) foreign(rows []madeRow) map[int][]uint32 {
	out := map[int][]uint32{}
	for j, r := range rows {
		for k, x := range r.s {
			if k >= 200 {
				break
			}
			for i := range rows[:j] {
				if rows[i].g != r.g && (x.w^rows[i].value)&rows[i].mask == 0 {
					out[i] = append(out[i], x.w)
					break
				}
			}
		}
	}
	return out
}

// cut splits r by the bit that keeps most foreign words out.
func (m *maker) cut(r madeRow, foreign []uint32, depth int) []madeRow {
	best, left := -1, len(foreign)
	for bit := range 32 {
		if r.mask>>bit&1 != 0 {
			continue
		}
		a, b := splitBy(r.s, bit)
		n := 0
		for _, half := range [][]sample{a, b} {
			if len(half) == 0 {
				continue
			}
			mask, value := maskOf(half)
			for _, w := range foreign {
				if (w^value)&mask == 0 {
					n++
				}
			}
		}
		if n < left {
			best, left = bit, n
		}
	}
	if best < 0 || depth > 4 {
		return []madeRow{r}
	}
	var out []madeRow
	a, b := splitBy(r.s, best)
	for _, half := range [][]sample{a, b} {
		if len(half) > 0 {
			for _, x := range m.infer(r.g, half, 5) {
				out = append(out, m.recut(x, foreign, depth+1)...)
			}
		}
	}
	return out
}

func (m *maker) recut(r madeRow, foreign []uint32, depth int) []madeRow {
	var rest []uint32
	for _, w := range foreign {
		if (w^r.value)&r.mask == 0 {
			rest = append(rest, w)
		}
	}
	if len(rest) == 0 {
		return []madeRow{r}
	}
	return m.cut(r, rest, depth)
}
