package strace

import (
	"fmt"
	"strings"
)

// meanings tell what a result means beyond its number.
var meanings map[string]func(param string) func(c *call)

func defineMeanings() {
	plain := func(f func(c *call)) func(string) func(*call) { return func(string) func(*call) { return f } }
	named := func(table string) func(string) func(*call) {
		return plain(func(c *call) { c.aux = lookup(table).name(c.a, c.ret) })
	}
	meanings = map[string]func(string) func(*call){
		"sched":       named("sched"),
		"adjtime":     named("timexstate"),
		"time":        plain(func(c *call) { c.aux = dateText(c.value(), 0) }),
		"signal":      plain(func(c *call) { c.aux = SignalName(int(c.value())) }),
		"ioprio":      plain(func(c *call) { c.style, c.aux = retHex, c.ioprio(c.ret) }),
		"fcntl":       plain((*call).fcntlMeaning),
		"prctl":       plain((*call).prctlMeaning),
		"personality": plain(func(c *call) { c.style, c.aux = retHex, c.persona(c.ret&0xffffffff) }),
		"oldmask":     plain(func(c *call) { c.aux = "old mask " + c.sigset(c.ret, c.wordBits()) }),
		"mask":        plain(func(c *call) { c.aux = "mask " + c.sigset(c.ret, c.wordBits()) }),
		"membarrier": plain(func(c *call) {
			if c.args[0] == 0 {
				c.style, c.aux = retHex, c.bitNames(c.ret, "membarrier")
			}
		}),
		"select": func(layout string) func(*call) {
			return func(c *call) { c.selectResult(c.args[0], c.args[1:4], c.args[4], layout) }
		},
		"oldselect": plain(func(c *call) {
			if r, ok := c.load("sel_arg_struct", c.args[0]); ok {
				c.selectResult(r.uint("n"), []uint64{r.uint("inp"), r.uint("outp"), r.uint("exp")}, r.uint("tvp"), "timeval")
			}
		}),
		"mmsg": func(layout string) func(*call) {
			return func(c *call) {
				switch {
				case c.ret == 0:
					c.aux = "Timeout"
				case c.args[4] != 0:
					c.aux = "left " + c.structAt(layout, c.args[4])
				}
			}
		},
		"threadarea": plain(func(c *call) {
			if r, ok := c.load("user_desc", c.args[0]); ok {
				c.aux = fmt.Sprintf("entry_number=%d", int32(r.uint("entry_number")))
			}
		}),
		"poll": func(layout string) func(*call) { return func(c *call) { c.pollResult(layout) } },
	}
}

// bitNames are the names of the bits of a result, without those that have none.
func (c *call) bitNames(v uint64, table string) string {
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	names, rest := c.bits(v, lookup(table))
	if rest != 0 {
		names = append(names, hex(rest))
	}
	if c.p.Consts == ConstsVerbose {
		return hex(v) + " /* " + strings.Join(names, "|") + " */"
	}
	return strings.Join(names, "|")
}

// fcntlMeaning tells of the results of fcntl.
func (c *call) fcntlMeaning() {
	switch lookup("fcntl").name(c.a, c.args[1]&0xffffffff) {
	case "F_DUPFD", "F_DUPFD_CLOEXEC":
		c.style = retFD
	case "F_GETFD":
		if c.ret != 0 {
			c.style, c.aux = retHex, "flags "+c.bitNames(c.ret, "fd")
		}
	case "F_GETFL":
		c.style, c.aux = retHex, "flags "+c.openFlagNames(c.ret&0xffffffff)
	case "F_GETLEASE":
		c.style, c.aux = retHex, lookup("lock").name(c.a, c.ret)
	case "F_GETSIG":
		c.aux = SignalName(int(c.ret))
	case "F_GET_SEALS":
		if c.ret != 0 {
			c.style, c.aux = retHex, "seals "+c.bitNames(c.ret, "seals")
		}
	}
}

