package syscalls

import (
	"math"

	"golang.org/x/sys/unix"
)

// optKind is the layout of a socket option's value.
type optKind uint8

const (
	optInts    optKind = iota // 32-bit numbers, or fewer bytes that are one
	optBytes                  // as it is
	optWide                   // 64-bit numbers
	optTimeOld                // struct timeval in longs
	optTimeNew                // struct __kernel_sock_timeval
	optErrno                  // an error number
	optFilter                 // struct sock_fprog
	optAddr                   // an address
	optMreq                   // addresses, then an int at 8
	optMreq6                  // an address, then an int at 16
	optGroup                  // struct group_req
	optTCPInfo                // struct tcp_info
	optPacket                 // struct packet_mreq
	optULong                  // an unsigned long, or an unsigned int
)

// optKinds are the layouts of options that are not ints, by the host's level
// and number.
var optKinds = map[[2]int]optKind{
	{unix.SOL_SOCKET, unix.SO_ERROR}:                  optErrno,
	{unix.SOL_SOCKET, unix.SO_RCVTIMEO_OLD}:           optTimeOld,
	{unix.SOL_SOCKET, unix.SO_SNDTIMEO_OLD}:           optTimeOld,
	{unix.SOL_SOCKET, unix.SO_RCVTIMEO_NEW}:           optTimeNew,
	{unix.SOL_SOCKET, unix.SO_SNDTIMEO_NEW}:           optTimeNew,
	{unix.SOL_SOCKET, unix.SO_BINDTODEVICE}:           optBytes,
	{unix.SOL_SOCKET, unix.SO_PEERSEC}:                optBytes,
	{unix.SOL_SOCKET, unix.SO_PEERNAME}:               optAddr,
	{unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}:          optFilter,
	{unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF}:  optFilter,
	{unix.SOL_SOCKET, unix.SO_COOKIE}:                 optWide,
	{unix.SOL_SOCKET, unix.SO_NETNS_COOKIE}:           optWide,
	{unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE}:        optULong,
	{unix.IPPROTO_TCP, unix.TCP_CONGESTION}:           optBytes,
	{unix.IPPROTO_TCP, unix.TCP_ULP}:                  optBytes,
	{unix.IPPROTO_TCP, unix.TCP_FASTOPEN_KEY}:         optBytes,
	{unix.IPPROTO_TCP, unix.TCP_INFO}:                 optTCPInfo,
	{unix.IPPROTO_IP, unix.IP_OPTIONS}:                optBytes,
	{unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP}:         optMreq,
	{unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP}:        optMreq,
	{unix.IPPROTO_IP, unix.IP_MULTICAST_IF}:           optMreq,
	{unix.IPPROTO_IP, unix.IP_ADD_SOURCE_MEMBERSHIP}:  optBytes,
	{unix.IPPROTO_IP, unix.IP_DROP_SOURCE_MEMBERSHIP}: optBytes,
	{unix.IPPROTO_IP, unix.IP_BLOCK_SOURCE}:           optBytes,
	{unix.IPPROTO_IP, unix.IP_UNBLOCK_SOURCE}:         optBytes,
	{unix.IPPROTO_IP, unix.MCAST_JOIN_GROUP}:          optGroup,
	{unix.IPPROTO_IP, unix.MCAST_LEAVE_GROUP}:         optGroup,
	{unix.IPPROTO_IPV6, unix.IPV6_ADD_MEMBERSHIP}:     optMreq6,
	{unix.IPPROTO_IPV6, unix.IPV6_DROP_MEMBERSHIP}:    optMreq6,
	{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:            optMreq6,
	{unix.IPPROTO_IPV6, unix.MCAST_JOIN_GROUP}:        optGroup,
	{unix.IPPROTO_IPV6, unix.MCAST_LEAVE_GROUP}:       optGroup,
	{unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP}:     optPacket,
	{unix.SOL_PACKET, unix.PACKET_DROP_MEMBERSHIP}:    optPacket,
}

// sockopt finds the host's number of an option.
func (c *Ctx) sockopt(level, opt int) (int, optKind, error) {
	if level == unix.SOL_SOCKET {
		v, ok := SocketOptions.Host(c.A, uint64(uint32(opt)))
		if !ok {
			return 0, 0, unix.ENOPROTOOPT
		}
		opt = int(v)
	}
	return opt, optKinds[[2]int{level, opt}], nil
}

// optMax bounds the size of an option's value.
const optMax = 64 << 10

func sysSetsockopt(c *Ctx) (uint64, error) {
	fd, level, o, at, n := c.Int(), c.Int(), c.Int(), c.Addr(), c.Int()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, unix.EINVAL
	}
	opt, kind, err := c.sockopt(level, o)
	if err != nil {
		return 0, err
	}
	b := make([]byte, min(n, optMax))
	if err := c.Space().CopyIn(b, at); err != nil {
		return 0, err
	}
	switch kind {
	case optFilter:
		return 0, c.attachFilter(f, opt, b)
	case optTimeOld:
		if len(b) < 2*c.A.Word {
			return 0, unix.EINVAL
		}
		b = c.widen(b[:2*c.A.Word])
	case optULong:
		if c.A.Word == 8 && len(b) == 8 {
			turnIf(c, b, 8)
		} else {
			turnIf(c, b, 4)
		}
	case optGroup:
		if b, err = c.groupReq(b); err != nil {
			return 0, err
		}
	default:
		c.turnOpt(kind, b)
	}
	return 0, hostSetsockopt(f.Host, level, opt, b)
}

