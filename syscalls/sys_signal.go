package syscalls

import (
	"time"

	"golang.org/x/sys/unix"
)

var signalRows = []Row{
	{Name: "rt_sigaction", Fn: sysRtSigaction, Level: Full},
	{Name: "sigaction", Fn: sysSigaction, Level: Full},
	{Name: "signal", Fn: sysSignal, Level: Full},
	{Name: "rt_sigprocmask", Fn: sysRtSigprocmask, Level: Full},
	{Name: "sigprocmask", Fn: sysSigprocmask, Level: Full},
	{Name: "sgetmask", Fn: sysSgetmask, Level: Full},
	{Name: "ssetmask", Fn: sysSsetmask, Level: Full},
	{Name: "rt_sigpending", Fn: sysRtSigpending, Level: Full},
	{Name: "sigpending", Fn: sysSigpending, Level: Full},
	{Name: "rt_sigsuspend", Fn: sysRtSigsuspend, Level: Full},
	{Name: "sigsuspend", Fn: sysSigsuspend, Level: Full},
	{Name: "pause", Fn: sysPause, Level: Full},
	{Name: "rt_sigtimedwait", Fn: sysRtSigtimedwait, Level: Full},
	{Name: "rt_sigtimedwait_time64", Fn: sysRtSigtimedwait64, Level: Full},
	{Name: "sigaltstack", Fn: sysSigaltstack, Level: Full},
	{Name: "kill", Fn: sysKill, Level: Full},
	{Name: "tkill", Fn: sysTkill, Level: Full},
	{Name: "tgkill", Fn: sysTgkill, Level: Full},
	{Name: "rt_sigqueueinfo", Fn: sysRtSigqueueinfo, Level: Full},
	{Name: "rt_tgsigqueueinfo", Fn: sysRtTgsigqueueinfo, Level: Full},
	{Name: "pidfd_send_signal", Fn: sysPidfdSendSignal, Level: Full},
	{Name: "restart_syscall", Fn: sysRestartSyscall, Level: Full},
	{Name: "sigreturn", Fn: sysReturn(false), Level: Full},
	{Name: "rt_sigreturn", Fn: sysReturn(true), Level: Full},
	{Name: "swapcontext", Fn: sysSwapcontext, Level: Partial, Note: "32 bits only"},
}

// The flags of sigaction(2) (asm-generic/signal-defs.h); sigactionFlags are
// those that the kernel keeps (UAPI_SA_FLAGS), the ones an architecture adds
// come from its constants.
const (
	saNoCldStop    = 0x1
	saNoCldWait    = 0x2
	saSiginfo      = 0x4
	saExposeTags   = 0x800
	saOnStack      = 0x0800_0000
	saRestart      = 0x1000_0000
	saNoDefer      = 0x4000_0000
	saResetHand    = 0x8000_0000
	sigactionFlags = saNoCldStop | saNoCldWait | saSiginfo | saExposeTags | saOnStack | saRestart | saNoDefer | saResetHand
)

// act changes a disposition and returns the one before (do_sigaction).
func (c *Ctx) act(no int, d *disposition) (old disposition, err error) {
	s := unix.Signal(no)
	if no < 1 || no > nsig || d != nil && unblockable.has(s) {
		return old, unix.EINVAL
	}
	if d == nil {
		return c.P.Sig.get(s), nil
	}
	d.flags &= sigactionFlags | c.A.Const["SA_RESTORER"] | c.A.Const["SA_THIRTYTWO"]
	d.mask &^= unblockable
	old = c.P.Sig.set(s, *d)
	c.P.sigMu.Lock()
	defer c.P.sigMu.Unlock()
	ts := c.task()
	if d.ignores(s) {
		c.P.flush(sigs(s))
	}
	if c.P.waiting(ts, ts.blocked) != 0 {
		ts.alarm.Store(true)
	}
	return old, nil
}

// setDisposition puts d into a struct sigaction or old_sigaction.
func (s *Struct) setDisposition(d *disposition) {
	s.Set("sa_handler", d.handler)
	s.Set("sa_flags", d.flags)
	s.Set("sa_restorer", d.restorer)
	if m := s.Field("sa_mask"); len(m) == sigsetSize {
		putSigset(s.a, m, d.mask)
	} else {
		s.Set("sa_mask", uint64(uint32(d.mask)))
	}
}

func (s *Struct) disposition() *disposition {
	d := &disposition{handler: s.Uint("sa_handler"), flags: s.Uint("sa_flags"), restorer: s.Uint("sa_restorer")}
	if m := s.Field("sa_mask"); len(m) == sigsetSize {
		d.mask = getSigset(s.a, m)
	} else {
		d.mask = sigset(s.Uint("sa_mask"))
	}
	return d
}