// prctlArg writes the arguments of prctl that it takes.
func (c *call) prctlArg() string {
	a := c.args
	rest := func(first int, s ...string) string {
		for i := first; i < 5; i++ {
			s = append(s, hex(a[i]))
		}
		return strings.Join(s, ", ")
	}
	switch op := lookup("prctl").name(c.a, a[0]&0xffffffff); op {
	case "PR_GET_KEEPCAPS", "PR_GET_SECCOMP", "PR_GET_TIMERSLACK", "PR_GET_TIMING", "PR_GET_DUMPABLE", "PR_GET_SECUREBITS",
		"PR_GET_FP_MODE", "PR_TASK_PERF_EVENTS_DISABLE", "PR_TASK_PERF_EVENTS_ENABLE", "PR_SVE_GET_VL", "PR_SME_GET_VL",
		"PR_GET_CHILD_SUBREAPER", "PR_GET_ENDIAN", "PR_GET_FPEMU", "PR_GET_FPEXC", "PR_GET_NAME", "PR_GET_PDEATHSIG",
		"PR_GET_TID_ADDRESS", "PR_GET_TSC", "PR_GET_UNALIGN":
		return omitted
	case "PR_SET_NO_NEW_PRIVS", "PR_SET_THP_DISABLE":
		return rest(2, fmt.Sprint(a[1]))
	case "PR_SET_PTRACER":
		if a[1] == c.a.Addr(^uint64(0)) {
			return "PR_SET_PTRACER_ANY"
		}
		return fmt.Sprint(signed(a[1], 32))
	case "PR_GET_SPECULATION_CTRL":
		return c.enum(lookup("prspec"), a[1])
	case "PR_SET_SPECULATION_CTRL":
		return c.enum(lookup("prspec"), a[1]) + ", " + c.enum(lookup("prspecset"), a[2])
	case "PR_SET_CHILD_SUBREAPER", "PR_SET_FPEMU", "PR_SET_FPEXC", "PR_SET_KEEPCAPS", "PR_SET_TIMING", "PR_SET_TIMERSLACK":
		return fmt.Sprint(a[1])
	case "PR_SET_ENDIAN":
		return fmt.Sprint(a[1])
	case "PR_SET_DUMPABLE":
		return c.enum(lookup("prdumpable"), a[1])
	case "PR_CAPBSET_DROP", "PR_CAPBSET_READ":
		return c.enum(lookup("cap"), a[1])
	case "PR_CAP_AMBIENT":
		s := c.enum(lookup("capambient"), a[1])
		if s == "PR_CAP_AMBIENT_CLEAR_ALL" || strings.Contains(s, "???") {
			return rest(2, s)
		}
		return rest(3, s, c.enum(lookup("cap"), a[2]))
	case "PR_MCE_KILL":
		s := c.enum(lookup("prmce"), a[1])
		if s == "PR_MCE_KILL_SET" {
			return rest(3, s, c.enum(lookup("prmcepolicy"), a[2]))
		}
		return rest(2, s)
	case "PR_SET_NAME":
		return c.taskName(a[1], 15)
	case "PR_SET_VMA":
		if a[1] == 0 {
			return fmt.Sprintf("PR_SET_VMA_ANON_NAME, %s, %d, %s", c.addr(a[2]), a[3], c.str(a[4]))
		}
		return rest(2, hex(a[1])+" /* PR_SET_VMA_??? */")
	case "PR_SET_PDEATHSIG":
		return c.sigName(int(a[1] & 0xffffffff))
	case "PR_SET_SECCOMP":
		s := c.enum(lookup("seccompmode"), a[1])
		switch s {
		case "SECCOMP_MODE_STRICT":
			return s
		case "SECCOMP_MODE_FILTER":
			return s + ", " + c.addr(a[2])
		}
		return rest(2, s)
	case "PR_SET_SECUREBITS":
		return c.flags(a[1], lookup("secbits"))
	case "PR_SET_TSC":
		return c.enum(lookup("prtsc"), a[1])
	case "PR_SET_UNALIGN":
		return c.flags(a[1], lookup("unalign"))
	case "PR_SET_MM":
		return rest(2, c.enum(lookup("prmm"), a[1]))
	}
	return rest(1)
}

