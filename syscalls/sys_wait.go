package syscalls

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Codes of SIGCHLD (asm-generic/siginfo.h).
const (
	cldExited    = 1
	cldKilled    = 2
	cldDumped    = 3
	cldStopped   = 5
	cldContinued = 6
)

// saNoCldWait: see sys_signal.go.

// tellEnd tells the parent of a zombie of its end (do_notify_parent). It
// returns true if nobody wants to wait for it. family.mu is held.
func (p *Process) tellEnd() (gone bool) {
	q := p.parent
	if q == nil {
		gone = !p.first // init of the host would wait for it
		p.selfReaped.Store(gone)
		return gone
	}
	d := q.Sig.get(unix.SIGCHLD)
	gone = p.exitSignal == unix.SIGCHLD && p.leader.tracee == nil && (d.handler == sigIgn || d.flags&saNoCldWait != 0)
	p.selfReaped.Store(gone)
	if p.exitSignal != 0 && !(gone && d.handler == sigIgn) {
		_ = q.enqueue(q.leader, p.childInfo(p.exitSignal), true)
	}
	q.wakeWaits()
	return gone
}

// wakeWaits has the wait calls of a process look again (__wake_up_parent).
// family.mu is held.
func (p *Process) wakeWaits() {
	close(p.wait)
	p.wait = make(chan struct{})
}

// childInfo is the SIGCHLD of a process that has ended.
func (p *Process) childInfo(no unix.Signal) sigInfo {
	s := p.status()
	u := p.used
	subUsage(&u, &p.reaped)
	si := sigInfo{Signal: emu.Signal{No: no, Code: cldExited, PID: p.P.PID, UID: p.leader.cred.uid.real, Status: s.Code & 0xff,
		UTime: ticks(u.Utime), STime: ticks(u.Stime)}}
	if s.Signal != 0 {
		si.Code, si.Status = cldKilled, int(s.Signal)
		if s.Core {
			si.Code = cldDumped
		}
	}
	return si
}

// status is how the process ended: as a group, or as its first task did.
func (p *Process) status() emu.Status {
	if s := p.P.Group(); s != nil {
		return *s
	}
	if t := p.leader.task; t != nil && t.Status() != nil {
		return *t.Status()
	}
	return emu.Status{}
}

// waitFor are the arguments of the wait calls: which children, and what is
// wanted of them.
type waitFor struct {
	pid, pgid int // 0: any
	options   uint32
	keep      bool // WNOWAIT
}

// Options of the wait calls (linux/wait.h), as unsigned numbers.
const (
	waitClone uint32 = 0x80000000
	waitAll   uint32 = 0x40000000
)

// matches tells whether a child is asked for. family.mu is held.
func (w *waitFor) matches(p *Process) bool {
	if w.pid != 0 && w.pid != p.P.PID || w.pgid != 0 && w.pgid != p.pgrp {
		return false
	}
	return w.options&waitAll != 0 || (p.exitSignal != unix.SIGCHLD) == (w.options&waitClone != 0)
}

// waited is what a wait call has found.
type waited struct {
	p      *Process
	tr     *Tracee // of a task that the caller traces
	ended  bool    // and is to be taken out of the kernel
	code   int     // CLD_EXITED and so on
	status int     // as siginfo has it
	word   int     // as wait(2) has it
	rusage unix.Rusage
}

// id is the number that wait calls return.
func (w *waited) id() int {
	if w.tr != nil {
		return w.tr.ts.task.TID
	}
	return w.p.P.PID
}

// take is what there is to tell of a child, which is told once unless w.keep
// (wait_consider_task); mine tells that nobody else is to be told of its end
// first. family.mu is held.
func (w *waitFor) take(p *Process, mine bool) *waited {
	if found := w.takeEnd(p); found != nil && mine {
		return found
	}
	if p.stopSignal != 0 && w.options&unix.WUNTRACED != 0 {
		no := int(p.stopSignal)
		if !w.keep {
			p.stopSignal = 0
		}
		return &waited{p: p, code: cldStopped, status: no, word: no<<8 | 0x7f}
	}
	return w.takeContinued(p)
}

// takeEnd is take for the end of a process.
func (w *waitFor) takeEnd(p *Process) *waited {
	if !p.zombie || w.options&unix.WEXITED == 0 {
		return nil
	}
	si, s := p.childInfo(unix.SIGCHLD), p.status()
	return &waited{p: p, ended: true, code: si.Code, status: si.Status, word: s.Wait(), rusage: p.used}
}

// takeContinued is take for the end of a stop.
func (w *waitFor) takeContinued(p *Process) *waited {
	if !p.continued || w.options&unix.WCONTINUED == 0 {
		return nil
	}
	p.continued = w.keep
	return &waited{p: p, code: cldContinued, status: int(unix.SIGCONT), word: 0xffff}
}

// find looks for a child that something is to be told of; some is whether
// there is a child at all, changed is closed when another look is worth it.
func (c *Ctx) findChild(w *waitFor) (found *waited, some bool, changed chan struct{}) {
	f := &c.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ch := range c.P.children {
		tr := ch.leader.tracee
		if tr != nil && !tr.elsewhere() || !w.matches(ch) {
			continue
		}
		some = true
		if found = w.take(ch, tr == nil); found != nil {
			return found, some, c.P.wait
		}
	}
	for _, tr := range c.P.tracees {
		if !w.traces(tr, c.task()) {
			continue
		}
		some = true
		if found = w.takeTracee(tr); found != nil {
			break
		}
	}
	return found, some, c.P.wait
}

