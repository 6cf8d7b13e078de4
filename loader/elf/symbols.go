package elf

import (
	"cmp"
	delf "debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Symbol is a named place of an object file, at the address it was linked for.
type Symbol struct {
	Name string
	Addr uint64 // of the code for a function: without Thumb's bit 0, not its PowerPC64 descriptor
	Size uint64 // 0 if the file does not say
	Func bool

	rank uint8  // of the names of one place the one with the lowest is shown
	end  uint64 // where the symbol's section ends
}

// Table is the symbol table of an object file. The zero Table is empty. It may
// be used by several goroutines at once.
type Table struct {
	syms   []Symbol // by address, size and rank
	spans  []span   // by address, without overlap
	byName func() map[string]int
}

// span is a piece of a symbol that no other symbol inside it covers.
type span struct {
	from, to uint64
	sym      int
}

// Lookup finds the symbol that an address as linked lies in, and how far in.
// Of symbols inside each other it is the innermost. One without a size, as
// assembly has, reaches to the next symbol, at most to the end of its section.
func (t *Table) Lookup(addr uint64) (name string, off uint64, ok bool) {
	s, ok := t.Find(addr)
	if !ok {
		return "", 0, false
	}
	return s.Name, addr - s.Addr, true
}

// Find is Lookup for the whole symbol.
func (t *Table) Find(addr uint64) (Symbol, bool) {
	i, ok := slices.BinarySearchFunc(t.spans, addr, func(s span, a uint64) int {
		if a < s.from {
			return 1
		}
		if a >= s.to {
			return -1
		}
		return 0
	})
	if !ok {
		return Symbol{}, false
	}
	return t.syms[t.spans[i].sym], true
}

// ByName finds a symbol: a global one rather than a local one, a function
// rather than an object.
func (t *Table) ByName(name string) (addr, size uint64, ok bool) {
	if t.byName == nil {
		return 0, 0, false
	}
	i, ok := t.byName()[name]
	if !ok {
		return 0, 0, false
	}
	return t.syms[i].Addr, t.syms[i].Size, true
}

// All are the symbols by rising address. The slice must not be changed.
func (t *Table) All() []Symbol { return t.syms }

// Lazy is a symbol table that is read when it is first asked for. The zero
// value is not of use; see LazySymbols.
type Lazy struct{ load func() (*Table, error) }

// LazySymbols puts off ReadSymbols until Table is called. open is called once
// at most and what it returns is closed again.
func LazySymbols(open func() (io.ReaderAt, io.Closer, error)) *Lazy {
	return &Lazy{sync.OnceValues(func() (t *Table, err error) {
		r, c, err := open()
		if err != nil {
			return &Table{}, err
		}
		t, err = ReadSymbols(r)
		return t, errors.Join(err, c.Close())
	})}
}

// Table is the symbol table. Together with an error it is still usable, but
// may be empty.
func (l *Lazy) Table() (*Table, error) { return l.load() }

// ReadSymbols reads the functions and objects of an ELF file's .symtab, or of
// its .dynsym if it has been stripped, and names the entries of its procedure
// linkage table "name@plt". The table is empty, not nil, after an error and
// for a file that has no symbols.
func ReadSymbols(r io.ReaderAt) (t *Table, err error) {
	// debug/elf does not promise to stand hostile files: it has had panics in
	// the reading of version and relocation sections. A program with broken
	// sections still runs, so all it may lose is its names.
	defer func() {
		if v := recover(); v != nil {
			t, err = &Table{}, fmt.Errorf("elf: symbols: %v", v)
		}
	}()
	f, err := delf.NewFile(r)
	if err != nil {
		return &Table{}, fmt.Errorf("elf: symbols: %w", err)
	}
	s := symReader{File: f}
	if err := s.read(); err != nil {
		return &Table{}, fmt.Errorf("elf: symbols: %w", err)
	}
	return newTable(s.out), nil
}

// symReader collects the symbols of one file.
type symReader struct {
	*delf.File
	opd     *delf.Section // of PowerPC64 ELFv1
	opdData []byte
	out     []Symbol
}

func (s *symReader) read() error {
	if s.compressed() {
		return errors.New("compressed symbol table")
	}
	s.readOPD()
	syms, err := s.Symbols()
	if errors.Is(err, delf.ErrNoSymbols) {
		syms, err = nil, nil
	}
	dyn, derr := s.DynamicSymbols()
	if derr != nil { // none, or broken ones that nothing depends on
		dyn = nil
	}
	if len(syms) == 0 {
		syms = dyn
	}
	for i := range syms {
		s.add(&syms[i])
	}
	s.plt(dyn)
	return err
}

// compressed tells of sections that are compressed although no linker does
// that to them: they could be far larger than the file. Debug sections may be,
// unless one that is read here takes its strings from them.
func (s *symReader) compressed() bool {
	linked := map[int]bool{}
	for _, c := range s.Sections {
		if c.Type != delf.SHT_PROGBITS {
			linked[int(c.Link)] = true
		}
	}
	for i, c := range s.Sections {
		debug := c.Type == delf.SHT_PROGBITS && strings.HasPrefix(c.Name, ".debug_") && !linked[i]
		if c.Flags&delf.SHF_COMPRESSED != 0 && !debug {
			return true
		}
	}
	return false
}

func (s *symReader) readOPD() {
	if s.Machine != delf.EM_PPC64 {
		return
	}
	opd := s.Section(".opd")
	if opd == nil || opd.Type != delf.SHT_PROGBITS {
		return
	}
	if d, err := opd.Data(); err == nil {
		s.opd, s.opdData = opd, d
	}
}

// add takes a symbol over if it names a place in memory.
func (s *symReader) add(e *delf.Symbol) {
	sec := int(e.Section)
	if e.Name == "" || sec <= 0 || sec >= len(s.Sections) || e.Section >= delf.SHN_LORESERVE {
		return
	}
	typ, bind := delf.ST_TYPE(e.Info), delf.ST_BIND(e.Info)
	fn := typ == delf.STT_FUNC || typ == delf.STT_GNU_IFUNC
	if !fn && typ != delf.STT_OBJECT && typ != delf.STT_NOTYPE || s.mapping(e, typ) {
		return
	}
	at := s.Sections[sec]
	if at.Flags&delf.SHF_ALLOC == 0 {
		return
	}
	y := Symbol{Name: plainName(e.Name), Addr: e.Value, Size: e.Size, Func: fn, rank: rank(fn, typ, bind)}
	if fn && s.Machine == delf.EM_ARM {
		y.Addr &^= 1
	}
	if s.opd != nil {
		at = s.descriptor(&y, at)
	}
	if y.Addr-at.Addr < at.Size { // else the symbol marks an end, or is wrong
		y.end = at.Addr + at.Size
	}
	s.out = append(s.out, y)
}

// mapping tells the symbols that mark where instruction sets and data begin
// in code of ARM ("$a", "$t", "$d", "$x", with a suffix after a dot).
func (s *symReader) mapping(e *delf.Symbol, typ delf.SymType) bool {
	if s.Machine != delf.EM_ARM && s.Machine != delf.EM_AARCH64 || typ != delf.STT_NOTYPE {
		return false
	}
	n := e.Name
	return len(n) >= 2 && n[0] == '$' && strings.IndexByte("atdx", n[1]) >= 0 && (len(n) == 2 || n[2] == '.')
}

// descriptor makes the symbol of a function descriptor one of the function,
// and takes the dot off names of code that descriptors have by now.
func (s *symReader) descriptor(y *Symbol, at *delf.Section) *delf.Section {
	if at != s.opd {
		if y.Func && len(y.Name) > 1 {
			y.Name = strings.TrimPrefix(y.Name, ".")
		}
		return at
	}
	off := y.Addr - at.Addr
	if off >= uint64(len(s.opdData)) || len(s.opdData)-int(off) < 8 {
		return at
	}
	y.Addr = s.ByteOrder.Uint64(s.opdData[off:])
	for _, c := range s.Sections {
		if c.Flags&delf.SHF_ALLOC != 0 && y.Addr-c.Addr < c.Size {
			return c
		}
	}
	return at
}

// rank orders the symbols of one place: functions first, labels last, global
// names before local ones.
func rank(fn bool, typ delf.SymType, bind delf.SymBind) uint8 {
	var r uint8
	switch {
	case fn:
	case typ == delf.STT_OBJECT:
		r = 4
	default:
		r = 8
	}
	switch bind {
	case delf.STB_GLOBAL:
	case delf.STB_WEAK:
		r++
	default:
		r += 2
	}
	return r
}

// plainName takes the symbol version off a name, and gives the stubs that the
// PowerPC linker makes ("00008000.got2.plt_pic32.puts@@GLIBC_2.0") the name
// that those of other machines get.
func plainName(n string) string {
	for _, kind := range []string{".plt_pic32.", ".plt_call32.", ".plt_call."} {
		if i := strings.Index(n, kind); i >= 8 {
			fn, _, _ := strings.Cut(n[i+len(kind):], "@")
			return fn + "@plt"
		}
	}
	if i := strings.IndexByte(n, '@'); i > 0 {
		return n[:i]
	}
	return n
}

// pltShape is how the linker lays out a procedure linkage table whose entries
// are in the order of the relocations.
type pltShape struct{ header, entry uint64 }

var pltShapes = map[delf.Machine]pltShape{
	delf.EM_386:     {16, 16},
	delf.EM_X86_64:  {16, 16},
	delf.EM_ARM:     {20, 12},
	delf.EM_AARCH64: {32, 16},
}

// plt names the entries of the procedure linkage table. A table of another
// shape (with Thumb stubs, say) is left nameless.
func (s *symReader) plt(dyn []delf.Symbol) {
	shape, ok := pltShapes[s.Machine]
	if !ok {
		return
	}
	names := s.jumpSlots(dyn)
	n := uint64(len(names))
	at := s.Section(".plt.sec") // with indirect branch tracking: no header
	if at != nil {
		shape.header = 0
	} else {
		at = s.Section(".plt")
	}
	if at == nil || n == 0 || at.Size != shape.header+n*shape.entry {
		return
	}
	for i, name := range names {
		if name != "" {
			addr := at.Addr + shape.header + uint64(i)*shape.entry
			s.out = append(s.out, Symbol{Name: name + "@plt", Addr: addr, Size: shape.entry, Func: true, rank: 3, end: at.Addr + at.Size})
		}
	}
}

// jumpSlots are the names that the relocations of the procedure linkage table
// refer to, in their order.
func (s *symReader) jumpSlots(dyn []delf.Symbol) []string {
	rel, size := s.Section(".rela.plt"), 24
	if rel == nil {
		rel, size = s.Section(".rel.plt"), 16
	}
	if rel == nil {
		return nil
	}
	if s.Class == delf.ELFCLASS32 {
		size /= 2
	}
	b, err := rel.Data()
	if err != nil {
		return nil
	}
	var names []string
	for ; len(b) >= size; b = b[size:] {
		var sym uint64
		if s.Class == delf.ELFCLASS32 {
			sym = uint64(s.ByteOrder.Uint32(b[4:]) >> 8)
		} else {
			sym = s.ByteOrder.Uint64(b[8:]) >> 32
		}
		name := ""
		if sym > 0 && sym <= uint64(len(dyn)) { // dyn lacks symbol 0
			name = dyn[sym-1].Name
		}
		names = append(names, name)
	}
	return names
}

// newTable sorts the symbols and works out which addresses each covers.
func newTable(syms []Symbol) *Table {
	slices.SortStableFunc(syms, func(a, b Symbol) int {
		return cmp.Or(cmp.Compare(a.Addr, b.Addr), cmp.Compare(b.Size, a.Size),
			cmp.Compare(a.rank, b.rank), strings.Compare(a.Name, b.Name))
	})
	t := &Table{syms: syms, spans: cover(syms)}
	t.byName = sync.OnceValue(func() map[string]int {
		m := make(map[string]int, len(syms))
		for i := range syms {
			if j, ok := m[syms[i].Name]; !ok || syms[i].rank < syms[j].rank {
				m[syms[i].Name] = i
			}
		}
		return m
	})
	return t
}

// cover cuts the symbols into spans without overlap.
func cover(syms []Symbol) []span {
	c := coverer{syms: syms}
	for i := 0; i < len(syms); {
		j := i + 1 // syms[i:j] are at one address
		for j < len(syms) && syms[j].Addr == syms[i].Addr {
			j++
		}
		next := ^uint64(0)
		if j < len(syms) {
			next = syms[j].Addr
		}
		c.place(i, j, next)
		i = j
	}
	c.upTo(^uint64(0))
	return c.spans
}

// coverer walks the symbols by rising address. open are those that the walk is
// inside of, the innermost last; pos is the first address not yet decided on.
type coverer struct {
	syms  []Symbol
	open  []openSym
	pos   uint64
	spans []span
}

type openSym struct {
	sym int
	end uint64
}

// place goes on to the address of syms[from:to]. Of these the best name stands
// for each size that one of them has.
func (c *coverer) place(from, to int, next uint64) {
	at := c.syms[from].Addr
	c.upTo(at)
	best := -1
	for i := from; i < to; i++ {
		y := &c.syms[i]
		end := at + y.Size
		switch {
		case y.end == 0: // not inside its section
			continue
		case y.Size == 0 && (len(c.open) > 0 || best >= 0):
			continue // a label inside a function
		case y.Size == 0:
			end = min(next, y.end)
		case end < at || end > y.end:
			end = y.end
		}
		if best < 0 || c.better(i, best) {
			best = i
			c.open = append(c.open, openSym{i, end})
		}
	}
}

// better: sizes fall within one address, so a later symbol lies inside an
// earlier one, and at the same size the order is by rank already.
func (c *coverer) better(i, best int) bool {
	return c.syms[i].Size != c.syms[best].Size && c.syms[i].rank <= c.syms[best].rank && c.syms[i].Size != 0
}

// upTo gives the addresses below at to the innermost symbol.
func (c *coverer) upTo(at uint64) {
	for len(c.open) > 0 && c.pos < at {
		top := c.open[len(c.open)-1]
		end := min(top.end, at)
		if end > c.pos {
			c.spans = append(c.spans, span{c.pos, end, top.sym})
			c.pos = end
		}
		if top.end > at {
			break
		}
		c.open = c.open[:len(c.open)-1]
	}
	// Symbols that ended further out.
	for len(c.open) > 0 && c.open[len(c.open)-1].end <= at {
		c.open = c.open[:len(c.open)-1]
	}
	c.pos = max(c.pos, at)
}
