package stepper

import (
	"bytes"

	"github.com/utemu/utemu/emu/arch"
)

// Cache remembers how code was decoded. What it has of a place holds as long as
// the same bytes are there, so nobody needs to tell it of changes. It belongs to
// one target.
type Cache struct {
	// Code is a number that the target sets: where it is the same as when the
	// thread stood at the PC before, the instruction is the same; 0 if that is
	// not known.
	Code uint64

	insns  [1 << 9]known
	blocks [1 << 8]plainRun
	buf    [maxCached]byte
	stop   [1]uint64
	limit  Limit
}

// known is an instruction of a Cache, as it was by Cache.Code code.
type known struct {
	arch.Insn
	code uint64
}

// Cacher is a Target that keeps a Cache for strategies, which decode each
// instruction anew otherwise.
type Cacher interface{ Cache() *Cache }

// maxCached is how many bytes of a straight run are kept.
const maxCached = 256

// plainRun is code in which it shows from where a branch leads to if it was
// taken, up to the instruction last, which is taken always, or is one of which
// that cannot be said.
type plainRun struct {
	code []byte // with last
	pc   uint64
	last arch.Insn
	any  bool // the first branch is the last instruction, whatever it is
}

// blockCache is the target's cache, nil if it has none or the instruction set
// state is one in which decoding depends on more than bytes.
func blockCache(t Target) *Cache {
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
	if c, ok := t.(Cacher); ok {
		i, err := c.Cache().Here(t)
		if err != nil {
			return arch.Insn{}, err
		}
		return *i, nil
	}
	return t.Arch().Insn(t.Regs(), t.Mem())
}

// Here decodes the instruction at the PC of t, which the cache belongs to. What
// it points to is good until the next call.
func (c *Cache) Here(t Target) (*arch.Insn, error) {
	a, r := t.Arch(), t.Regs()
	at := r.Reg(a.PC)
	k := &c.insns[place(at, len(c.insns))]
	if k.Len != 0 && k.PC == at && (a.Decodes == nil || a.Decodes(r) == uint16(k.State)|uint16(k.IT)<<8) {
		if c.Code != 0 && k.code == c.Code {
			return &k.Insn, nil
		}
		if c.same(t, k.Bytes(), at) {
			k.code = c.Code
			return &k.Insn, nil
		}
	}
	i, err := a.Decode(r, t.Mem(), at)
	if err != nil {
		return nil, err
	}
	k.Insn, k.code = i, c.Code
	return &k.Insn, nil
}

// endOf finds the end of the plain run from the PC; it is false where there is no
// such end, because code cannot be read or the run is long.
func (c *Cache) endOf(t Target, any bool) (last arch.Insn, ok bool) {
	at := pc(t)
	r := &c.blocks[place(at, len(c.blocks))]
	if r.last.Len != 0 && r.pc == at && r.any == any && c.same(t, r.code, at) {
		return r.last, true
	}
	i, err := here(t)
	for n := 0; err == nil && goesOn(t.Arch(), &i, any); n++ {
		if i.End()-at > maxCached-16 || t.Arch().Addr(i.End()) < i.PC {
			return i, false
		}
		i, err = t.Arch().Follow(i, t.Mem())
	}
	if err != nil {
		return i, false
	}
	code := append(r.code[:0], c.buf[:i.End()-at]...)
	if _, err := t.Mem().ReadAt(code, at); err != nil {
		return i, false
	}
	*r = plainRun{code, at, i, any}
	return i, true
}

// goesOn tells whether a plain run goes on behind an instruction.
func goesOn(a *arch.Arch, i *arch.Insn, any bool) bool {
	if i.Is(arch.IsRepeat) || i.IT != 0 {
		return false
	}
	if !i.Is(blockEnds) {
		return true
	}
	return !any && i.Is(arch.IsCond) && tells(a, i)
}
