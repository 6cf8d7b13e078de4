package syscalls

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// setpgid moves a process into a process group (setpgid(2)).
func sysSetpgid(c *Ctx) (uint64, error) {
	pid, pgid := c.Int(), c.Int()
	if pid == 0 {
		pid = c.P.P.PID
	}
	if pgid == 0 {
		pgid = pid
	}
	if pgid < 0 {
		return 0, unix.EINVAL
	}
	f := &c.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.procs[pid]
	switch {
	case p == nil, p != c.P && p.parent != c.P:
		return 0, unix.ESRCH
	case p != c.P && p.sid != c.P.sid:
		return 0, unix.EPERM
	case p != c.P && p.execed:
		return 0, unix.EACCES
	case p.sid == pid, pgid != pid && !f.inSession(pgid, p.sid):
		return 0, unix.EPERM
	}
	p.pgrp = pgid
	return 0, nil
}

// inSession tells whether a process group is one of a session: of guests, or
// of the host, whose session the first guest starts in. f.mu is held.
func (f *family) inSession(pgrp, sid int) bool {
	for _, p := range f.procs {
		if p.pgrp == pgrp {
			return p.sid == sid
		}
	}
	s, err := unix.Getsid(pgrp)
	return err == nil && s == sid && pgrp < firstID
}

func sysSetsid(c *Ctx) (uint64, error) {
	f := &c.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	pid := c.P.P.PID
	for _, p := range f.procs {
		if p.pgrp == pid {
			return 0, unix.EPERM
		}
	}
	c.P.pgrp, c.P.sid, c.P.tty = pid, pid, nil
	return uint64(pid), nil
}

// ofProcess asks for a number of a process: of a guest by own, of the host's
// by host.
func (c *Ctx) ofProcess(pid int, own func(p *Process) int, host func(pid int) (int, error)) (uint64, error) {
	f := &c.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.procs[pid]
	if pid == 0 {
		p = c.P
	} else if ts := f.tasks[pid]; ts != nil {
		p = ts.p
	}
	if p == nil {
		return result(host(pid))
	}
	return uint64(own(p)), nil
}

func (c *Ctx) getpgid(pid int) (uint64, error) {
	return c.ofProcess(pid, func(p *Process) int { return p.pgrp }, unix.Getpgid)
}

func (c *Ctx) getsid(pid int) (uint64, error) {
	return c.ofProcess(pid, func(p *Process) int { return p.sid }, unix.Getsid)
}

// group is the process group.
func (p *Process) group() int {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	return p.pgrp
}

// members are the guests of a process group that have not ended.
func (k *Kernel) members(pgrp int) []*Process {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return k.family.members(pgrp)
}

// members is Kernel.members with mu held.
func (f *family) members(pgrp int) (out []*Process) {
	for _, p := range f.procs {
		if p.pgrp == pgrp && !p.zombie {
			out = append(out, p)
		}
	}
	byNumber(out)
	return out
}

// byNumber sorts processes.
func byNumber(l []*Process) {
	slices.SortFunc(l, func(a, b *Process) int { return a.P.PID - b.P.PID })
}

// signalGroup sends the guests of a group signals, as the kernel does.
func (k *Kernel) signalGroup(pgrp int, list ...unix.Signal) {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	for _, p := range k.family.members(pgrp) {
		p.signal(list...)
	}
}

// orphaned tells whether a process group has no member but one that is to be
// left out whose parent is of another group of the session, and could so
// continue it (will_become_orphaned_pgrp). f.mu is held.
func (f *family) orphaned(pgrp int, but *Process) bool {
	for _, p := range f.procs {
		if p.pgrp != pgrp || p == but || p.zombie {
			continue
		}
		switch q := p.parent; {
		case q != nil && q.pgrp != pgrp && q.sid == p.sid:
			return false
		case p.first && hostKeeps(p):
			return false
		}
	}
	return true
}

// hostKeeps tells whether the parent of this process is of another group of
// the session that the first guest is in. One in another pid namespace counts.
func hostKeeps(p *Process) bool {
	return p.K.cfg.Schedule != nil || parentKeeps(p.sid, p.pgrp, p.P.PID)
}

// parentKeeps is that for a process pid of this session and group.
func parentKeeps(sid, pgrp, pid int) bool {
	parent := unix.Getppid()
	if parent == 0 {
		return sid != pid
	}
	s, err := unix.Getsid(parent)
	if err != nil || s != sid {
		return false
	}
	g, err := unix.Getpgid(parent)
	return err == nil && g != pgrp
}

// orphanedOnHost tells whether the group of this process is one that nobody
// could continue, so that the host does not stop it for the keyboard.
func orphanedOnHost() bool {
	sid, err := unix.Getsid(0)
	return err == nil && !parentKeeps(sid, unix.Getpgrp(), os.Getpid())
}

func (p *Process) isOrphaned() bool {
	f := &p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orphaned(p.pgrp, nil)
}

// newlyOrphaned are the groups with stopped members that nobody can continue
// any more after p has ended: its own, and those of its children, whose parent
// it was (kill_orphaned_pgrp). They have another by now. f.mu is held.
func (f *family) newlyOrphaned(p *Process, children []*Process) (out []int) {
	groups := map[int]bool{}
	if q := p.parent; q != nil && q.pgrp != p.pgrp && q.sid == p.sid || p.first {
		groups[p.pgrp] = true
	}
	for _, ch := range children {
		if ch.pgrp != p.pgrp && ch.sid == p.sid {
			groups[ch.pgrp] = true
		}
	}
	for g := range groups {
		if f.stoppedIn(g) && f.orphaned(g, p) {
			out = append(out, g)
		}
	}
	slices.Sort(out)
	return out
}

// stoppedIn tells whether a group has a stopped member. f.mu is held.
func (f *family) stoppedIn(pgrp int) bool {
	for _, p := range f.procs {
		if p.pgrp == pgrp && p.halted {
			return true
		}
	}
	return false
}
