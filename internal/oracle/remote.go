package oracle

import (
	"bufio"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// remote is a connection by the remote serial protocol of gdb (gdb's manual,
// appendix E), as far as stepping needs it.
type remote struct {
	c   *socket
	r   *bufio.Reader
	out []byte
	ack bool // the last packet from there is still to be acknowledged
}

// socket is a connection whose calls block: a step waits twice for the stub, and
// the runtime's poller would double what that takes.
type socket struct{ fd int }

// dial connects to a socket of the file system. A read that takes longer than
// the timeout fails.
func dial(path string, timeout time.Duration) (*socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd}
	tv := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv), unix.Connect(fd, &unix.SockaddrUnix{Name: path})); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (s *socket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		k, err := unix.SendmsgN(s.fd, p[n:], nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, os.NewSyscallError("sendmsg", err)
		}
		n += k
	}
	return n, nil
}

// Shutdown ends the connection for whoever waits for it.
func (s *socket) Shutdown() { _ = unix.Shutdown(s.fd, unix.SHUT_RDWR) }

func (s *socket) Close() error { return os.NewSyscallError("close", unix.Close(s.fd)) }

func newRemote(c *socket) *remote { return &remote{c: c, r: bufio.NewReaderSize(c, 1<<14)} }

// ask sends a packet and returns the answer. Our acknowledgement of that goes
// out with the next packet: the stub does nothing else meanwhile.
func (r *remote) ask(format string, args ...any) ([]byte, error) {
	if err := r.send(fmt.Sprintf(format, args...)); err != nil {
		return nil, fmt.Errorf("remote protocol: %w", err)
	}
	p, err := r.receive()
	if err != nil {
		return nil, fmt.Errorf("remote protocol: %w", err)
	}
	return p, nil
}

func (r *remote) send(s string) error {
	b := r.out[:0]
	if r.ack {
		b, r.ack = append(b, '+'), false
	}
	b = append(append(b, '$'), s...)
	sum := byte(0)
	for k := range len(s) {
		sum += s[k]
	}
	b = append(append(b, '#'), hex.EncodeToString([]byte{sum})...)
	r.out = b
	_, err := r.c.Write(b)
	return err
}

// receive reads a packet.
func (r *remote) receive() ([]byte, error) {
	for {
		c, err := r.r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch c {
		case '$':
		case '-':
			return nil, errors.New("the packet was not understood")
		default:
			continue
		}
		p, err := r.r.ReadSlice('#')
		if err != nil {
			return nil, err
		}
		p = p[:len(p)-1]
		sum := byte(0)
		for _, b := range p {
			sum += b
		}
		p = unescape(p)
		var check [2]byte
		if _, err := io.ReadFull(r.r, check[:]); err != nil {
			return nil, err
		}
		if hex.EncodeToString([]byte{sum}) != strings.ToLower(string(check[:])) {
			return nil, fmt.Errorf("bad check sum of %q", p)
		}
		r.ack = true
		return p, nil
	}
}

// unescape copies a packet and undoes escapes and run-length encoding.
func unescape(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for k := 0; k < len(p); k++ {
		switch c := p[k]; {
		case c == '}' && k+1 < len(p):
			k++
			out = append(out, p[k]^0x20)
		case c == '*' && k+1 < len(p) && len(out) > 0:
			k++
			for n := int(p[k]) - 29; n > 0; n-- {
				out = append(out, out[len(out)-1])
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// done asks for something that is answered by OK.
func (r *remote) done(format string, args ...any) error {
	p, err := r.ask(format, args...)
	if err == nil && string(p) != "OK" {
		err = fmt.Errorf("remote protocol: %s is answered by %q", fmt.Sprintf(format, args...), p)
	}
	return err
}

// object reads a qXfer object.
func (r *remote) object(kind, annex string) ([]byte, error) {
	var all []byte
	for {
		p, err := r.ask("qXfer:%s:read:%s:%x,%x", kind, annex, len(all), 0xfff)
		if err != nil {
			return nil, err
		}
		if len(p) == 0 || p[0] != 'l' && p[0] != 'm' {
			return nil, fmt.Errorf("remote protocol: no %s %s: %q", kind, annex, p)
		}
		all = append(all, p[1:]...)
		if p[0] == 'l' {
			return all, nil
		}
	}
}

// slot is a register of the target description.
type slot struct {
	name     string
	num, off int // off in the answer to g
	size     int // bytes
}

// description reads the registers of the target description: all of them, in
// the order of their numbers.
func (r *remote) description(annex string, l []slot) ([]slot, error) {
	text, err := r.object("features", annex)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("remote protocol: %s: %w", annex, err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		switch e.Name.Local {
		case "include":
			if l, err = r.description(attr["href"], l); err != nil {
				return nil, err
			}
		case "reg":
			l = appendSlot(l, attr)
		}
	}
}

// appendSlot adds a register; one without a number has the next one.
func appendSlot(l []slot, attr map[string]string) []slot {
	s := slot{name: attr["name"]}
	if len(l) > 0 {
		last := l[len(l)-1]
		s.num, s.off = last.num+1, last.off+last.size
	}
	if n, err := strconv.Atoi(attr["regnum"]); err == nil {
		s.num = n
	}
	bits, _ := strconv.Atoi(attr["bitsize"])
	s.size = bits / 8
	return append(l, s)
}

// word reads a number of the guest's byte order out of hexadecimal digits.
func word(a *arch.Arch, p []byte) (uint64, error) {
	var b [8]byte
	if len(p) > 16 {
		return 0, fmt.Errorf("remote protocol: register of %d digits", len(p))
	}
	n, err := hex.Decode(b[:], p)
	switch {
	case err != nil:
		return 0, fmt.Errorf("remote protocol: %w", err)
	case n == 8:
		return a.Order.Uint64(b[:]), nil
	case n == 4:
		return uint64(a.Order.Uint32(b[:])), nil
	}
	return 0, fmt.Errorf("remote protocol: register of %d bytes", n)
}

// digits are those of a number of the guest's byte order.
func digits(a *arch.Arch, v uint64, size int) string {
	var b [8]byte
	if size == 8 {
		a.Order.PutUint64(b[:], v)
	} else {
		a.Order.PutUint32(b[:], uint32(v))
	}
	return hex.EncodeToString(b[:size])
}

// chunk is how much memory one packet carries.
const chunk = 0x700

// ReadAt reads the program's memory.
func (r *remote) ReadAt(p []byte, addr uint64) (int, error) {
	for n := 0; n < len(p); {
		k := min(len(p)-n, chunk)
		b, err := r.ask("m%x,%x", addr+uint64(n), k)
		if err != nil {
			return n, err
		}
		if len(b) == 0 || b[0] == 'E' {
			return n, fmt.Errorf("remote protocol: no memory at %#x", addr+uint64(n))
		}
		m, err := hex.Decode(p[n:n+k], b)
		if n += m; err != nil || m == 0 {
			return n, fmt.Errorf("remote protocol: memory at %#x: %w", addr, errors.Join(err, io.ErrUnexpectedEOF))
		}
	}
	return len(p), nil
}

// WriteAt writes it.
func (r *remote) WriteAt(p []byte, addr uint64) (int, error) {
	for n := 0; n < len(p); {
		k := min(len(p)-n, chunk)
		if err := r.done("M%x,%x:%x", addr+uint64(n), k, p[n:n+k]); err != nil {
			return n, err
		}
		n += k
	}
	return len(p), nil
}
