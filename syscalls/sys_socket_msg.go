package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// msgInternal are flags that only the kernel may set (MSG_CMSG_COMPAT).
const msgInternal = 0x80000000

// send sends data of the guest on a socket.
func (c *Ctx) send(f *File, m *hostMsg, flags uint32) (uint64, error) {
	if flags&msgInternal != 0 {
		return 0, unix.EINVAL
	}
	if f.sock.turned(c) {
		m.data = [][]byte{turnNetlink(flat(m.data, maxNetlink), false)}
	}
	n, err := c.sendAll(f, m, int(flags|unix.MSG_NOSIGNAL))
	if err == unix.EPIPE && flags&unix.MSG_NOSIGNAL == 0 {
		c.raise(unix.SIGPIPE)
	}
	return uint64(n), err
}

// sendAll makes the host's call; in a schedule it is made for as much as there
// is room for, until all is sent.
func (c *Ctx) sendAll(f *File, m *hostMsg, flags int) (done int, err error) {
	if c.T.Schedule() == nil || flags&unix.MSG_DONTWAIT != 0 {
		err = c.restart(func() (err error) {
			done, err = m.send(f.Host, flags)
			return err
		})
		return done, err
	}
	for {
		n := 0
		err = c.onFile(f, unix.POLLOUT, func() (err error) {
			n, err = m.send(f.Host, flags)
			return err
		})
		done += n
		m.data, m.control = beyond(m.data, n), nil
		if err != nil || n == 0 || len(m.data) == 0 {
			break
		}
	}
	if done > 0 && err != unix.EPIPE {
		err = nil
	}
	return done, err
}

// recvAll makes the host's call; in a schedule one for all that is asked for
// (MSG_WAITALL) is made as often as it takes.
func (c *Ctx) recvAll(f *File, m *hostMsg, flags int) (done, nameLen int, err error) {
	const never = unix.MSG_DONTWAIT | unix.MSG_ERRQUEUE
	name, control, data := m.name, m.control, m.data
	defer func() { m.data = data }()
	all := false
	receive := c.restart
	if c.T.Schedule() != nil && flags&never == 0 {
		all = flags&unix.MSG_WAITALL != 0 && flags&unix.MSG_PEEK == 0
		flags &^= unix.MSG_WAITALL
		receive = func(call func() error) error { return c.onFile(f, unix.POLLIN, call) }
	}
	for {
		n := 0
		err = receive(func() (err error) {
			m.name, m.control = name, control
			n, nameLen, err = m.recv(f.Host, flags)
			return err
		})
		done += n
		if !all || err != nil || n == 0 || len(m.control) != 0 {
			break
		}
		if m.data = beyond(m.data, n); len(m.data) == 0 {
			break
		}
	}
	if done > 0 {
		err = nil
	}
	return done, nameLen, err
}

// recv receives data for the guest; nameLen is the length of the sender's
// address.
func (c *Ctx) recv(f *File, m *hostMsg, flags uint32) (n, nameLen int, err error) {
	if flags&msgInternal != 0 {
		return 0, 0, unix.EINVAL
	}
	guest := m.data
	own := f.sock.turned(c)
	if own {
		m.data = [][]byte{flat(guest, maxNetlink)}
	}
	n, nameLen, err = c.recvAll(f, m, int(flags)|unix.MSG_CMSG_CLOEXEC)
	if err == nil && own {
		b := m.data[0][:min(n, len(m.data[0]))]
		if f.sock.turned(c) { // mq_notify may have come meanwhile
			turnNetlink(b, true)
		}
		scatter(guest, b)
	}
	return n, nameLen, err
}

// maxNetlink bounds one transfer of netlink messages that have to be turned.
const maxNetlink = 1 << 20

func sysSend(c *Ctx) (uint64, error) {
	fd, at, n, flags := c.Int(), c.Addr(), c.Size(), c.Uint()
	return c.sendto(fd, at, n, flags, 0, 0)
}

func sysSendto(c *Ctx) (uint64, error) {
	fd, at, n, flags, name, nameLen := c.Int(), c.Addr(), c.Size(), c.Uint(), c.Addr(), c.Int()
	return c.sendto(fd, at, n, flags, name, nameLen)
}

func (c *Ctx) sendto(fd int, at, n uint64, flags uint32, name uint64, nameLen int) (uint64, error) {
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	n = min(n, maxRW)
	data, err := c.Space().User(at, n, arch.Read)
	if err != nil {
		return 0, err
	}
	m := hostMsg{data: data}
	if name != 0 {
		sa, done, err := c.getSockaddr(name, nameLen)
		defer done()
		if err != nil {
			return 0, err
		}
		m.name = sa
	}
	return c.send(f, &m, flags)
}

func sysRecv(c *Ctx) (uint64, error) {
	fd, at, n, flags := c.Int(), c.Addr(), c.Size(), c.Uint()
	return c.recvfrom(fd, at, n, flags, 0, 0)
}

func sysRecvfrom(c *Ctx) (uint64, error) {
	fd, at, n, flags, name, lenAt := c.Int(), c.Addr(), c.Size(), c.Uint(), c.Addr(), c.Addr()
	return c.recvfrom(fd, at, n, flags, name, lenAt)
}

func (c *Ctx) recvfrom(fd int, at, n uint64, flags uint32, name, lenAt uint64) (uint64, error) {
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	data, err := c.buffer(at, min(n, maxRW), arch.Write)
	if err != nil {
		return 0, err
	}
	m := hostMsg{data: data}
	if name != 0 {
		m.name = make([]byte, sockaddrMax)
	}
	got, nameLen, err := c.recv(f, &m, flags)
	if err != nil {
		return 0, err
	}
	if name != 0 {
		if err := c.putSockaddr(m.name, nameLen, name, lenAt); err != nil {
			return 0, err
		}
	}
	return uint64(got), nil
}

