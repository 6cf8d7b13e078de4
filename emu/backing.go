package emu

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// DupBacking is NewBacking for a descriptor of the host that stays the
// caller's.
func DupBacking(fd int, path string, max arch.Prot) (*Backing, error) {
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, err
	}
	b := &Backing{File: os.NewFile(uintptr(fd), path), Path: path, Dev: st.Dev, Ino: st.Ino, Max: max}
	b.refs.Store(1)
	return b, nil
}

// Hold takes a reference for the caller, which Release gives back. It is false
// if there was none left: the backing is closed then. Any goroutine may call it.
func (b *Backing) Hold() bool {
	for {
		n := b.refs.Load()
		if n == 0 {
			return false
		}
		if b.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release gives a reference back; the last one closes the file.
func (b *Backing) Release() {
	if b.refs.Add(-1) == 0 {
		b.File.Close()
	}
}
