package syscalls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pair makes two connected sockets.
func (g *guest) pair(typ uint64) (a, b uint64) {
	g.t.Helper()
	at := g.room(8)
	g.ok("socketpair", unix.AF_UNIX, typ|g.flag("O_NONBLOCK"), 0, at)
	return uint64(g.get32(at)), uint64(g.get32(at + 4))
}

// msghdr makes a struct msghdr.
func (g *guest) msghdr(fields map[string]uint64) uint64 {
	s := g.NewStruct("msghdr")
	for k, v := range fields {
		s.Set(k, v)
	}
	return g.bytes(s.Bytes())
}

// cmsg is a control message in the guest's form.
func (g *guest) cmsg(level, typ uint64, data []byte) []byte {
	s := g.NewStruct("cmsghdr")
	s.Set("cmsg_len", uint64(s.Size()+len(data)))
	s.Set("cmsg_level", level)
	s.Set("cmsg_type", typ)
	b := append(s.Bytes(), data...)
	return append(b, make([]byte, align(len(b), g.A.Word)-len(b))...)
}

func TestPassDescriptors(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		a, b := g.pair(unix.SOCK_STREAM)
		f := g.open("/bin/sh")
		num := make([]byte, 8)
		g.A.Order.PutUint32(num, uint32(f))
		g.A.Order.PutUint32(num[4:], uint32(f))
		ctl := g.cmsg(unix.SOL_SOCKET, unix.SCM_RIGHTS, num)
		iov := g.words(g.str("data"), 4)
		send := g.msghdr(map[string]uint64{"msg_iov": iov, "msg_iovlen": 1, "msg_control": g.bytes(ctl), "msg_controllen": uint64(len(ctl))})
		require.EqualValues(t, 4, g.ok("sendmsg", a, send, 0))

		buf, cbuf := g.room(16), g.room(64)
		recv := g.msghdr(map[string]uint64{"msg_iov": g.words(buf, 16), "msg_iovlen": 1, "msg_control": cbuf, "msg_controllen": 64})
		require.EqualValues(t, 4, g.ok("recvmsg", b, recv, unix.MSG_CMSG_CLOEXEC))
		require.Equal(t, "data", string(g.get(buf, 4)))
		m := g.load("msghdr", recv)
		require.EqualValues(t, len(ctl), m.Uint("msg_controllen"))
		h := g.load("cmsghdr", cbuf)
		require.EqualValues(t, h.Size()+8, h.Uint("cmsg_len"))
		got := uint64(g.get32(cbuf + uint64(h.Size())))
		require.NotEqual(t, f, got)
		require.EqualValues(t, 1, g.ok("fcntl", got, g.flag("F_GETFD"), 0))
		g.ok("read", got, buf, 4)
		require.Equal(t, "\x7fELF", string(g.get(buf, 4)))

		// Room for one of two: the other one is closed, and the guest told.
		g.ok("sendmsg", a, send, 0)
		short := uint64(h.Size() + 4)
		recv = g.msghdr(map[string]uint64{"msg_iov": g.words(buf, 16), "msg_iovlen": 1, "msg_control": cbuf, "msg_controllen": short})
		g.ok("recvmsg", b, recv, 0)
		m = g.load("msghdr", recv)
		require.EqualValues(t, unix.MSG_CTRUNC, m.Uint("msg_flags"))
		require.Equal(t, short, g.load("cmsghdr", cbuf).Uint("cmsg_len"))
		bad := g.cmsg(unix.SOL_SOCKET, unix.SCM_RIGHTS, []byte{0xff, 0xff, 0xff, 0xff})
		g.fails(unix.EBADF, "sendmsg", a, g.msghdr(map[string]uint64{"msg_iov": iov, "msg_iovlen": 1, "msg_control": g.bytes(bad), "msg_controllen": uint64(len(bad))}), 0)
		g.fails(unix.EMSGSIZE, "sendmsg", a, g.msghdr(map[string]uint64{"msg_iovlen": 1025}), 0)
	})
}

