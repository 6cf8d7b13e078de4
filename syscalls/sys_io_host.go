package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fcntlPtr is fcntl(2) with a pointer to a 64-bit number.
func fcntlPtr(fd, cmd int, v *uint64) error {
	if _, _, e := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(v))); e != 0 {
		return e
	}
	return nil
}

// ioctlBytes is ioctl(2) with a pointer to a structure in the host's layout.
func ioctlBytes(fd int, cmd uint64, b []byte) (uint64, error) {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	if e != 0 {
		return 0, e
	}
	return uint64(r), nil
}

// ioctlValue is ioctl(2) with a number, or with no argument.
func ioctlValue(fd int, cmd, v uint64) (uint64, error) {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(v))
	if e != 0 {
		return 0, e
	}
	return uint64(r), nil
}

// ustat is what ustat(2) tells.
type ustat struct {
	tfree  int32
	_      int32
	tinode uint64
	_      [16]byte
}

func hostUstat(dev uint32) (ustat, error) {
	var st ustat
	if _, _, e := unix.Syscall(unix.SYS_USTAT, uintptr(dev), uintptr(unsafe.Pointer(&st)), 0); e != 0 {
		return st, e
	}
	return st, nil
}

// socketCall makes one of the host's socket calls that take a descriptor and a
// message or buffers of bytes.
func socketCall(nr uintptr, a ...uintptr) (int, error) {
	var w [6]uintptr
	copy(w[:], a)
	r, _, e := unix.Syscall6(nr, w[0], w[1], w[2], w[3], w[4], w[5])
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}
