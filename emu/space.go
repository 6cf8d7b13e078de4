package emu

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Space is the address space of a guest process: its mappings, and the host
// memory behind them. It is the only writer of guest memory outside the CPU,
// and so the one place where translations of overwritten code are dropped.
//
// A Space is used by the goroutine that runs the process's tasks. Errors that
// a system call would return are unix.Errno values.
type Space struct {
	arch    *arch.Arch
	list    vmas
	host    host
	regions regions // what the engine has been told

	brkStart, brk uint64
	gen           uint64

	// Limit bounds the private writable memory of the process in bytes, 0 for
	// no bound; used is what counts against it.
	Limit uint64
	used  uint64

	// shared: others have had or may have writable memory of the space.
	shared bool

	// codeShared: a file has been mapped shared and executable.
	codeShared bool
}

// NewSpace makes an empty address space for a guest of architecture a.
func NewSpace(a *arch.Arch) *Space {
	return &Space{arch: a}
}

// Release gives the memory of the space back to the host. The space and all
// slices of its memory are invalid afterwards.
func (s *Space) Release() error {
	for _, v := range s.list {
		s.unref(v)
	}
	s.list = nil
	return s.host.release()
}

func (s *Space) unref(v *VMA) {
	if v.File != nil {
		v.File.Release()
	}
}

// Generation counts the changes of the mappings.
func (s *Space) Generation() uint64 { return s.gen }

// VMAs calls f for each mapping by rising address until it returns false.
func (s *Space) VMAs(f func(v *VMA) bool) {
	for _, v := range s.list {
		if !f(v) {
			return
		}
	}
}

// Count is how many mappings there are.
func (s *Space) Count() int { return len(s.list) }

// Find returns the mapping that holds addr, or nil.
func (s *Space) Find(addr uint64) *VMA { return s.list.find(addr) }

// Free tells whether nothing is mapped in [addr,addr+size).
func (s *Space) Free(addr, size uint64) bool {
	i := s.list.at(addr)
	return i == len(s.list) || s.list[i].Addr >= addr+size
}

// stackGap is what the kernel keeps free below a stack that grows
// (stack_guard_gap, 256 pages).
const stackGap = 256 * PageSize

// floor is the lowest address that v keeps others away from.
func (v *VMA) floor() uint64 {
	if v.Flags&MapGrowsDown != 0 {
		return v.Addr - min(v.Addr, stackGap)
	}
	return v.Addr
}

// Gap finds room for size bytes aligned to align (a power of two, at least
// PageSize) below Start.MmapBase, highest first, and above it if there is none
// below, as the kernel's unmapped area search does. It returns ENOMEM when the
// space is full.
func (s *Space) Gap(size, align uint64) (uint64, error) {
	st := &s.arch.Start
	if size == 0 || size > st.TaskSize {
		return 0, unix.ENOMEM
	}
	fit := func(lo, hi uint64) (uint64, bool) {
		if hi < size || hi-size < lo {
			return 0, false
		}
		a := (hi - size) &^ (align - 1)
		return a, a >= lo
	}
	hi := st.MmapBase
	for i := s.list.at(hi - 1); i >= 0; i-- {
		lo := st.MinAddr
		if i > 0 {
			lo = max(lo, s.list[i-1].End)
		}
		if i < len(s.list) {
			hi = min(hi, s.list[i].floor())
		}
		if a, ok := fit(lo, hi); ok {
			return a, nil
		}
		hi = min(hi, lo)
	}
	lo := st.MmapBase
	for i := s.list.at(lo); lo < st.TaskSize; i++ {
		hi, next := st.TaskSize, st.TaskSize
		if i < len(s.list) {
			hi, next = s.list[i].floor(), s.list[i].End
		}
		a := (lo + align - 1) &^ (align - 1)
		if hi > a && hi-a >= size {
			return a, nil
		}
		lo = next
	}
	return 0, unix.ENOMEM
}

