package strace

import (
	"fmt"
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
)

// ioctl is what is known of an ioctl: what its argument is, and whether the
// kernel fills it in.
type ioctl struct {
	kind string
	out  bool
}

// ioctls are those whose argument is decoded.
var ioctls = map[string]ioctl{
	"TCGETS": {"termios", true}, "TCSETS": {"termios", false}, "TCSETSW": {"termios", false}, "TCSETSF": {"termios", false},
	"TCGETA": {"termio", true}, "TCSETA": {"termio", false}, "TCSETAW": {"termio", false}, "TCSETAF": {"termio", false},
	"TCGETS2": {"termios2", true}, "TCSETS2": {"termios2", false}, "TCSETSW2": {"termios2", false}, "TCSETSF2": {"termios2", false},
	"SIOCGIFCONF": {"ifconf", true},
	"TIOCGWINSZ":  {"winsize", true}, "TIOCSWINSZ": {"winsize", false},
	"TIOCGPGRP": {"int", true}, "TIOCSPGRP": {"int", false}, "TIOCGSID": {"int", true}, "TIOCOUTQ": {"int", true},
	"FIONREAD": {"int", true}, "TIOCINQ": {"int", true}, "TIOCGETD": {"int", true}, "TIOCSETD": {"int", false},
	"TIOCGPTN": {"int", true}, "TIOCSPTLCK": {"int", false}, "TIOCGEXCL": {"int", true},
	"TIOCGPKT": {"int", true}, "TIOCPKT": {"int", false}, "TIOCGSOFTCAR": {"int", true}, "TIOCSSOFTCAR": {"int", false},
	"FIONBIO": {"int", false}, "FIOASYNC": {"int", false}, "FIOSETOWN": {"int", false}, "FIOGETOWN": {"int", true},
	"SIOCSPGRP": {"int", false}, "SIOCGPGRP": {"int", true}, "SIOCATMARK": {"int", true},
	"TIOCMGET": {"modem", true}, "TIOCMSET": {"modem", false}, "TIOCMBIS": {"modem", false}, "TIOCMBIC": {"modem", false},
	"TCFLSH": {"tcflush", false}, "TCXONC": {"tcxonc", false}, "TIOCSTI": {"char", false},
	"TCSBRK": {"num", false}, "TCSBRKP": {"num", false}, "TIOCSCTTY": {"num", false}, "TIOCSIG": {"signal", false},
	"FIOQSIZE":   {"int64", true},
	"BLKGETSIZE": {"long", true}, "BLKGETSIZE64": {"uint64", true}, "BLKSSZGET": {"int", true}, "BLKBSZGET": {"int", true},
	"BLKROGET": {"int", true}, "BLKRAGET": {"long", true}, "BLKPBSZGET": {"int", true}, "BLKIOMIN": {"int", true}, "BLKIOOPT": {"int", true},
	"FS_IOC_GETFLAGS": {"fsflags", true}, "FS_IOC_SETFLAGS": {"fsflags", false}, "FS_IOC_GETVERSION": {"long", true},
	"RNDGETENTCNT": {"int", true}, "FICLONE": {"fd", false},
	"FIOCLEX": {"none", false}, "FIONCLEX": {"none", false}, "TIOCEXCL": {"none", false}, "TIOCNXCL": {"none", false},
	"TIOCSBRK": {"none", false}, "TIOCCBRK": {"none", false}, "TIOCCONS": {"none", false}, "TIOCNOTTY": {"none", false},
	"TIOCVHANGUP": {"none", false}, "BLKFLSBUF": {"none", false}, "BLKRRPART": {"none", false},
}

// ioctlPrefixes are the constants of arch.Arch.Const that are ioctls.
var ioctlPrefixes = []string{"TC", "TIOC", "FIO", "FIGETBSZ", "FIBMAP", "FICLONE", "FIFREEZE", "FITHAW", "SIOC", "BLK", "FS_IOC_", "RNDGET", "RNDADD", "RTC_", "LOOP_CTL"}

var ioctlNames sync.Map // *arch.Arch to map[uint64]string

