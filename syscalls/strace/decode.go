package strace

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
)

// decoders are the kinds of arguments that are more than a number; the string
// is the parameter after the slash. The functions they make take the argument's
// registers and write it.
var decoders map[string]func(param string) func(c *call) string

// plain is for kinds without a parameter.
func plainKind(f func(c *call) string) func(string) func(*call) string {
	return func(string) func(*call) string { return f }
}

// index is for kinds whose parameter is the number of another argument.
func index(f func(c *call, n int) string) func(string) func(*call) string {
	return func(p string) func(*call) string {
		n, err := strconv.Atoi(p)
		if err != nil {
			panic("strace: not a number: " + p)
		}
		return func(c *call) string { return f(c, n) }
	}
}

// layoutKind is for kinds whose parameter is the name of a structure.
func layoutKind(f func(c *call, name string) string) func(string) func(*call) string {
	return func(p string) func(*call) string { return func(c *call) string { return f(c, p) } }
}

func defineDecoders() {
	decoders = map[string]func(string) func(*call) string{}
	for _, m := range []map[string]func(string) func(*call) string{
		basicKinds(), fileKinds(), memoryKinds(), taskKinds(), signalKinds(), timeKinds(), pollKinds(), networkKinds(), ipcKinds(),
	} {
		for k, f := range m {
			if decoders[k] != nil {
				panic("strace: two kinds " + k)
			}
			decoders[k] = f
		}
	}
	values["inaddr"] = plainValue(func(c *call, v uint64, _ int) string { return c.inetAddr(v) })
	values["statfsflags"] = plainValue(func(c *call, v uint64, _ int) string {
		if v&lookup("statfsflags").value(c.a, "ST_VALID") == 0 {
			return omitted
		}
		return c.flags(v, lookup("statfsflags"))
	})
	values["oflags"] = plainValue(func(c *call, v uint64, _ int) string { return c.openFlags(v) })
}

// basicKinds are pointers, strings and buffers.
func basicKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"skip":      plainKind(func(c *call) string { c.word(); return omitted }),
		"i64":       plainKind(func(c *call) string { return fmt.Sprint(int64(c.i64())) }),
		"u64":       plainKind(func(c *call) string { return fmt.Sprint(c.i64()) }),
		"lfd":       plainKind(func(c *call) string { return c.fd(signed(c.word(), 32)) }),
		"path":      plainKind(func(c *call) string { return c.path(c.word()) }),
		"str":       plainKind(func(c *call) string { return c.str(c.word()) }),
		"ptr":       plainKind(func(c *call) string { return c.addr(c.word()) }),
		"buf":       index(func(c *call, n int) string { return c.buf(c.word(), c.args[n]) }),
		"strlen":    index(func(c *call, n int) string { return c.buf(c.word(), c.args[n]) }),
		"bufret":    plainKind(func(c *call) string { return c.buf(c.word(), c.count()) }),
		"hexbufret": plainKind(func(c *call) string { return c.bufStyle(c.word(), c.count(), 2) }),
		"pathbuf":   plainKind(func(c *call) string { return c.path(c.word()) }),
		"st":        layoutKind(func(c *call, name string) string { return c.structAt(name, c.word()) }),
		"at":        pointee(4),
		"at8":       pointee(8),
		"atuid16": plainKind(func(c *call) string {
			at, n := c.word(), c.idSize()
			v, ok := c.uint(at, n)
			if !ok {
				return c.addr(at)
			}
			return "[" + values["uid"]("")(c, v, 8*n) + "]"
		}),
		"atlu":  plainKind(func(c *call) string { return c.wordAt(func(v uint64) string { return fmt.Sprint(v) }) }),
		"atptr": plainKind(func(c *call) string { return c.wordAt(c.addr) }),
		"uid16": plainKind(func(c *call) string {
			n := c.idSize()
			return values["uid"]("")(c, c.word()&(1<<(8*n)-1), 8*n)
		}),
	}
}

// count is how many bytes a call has read.
func (c *call) count() uint64 { return uint64(max(c.value(), 0)) }

// pointee is the number of some bytes that a pointer leads to.
func pointee(size int) func(string) func(*call) string {
	return func(p string) func(*call) string {
		kind, param, _ := strings.Cut(p, "/")
		f := values[kind](param)
		return func(c *call) string {
			at := c.word()
			v, ok := c.uint(at, size)
			if !ok {
				return c.addr(at)
			}
			return "[" + f(c, v, 8*size) + "]"
		}
	}
}

// wordAt writes the long that a pointer leads to.
func (c *call) wordAt(f func(v uint64) string) string {
	at := c.word()
	v, ok := c.uint(at, c.a.Word)
	if !ok {
		return c.addr(at)
	}
	return "[" + f(v) + "]"
}

var shortIDs sync.Map // *arch.Arch to bool

