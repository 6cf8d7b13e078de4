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
	return &Backing{File: os.NewFile(uintptr(fd), path), Path: path, Dev: st.Dev, Ino: st.Ino, Max: max}, nil
}