// Map makes a mapping at exactly [v.Addr,v.End), replacing what is there. The
// mapping's File gains a reference. ENOMEM is returned when the
// address is out of user space, the memory limit is reached or the host has
// no room.
func (s *Space) Map(v VMA) error {
	if v.Addr&(PageSize-1) != 0 || v.End&(PageSize-1) != 0 || v.Addr >= v.End {
		return unix.EINVAL
	}
	if v.End > s.arch.Start.TaskSize {
		return unix.ENOMEM
	}
	cost := v.cost()
	if old := s.charged(v.Addr, v.End); s.Limit != 0 && s.used-old+cost > s.Limit {
		return unix.ENOMEM
	}
	if err := s.Unmap(v.Addr, v.Size()); err != nil {
		return err
	}
	if err := s.back(&v); err != nil {
		return fmt.Errorf("%w: %w", unix.ENOMEM, err)
	}
	if v.File != nil {
		v.File.refs.Add(1)
	}
	if v.Flags&MapShared != 0 && v.File == nil && v.Shm == 0 {
		v.Shm, v.Off = lastShm.Add(1), 0
	}
	s.used += cost
	s.gen++
	s.noteShared(&v)
	w := v
	s.list.insert(&w)
	s.regions.added(s, v.Addr, v.End, v.Prot)
	return nil
}

// lastShm is VMA.Shm of the shared anonymous memory made last.
var lastShm atomic.Uint64

// NewBacking makes the backing of mappings of f, of which it keeps a duplicate
// until the last of them is gone and the caller has called Release. path is what /proc/PID/maps shows;
// max are the protections the mapping may ever have.
func NewBacking(f *os.File, path string, max arch.Prot) (*Backing, error) {
	return DupBacking(int(f.Fd()), path, max)
}

// aboveMappings is a free page between where mappings grow down from and the
// stack.
func (s *Space) aboveMappings() (uint64, bool) {
	a := s.arch.Start.MmapBase
	for _, v := range s.list[s.list.at(a):] {
		if a+PageSize <= v.floor() {
			return a, true
		}
		a = max(a, v.End)
	}
	return 0, false
}

// below is the highest free page below the mapping that holds addr.
func (s *Space) below(addr uint64) (uint64, bool) {
	for i := s.list.at(addr); i >= 0 && i < len(s.list); i-- {
		lo := s.arch.Start.MinAddr
		if i > 0 {
			lo = max(lo, s.list[i-1].End)
		}
		if hi := min(s.list[i].floor(), s.arch.Start.TaskSize); hi >= lo+PageSize {
			return hi - PageSize, true
		}
	}
	return 0, false
}

// MapKernel makes a mapping that the kernel provides, which may lie outside of
// user space, with the given contents.
func (s *Space) MapKernel(v VMA, data []byte) error {
	if err := s.host.anon(v.Addr, v.End, false); err != nil {
		return err
	}
	copy(s.host.slice(v.Addr, v.End), data)
	s.list.insert(&v)
	s.regions.added(s, v.Addr, v.End, v.Prot)
	return nil
}

// back puts host memory behind a new mapping. An inaccessible anonymous one
// gets none until it becomes accessible.
func (s *Space) back(v *VMA) error {
	switch {
	case v.File != nil:
		return s.host.file(v.Addr, v.End, v.File, v.Off, v.Flags&MapShared != 0)
	case v.Prot == 0 && v.Flags&MapShared == 0:
		v.bare = true
		return nil
	}
	return s.host.anon(v.Addr, v.End, v.Flags&MapShared != 0)
}

// cost is what a mapping takes of the memory limit.
func (v *VMA) cost() uint64 {
	if v.Flags&(MapShared|MapNoReserve) == MapNoReserve || v.bare || v.Prot == 0 && v.File == nil {
		return 0
	}
	if v.File != nil && (v.Flags&MapShared != 0 || v.Prot&arch.Write == 0) {
		return 0
	}
	return v.Size()
}

// charged sums what [addr,end) takes of the memory limit.
func (s *Space) charged(addr, end uint64) uint64 {
	var sum uint64
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		v := *s.list[i]
		v.Addr, v.End = max(v.Addr, addr), min(v.End, end)
		sum += v.cost()
	}
	return sum
}

