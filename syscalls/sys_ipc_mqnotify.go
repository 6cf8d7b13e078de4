package syscalls

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// A notification of SIGEV_THREAD is a cookie of the user's, the last byte of
// which the kernel sets, that comes over a netlink socket (ipc/mqueue.c).
const (
	mqCookieLen  = 32
	mqWokenUp    = 1
	mqSocketType = unix.NETLINK_ROUTE
)

// hostSigevent is the host's struct sigevent.
type hostSigevent struct {
	value  unsafe.Pointer
	signo  int32
	notify int32
	_      [48]byte
}

func sysMqNotify(c *Ctx) (uint64, error) {
	fd, evp := c.Int(), c.Addr()
	var s *Struct
	if evp != 0 {
		var err error
		if s, err = c.LoadStruct("sigevent", evp); err != nil {
			return 0, err
		}
	}
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	if s == nil {
		return 0, mqNotify(f.Host, nil)
	}
	switch s.Int("sigev_notify") {
	case sigevNone:
		return 0, mqNotify(f.Host, &hostSigevent{notify: sigevNone})
	case sigevThread:
		// The library has a socket and a thread of its own.
		var cookie [mqCookieLen]byte
		if err := c.Space().CopyIn(cookie[:], c.A.Addr(s.Uint("sigev_value"))); err != nil {
			return 0, err
		}
		sock, err := c.file(int(s.Int("sigev_signo")))
		if err != nil {
			return 0, err
		}
		if sock.sock != nil {
			sock.sock.cookies = true
		}
		return 0, mqNotify(f.Host, &hostSigevent{value: unsafe.Pointer(&cookie[0]), signo: int32(sock.Host), notify: sigevThread})
	case sigevSignal:
		return 0, c.mqSignal(f, unix.Signal(s.Int("sigev_signo")), s.Uint("sigev_value"))
	}
	return 0, unix.EINVAL
}

func mqNotify(mq int, ev *hostSigevent) error {
	_, _, e := unix.Syscall(unix.SYS_MQ_NOTIFY, uintptr(mq), uintptr(unsafe.Pointer(ev)), 0)
	return asError(e)
}

// mqSignal asks for a signal: the host tells us, we the guest.
func (c *Ctx) mqSignal(f *File, no unix.Signal, value uint64) error {
	if no < 0 || no > nsig {
		return unix.EINVAL
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, mqSocketType)
	if err != nil {
		return err
	}
	sock := os.NewFile(uintptr(fd), "mq_notify")
	var cookie [mqCookieLen]byte
	if err := mqNotify(f.Host, &hostSigevent{value: unsafe.Pointer(&cookie[0]), signo: int32(fd), notify: sigevThread}); err != nil {
		_ = sock.Close() // nothing was written
		return err
	}
	p := c.P
	si := sigInfo{Signal: emu.Signal{No: no, Code: siMesgq, PID: p.P.PID, UID: p.leader.cred.uid.real, Value: value}}
	go func() {
		defer sock.Close()
		var b [mqCookieLen]byte
		// It comes when there is a message, or when the registration has gone,
		// which it does with the descriptor at the latest.
		if n, err := sock.Read(b[:]); err == nil && n == len(b) && b[mqCookieLen-1] == mqWokenUp && no != 0 {
			p.notify(p.leader, si)
		}
	}()
	return nil
}