// taskName writes a thread's name of at most n characters.
func (c *call) taskName(at uint64, n int) string {
	s, ended, ok := c.cstring(at, n+1)
	if !ok {
		return c.addr(at)
	}
	if ended {
		return c.quote(s, c.p.Hex)
	}
	return c.quote(s[:n], c.p.Hex) + "..."
}

// prctlOut writes the argument that prctl fills in.
func (c *call) prctlOut() string {
	at := c.args[1]
	number := func(f func(v uint64) string) string {
		v, ok := c.uint(at, 4)
		if !ok || c.failed {
			return c.addr(at)
		}
		return "[" + f(v) + "]"
	}
	switch lookup("prctl").name(c.a, c.args[0]&0xffffffff) {
	case "PR_GET_CHILD_SUBREAPER", "PR_GET_ENDIAN", "PR_GET_FPEMU", "PR_GET_FPEXC":
		return number(func(v uint64) string { return fmt.Sprint(v) })
	case "PR_GET_NAME":
		if c.failed {
			return c.addr(at)
		}
		return c.taskName(at, 16)
	case "PR_GET_PDEATHSIG":
		return number(func(v uint64) string { return c.sigName(int(v)) })
	case "PR_GET_TID_ADDRESS":
		v, ok := c.uint(at, c.a.Word)
		if !ok || c.failed {
			return c.addr(at)
		}
		return "[" + c.addr(v) + "]"
	case "PR_GET_TSC":
		return number(func(v uint64) string { return c.enum(lookup("prtsc"), v) })
	case "PR_GET_UNALIGN":
		return number(func(v uint64) string { return c.flags(v, lookup("unalign")) })
	}
	return omitted
}

func (c *call) prctlMeaning() {
	switch lookup("prctl").name(c.a, c.args[0]&0xffffffff) {
	case "PR_GET_DUMPABLE":
		c.aux = lookup("prdumpable").name(c.a, c.ret)
	case "PR_GET_SPECULATION_CTRL":
		if c.ret != 0 {
			c.style, c.aux = retHex, c.bitNames(c.ret, "prspecget")
		}
	case "PR_GET_SECUREBITS":
		if c.ret != 0 {
			c.style, c.aux = retHex, c.bitNames(c.ret, "secbits")
		}
	}
}

// archPrctl writes the arguments of arch_prctl as far as they are known before
// the call.
func (c *call) archPrctl() string {
	s := c.enum(lookup("archprctl"), c.args[0]&0xffffffff)
	switch s {
	case "ARCH_GET_FS", "ARCH_GET_GS", "ARCH_GET_CPUID", "ARCH_GET_XCOMP_SUPP", "ARCH_GET_XCOMP_PERM", "ARCH_GET_XCOMP_GUEST_PERM":
		return s
	case "ARCH_SET_FS", "ARCH_SET_GS":
		return s + ", " + c.addr(c.args[1])
	}
	return s + ", " + hex(c.args[1])
}

// archPrctlOut writes what arch_prctl tells.
func (c *call) archPrctlOut() string {
	switch lookup("archprctl").name(c.a, c.args[0]&0xffffffff) {
	case "ARCH_GET_FS", "ARCH_GET_GS":
		v, ok := c.uint(c.args[1], c.a.Word)
		if !ok || c.failed {
			return c.addr(c.args[1])
		}
		return "[" + c.addr(v) + "]"
	case "ARCH_GET_XCOMP_SUPP", "ARCH_GET_XCOMP_PERM", "ARCH_GET_XCOMP_GUEST_PERM":
		v, ok := c.uint(c.args[1], 8)
		if !ok || c.failed {
			return c.addr(c.args[1])
		}
		return "[" + hex(v) + "]"
	}
	return omitted
}
