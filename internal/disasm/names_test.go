package disasm

import (
	"flag"
	"fmt"
	"math/bits"
	"math/rand"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "make the tables of names/ anew from what objdump says")

// nameSources are the tables and who knows what belongs into them.
var nameSources = map[string]ISA{"a32": A32, "thumb": Thumb, "a64": A64, "power": PPC32}

func oracleOf(isa ISA) *oracle {
	i := slices.IndexFunc(oracles, func(o oracle) bool { return o.isa == isa })
	return &oracles[i]
}

// sample is a word and the numbers in objdump's text of it.
type sample struct {
	w    uint32
	nums []number
}

type number struct {
	v   int64
	txt string
}

// group is all words whose texts differ in numbers only.
type group struct {
	shape string
	lit   []string
	kinds []byte
	s     []sample
}

// TestNames checks the tables against objdump: random words of each row have
// the name that the row gives them. With -update it makes the tables first.
func TestNames(t *testing.T) {
	if *update {
		updateNames(t)
	}
	for file, isa := range nameSources {
		t.Run(file, func(t *testing.T) { checkNames(t, oracleOf(isa), sets[isa].names) })
	}
}

func checkNames(t *testing.T, o *oracle, table *nameTable) {
	table.once.Do(table.load)
	m := maker{o: o}
	rng := rand.New(rand.NewSource(3))
	var ws []uint32
	for _, r := range table.rows {
		for range 3 {
			w := r.value | rng.Uint32()&^r.mask
			if r.cond {
				w = w&0x0fffffff | uint32(rng.Intn(15))<<28
			}
			ws = append(ws, w)
		}
	}
	raw, at := m.pack(ws)
	c := tally{examples: map[string]int{}}
	o.dump(t, raw, nil, func(l line) {
		if _, ok := at[l.addr]; ok && !strings.Contains(l.text, " <IT:") {
			c.check(o, l, raw[l.addr:], 0)
		}
	})
	t.Log(len(table.rows), "rows:", &c)
	require.Greater(t, c.named, len(table.rows))
	require.Zero(t, c.missing, c.worst(10))
	require.Greater(t, percent(c.mnemonic, c.named), 96.0, c.worst(10))
	require.Greater(t, percent(c.text, c.named), 94.0, c.worst(10))
}

func updateNames(t *testing.T) {
	for file, isa := range nameSources {
		if only := os.Getenv("ONLY"); only != "" && only != file {
			continue
		}
		m := &maker{t: t, o: oracleOf(isa), groups: map[string]*group{}, seen: map[uint32]bool{}, rng: rand.New(rand.NewSource(7))}
		m.collect()
		out := m.table()
		require.NoError(t, os.WriteFile("names/"+file+".tab", []byte(out), 0o644))
		t.Log("run the tests again with the new tables compiled in")
	}
}

type maker struct {
	t      *testing.T
	o      *oracle
	groups map[string]*group
	seen   map[uint32]bool
	rng    *rand.Rand
}

// untabled says whether the decoders alone fail on w.
func (m *maker) untabled(w uint32) bool {
	if m.o.isa == Thumb && w>>27 < 0x1d {
		_, ok := special16(w >> 16)
		return !ok // all 16-bit instructions are in the table
	}
	if m.o.isa == A64 && w&0xff000010 == 0x54000010 {
		return false
	}
	s := sets[m.o.isa]
	names := s.names
	s.names = nil
	defer func() { s.names = names }()
	var b [4]byte
	m.o.put(b[:], w)
	return !s.decode(s, 0x1000, b[:], 0).Known
}

const wantSamples = 96

// collect samples words until nothing new is found and each group has enough.
func (m *maker) collect() {
	n := 1 << 21
	if m.o.isa == A64 {
		n = 1 << 22
	}
	for range 4 {
		ws := make([]uint32, 0, n/4)
		for range n / 4 {
			ws = append(ws, m.word())
		}
		m.add(ws)
	}
	m.add(m.seeds())
	for round := range 14 {
		var ws []uint32
		few := 0
		for _, g := range m.groups {
			if len(g.s) >= wantSamples || round > 8 && len(g.s) < 3 {
				continue
			}
			few++
			for range 120 {
				ws = append(ws, m.mutate(g.s[m.rng.Intn(len(g.s))].w, g))
			}
		}
		before := len(m.groups)
		m.add(ws)
		m.t.Logf("%s round %d: %d groups (%d new), %d of few samples", m.o.isa, round, len(m.groups), len(m.groups)-before, few)
	}
}

