// Command layout writes the layouts of the kernel ABI's structures for each
// guest architecture, emu/arch/<family>/zlayout.go, from its kernel headers.
//
// Which structures there are is in structs.h. A field of a nested structure
// has the names of both with a dot between; fields of nameless ones belong to
// the structure around them. Arrays are one field. Padding and bit fields are
// left out.
package main

import (
	"bytes"
	"debug/dwarf"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/gen/cross"
)

//go:generate go run .

func main() { cross.Main("layout", "zlayout.go", table) }

// macros give structs.h its vocabulary. The type itself goes into the DWARF by
// a typedef, what DWARF does not say by enumerators.
const macros = `
#define PICK(name, type) \
	typedef type pick__##name; \
	enum { align__##name = __alignof__(pick__##name) }
#define LAYOUT(name, type) \
	PICK(name, type); \
	typedef pick__##name all__##name
#define FIELD(name, field, path) \
	enum { \
		off__##name##__at__##field = __builtin_offsetof(pick__##name, path), \
		size__##name##__at__##field = sizeof(((pick__##name *)0)->path), \
	}
`

//go:embed structs.h
var structs string

// padding matches the names of fields that only take up room.
var padding = regexp.MustCompile(`^_+(pad|unused|spare|reserved|f$)|^(aio_)?reserved`)

func table(b *bytes.Buffer, t cross.Target) error {
	layouts, err := layouts(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\nvar layout%s = map[string]arch.Layout{\n", t.Var)
	for _, name := range slices.Sorted(maps.Keys(layouts)) {
		l := layouts[name]
		fmt.Fprintf(b, "\t%q: {Size: %d, Align: %d, Fields: map[string]arch.Field{\n", name, l.Size, l.Align)
		for _, f := range byPlace(l.Fields) {
			fmt.Fprintf(b, "\t\t%q: {Off: %d, Size: %d},\n", f, l.Fields[f].Off, l.Fields[f].Size)
		}
		b.WriteString("\t}},\n")
	}
	b.WriteString("}\n")
	return nil
}

// byPlace returns the names of fields in the order they lie, outer ones first.
func byPlace(fields map[string]arch.Field) []string {
	return slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		if d := fields[a].Off - fields[b].Off; d != 0 {
			return d
		}
		if d := fields[b].Size - fields[a].Size; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// layouts returns the layouts of all structures of t by name.
func layouts(t cross.Target) (map[string]arch.Layout, error) {
	d, err := t.Compile(macros + structs)
	if err != nil {
		return nil, err
	}
	types, err := cross.Typedefs(d, "pick__")
	if err != nil {
		return nil, err
	}
	whole, err := cross.Typedefs(d, "all__")
	if err != nil {
		return nil, err
	}
	consts, err := cross.Consts(d)
	if err != nil {
		return nil, err
	}
	ls := make(map[string]arch.Layout)
	for name, typ := range types {
		l := arch.Layout{
			Size:   int(typ.Size()),
			Align:  int(consts["align__"+name]),
			Fields: make(map[string]arch.Field),
		}
		if s, ok := whole[name].(*dwarf.StructType); ok {
			flatten(l.Fields, "", 0, s)
		}
		pick(l.Fields, name, consts)
		if err := verify(l); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ls[name] = l
	}
	return ls, nil
}

// flatten adds the fields of s, which lies at off and whose fields' names
// begin with prefix.
func flatten(fields map[string]arch.Field, prefix string, off int, s *dwarf.StructType) {
	for _, f := range s.Field {
		inner, nested := cross.Strip(f.Type).(*dwarf.StructType)
		at := off + int(f.ByteOffset)
		switch {
		case f.Name == "" && nested:
			flatten(fields, prefix, at, inner)
		case f.BitSize != 0 || padding.MatchString(f.Name):
		default:
			// The size of a flexible array is -1 in DWARF's terms.
			fields[prefix+f.Name] = arch.Field{Off: at, Size: max(0, int(f.Type.Size()))}
			if nested {
				flatten(fields, prefix+f.Name+".", at, inner)
			}
		}
	}
}

// pick adds the fields of structure name that FIELD lines name.
func pick(fields map[string]arch.Field, name string, consts map[string]int64) {
	prefix := name + "__at__"
	for c, off := range consts {
		if f, ok := strings.CutPrefix(c, "off__"+prefix); ok {
			fields[f] = arch.Field{Off: int(off), Size: int(consts["size__"+prefix+f])}
		}
	}
}

// verify checks what holds for every structure, so that a change of compiler
// or of its debug information cannot go into the tables unseen.
func verify(l arch.Layout) error {
	if l.Size <= 0 || l.Align <= 0 || l.Align > 32 || l.Size%l.Align != 0 || len(l.Fields) == 0 {
		return fmt.Errorf("no layout: size %d, alignment %d, %d fields", l.Size, l.Align, len(l.Fields))
	}
	for name, f := range l.Fields {
		if f.Off < 0 || f.Size < 0 || f.Off+f.Size > l.Size {
			return fmt.Errorf("field %s lies outside: offset %d, size %d of %d", name, f.Off, f.Size, l.Size)
		}
	}
	return nil
}
