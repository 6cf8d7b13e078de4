package strace

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// networkKinds are arguments of calls on sockets.
func networkKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"socktype":    plainKind(func(c *call) string { return c.socketType(c.word() & 0xffffffff) }),
		"sockproto":   plainKind((*call).socketProtocol),
		"sockaddr":    index(func(c *call, n int) string { return c.sockaddr(c.word(), c.args[n]) }),
		"sockaddrlen": plainKind((*call).sockaddrAnswer),
		"msghdr":      plainKind(func(c *call) string { return c.msghdrAt(c.word(), false, ^uint64(0)) }),
		"msghdrret":   plainKind(func(c *call) string { return c.msghdrAt(c.word(), true, c.count()) }),
		"mmsghdrs":    plainKind(func(c *call) string { return c.mmsghdrs(c.args[2]&0xffffffff, false) }),
		"mmsghdrsret": plainKind(func(c *call) string { return c.mmsghdrs(c.count(), true) }),
		"sockopt":     plainKind((*call).socketOption),
		"setopt":      plainKind(func(c *call) string { return c.optionValue(c.word(), c.args[4]&0xffffffff) }),
		"getopt":      plainKind((*call).optionAnswer),
	}
}

func (c *call) socketType(v uint64) string {
	t := lookup("socktype").name(c.a, v&0xf)
	if t == "" {
		t = hex(v&0xf) + " /* SOCK_??? */"
	}
	return c.or(t, v&^0xf, lookup("sockflags"))
}

func (c *call) socketProtocol() string {
	v := c.word() & 0xffffffff
	switch lookup("af").name(c.a, c.args[0]&0xffffffff) {
	case "AF_INET", "AF_INET6":
		return c.enum(lookup("ipproto"), v)
	case "AF_NETLINK":
		return c.enum(lookup("nlproto"), v)
	case "AF_PACKET":
		return hex(v)
	}
	return fmt.Sprint(v)
}

// sockaddr writes the address of n bytes.
func (c *call) sockaddr(at, n uint64) string {
	n = uint64(uint32(n))
	if n < 2 || n > 1<<16 {
		return c.addr(at)
	}
	n = min(n, 128)
	b, ok := c.read(at, int(n))
	if !ok {
		return c.addr(at)
	}
	fam := c.number(b[:2])
	name := lookup("af").name(c.a, fam)
	if name == "" {
		name = hex(fam) + " /* AF_??? */"
	}
	return "{sa_family=" + name + ", " + c.sockaddrData(name, b) + "}"
}

func (c *call) sockaddrData(family string, b []byte) string {
	be16 := func(b []byte) int { return int(b[0])<<8 | int(b[1]) }
	be32 := func(b []byte) uint32 { return uint32(be16(b))<<16 | uint32(be16(b[2:])) }
	switch {
	case family == "AF_UNIX" && len(b) > 2:
		p := b[2:min(len(b), 110)]
		if p[0] == 0 && len(p) > 1 {
			return "sun_path=@" + c.quote(p[1:], c.p.Hex)
		}
		s, _, _ := strings.Cut(string(p), "\x00")
		return "sun_path=" + c.quote([]byte(s), c.p.Hex)
	case family == "AF_INET" && len(b) >= 8:
		ip := netip.AddrFrom4([4]byte(b[4:8]))
		return fmt.Sprintf("sin_port=htons(%d), sin_addr=inet_addr(%q)", be16(b[2:]), ip)
	case family == "AF_INET6" && len(b) >= 24:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		s := fmt.Sprintf("sin6_port=htons(%d), sin6_flowinfo=htonl(%d), inet_pton(AF_INET6, %q, &sin6_addr)", be16(b[2:]), be32(b[4:]), ip6Text(ip))
		if len(b) >= 28 {
			s += fmt.Sprintf(", sin6_scope_id=%d", c.number(b[24:28]))
		}
		return s
	case family == "AF_NETLINK" && len(b) >= 12:
		return fmt.Sprintf("nl_pid=%d, nl_groups=%08x", int32(c.number(b[4:8])), c.number(b[8:12]))
	}
	return "sa_data=" + c.quote(b[2:], c.p.Hex)
}

