package strace

import (
	"fmt"
	"strings"
)

// taskKinds are arguments of calls on tasks and processes.
func taskKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"argv":       plainKind(func(c *call) string { return c.stringArray(c.word()) }),
		"envp":       plainKind((*call).environment),
		"waitstatus": plainKind((*call).waitStatus),
		"rusage": plainKind(func(c *call) string {
			at := c.word()
			if c.ret == 0 {
				return c.addr(at)
			}
			return c.structAt("rusage", at)
		}),
		"cloneflags": plainKind((*call).cloneFlags),
		"clonerest": func(order string) func(*call) string {
			names := strings.Split(order, ",")
			return func(c *call) string { return c.cloneRest(names) }
		},
		"cloneargs":    plainKind((*call).clone3),
		"cloneargsout": plainKind((*call).clone3Out),
		"personality":  plainKind((*call).personality),
		"prctlarg":     plainKind((*call).prctlArg),
		"prctlout":     plainKind((*call).prctlOut),
		"archprctl":    plainKind((*call).archPrctl),
		"archprctlout": plainKind((*call).archPrctlOut),
		"userdesc": plainKind(func(c *call) string {
			at := c.word()
			if _, ok := c.a.Layout["user_desc"]; !ok {
				return hex(at)
			}
			return c.userDesc(at)
		}),
		"userdescout": plainKind(func(c *call) string {
			at := c.word()
			n, ok := c.uint(at, 4)
			if _, has := c.a.Layout["user_desc"]; has && ok && c.failed {
				return fmt.Sprintf("{entry_number=%d, ...}", int32(n))
			}
			return c.userDesc(at)
		}),
		"ldtdesc": plainKind(func(c *call) string {
			at := c.word()
			if l, ok := c.a.Layout["user_desc"]; !ok || c.args[2] != uint64(l.Size) {
				return c.addr(at)
			}
			return c.userDesc(at)
		}),
		"kcmpargs":     plainKind((*call).kcmpArgs),
		"seccompflags": plainKind((*call).seccompFlags),
		"seccomparg":   plainKind((*call).seccompArg),
		"seccompout":   plainKind((*call).seccompOut),
		"keyctlargs":   plainKind((*call).keyctlArgs),
		"futexargs":    layoutKind((*call).futex),
		"cpuset":       plainKind(func(c *call) string { return c.cpus(c.word(), c.args[1]) }),
		"cpusetret":    plainKind(func(c *call) string { return c.cpus(c.word(), c.count()) }),
		"ioprio":       plainKind(func(c *call) string { return c.ioprio(c.word()) }),
		"capdata":      plainKind((*call).capabilities),
		"groups":       index(func(c *call, size int) string { return c.groups(c.args[0], size) }),
		"groupsret": index(func(c *call, size int) string {
			return c.groups(c.count(), size)
		}),
		"keyspec":    plainKind(func(c *call) string { return c.keySerial(c.word()) }),
		"syslogargs": plainKind((*call).syslogArgs),
		"syslogbuf":  plainKind((*call).syslogBuffer),
	}
}

// stringArray writes a NULL-terminated array of strings.
func (c *call) stringArray(addr uint64) string {
	if addr == 0 {
		return "NULL"
	}
	var l []string
	for at := addr; ; at += uint64(c.a.Word) {
		p, ok := c.uint(at, c.a.Word)
		switch {
		case !ok && at == addr:
			return c.addr(addr)
		case !ok:
			return array(append(l, "... /* "+hex(at)+" */"), false)
		case p == 0:
			return array(l, false)
		case c.abbrev() && len(l) >= c.p.Strings || len(l) > 1<<16:
			return array(l, true)
		}
		l = append(l, c.str(p))
	}
}

