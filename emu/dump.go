package emu

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Dump calls f by rising address for the pages of [addr,addr+size), which is
// page-aligned, that may hold anything but zeros, several pages at a time:
// memory that the guest has mapped and never touched costs nothing, here or in
// the host. data is valid until f returns. Pages that are not there, past the
// end of a file, are left out. The error is f's first.
func (s *Space) Dump(addr, size uint64, f func(addr uint64, data []byte) error) error {
	buf := make([]byte, dumpMax)
	return s.each(addr, addr+size, func(v *VMA, a, e uint64) error {
		return s.content(v, a, e, func(a, e uint64) error {
			for a < e {
				n, err := s.dumpSome(buf[:min(e-a, dumpMax)], a, f)
				if err != nil {
					return err
				}
				a += n
			}
			return nil
		})
	})
}

// dumpMax is the most that Dump gives at once.
const dumpMax = 64 << 10

var zeroPage [PageSize]byte

// dumpSome gives f the pages at addr that fit into buf without those that are
// zero or cannot be read, and returns how many bytes it went on.
func (s *Space) dumpSome(buf []byte, addr uint64, f func(addr uint64, data []byte) error) (uint64, error) {
	if _, err := s.access(buf, addr, false); err != nil {
		// One of them is not there; which is found out page by page.
		buf = buf[:PageSize]
		if _, err := s.access(buf, addr, false); err != nil {
			return PageSize, nil
		}
	}
	run := 0 // start of the pages that are still to be given
	for i := 0; i <= len(buf); i += PageSize {
		if i < len(buf) && !bytes.Equal(buf[i:i+PageSize], zeroPage[:]) {
			continue
		}
		if run < i {
			if err := f(addr+uint64(run), buf[run:i]); err != nil {
				return 0, err
			}
		}
		run = i + PageSize
	}
	return uint64(len(buf)), nil
}

// Written tells whether [addr,addr+size) has pages that are the guest's alone
// because it touched them: of private anonymous memory, or copies of a file's.
// It is what the kernel knows by a mapping's anon_vma.
func (s *Space) Written(addr, size uint64) (bool, error) {
	found := false
	err := s.each(addr, addr+size, func(v *VMA, a, e uint64) error {
		if v.Flags&MapShared != 0 {
			return nil
		}
		return s.own(v, a, e, func(a, e uint64) error {
			found = true
			return errFound
		})
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

var errFound = errors.New("found")

// each calls f for the parts of mappings in [addr,end) that have memory.
func (s *Space) each(addr, end uint64, f func(v *VMA, addr, end uint64) error) error {
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		v := s.list[i]
		if v.bare {
			continue
		}
		if err := f(v, max(v.Addr, addr), min(v.End, end)); err != nil {
			return err
		}
	}
	return nil
}

// content calls f for the runs of pages of v in [addr,end) that may hold
// something.
func (s *Space) content(v *VMA, addr, end uint64, f func(addr, end uint64) error) error {
	switch {
	case v.File != nil:
		if end = min(end, v.fileEnd()); addr >= end {
			return nil
		}
		return pieces(addr, end, f)
	case v.Flags&MapShared != 0:
		return pieces(addr, end, f)
	}
	return s.own(v, addr, end, f)
}

// own calls f for the runs of pages of v, which is private, that are not a
// file's or fresh.
func (s *Space) own(v *VMA, addr, end uint64, f func(addr, end uint64) error) error {
	for _, x := range s.host.inside(addr, end) {
		if addr < x.addr {
			if err := s.host.written(addr, x.addr, f); err != nil {
				return err
			}
		}
		if err := s.host.touched(x, f); err != nil {
			return err
		}
		addr = x.end
	}
	if addr == end {
		return nil
	}
	return s.host.written(addr, end, f)
}

// touched calls f for the runs of pages of x that hold something: the memory
// file's, and where it is mapped privately those written since the fork.
func (h *host) touched(x extent, f func(addr, end uint64) error) error {
	if x.shared {
		return x.data(f)
	}
	var runs [][2]uint64
	add := func(a, e uint64) error {
		runs = append(runs, [2]uint64{a, e})
		return nil
	}
	if err := x.data(add); err != nil {
		return err
	}
	if err := h.written(x.addr, x.end, add); err != nil {
		return err
	}
	slices.SortFunc(runs, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
	at := x.addr
	for _, r := range runs {
		if r[0] = max(r[0], at); r[0] >= r[1] {
			continue
		}
		if err := f(r[0], r[1]); err != nil {
			return err
		}
		at = r[1]
	}
	return nil
}

// data calls f for the runs of pages that the memory file of x has.
func (x *extent) data(f func(addr, end uint64) error) error {
	last := x.off + int64(x.end-x.addr)
	for off := x.off; off < last; {
		from, err := unix.Seek(x.file.fd, off, unix.SEEK_DATA)
		if err == unix.ENXIO || err == nil && from >= last {
			return nil
		}
		if err != nil {
			return err
		}
		to, err := unix.Seek(x.file.fd, from, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		off = min(to, last)
		at := func(o int64) uint64 { return x.addr + uint64(o-x.off) }
		if err := pieces(at(from), at(off), f); err != nil {
			return err
		}
	}
	return nil
}

// With calls f with the registers of another task of t's process in the CPU,
// which f may read. It is for the goroutine of t, in its turn.
func (t *Task) With(other *Task, f func(c *CPU) error) error {
	p := t.Proc
	if err := p.switchTo(other); err != nil {
		return err
	}
	err := f(p.cpu)
	if e := p.switchTo(t); err == nil {
		err = e
	}
	return err
}
