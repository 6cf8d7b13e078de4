package strace

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
)

// table are the names of the values of one kind of number.
type table struct {
	unknown string // what a value without a name is called
	list    []named
	byArch  sync.Map // *arch.Arch to []named
}

type named struct {
	name string
	val  uint64
	some bool // only the architectures that tell a value have it
}

// tables are all tables by their names.
var tables = sync.OnceValue(func() map[string]*table { return parseTables(nameText) })

func parseTables(text string) map[string]*table {
	out := map[string]*table{}
	var t *table
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if line[0] != '\t' {
			t = &table{unknown: f[1]}
			out[f[0]] = t
			f = f[2:]
		}
		for _, e := range f {
			name, num, _ := strings.Cut(e, "=")
			if num == "" {
				t.list = append(t.list, named{name: name, some: true})
				continue
			}
			v, err := strconv.ParseInt(num, 0, 64)
			if err != nil {
				panic(fmt.Sprintf("strace: names: %s: %v", e, err))
			}
			t.list = append(t.list, named{name: name, val: uint64(v)})
		}
	}
	return out
}

// lookup is the table of a name; one that is not there is a mistake in the
// tables of signatures or structures.
func lookup(name string) *table {
	t := tables()[name]
	if t == nil {
		panic("strace: no table of names " + name)
	}
	return t
}

// of are the table's values on an architecture.
func (t *table) of(a *arch.Arch) []named {
	if l, ok := t.byArch.Load(a); ok {
		return l.([]named)
	}
	l := make([]named, 0, len(t.list))
	for _, e := range t.list {
		v, ok := a.Const[e.name]
		if ok {
			e.val = v
		}
		if ok || !e.some {
			l = append(l, e)
		}
	}
	t.byArch.Store(a, l)
	return l
}

// name is the name of a value, "" if it has none.
func (t *table) name(a *arch.Arch, v uint64) string {
	for _, e := range t.of(a) {
		if e.val == v || e.val&0xffffffff == v {
			return e.name
		}
	}
	return ""
}

// value is the number of a name on an architecture.
func (t *table) value(a *arch.Arch, name string) uint64 {
	for _, e := range t.of(a) {
		if e.name == name {
			return e.val
		}
	}
	return 0
}

// enum writes a number that is one of a table.
func (c *call) enum(t *table, v uint64) string {
	n := t.name(c.a, v)
	switch {
	case c.p.Consts == ConstsRaw:
		return hex(v)
	case n == "":
		return fmt.Sprintf("%s /* %s */", hex(v), t.unknown)
	case c.p.Consts == ConstsVerbose:
		return fmt.Sprintf("%s /* %s */", hex(v), n)
	}
	return n
}

// named writes a number that has a name, each in its own notation, in the
// style of -X.
func (c *call) named(number, name string) string {
	switch c.p.Consts {
	case ConstsRaw:
		return number
	case ConstsVerbose:
		return number + " /* " + name + " */"
	}
	return name
}

// flags writes a number whose bits are in tables.
func (c *call) flags(v uint64, ts ...*table) string {
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	names, rest := c.bits(v, ts...)
	if len(names) == 0 {
		if rest == 0 {
			return "0"
		}
		return fmt.Sprintf("%s /* %s */", hex(rest), ts[0].unknown)
	}
	if rest != 0 {
		names = append(names, hex(rest))
	}
	s := strings.Join(names, "|")
	if c.p.Consts == ConstsVerbose {
		return fmt.Sprintf("%s /* %s */", hex(v), s)
	}
	return s
}

// bits are the names of the bits of v, and the bits that have none.
func (c *call) bits(v uint64, ts ...*table) (names []string, rest uint64) {
	rest = v
	for _, t := range ts {
		for _, e := range t.of(c.a) {
			if e.val == 0 && v == 0 {
				return []string{e.name}, 0
			}
			if e.val != 0 && rest&e.val == e.val {
				names = append(names, e.name)
				rest &^= e.val
			}
		}
	}
	return names, rest
}

// or joins the parts of a value that has fields beside its bits: a field's
// name, then the bits unless there are none.
func (c *call) or(field string, bits uint64, t *table) string {
	if bits == 0 {
		return field
	}
	names, rest := c.bits(bits, t)
	if rest != 0 {
		names = append(names, hex(rest))
	}
	return field + "|" + strings.Join(names, "|")
}