// seeds are the words of real code, which has instructions of a single encoding.
func (m *maker) seeds() []uint32 {
	var ws []uint32
	for _, text := range m.o.libraries(m.t) {
		for i := 0; i+4 <= len(text); i += 4 {
			w := sets[m.o.isa].order.Uint32(text[i:])
			if m.o.isa == Thumb {
				w = w<<16 | w>>16
			}
			if m.o.isa != A32 || w>>28 >= 14 {
				ws = append(ws, w)
			}
		}
	}
	return ws
}

func (m *maker) word() uint32 {
	w := m.rng.Uint32()
	switch m.o.isa {
	case A32: // always, or the unconditional space
		w |= 0xe0000000
		if w>>28 != 15 && m.rng.Intn(2) == 0 {
			w |= 0xf0000000
		}
	case Thumb:
		if w>>27 < 0x1d {
			if m.rng.Intn(8) != 0 {
				w |= 0xe8000000
			} else {
				w &= 0xffff0000
			}
		}
	}
	return w
}

// mutate changes few bits of w, or those that are constant in g.
func (m *maker) mutate(w uint32, g *group) uint32 {
	switch m.rng.Intn(3) {
	case 0:
		for range 1 + m.rng.Intn(4) {
			w ^= 1 << m.rng.Intn(32)
		}
	case 1:
		mask, value := maskOf(g.s)
		w = m.rng.Uint32()&^mask | value
	default:
		lo := m.rng.Intn(28)
		f := uint32(1<<(1+m.rng.Intn(6))-1) << lo
		w = w&^f | m.rng.Uint32()&f
	}
	switch {
	case m.o.isa == A32 && w>>28 != 15:
		w = w&0x0fffffff | 0xe0000000
	case m.o.isa == Thumb && w>>27 < 0x1d:
		w &= 0xffff0000
	}
	return w
}

func maskOf(s []sample) (mask, value uint32) {
	and, or := ^uint32(0), uint32(0)
	for _, x := range s {
		and &= x.w
		or |= x.w
	}
	return and | ^or, and
}

// add sorts into groups those words that only objdump names.
func (m *maker) add(ws []uint32) {
	var todo []uint32
	for _, w := range ws {
		if m.o.isa == PPC32 && w>>26 == 1 {
			continue // a prefix: see TestPrefixed
		}
		if !m.seen[w] && m.untabled(w) {
			todo = append(todo, w)
		}
		m.seen[w] = true
	}
	raw, at := m.pack(todo)
	var extra []string
	if m.o.isa == A32 || m.o.isa == Thumb {
		extra = []string{"-M", "reg-names-raw"}
	}
	m.o.dump(m.t, raw, extra, func(l line) {
		w, ok := at[l.addr]
		if !ok || unnamed(l.text) {
			return
		}
		text := plainText(l.text)
		if m.o.isa == A64 {
			text = spName.ReplaceAllString(text, "${1}xsp")
		}
		shape, lit, kinds, nums := split(text, w)
		m.relative(l, kinds, nums)
		g := m.groups[shape]
		if g == nil {
			g = &group{shape: shape, lit: lit, kinds: kinds}
			m.groups[shape] = g
		}
		if len(g.s) < 4000 {
			g.s = append(g.s, sample{w, nums})
		}
	})
}

// relative makes the target of a branch relative to the instruction.
func (m *maker) relative(l line, kinds []byte, nums []number) {
	if n := len(nums); m.o.isa == Thumb && n > 0 && kinds[n-1] == 'x' && strings.Contains(l.text, " 0x") &&
		(l.text[0] == 'b' && !strings.HasPrefix(l.text, "bkpt") || strings.HasPrefix(l.text, "cb")) {
		kinds[n-1] = 't'
		v := int64(int32(uint32(nums[n-1].v) - uint32(l.addr)))
		nums[n-1] = number{v, strconv.FormatInt(v, 10)}
	}
}

// spName finds the stack pointer, which the tables write xsp so that it differs
// from other registers in its number alone.
var spName = regexp.MustCompile(`(^|[^a-z])sp\b`)

// special31 is a general register after its x or w.
var special31 = regexp.MustCompile(`^([0-9]+|zr|sp)\b`)

// patterns are the names of SVE's element counts.
var patterns = regexp.MustCompile(`^(pow2|vl[0-9]+|mul[34])\b`)