// Unmap removes all mappings in [addr,addr+size), both page-aligned.
func (s *Space) Unmap(addr, size uint64) error {
	end := addr + size
	if s.Free(addr, size) {
		return nil
	}
	s.gen++
	s.regions.removed(s, addr, end)
	for _, v := range s.list.cut(addr, end) {
		s.used -= v.cost()
		if !v.bare {
			if err := s.host.drop(v.Addr, v.End); err != nil {
				return fmt.Errorf("emu: unmapping %#x: %w", v.Addr, err)
			}
		}
		s.unref(v)
	}
	return nil
}

// Protect changes the protection of [addr,addr+size), both page-aligned. It
// returns ENOMEM if a part of the range is not mapped and EACCES if a file
// mapping does not allow prot; what lies before the offending mapping is
// changed, as the kernel does.
func (s *Space) Protect(addr, size uint64, prot arch.Prot) error {
	end := addr + size
	s.list.split(addr)
	s.list.split(end)
	defer s.list.join(addr, end)
	for i := s.list.at(addr); addr < end; i++ {
		if i == len(s.list) || s.list[i].Addr > addr {
			return unix.ENOMEM
		}
		v := s.list[i]
		if v.File != nil && v.Flags&MapShared != 0 && prot&^v.File.Max != 0 {
			return unix.EACCES
		}
		if err := s.reprotect(v, prot); err != nil {
			return err
		}
		addr = v.End
	}
	return nil
}

// reprotect changes a whole mapping's protection.
func (s *Space) reprotect(v *VMA, prot arch.Prot) error {
	if v.Prot == prot {
		return nil
	}
	was := v.cost()
	w := *v
	w.Prot = prot
	s.noteShared(&w)
	if v.bare && prot != 0 {
		w.bare = false
	}
	now := w.cost()
	if s.Limit != 0 && s.used-was+now > s.Limit {
		return unix.ENOMEM
	}
	if v.bare && !w.bare {
		if err := s.host.anon(v.Addr, v.End, false); err != nil {
			return unix.ENOMEM
		}
	}
	s.used += now - was
	s.regions.removed(s, v.Addr, v.End)
	*v = w
	s.regions.added(s, v.Addr, v.End, prot)
	return nil
}

// Move takes the mappings' pages from [from,from+size) to the free range at
// to. All of the range must belong to one mapping.
func (s *Space) Move(from, to, size uint64) error {
	s.gen++
	s.regions.removed(s, from, from+size)
	cut := s.list.cut(from, from+size)
	if len(cut) != 1 {
		return unix.EFAULT
	}
	v := cut[0]
	if !v.bare {
		if err := s.host.move(from, to, size); err != nil {
			s.list.insert(v)
			return fmt.Errorf("%w: %w", unix.ENOMEM, err)
		}
	}
	v.Addr, v.End = to, to+size
	s.list.insert(v)
	s.regions.added(s, to, to+size, v.Prot)
	return nil
}

// SetBrk says where the heap starts; loaders call it once.
func (s *Space) SetBrk(start uint64) { s.brkStart, s.brk = start, start }

// Brk moves the end of the heap to addr and returns where it is then; an
// address that cannot be had leaves it, as brk(2) does in the kernel.
func (s *Space) Brk(addr uint64) uint64 {
	if addr < s.brkStart || addr > s.arch.Start.TaskSize {
		return s.brk
	}
	old, end := pageUp(s.brk), pageUp(addr)
	switch {
	case end < old:
		if s.Unmap(end, old-end) != nil {
			return s.brk
		}
	case end > old:
		if i := s.list.at(old); i < len(s.list) && s.list[i].floor() < end {
			return s.brk
		}
		if s.Map(VMA{Addr: old, End: end, Prot: arch.Read | arch.Write, Name: "[heap]", Flags: MapFixedName}) != nil {
			return s.brk
		}
	}
	s.brk = addr
	return addr
}

// BrkRange is the heap's start and current end.
func (s *Space) BrkRange() (start, end uint64) { return s.brkStart, s.brk }

func pageUp(a uint64) uint64 { return (a + PageSize - 1) &^ (PageSize - 1) }

