package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/utemu/utemu/internal/symbolize"
)

// filter selects instructions by address and by whether tracing is on.
type filter struct {
	syms     *symbolize.Table
	gen      uint64
	seen     bool
	from, to *place
	only     []*place
	open     bool // between From and To
}

// place is an address or range, perhaps of a name that is yet to be mapped.
type place struct {
	text   string
	name   string // to be resolved, "" for a number
	off    uint64 // from the name
	length uint64 // for a range with a length of its own
	lo, hi uint64
	known  bool
	ever   bool
}

func newFilter(c Config, syms *symbolize.Table) (filter, error) {
	f := filter{syms: syms, open: c.From == ""}
	var err error
	if c.From != "" {
		if f.from, err = parsePoint(c.From); err != nil {
			return f, fmt.Errorf("start of the trace: %w", err)
		}
	}
	if c.To != "" {
		if f.to, err = parsePoint(c.To); err != nil {
			return f, fmt.Errorf("end of the trace: %w", err)
		}
	}
	for _, s := range c.Only {
		p, err := parseRange(s)
		if err != nil {
			return f, err
		}
		f.only = append(f.only, p)
	}
	return f, nil
}

func number(s string) (uint64, bool) {
	v, err := strconv.ParseUint(s, 0, 64)
	return v, err == nil
}

// numeric tells whether s is meant as a number, be it a wrong one.
func numeric(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// parsePoint reads ADDRESS, SYMBOL or SYMBOL+OFFSET.
func parsePoint(s string) (*place, error) {
	if v, ok := number(s); ok {
		return &place{text: s, lo: v, hi: v + 1, known: true, ever: true}, nil
	}
	name, off, plus := cutLast(s, "+")
	p := &place{text: s, name: s, length: 1}
	if plus {
		if v, ok := number(off); ok {
			p.name, p.off = name, v
		}
	}
	if s == "" || numeric(s) {
		return nil, fmt.Errorf("%q is neither an address nor a symbol", s)
	}
	return p, nil
}

// parseRange reads A-B, A+LENGTH, SYMBOL+LENGTH, SYMBOL or FILE.
func parseRange(s string) (*place, error) {
	if s == "" {
		return nil, fmt.Errorf("empty address range")
	}
	if !numeric(s) {
		p := &place{text: s, name: s}
		if name, n, ok := cutLast(s, "+"); ok {
			if v, ok := number(n); ok {
				p.name, p.length = name, v
			}
		}
		return p, nil
	}
	if a, b, ok := strings.Cut(s, "-"); ok {
		lo, ok1 := number(a)
		hi, ok2 := number(b)
		if ok1 && ok2 && lo < hi {
			return &place{text: s, lo: lo, hi: hi, known: true, ever: true}, nil
		}
	} else if a, n, ok := strings.Cut(s, "+"); ok {
		lo, ok1 := number(a)
		n, ok2 := number(n)
		if ok1 && ok2 && n > 0 && lo+n > lo {
			return &place{text: s, lo: lo, hi: lo + n, known: true, ever: true}, nil
		}
	}
	return nil, fmt.Errorf("%q is no address range: FIRST-END or FIRST+LENGTH", s)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// refresh resolves names again if the mappings have changed, and tells whether
// anything came of it.
func (f *filter) refresh() bool {
	if f.syms == nil || f.from == nil && f.to == nil && len(f.only) == 0 {
		return false
	}
	if g := f.syms.Generation(); f.seen && g == f.gen {
		return false
	} else {
		f.gen, f.seen = g, true
	}
	changed := false
	for _, p := range f.places() {
		if p.name != "" {
			old := *p
			p.resolve(f.syms)
			changed = changed || *p != old
		}
	}
	return changed
}

func (f *filter) places() []*place {
	l := append([]*place(nil), f.only...)
	for _, p := range []*place{f.from, f.to} {
		if p != nil {
			l = append(l, p)
		}
	}
	return l
}

func (p *place) resolve(syms *symbolize.Table) {
	a, size, ok := syms.ByName(p.name)
	switch {
	case ok && p.length != 0:
		p.lo, p.hi = a+p.off, a+p.off+p.length
	case ok:
		p.lo, p.hi = a, a+max(size, 1)
	default:
		if p.lo, p.hi, ok = syms.ByFile(p.name); ok && p.length != 0 {
			p.lo += p.off
			p.hi = p.lo + p.length
		}
	}
	p.known = ok
	p.ever = p.ever || ok
}

func (f *filter) unresolved() (l []string) {
	for _, p := range f.places() {
		if !p.ever {
			l = append(l, p.text)
		}
	}
	return l
}

// watch are the addresses where tracing starts.
func (f *filter) watch() []uint64 {
	if f.from != nil && f.from.known {
		return []uint64{f.from.lo}
	}
	return nil
}

func (p *place) has(pc uint64) bool { return p != nil && p.known && pc-p.lo < p.hi-p.lo }

// mark prepares a new block.
func (f *filter) mark(b *block) {
	if f.from == nil && f.to == nil && len(f.only) == 0 {
		return
	}
	f.refresh()
	end := b.pc + uint64(len(b.code))
	for _, p := range []*place{f.from, f.to} {
		b.edges = b.edges || p != nil && p.known && p.lo >= b.pc && p.lo < end
	}
	if len(f.only) == 0 {
		return
	}
	b.wanted = make([]bool, b.n())
	all, none := true, true
	for i := range b.wanted {
		for _, p := range f.only {
			b.wanted[i] = b.wanted[i] || p.has(b.pcOf(i))
		}
		all, none = all && b.wanted[i], none && !b.wanted[i]
	}
	b.none = none
	if all {
		b.wanted = nil
	}
}

// always tells that there are no times at which nothing is traced.
func (f *filter) always() bool { return f.open && f.from == nil && f.to == nil }

// wants tells whether an instruction that runs now is to be traced.
func (f *filter) wants(b *block, i int) bool {
	if b.edges {
		pc := b.pcOf(i)
		if f.to.has(pc) {
			f.open = false
		}
		if f.from.has(pc) {
			f.open = true
		}
	}
	return f.open && (b.wanted == nil || b.wanted[i])
}