// ioctlName is the name of an ioctl's number, "" if it has none.
func ioctlName(a *arch.Arch, v uint64) string {
	m, ok := ioctlNames.Load(a)
	if !ok {
		names := map[uint64]string{}
		for name, n := range a.Const {
			if !isIoctl(name) {
				continue
			}
			// Of two names the one that is decoded wins, else the first.
			old, taken := names[n]
			_, known := ioctls[name]
			_, oldKnown := ioctls[old]
			if !taken || known && !oldKnown || known == oldKnown && name < old {
				names[n] = name
			}
		}
		for _, e := range lookup("sockios").of(a) {
			if names[e.val] == "" {
				names[e.val] = e.name
			}
		}
		m, _ = ioctlNames.LoadOrStore(a, names)
	}
	return m.(map[uint64]string)[v]
}

func isIoctl(name string) bool {
	for _, p := range ioctlPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// ioctlCommand writes an ioctl's number.
func (c *call) ioctlCommand() string {
	v := c.word() & 0xffffffff
	n := ioctlName(c.a, v)
	switch {
	case c.p.Consts == ConstsRaw:
		return hex(v)
	case n == "":
		return c.ioctlParts(v)
	case c.p.Consts == ConstsVerbose:
		return hex(v) + " /* " + n + " */"
	}
	return n
}

// ioctlParts takes a number without a name apart as _IOC of the architecture
// put it together.
func (c *call) ioctlParts(v uint64) string {
	k := c.a.Const
	dirShift, sizeShift, typeShift := k["_IOC_DIRSHIFT"], k["_IOC_SIZESHIFT"], k["_IOC_TYPESHIFT"]
	dir := v >> dirShift
	var d []string
	if dir&k["_IOC_READ"] != 0 {
		d = append(d, "_IOC_READ")
	}
	if dir&k["_IOC_WRITE"] != 0 {
		d = append(d, "_IOC_WRITE")
	}
	if len(d) == 0 {
		d = []string{"_IOC_NONE"}
	}
	return fmt.Sprintf("_IOC(%s, %s, %s, %s)", strings.Join(d, "|"), hex(v>>typeShift&0xff), hex(v&0xff), hex(v>>sizeShift&k["_IOC_SIZEMASK"]))
}

// ioctlArg writes the argument of an ioctl unless the kernel fills it in.
func (c *call) ioctlArg() string {
	name := ioctlName(c.a, c.args[1]&0xffffffff)
	k, ok := ioctls[name]
	switch _, interfaces := interfaceFields[name]; {
	case interfaces:
		return c.interfaceArg(name)
	case !ok:
		return hex(c.args[2])
	case k.out || k.kind == "none":
		return omitted
	}
	return c.ioctlValue(k.kind, c.args[2])
}

// ioctlOut writes the argument of an ioctl that the kernel fills in.
func (c *call) ioctlOut() string {
	name := ioctlName(c.a, c.args[1]&0xffffffff)
	k := ioctls[name]
	switch _, interfaces := interfaceFields[name]; {
	case interfaces:
		return c.interfaceOut(name)
	case !k.out:
		return omitted
	case c.failed:
		return c.addr(c.args[2])
	}
	return c.ioctlValue(k.kind, c.args[2])
}

func (c *call) ioctlValue(kind string, v uint64) string {
	number := func(n int, f func(x uint64) string) string {
		x, ok := c.uint(v, n)
		if !ok {
			return c.addr(v)
		}
		return "[" + f(x) + "]"
	}
	switch kind {
	case "termios", "termios2", "termio":
		return c.termios(kind, v)
	case "winsize":
		return c.structAt("winsize", v)
	case "int":
		return number(4, func(x uint64) string { return fmt.Sprint(signed(x, 32)) })
	case "int64":
		return number(8, func(x uint64) string { return fmt.Sprint(int64(x)) })
	case "uint64":
		return number(8, func(x uint64) string { return fmt.Sprint(x) })
	case "long":
		return number(c.a.Word, func(x uint64) string { return fmt.Sprint(x) })
	case "fsflags":
		return number(4, func(x uint64) string { return c.flags(x, lookup("fsflags")) })
	case "ifconf":
		return c.interfaceList(v)
	case "modem":
		return number(4, func(x uint64) string { return c.flags(x, lookup("modem")) })
	case "char":
		return number(1, func(x uint64) string { return c.quote([]byte{byte(x)}, c.p.Hex) })
	case "tcflush", "tcxonc":
		return c.enum(lookup(kind), v)
	case "signal":
		return c.sigName(int(v))
	case "fd":
		return c.fd(signed(v, 32))
	}
	return fmt.Sprint(signed(v, c.wordBits()))
}

// termios writes struct termios or termio.
func (c *call) termios(layout string, at uint64) string {
	r, ok := c.load(layout, at)
	if !ok {
		return c.addr(at)
	}
	s := fmt.Sprintf("{c_iflag=%s, c_oflag=%s, c_cflag=%s, c_lflag=%s, ", c.plainFlags(r.uint("c_iflag"), "iflag"),
		c.outputFlags(r.uint("c_oflag")), c.controlFlags(r.uint("c_cflag")), c.plainFlags(r.uint("c_lflag"), "lflag"))
	if c.abbrev() {
		return s + "...}"
	}
	s += "c_line=" + c.enum(lookup("ldisc"), r.uint("c_line"))
	var cc []string
	prefix := ""
	if layout == "termio" && c.a.Const["_VMIN"] != 0 {
		prefix = "_"
	}
	for i, x := range r.field("c_cc") {
		cc = append(cc, fmt.Sprintf("[%s]=%s", c.controlChar(prefix, uint64(i)), hex(uint64(x))))
	}
	s += ", c_cc=[" + strings.Join(cc, ", ") + "]"
	for _, n := range []string{"c_ispeed", "c_ospeed"} {
		if r.has(n) {
			s += fmt.Sprintf(", %s=%d", n, r.uint(n))
		}
	}
	return s + "}"
}

// controlChar is the name of a control character by its place.
func (c *call) controlChar(prefix string, i uint64) string {
	for _, e := range lookup("cc").list {
		if v, ok := c.a.Const[prefix+e.name]; ok && v == i {
			return prefix + e.name
		}
	}
	return fmt.Sprint(i)
}

// field is the name of the value of a field of several bits.
func (c *call) bitField(v uint64, mask, table, prefix string) (name string, rest uint64) {
	m := lookup("ttymask").value(c.a, mask)
	for _, e := range lookup(table).of(c.a) {
		if strings.HasPrefix(e.name, prefix) && e.val == v&m {
			return e.name, v &^ m
		}
	}
	return hex(v & m), v &^ m
}

func (c *call) outputFlags(v uint64) string {
	var l []string
	for _, f := range [][2]string{{"NLDLY", "NL"}, {"CRDLY", "CR"}, {"TABDLY", "TAB"}, {"BSDLY", "BS"}, {"VTDLY", "VT"}, {"FFDLY", "FF"}} {
		var n string
		n, v = c.bitField(v, f[0], "delays", f[1])
		l = append(l, n)
	}
	return strings.Join(l, "|") + "|" + c.plainFlags(v, "oflag")
}

func (c *call) controlFlags(v uint64) string {
	speed, v := c.bitField(v, "CBAUD", "baud", "B")
	var l []string
	l = append(l, speed)
	ciMask := lookup("ttymask").value(c.a, "CIBAUD")
	if in := v & ciMask; in != 0 {
		n, _ := c.bitField(in>>16, "CBAUD", "baud", "B")
		l = append(l, n+"<<IBSHIFT")
	}
	v &^= ciMask
	size, v := c.bitField(v, "CSIZE", "csize", "CS")
	l = append(l, size)
	return strings.Join(l, "|") + "|" + c.plainFlags(v, "cflag")
}

// plainFlags writes bits; those without a name stand alone, and of none there
// is nothing.
func (c *call) plainFlags(v uint64, table string) string {
	names, rest := c.bits(v, lookup(table))
	if rest != 0 {
		names = append(names, hex(rest))
	}
	return strings.Join(names, "|")
}
