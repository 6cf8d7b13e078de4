package syscalls

import (
	"golang.org/x/sys/unix"
)

// Control messages (cmsg(3)): a header with a size_t, then data aligned to
// it, each of a kind that has its own layout.

// controlMax bounds the control data of one message (optmem_max is smaller on
// most systems).
const controlMax = 64 << 10

// Types of messages at SOL_SOCKET that tell times, by asm-generic/socket.h.
// They are the numbers of the options that ask for them.
const (
	scmTimestampNew    = 63
	scmTimestampNsNew  = 64
	scmTimestampingNew = 65
)

// controlToHost turns what a guest sends.
func (c *Ctx) controlToHost(b []byte) ([]byte, error) {
	l := c.A.Layout["cmsghdr"]
	head := align(l.Size, c.A.Word)
	var out []byte
	for len(b) >= l.Size {
		s := &Struct{b: b[:l.Size], l: l, a: c.A}
		n := s.Uint("cmsg_len")
		if n < uint64(head) || n > uint64(len(b)) {
			return nil, unix.EINVAL
		}
		level, typ := int(s.Int("cmsg_level")), int(s.Int("cmsg_type"))
		data, err := c.controlData(level, typ, append([]byte(nil), b[head:n]...))
		if err != nil {
			return nil, err
		}
		out = appendControl(out, level, typ, data)
		b = b[min(align(int(n), c.A.Word), len(b)):]
	}
	return out, nil
}

// appendControl appends one message in the host's form.
func appendControl(out []byte, level, typ int, data []byte) []byte {
	at := len(out)
	out = append(out, make([]byte, unix.CmsgSpace(len(data)))...)
	h := out[at:]
	word := unix.CmsgLen(0) - 8 // size_t before two ints
	if word == 8 {
		hostOrder.PutUint64(h, uint64(unix.CmsgLen(len(data))))
	} else {
		hostOrder.PutUint32(h, uint32(unix.CmsgLen(len(data))))
	}
	hostOrder.PutUint32(h[word:], uint32(int32(level)))
	hostOrder.PutUint32(h[word+4:], uint32(int32(typ)))
	copy(h[unix.CmsgLen(0):], data)
	return out
}

// controlData turns the data of a message to send.
func (c *Ctx) controlData(level, typ int, data []byte) ([]byte, error) {
	if level == unix.SOL_SOCKET && typ == unix.SCM_RIGHTS {
		data = data[:len(data)&^3]
		for i := 0; i < len(data); i += 4 {
			f, err := c.file(int(int32(c.A.Order.Uint32(data[i:]))))
			if err != nil {
				return nil, err
			}
			hostOrder.PutUint32(data[i:], uint32(f.Host))
		}
		return data, nil
	}
	return c.turnControl(level, typ, data), nil
}

// turnControl turns the numbers of a message's data, which has the same layout
// on both sides, into the other byte order.
func (c *Ctx) turnControl(level, typ int, data []byte) []byte {
	if !c.bigEndian() {
		return data
	}
	switch {
	case level == unix.IPPROTO_IP && typ == unix.IP_PKTINFO:
		turn(data[:min(4, len(data))], 4) // then two addresses
	case level == unix.IPPROTO_IPV6 && typ == unix.IPV6_PKTINFO:
		turn(data[min(16, len(data)):], 4) // after the address
	case level == unix.IPPROTO_IP && typ == unix.IP_RECVERR, level == unix.IPPROTO_IPV6 && typ == unix.IPV6_RECVERR:
		if len(data) >= 16 { // struct sock_extended_err and an address
			turn(data[:4], 4)
			turn(data[8:16], 4)
			if len(data) >= 18 {
				turnSockaddr(data[16:], hostOrder.Uint16(data[16:]))
			}
		}
	case level == unix.SOL_UDP && typ == unix.UDP_SEGMENT:
		turn(data, 2)
	case level == unix.SOL_SOCKET && (typ == unix.SCM_TIMESTAMP || typ == unix.SCM_TIMESTAMPNS || typ == unix.SCM_TIMESTAMPING):
		turn(data, c.A.Word)
	case level == unix.SOL_SOCKET && typ >= scmTimestampNew && typ <= scmTimestampingNew:
		turn(data, 8)
	default:
		if len(data)%4 == 0 { // ints: credentials, IP_TTL, IPV6_HOPLIMIT, ...
			turn(data, 4)
		}
	}
	return data
}

// controlToGuest turns what the host received into at most room bytes; cut
// tells that it was not enough. Descriptors that do not fit are closed.
func (c *Ctx) controlToGuest(b []byte, room int, cloexec bool) (out []byte, cut bool) {
	msgs, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, true
	}
	l := c.A.Layout["cmsghdr"]
	head := align(l.Size, c.A.Word)
	for _, m := range msgs {
		level, typ := int(m.Header.Level), int(m.Header.Type)
		left := room - align(len(out), c.A.Word) - head
		var data []byte
		short := false
		if level == unix.SOL_SOCKET && typ == unix.SCM_RIGHTS {
			data, short = c.receiveFDs(m.Data, left, cloexec)
		} else {
			data = c.turnControl(level, typ, c.narrowTimes(level, typ, m.Data))
			short = len(data) > left
		}
		cut = cut || short
		if left < 0 || short && left == 0 || len(data) == 0 && short {
			continue
		}
		data = data[:min(len(data), left)]
		out = append(out, make([]byte, align(len(out), c.A.Word)-len(out))...)
		s := &Struct{b: make([]byte, head), l: l, a: c.A}
		s.Set("cmsg_len", uint64(head+len(data)))
		s.Set("cmsg_level", uint64(int64(level)))
		s.Set("cmsg_type", uint64(int64(typ)))
		out = append(append(out, s.b...), data...)
	}
	if pad := align(len(out), c.A.Word); pad <= room {
		out = append(out, make([]byte, pad-len(out))...)
	}
	return out, cut
}

// receiveFDs gives the guest the descriptors of an SCM_RIGHTS message that fit
// left bytes, and closes the others.
func (c *Ctx) receiveFDs(data []byte, left int, cloexec bool) (out []byte, cut bool) {
	for i := 0; i+4 <= len(data); i += 4 {
		host := int(int32(hostOrder.Uint32(data[i:])))
		if cut || len(out)+4 > left {
			unix.Close(host)
			cut = true
			continue
		}
		f := &File{Host: host, large: openedLarge(host)}
		c.K.noteWriter(f)
		fd, err := c.install(f, cloexec)
		if err != nil {
			cut = true
			continue
		}
		out = append(out, 0, 0, 0, 0)
		c.A.Order.PutUint32(out[len(out)-4:], uint32(fd))
	}
	return out, cut
}

// narrowTimes turns the pairs of longs of the old time messages into those of
// a guest with 32-bit longs; b is in the host's order and stays so.
func (c *Ctx) narrowTimes(level, typ int, b []byte) []byte {
	old := typ == unix.SCM_TIMESTAMP || typ == unix.SCM_TIMESTAMPNS || typ == unix.SCM_TIMESTAMPING
	if level != unix.SOL_SOCKET || !old || c.A.Word == 8 {
		return b
	}
	var out []byte
	for ; len(b) >= 8; b = b[8:] {
		out = hostOrder.AppendUint32(out, uint32(hostOrder.Uint64(b)))
	}
	return out
}