// ip6Text is an address as inet_ntop writes it: one that holds an IPv4 address
// in its old form, too.
func ip6Text(ip netip.Addr) string {
	b := ip.As16()
	for _, x := range b[:12] {
		if x != 0 {
			return ip.String()
		}
	}
	if b[12] == 0 && b[13] == 0 {
		return ip.String()
	}
	return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
}

// sockaddrAnswer writes an address that the kernel fills in, with its length:
// the room there was, and what it became.
func (c *call) sockaddrAnswer() string {
	at, lenp := c.word(), c.word()
	if c.failed {
		return c.addr(at) + ", " + c.addr(lenp)
	}
	n, ok := c.uint(lenp, 4)
	if !ok {
		return c.addr(at) + ", " + c.addr(lenp)
	}
	size := fmt.Sprintf("[%d]", n)
	if c.saved != n && c.savedOK {
		size = fmt.Sprintf("[%d => %d]", c.saved, n)
	}
	if at == 0 {
		return "NULL, " + size
	}
	if c.savedOK {
		n = min(n, c.saved)
	}
	return c.sockaddr(at, n) + ", " + size
}

// msghdrAt writes struct msghdr; left is how many bytes its buffers hold.
func (c *call) msghdrAt(at uint64, answer bool, left uint64) string {
	r, ok := c.load("msghdr", at)
	if !ok {
		return c.addr(at)
	}
	return c.msghdr(r, answer, left)
}

func (c *call) msghdr(r record, answer bool, left uint64) string {
	namelen := r.uint("msg_namelen")
	size := fmt.Sprint(int32(namelen))
	if answer && c.savedOK && c.saved != namelen {
		size = fmt.Sprintf("%d => %d", c.saved, namelen)
	}
	how := iovFull
	if answer {
		how = iovPart
	}
	name := r.uint("msg_name")
	s := fmt.Sprintf("{msg_name=%s, msg_namelen=%s, msg_iov=%s, msg_iovlen=%d", c.sockaddr(name, namelen), size,
		c.iovecs(r.uint("msg_iov"), r.uint("msg_iovlen"), how, left), r.uint("msg_iovlen"))
	ctl, n := r.uint("msg_control"), r.uint("msg_controllen")
	if n > 0 {
		s += ", msg_control=" + c.control(ctl, n)
	}
	return s + fmt.Sprintf(", msg_controllen=%d, msg_flags=%s}", n, c.flags(r.uint("msg_flags"), lookup("msg")))
}

// control writes the ancillary data of a message.
func (c *call) control(at, n uint64) string {
	b, ok := c.read(at, int(min(n, 1<<16)))
	l, has := c.a.Layout["cmsghdr"]
	if !ok || !has || len(b) < l.Size {
		return c.addr(at)
	}
	var out []string
	for len(b) >= l.Size {
		r := record{c, l, b}
		size := r.uint("cmsg_len")
		if size < uint64(l.Size) || size > uint64(len(b)) {
			out = append(out, fmt.Sprintf("{cmsg_len=%d, %s}", size, c.cmsgHead(r)))
			break
		}
		s := fmt.Sprintf("{cmsg_len=%d, %s", size, c.cmsgHead(r))
		if d := b[l.Size:size]; len(d) > 0 {
			s += ", cmsg_data=" + c.cmsgData(r, d)
		}
		out = append(out, s+"}")
		step := (int(size) + c.a.Word - 1) &^ (c.a.Word - 1)
		b = b[min(step, len(b)):]
	}
	return array(out, false)
}

func (c *call) cmsgHead(r record) string {
	level := c.enum(lookup("sol"), r.uint("cmsg_level"))
	typ := hex(r.uint("cmsg_type"))
	switch level {
	case "SOL_SOCKET":
		typ = c.enum(lookup("scm"), r.uint("cmsg_type"))
		if n := lookup("so").name(c.a, r.uint("cmsg_type")); strings.HasPrefix(typ, "0x") && n != "" {
			typ = n
		}
	case "SOL_IP":
		typ = c.enum(lookup("ip"), r.uint("cmsg_type"))
	case "SOL_IPV6":
		typ = c.enum(lookup("ipv6"), r.uint("cmsg_type"))
	}
	return fmt.Sprintf("cmsg_level=%s, cmsg_type=%s", level, typ)
}

