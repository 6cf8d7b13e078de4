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

func readahead(fd int, off int64, n uint64) error {
	if _, _, e := unix.Syscall(unix.SYS_READAHEAD, uintptr(fd), uintptr(off), uintptr(n)); e != 0 {
		return e
	}
	return nil
}

// hostIfconf is the host's SIOCGIFCONF for at most n interfaces: an array of
// struct ifreq.
func hostIfconf(fd, n int) ([]byte, error) {
	buf := make([]byte, n*ifreqSize)
	conf := struct {
		n   int32
		buf *byte
	}{int32(len(buf)), unsafe.SliceData(buf)}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFCONF, uintptr(unsafe.Pointer(&conf))); e != 0 {
		return nil, e
	}
	return buf[:conf.n], nil
}