func TestCredentialsAndTimes(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		a, b := g.pair(unix.SOCK_DGRAM)
		one := g.ints(1)
		g.ok("setsockopt", b, unix.SOL_SOCKET, g.flag("SO_PASSCRED"), one, 4)
		g.ok("setsockopt", b, unix.SOL_SOCKET, g.flag("SO_TIMESTAMP_OLD"), one, 4)
		g.ok("sendto", a, g.str("x"), 1, 0, 0, 0)
		cbuf := g.room(128)
		recv := g.msghdr(map[string]uint64{"msg_iov": g.words(g.room(4), 4), "msg_iovlen": 1, "msg_control": cbuf, "msg_controllen": 128})
		g.ok("recvmsg", b, recv, 0)
		seen := map[uint64][]byte{}
		n := g.load("msghdr", recv).Uint("msg_controllen")
		for at := cbuf; at < cbuf+n; {
			h := g.load("cmsghdr", at)
			l := h.Uint("cmsg_len")
			require.EqualValues(t, unix.SOL_SOCKET, h.Uint("cmsg_level"))
			seen[h.Uint("cmsg_type")] = g.get(at+uint64(h.Size()), int(l)-h.Size())
			at += uint64(align(int(l), g.A.Word))
		}
		cred := seen[unix.SCM_CREDENTIALS]
		require.Len(t, cred, 12)
		require.EqualValues(t, os.Getpid(), g.A.Order.Uint32(cred))
		stamp := seen[unix.SCM_TIMESTAMP]
		require.Len(t, stamp, 2*g.A.Word)
		require.InDelta(t, 1.8e9, float64(uint32(getUint(g.A, stamp[:g.A.Word]))), 5e8, "seconds since 1970")

		tv, size := g.room(16), g.ints(16)
		g.ok("setsockopt", b, unix.SOL_SOCKET, g.flag("SO_RCVTIMEO_OLD"), g.words(7, 4000), uint64(2*g.A.Word))
		g.ok("getsockopt", b, unix.SOL_SOCKET, g.flag("SO_RCVTIMEO_OLD"), tv, size)
		require.EqualValues(t, 2*g.A.Word, g.get32(size))
		require.EqualValues(t, 7, g.load("timeval", tv).Int("tv_sec"))
		require.EqualValues(t, 4000, g.load("timeval", tv).Int("tv_usec"))
		require.NoError(t, g.Write32(size, 16))
		g.ok("getsockopt", b, unix.SOL_SOCKET, g.flag("SO_RCVTIMEO_NEW"), tv, size)
		require.EqualValues(t, 7, g.A.Order.Uint64(g.get(tv, 8)))
		g.fails(unix.EINVAL, "setsockopt", b, unix.SOL_SOCKET, g.flag("SO_RCVTIMEO_OLD"), tv, 4)

		require.NoError(t, g.Write32(size, 4))
		g.ok("getsockopt", b, unix.SOL_SOCKET, g.flag("SO_TYPE"), tv, size)
		require.EqualValues(t, unix.SOCK_DGRAM, g.get32(tv))
		require.NoError(t, g.Write32(size, 12))
		g.ok("getsockopt", b, unix.SOL_SOCKET, g.flag("SO_PEERCRED"), tv, size)
		require.EqualValues(t, os.Getpid(), g.load("ucred", tv).Uint("pid"))
		g.fails(unix.ENOPROTOOPT, "getsockopt", b, unix.SOL_SOCKET, 9999, tv, size)
		g.fails(unix.ENOTSOCK, "getsockopt", g.open("/dev/null"), unix.SOL_SOCKET, 3, tv, size)
	})
}

