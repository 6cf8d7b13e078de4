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
		"mmsghdrs": plainKind(func(c *call) string {
			if c.failed {
				return c.mmsghdrs(c.args[2]&0xffffffff, false)
			}
			return c.mmsghdrs(c.count(), false)
		}),
		"mmsgtime": layoutKind(func(c *call, layout string) string {
			c.word()
			return c.text
		}),
		"mmsghdrsret": plainKind(func(c *call) string { return c.mmsghdrs(c.count(), true) }),
		"sockopt":     plainKind((*call).socketOption),
		"setopt":      plainKind(func(c *call) string { return c.optionValue(c.word(), c.args[4]&0xffffffff) }),
		"getopt":      plainKind((*call).optionAnswer),
	}
}

func (c *call) socketType(v uint64) string {
	const mask = 0xf // SOCK_TYPE_MASK
	if lookup("socktype").name(c.a, v&mask) == "" {
		return c.flags(v, lookup("sockflags"))
	}
	s := c.enum(lookup("socktype"), v&mask)
	if v&^mask != 0 {
		s += "|" + c.flags(v&^mask, lookup("sockflags"))
	}
	return s
}

func (c *call) socketProtocol() string {
	v := c.word() & 0xffffffff
	family := lookup("af").name(c.a, c.args[0]&0xffffffff)
	if family == "AF_PACKET" {
		return "htons(" + c.enum(lookup("ethp"), c.swap16(v&0xffff)) + ")"
	}
	if t := protocols[family]; t != "" {
		return c.enum(lookup(t), v)
	}
	return fmt.Sprint(v)
}

// protocols are the tables of the protocols of address families.
var protocols = map[string]string{
	"AF_INET": "ipproto", "AF_INET6": "ipproto", "AF_NETLINK": "nlproto", "AF_AX25": "ax25p", "AF_IRDA": "irdaproto",
	"AF_CAN": "canproto", "AF_BLUETOOTH": "btproto", "AF_RXRPC": "af", "AF_ISDN": "isdnproto", "AF_PHONET": "pnproto",
	"AF_CAIF": "caifproto", "AF_NFC": "nfcproto", "AF_KCM": "kcmproto", "AF_SMC": "smcproto",
}

// inetAddr writes an IPv4 address that was read as a number.
func (c *call) inetAddr(v uint64) string {
	b := make([]byte, 4)
	c.a.Order.PutUint32(b, uint32(v))
	return "inet_addr(" + c.quote([]byte(netip.AddrFrom4([4]byte(b)).String()), c.p.Hex) + ")"
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
	return c.sockaddrText(b)
}

