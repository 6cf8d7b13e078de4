package emu

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// chunkBits is the size of the pieces in which host address space is reserved
// for a guest. A piece is big enough for the whole of a 32-bit guest, and a
// 64-bit process touches only a few of them.
const (
	chunkBits = 34
	chunkSize = 1 << chunkBits

	// maxChunks bounds what one guest takes of the host's address space, which
	// utemu itself lives in too: half of 47 bits.
	maxChunks = 1 << (46 - chunkBits)
)

// host is the memory of the host that stands behind a guest address space.
// Within a chunk the distance between guest and host addresses is constant,
// so memory that is contiguous for the guest is contiguous for the host.
type host struct {
	chunks map[uint64]unsafe.Pointer
	key    uint64 // of last
	last   unsafe.Pointer

	extents []extent
	own     *memFile // where new extents come from; nil before the first
	plain   uint64   // how much private memory was mapped that is in none
}

// chunk returns the reservation that holds addr, nil if there is none yet.
func (h *host) chunk(addr uint64) unsafe.Pointer {
	k := addr >> chunkBits
	if h.last != nil && h.key == k {
		return h.last
	}
	p := h.chunks[k]
	if p != nil {
		h.key, h.last = k, p
	}
	return p
}

// reserve makes sure that the chunks of [addr,end) exist.
func (h *host) reserve(addr, end uint64) error {
	n := (end-1)>>chunkBits - addr>>chunkBits + 1
	if n > 1 && uint64(len(h.chunks))+n > maxChunks || len(h.chunks) > maxChunks {
		return fmt.Errorf("emu: no host memory for %#x bytes at guest address %#x: %w", end-addr, addr, unix.ENOMEM)
	}
	for k := addr >> chunkBits; k <= (end-1)>>chunkBits; k++ {
		if h.chunks[k] != nil {
			continue
		}
		p, err := unix.MmapPtr(-1, 0, nil, chunkSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
		if err != nil {
			return fmt.Errorf("emu: reserving host memory for guest address %#x: %w", k<<chunkBits, err)
		}
		if h.chunks == nil {
			h.chunks = map[uint64]unsafe.Pointer{}
		}
		h.chunks[k] = p
	}
	return nil
}

// pieces calls f for the parts of [addr,end) that lie in one chunk each.
func pieces(addr, end uint64, f func(addr, end uint64) error) error {
	for addr < end {
		e := min(end, (addr>>chunkBits+1)<<chunkBits)
		if err := f(addr, e); err != nil {
			return err
		}
		addr = e
	}
	return nil
}

// slice is the host memory behind [addr,end), which must lie in one chunk
// that exists. Pages the guest has not mapped are not accessible in it.
//
// The slice is built from memory that unix.MmapPtr returned and that stays
// reserved until release, so it never dangles while the space lives.
func (h *host) slice(addr, end uint64) []byte {
	p := h.chunk(addr)
	return unsafe.Slice((*byte)(unsafe.Add(p, addr&(chunkSize-1))), end-addr)
}

// mmap maps [addr,end) anew and gives back what was there.
func (h *host) mmap(addr, end uint64, prot, flags, fd int, off int64) error {
	if err := h.reserve(addr, end); err != nil {
		return err
	}
	if err := h.raw(addr, end, prot, flags, fd, off); err != nil {
		return err
	}
	h.forget(addr, end)
	return nil
}

// raw is mmap where the chunks exist and what is there is known.
func (h *host) raw(addr, end uint64, prot, flags, fd int, off int64) error {
	return pieces(addr, end, func(a, e uint64) error {
		p := unsafe.Add(h.chunk(a), a&(chunkSize-1))
		_, err := unix.MmapPtr(fd, off+int64(a-addr), p, uintptr(e-a), prot, flags|unix.MAP_FIXED)
		return err
	})
}

// anon puts zero pages at [addr,end).
func (h *host) anon(addr, end uint64, shared bool) error {
	flags := unix.MAP_ANON | unix.MAP_PRIVATE | unix.MAP_NORESERVE
	if shared {
		flags = unix.MAP_ANON | unix.MAP_SHARED | unix.MAP_NORESERVE
	} else if done, err := h.memory(addr, end); done {
		return err
	}
	return h.mmap(addr, end, unix.PROT_READ|unix.PROT_WRITE, flags, -1, 0)
}

// file puts a file at [addr,end). Private pages are always writable for the
// host, so that breakpoints can be put into read-only code.
func (h *host) file(addr, end uint64, b *Backing, off int64, shared bool) error {
	if !shared {
		return h.mmap(addr, end, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_NORESERVE, int(b.File.Fd()), off)
	}
	prot := unix.PROT_READ
	if b.Max&arch.Write != 0 {
		prot |= unix.PROT_WRITE
	}
	return h.mmap(addr, end, prot, unix.MAP_SHARED, int(b.File.Fd()), off)
}

// drop gives the memory of [addr,end) back and leaves the reservation.
func (h *host) drop(addr, end uint64) error {
	return pieces(addr, end, func(a, e uint64) error {
		if h.chunk(a) == nil {
			return nil
		}
		return h.mmap(a, e, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE, -1, 0)
	})
}

// move puts the pages of [from,from+size) at to, whose place must be reserved
// or free to reserve, and leaves nothing behind.
func (h *host) move(from, to, size uint64) error {
	if err := h.reserve(to, to+size); err != nil {
		return err
	}
	moved, by := h.takeExtents(from, from+size), to-from
	for size > 0 {
		n := min(size, chunkSize-from&(chunkSize-1), chunkSize-to&(chunkSize-1))
		src := unsafe.Add(h.chunk(from), from&(chunkSize-1))
		dst := unsafe.Add(h.chunk(to), to&(chunkSize-1))
		// Without MREMAP_DONTUNMAP the source would be a hole in the
		// reservation for a moment, which another mapping of this process
		// could take; old kernels know it for private anonymous memory only.
		flags := unix.MREMAP_MAYMOVE | unix.MREMAP_FIXED
		if _, err := unix.MremapPtr(src, uintptr(n), dst, uintptr(n), flags|unix.MREMAP_DONTUNMAP); err != nil {
			if _, err := unix.MremapPtr(src, uintptr(n), dst, uintptr(n), flags); err != nil {
				return err
			}
		}
		if err := h.drop(from, from+n); err != nil {
			return err
		}
		from, to, size = from+n, to+n, size-n
	}
	for _, x := range moved {
		x.addr, x.end = x.addr+by, x.end+by
		h.extents = append(h.extents, x)
	}
	return nil
}

// release gives everything back.
func (h *host) release() error {
	var first error
	for k, p := range h.chunks {
		if err := unix.MunmapPtr(p, chunkSize); err != nil && first == nil {
			first = err
		}
		delete(h.chunks, k)
	}
	h.last = nil
	for _, x := range h.extents {
		x.file.unref()
	}
	h.extents = nil
	if h.own != nil {
		h.own.unref()
		h.own = nil
	}
	return first
}
