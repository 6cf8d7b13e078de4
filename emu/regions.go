package emu

import (
	"fmt"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// engineMemory is the engine's side of a guest address space.
type engineMemory interface {
	Map(addr uint64, host []byte, prot int) error
	Unmap(addr, size uint64) error
	DropCode(addr, size uint64)
	HasCode(addr, size uint64) bool
}

// regions is the part of the address space that the engine knows: a cache of
// the mappings, since the engine bears only some hundred memory regions and
// takes time for each. What it does not know faults, and the fault handler
// adds it. While regions are few, new mappings are made known at once.
type regions struct {
	eng  engineMemory
	list []region // by address
	tick uint64
}

type region struct {
	addr, end uint64
	prot      arch.Prot
	born      uint64 // tick of its making, for eviction
}

const (
	eagerRegions = 128      // below this many, mappings are made known at once
	maxRegions   = 384      // above this many, the oldest are forgotten
	window       = 32 << 20 // the most the engine is told of one mapping at a time
	mergeBelow   = 1 << 20  // a region up to this size is made anew to join its neighbour
)

func (r *regions) at(addr uint64) int {
	return sort.Search(len(r.list), func(i int) bool { return r.list[i].end > addr })
}

// added is told of a new mapping.
func (r *regions) added(s *Space, addr, end uint64, prot arch.Prot) {
	if r.eng == nil || prot == 0 || len(r.list) >= eagerRegions || end-addr > window {
		return
	}
	// A failure shows when the guest touches the page and the fault handler
	// tries again.
	_ = r.known(s, addr, end)
}

// removed is told that [addr,end) is about to lose its pages or protection.
func (r *regions) removed(s *Space, addr, end uint64) {
	if r.eng == nil {
		return
	}
	i := r.at(addr)
	j := i
	for ; j < len(r.list) && r.list[j].addr < end; j++ {
		g := r.list[j]
		a, e := max(g.addr, addr), min(g.end, end)
		if g.prot&arch.Exec != 0 || r.eng.HasCode(a, e-a) {
			r.eng.DropCode(a, e-a)
		}
		if err := r.eng.Unmap(a, e-a); err != nil {
			panic(fmt.Sprintf("emu: engine lost region %#x-%#x: %v", a, e, err))
		}
	}
	if i == j {
		return
	}
	var keep []region
	if g := r.list[i]; g.addr < addr {
		keep = append(keep, region{g.addr, addr, g.prot, g.born})
	}
	if g := r.list[j-1]; g.end > end {
		keep = append(keep, region{end, g.end, g.prot, g.born})
	}
	r.list = append(r.list[:i], append(keep, r.list[j:]...)...)
}

// written is told that the host writes to [addr,end).
func (r *regions) written(s *Space, addr, end uint64) {
	if r.eng != nil && r.eng.HasCode(addr, end-addr) {
		r.eng.DropCode(addr, end-addr)
	}
	s.aliasWritten(addr, end)
}

// known makes the accessible pages of [addr,end) known to the engine, those
// that it sees alike in one piece.
func (r *regions) known(s *Space, addr, end uint64) error {
	var next region // not told yet
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		v := s.list[i]
		a, e := max(v.Addr, addr), min(v.End, end)
		if v.bare || v.Prot == 0 {
			continue
		}
		if v.File != nil {
			e = min(e, v.fileEnd())
		}
		if a >= e {
			continue
		}
		prot := s.engineProt(v)
		if next.end == a && next.prot == prot {
			next.end = e
			continue
		}
		if err := r.tellAll(s, next); err != nil {
			return err
		}
		next = region{addr: a, end: e, prot: prot}
	}
	return r.tellAll(s, next)
}

// tellAll tells the engine of a region, chunk by chunk.
func (r *regions) tellAll(s *Space, g region) error {
	return pieces(g.addr, g.end, func(a, e uint64) error { return r.tell(s, a, e, g.prot) })
}

// tell adds one region to the engine, joining it with its neighbours while
// they are small.
func (r *regions) tell(s *Space, addr, end uint64, prot arch.Prot) error {
	if prot == 0 {
		return nil
	}
	r.removed(s, addr, end)
	if len(r.list) >= maxRegions {
		r.evict(s)
	}
	i := r.at(addr)
	if i > 0 {
		if g := r.list[i-1]; g.end == addr && r.merge(g, prot, addr, end) {
			if err := r.eng.Unmap(g.addr, g.end-g.addr); err != nil {
				return fmt.Errorf("emu: joining regions: %w", err)
			}
			addr = g.addr
			i--
			r.list = append(r.list[:i], r.list[i+1:]...)
		}
	}
	if err := r.eng.Map(addr, s.host.slice(addr, end), int(usable(prot))); err != nil {
		return fmt.Errorf("emu: engine memory %#x-%#x: %w", addr, end, err)
	}
	if prot&arch.Exec != 0 {
		// What was translated here before, with the pages not executable or
		// other ones in their place, must not run.
		r.eng.DropCode(addr, end-addr)
	}
	r.tick++
	r.list = append(r.list, region{})
	copy(r.list[i+1:], r.list[i:])
	r.list[i] = region{addr, end, prot, r.tick}
	return nil
}