// sockaddrText writes an address of at least two bytes.
func (c *call) sockaddrText(b []byte) string {
	fam := c.number(b[:2])
	family := "{sa_family=" + c.enum(lookup("af"), fam)
	if len(b) == 2 {
		return family + "}"
	}
	return family + ", " + c.sockaddrData(lookup("af").name(c.a, fam), b) + "}"
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
		return fmt.Sprintf("sin_port=%s, sin_addr=%s", c.named(c.quote(b[2:4], 2), fmt.Sprintf("htons(%d)", be16(b[2:]))),
			c.named(c.quote(b[4:8], 2), "inet_addr("+c.quote([]byte(ip.String()), c.p.Hex)+")"))
	case family == "AF_INET6" && len(b) >= 24:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		text := c.quote([]byte(ip6Text(ip)), c.p.Hex)
		addr := "inet_pton(AF_INET6, " + text + ", &sin6_addr)"
		if c.p.Consts != ConstsAbbrev {
			addr = "sin6_addr=" + c.named(c.quote(b[8:24], 2), "inet_pton(AF_INET6, "+text+")")
		}
		s := fmt.Sprintf("sin6_port=%s, sin6_flowinfo=%s, %s", c.named(c.quote(b[2:4], 2), fmt.Sprintf("htons(%d)", be16(b[2:]))),
			c.named(c.quote(b[4:8], 2), fmt.Sprintf("htonl(%d)", be32(b[4:]))), addr)
		if len(b) >= 28 {
			s += fmt.Sprintf(", sin6_scope_id=%d", c.number(b[24:28]))
		}
		return s
	case family == "AF_NETLINK" && len(b) >= 12:
		pad := ""
		if n := c.number(b[2:4]); n != 0 {
			pad = "nl_pad=" + hex(n) + ", "
		}
		return pad + fmt.Sprintf("nl_pid=%d, nl_groups=%s", int32(c.number(b[4:8])), zeroHex(c.number(b[8:12]), 8))
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
		return c.addr(at) + ", " + c.lengthAsked(lenp)
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

// lengthAsked is the room there was for an answer that did not come.
func (c *call) lengthAsked(lenp uint64) string {
	if !c.savedOK {
		return c.addr(lenp)
	}
	return fmt.Sprintf("[%d]", int32(c.saved))
}

// msghdrAt writes struct msghdr; left is how many bytes its buffers hold.
func (c *call) msghdrAt(at uint64, answer bool, left uint64) string {
	r, ok := c.load("msghdr", at)
	if !ok {
		return c.addr(at)
	}
	if answer && c.failed {
		return fmt.Sprintf("{msg_namelen=%d}", int32(r.uint("msg_namelen")))
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
		if !c.failed {
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
	if t := optionTables[lookup("sol").name(c.a, level)]; t != "" && c.p.Consts != ConstsAbbrev {
		return l + ", " + c.enum(lookup(t), name)
	}
	if strings.HasSuffix(l, "*/") {
		// strace has two marks here, and the number in decimal.
		return fmt.Sprintf("%s /* SOL_?? */, %d", hex(level), name)
	}
	if t := optionTables[l]; t != "" {
		if n := "SO_GET_FILTER"; c.name == "getsockopt" && c.enum(lookup(t), name) == "SO_ATTACH_FILTER" {
			return l + ", " + n
		}
		return l + ", " + c.enum(lookup(t), name)
	}
	return fmt.Sprintf("%s, %d", l, name)
}

// optionValue writes the value of a socket option of n bytes.
func (c *call) optionValue(at, n uint64) string {
	level := lookup("sol").name(c.a, c.args[1]&0xffffffff)
	name := ""
	if t := optionTables[level]; t != "" {
		name = lookup(t).name(c.a, c.args[2]&0xffffffff)
	}
	if layout := optionLayouts[name]; layout != "" {
		if l, ok := c.a.Layout[layout]; ok && n >= uint64(l.Size) {
			return c.structAt(layout, at)
		}
	}
	switch {
	case optionText[name]:
		return c.buf(at, n)
	case level == "SOL_SOCKET" && n < 4 && c.exiting:
		return c.bufStyle(at, n, 2)
	case level == "SOL_SOCKET" && n < 4:
		return c.addr(at)
	case n == 4 || level == "SOL_SOCKET" && n < 16:
		v, ok := c.uint(at, 4)
		switch {
		case !ok:
			return c.addr(at)
		case name == "SO_ERROR" && v != 0:
			return "[" + c.errorValue(signed(v, 32)) + "]"
		}
		return fmt.Sprintf("[%d]", signed(v, 32))
	}
	return c.buf(at, n)
}

var optionLayouts = map[string]string{
	"SO_LINGER": "linger", "SO_PEERCRED": "ucred", "SO_ATTACH_FILTER": "sock_fprog",
	"IP_ADD_MEMBERSHIP": "ip_mreq", "IP_DROP_MEMBERSHIP": "ip_mreq",
	"IPV6_ADD_MEMBERSHIP": "ipv6_mreq", "IPV6_DROP_MEMBERSHIP": "ipv6_mreq",
}

var optionText = map[string]bool{"SO_BINDTODEVICE": true, "SO_PEERSEC": true, "TCP_CONGESTION": true, "TCP_ULP": true}

// optionAnswer writes a socket option that the kernel tells, and its length.
func (c *call) optionAnswer() string {
	at, lenp := c.word(), c.word()
	n, ok := c.uint(lenp, 4)
	if !ok || c.failed {
		return c.addr(at) + ", " + c.lengthAsked(lenp)
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
	case "recvmmsg":
		c.text = c.structAt("timespec", c.args[4])
	case "recvmmsg_time64":
		c.text = c.structAt("__kernel_timespec", c.args[4])
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
	if peer, err := unix.Getpeername(host); err != nil && unboundText[local] {
		return proto + ":[" + ino + "]"
	} else if err == nil {
		return proto + ":[" + local + "->" + inetText(peer) + "]"
	}
	return proto + ":[" + local + "]"
}

// unboundText are the addresses of sockets that have none.
var unboundText = map[string]bool{"0.0.0.0:0": true, "[::]:0": true}

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