func TestUnixPaths(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
		require.NoError(t, os.Mkdir(dir, 0o755))
		g.ok("chdir", g.str(dir))
		sa := make([]byte, 2, 16)
		g.A.Order.PutUint16(sa, unix.AF_UNIX)
		sa = append(sa, "sock\x00"...)
		at, n := g.bytes(sa), uint64(len(sa))
		l := g.ok("socket", unix.AF_UNIX, unix.SOCK_STREAM, 0)
		g.ok("umask", 0o077)
		g.ok("bind", l, at, n)
		st, err := os.Stat(dir + "/sock")
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
		g.ok("listen", l, 5)
		c := g.ok("socket", unix.AF_UNIX, unix.SOCK_STREAM, 0)
		g.ok("connect", c, at, n)
		name, size := g.room(128), g.ints(128)
		s := g.ok("accept4", l, name, size, g.flag("O_CLOEXEC"))
		require.EqualValues(t, 2, g.get32(size), "the client has no name")
		require.NoError(t, g.Write32(size, 128))
		g.ok("getsockname", s, name, size)
		require.Equal(t, sa, g.get(name, int(g.get32(size))))
		require.NoError(t, g.Write32(size, 128))
		g.ok("getpeername", c, name, size)
		require.Equal(t, sa, g.get(name, int(g.get32(size))), "not the host's name")
		g.ok("send", c, g.str("hi"), 2, 0)
		require.EqualValues(t, 2, g.ok("recv", s, name, 16, 0))
		g.ok("close", s)
		g.ok("shutdown", c, unix.SHUT_WR)
		g.fails(unix.EPIPE, "sendto", c, at, 1, unix.MSG_NOSIGNAL, 0, 0)
		require.False(t, g.interrupted())
		g.fails(unix.EPIPE, "write", c, at, 1)
		require.True(t, g.interrupted(), "SIGPIPE is pending")
		g.fails(unix.EINVAL, "bind", c, at, 129)
	})
}

func TestInet(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		sa := g.NewStruct("sockaddr_in")
		sa.Set("sin_family", unix.AF_INET)
		sa.SetBytes("sin_addr", []byte{127, 0, 0, 1})
		name, size := g.room(128), g.ints(128)
		l := g.ok("socketcall", 1, g.words(unix.AF_INET, unix.SOCK_STREAM, 0))
		g.ok("socketcall", 2, g.words(l, g.bytes(sa.Bytes()), 16))
		g.ok("socketcall", 4, g.words(l, 1))
		g.ok("socketcall", 6, g.words(l, name, size))
		require.EqualValues(t, 16, g.get32(size))
		bound := g.load("sockaddr_in", name)
		require.EqualValues(t, unix.AF_INET, bound.Uint("sin_family"))
		require.Equal(t, []byte{127, 0, 0, 1}, bound.Field("sin_addr"))
		c := g.ok("socketcall", 1, g.words(unix.AF_INET, unix.SOCK_STREAM, 0))
		g.ok("socketcall", 3, g.words(c, name, 16))
		s := g.ok("socketcall", 5, g.words(l, 0, 0))
		g.ok("socketcall", 11, g.words(c, g.str("ping"), 4, 0, 0, 0))
		require.EqualValues(t, 4, g.ok("socketcall", 12, g.words(s, name, 64, 0, 0, 0)))
		require.Equal(t, "ping", string(g.get(name, 4)))
		n := g.room(4)
		g.ok("ioctl", s, g.flag("FIONREAD"), n)
		require.EqualValues(t, 0, g.get32(n))
		g.ok("setsockopt", c, unix.IPPROTO_TCP, unix.TCP_NODELAY, g.ints(1), 4)
		require.NoError(t, g.Write32(size, 4))
		g.ok("getsockopt", c, unix.IPPROTO_TCP, unix.TCP_NODELAY, n, size)
		require.EqualValues(t, 1, g.get32(n))
		g.fails(unix.EINVAL, "socketcall", 99, name)
		g.fails(unix.EFAULT, "socketcall", 1, 8)

		// A refused connection comes back as the guest's error number.
		g.ok("close", l)
		c = g.ok("socket", unix.AF_INET, unix.SOCK_STREAM, 0)
		g.fails(unix.ECONNREFUSED, "connect", c, g.bytes(bound.Bytes()), 16)
	})
}

func TestMmsg(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		a, b := g.pair(unix.SOCK_DGRAM)
		make2 := func(x, y uint64) uint64 {
			l := g.A.Layout["mmsghdr"].Size
			raw := make([]byte, 2*l)
			for i, buf := range []uint64{x, y} {
				s := &Struct{b: raw[i*l:], l: g.A.Layout["mmsghdr"], a: g.A}
				s.Set("msg_hdr.msg_iov", g.words(buf, uint64(3+i)))
				s.Set("msg_hdr.msg_iovlen", 1)
			}
			return g.bytes(raw)
		}
		require.EqualValues(t, 2, g.ok("sendmmsg", a, make2(g.str("abc"), g.str("defg")), 2, 0))
		x, y := g.room(8), g.room(8)
		at := make2(x, y)
		require.EqualValues(t, 2, g.ok("recvmmsg", b, at, 2, unix.MSG_WAITFORONE, 0))
		require.Equal(t, "abcdefg", string(g.get(x, 3))+string(g.get(y, 4)))
		l := g.A.Layout["mmsghdr"]
		require.EqualValues(t, 4, g.get32(at+uint64(l.Size+l.Fields["msg_len"].Off)))
		g.fails(unix.EAGAIN, "recvmmsg", b, at, 2, 0, 0)
	})
}

