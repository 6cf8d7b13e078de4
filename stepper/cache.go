package stepper

import (
	"bytes"

	"github.com/utemu/utemu/emu/arch"
)

// Cache remembers how code was decoded. What it has of a place holds as long as
// the same bytes are there, so nobody needs to tell it of changes. It belongs to
// one target.
type Cache struct {
	insns  [1 << 9]arch.Insn
	blocks [1 << 8]straightRun
	buf    [maxCached]byte
}

// Cacher is a Target that keeps a Cache for strategies, which decode each
// instruction anew otherwise.
type Cacher interface{ Cache() *Cache }

// maxCached is how many bytes of a straight run are kept.
const maxCached = 256

// straightRun is a run without a branch, up to the instruction last that ends it.
type straightRun struct {
	code []byte // of all but last
	pc   uint64
	last arch.Insn
}

// cacheOf is the target's cache, nil if it has none or the instruction set state
// is one in which decoding depends on more than bytes.
func cacheOf(t Target) *Cache {
	c, ok := t.(Cacher)
	if !ok {
		return nil
	}
	if a := t.Arch(); a.State != nil && a.State(t.Regs()) != 0 {
		return nil
	}
	return c.Cache()
}

// place is where the cache keeps an address.
func place(pc uint64, n int) int { return int((pc ^ pc>>9) >> 1 & uint64(n-1)) }

// same tells whether memory has these bytes.
func (c *Cache) same(t Target, code []byte, at uint64) bool {
	n, err := t.Mem().ReadAt(c.buf[:len(code)], at)
	return err == nil && bytes.Equal(c.buf[:n], code)
}

// here decodes the instruction at the PC.
func here(t Target) (arch.Insn, error) {
	a := t.Arch()
	c := cacheOf(t)
	if c == nil {
		return a.Insn(t.Regs(), t.Mem())
	}
	at := pc(t)
	i := &c.insns[place(at, len(c.insns))]
	if i.Len != 0 && i.PC == at && c.same(t, i.Bytes(), at) {
		return *i, nil
	}
	n, err := a.Decode(t.Regs(), t.Mem(), at)
	if err == nil {
		*i = n
	}
	return n, err
}

// opens tells whether the instruction at the PC opens an atomic sequence.
func opens(t Target) bool {
	if c := cacheOf(t); c != nil {
		at := pc(t)
		if i := &c.insns[place(at, len(c.insns))]; i.Len != 0 && i.PC == at && c.same(t, i.Bytes(), at) {
			return i.Is(arch.IsLoadLink)
		}
	}
	i, err := here(t)
	return err == nil && i.Is(arch.IsLoadLink)
}

// endOf finds the instruction that ends the straight run from the PC; it is
// false where the run ends otherwise, with code that cannot be read or because
// it is long.
func endOf(t Target) (last arch.Insn, ok bool) {
	c := cacheOf(t)
	if c == nil {
		return arch.Insn{}, false
	}
	at := pc(t)
	r := &c.blocks[place(at, len(c.blocks))]
	if r.last.Len != 0 && r.pc == at && c.same(t, r.code, at) && c.same(t, r.last.Bytes(), r.last.PC) {
		return r.last, true
	}
	i, err := here(t)
	if err != nil {
		return i, false
	}
	for n := 0; !i.Is(blockEnds); n++ {
		if n == maxScan || t.Arch().Addr(i.End()) < i.PC {
			return i, false
		}
		if i, err = t.Arch().Follow(i, t.Mem()); err != nil {
			return i, false
		}
	}
	if n := i.PC - at; n <= maxCached {
		code := append(r.code[:0], c.buf[:n]...)
		if _, err := t.Mem().ReadAt(code, at); err != nil {
			return i, false
		}
		*r = straightRun{code, at, i}
	}
	return i, true
}