// idSize is the size of the user ids of calls without 32 in their names: they
// are short where there are calls with 32.
func (c *call) idSize() int {
	short, ok := shortIDs.Load(c.a)
	if !ok {
		short = hasCall(c.a, "getuid32")
		shortIDs.Store(c.a, short)
	}
	if short.(bool) {
		return 2
	}
	return 4
}

func hasCall(a *arch.Arch, name string) bool {
	for _, s := range a.Sysnum {
		if s.Name == name {
			return true
		}
	}
	return false
}

// maxElements bounds how much of a call is written: lists in lists could be
// without end.
const maxElements = 1 << 16

// list writes the elements of an array in guest memory, at most as many as
// strace shows. f writes the one at an address.
func (c *call) list(addr, n uint64, size int, f func(at uint64) (string, bool)) string {
	if addr == 0 {
		return "NULL"
	}
	if n == 0 {
		return "[]"
	}
	limit := n
	if c.abbrev() {
		limit = min(n, uint64(c.p.Strings))
	}
	var l []string
	for i := range limit {
		if c.elements++; c.elements > maxElements {
			return array(l, true)
		}
		at := addr + i*uint64(size)
		s, ok := f(at)
		if !ok {
			if i == 0 {
				return c.addr(addr)
			}
			return array(append(l, "... /* "+hex(at)+" */"), false)
		}
		l = append(l, s)
	}
	return array(l, limit < n)
}

// ints writes an array of 32-bit numbers.
func (c *call) ints(addr, n uint64, size int, f value) string {
	return c.list(addr, n, size, func(at uint64) (string, bool) {
		v, ok := c.uint(at, size)
		return f(c, v, 8*size), ok
	})
}

// fileKinds are arguments of calls on files.
func fileKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"dirfd":  plainKind(func(c *call) string { return c.dirfd(signed(c.word(), 32)) }),
		"oflags": plainKind(func(c *call) string { return c.openFlags(c.word() & 0xffffffff) }),
		"omode":  plainKind((*call).openMode),
		"mqmode": plainKind(func(c *call) string {
			if !c.creates(c.args[1]) {
				return omitted
			}
			return octal(c.word() & 0xffffffff)
		}),
		"mqattr": plainKind(func(c *call) string {
			if !c.creates(c.args[1]) {
				return omitted
			}
			return c.structAt("mq_attr", c.word())
		}),
		"openhow":  plainKind((*call).openHow),
		"nodemode": plainKind(func(c *call) string { return c.symbolicMode(c.word() & 0xffff) }),
		"nodedev": index(func(c *call, n int) string {
			if t := c.args[n] & 0o170000; t != 0o020000 && t != 0o060000 {
				return omitted
			}
			return device(c.word()&0xffffffff, 32)
		}),
		"devnum":      plainKind(func(c *call) string { return device(c.word()&0xffffffff, 32) }),
		"llseekoff":   plainKind(func(c *call) string { hi, lo := c.word(), c.word(); return fmt.Sprint(int64(hi<<32 | lo&0xffffffff)) }),
		"pos":         plainKind((*call).position),
		"iov":         index(func(c *call, n int) string { return c.iovecs(c.word(), c.args[n], iovFull, 0) }),
		"iovret":      index(func(c *call, n int) string { return c.iovecsRead(c.word(), c.args[n]) }),
		"iovaddr":     index(func(c *call, n int) string { return c.iovecs(c.word(), c.args[n], iovAddr, 0) }),
		"fdpair":      plainKind(func(c *call) string { return c.ints(c.word(), 2, 4, values["fd"]("")) }),
		"fcntlarg":    plainKind((*call).fcntlArg),
		"fcntlout":    plainKind((*call).fcntlOut),
		"ioctlcmd":    plainKind((*call).ioctlCommand),
		"ioctlarg":    plainKind((*call).ioctlArg),
		"ioctlout":    plainKind((*call).ioctlOut),
		"dents":       plainKind(func(c *call) string { return c.dirents("linux_dirent") }),
		"dents64":     plainKind(func(c *call) string { return c.dirents("linux_dirent64") }),
		"dent":        plainKind(func(c *call) string { return c.addr(c.word()) }),
		"sendfileoff": index((*call).sendfileOffset),
		"sendfilepos": index((*call).sendfileMoved),
		"faninit":     plainKind((*call).fanotifyInit),
		"swapflags":   plainKind((*call).swapFlags),
		"quotacmd":    plainKind((*call).quotaCommand),
		"quotaargs":   plainKind((*call).quotaArgs),
		"rebootarg":   plainKind((*call).rebootArg),
		"fanmask":     plainKind(func(c *call) string { return c.flags(c.i64(), lookup("fanevent")) }),
		"statxflags":  plainKind((*call).statxFlags),
		"memfdflags":  plainKind((*call).memfdFlags),
		"mounttype":   plainKind((*call).mountType),
		"mountflags":  plainKind((*call).mountFlags),
		"mountdata":   plainKind((*call).mountData),
		"xattrret":    plainKind((*call).xattrValue),
	}
}