// sigaction serves both forms; which is the structure's name.
func (c *Ctx) sigaction(which string, no int, actp, oldp uint64) (uint64, error) {
	var d *disposition
	if actp != 0 {
		s, err := c.LoadStruct(which, actp)
		if err != nil {
			return 0, err
		}
		d = s.disposition()
	}
	old, err := c.act(no, d)
	if err != nil || oldp == 0 {
		return 0, err
	}
	s := c.NewStruct(which)
	s.setDisposition(&old)
	return 0, s.Store(c, oldp)
}

func sysRtSigaction(c *Ctx) (uint64, error) {
	no, actp, oldp := c.Int(), c.Addr(), c.Addr()
	if c.Size() != sigsetSize {
		return 0, unix.EINVAL
	}
	return c.sigaction("sigaction", no, actp, oldp)
}

func sysSigaction(c *Ctx) (uint64, error) {
	if !c.HasStruct("old_sigaction") {
		return 0, unix.ENOSYS
	}
	return c.sigaction("old_sigaction", c.Int(), c.Addr(), c.Addr())
}

func sysSignal(c *Ctx) (uint64, error) {
	if c.A.Word == 8 {
		return 0, unix.ENOSYS
	}
	no := c.Int()
	old, err := c.act(no, &disposition{handler: c.Addr(), flags: saResetHand | saNoDefer})
	return old.handler, err
}

// changeMask applies how of sigprocmask(2) with m to the task's mask.
func (c *Ctx) changeMask(how int, m sigset) error {
	ts := c.task()
	old := ts.blocked
	switch how {
	case unix.SIG_BLOCK:
		m |= old
	case unix.SIG_UNBLOCK:
		m = old &^ m
	case unix.SIG_SETMASK:
	default:
		return unix.EINVAL
	}
	c.P.setMask(ts, m)
	return nil
}

func sysRtSigprocmask(c *Ctx) (uint64, error) {
	how, setp, oldp, size := c.Int(), c.Addr(), c.Addr(), c.Size()
	if size != sigsetSize {
		return 0, unix.EINVAL
	}
	old := c.task().blocked
	if setp != 0 {
		m, err := c.readSigset(setp, size)
		if err != nil {
			return 0, err
		}
		if err := c.changeMask(how, m); err != nil {
			return 0, err
		}
	}
	if oldp == 0 {
		return 0, nil
	}
	return 0, c.writeSigset(oldp, old, size)
}

// oldMask are the signals that fit into an old_sigset_t of 32-bit calls.
const oldMask sigset = 0xffffffff

func sysSigprocmask(c *Ctx) (uint64, error) {
	how, setp, oldp := c.Int(), c.Addr(), c.Addr()
	if c.A.Word == 8 {
		return 0, unix.ENOSYS
	}
	old := c.task().blocked
	if setp != 0 {
		v, err := c.Read32(setp)
		if err != nil {
			return 0, err
		}
		m := sigset(v) &^ unblockable
		if how == unix.SIG_SETMASK {
			m |= old &^ oldMask
		}
		if err := c.changeMask(how, m); err != nil {
			return 0, err
		}
	}
	if oldp == 0 {
		return 0, nil
	}
	return 0, c.Write32(oldp, uint32(old))
}

func sysSgetmask(c *Ctx) (uint64, error) {
	return c.A.Addr(uint64(c.task().blocked)), nil
}

func sysSsetmask(c *Ctx) (uint64, error) {
	m := c.A.Addr(uint64(c.Int())) // an int is widened to the first long of the mask
	return c.A.Addr(uint64(int32(c.P.setMask(c.task(), sigset(m))))), nil
}

// pendingSet is what sigpending(2) returns.
func (c *Ctx) pendingSet() sigset {
	ts := c.task()
	c.P.sigMu.Lock()
	defer c.P.sigMu.Unlock()
	return (ts.pend.set | c.P.shared.set) & ts.blocked
}

func sysRtSigpending(c *Ctx) (uint64, error) {
	addr, size := c.Addr(), c.Size()
	if size > sigsetSize {
		return 0, unix.EINVAL
	}
	return 0, c.writeSigset(addr, c.pendingSet(), size)
}

func sysSigpending(c *Ctx) (uint64, error) {
	if c.A.Word == 8 {
		return 0, unix.ENOSYS
	}
	return 0, c.Write32(c.Addr(), uint32(c.pendingSet()))
}

// suspend waits for a signal with the mask m in place.
func (c *Ctx) suspend(m sigset) (uint64, error) {
	c.P.saveMask(c.task(), m)
	c.sleep(-1)
	return 0, unix.EINTR
}

func sysRtSigsuspend(c *Ctx) (uint64, error) {
	m, err := c.readSigset(c.Addr(), c.Size())
	if err != nil {
		return 0, err
	}
	return c.suspend(m)
}