func (c *call) cmsgData(r record, d []byte) string {
	if lookup("sol").name(c.a, r.uint("cmsg_level")) == "SOL_SOCKET" {
		switch r.uint("cmsg_type") {
		case 1: // SCM_RIGHTS
			var l []string
			for ; len(d) >= 4; d = d[4:] {
				l = append(l, c.fd(signed(c.number(d[:4]), 32)))
			}
			return array(l, false)
		case 2: // SCM_CREDENTIALS
			if u, ok := c.a.Layout["ucred"]; ok && len(d) >= u.Size {
				return c.structBytes("ucred", d)
			}
		}
	}
	return c.quote(d, 2)
}

// mmsghdrs writes an array of struct mmsghdr.
func (c *call) mmsghdrs(n uint64, answer bool) string {
	at := c.word()
	outer, ok1 := c.a.Layout["mmsghdr"]
	inner, ok2 := c.a.Layout["msghdr"]
	if !ok1 || !ok2 || c.failed && answer {
		return c.addr(at)
	}
	return c.list(at, n, outer.Size, func(at uint64) (string, bool) {
		r, ok := c.load("mmsghdr", at)
		if !ok {
			return "", false
		}
		left := ^uint64(0)
		if answer {
			left = r.uint("msg_len")
		}
		s := "{msg_hdr=" + c.msghdr(record{c, inner, r.b}, answer, left)
		if answer {
			s += fmt.Sprintf(", msg_len=%d", r.uint("msg_len"))
		}
		return s + "}", true
	})
}

// optionTables are the names of socket options by level.
var optionTables = map[string]string{
	"SOL_SOCKET": "so", "SOL_IP": "ip", "SOL_IPV6": "ipv6", "SOL_TCP": "tcp", "SOL_UDP": "udp",
	"SOL_PACKET": "packet", "SOL_NETLINK": "netlink",
}

// socketOption writes level and name of a socket option.
func (c *call) socketOption() string {
	level, name := c.word()&0xffffffff, c.word()&0xffffffff
	l := c.enum(lookup("sol"), level)
	if t := optionTables[l]; t != "" {
		return l + ", " + c.enum(lookup(t), name)
	}
	return l + ", " + hex(name)
}

// optionValue writes the value of a socket option of n bytes.
func (c *call) optionValue(at, n uint64) string {
	level := lookup("sol").name(c.a, c.args[1]&0xffffffff)
	name := ""
	if t := optionTables[level]; t != "" {
		name = lookup(t).name(c.a, c.args[2]&0xffffffff)
	}
	if int32(n) < 0 {
		return c.addr(at)
	}
	if layout := optionLayouts[name]; layout != "" {
		if l, ok := c.a.Layout[layout]; ok && n >= uint64(l.Size) {
			return c.structAt(layout, at)
		}
	}
	if optionText[name] {
		return c.buf(at, n)
	}
	if n == 4 {
		v, ok := c.uint(at, 4)
		switch {
		case !ok:
			return c.addr(at)
		case name == "SO_ERROR" && v != 0:
			return "[" + c.errorValue(signed(v, 32)) + "]"
		case name == "SO_PROTOCOL":
			return "[" + c.enum(lookup("ipproto"), v) + "]"
		case name == "SO_DOMAIN":
			return "[" + c.enum(lookup("af"), v) + "]"
		case name == "SO_TYPE":
			return "[" + c.enum(lookup("socktype"), v) + "]"
		}
		return fmt.Sprintf("[%d]", signed(v, 32))
	}
	return c.bufStyle(at, n, c.p.Hex)
}