// environment writes how many variables there are, or all.
func (c *call) environment() string {
	at := c.word()
	if !c.abbrev() {
		return c.stringArray(at)
	}
	if at == 0 {
		return "NULL"
	}
	n := 0
	for p := at; n < 1<<20; p += uint64(c.a.Word) {
		v, ok := c.uint(p, c.a.Word)
		if !ok {
			if n == 0 {
				return c.addr(at)
			}
			return fmt.Sprintf("%s /* %s, unterminated */", c.addr(at), plural(n, "var"))
		}
		if v == 0 {
			break
		}
		n++
	}
	return fmt.Sprintf("%s /* %s */", c.addr(at), plural(n, "var"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// waitStatus writes the status that wait reports.
func (c *call) waitStatus() string {
	at := c.word()
	if c.ret == 0 {
		return c.addr(at)
	}
	v, ok := c.uint(at, 4)
	if !ok {
		return c.addr(at)
	}
	return "[" + c.status(v) + "]"
}

// status writes a wait status with the macros that take it apart.
func (c *call) status(s uint64) string {
	sig := int(s & 0x7f)
	switch {
	case s == 0xffff:
		return "{WIFCONTINUED(s)}"
	case s&0xff == 0x7f:
		n := int(s >> 8 & 0xff)
		event := s >> 16
		out := fmt.Sprintf("{WIFSTOPPED(s) && WSTOPSIG(s) == %s", c.sigName(n&0x7f))
		if n&0x80 != 0 {
			out += " | 0x80"
		}
		out += "}"
		if event != 0 {
			out += fmt.Sprintf(" | %#x", event<<16)
		}
		return out
	case sig == 0:
		return fmt.Sprintf("{WIFEXITED(s) && WEXITSTATUS(s) == %d}", s>>8&0xff)
	}
	out := fmt.Sprintf("{WIFSIGNALED(s) && WTERMSIG(s) == %s", c.sigName(sig))
	if s&0x80 != 0 {
		out += " && WCOREDUMP(s)"
	}
	return out + "}"
}

// cloneHas tells whether one of clone's flags is set.
func (c *call) cloneHas(flags uint64, names ...string) bool {
	t := lookup("clone")
	for _, n := range names {
		if flags&t.value(c.a, n) != 0 {
			return true
		}
	}
	return false
}

// cloneFlags writes clone's first two arguments.
func (c *call) cloneFlags() string {
	flags := c.args[0] &^ 0xff
	s := c.sigName(int(c.args[0] & 0xff))
	switch {
	case flags == 0:
	case c.args[0]&0xff == 0:
		s = c.flags(flags, lookup("clone"))
	default:
		s = c.flags(flags, lookup("clone")) + "|" + s
	}
	return "child_stack=" + c.addr(c.args[1]) + ", flags=" + s
}

// cloneRest writes clone's other arguments as far as the flags ask for them;
// order names those from the third on.
func (c *call) cloneRest(order []string) string {
	arg := map[string]uint64{}
	for i, n := range order {
		arg[n] = c.args[2+i]
	}
	var out []string
	if c.cloneHas(c.args[0], "CLONE_PARENT_SETTID", "CLONE_PIDFD") {
		out = append(out, "parent_tid="+c.intAt(arg["ptid"]))
	}
	if c.cloneHas(c.args[0], "CLONE_SETTLS") {
		tls := c.addr(arg["tls"])
		if _, ok := c.a.Layout["user_desc"]; ok && c.a.Word == 4 {
			tls = c.userDesc(arg["tls"])
		}
		out = append(out, "tls="+tls)
	}
	if c.cloneHas(c.args[0], "CLONE_CHILD_SETTID", "CLONE_CHILD_CLEARTID") {
		out = append(out, "child_tidptr="+c.addr(arg["ctid"]))
	}
	if len(out) == 0 {
		return omitted
	}
	return strings.Join(out, ", ")
}

// clone3Out writes what the kernel stored where clone3's structure says.
func (c *call) clone3Out() string {
	r, ok := c.load("clone_args", c.args[0])
	if !ok || c.failed {
		return omitted
	}
	var out []string
	if c.cloneHas(r.uint("flags"), "CLONE_PIDFD") {
		out = append(out, "pidfd="+c.intAt(r.uint("pidfd")))
	}
	if c.cloneHas(r.uint("flags"), "CLONE_PARENT_SETTID") {
		out = append(out, "parent_tid="+c.intAt(r.uint("parent_tid")))
	}
	if len(out) == 0 {
		return omitted
	}
	return changed + "{" + strings.Join(out, ", ") + "}"
}

// intAt is the int at an address in brackets.
func (c *call) intAt(at uint64) string {
	v, ok := c.uint(at, 4)
	if !ok {
		return c.addr(at)
	}
	return fmt.Sprintf("[%d]", signed(v, 32))
}

// clone3 writes the structure of clone3.
func (c *call) clone3() string {
	at := c.word()
	r, ok := c.load("clone_args", at)
	if !ok || c.args[1] < 64 {
		return c.addr(at)
	}
	if n := c.args[1]; n < uint64(len(r.b)) {
		clear(r.b[n:])
	}
	flags := r.uint("flags")
	t := lookup("clone")
	out := []string{"flags=" + c.flags(flags, t, lookup("clone3"))}
	add := func(flag, field string) {
		if flags&t.value(c.a, flag) != 0 {
			out = append(out, field+"="+c.addr(r.uint(field)))
		}
	}
	add("CLONE_PIDFD", "pidfd")
	if flags&(t.value(c.a, "CLONE_CHILD_SETTID")|t.value(c.a, "CLONE_CHILD_CLEARTID")) != 0 {
		out = append(out, "child_tid="+c.addr(r.uint("child_tid")))
	}
	add("CLONE_PARENT_SETTID", "parent_tid")
	out = append(out, "exit_signal="+c.sigName(int(r.uint("exit_signal"))),
		"stack="+c.addr(r.uint("stack")), "stack_size="+hex(r.uint("stack_size")))
	add("CLONE_SETTLS", "tls")
	if r.uint("set_tid") != 0 || r.uint("set_tid_size") != 0 {
		out = append(out, "set_tid="+c.ints(r.uint("set_tid"), min(r.uint("set_tid_size"), 32), 4, values["d"]("")),
			fmt.Sprintf("set_tid_size=%d", r.uint("set_tid_size")))
	}
	if g := r.uint("cgroup"); g != 0 {
		out = append(out, fmt.Sprintf("cgroup=%d", g))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// personality writes an execution domain, and the result's.
func (c *call) personality() string {
	v := c.word() & 0xffffffff
	if v == 0xffffffff {
		return "0xffffffff"
	}
	return c.persona(v)
}

func (c *call) persona(v uint64) string {
	t := lookup("pers").name(c.a, v&0xff)
	if t == "" {
		t = hex(v&0xff) + " /* PER_??? */"
	}
	return c.or(t, v&^0xff, lookup("persflags"))
}

// userDesc writes the descriptor of a thread's storage (asm/ldt.h).
func (c *call) userDesc(at uint64) string {
	r, ok := c.load("user_desc", at)
	if !ok {
		return c.addr(at)
	}
	f := r.uint("flags")
	bit := func(n uint) uint64 { return f >> n & 1 }
	s := fmt.Sprintf("{entry_number=%d, base_addr=%s, limit=%s, seg_32bit=%d, contents=%d, read_exec_only=%d, limit_in_pages=%d, seg_not_present=%d, useable=%d",
		int32(r.uint("entry_number")), zeroHex(r.uint("base_addr"), 8), zeroHex(r.uint("limit"), 5), bit(0), f>>1&3, bit(3), bit(4), bit(5), bit(6))
	if c.a.Word == 8 {
		s += fmt.Sprintf(", lm=%d", bit(7))
	}
	return s + "}"
}

// zeroHex writes a number as C's %#0*x does: width counts the 0x, which a 0
// does not have.
func zeroHex(v uint64, width int) string {
	if v == 0 {
		return strings.Repeat("0", width)
	}
	return fmt.Sprintf("0x%0*x", width-2, v)
}

// kcmpArgs writes kcmp's last arguments as far as its type takes them.
func (c *call) kcmpArgs() string {
	a, b := c.word(), c.word()
	switch lookup("kcmp").name(c.a, c.args[2]&0xffffffff) {
	case "KCMP_FILE":
		return fmt.Sprintf("%d, %d", signed(a, 32), signed(b, 32))
	case "KCMP_EPOLL_TFD":
		return fmt.Sprintf("%d, %s", signed(a, 32), c.addr(b))
	case "":
		return hex(a) + ", " + hex(b)
	}
	return omitted
}

// seccompFlags writes the flags that one operation has.
func (c *call) seccompFlags() string {
	v := c.word() & 0xffffffff
	if lookup("seccomp").name(c.a, c.args[0]&0xffffffff) == "SECCOMP_SET_MODE_FILTER" {
		return c.flags(v, lookup("seccompflags"))
	}
	return hex(v)
}

// seccompArg writes what an operation takes.
func (c *call) seccompArg() string {
	at := c.args[2]
	switch lookup("seccomp").name(c.a, c.args[0]&0xffffffff) {
	case "SECCOMP_SET_MODE_FILTER":
		return c.structAt("sock_fprog", at)
	case "SECCOMP_GET_ACTION_AVAIL":
		v, ok := c.uint(at, 4)
		if !ok {
			return c.addr(at)
		}
		return "[" + c.enum(lookup("seccompaction"), v) + "]"
	case "SECCOMP_GET_NOTIF_SIZES":
		return omitted
	}
	return c.addr(at)
}

// seccompOut writes what an operation tells.
func (c *call) seccompOut() string {
	if lookup("seccomp").name(c.a, c.args[0]&0xffffffff) != "SECCOMP_GET_NOTIF_SIZES" {
		return omitted
	}
	b, ok := c.read(c.args[2], 6)
	if !ok || c.failed {
		return c.addr(c.args[2])
	}
	return fmt.Sprintf("{seccomp_notif=%d, seccomp_notif_resp=%d, seccomp_data=%d}", c.number(b[:2]), c.number(b[2:4]), c.number(b[4:]))
}

// keySerial writes the number of a key, some of which have names.
func (c *call) keySerial(v uint64) string {
	if n := lookup("keyspec").name(c.a, v&0xffffffff); n != "" {
		return n
	}
	return fmt.Sprint(signed(v, 32))
}

// keyctlArgs writes the arguments of an operation on keys.
func (c *call) keyctlArgs() string {
	a := c.args[1:]
	key := c.keySerial
	list := func(s ...string) string { return strings.Join(s, ", ") }
	switch lookup("keyctl").name(c.a, c.args[0]&0xffffffff) {
	case "KEYCTL_GET_KEYRING_ID":
		return list(key(a[0]), fmt.Sprint(signed(a[1], 32)))
	case "KEYCTL_JOIN_SESSION_KEYRING":
		return c.str(a[0])
	case "KEYCTL_REVOKE", "KEYCTL_CLEAR", "KEYCTL_INVALIDATE", "KEYCTL_ASSUME_AUTHORITY":
		return key(a[0])
	case "KEYCTL_LINK", "KEYCTL_UNLINK":
		return list(key(a[0]), key(a[1]))
	case "KEYCTL_DESCRIBE", "KEYCTL_READ", "KEYCTL_GET_SECURITY":
		return list(key(a[0]), c.addr(a[1]), fmt.Sprint(a[2]))
	case "KEYCTL_UPDATE":
		return list(key(a[0]), c.buf(a[1], a[2]), fmt.Sprint(a[2]))
	}
	return list(hex(a[0]), hex(a[1]), hex(a[2]), hex(a[3]))
}

// syslogArgs writes what syslog is to do, and the arguments that are known.
func (c *call) syslogArgs() string {
	op := c.args[0] & 0xffffffff
	name := lookup("syslog").name(c.a, op)
	if name == "" {
		name = lookup("syslog").unknown
	}
	return fmt.Sprintf("%d /* %s */", signed(op, 32), name)
}

// syslogBuffer writes the buffer and the size, of operations that have them.
func (c *call) syslogBuffer() string {
	at, n := c.args[1], c.args[2]&0xffffffff
	switch op := c.args[0] & 0xffffffff; {
	case op >= 2 && op <= 4:
		if c.failed {
			return c.addr(at) + fmt.Sprintf(", %d", n)
		}
		return c.buf(at, c.count()) + fmt.Sprintf(", %d", n)
	case op == 8:
		level := [...]string{"EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG"}
		if n < uint64(len(level)) {
			return fmt.Sprintf("%s, %d /* LOGLEVEL_%s */", c.addr(at), n, level[n])
		}
		return fmt.Sprintf("%s, %d /* LOGLEVEL_??? */", c.addr(at), n)
	case op > 10:
		return fmt.Sprintf("%s, %d", c.addr(at), n)
	}
	return omitted
}

// futex writes the arguments of a futex operation.
func (c *call) futex(layout string) string {
	op := c.args[1] & 0xffffffff
	val, val2, val3 := c.args[2]&0xffffffff, c.args[3]&0xffffffff, c.args[5]&0xffffffff
	name := lookup("futexop").name(c.a, op&127)
	out := []string{c.addr(c.args[0]), c.futexOp(op, name)}
	add := func(s ...string) { out = append(out, s...) }
	u := func(v uint64) string { return fmt.Sprint(v) }
	wait := func() string { return c.structAt(layout, c.args[3]) }
	switch name {
	case "FUTEX_WAIT":
		add(u(val), wait())
	case "FUTEX_LOCK_PI", "FUTEX_LOCK_PI2":
		add(wait())
	case "FUTEX_WAIT_BITSET":
		add(u(val), wait(), bitset(val3))
	case "FUTEX_WAKE_BITSET":
		add(u(val), bitset(val3))
	case "FUTEX_REQUEUE":
		add(u(val), u(val2), c.addr(c.args[4]))
	case "FUTEX_CMP_REQUEUE", "FUTEX_CMP_REQUEUE_PI":
		add(u(val), u(val2), c.addr(c.args[4]), u(val3))
	case "FUTEX_WAKE_OP":
		add(u(val), u(val2), c.addr(c.args[4]), c.futexWakeOp(val3))
	case "FUTEX_WAIT_REQUEUE_PI":
		add(u(val), wait(), c.addr(c.args[4]))
	case "FUTEX_FD", "FUTEX_WAKE":
		add(u(val))
	case "FUTEX_UNLOCK_PI", "FUTEX_TRYLOCK_PI":
	default:
		add(u(val), c.addr(c.args[3]), c.addr(c.args[4]), hex(val3))
	}
	return strings.Join(out, ", ")
}

// Flags of a futex operation (linux/futex.h).
const (
	futexPrivate  = 128
	futexRealtime = 256
)

func (c *call) futexOp(op uint64, name string) string {
	if name == "" || op&^(127|futexPrivate|futexRealtime) != 0 ||
		op&futexRealtime != 0 && name != "FUTEX_WAIT" && name != "FUTEX_WAIT_BITSET" && name != "FUTEX_WAIT_REQUEUE_PI" || c.p.Consts == ConstsRaw {
		return c.enum(lookup("futexop"), op)
	}
	if op&futexPrivate != 0 {
		name += "_PRIVATE"
	}
	if op&futexRealtime != 0 {
		name += "|FUTEX_CLOCK_REALTIME"
	}
	if c.p.Consts == ConstsVerbose {
		return hex(op) + " /* " + name + " */"
	}
	return name
}

func bitset(v uint64) string {
	if v == 0xffffffff {
		return "FUTEX_BITSET_MATCH_ANY"
	}
	return hex(v)
}

func (c *call) futexWakeOp(v uint64) string {
	s := ""
	if v>>31 != 0 {
		s = "FUTEX_OP_OPARG_SHIFT<<28|"
	}
	op, cmp := lookup("futexwake").name(c.a, v>>28&7), lookup("futexcmp").name(c.a, v>>24&15)
	if op == "" {
		op = hex(v >> 28 & 7)
	}
	if cmp == "" {
		cmp = hex(v >> 24 & 15)
	}
	return fmt.Sprintf("%s%s<<28|%s<<12|%s<<24|%s", s, op, hex(v>>12&0xfff), cmp, hex(v&0xfff))
}

// cpus writes a set of processors of n bytes.
func (c *call) cpus(addr, n uint64) string {
	b, ok := c.read(addr, int(min(n, 1<<16)))
	if !ok {
		return c.addr(addr)
	}
	var l []string
	w := c.a.Word
	for i := 0; i+w <= len(b); i += w {
		v := c.number(b[i : i+w])
		for j := range 8 * w {
			if v>>j&1 != 0 {
				l = append(l, fmt.Sprint(8*i+j))
			}
		}
	}
	return "[" + strings.Join(l, " ") + "]"
}

func (c *call) ioprio(v uint64) string {
	return fmt.Sprintf("IOPRIO_PRIO_VALUE(%s, %d)", c.enum(lookup("ioclass"), v>>13&7), v&0x1fff)
}

// capabilities writes the data of capget and capset.
func (c *call) capabilities() string {
	at := c.word()
	v, ok := c.uint(c.args[0], 4)
	words := 2
	if !ok || v == 0x19980330 {
		words = 1
	}
	b, ok := c.read(at, 12*words)
	if !ok || c.exiting && c.failed {
		return c.addr(at)
	}
	set := func(i int) string {
		var m uint64
		for w := range words {
			m |= c.number(b[12*w+4*i:12*w+4*i+4]) << (32 * w)
		}
		if m == 0 {
			return "0"
		}
		return c.capSet(m)
	}
	return fmt.Sprintf("{effective=%s, permitted=%s, inheritable=%s}", set(0), set(1), set(2))
}

func (c *call) capSet(m uint64) string {
	var l []string
	for _, e := range lookup("cap").list {
		if m>>e.val&1 != 0 {
			l = append(l, "1<<"+e.name)
			m &^= 1 << e.val
		}
	}
	if m != 0 {
		l = append(l, hex(m))
	}
	return strings.Join(l, "|")
}

// groups writes an array of group ids.
func (c *call) groups(n uint64, size int) string {
	if size == 0 {
		size = c.idSize()
	}
	return c.ints(c.word(), n, size, values["uid"](""))
}
