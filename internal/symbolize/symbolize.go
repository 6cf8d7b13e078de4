// Package symbolize names the addresses of a guest process from the symbol
// tables of the files mapped into it.
package symbolize

import (
	delf "debug/elf"
	"fmt"
	"io"
	"path/filepath"
	"sort"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/loader/elf"
)

// Table finds names for addresses of one process. It follows the process's
// mappings by itself. Only the goroutine that runs the process, or one that
// holds it stopped, may use it.
type Table struct {
	proc  *emu.Process
	gen   uint64
	space *emu.Space
	files map[*emu.Backing]*file
	objs  []object // by address
}

// file is what a mapped file holds.
type file struct {
	syms  *elf.Table
	progs []delf.ProgHeader
}

// object is a file at the place where it is loaded.
type object struct {
	*file
	path         string
	bias, lo, hi uint64
}

// New makes a table for a process.
func New(p *emu.Process) *Table { return &Table{proc: p, files: map[*emu.Backing]*file{}} }

// Location is a named place in a guest.
type Location struct {
	Symbol string // "" if there is none
	Off    uint64 // from Symbol, or from the file's load address without one
	File   string // the file it lies in, "" if none
}

// String writes symbol+0xoff, symbol at its start, or file+0xoff.
func (l Location) String() string {
	name := l.Symbol
	if name == "" {
		name = filepath.Base(l.File)
	}
	if l.Off == 0 && l.Symbol != "" {
		return name
	}
	return fmt.Sprintf("%s+%#x", name, l.Off)
}

// Find names addr; ok is false if it lies in no mapped file.
func (t *Table) Find(addr uint64) (l Location, ok bool) {
	t.refresh()
	o := t.object(addr)
	if o == nil {
		return l, false
	}
	name, off, ok := o.syms.Lookup(addr - o.bias)
	if !ok {
		return Location{Off: addr - o.lo, File: o.path}, true
	}
	return Location{Symbol: name, Off: off, File: o.path}, true
}

// Symbol is the name and distance of the symbol that holds addr, "" if none.
func (t *Table) Symbol(addr uint64) (string, uint64) {
	l, _ := t.Find(addr)
	if l.Symbol == "" {
		return "", 0
	}
	return l.Symbol, l.Off
}

// ByName finds a symbol's address and size in the objects that are mapped now,
// the program first.
func (t *Table) ByName(name string) (addr, size uint64, ok bool) {
	t.refresh()
	for i := range t.objs {
		if a, n, ok := t.objs[i].syms.ByName(name); ok {
			return a + t.objs[i].bias, n, true
		}
	}
	return 0, 0, false
}

// ByFile finds the address range of a mapped file by its path or base name.
func (t *Table) ByFile(name string) (lo, hi uint64, ok bool) {
	t.refresh()
	for _, o := range t.objs {
		if o.path == name || filepath.Base(o.path) == name {
			return o.lo, o.hi, true
		}
	}
	return 0, 0, false
}

// object is the loaded file that addr lies in, its bss included.
func (t *Table) object(addr uint64) *object {
	i := sort.Search(len(t.objs), func(i int) bool { return t.objs[i].hi > addr })
	if i == len(t.objs) || t.objs[i].lo > addr {
		return nil
	}
	return &t.objs[i]
}

// Generation counts the changes of the mappings that names depend on; what
// was looked up stays true while it is the same.
func (t *Table) Generation() uint64 {
	t.refresh()
	return t.gen
}

// refresh looks at the mappings again if they have changed.
func (t *Table) refresh() {
	s := t.proc.Space
	if t.space == s && t.gen == s.Generation() {
		return
	}
	if t.space != s {
		t.files = map[*emu.Backing]*file{}
	}
	t.space, t.gen = s, s.Generation()
	t.objs = t.objs[:0]
	s.VMAs(func(v *emu.VMA) bool {
		if v.File != nil {
			t.add(v)
		}
		return true
	})
}

// add notes the object that a mapping of a file belongs to, unless another
// mapping of it has told.
func (t *Table) add(v *emu.VMA) {
	if o := t.object(v.Addr); o != nil && o.path == v.File.Path {
		return
	}
	f := t.file(v.File)
	for _, p := range f.progs {
		first := p.Off &^ (emu.PageSize - 1)
		if uint64(v.Off) < first || uint64(v.Off) >= p.Off+p.Filesz {
			continue
		}
		o := object{file: f, path: v.File.Path, bias: v.Addr - (p.Vaddr - p.Off + uint64(v.Off))}
		o.lo, o.hi = ^uint64(0), 0
		for _, p := range f.progs {
			o.lo, o.hi = min(o.lo, (p.Vaddr+o.bias)&^(emu.PageSize-1)), max(o.hi, p.Vaddr+p.Memsz+o.bias)
		}
		i := sort.Search(len(t.objs), func(i int) bool { return t.objs[i].hi > o.lo })
		t.objs = append(t.objs[:i], append([]object{o}, t.objs[i:]...)...)
		return
	}
}

// file reads a mapped file's symbols, once. One that is no ELF file, or a
// damaged one, has none.
func (t *Table) file(b *emu.Backing) *file {
	if f := t.files[b]; f != nil {
		return f
	}
	f := &file{syms: &elf.Table{}}
	t.files[b] = f
	st, err := b.File.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return f
	}
	f.progs = segments(b.File)
	if len(f.progs) > 0 {
		f.syms, _ = elf.ReadSymbols(b.File)
	}
	return f
}

// segments are the loadable segments of an ELF file, none for other files.
func segments(r io.ReaderAt) (out []delf.ProgHeader) {
	// debug/elf is not made for hostile section tables, and names are only a
	// comfort: a file that it trips over has no segments.
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	f, err := delf.NewFile(r)
	if err != nil {
		return nil
	}
	for _, p := range f.Progs {
		if p.Type == delf.PT_LOAD {
			out = append(out, p.ProgHeader)
		}
	}
	return out
}