// pack lays the words out for objdump and says which lies where.
func (m *maker) pack(ws []uint32) (raw []byte, at map[uint64]uint32) {
	at = make(map[uint64]uint32, len(ws))
	for _, w := range ws {
		at[uint64(len(raw))] = w
		var b [4]byte
		m.o.put(b[:], w)
		if m.o.isa == Thumb && w>>27 < 0x1d {
			raw = append(raw, b[:2]...)
		} else {
			raw = append(raw, b[:]...)
		}
	}
	return raw, at
}

// plainText is objdump's text without comments and superfluous spaces.
func plainText(s string) string {
	for _, c := range []string{" @", "@ ", " ;", " //", " <"} {
		if i := strings.Index(s, c); i > 0 {
			s = s[:i]
		}
	}
	return strings.Join(strings.Fields(s), " ")
}

// split takes the numbers out of a text.
func split(s string, w uint32) (shape string, lit []string, kinds []byte, nums []number) {
	var sh strings.Builder
	from := 0
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], "{r") || strings.HasPrefix(s[i:], "{}") && strings.Contains(s, "m") {
			j := i + strings.IndexByte(s[i:], '}')
			for _, width := range []uint8{16, 8} {
				pos := uint8(0)
				if w>>27 < 0x1d {
					pos = 16
				}
				f := nameField{kind: 'l', pieces: []piece{{pos, width}}}
				if rawRegs(regList(uint32(f.raw(w)))) == s[i+1:j] {
					lit, kinds = append(lit, s[from:i+1]), append(kinds, 'l'-32*(width&8>>3))
					nums = append(nums, number{f.raw(w), s[i+1 : j]})
					sh.WriteString(s[from:i+1] + "\x00" + string(kinds[len(kinds)-1]))
					i, from = j, j
					break
				}
			}
		}
		n, kind := numberAt(s, i)
		if n == 0 {
			i++
			continue
		}
		lit, kinds = append(lit, s[from:i]), append(kinds, kind)
		nums = append(nums, parseNumber(s[i:i+n], kind))
		sh.WriteString(s[from:i] + "\x00" + string(kind))
		i += n
		from = i
	}
	sh.WriteString(s[from:])
	return sh.String(), append(lit, s[from:]), kinds, nums
}

// rawRegs undoes the names of registers.
func rawRegs(s string) string {
	return strings.NewReplacer("sl", "r10", "fp", "r11", "ip", "r12", "sp", "r13", "lr", "r14", "pc", "r15").Replace(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// numberAt is the length and the kind of the number that begins at i.
func numberAt(s string, i int) (n int, kind byte) {
	if i > 0 && isDigit(s[i-1]) {
		return 0, 0
	}
	if i > 0 && (s[i-1] == 'x' || s[i-1] == 'w') && (i == 1 || !isWord(s[i-2])) {
		if n := len(special31.FindString(s[i:])); n > 0 {
			return n, 'z'
		}
	}
	if i > 0 && s[i-1] == ' ' {
		if n := len(patterns.FindString(s[i:])); n > 0 {
			return n, 'p'
		}
	}
	j := i
	if s[j] == '-' && i > 0 && strings.IndexByte("#, (", s[i-1]) >= 0 {
		j++
	}
	if j >= len(s) || !isDigit(s[j]) {
		return 0, 0
	}
	if strings.HasPrefix(s[j:], "0x") {
		k := j + 2
		for k < len(s) && strings.IndexByte("0123456789abcdef", s[k]) >= 0 {
			k++
		}
		return k - i, 'x'
	}
	k := j
	for k < len(s) && isDigit(s[k]) {
		k++
	}
	if i > 0 && s[i-1] == '#' && k < len(s) && s[k] == '.' {
		for k < len(s) && strings.IndexByte("0123456789.e+-", s[k]) >= 0 {
			k++
		}
		return k - i, 'f'
	}
	return k - i, 'd'
}

func parseNumber(s string, kind byte) number {
	switch kind {
	case 'f':
		return number{0, s}
	case 'p':
		return number{int64(slices.Index(svePatterns[:], s)), s}
	case 'z':
		if !isDigit(s[0]) {
			return number{31, s}
		}
	case 'x':
		neg := strings.HasPrefix(s, "-")
		v, _ := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(s, "-"), "0x"), 16, 64)
		if neg {
			return number{-int64(v), s}
		}
		return number{int64(v), s}
	}
	v, _ := strconv.ParseInt(s, 10, 64)
	return number{v, s}
}

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