// await4 waits for a child: nil if nothing is to be told of any yet and
// WNOHANG is set.
func (c *Ctx) await4(w waitFor) (*waited, error) {
	var stop error // a child that is found comes before the signal that it ended with
	for {
		found, some, changed := c.findChild(&w)
		switch {
		case found != nil:
			if found.ended && !w.keep {
				c.K.collect(found)
			}
			return found, nil
		case !some:
			return nil, unix.ECHILD
		case w.options&unix.WNOHANG != 0:
			return nil, nil
		case stop != nil:
			return nil, stop
		}
		if c.T.Schedule() != nil {
			stop = c.until(func() bool { return gone(changed) }, -1)
			continue
		}
		broken, ts := false, c.task()
		c.Block(func() {
			for !broken {
				if broken = c.interrupted(); broken {
					return
				}
				select {
				case <-changed:
					return
				case <-ts.wake:
				}
			}
		})
		if broken {
			stop = unix.EINTR
		}
	}
}

// reap is forget for a child that was waited for: what it used counts for its
// parent.
func (k *Kernel) reap(p *Process) {
	f := &k.family
	f.mu.Lock()
	if q := p.parent; q != nil {
		addUsage(&q.reaped, &p.used)
	}
	f.mu.Unlock()
	k.forget(p)
}

func sysWait4(c *Ctx) (uint64, error) { return c.wait4(c.Int(), c.Addr(), uint32(c.Int()), c.Addr()) }

func sysWaitpid(c *Ctx) (uint64, error) { return c.wait4(c.Int(), c.Addr(), uint32(c.Int()), 0) }

func (c *Ctx) wait4(pid int, statusp uint64, options uint32, rusage uint64) (uint64, error) {
	const known = unix.WNOHANG | unix.WUNTRACED | unix.WCONTINUED | unix.WNOTHREAD
	if options&^(known|waitAll|waitClone) != 0 {
		return 0, unix.EINVAL
	}
	w := waitFor{options: options | unix.WEXITED}
	switch {
	case pid == -1<<31:
		return 0, unix.ESRCH
	case pid < -1:
		w.pgid = -pid
	case pid == 0:
		w.pgid = c.P.group()
	case pid > 0:
		w.pid = pid
	}
	ch, err := c.await4(w)
	if ch == nil || err != nil {
		return 0, err
	}
	if statusp != 0 {
		if err := c.Write32(statusp, uint32(ch.word)); err != nil {
			return 0, err
		}
	}
	if rusage != 0 {
		if err := c.putRusage(rusage, &ch.rusage); err != nil {
			return 0, err
		}
	}
	return uint64(ch.id()), nil
}

func sysWaitid(c *Ctx) (uint64, error) {
	which, id, infop, options, rusage := c.Int(), c.Int(), c.Addr(), uint32(c.Int()), c.Addr()
	const events = unix.WEXITED | unix.WSTOPPED | unix.WCONTINUED
	const known = events | unix.WNOHANG | unix.WNOWAIT | unix.WNOTHREAD
	if options&^(known|waitAll|waitClone) != 0 || options&events == 0 {
		return 0, unix.EINVAL
	}
	w := waitFor{options: options, keep: options&unix.WNOWAIT != 0}
	nonblock := false // of the pidfd
	switch which {
	case unix.P_ALL:
	case unix.P_PID:
		if id <= 0 {
			return 0, unix.EINVAL
		}
		w.pid = id
	case unix.P_PGID:
		if id < 0 {
			return 0, unix.EINVAL
		}
		if w.pgid = id; id == 0 {
			w.pgid = c.P.group()
		}
	case unix.P_PIDFD:
		f, err := c.file(id)
		if err != nil {
			return 0, err
		}
		if w.pid, err = c.pidOf(f); err != nil {
			if err == unix.ESRCH {
				err = unix.ECHILD
			}
			return 0, err
		}
		fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
		if err == nil && fl&unix.O_NONBLOCK != 0 && options&unix.WNOHANG == 0 {
			nonblock = true
			w.options |= unix.WNOHANG
		}
	default:
		return 0, unix.EINVAL
	}
	ch, err := c.await4(w)
	if err != nil {
		return 0, err
	}
	if ch == nil && nonblock {
		return 0, unix.EAGAIN
	}
	if infop != 0 {
		if err := c.putWaited(infop, ch); err != nil {
			return 0, err
		}
	}
	if ch != nil && rusage != 0 {
		return 0, c.putRusage(rusage, &ch.rusage)
	}
	return 0, nil
}

// putWaited writes the siginfo of waitid; only the fields of a child's are
// written, zeros if there is no child.
func (c *Ctx) putWaited(addr uint64, ch *waited) error {
	var si sigInfo
	if ch != nil {
		si = ch.p.childInfo(unix.SIGCHLD)
		si.Code, si.Status, si.PID = ch.code, ch.status, ch.id()
	}
	l := c.A.Layout["siginfo"]
	im := si.image(c.A)
	for _, name := range []string{"si_signo", "si_errno", "si_code", "si_pid", "si_uid", "si_status"} {
		f := l.Fields[name]
		b := slices.Clone(im.Bytes()[f.Off : f.Off+f.Size])
		if ch == nil {
			clear(b)
		}
		if err := c.Space().CopyOut(b, addr+uint64(f.Off)); err != nil {
			return err
		}
	}
	return nil
}