// message is a guest's struct msghdr.
type message struct {
	s    *Struct
	data [][]byte
}

// getMessage reads a struct msghdr and the memory it leads to.
func (c *Ctx) getMessage(at uint64, prot arch.Prot) (message, error) {
	s, err := c.LoadStruct("msghdr", at)
	if err != nil {
		return message{}, err
	}
	if s.Int("msg_namelen") < 0 {
		return message{}, unix.EINVAL
	}
	if s.Uint("msg_iovlen") > maxIovecs {
		return message{}, unix.EMSGSIZE
	}
	data, err := c.iovecs(s.Uint("msg_iov"), s.Uint("msg_iovlen"), prot)
	if err != nil {
		return message{}, err
	}
	return message{s, data}, nil
}

func sysSendmsg(c *Ctx) (uint64, error) {
	fd, at, flags := c.Int(), c.Addr(), c.Uint()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	return c.sendmsg(f, at, flags)
}

func (c *Ctx) sendmsg(f *File, at uint64, flags uint32) (uint64, error) {
	g, err := c.getMessage(at, arch.Read)
	if err != nil {
		return 0, err
	}
	m := hostMsg{data: g.data}
	if name, n := g.s.Uint("msg_name"), int(g.s.Int("msg_namelen")); name != 0 && n > 0 {
		sa, done, err := c.getSockaddr(name, min(n, sockaddrMax))
		defer done()
		if err != nil {
			return 0, err
		}
		m.name = sa
	}
	if n := g.s.Uint("msg_controllen"); n > 0 {
		if n > controlMax {
			return 0, unix.ENOBUFS
		}
		b := make([]byte, n)
		if err := c.Space().CopyIn(b, g.s.Uint("msg_control")); err != nil {
			return 0, err
		}
		if m.control, err = c.controlToHost(b); err != nil {
			return 0, err
		}
	}
	return c.send(f, &m, flags)
}

// eachMessage serves sendmmsg and recvmmsg: it calls f for the messages until
// one fails, and stores what f returns as each one's msg_len.
func (c *Ctx) eachMessage(at uint64, count uint32, f func(i int, at uint64) (uint64, error)) (uint64, error) {
	l := c.A.Layout["mmsghdr"]
	for i := range int(min(count, maxIovecs)) {
		n, err := f(i, at)
		if err == nil {
			err = c.Write32(at+uint64(l.Fields["msg_len"].Off), uint32(n))
		}
		if err != nil {
			if i > 0 {
				return uint64(i), nil
			}
			return 0, err
		}
		at = c.A.Addr(at + uint64(l.Size))
	}
	return uint64(min(count, maxIovecs)), nil
}

func sysSendmmsg(c *Ctx) (uint64, error) {
	fd, at, count, flags := c.Int(), c.Addr(), c.Uint(), c.Uint()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	return c.eachMessage(at, count, func(_ int, at uint64) (uint64, error) { return c.sendmsg(f, at, flags) })
}

func sysRecvmsg(c *Ctx) (uint64, error) {
	fd, at, flags := c.Int(), c.Addr(), c.Uint()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	return c.recvmsg(f, at, flags)
}

func (c *Ctx) recvmsg(f *File, at uint64, flags uint32) (uint64, error) {
	g, err := c.getMessage(at, arch.Write)
	if err != nil {
		return 0, err
	}
	m := hostMsg{data: g.data}
	name := g.s.Uint("msg_name")
	if name != 0 {
		m.name = make([]byte, sockaddrMax)
	}
	room := int(min(g.s.Uint("msg_controllen"), controlMax))
	if room > 0 {
		// The host's headers and alignment take more than a 32-bit guest's.
		m.control = make([]byte, 2*room+64)
	}
	n, nameLen, err := c.recv(f, &m, flags)
	if err != nil {
		return 0, err
	}
	control, cut := c.controlToGuest(m.control, room, flags&unix.MSG_CMSG_CLOEXEC != 0)
	if cut {
		m.flags |= unix.MSG_CTRUNC
	}
	if err := c.Space().CopyOut(control, g.s.Uint("msg_control")); err != nil && len(control) > 0 {
		return 0, err
	}
	lenAt := at + uint64(c.A.Layout["msghdr"].Fields["msg_namelen"].Off)
	if name != 0 {
		if err := c.putSockaddr(m.name, nameLen, name, lenAt); err != nil {
			return 0, err
		}
		g.s.Set("msg_namelen", uint64(nameLen))
	}
	g.s.Set("msg_controllen", uint64(len(control)))
	g.s.Set("msg_flags", uint64(m.flags&^unix.MSG_CMSG_CLOEXEC)|uint64(flags&unix.MSG_CMSG_CLOEXEC))
	return uint64(n), g.s.Store(c, at)
}

func recvmmsg(c *Ctx, wide bool) (uint64, error) {
	fd, at, count, flags, tsAt := c.Int(), c.Addr(), c.Uint(), c.Uint(), c.Addr()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	t, err := c.deadline(tsAt, wide)
	if err != nil {
		return 0, err
	}
	over := false
	v, err := c.eachMessage(at, count, func(i int, at uint64) (uint64, error) {
		if over {
			return 0, unix.EAGAIN
		}
		fl := flags &^ unix.MSG_WAITFORONE
		if i > 0 && flags&unix.MSG_WAITFORONE != 0 {
			fl |= unix.MSG_DONTWAIT
		}
		n, err := c.recvmsg(f, at, fl)
		// The time is looked at after each message only, as the kernel does.
		if left := t.left(); left != nil && left.Nano() == 0 {
			over = true
		}
		return n, err
	})
	c.remains(tsAt, wide, t)
	return v, err
}
