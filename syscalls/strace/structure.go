package strace

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/utemu/utemu/emu/arch"
)

// structure is how a structure is written: its fields in their order.
type structure struct {
	fields []field
	more   int // fields that are shown if structures are not shortened; -1 all
}

type field struct {
	label string
	path  string // in the layout
	value value
	bytes func(c *call, b []byte) string // instead of value
}

// structures are all by name; signatures makes them. See structureText for the form.
var structures map[string]*structure

func parseStructures(text string) map[string]*structure {
	out := map[string]*structure{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		s := &structure{more: -1}
		for _, tok := range f[1:] {
			if tok == "..." {
				s.more = len(s.fields)
				continue
			}
			s.fields = append(s.fields, parseField(tok))
		}
		out[f[0]] = s
	}
	return out
}

func parseField(tok string) field {
	name, kind, _ := strings.Cut(tok, "=")
	kind, param, _ := strings.Cut(kind, "/")
	f := field{label: name, path: name}
	if l, p, ok := strings.Cut(name, "@"); ok {
		f.label, f.path = l, p
	}
	switch kind {
	case "st":
		f.bytes = func(c *call, b []byte) string { return c.structBytes(param, b) }
	case "str":
		f.bytes = func(c *call, b []byte) string { return c.fixed(b) }
	case "words", "ints":
		v := values[param]("")
		f.bytes = func(c *call, b []byte) string {
			n := 4
			if kind == "words" {
				n = c.a.Word
			}
			var l []string
			for ; len(b) >= n; b = b[n:] {
				l = append(l, v(c, c.number(b[:n]), 8*n))
			}
			return array(l, false)
		}
	case "fsid":
		f.bytes = func(c *call, b []byte) string {
			return fmt.Sprintf("{val=[%s, %s]}", hex(c.number(b[:4])), hex(c.number(b[4:8])))
		}
	case "in6addr":
		f.bytes = func(_ *call, b []byte) string {
			if len(b) < 16 {
				return ""
			}
			return fmt.Sprintf("inet_pton(AF_INET6, %q)", ip6Text(netip.AddrFrom16([16]byte(b))))
		}
	case "bytes":
		f.bytes = func(c *call, b []byte) string { return c.quote(b, 2) }
	default:
		if values[kind] == nil {
			panic("strace: structure: no kind " + kind)
		}
		f.value = values[kind](param)
	}
	return f
}

// record is a structure of the guest's with its bytes.
type record struct {
	c *call
	l arch.Layout
	b []byte
}

// load reads a structure; ok is false if it is not there or has no layout.
func (c *call) load(name string, addr uint64) (r record, ok bool) {
	l, ok := c.a.Layout[name]
	if !ok {
		return r, false
	}
	b, ok := c.read(addr, l.Size)
	return record{c, l, b}, ok
}

// field is the bytes of a field, nil if there is none.
func (r record) field(path string) []byte {
	f, ok := r.l.Fields[path]
	if !ok || f.Off+f.Size > len(r.b) {
		return nil
	}
	return r.b[f.Off : f.Off+f.Size]
}

func (r record) has(path string) bool { _, ok := r.l.Fields[path]; return ok }

func (r record) uint(path string) uint64 { return r.c.number(r.field(path)) }

func (r record) int(path string) int64 {
	b := r.field(path)
	if len(b) == 0 {
		return 0
	}
	return signed(r.c.number(b), 8*len(b))
}

// structAt writes the structure at addr.
func (c *call) structAt(name string, addr uint64) string {
	r, ok := c.load(name, addr)
	if !ok {
		return c.addr(addr)
	}
	return r.text(name)
}

// structBytes writes a structure that has been read.
func (c *call) structBytes(name string, b []byte) string {
	return record{c, c.a.Layout[name], b}.text(name)
}

// text writes the structure as its definition says.
func (r record) text(name string) string {
	if r.special(name) != nil {
		return r.special(name)(r)
	}
	def := structures[name]
	if def == nil {
		panic("strace: no structure " + name)
	}
	var l []string
	for i, f := range def.fields {
		if def.more == i && r.c.abbrev() {
			l = append(l, "...")
			break
		}
		b := r.field(f.path)
		if b == nil {
			continue
		}
		if f.bytes != nil {
			l = append(l, f.label+"="+f.bytes(r.c, b))
			continue
		}
		if s := f.value(r.c, r.c.number(b), 8*len(b)); s != omitted {
			l = append(l, f.label+"="+s)
		}
	}
	return "{" + strings.Join(l, ", ") + "}"
}

// special is the writer of a structure that a list of fields does not tell.
func (record) special(name string) func(record) string {
	switch name {
	case "stat", "stat64", "__old_kernel_stat":
		return record.stat
	case "statx":
		return record.statx
	case "siginfo":
		return record.siginfo
	case "sigevent":
		return record.sigevent
	case "sigaction", "old_sigaction":
		return record.sigaction
	case "epoll_event":
		return record.epollEvent
	}
	return nil
}

