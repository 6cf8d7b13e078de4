package emu

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A guest's private memory is plain memory of the host as long as there is
// little of it. From plainMax on it comes from a memory file
// (memfd_create(2)), of which a fork maps the same pages privately in both
// processes: the host then copies on write, and a fork costs no copy of what
// is there. Plain pages that were written are copied by a fork.
const plainMax = 16 << 20

// memFile is a memory file with private pages of guests. Each range of it
// belongs to the pages of one address space at first, and to all that come
// from its forks later.
type memFile struct {
	fd   int
	next int64        // where the next range is taken from
	refs atomic.Int32 // address spaces that have pages in it, or take from it
}

// memFiles are all of this process, so that their memory can be told.
var memFiles struct {
	sync.Mutex
	m map[*memFile]bool
}

// memFileSize is the size of the sparse files, of which every range is used
// once: a petabyte is more than a guest can go through.
const memFileSize = 1 << 50

func newMemFile() (*memFile, error) {
	fd, err := unix.MemfdCreate("utemu-guest", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.Ftruncate(fd, memFileSize); err != nil {
		unix.Close(fd)
		return nil, err
	}
	f := &memFile{fd: fd}
	f.refs.Store(1)
	memFiles.Lock()
	defer memFiles.Unlock()
	if memFiles.m == nil {
		memFiles.m = map[*memFile]bool{}
	}
	memFiles.m[f] = true
	return f, nil
}

func (f *memFile) unref() {
	if f.refs.Add(-1) > 0 {
		return
	}
	memFiles.Lock()
	defer memFiles.Unlock()
	delete(memFiles.m, f)
	unix.Close(f.fd)
}

// MemoryFiles is how much memory of the host the private pages of all guests
// take that lie in memory files, in bytes. Any goroutine may call it.
func MemoryFiles() uint64 {
	memFiles.Lock()
	defer memFiles.Unlock()
	var sum uint64
	for f := range memFiles.m {
		var st unix.Stat_t
		if unix.Fstat(f.fd, &st) == nil {
			sum += uint64(st.Blocks) * 512
		}
	}
	return sum
}

// extent is a run of guest pages that lie in a memory file.
type extent struct {
	addr, end uint64
	file      *memFile
	off       int64
	// shared: no other address space has these pages, and they are mapped
	// shared. Otherwise they are mapped privately, and pages that were written
	// since the fork are the host's own.
	shared bool
}

// takeExtents takes the extents in [addr,end) out of the host memory's list,
// splitting those that stick out. The references to their files go along.
func (h *host) takeExtents(addr, end uint64) (out []extent) {
	var keep []extent
	for _, x := range h.extents {
		if x.end <= addr || x.addr >= end {
			keep = append(keep, x)
			continue
		}
		if x.addr < addr {
			keep = append(keep, x.part(x.addr, addr))
			x.file.refs.Add(1)
		}
		if x.end > end {
			keep = append(keep, x.part(end, x.end))
			x.file.refs.Add(1)
		}
		out = append(out, x.part(max(x.addr, addr), min(x.end, end)))
	}
	if len(out) > 0 {
		h.extents = keep
	}
	return out
}

// part is the part of an extent in [addr,end).
func (x extent) part(addr, end uint64) extent {
	x.off += int64(addr - x.addr)
	x.addr, x.end = addr, end
	return x
}

// forget gives the pages of extents in [addr,end) back, whose place is about
// to be taken by something else.
func (h *host) forget(addr, end uint64) {
	for _, x := range h.takeExtents(addr, end) {
		if x.shared {
			// What cannot be given back is kept until the file goes.
			_ = unix.Fallocate(x.file.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, x.off, int64(x.end-x.addr))
		}
		x.file.unref()
	}
}

// memory puts zero pages of a memory file at [addr,end). It reports false if
// they are to be plain ones: there is little memory so far, or the host has no
// memory files for us.
func (h *host) memory(addr, end uint64) (bool, error) {
	size := end - addr
	if h.plain+size <= plainMax {
		h.plain += size
		return false, nil
	}
	f, off, ok := h.take(size)
	if !ok {
		return false, nil
	}
	if err := h.mmap(addr, end, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE, f.fd, off); err != nil {
		return true, err
	}
	h.addExtent(extent{addr, end, f, off, true})
	return true, nil
}

// discard makes [addr,end) zero, or what the file has, as the advice says.
func (h *host) discard(addr, end uint64, advice int) error {
	for _, x := range h.inside(addr, end) {
		if addr < x.addr {
			if err := unix.Madvise(h.slice(addr, x.addr), advice); err != nil {
				return err
			}
		}
		// The host would bring back what the pages were at a fork.
		if err := h.anon(x.addr, x.end, false); err != nil {
			return err
		}
		addr = x.end
	}
	if addr == end {
		return nil
	}
	return unix.Madvise(h.slice(addr, end), advice)
}

// take takes a range of the memory file that is the address space's own.
func (h *host) take(size uint64) (f *memFile, off int64, ok bool) {
	if h.own == nil {
		f, err := newMemFile()
		if err != nil {
			return nil, 0, false
		}
		h.own = f
	}
	f = h.own
	if size > uint64(memFileSize-f.next) {
		return nil, 0, false
	}
	off = f.next
	f.next += int64(size)
	return f, off, true
}

// addExtent adds an extent, which takes a reference to its file.
func (h *host) addExtent(x extent) {
	x.file.refs.Add(1)
	h.extents = append(h.extents, x)
}

// freeze maps the shared extents in [addr,end) privately from now on: their
// pages in the file are not written any more.
func (h *host) freeze(addr, end uint64) error {
	for i := range h.extents {
		x := &h.extents[i]
		if !x.shared || x.end <= addr || x.addr >= end {
			continue
		}
		// The whole extent: pages of it that lie outside are frozen early.
		if err := h.place(*x); err != nil {
			return err
		}
		x.shared = false
	}
	return nil
}

// place maps the pages of an extent in the file privately.
func (h *host) place(x extent) error {
	return h.raw(x.addr, x.end, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_NORESERVE, x.file.fd, x.off)
}

func sortExtents(l []extent) {
	slices.SortFunc(l, func(a, b extent) int { return cmp.Compare(a.addr, b.addr) })
}
