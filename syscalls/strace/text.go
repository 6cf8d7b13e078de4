package strace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/syscalls"
)

// signed is v as a signed number of some bits.
func signed(v uint64, bits int) int64 {
	s := 64 - bits
	return int64(v<<s) >> s
}

// hex writes a number as C's %#x.
func hex(v uint64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

// octal writes a number as C's %#03o, which strace uses for modes.
func octal(v uint64) string {
	s := fmt.Sprintf("%#o", v)
	if len(s) < 3 {
		s = strings.Repeat("0", 3-len(s)) + s
	}
	return s
}

// addr writes an address.
func (c *call) addr(v uint64) string {
	if v == 0 {
		return "NULL"
	}
	return hex(v)
}

// read reads guest memory; ok is false if it is not all there.
func (c *call) read(addr uint64, n int) (b []byte, ok bool) {
	if n < 0 || n > 1<<20 {
		return nil, false
	}
	b = make([]byte, n)
	if addr == 0 || !c.p.Decode.Has(c.name) {
		return nil, false
	}
	_, err := c.t.Proc.Space.ReadAt(b, addr)
	return b, err == nil
}

// uint reads a number of n bytes.
func (c *call) uint(addr uint64, n int) (uint64, bool) {
	b, ok := c.read(addr, n)
	if !ok {
		return 0, false
	}
	return c.number(b), true
}

// number is the number in b.
func (c *call) number(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(c.a.Order.Uint16(b))
	case 4:
		return uint64(c.a.Order.Uint32(b))
	case 8:
		return c.a.Order.Uint64(b)
	}
	return 0
}

// cstring reads a string up to its NUL or max bytes. ended tells that the NUL
// was found, ok that memory could be read up to the end.
func (c *call) cstring(addr uint64, max int) (s []byte, ended, ok bool) {
	if addr == 0 {
		return nil, false, false
	}
	for len(s) < max {
		n := min(max-len(s), int(emu.PageSize-addr&(emu.PageSize-1)))
		b := make([]byte, n)
		if _, err := c.t.Proc.Space.ReadAt(b, addr); err != nil {
			return nil, false, false
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return append(s, b[:i]...), true, true
		}
		s, addr = append(s, b...), c.a.Addr(addr+uint64(n))
	}
	return s, false, true
}

// pathMax is PATH_MAX (linux/limits.h).
const pathMax = 4096

// path writes a file name, which is never cut.
func (c *call) path(addr uint64) string {
	s, ended, ok := c.cstring(addr, pathMax)
	if !ok {
		return c.addr(addr)
	}
	c.touches(string(s))
	q := c.quote(s, c.p.Hex)
	if !ended {
		q += "..."
	}
	return q
}

// touches notes that the call is on a file.
func (c *call) touches(path string) {
	if slices.Contains(c.p.Files, path) {
		c.onFile = true
	}
}

// str writes a string that ends with a NUL.
func (c *call) str(addr uint64) string {
	s, ended, ok := c.cstring(addr, c.p.Strings+1)
	if !ok {
		return c.addr(addr)
	}
	if ended {
		return c.quote(s, c.p.Hex)
	}
	return c.quote(s[:c.p.Strings], c.p.Hex) + "..."
}

// buf writes n bytes at addr.
func (c *call) buf(addr, n uint64) string { return c.bufStyle(addr, n, c.p.Hex) }

func (c *call) bufStyle(addr, n uint64, style int) string {
	if addr == 0 {
		return "NULL"
	}
	show := min(n, uint64(c.p.Strings))
	if _, err := c.t.Proc.Space.ReadAt(make([]byte, 1), c.a.Addr(addr+show-1)); err != nil && show > 0 {
		return c.addr(addr) // before there is made room for what is not there
	}
	b := make([]byte, show)
	if _, err := c.t.Proc.Space.ReadAt(b, addr); err != nil {
		return c.addr(addr)
	}
	s := c.quote(b, style)
	if show < n {
		s += "..."
	}
	return s
}

// fixed writes a string in a field of a structure, up to its NUL.
func (c *call) fixed(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	s := c.quote(b[:min(len(b), c.p.Strings)], c.p.Hex)
	if len(b) > c.p.Strings {
		s += "..."
	}
	return s
}

// escapes are the bytes that have a short form in C.
var escapes = map[byte]string{'\t': `\t`, '\n': `\n`, '\v': `\v`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}

// quote writes bytes as a C string: style 1 all in hexadecimal if one of them
// is no printable text, 2 all.
func (c *call) quote(b []byte, style int) string {
	out := []byte{'"'}
	if style > 1 || style == 1 && !plain(b) {
		for _, x := range b {
			out = fmt.Appendf(out, `\x%02x`, x)
		}
		return string(append(out, '"'))
	}
	for i, x := range b {
		switch e, ok := escapes[x]; {
		case ok:
			out = append(out, e...)
		case x >= ' ' && x < 0x7f:
			out = append(out, x)
		case i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9':
			// A short octal number would take the digit in.
			out = fmt.Appendf(out, `\%03o`, x)
		default:
			out = fmt.Appendf(out, `\%o`, x)
		}
	}
	return string(append(out, '"'))
}

// plain tells that b has no byte that strace -x thinks unprintable.
func plain(b []byte) bool {
	for _, x := range b {
		if x > 0x7e || x < ' ' && (x < '\t' || x > '\r') {
			return false
		}
	}
	return true
}

// fd writes a descriptor, with what it is if that is wanted.
func (c *call) fd(v int64) string {
	s := fmt.Sprint(v)
	if v >= 0 && len(c.p.Files) > 0 {
		c.touches(fdPath(c.t, int(v), 1))
	}
	if c.p.Paths == 0 || v < 0 {
		return s
	}
	if w := fdPath(c.t, int(v), c.p.Paths); w != "" {
		path, gone := strings.CutSuffix(w, " (deleted)")
		s += "<" + path + ">"
		if gone {
			s += "(deleted)"
		}
	}
	return s
}

// fdPath is what a descriptor of the guest refers to, "" if it is not open.
func fdPath(t *emu.Task, fd, detail int) string {
	p, ok := t.Proc.OS.(*syscalls.Process)
	if !ok || p.Files == nil {
		return ""
	}
	f, err := p.Files.Get(fd)
	if err != nil {
		return ""
	}
	name, err := f.Name()
	if err != nil {
		return ""
	}
	if detail > 1 {
		if s := socketName(f.Host, name); s != "" {
			return s
		}
	}
	return name
}

// array writes a list in brackets; more tells that it was cut.
func array(l []string, more bool) string {
	if more {
		l = append(l, "...")
	}
	return "[" + strings.Join(l, ", ") + "]"
}

// date is a time as a comment, nothing for 0.
func date(sec int64, nsec uint64) string {
	if sec == 0 && nsec == 0 {
		return ""
	}
	return " /* " + dateText(sec, nsec) + " */"
}

func dateText(sec int64, nsec uint64) string {
	t := time.Unix(sec, 0)
	s := t.Format("2006-01-02T15:04:05")
	if nsec > 0 && nsec < 1e9 {
		s += fmt.Sprintf(".%09d", nsec)
	}
	return s + t.Format("-0700")
}