// widen turns longs of the guest into those of the host.
func (c *Ctx) widen(b []byte) []byte {
	var out []byte
	for w := c.A.Word; len(b) >= w; b = b[w:] {
		v := getUint(c.A, b[:w])
		if w == 4 {
			v = uint64(int64(int32(v)))
		}
		out = hostOrder.AppendUint64(out, v)
	}
	return out
}

// turnIf reverses the words of b for a guest whose byte order is not the
// host's.
func turnIf(c *Ctx, b []byte, n int) {
	if c.bigEndian() {
		turn(b, n)
	}
}

// turnOpt puts the numbers of an option's value, whose layout is the same on
// both sides, into the other byte order, in place.
func (c *Ctx) turnOpt(kind optKind, b []byte) {
	if !c.bigEndian() {
		return
	}
	switch kind {
	case optInts:
		turn(b, 4)
	case optWide, optTimeNew:
		turn(b, 8)
	case optMreq:
		turn(b[min(8, len(b)):], 4)
	case optMreq6:
		turn(b[min(16, len(b)):], 4)
	case optPacket:
		turn(b[:min(4, len(b))], 4)
		turn(b[min(4, len(b)):min(8, len(b))], 2)
	}
}

// groupReq turns a struct group_req, in which an address of 8-byte alignment
// comes after an int.
func (c *Ctx) groupReq(b []byte) ([]byte, error) {
	l := c.A.Layout["group_req"]
	if len(b) < l.Size {
		return nil, unix.EINVAL
	}
	const at = 8
	out := make([]byte, at+sockaddrMax)
	hostOrder.PutUint32(out, c.A.Order.Uint32(b))
	copy(out[at:], b[l.Fields["gr_group"].Off:])
	if c.bigEndian() {
		turnSockaddr(out[at:], c.A.Order.Uint16(out[at:]))
	}
	return out, nil
}

// attachFilter gives a socket a classic BPF program, struct sock_fprog.
func (c *Ctx) attachFilter(f *File, opt int, b []byte) error {
	l := c.A.Layout["sock_fprog"]
	if len(b) != l.Size {
		return unix.EINVAL
	}
	s := &Struct{b: b, l: l, a: c.A}
	const size, maxInsns = 8, 4096 // of struct sock_filter; BPF_MAXINSNS
	n := int(s.Uint("len"))
	if n == 0 || n > maxInsns {
		return unix.EINVAL
	}
	raw := make([]byte, n*size)
	if err := c.Space().CopyIn(raw, s.Uint("filter")); err != nil {
		return err
	}
	prog := make([]unix.SockFilter, n)
	for i := range prog {
		r := raw[i*size:]
		prog[i] = unix.SockFilter{Code: c.A.Order.Uint16(r), Jt: r[2], Jf: r[3], K: c.A.Order.Uint32(r[4:])}
	}
	return unix.SetsockoptSockFprog(f.Host, unix.SOL_SOCKET, opt, &unix.SockFprog{Len: uint16(n), Filter: &prog[0]})
}

func sysGetsockopt(c *Ctx) (uint64, error) {
	fd, level, o, at, lenAt := c.Int(), c.Int(), c.Int(), c.Addr(), c.Addr()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	n, err := c.Read32(lenAt)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt32 {
		return 0, unix.EINVAL
	}
	opt, kind, err := c.sockopt(level, o)
	if err != nil {
		return 0, err
	}
	b := make([]byte, min(n, optMax))
	if kind == optTimeOld || kind == optULong {
		b = make([]byte, 16)
	}
	got, err := hostGetsockopt(f.Host, level, opt, b)
	if err != nil {
		return 0, err
	}
	if level == unix.SOL_SOCKET && opt == unix.SO_PEERCRED && got >= 4 && len(b) >= 4 {
		hostOrder.PutUint32(b, uint32(c.K.guestID(int(hostOrder.Uint32(b)))))
	}
	b = c.optOut(kind, b[:min(got, len(b))])
	if kind != optTimeOld && kind != optULong {
		n = max(n, uint32(got)) // SO_PEERNAME and its like tell more than there is room for
	}
	b = b[:min(len(b), int(n))]
	if err := c.Space().CopyOut(b, at); err != nil {
		return 0, err
	}
	return 0, c.Write32(lenAt, uint32(len(b)))
}

// optOut turns an option's value that the host gave into the guest's form.
func (c *Ctx) optOut(kind optKind, b []byte) []byte {
	switch kind {
	case optErrno:
		if len(b) == 4 {
			e := unix.Errno(hostOrder.Uint32(b))
			c.A.Order.PutUint32(b, uint32(c.A.ABI.Guest(e)))
		}
	case optTimeOld:
		return c.longs(b)
	case optULong:
		return c.longs(b[:min(8, len(b))])
	case optAddr:
		if c.bigEndian() && len(b) >= 2 {
			turnSockaddr(b, hostOrder.Uint16(b))
		}
	case optTCPInfo:
		if c.bigEndian() {
			for _, f := range c.A.Layout["tcp_info"].Fields {
				if f.Off+f.Size <= len(b) {
					turn(b[f.Off:f.Off+f.Size], f.Size)
				}
			}
		}
	default:
		c.turnOpt(kind, b)
	}
	return b
}

// longs turns longs of the host into those of the guest.
func (c *Ctx) longs(b []byte) []byte {
	var out []byte
	for ; len(b) >= 8; b = b[8:] {
		w := make([]byte, c.A.Word)
		putUint(c.A, w, hostOrder.Uint64(b))
		out = append(out, w...)
	}
	return out
}
