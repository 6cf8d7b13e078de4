package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// remap is a mremap(2) in progress.
type remap struct {
	addr, old, size uint64 // old and new size in whole pages
	to              uint64
	fixed, move     bool
	keep            bool // MREMAP_DONTUNMAP
}

func sysMremap(c *Ctx) (uint64, error) {
	addr, oldLen, newLen, flags, to := c.Addr(), c.Size(), c.Size(), c.Size(), c.Addr()
	r := remap{
		addr: addr, old: c.pages(oldLen), size: c.pages(newLen), to: to,
		fixed: flags&unix.MREMAP_FIXED != 0, move: flags&unix.MREMAP_MAYMOVE != 0, keep: flags&unix.MREMAP_DONTUNMAP != 0,
	}
	switch {
	case flags&^(unix.MREMAP_FIXED|unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP) != 0,
		r.fixed && !r.move,
		r.keep && (!r.move || r.old != r.size),
		addr&pageMask != 0,
		r.size == 0:
		return 0, unix.EINVAL
	}
	if c.Space().Find(addr) == nil || !c.inUser(addr, max(r.old, emu.PageSize)) {
		return 0, unix.EFAULT
	}
	if r.fixed || r.keep {
		return c.remapTo(r)
	}
	if r.old >= r.size {
		if r.old == r.size {
			return addr, nil
		}
		return addr, c.Space().Unmap(addr+r.size, r.old-r.size)
	}
	v, err := c.resizable(r)
	if err != nil {
		return 0, err
	}
	if r.old == v.End-addr && c.growInPlace(v, r) {
		return addr, nil
	}
	if !r.move {
		return 0, unix.ENOMEM
	}
	if r.to, err = c.Space().Gap(r.size, emu.PageSize); err != nil {
		return 0, err
	}
	return c.moveMapping(v, r)
}

// resizable checks that a mapping can get the new size (vma_to_resize).
func (c *Ctx) resizable(r remap) (*emu.VMA, error) {
	v := c.Space().Find(r.addr)
	switch {
	case v == nil:
		return nil, unix.EFAULT
	case r.old == 0 && v.Flags&emu.MapShared == 0:
		return nil, unix.EINVAL
	case r.old > v.End-r.addr:
		return nil, unix.EFAULT
	}
	if r.size > r.old {
		if err := c.room(r.size, r.old, v.Prot&arch.Write != 0 && v.Flags&emu.MapShared == 0); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// growInPlace adds what is missing at the end of a mapping, if it is free.
func (c *Ctx) growInPlace(v *emu.VMA, r remap) bool {
	end, more := v.End, r.size-r.old
	if !c.inUser(end, more) || !c.Space().Free(end, more) {
		return false
	}
	return c.Space().Map(after(v, end, more)) == nil
}

// after is a mapping of size bytes at addr that continues v past its end.
func after(v *emu.VMA, addr, size uint64) emu.VMA {
	w := *v
	if w.File != nil || w.Shm != 0 {
		w.Off += int64(v.Size())
	}
	w.Addr, w.End = addr, addr+size
	return w
}

// remapTo serves a mremap to a place of the caller's choice (mremap_to).
func (c *Ctx) remapTo(r remap) (uint64, error) {
	s := c.Space()
	if r.to&pageMask != 0 || !c.inUser(r.to, r.size) || r.addr < r.to+r.size && r.to < r.addr+r.old {
		return 0, unix.EINVAL
	}
	if r.fixed {
		if r.to < c.A.Start.MinAddr {
			return 0, unix.EPERM
		}
		if err := s.Unmap(r.to, r.size); err != nil {
			return 0, err
		}
	}
	if r.old > r.size {
		if err := s.Unmap(r.addr+r.size, r.old-r.size); err != nil {
			return 0, err
		}
		r.old = r.size
	}
	v, err := c.resizable(r)
	if err != nil {
		return 0, err
	}
	if !r.fixed {
		if r.to, err = s.Place(r.to, r.size); err != nil {
			return 0, err
		}
	}
	return c.moveMapping(v, r)
}

// moveMapping takes the old pages to r.to and adds what the new size has
// more. With an old size of 0 the pages are mapped there a second time.
func (c *Ctx) moveMapping(v *emu.VMA, r remap) (uint64, error) {
	s := c.Space()
	if r.old == 0 {
		return r.to, s.Copy(r.addr, r.to, min(r.size, v.End-r.addr))
	}
	w := *v
	if w.File != nil || w.Shm != 0 {
		w.Off += int64(r.addr - v.Addr)
	}
	w.Addr, w.End = r.addr, r.addr+r.old
	if w.Flags&emu.MapFixedName != 0 && w.Name == "[heap]" {
		w.Name, w.Flags = "", w.Flags&^emu.MapFixedName
	}
	// The new part first: it can fail, the move then leaves all as it was.
	if r.size > r.old {
		if err := s.Map(after(&w, r.to+r.old, r.size-r.old)); err != nil {
			return 0, err
		}
	}
	if err := s.Move(r.addr, r.to, r.old); err != nil {
		if r.size > r.old {
			_ = s.Unmap(r.to+r.old, r.size-r.old)
		}
		return 0, err
	}
	if r.keep {
		return r.to, s.Map(w)
	}
	return r.to, nil
}

func sysRemapFilePages(c *Ctx) (uint64, error) {
	addr, size, prot, page := c.Addr()&^pageMask, c.Size()&^pageMask, c.Size(), c.Size()
	if prot != 0 || size == 0 || c.A.Addr(addr+size) <= addr || c.A.Addr(page+size>>12) < page {
		return 0, unix.EINVAL
	}
	v := c.Space().Find(addr)
	if v == nil || v.Flags&emu.MapShared == 0 || v.File == nil || addr+size > v.End {
		return 0, unix.EINVAL
	}
	w := *v
	w.Addr, w.End, w.Off = addr, addr+size, int64(page<<12)
	// The old mapping may be the last that holds the file.
	w.File.Hold()
	defer w.File.Release()
	return 0, c.Space().Map(w)
}