// TestNetlink asks for the links as getifaddrs(3) does.
func TestNetlink(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		s := g.ok("socket", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		h := g.NewStruct("nlmsghdr")
		h.Set("nlmsg_len", 20)
		h.Set("nlmsg_type", unix.RTM_GETLINK)
		h.Set("nlmsg_flags", unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		h.Set("nlmsg_seq", 0x11223344)
		g.ok("sendto", s, g.bytes(append(h.Bytes(), unix.AF_UNSPEC, 0, 0, 0)), 20, 0, 0, 0)
		buf := g.room(16384)
		links := map[string]uint64{}
		for done := false; !done; {
			n := g.ok("recvfrom", s, buf, 16384, 0, 0, 0)
			for b := g.get(buf, int(n)); len(b) >= 16; {
				m := &Struct{b: b, l: g.A.Layout["nlmsghdr"], a: g.A}
				require.EqualValues(t, 0x11223344, m.Uint("nlmsg_seq"))
				if done = m.Uint("nlmsg_type") == unix.NLMSG_DONE; done {
					break
				}
				require.EqualValues(t, unix.RTM_NEWLINK, m.Uint("nlmsg_type"))
				size := int(m.Uint("nlmsg_len"))
				info := &Struct{b: b[16:], l: g.A.Layout["ifinfomsg"], a: g.A}
				for r := b[32:size]; len(r) >= 4; {
					n := int(g.A.Order.Uint16(r))
					switch g.A.Order.Uint16(r[2:]) {
					case unix.IFLA_IFNAME:
						links[string(r[4:n-1])] = info.Uint("ifi_index")
					case unix.IFLA_MTU:
						require.Less(t, g.A.Order.Uint32(r[4:]), uint32(1<<20))
					}
					r = r[min(align(n, 4), len(r)):]
				}
				b = b[align(size, 4):]
			}
		}
		require.EqualValues(t, 1, links["lo"])
		if g.bigEndian() {
			g.fails(unix.EPROTONOSUPPORT, "socket", unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
		}
	})
}

func TestInterfaces(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		s := g.ok("socket", unix.AF_INET, unix.SOCK_DGRAM, 0)
		r := g.NewStruct("ifreq")
		copy(r.Bytes(), "lo")
		at := g.bytes(r.Bytes())
		g.ok("ioctl", s, g.flag("SIOCGIFINDEX"), at)
		require.EqualValues(t, 1, g.load("ifreq", at).Uint("ifr_ifindex"))
		g.ok("ioctl", s, g.flag("SIOCGIFFLAGS"), at)
		require.NotZero(t, g.load("ifreq", at).Uint("ifr_flags")&unix.IFF_LOOPBACK)
		g.ok("ioctl", s, g.flag("SIOCGIFADDR"), at)
		addr := g.load("ifreq", at).Field("ifr_addr")
		require.EqualValues(t, unix.AF_INET, g.A.Order.Uint16(addr))
		require.Equal(t, []byte{127, 0, 0, 1}, addr[4:8])

		size := g.A.Layout["ifreq"].Size
		conf := g.NewStruct("ifconf")
		conf.Set("ifc_len", uint64(10*size))
		buf := g.room(10 * size)
		conf.Set("ifc_buf", buf)
		at = g.bytes(conf.Bytes())
		g.ok("ioctl", s, g.flag("SIOCGIFCONF"), at)
		n := int(g.load("ifconf", at).Int("ifc_len"))
		require.Zero(t, n%size)
		require.Equal(t, "lo", g.text(buf))
		require.EqualValues(t, unix.AF_INET, g.A.Order.Uint16(g.get(buf+16, 2)))
	})
}