// dirfd writes a descriptor of a directory.
func (c *call) dirfd(v int64) string {
	if v != -100 {
		return c.fd(v)
	}
	s := "AT_FDCWD"
	switch c.p.Consts {
	case ConstsRaw:
		s = "-100"
	case ConstsVerbose:
		s = "-100 /* AT_FDCWD */"
	}
	if c.p.Paths > 0 {
		if d := workDir(c.t); d != "" {
			s += "<" + d + ">"
		}
	}
	return s
}

// openFlags writes the flags of open.
func (c *call) openFlags(v uint64) string {
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	return c.named(hex(v), c.openFlagNames(v))
}

func (c *call) openFlagNames(v uint64) string {
	return c.or(lookup("accmode").name(c.a, v&3), v&^3, lookup("oflags"))
}

// creates tells that flags of open make a file, whose mode is an argument.
func (c *call) creates(flags uint64) bool {
	t := lookup("oflags")
	return flags&(t.value(c.a, "O_CREAT")|t.value(c.a, "__O_TMPFILE")) != 0
}

func (c *call) openMode() string {
	if !c.creates(c.args[c.next-1]) {
		return omitted
	}
	return octal(c.word() & 0xffffffff)
}

func (c *call) openHow() string {
	at := c.word()
	r, ok := c.load("open_how", at)
	if !ok || c.args[3] < uint64(len(r.b)) {
		return c.addr(at)
	}
	s := "{flags=" + c.openFlags(r.uint("flags"))
	if m := r.uint("mode"); m != 0 || c.creates(r.uint("flags")) {
		s += ", mode=" + octal(m)
	}
	return s + ", resolve=" + c.flags(r.uint("resolve"), lookup("resolve")) + "}"
}

// position takes a file position split into two longs, low first.
func (c *call) position() string {
	lo, hi := c.word(), c.word()
	if c.a.Word == 8 {
		return fmt.Sprint(int64(lo))
	}
	return fmt.Sprint(int64(hi<<32 | lo&0xffffffff))
}

func (c *call) statxFlags() string {
	v := c.word() & 0xffffffff
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	sync := lookup("statxsync")
	mask := sync.value(c.a, "AT_STATX_FORCE_SYNC") | sync.value(c.a, "AT_STATX_DONT_SYNC")
	s := c.flags(v&mask, sync)
	if v&^mask != 0 {
		s += "|" + c.flags(v&^mask, lookup("at"))
	}
	return s
}

// sendfileOffset writes where sendfile reads from; sendfileMoved tells what
// became of it.
func (c *call) sendfileOffset(size int) string {
	v, ok := c.sendfileRead(c.word(), size)
	c.saved, c.savedOK = v, ok
	if !ok {
		return c.addr(c.args[c.next-1])
	}
	return fmt.Sprintf("[%d]", int64(v))
}

func (c *call) sendfileMoved(size int) string {
	v, ok := c.sendfileRead(c.args[2], size)
	if !ok || !c.savedOK || v == c.saved || c.failed {
		return omitted
	}
	return changed + fmt.Sprintf("[%d]", int64(v))
}

func (c *call) sendfileRead(at uint64, size int) (uint64, bool) {
	if size == 4 {
		size = c.a.Word
	}
	v, ok := c.uint(at, size)
	return uint64(signed(v, 8*size)), ok
}

// xattrValue writes the value of an attribute or the list of names.
func (c *call) xattrValue() string {
	at := c.word()
	if c.args[c.next] == 0 {
		return c.addr(at)
	}
	n := c.count()
	if strings.Contains(c.name, "getxattr") && n > 0 && n <= uint64(c.p.Strings) {
		// A NUL at the end is not shown.
		if b, ok := c.read(at, int(n)); ok && b[n-1] == 0 {
			return c.quote(b[:n-1], c.p.Hex)
		}
	}
	return c.buf(at, n)
}

// Ways to write an iovec's buffer.
const (
	iovFull = iota // as a string of iov_len bytes
	iovAddr        // as an address
	iovPart        // as a string of what is left of a number of bytes
)

// iovecs writes an array of iovecs.
func (c *call) iovecs(addr, n uint64, how int, left uint64) string {
	size := 2 * c.a.Word
	return c.list(addr, n, size, func(at uint64) (string, bool) {
		base, ok1 := c.uint(at, c.a.Word)
		size, ok2 := c.uint(at+uint64(c.a.Word), c.a.Word)
		if !ok1 || !ok2 {
			return "", false
		}
		s := ""
		switch how {
		case iovFull:
			s = c.buf(base, size)
		case iovAddr:
			s = c.addr(base)
		case iovPart:
			part := min(size, left)
			left -= part
			s = c.buf(base, part)
		}
		return fmt.Sprintf("{iov_base=%s, iov_len=%d}", s, size), true
	})
}

