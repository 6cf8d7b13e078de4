package stepper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/utemu/utemu/emu/arch"
)

// Errors of Breakpoints.Insert.
var (
	ErrMisaligned = errors.New("address is not aligned for an instruction")
	ErrInside     = errors.New("address is inside an instruction")
	ErrUnmapped   = errors.New("no memory at the address")
	ErrShared     = errors.New("memory is shared with others, who would see the breakpoint")
	ErrNotThere   = errors.New("no such breakpoint")
)

// Breakpoints are software breakpoints in the memory of a target. It is a
// target itself, whose memory is as the program has it, whose resumes run the
// instruction under a breakpoint that the thread stands on, and whose stops
// tell a breakpoint from a trap of the program's own. Strategies work on it as
// on any other.
//
// Several owners may have a breakpoint at one address; it goes when the last
// of them removes theirs. Where the program overwrites a breakpoint, the
// program's bytes count, and the breakpoint is lost until it is inserted again.
type Breakpoints struct {
	Target
	sites map[uint64]*site
}

// site is an address with a breakpoint.
type site struct {
	temp
	state  uint8
	owners []any
	lost   bool // the program has written over it
}

// NewBreakpoints makes an empty set on a target.
func NewBreakpoints(t Target) *Breakpoints {
	return &Breakpoints{Target: t, sites: map[uint64]*site{}}
}

// Thread makes a target of another thread with the same memory. The breakpoints
// are the same, too: each thread tells of the ones that it hits. The threads
// must be such that one at a time runs or is looked at, as those of a process
// in package emu.
func (b *Breakpoints) Thread(t Target) *Breakpoints { return &Breakpoints{Target: t, sites: b.sites} }

// Insert adds a breakpoint at addr, in code of the given instruction set state,
// for an owner; an owner may have one there only once more than it removes.
// The error, which wraps one of those above, says why there can be none.
func (b *Breakpoints) Insert(owner any, addr uint64, state uint8) error {
	if s := b.sites[addr]; s != nil {
		s.owners = append(s.owners, owner)
		if !b.planted(s) {
			return b.write(s)
		}
		return nil
	}
	if err := b.check(addr, state); err != nil {
		return fmt.Errorf("stepper: breakpoint at %#x: %w", addr, err)
	}
	s := &site{state: state, owners: []any{owner}}
	s.at, s.code = addr, b.bytesAt(addr, state)
	s.old = make([]byte, len(s.code))
	if err := b.write(s); err != nil {
		return fmt.Errorf("stepper: breakpoint at %#x: %w", addr, err)
	}
	b.sites[addr] = s
	return nil
}

// bytesAt is the breakpoint instruction for addr.
func (b *Breakpoints) bytesAt(addr uint64, state uint8) []byte { return b.Arch().Break(state) }

// write reads what is at a site and puts the breakpoint there.
func (b *Breakpoints) write(s *site) error {
	m := b.Target.Mem()
	if _, err := m.ReadAt(s.old, s.at); err != nil {
		return fmt.Errorf("%w: %w", ErrUnmapped, err)
	}
	if _, err := m.WriteAt(s.code, s.at); err != nil {
		return fmt.Errorf("%w: %w", ErrUnmapped, err)
	}
	s.lost = false
	return nil
}

// check refuses places where a breakpoint would do harm.
func (b *Breakpoints) check(addr uint64, state uint8) error {
	a := b.Arch()
	unit := uint64(a.MinInsn)
	if n := len(a.Break(state)); n > a.MinInsn && a.MinInsn > 1 {
		unit = uint64(n)
	}
	if addr%unit != 0 || a.Addr(addr) != addr {
		return ErrMisaligned
	}
	if t, ok := b.Target.(interface{ Shared(addr uint64) bool }); ok && t.Shared(addr) {
		return ErrShared
	}
	if b.inside(addr) {
		return ErrInside
	}
	for at := addr - min(addr, uint64(a.MaxInsn)); at < addr+unit; at++ {
		if s := b.sites[at]; s != nil && addr < at+uint64(len(s.code)) {
			return ErrInside
		}
	}
	return nil
}

// inside tells whether addr is known to lie in the middle of an instruction:
// one that straight code leads to from the PC or from another breakpoint, or
// that needs no start to be known.
func (b *Breakpoints) inside(addr uint64) bool {
	a := b.Arch()
	if a.MinInsn == a.MaxInsn {
		return false
	}
	here := pc(b)
	for at := addr; at > addr-min(addr, 64); {
		at--
		if b.sites[at] == nil && at != here {
			continue
		}
		// The nearest start that is known tells.
		i, err := a.Decode(b.Regs(), b.Mem(), at)
		for err == nil && i.End() <= addr && !(i.Is(arch.IsBranch) && !i.Is(arch.IsCond|arch.IsCall)) {
			i, err = a.Follow(i, b.Mem())
		}
		return err == nil && i.PC < addr && addr < i.End()
	}
	return false
}

// Remove takes an owner's breakpoint away.
func (b *Breakpoints) Remove(owner any, addr uint64) error {
	s := b.sites[addr]
	k := -1
	if s != nil {
		k = slices.Index(s.owners, owner)
	}
	if k < 0 {
		return fmt.Errorf("stepper: breakpoint at %#x: %w", addr, ErrNotThere)
	}
	s.owners = slices.Delete(s.owners, k, k+1)
	if len(s.owners) > 0 {
		return nil
	}
	delete(b.sites, addr)
	if !b.planted(s) {
		return nil
	}
	return s.lift(b.Target.Mem())
}

// Clear takes all breakpoints away.
func (b *Breakpoints) Clear() error {
	var err error
	for _, s := range b.sites {
		err = errors.Join(err, s.lift(b.Target.Mem()))
	}
	clear(b.sites)
	return err
}

