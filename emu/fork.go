package emu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fork makes a copy of the address space, as fork(2) does of a process's:
// private memory is copied when one of the two writes it, shared mappings
// stay shared, mappings marked MapDontFork are left out and those marked
// MapWipeOnFork are zero in the copy. Nobody may use the space meanwhile. The
// error is a host's failure that wraps a unix.Errno.
func (s *Space) Fork() (*Space, error) {
	c := &Space{arch: s.arch, brkStart: s.brkStart, brk: s.brk, Limit: s.Limit}
	for _, v := range s.list {
		if v.Flags&MapDontFork != 0 {
			continue
		}
		w := *v
		w.Flags &^= MapLocked
		if err := s.forkMapping(c, &w); err != nil {
			_ = c.Release() // the first error counts
			return nil, fmt.Errorf("emu: fork: mapping %#x-%#x: %w", v.Addr, v.End, err)
		}
		if w.File != nil {
			w.File.refs.Add(1)
		}
		if v.Flags&MapShared != 0 && v.File == nil {
			s.shared = true
		}
		c.used += w.cost()
		c.list = append(c.list, &w)
	}
	c.shared, c.codeShared = s.shared, s.codeShared
	return c, nil
}

// Fork makes a process without tasks that is a copy of p: its memory as
// Space.Fork copies it, and its CPU with the registers of the task whose turn
// it is. Nobody may run p meanwhile. The error is a host's failure that wraps
// a unix.Errno.
func (p *Process) Fork(pid int) (*Process, error) {
	s, err := p.Space.Fork()
	if err != nil {
		return nil, err
	}
	cpu, err := newCPU(p.Arch, p.Model, s, p.cpu.opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", unix.ENOMEM, err), s.Release())
	}
	q := newProcess(pid, p.Arch, p.Model, s, cpu)
	q.caps = p.caps
	if err := cpu.copy(p.cpu); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// copy makes c, a CPU that has not run, what from is.
func (c *CPU) copy(from *CPU) error {
	from.flush()
	st, err := from.eng.State()
	if err != nil {
		return fmt.Errorf("emu: fork: CPU state: %w", err)
	}
	fresh, err := c.eng.State()
	if err != nil {
		return fmt.Errorf("emu: fork: CPU state: %w", err)
	}
	own, err := c.ownWords(fresh)
	if err != nil {
		return err
	}
	for _, i := range own {
		copy(st[i:i+8], fresh[i:i+8])
	}
	if err := c.eng.SetState(st); err != nil {
		return fmt.Errorf("emu: fork: CPU state: %w", err)
	}
	copy(c.soft, from.soft)
	for a, m := range from.bare.placed {
		copy(c.bare.placed[a], m)
	}
	c.forget()
	return nil
}

// ownWordsOf are by CPU model the places in a saved state of words that are
// the engine's own: pointers to what it has allocated.
var ownWordsOf sync.Map // *arch.Model -> []int

// ownWords finds them: the words that differ in two engines that have not run.
// fresh is the state of c, which has not.
func (c *CPU) ownWords(fresh []byte) ([]int, error) {
	if w, ok := ownWordsOf.Load(c.model); ok {
		return w.([]int), nil
	}
	other, err := newCPU(c.arch, c.model, NewSpace(c.arch), c.opts)
	if err != nil {
		return nil, err
	}
	st, err := other.eng.State()
	if err := errors.Join(err, other.close()); err != nil {
		return nil, fmt.Errorf("emu: fork: CPU state: %w", err)
	}
	var own []int
	for i := 0; i+8 <= len(fresh); i += 8 {
		if [8]byte(fresh[i:]) != [8]byte(st[i:]) {
			own = append(own, i)
		}
	}
	ownWordsOf.Store(c.model, own)
	return own, nil
}

// forkMapping puts host memory behind v, a mapping of the copy c.
func (s *Space) forkMapping(c *Space, v *VMA) error {
	switch {
	case v.bare:
		return nil
	case v.Flags&MapShared != 0 && v.File != nil:
		return c.back(v)
	case v.Flags&MapShared != 0:
		return s.shareHost(c, v)
	case v.Flags&MapWipeOnFork != 0:
		return c.host.anon(v.Addr, v.End, false)
	}
	if err := s.host.freeze(v.Addr, v.End); err != nil {
		return err
	}
	at := v.Addr
	for _, x := range s.host.inside(v.Addr, v.End) {
		if err := s.copyPlain(c, v, at, x.addr); err != nil {
			return err
		}
		if err := s.copyExtent(c, x); err != nil {
			return err
		}
		at = x.end
	}
	return s.copyPlain(c, v, at, v.End)
}

// shareHost maps the host's own shared memory behind v a second time.
func (s *Space) shareHost(c *Space, v *VMA) error {
	if err := c.host.reserve(v.Addr, v.End); err != nil {
		return err
	}
	return pieces(v.Addr, v.End, func(a, e uint64) error {
		src, dst := s.host.slice(a, e), c.host.slice(a, e)
		_, err := unix.MremapPtr(unsafe.Pointer(&src[0]), 0, unsafe.Pointer(&dst[0]), uintptr(e-a), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED)
		return err
	})
}

// copyPlain copies private pages that are not in a memory file: those that
// were written.
func (s *Space) copyPlain(c *Space, v *VMA, addr, end uint64) error {
	if addr >= end {
		return nil
	}
	var err error
	if v.File != nil {
		err = c.host.file(addr, end, v.File, v.Off+int64(addr-v.Addr), false)
	} else {
		err = c.host.anon(addr, end, false)
	}
	if err != nil {
		return err
	}
	return s.host.written(addr, end, func(a, e uint64) error {
		copy(c.host.slice(a, e), s.host.slice(a, e))
		return nil
	})
}

// moveRun is how much written memory of a frozen extent is put into the
// memory file anew, so that the next fork need not copy it again.
const moveRun = 1 << 20

// copyExtent gives the copy the pages of a frozen extent, and a copy of those
// that were written since.
func (s *Space) copyExtent(c *Space, x extent) error {
	if err := c.host.reserve(x.addr, x.end); err != nil {
		return err
	}
	if err := c.host.place(x); err != nil {
		return err
	}
	c.host.addExtent(x)
	var long []extent
	err := s.host.written(x.addr, x.end, func(a, e uint64) error {
		if e-a < moveRun {
			copy(c.host.slice(a, e), s.host.slice(a, e))
		} else {
			long = append(long, extent{addr: a, end: e})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range long {
		if err := s.moveWritten(c, r.addr, r.end); err != nil {
			return err
		}
	}
	return nil
}

// moveWritten puts pages into the memory file, frozen for both.
func (s *Space) moveWritten(c *Space, addr, end uint64) error {
	f, off, ok := s.host.take(end - addr)
	if !ok {
		copy(c.host.slice(addr, end), s.host.slice(addr, end))
		return nil
	}
	x := extent{addr: addr, end: end, file: f, off: off}
	for m := s.host.slice(addr, end); len(m) > 0; {
		n, err := unix.Pwrite(f.fd, m, off)
		if err != nil {
			return err
		}
		m, off = m[n:], off+int64(n)
	}
	for _, h := range []*host{&s.host, &c.host} {
		h.forget(addr, end)
		if err := h.place(x); err != nil {
			return err
		}
		h.addExtent(x)
	}
	return nil
}

// inside are the parts of extents in [addr,end), by address.
func (h *host) inside(addr, end uint64) []extent {
	var out []extent
	for _, x := range h.extents {
		if a, e := max(x.addr, addr), min(x.end, end); a < e {
			out = append(out, x.part(a, e))
		}
	}
	sortExtents(out)
	return out
}

// Bits of /proc/PID/pagemap (admin-guide/mm/pagemap.rst).
const (
	pmPresent = 1 << 63
	pmSwapped = 1 << 62
	pmFile    = 1 << 61 // of a file or of shared memory
)

var pagemap = sync.OnceValues(func() (*os.File, error) { return os.Open("/proc/self/pagemap") })

// written calls f for each run of pages in [addr,end), which is mapped
// privately, that are not the file's, or not zero.
func (h *host) written(addr, end uint64, f func(addr, end uint64) error) error {
	pm, err := pagemap()
	if err != nil {
		// Without it all pages count.
		return pieces(addr, end, f)
	}
	return pieces(addr, end, func(addr, end uint64) error {
		host := uint64(uintptr(unsafe.Pointer(&h.slice(addr, end)[0])))
		buf := make([]byte, 8*min((end-addr)/PageSize, 1<<16))
		run := addr // start of the run that is under way; run == a without one
		for a := addr; a < end; {
			b := buf[:min(uint64(len(buf)), (end-a)/PageSize*8)]
			if _, err := pm.ReadAt(b, int64((host+a-addr)/PageSize*8)); err != nil {
				return fmt.Errorf("pagemap: %w", err)
			}
			for ; len(b) > 0; b = b[8:] {
				e := binary.NativeEndian.Uint64(b)
				if e&pmSwapped == 0 && (e&pmPresent == 0 || e&pmFile != 0) {
					if run < a {
						if err := f(run, a); err != nil {
							return err
						}
					}
					run = a + PageSize
				}
				a += PageSize
			}
		}
		if run < end {
			return f(run, end)
		}
		return nil
	})
}
