package emu

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Advise passes an advice of madvise(2) on to the host for the mapped parts
// of [addr,addr+size), both page-aligned; advices that change what is in the
// pages do so for the guest. The error is the host's first.
func (s *Space) Advise(addr, size uint64, advice int) error {
	discard := advice == unix.MADV_DONTNEED || advice == unix.MADV_DONTNEED_LOCKED || advice == unix.MADV_FREE
	return s.mapped(addr, size, func(m []byte, a, e uint64) error {
		s.regions.written(s, a, e)
		if discard {
			return s.host.discard(a, e, advice)
		}
		return unix.Madvise(m, advice)
	})
}

// Mark sets and clears flags of the mappings in [addr,addr+size), both
// page-aligned: MapDontFork, MapWipeOnFork, MapDontDump and MapLocked.
func (s *Space) Mark(addr, size uint64, set, clear MapFlags) {
	end := addr + size
	s.list.split(addr)
	s.list.split(end)
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		s.list[i].Flags = s.list[i].Flags&^clear | set
	}
	s.list.join(addr, end)
}

// Sync writes the shared file mappings of [addr,addr+size) back, as msync(2)
// does.
func (s *Space) Sync(addr, size uint64, flags int) error {
	return s.mapped(addr, size, func(m []byte, _, _ uint64) error { return unix.Msync(m, flags) })
}

// Resident tells of each page of [addr,addr+size) whether it is in memory, as
// mincore(2) does. Pages that are not mapped are not.
func (s *Space) Resident(addr, size uint64) ([]byte, error) {
	out := make([]byte, size/PageSize)
	err := s.mapped(addr, size, func(m []byte, a, _ uint64) error {
		_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)),
			uintptr(unsafe.Pointer(&out[(a-addr)/PageSize])))
		if e != 0 {
			return e
		}
		return nil
	})
	return out, err
}

// mapped calls f for the host memory of the mapped parts of [addr,addr+size),
// until it returns an error.
func (s *Space) mapped(addr, size uint64, f func(m []byte, addr, end uint64) error) error {
	end := addr + size
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		v := s.list[i]
		if v.bare {
			continue
		}
		err := pieces(max(v.Addr, addr), min(v.End, end), func(a, e uint64) error {
			return f(s.host.slice(a, e), a, e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Copy maps the pages of the shared mapping [from,from+size) a second time at
// the free range at to (mremap(2) with an old size of 0).
func (s *Space) Copy(from, to, size uint64) error {
	v := s.list.find(from)
	if v == nil || v.Flags&MapShared == 0 || from+size > v.End {
		return unix.EINVAL
	}
	w := *v
	w.Off += int64(from - v.Addr)
	w.Addr, w.End = to, to+size
	if w.File != nil || w.bare {
		return s.Map(w)
	}
	if from>>chunkBits != (from+size-1)>>chunkBits || to>>chunkBits != (to+size-1)>>chunkBits {
		return unix.ENOMEM
	}
	return s.Attach(w, func(dst unsafe.Pointer) error {
		src := unsafe.Pointer(&s.host.slice(from, from+size)[0])
		_, err := unix.MremapPtr(src, 0, dst, uintptr(size), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED)
		return err
	})
}

// Attach makes a mapping at exactly [v.Addr,v.End), which must be free, whose
// host memory f puts at the place it is given, replacing what is there. The
// range must lie within one chunk of host memory: ENOMEM if it does not.
func (s *Space) Attach(v VMA, f func(host unsafe.Pointer) error) error {
	if v.Addr>>chunkBits != (v.End-1)>>chunkBits {
		return unix.ENOMEM
	}
	v.bare = false
	if s.Limit != 0 && s.used+v.cost() > s.Limit {
		return unix.ENOMEM
	}
	if err := s.host.reserve(v.Addr, v.End); err != nil {
		return fmt.Errorf("%w: %w", unix.ENOMEM, err)
	}
	if err := f(unsafe.Pointer(&s.host.slice(v.Addr, v.End)[0])); err != nil {
		return err
	}
	s.used += v.cost()
	s.gen++
	s.noteShared(&v)
	s.list.insert(&v)
	s.regions.added(s, v.Addr, v.End, v.Prot)
	return nil
}

// Size is the sum of all mappings in bytes, and data the part that is private
// and writable, without stacks: what RLIMIT_AS and RLIMIT_DATA bound.
func (s *Space) Size() (total, data uint64) {
	for _, v := range s.list {
		total += v.Size()
		if v.Prot&arch.Write != 0 && v.Flags&(MapShared|MapGrowsDown) == 0 {
			data += v.Size()
		}
	}
	return total, data
}

// Place finds room for a mapping of size bytes as mmap(2) does without
// MAP_FIXED: at hint if that is free, else where Gap finds it.
func (s *Space) Place(hint, size uint64) (uint64, error) {
	st := &s.arch.Start
	if size == 0 || size > st.TaskSize {
		return 0, unix.ENOMEM
	}
	if hint = pageUp(hint); hint != 0 {
		hint = max(hint, st.MinAddr)
		if hint <= st.TaskSize-size {
			i := s.list.at(hint)
			if i == len(s.list) || s.list[i].floor() >= hint+size {
				return hint, nil
			}
		}
	}
	return s.Gap(size, PageSize)
}

// Below finds the highest room for size bytes that ends at or below end.
func (s *Space) Below(end, size uint64) (uint64, error) {
	lo := s.arch.Start.MinAddr
	for i := s.list.at(end - 1); ; i-- {
		hi := end
		if i < len(s.list) {
			hi = min(hi, s.list[i].floor())
		}
		prev := lo
		if i > 0 {
			prev = max(prev, s.list[i-1].End)
		}
		if hi >= prev && hi-prev >= size {
			return hi - size, nil
		}
		if i == 0 {
			return 0, unix.ENOMEM
		}
		end = min(end, s.list[i-1].floor())
	}
}
