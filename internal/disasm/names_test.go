package disasm

import (
	"flag"
	"math/rand"
	"os"
	"regexp"
	"slices"
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