// span is how many bytes from addr on, up to n, are mapped with all of prot.
func (s *Space) span(addr, n uint64, prot arch.Prot) uint64 {
	end := addr + n
	if end < addr {
		end = ^uint64(0)
	}
	a := addr
	for i := s.list.at(a); a < end && i < len(s.list); i++ {
		v := s.list[i]
		if v.Addr > a || v.bare || usable(v.Prot)&prot != prot {
			break
		}
		a = v.End
	}
	return min(a, end) - addr
}

// usable widens a protection to what the page tables of Linux's architectures
// can express: writable or executable pages are readable.
func usable(p arch.Prot) arch.Prot {
	if p != 0 {
		p |= arch.Read
	}
	return p
}

// User is the host memory behind [addr,addr+n) for a system call that reads
// (prot Read) or writes (prot Write) it with the guest's own permissions: as
// many slices as the range needs, nearly always one. It returns what is
// accessible from addr on; if that is less than n, with EFAULT. A slice is
// valid until the next change of the address space.
func (s *Space) User(addr, n uint64, prot arch.Prot) ([][]byte, error) {
	got := s.span(addr, n, prot)
	var out [][]byte
	_ = pieces(addr, addr+got, func(a, e uint64) error {
		out = append(out, s.host.slice(a, e))
		return nil
	})
	if prot&arch.Write != 0 && got > 0 {
		s.regions.written(s, addr, addr+got)
	}
	if got < n {
		return out, unix.EFAULT
	}
	return out, nil
}

// CopyIn reads guest memory with the guest's own permissions, EFAULT if not
// all of it is readable.
func (s *Space) CopyIn(p []byte, addr uint64) error {
	if s.span(addr, uint64(len(p)), arch.Read) < uint64(len(p)) {
		return unix.EFAULT
	}
	_, err := s.access(p, addr, false)
	return err
}

// CopyOut writes guest memory with the guest's own permissions, EFAULT if not
// all of it is writable, in which case nothing is written.
func (s *Space) CopyOut(p []byte, addr uint64) error {
	if s.span(addr, uint64(len(p)), arch.Write) < uint64(len(p)) {
		return unix.EFAULT
	}
	_, err := s.access(p, addr, true)
	return err
}

// ReadAt reads guest memory whatever its protection, as ptrace(2) does. It
// returns EFAULT with the count of bytes that could be read.
func (s *Space) ReadAt(p []byte, addr uint64) (int, error) { return s.force(p, addr, false) }

// WriteAt writes guest memory whatever its protection, as ptrace(2) does;
// a private file mapping gets a page of its own. A shared mapping of a file
// that was opened read-only cannot be written: EFAULT.
func (s *Space) WriteAt(p []byte, addr uint64) (int, error) { return s.force(p, addr, true) }

func (s *Space) force(p []byte, addr uint64, write bool) (int, error) {
	n := 0
	for n < len(p) {
		a := addr + uint64(n)
		v := s.list.find(a)
		if v == nil || write && v.File != nil && v.Flags&MapShared != 0 && v.File.Max&arch.Write == 0 {
			return n, unix.EFAULT
		}
		if v.bare {
			if err := s.host.anon(v.Addr, v.End, false); err != nil {
				return n, fmt.Errorf("%w: %w", unix.ENOMEM, err)
			}
			v.bare = false
		}
		m := min(uint64(len(p)-n), v.End-a)
		got, err := s.access(p[n:n+int(m)], a, write)
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// errBus is a memory access of ours that met a page past the end of its file.
var errBus = errors.New("access past the end of a mapped file")

// access copies between p and guest memory that is known to be mapped. A file
// that was cut short under a mapping makes the host's access fail, which is
// EFAULT for the guest.
func (s *Space) access(p []byte, addr uint64, write bool) (n int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(interface{ Addr() uintptr }); !ok {
				panic(e)
			}
			err = fmt.Errorf("%w: %w", unix.EFAULT, errBus)
		}
	}()
	if write {
		s.regions.written(s, addr, addr+uint64(len(p)))
	}
	err = pieces(addr, addr+uint64(len(p)), func(a, e uint64) error {
		m := s.host.slice(a, e)
		if write {
			copy(m, p[n:])
		} else {
			copy(p[n:n+len(m)], m)
		}
		n += len(m)
		return nil
	})
	return n, err
}
