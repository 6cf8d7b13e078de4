package oracle

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"

	"github.com/utemu/utemu/emu"
)

// The kernel of this machine knows nothing of a sysroot. What is under it has
// to be named to it by the paths that it knows.

// lookups has a call of the oracle look files up where the emulator's does.
// Their names are put into a page of the program's that holds its headers, which
// nobody needs for the time of a call; restore puts back what was there.
func (s *session) lookups(c call, args [6]uint64, own func(n int, v uint64)) (restore func() error, err error) {
	nothing := func() error { return nil }
	if s.cfg.HostPath == nil || s.p.Qemu() { // which has its own -L
		return nothing, nil
	}
	for _, n := range c.paths {
		name, err := stringAt(s.p, args[n])
		if err != nil || !filepath.IsAbs(name) {
			continue // the call finds the same
		}
		host := s.cfg.HostPath(name)
		if host == name || len(host) >= emu.PageSize {
			continue
		}
		was := make([]byte, len(host)+1)
		if _, err := s.p.ReadAt(was, s.room); err != nil {
			return nil, err
		}
		if _, err := s.p.WriteAt(append([]byte(host), 0), s.room); err != nil {
			return nil, err
		}
		own(n, s.room)
		return func() error {
			_, err := s.p.WriteAt(was, s.room)
			return err
		}, nil
	}
	return nothing, nil
}

// stringAt reads a path, to its NUL.
func stringAt(p Process, at uint64) (string, error) {
	var b []byte
	for len(b) < emu.PageSize {
		piece := make([]byte, 64-at%64) // within a page
		if _, err := p.ReadAt(piece, at); err != nil {
			return "", err
		}
		if k := bytes.IndexByte(piece, 0); k >= 0 {
			return string(append(b, piece[:k]...)), nil
		}
		b = append(b, piece...)
		at += uint64(len(piece))
	}
	return "", errors.New("not a path")
}

// linked is a program whose headers name another dynamic linker than its own.
type linked struct {
	path   string // of the copy
	index  int    // of the program header
	header []byte // as the program has it
}

// link makes a copy of a program in dir whose dynamic linker is the one under
// the sysroot. It returns nil for a program that has none, or there.
func link(p Program, dir string) (*linked, error) {
	b, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, nil // the kernel may know it
	}
	for k, ph := range f.Progs {
		if ph.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, ph.Filesz)
		if _, err := ph.ReadAt(name, 0); err != nil {
			return nil, err
		}
		own := string(bytes.TrimRight(name, "\x00"))
		host := p.HostPath(own)
		if host == own {
			return nil, nil
		}
		l := &linked{path: filepath.Join(dir, filepath.Base(p.Path)), index: k}
		b = l.rename(b, f, host)
		return l, os.WriteFile(l.path, b, 0o700)
	}
	return nil, nil
}

// rename appends the name of the dynamic linker to a program, and has its header
// lead there. What the program sees of that is put right by restore.
func (l *linked) rename(b []byte, f *elf.File, host string) []byte {
	at, size := uint64(len(b)), uint64(len(host)+1)
	var h []byte
	if f.Class == elf.ELFCLASS64 {
		h = b[f.ByteOrder.Uint64(b[32:])+uint64(l.index*56):][:56]
		l.header = bytes.Clone(h)
		f.ByteOrder.PutUint64(h[8:], at)
		f.ByteOrder.PutUint64(h[32:], size)
	} else {
		h = b[f.ByteOrder.Uint32(b[28:])+uint32(l.index*32):][:32]
		l.header = bytes.Clone(h)
		f.ByteOrder.PutUint32(h[4:], uint32(at))
		f.ByteOrder.PutUint32(h[16:], uint32(size))
	}
	return append(append(b, host...), 0)
}

// restore puts the program's own header into memory.
func (l *linked) restore(p Process, a []entry) error {
	_, err := p.WriteAt(l.header, find(a, atPhdr)+uint64(l.index*len(l.header)))
	return err
}
