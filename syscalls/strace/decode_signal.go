package strace

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
	"github.com/utemu/utemu/syscalls"
)

// sigRTMin is the first real-time signal of the kernel.
const sigRTMin = 32

// SignalName is the name of a signal as strace writes it: "SIGRT_2", and the
// number of one that is none.
func SignalName(n int) string {
	switch {
	case n == sigRTMin:
		return "SIGRTMIN"
	case n > sigRTMin && n <= 64:
		return fmt.Sprintf("SIGRT_%d", n-sigRTMin)
	case n > 0:
		if s := unix.SignalName(unix.Signal(n)); s != "" {
			return s
		}
	}
	return strconv.Itoa(n)
}

func (c *call) sigName(n int) string {
	s := SignalName(n)
	if s == strconv.Itoa(n) {
		return s
	}
	return c.named(strconv.Itoa(n), s)
}

// sigset writes a set of signals: those that are in it, or with "~" those that
// are not if they are fewer.
func (c *call) sigset(m uint64, n int) string {
	all := uint64(1)<<n - 1
	if n == 64 {
		all = ^uint64(0)
	}
	m &= all
	not := ""
	if bits.OnesCount64(m) >= n*2/3 {
		m, not = ^m&all, "~"
	}
	var l []string
	for i := 1; i <= n; i++ {
		if m>>(i-1)&1 == 0 {
			continue
		}
		l = append(l, c.named(strconv.Itoa(i), strings.TrimPrefix(SignalName(i), "SIG")))
	}
	return not + "[" + strings.Join(l, " ") + "]"
}

// signalKinds are arguments of calls on signals.
func signalKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"sigset":     index(func(c *call, n int) string { return c.sigsetAt(c.word(), c.args[n]) }),
		"oldset":     plainKind(func(c *call) string { return c.sigsetAt(c.word(), uint64(c.a.Word)) }),
		"oldmask":    plainKind(func(c *call) string { return c.sigset(c.word(), c.wordBits()) }),
		"handlerarg": plainKind(func(c *call) string { return c.handler(c.word()) }),
		"frame":      plainKind((*call).frame),
		"siginfo":    plainKind(func(c *call) string { return c.structAt("siginfo", c.word()) }),
	}
}

// sigsetAt writes the set of n bytes at an address.
func (c *call) sigsetAt(at, n uint64) string {
	if n < uint64(c.a.Word) || n > 8 {
		return c.addr(at)
	}
	b, ok := c.read(at, int(n))
	if !ok {
		return c.addr(at)
	}
	return c.sigset(c.mask(b), 8*len(b))
}

// frame writes the mask in the frame that sigreturn goes back by.
func (c *call) frame() string {
	s := c.a.ABI.Signals
	if s.Return == nil || !c.p.Decode.Has(c.name) {
		return omitted
	}
	back, err := s.Return(onlooker{c.t.CPU()}, spaceReader{c.t.Proc.Space}, c.name == "rt_sigreturn")
	if err != nil {
		return omitted
	}
	return "{mask=" + c.sigset(back.Mask, 64) + "}"
}

// onlooker is a CPU that nothing changes.
type onlooker struct{ arch.CPU }

func (onlooker) SetReg(regset.ID, uint64)   {}
func (onlooker) SetBytes(regset.ID, []byte) {}
func (onlooker) DropCode(_, _ uint64)       {}

// spaceReader is guest memory that is only read.
type spaceReader struct{ *emu.Space }

func (spaceReader) CopyOut([]byte, uint64) error { return unix.EFAULT }

// mask is a kernel sigset: an array of longs, the first with the lowest
// signals.
func (c *call) mask(b []byte) uint64 {
	w := min(c.a.Word, len(b))
	var m uint64
	for i := 0; i+w <= len(b); i += w {
		m |= c.number(b[i:i+w]) << (8 * i)
	}
	return m
}

// handler writes a signal's disposition.
func (c *call) handler(v uint64) string {
	switch v {
	case 0:
		return c.named("0", "SIG_DFL")
	case 1:
		return c.named("0x1", "SIG_IGN")
	case c.a.Addr(^uint64(0)):
		return c.named(hex(v), "SIG_ERR")
	}
	return hex(v)
}