func sysSigsuspend(c *Ctx) (uint64, error) {
	if c.A.Word == 8 {
		return 0, unix.ENOSYS
	}
	if c.A.ABI.SuspendThird {
		c.Rewind(2)
	}
	return c.suspend(sigset(c.Uint()))
}

func sysPause(c *Ctx) (uint64, error) {
	c.sleep(-1)
	return 0, unix.EINTR
}

func sysRtSigtimedwait(c *Ctx) (uint64, error)   { return c.sigtimedwait(false) }
func sysRtSigtimedwait64(c *Ctx) (uint64, error) { return c.sigtimedwait(true) }

func (c *Ctx) sigtimedwait(wide bool) (uint64, error) {
	setp, infop, timep, size := c.Addr(), c.Addr(), c.Addr(), c.Size()
	set, err := c.readSigset(setp, size)
	if err != nil {
		return 0, err
	}
	d := time.Duration(-1)
	if timep != 0 {
		ts, err := c.getTimespec(timep, wide)
		if err != nil {
			return 0, err
		}
		if !validTime(ts) {
			return 0, unix.EINVAL
		}
		d = duration(ts)
	}
	set &^= unblockable
	si, ok := c.takeOf(set)
	if !ok && d != 0 {
		woken := c.sleepFor(set, d)
		if si, ok = c.takeOf(set); !ok && woken {
			return 0, unix.EINTR
		}
	}
	if !ok {
		return 0, unix.EAGAIN
	}
	if infop != 0 {
		if err := si.store(c, infop); err != nil {
			return 0, err
		}
	}
	return uint64(si.No), nil
}

// sleepFor is sleep with the signals of set unblocked.
func (c *Ctx) sleepFor(set sigset, d time.Duration) bool {
	ts := c.task()
	real := func(m sigset) {
		c.P.sigMu.Lock()
		defer c.P.sigMu.Unlock()
		ts.real = m
	}
	real(ts.blocked)
	defer real(0)
	old := c.P.setMask(ts, ts.blocked&^set)
	defer c.P.setMask(ts, old)
	return c.sleep(d)
}

// takeOf takes a pending signal of a set.
func (c *Ctx) takeOf(set sigset) (sigInfo, bool) {
	ts := c.task()
	c.P.sigMu.Lock()
	defer c.P.sigMu.Unlock()
	q := sigQueue{set: ts.pend.set | c.P.shared.set}
	no := q.next(set)
	if no == 0 {
		return sigInfo{}, false
	}
	return c.P.takeSignal(ts, no), true
}

// The flags of sigaltstack(2) (linux/signal.h).
const (
	ssOnStack    = 1
	ssDisable    = 2
	ssAutoDisarm = 1 << 31
)

// on tells whether a stack pointer is on the signal stack.
func (a *altStack) on(sp uint64) bool {
	return a.size != 0 && a.flags&ssAutoDisarm == 0 && sp > a.sp && sp-a.sp <= a.size
}

func sysSigaltstack(c *Ctx) (uint64, error) {
	newp, oldp := c.Addr(), c.Addr()
	ts := c.task()
	old := ts.alt
	onStack := old.on(c.stackPointer())
	if newp != 0 {
		s, err := c.LoadStruct("stack_t", newp)
		if err != nil {
			return 0, err
		}
		if onStack {
			return 0, unix.EPERM
		}
		a, err := c.newAltStack(altStack{sp: s.Uint("ss_sp"), size: s.Uint("ss_size"), flags: uint32(s.Uint("ss_flags"))})
		if err != nil {
			return 0, err
		}
		ts.alt = a
	}
	if oldp == 0 {
		return 0, nil
	}
	s := c.NewStruct("stack_t")
	s.Set("ss_sp", old.sp)
	s.Set("ss_size", old.size)
	flags := old.flags & ssAutoDisarm
	switch {
	case old.size == 0:
		flags |= ssDisable
	case onStack:
		flags |= ssOnStack
	}
	s.Set("ss_flags", uint64(flags))
	return 0, s.Store(c, oldp)
}

// newAltStack checks what sigaltstack is given (do_sigaltstack).
func (c *Ctx) newAltStack(a altStack) (altStack, error) {
	switch a.flags &^ ssAutoDisarm {
	case ssDisable:
		return altStack{flags: a.flags}, nil
	case 0, ssOnStack:
	default:
		return a, unix.EINVAL
	}
	if a.size < c.A.Const["MINSIGSTKSZ"] {
		return a, unix.ENOMEM
	}
	return a, nil
}

// stackPointer is the caller's.
func (c *Ctx) stackPointer() uint64 {
	cpu := c.T.CPU()
	if cpu == nil {
		return 0
	}
	return c.A.Addr(cpu.Reg(c.A.SP))
}