// Clean takes the breakpoints out of another memory, that of a child which
// fork has copied them into.
func (b *Breakpoints) Clean(child arch.Memory) error {
	var err error
	for _, s := range b.sites {
		err = errors.Join(err, s.lift(child))
	}
	return err
}

// Owners are those who have a breakpoint at addr.
func (b *Breakpoints) Owners(addr uint64) []any {
	if s := b.sites[addr]; s != nil {
		return s.owners
	}
	return nil
}

// planted tells whether a breakpoint is still in memory. One that was lost may
// look as if it were: a strategy has put another at its place.
func (b *Breakpoints) planted(s *site) bool {
	now := make([]byte, len(s.code))
	_, err := b.Target.Mem().ReadAt(now, s.at)
	s.lost = s.lost || err != nil || !bytes.Equal(now, s.code)
	return !s.lost
}

// Mem implements Target: memory without the breakpoints.
func (b *Breakpoints) Mem() arch.Memory { return hidden{b} }

// hidden is memory with what is under breakpoints.
type hidden struct{ b *Breakpoints }

// each calls f for what p, at addr, and the sites have in common.
func (h hidden) each(p []byte, addr uint64, f func(s *site, in, at []byte)) {
	if len(h.b.sites) == 0 {
		return
	}
	end := addr + uint64(len(p))
	one := func(s *site) {
		lo, hi := max(addr, s.at), min(end, s.at+uint64(len(s.code)))
		if lo < hi {
			f(s, p[lo-addr:hi-addr], s.old[lo-s.at:hi-s.at])
		}
	}
	longest := uint64(h.b.Arch().MaxInsn)
	if len(h.b.sites) < len(p)+int(longest) {
		for _, s := range h.b.sites {
			one(s)
		}
		return
	}
	for at := addr - min(addr, longest); at < end; at++ {
		if s := h.b.sites[at]; s != nil {
			one(s)
		}
	}
}

// ReadAt implements arch.Memory.
func (h hidden) ReadAt(p []byte, addr uint64) (int, error) {
	n, err := h.b.Target.Mem().ReadAt(p, addr)
	h.each(p[:n], addr, func(s *site, in, at []byte) {
		if h.b.planted(s) {
			copy(in, at)
		}
	})
	return n, err
}

// WriteAt implements arch.Memory: what is written under a breakpoint stays
// there.
func (h hidden) WriteAt(p []byte, addr uint64) (int, error) {
	over := p
	var keep []*site
	h.each(p, addr, func(s *site, in, at []byte) {
		if h.b.planted(s) {
			copy(at, in)
			keep = append(keep, s)
		}
	})
	for _, s := range keep {
		if &over[0] == &p[0] {
			over = bytes.Clone(p)
		}
		lo, hi := max(addr, s.at), min(addr+uint64(len(p)), s.at+uint64(len(s.code)))
		copy(over[lo-addr:hi-addr], s.code[lo-s.at:hi-s.at])
	}
	return h.b.Target.Mem().WriteAt(over, addr)
}

// Resume implements Target. A breakpoint at the PC is out of memory while the
// thread runs, so that strategies step off it; Continue is for going on.
func (b *Breakpoints) Resume(ctx context.Context, l Limit) (Stop, error) {
	s := b.sites[pc(b)]
	if s == nil || l.Settle || !b.planted(s) {
		st, err := b.Target.Resume(ctx, l)
		return b.hit(st), err
	}
	if l.Insns != 0 || len(l.Stops) != 0 {
		// What others may do in between comes first: they are to hit it.
		if st, err := b.Target.Resume(ctx, Limit{Settle: true, Events: l.Events}); err != nil || st.Why != Settled {
			return b.hit(st), err
		}
		if pc(b) != s.at || !b.planted(s) {
			return b.Resume(ctx, l)
		}
		l.Hold = true
	}
	m := b.Target.Mem()
	if err := s.lift(m); err != nil {
		return Stop{}, err
	}
	st, err := b.Target.Resume(ctx, l)
	if st.Why == Exec {
		return b.hit(st), err
	}
	// What the program has written there meanwhile stays, under the breakpoint.
	if st.Why != Exited {
		if e := b.write(s); e != nil {
			delete(b.sites, s.at)
		}
	}
	return b.hit(st), err
}

// hit tells a breakpoint from a trap of the program's own.
func (b *Breakpoints) hit(st Stop) Stop {
	switch {
	case st.Why == Exec: // the memory with the breakpoints is gone
		clear(b.sites)
	case st.Why == Signal && st.Trap:
		a := b.Arch()
		at := a.Addr(st.PC - uint64(a.BreakBack))
		if s := b.sites[at]; s != nil && b.planted(s) {
			b.Amend(Stop{})
			setPC(b, at)
			return Stop{Why: Breakpoint, PC: at}
		}
	}
	return st
}

// Slot implements Slotter, if the target does.
func (b *Breakpoints) Slot(near uint64) (uint64, error) {
	if s, ok := b.Target.(Slotter); ok {
		return s.Slot(near)
	}
	return 0, ErrNoStep
}

// Continue goes on until something happens: it steps off a breakpoint that the
// thread stands on by s, then runs.
func (b *Breakpoints) Continue(ctx context.Context, s Strategy) (Stop, error) {
	if b.sites[pc(b)] != nil {
		st, err := s.Step(ctx, b, Insn)
		if err != nil || st.Why != Stepped && st.Why != Syscall {
			return st, err
		}
		if b.sites[st.PC] != nil {
			// It stands before another: that is a hit once it runs.
			return Stop{Why: Breakpoint, PC: st.PC}, nil
		}
	}
	return b.Resume(ctx, Limit{})
}