var optionLayouts = map[string]string{
	"SO_LINGER": "linger", "SO_PEERCRED": "ucred", "SO_RCVTIMEO_OLD": "timeval", "SO_SNDTIMEO_OLD": "timeval",
	"SO_RCVTIMEO_NEW": "__kernel_sock_timeval", "SO_SNDTIMEO_NEW": "__kernel_sock_timeval",
}

var optionText = map[string]bool{"SO_BINDTODEVICE": true, "SO_PEERSEC": true, "TCP_CONGESTION": true, "TCP_ULP": true}

// optionAnswer writes a socket option that the kernel tells, and its length.
func (c *call) optionAnswer() string {
	at, lenp := c.word(), c.word()
	n, ok := c.uint(lenp, 4)
	if !ok || c.failed {
		return c.addr(at) + ", " + c.addr(lenp)
	}
	size := fmt.Sprintf("[%d]", int32(n))
	if c.savedOK && c.saved != n {
		size = fmt.Sprintf("[%d => %d]", int32(c.saved), int32(n))
	}
	return c.optionValue(at, n) + ", " + size
}

// remember reads at the entry of a call what its exit shows the change of.
func (c *call) remember() {
	at, ok := uint64(0), false
	switch c.name {
	case "accept", "accept4", "getsockname", "getpeername":
		at, ok = c.args[2], true
	case "recvfrom":
		at, ok = c.args[5], true
	case "getsockopt":
		at, ok = c.args[4], true
	case "recvmsg":
		if f, has := c.a.Layout["msghdr"]; has {
			at, ok = c.args[1]+uint64(f.Fields["msg_namelen"].Off), true
		}
	}
	if ok {
		c.saved, c.savedOK = c.uint(at, 4)
	}
}

// socketcallArgs are the arguments of the real call behind socketcall.
func (c *call) socketcallArgs(name string) (w [6]uint64, ok bool) {
	for i := range subcalls[name] {
		if w[i], ok = c.uint(c.args[1]+uint64(i*c.a.Word), c.a.Word); !ok {
			return w, false
		}
	}
	return w, true
}

// subcalls are the numbers of arguments of the calls behind socketcall
// (net/socket.c).
var subcalls = map[string]int{
	"socket": 3, "bind": 3, "connect": 3, "listen": 2, "accept": 3, "getsockname": 3, "getpeername": 3, "socketpair": 4,
	"send": 4, "recv": 4, "sendto": 6, "recvfrom": 6, "shutdown": 2, "setsockopt": 5, "getsockopt": 5, "sendmsg": 3,
	"recvmsg": 3, "accept4": 4, "recvmmsg": 5, "sendmmsg": 4,
}

// socketName says what a socket is, "" if it is none: its family and where it
// leads.
func socketName(host int, link string) string {
	if !strings.HasPrefix(link, "socket:[") {
		return ""
	}
	self, err := unix.Getsockname(host)
	if err != nil {
		return ""
	}
	ino := strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")
	typ, err := unix.GetsockoptInt(host, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return ""
	}
	local := inetText(self)
	if local == "" {
		if _, ok := self.(*unix.SockaddrUnix); ok {
			return "UNIX-" + map[int]string{unix.SOCK_STREAM: "STREAM", unix.SOCK_DGRAM: "DGRAM", unix.SOCK_SEQPACKET: "SEQPACKET"}[typ] + ":[" + ino + "]"
		}
		return ""
	}
	proto := map[int]string{unix.SOCK_STREAM: "TCP", unix.SOCK_DGRAM: "UDP", unix.SOCK_RAW: "RAW"}[typ]
	if _, ok := self.(*unix.SockaddrInet6); ok {
		proto += "v6"
	}
	if peer, err := unix.Getpeername(host); err == nil {
		return proto + ":[" + local + "->" + inetText(peer) + "]"
	}
	return proto + ":[" + local + "]"
}

func inetText(sa unix.Sockaddr) string {
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr), uint16(s.Port)).String()
	}
	return ""
}

// workDir is the current directory of a task. The host process shares it
// unless the guest has changed its own.
func workDir(_ *emu.Task) string {
	d, err := os.Getwd()
	if err != nil {
		return ""
	}
	return d
}