func (c *call) iovecsRead(addr, n uint64) string {
	if c.failed {
		return c.iovecs(addr, n, iovAddr, 0)
	}
	return c.iovecs(addr, n, iovPart, c.count())
}

// dirents writes directory entries.
func (c *call) dirents(layout string) string {
	at, n := c.word(), c.count()
	l, ok := c.a.Layout[layout]
	if !ok {
		return c.addr(at)
	}
	b, ok := c.read(at, int(min(n, 1<<20)))
	if !ok {
		return c.addr(at)
	}
	var out []string
	entries := 0
	for len(b) >= l.Size {
		r := record{c, l, b}
		size := int(r.uint("d_reclen"))
		if size < l.Fields["d_name"].Off || size > len(b) {
			break
		}
		entries++
		if !c.abbrev() {
			out = append(out, c.dirent(r, b[:size]))
		}
		b = b[size:]
	}
	if c.abbrev() {
		return fmt.Sprintf("%s /* %d entries */", c.addr(at), entries)
	}
	return array(out, false)
}

func (c *call) dirent(r record, b []byte) string {
	typ := uint64(b[len(b)-1])
	name := b[r.l.Fields["d_name"].Off:]
	if r.has("d_type") {
		typ = r.uint("d_type")
	}
	head := fmt.Sprintf("{d_ino=%d, d_off=%d, d_reclen=%d", r.uint("d_ino"), r.int("d_off"), r.uint("d_reclen"))
	t := c.enum(lookup("dtype"), typ)
	if r.has("d_type") {
		return fmt.Sprintf("%s, d_type=%s, d_name=%s}", head, t, c.fixed(name))
	}
	return fmt.Sprintf("%s, d_name=%s, d_type=%s}", head, c.fixed(name), t)
}

// fcntlArg writes the third argument of fcntl and what its result means.
func (c *call) fcntlArg() string {
	cmd := lookup("fcntl").name(c.a, c.args[1]&0xffffffff)
	if c.name == "fcntl" && strings.HasSuffix(cmd, "64") {
		return hex(c.word()) // a command of fcntl64
	}
	switch cmd {
	case "F_GETFD", "F_GETFL", "F_GETOWN", "F_GETSIG", "F_GETLEASE", "F_GETPIPE_SZ", "F_GET_SEALS", "F_GETLK", "F_GETLK64", "F_OFD_GETLK", "F_GETOWN_EX":
		return omitted
	case "F_DUPFD", "F_DUPFD_CLOEXEC":
		return values["d"]("")(c, c.word(), 32)
	case "F_SETFD":
		return c.flags(c.word(), lookup("fd"))
	case "F_SETFL":
		return c.openFlags(c.word() & 0xffffffff)
	case "F_SETLK", "F_SETLKW":
		return c.structAt("flock", c.word())
	case "F_SETLK64", "F_SETLKW64", "F_OFD_SETLK", "F_OFD_SETLKW":
		return c.structAt("flock64", c.word())
	case "F_SETOWN", "F_SETPIPE_SZ":
		return values["d"]("")(c, c.word(), 32)
	case "F_SETOWN_EX":
		return c.structAt("f_owner_ex", c.word())
	case "F_NOTIFY":
		return c.flags(c.word(), lookup("notify"))
	case "F_SETLEASE":
		return c.enum(lookup("lock"), c.word())
	case "F_ADD_SEALS":
		return c.flags(c.word(), lookup("seals"))
	case "F_SETSIG":
		return c.sigName(int(c.word()))
	}
	return hex(c.word())
}

// fcntlOut writes the third argument of commands that fill it in.
func (c *call) fcntlOut() string {
	cmd := lookup("fcntl").name(c.a, c.args[1]&0xffffffff)
	if c.name == "fcntl" && strings.HasSuffix(cmd, "64") {
		return omitted
	}
	switch cmd {
	case "F_GETLK", "F_GETLK64", "F_OFD_GETLK":
		return c.lockAnswer(cmd)
	case "F_GETOWN_EX":
		return c.structAt("f_owner_ex", c.word())
	}
	return omitted
}

// lockAnswer writes the lock that F_GETLK tells of.
func (c *call) lockAnswer(cmd string) string {
	name := "flock64"
	if cmd == "F_GETLK" {
		name = "flock"
	}
	at := c.word()
	r, ok := c.load(name, at)
	if !ok || c.failed {
		return c.addr(at)
	}
	return strings.TrimSuffix(r.text(name), "}") + fmt.Sprintf(", l_pid=%d}", r.int("l_pid"))
}
