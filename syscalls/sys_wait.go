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

// childChanged tells a process that one of its children has ended.
func (p *Process) childChanged(ch *Process, ended bool) {
	k := p.K
	d := p.Sig.get(unix.SIGCHLD)
	reap := ended && ch.exitSignal == unix.SIGCHLD && (d.handler == sigIgn || d.flags&saNoCldWait != 0)
	if reap {
		ch.selfReaped.Store(true)
		k.forget(ch)
	}
	k.family.mu.Lock()
	close(p.wait)
	p.wait = make(chan struct{})
	k.family.mu.Unlock()
	if ch.exitSignal != 0 && !(reap && d.handler == sigIgn) {
		p.notify(p.leader, ch.childInfo(ch.exitSignal))
	}
}

// childInfo is the SIGCHLD of a process that has ended.
func (p *Process) childInfo(no unix.Signal) sigInfo {
	s := p.status()
	si := sigInfo{Signal: emu.Signal{No: no, Code: cldExited, PID: p.P.PID, UID: unix.Getuid()}, Status: s.Code & 0xff}
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

func (w *waitFor) matches(p *Process) bool {
	if w.pid != 0 && w.pid != p.P.PID || w.pgid != 0 && w.pgid != p.group() {
		return false
	}
	return w.options&waitAll != 0 || (p.exitSignal != unix.SIGCHLD) == (w.options&waitClone != 0)
}

// group is the process group, which all guests share as long as they are in
// one process of the host.
func (p *Process) group() int { return unix.Getpgrp() }

// await4 waits for a child that has ended: nil if there is none yet and
// WNOHANG is set.
func (c *Ctx) await4(w waitFor) (*Process, error) {
	f := &c.K.family
	for {
		f.mu.Lock()
		changed := c.P.wait
		some := false
		var found *Process
		for _, ch := range c.P.children {
			if !w.matches(ch) {
				continue
			}
			some = true
			if ch.zombie && w.options&unix.WEXITED != 0 {
				found = ch
				break
			}
		}
		f.mu.Unlock()
		switch {
		case found != nil:
			if !w.keep {
				c.K.forget(found)
			}
			return found, nil
		case !some:
			return nil, unix.ECHILD
		case w.options&unix.WNOHANG != 0:
			return nil, nil
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
			return nil, unix.EINTR
		}
	}
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
		s := ch.status()
		if err := c.Write32(statusp, uint32(s.Wait())); err != nil {
			return 0, err
		}
	}
	if rusage != 0 {
		if err := c.putRusage(rusage, &unix.Rusage{}); err != nil {
			return 0, err
		}
	}
	return uint64(ch.P.PID), nil
}

func sysWaitid(c *Ctx) (uint64, error) {
	which, id, infop, options, rusage := c.Int(), c.Int(), c.Addr(), uint32(c.Int()), c.Addr()
	const events = unix.WEXITED | unix.WSTOPPED | unix.WCONTINUED
	const known = events | unix.WNOHANG | unix.WNOWAIT | unix.WNOTHREAD
	if options&^(known|waitAll|waitClone) != 0 || options&events == 0 {
		return 0, unix.EINVAL
	}
	w := waitFor{options: options, keep: options&unix.WNOWAIT != 0}
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
		f, err := c.P.Files.Get(id)
		if err != nil {
			return 0, err
		}
		if w.pid, err = pidfdPID(f.Host); err != nil {
			if err == unix.ESRCH {
				err = unix.ECHILD
			}
			return 0, err
		}
	default:
		return 0, unix.EINVAL
	}
	ch, err := c.await4(w)
	if err != nil {
		return 0, err
	}
	if infop != 0 {
		if err := c.putWaited(infop, ch); err != nil {
			return 0, err
		}
	}
	if ch != nil && rusage != 0 {
		return 0, c.putRusage(rusage, &unix.Rusage{})
	}
	return 0, nil
}

// putWaited writes the siginfo of waitid; only the fields of a child's are
// written, zeros if there is no child.
func (c *Ctx) putWaited(addr uint64, ch *Process) error {
	var si sigInfo
	if ch != nil {
		si = ch.childInfo(unix.SIGCHLD)
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