// merge tells whether region g, which ends at addr, should be made anew
// together with [addr,end). Making a region anew costs time for each of its
// pages, so it may at most double the work of a growing heap.
func (r *regions) merge(g region, prot arch.Prot, addr, end uint64) bool {
	size := g.end - g.addr
	return g.prot == prot && prot&arch.Exec == 0 && g.addr>>chunkBits == (end-1)>>chunkBits &&
		size+end-addr <= window && (size <= mergeBelow || size <= 2*(end-addr))
}

// evict forgets the oldest half of the regions.
func (r *regions) evict(s *Space) {
	old := append([]region(nil), r.list...)
	sort.Slice(old, func(i, j int) bool { return old[i].born < old[j].born })
	for _, g := range old[:len(old)/2] {
		r.removed(s, g.addr, g.end)
	}
}

// fault answers a memory exception of the guest for size bytes at addr. It
// returns nil when the pages are there and the engine has been told of them
// now, so that the instruction can run again; otherwise the signal that the
// guest gets.
func (s *Space) fault(addr uint64, size int, access arch.Prot) (*Signal, error) {
	told := false
	for a, n := addr, uint64(max(size, 1)); n > 0; {
		if sig := s.denied(a, access); sig != nil {
			return sig, nil
		}
		fresh, err := s.tell(a, access)
		if err != nil {
			return nil, err
		}
		told = told || fresh
		step := min(n, PageSize-a&(PageSize-1))
		a, n = s.arch.Addr(a+step), n-step
	}
	if !told {
		return nil, fmt.Errorf("emu: engine refuses an access to %#x that the mapping allows", addr)
	}
	return nil, nil
}

// denied is the signal for an access that the mappings do not allow.
func (s *Space) denied(addr uint64, access arch.Prot) *Signal {
	v := s.list.find(addr)
	switch {
	case v == nil:
		return &Signal{No: unix.SIGSEGV, Code: segvMaperr, Addr: addr}
	case usable(v.Prot)&access == 0:
		return &Signal{No: unix.SIGSEGV, Code: segvAccerr, Addr: addr}
	case v.File != nil && addr >= v.fileEnd():
		return &Signal{No: unix.SIGBUS, Code: busAdrerr, Addr: addr}
	}
	return nil
}

// tell makes the page of addr known to the engine for an access that the
// mapping allows; false means that it was known already.
func (s *Space) tell(addr uint64, access arch.Prot) (bool, error) {
	v := s.list.find(addr)
	page := addr &^ (PageSize - 1)
	if i := s.regions.at(addr); i < len(s.regions.list) && s.regions.list[i].addr <= addr && usable(s.regions.list[i].prot)&access != 0 {
		return false, nil
	}
	if ok, err := s.settleAlias(v, page, access); ok || err != nil {
		return ok, err
	}
	lo, hi := s.around(page)
	return true, s.regions.known(s, lo, hi)
}

// around is what the engine is told of together with a page: the mappings next
// to each other that it sees alike.
func (s *Space) around(page uint64) (lo, hi uint64) {
	i := s.list.at(page)
	v := s.list[i]
	first, last := page&^(window-1), page&^(window-1)+window
	prot := s.engineProt(v)
	like := func(w *VMA) bool { return !w.bare && s.engineProt(w) == prot }
	lo, hi = v.Addr, v.End
	for j := i - 1; lo > first && j >= 0 && s.list[j].End == lo && like(s.list[j]); j-- {
		lo = s.list[j].Addr
	}
	for j := i + 1; hi < last && j < len(s.list) && s.list[j].Addr == hi && like(s.list[j]); j++ {
		hi = s.list[j].End
	}
	return max(lo, first), min(hi, last)
}

// si_code values of asm-generic/siginfo.h.
const (
	segvMaperr = 1
	segvAccerr = 2
	busAdrerr  = 2
)

// fileEnd is the first address of the mapping past the pages that its file
// has now.
func (v *VMA) fileEnd() uint64 {
	var st unix.Stat_t
	if err := unix.Fstat(int(v.File.File.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return v.End
	}
	if st.Size <= v.Off {
		return v.Addr
	}
	return min(v.End, v.Addr+pageUp(uint64(st.Size-v.Off)))
}