// stat writes the three forms of struct stat.
func (r record) stat() string {
	var l []string
	add := func(format string, a ...any) { l = append(l, fmt.Sprintf(format, a...)) }
	short := r.c.abbrev()
	if !short {
		add("st_dev=%s", device(r.uint("st_dev"), 8*len(r.field("st_dev"))))
		add("st_ino=%d", r.uint("st_ino"))
	}
	mode := r.uint("st_mode")
	add("st_mode=%s", r.c.symbolicMode(mode))
	if !short {
		add("st_nlink=%d", r.uint("st_nlink"))
		add("st_uid=%d", r.uint("st_uid"))
		add("st_gid=%d", r.uint("st_gid"))
		add("st_blksize=%d", r.uint("st_blksize"))
		add("st_blocks=%d", r.uint("st_blocks"))
	}
	if t := mode & 0o170000; t == 0o020000 || t == 0o060000 {
		add("st_rdev=%s", device(r.uint("st_rdev"), 8*len(r.field("st_rdev"))))
	} else {
		add("st_size=%d", r.uint("st_size"))
	}
	if short {
		add("...")
		return "{" + strings.Join(l, ", ") + "}"
	}
	for _, t := range []string{"st_atime", "st_mtime", "st_ctime"} {
		add("%s=%d%s", t, r.int(t), date(r.int(t), r.uint(t+"_nsec")))
		if r.has(t + "_nsec") {
			add("%s_nsec=%d", t, r.uint(t+"_nsec"))
		}
	}
	return "{" + strings.Join(l, ", ") + "}"
}

// statx writes struct statx.
func (r record) statx() string {
	c := r.c
	var l []string
	add := func(format string, a ...any) { l = append(l, fmt.Sprintf(format, a...)) }
	add("stx_mask=%s", c.flags(r.uint("stx_mask"), lookup("statxmask")))
	if !c.abbrev() {
		add("stx_blksize=%d", r.uint("stx_blksize"))
	}
	add("stx_attributes=%s", c.flags(r.uint("stx_attributes"), lookup("statxattr")))
	if !c.abbrev() {
		add("stx_nlink=%d", r.uint("stx_nlink"))
		add("stx_uid=%d", r.uint("stx_uid"))
		add("stx_gid=%d", r.uint("stx_gid"))
	}
	add("stx_mode=%s", c.symbolicMode(r.uint("stx_mode")))
	if !c.abbrev() {
		add("stx_ino=%d", r.uint("stx_ino"))
	}
	add("stx_size=%d", r.uint("stx_size"))
	if c.abbrev() {
		return "{" + strings.Join(append(l, "..."), ", ") + "}"
	}
	add("stx_blocks=%d", r.uint("stx_blocks"))
	add("stx_attributes_mask=%s", c.flags(r.uint("stx_attributes_mask"), lookup("statxattr")))
	mask := r.uint("stx_mask")
	for _, t := range []string{"stx_atime", "stx_btime", "stx_ctime", "stx_mtime"} {
		if t == "stx_btime" && mask&lookup("statxmask").value(c.a, "STATX_BTIME") == 0 {
			continue
		}
		sec, nsec := r.int(t+".tv_sec"), r.uint(t+".tv_nsec")
		add("%s={tv_sec=%d, tv_nsec=%d}%s", t, sec, nsec, date(sec, nsec))
	}
	for _, n := range []string{"stx_rdev_major", "stx_rdev_minor", "stx_dev_major", "stx_dev_minor"} {
		add("%s=%d", n, r.uint(n))
	}
	add("stx_mnt_id=%s", hex(r.uint("stx_mnt_id")))
	return "{" + strings.Join(l, ", ") + "}"
}

// symbolicMode writes the type and permissions of a file.
func (c *call) symbolicMode(m uint64) string {
	t := lookup("ifmt").name(c.a, m&0o170000)
	if t == "" || c.p.Consts == ConstsRaw {
		return octal(m)
	}
	perm := m &^ 0o170000
	for _, s := range []struct {
		bit  uint64
		name string
	}{{0o4000, "S_ISUID"}, {0o2000, "S_ISGID"}, {0o1000, "S_ISVTX"}} {
		if perm&s.bit != 0 {
			t += "|" + s.name
			perm &^= s.bit
		}
	}
	t += "|" + octal(perm)
	if c.p.Consts == ConstsVerbose {
		return octal(m) + " /* " + t + " */"
	}
	return t
}

// device writes a device number as makedev's arguments: of 16 bits the old
// encoding, else the kernel's new one, whose wide form only 64 bits hold.
func device(v uint64, bits int) string {
	major, minor := v>>8&0xfff|v>>32&^0xfff, v&0xff|v>>12&0xffffff00
	if bits <= 16 {
		major, minor = v>>8&0xff, v&0xff
	} else if bits <= 32 {
		minor &= 0xfffff
	}
	return fmt.Sprintf("makedev(%s, %s)", hex(major), hex(minor))
}

// rlimValue writes a resource limit.
func rlimValue(c *call, v uint64, bits int) string {
	name := rlimName(v, bits)
	switch number := fmt.Sprint(v); {
	case c.p.Consts == ConstsRaw || name == "":
		return number
	case c.p.Consts == ConstsVerbose:
		return number + " /* " + name + " */"
	}
	return name
}

// rlimName is how a limit that is round is written, "" if it is not.
func rlimName(v uint64, bits int) string {
	switch {
	case v == 1<<bits-1 || bits == 64 && v == ^uint64(0):
		if bits == 32 {
			return "RLIM_INFINITY"
		}
		return "RLIM64_INFINITY"
	case v > 1024 && v%1024 == 0:
		return fmt.Sprintf("%d*1024", v/1024)
	}
	return ""
}

// clockTicks writes a time in clock_t.
func (c *call) clockTicks(v uint64) string {
	if v == 0 {
		return "0"
	}
	if c.p.Consts == ConstsRaw {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%d /* %d.%02d s */", v, v/100, v%100)
}

// swap16 is a number in network order as it is meant.
func (c *call) swap16(v uint64) uint64 {
	if c.bigEndian() {
		return v
	}
	return v>>8&0xff | v&0xff<<8
}
