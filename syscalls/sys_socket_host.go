package syscalls

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostOrder is the byte order of what the host's kernel takes and gives.
var hostOrder = binary.NativeEndian

// bytesPtr is the address of b for a system call of the host.
func bytesPtr(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func hostBind(fd int, sa []byte) error {
	if _, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(bytesPtr(sa)), uintptr(len(sa))); e != 0 {
		return e
	}
	return nil
}

func hostConnect(fd int, sa []byte) error {
	if _, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(bytesPtr(sa)), uintptr(len(sa))); e != 0 {
		return e
	}
	return nil
}

func hostAccept(fd int, sa []byte, flags int) (nfd, n int, err error) {
	l := uint32(len(sa))
	r, _, e := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(bytesPtr(sa)), uintptr(unsafe.Pointer(&l)), uintptr(flags), 0, 0)
	if e != 0 {
		return -1, 0, e
	}
	return int(r), int(l), nil
}

func hostGetsockname(fd int, sa []byte) (int, error) {
	l := uint32(len(sa))
	if _, _, e := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(bytesPtr(sa)), uintptr(unsafe.Pointer(&l))); e != 0 {
		return 0, e
	}
	return int(l), nil
}

func hostGetpeername(fd int, sa []byte) (int, error) {
	l := uint32(len(sa))
	if _, _, e := unix.Syscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(bytesPtr(sa)), uintptr(unsafe.Pointer(&l))); e != 0 {
		return 0, e
	}
	return int(l), nil
}

func hostSetsockopt(fd, level, opt int, v []byte) error {
	if _, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(bytesPtr(v)), uintptr(len(v)), 0); e != 0 {
		return e
	}
	return nil
}

func hostGetsockopt(fd, level, opt int, v []byte) (int, error) {
	l := uint32(len(v))
	if _, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(bytesPtr(v)), uintptr(unsafe.Pointer(&l)), 0); e != 0 {
		return 0, e
	}
	return int(l), nil
}

// hostMsg is a message in the host's form.
type hostMsg struct {
	name    []byte
	data    [][]byte
	control []byte
	flags   int // of a received message

	hdr unix.Msghdr
	iov []unix.Iovec
}

func (m *hostMsg) header() *unix.Msghdr {
	m.hdr = unix.Msghdr{}
	m.iov = m.iov[:0]
	for _, b := range m.data {
		v := unix.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		m.iov = append(m.iov, v)
	}
	if len(m.iov) > 0 {
		m.hdr.Iov = &m.iov[0]
		m.hdr.SetIovlen(len(m.iov))
	}
	if len(m.name) > 0 {
		m.hdr.Name, m.hdr.Namelen = unsafe.SliceData(m.name), uint32(len(m.name))
	}
	if len(m.control) > 0 {
		m.hdr.Control = unsafe.SliceData(m.control)
		m.hdr.SetControllen(len(m.control))
	}
	return &m.hdr
}

func (m *hostMsg) send(fd, flags int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m.header())), uintptr(flags))
	if e != 0 {
		return 0, e
	}
	return int(r), nil
}

// recv receives into m, whose name and control are cut to what came; nameLen
// is how long the address really is.
func (m *hostMsg) recv(fd, flags int) (n, nameLen int, err error) {
	h := m.header()
	r, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(flags))
	if e != 0 {
		return 0, 0, e
	}
	nameLen = int(h.Namelen)
	m.name = m.name[:min(len(m.name), nameLen)]
	m.control = m.control[:min(len(m.control), int(h.Controllen))]
	m.flags = int(h.Flags)
	return int(r), nameLen, nil
}