// sigaction writes both forms of struct sigaction.
func (r record) sigaction() string {
	c := r.c
	flags := r.uint("sa_flags")
	s := fmt.Sprintf("{sa_handler=%s, sa_mask=%s, sa_flags=%s", c.handler(r.uint("sa_handler")),
		c.sigset(c.mask(r.field("sa_mask")), 8*len(r.field("sa_mask"))), c.flags(flags, lookup("sa")))
	if flags&lookup("sa").value(c.a, "SA_RESTORER") != 0 {
		s += ", sa_restorer=" + c.addr(r.uint("sa_restorer"))
	}
	return s + "}"
}

// siCode is the name of a si_code of a signal.
func (c *call) siCode(sig, code int) string {
	t := tables()["sicode"+strconv.Itoa(sig)]
	if n := lookup("sicode").name(c.a, uint64(code)); n != "" {
		return c.named(hex(uint64(uint32(code))), n)
	}
	if t != nil {
		if n := t.name(c.a, uint64(code)); n != "" {
			return c.named(hex(uint64(uint32(code))), n)
		}
	}
	if code < 0 {
		return strconv.Itoa(code)
	}
	return hex(uint64(code))
}

// siginfo writes siginfo_t by the rules of copy_siginfo_to_user.
func (r record) siginfo() string {
	c := r.c
	sig, code := int(r.int("si_signo")), int(r.int("si_code"))
	if sig == 0 {
		return "{}"
	}
	s := fmt.Sprintf("{si_signo=%s, si_code=%s", c.sigName(sig), c.siCode(sig, code))
	if e := r.int("si_errno"); e != 0 {
		s += ", si_errno=" + c.errorValue(e)
	}
	source := func() { s += fmt.Sprintf(", si_pid=%d, si_uid=%d", r.int("si_pid"), r.uint("si_uid")) }
	value := func() { s += fmt.Sprintf(", si_int=%d, si_ptr=%s", r.int("si_int"), c.addr(r.uint("si_ptr"))) }
	fault := sig == int(unix.SIGILL) || sig == int(unix.SIGFPE) || sig == int(unix.SIGBUS) || sig == int(unix.SIGSEGV) || sig == int(unix.SIGTRAP)
	switch {
	case code == 0 || code == -6: // SI_USER, SI_TKILL
		source()
	case code == -2: // SI_TIMER
		s += fmt.Sprintf(", si_timerid=%s, si_overrun=%d", hex(r.uint("si_timerid")), r.int("si_overrun"))
		value()
	case code < 0:
		source()
		if r.uint("si_ptr") != 0 {
			value()
		}
	case sig == int(unix.SIGCHLD):
		source()
		status := fmt.Sprint(r.int("si_status"))
		if code != 1 { // CLD_EXITED
			status = c.sigName(int(r.int("si_status")))
		}
		s += fmt.Sprintf(", si_status=%s, si_utime=%s, si_stime=%s", status, c.clockTicks(r.uint("si_utime")), c.clockTicks(r.uint("si_stime")))
	case fault:
		s += ", si_addr=" + c.addr(r.uint("si_addr"))
	case sig == int(unix.SIGIO):
		s += fmt.Sprintf(", si_band=%d, si_fd=%d", r.int("si_band"), r.int("si_fd"))
	case sig == int(unix.SIGSYS):
		s += fmt.Sprintf(", si_call_addr=%s, si_syscall=%s", c.addr(r.uint("si_call_addr")), callName(c.a, r.uint("si_syscall")))
	default:
		if r.uint("si_pid") != 0 || r.uint("si_uid") != 0 {
			source()
		}
		if r.uint("si_ptr") != 0 {
			value()
		}
	}
	return s + "}"
}

// SignalText is what strace tells of a signal that a task gets, in braces.
func (p *Printer) SignalText(t *emu.Task, s emu.Signal) string {
	a := t.Proc.Arch
	c := &call{p: p, t: t, a: a}
	return record{c, a.Layout["siginfo"], syscalls.Siginfo(a, s)}.siginfo()
}

// SignalLine is the whole line of it.
func (p *Printer) SignalLine(t *emu.Task, s emu.Signal) string {
	return fmt.Sprintf("--- %s %s ---", SignalName(int(s.No)), p.SignalText(t, s))
}

// EndLine is the line of how a task ended.
func EndLine(s emu.Status) string {
	switch {
	case s.Signal == 0:
		return fmt.Sprintf("+++ exited with %d +++", s.Code&0xff)
	case s.Core:
		return fmt.Sprintf("+++ killed by %s (core dumped) +++", SignalName(int(s.Signal)))
	}
	return fmt.Sprintf("+++ killed by %s +++", SignalName(int(s.Signal)))
}
