package syscalls

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

var cloneRows = []Row{
	{Name: "clone", Fn: sysClone, Level: Partial, Note: noNamespaces},
	{Name: "clone3", Fn: sysClone3, Level: Partial, Note: noNamespaces},
	{Name: "fork", Fn: func(c *Ctx) (uint64, error) { return c.clone(cloneArgs{exit: unix.SIGCHLD}) }, Level: Full},
	{Name: "vfork", Fn: func(c *Ctx) (uint64, error) {
		return c.clone(cloneArgs{flags: unix.CLONE_VFORK | unix.CLONE_VM, exit: unix.SIGCHLD})
	}, Level: Full},
	{Name: "exit", Fn: sysExit, Level: Full},
	{Name: "exit_group", Fn: sysExitGroup, Level: Full},
}

const noNamespaces = "no namespaces"

// cloneArgs are the arguments of clone(2) (struct kernel_clone_args).
type cloneArgs struct {
	flags      uint64
	exit       unix.Signal // sent to the parent at the end
	sp         uint64      // 0: the parent's
	tls        uint64
	ptid, ctid uint64
	pidfd      uint64 // where its number is stored, with CLONE_PIDFD
}

func sysClone(c *Ctx) (uint64, error) {
	flags, sp, ptid := c.Size(), c.Addr(), c.Addr()
	a := cloneArgs{flags: flags &^ 0xff, exit: unix.Signal(flags & 0xff), sp: sp, ptid: ptid}
	if a.flags&unix.CLONE_PIDFD != 0 {
		if a.flags&unix.CLONE_PARENT_SETTID != 0 {
			return 0, unix.EINVAL // they use the same argument
		}
		a.pidfd = ptid
	}
	if c.A.ABI.CloneTLSFourth {
		a.tls, a.ctid = c.Addr(), c.Addr()
	} else {
		a.ctid, a.tls = c.Addr(), c.Addr()
	}
	return c.clone(a)
}

// clone3 takes its arguments in a structure, struct clone_args of
// linux/sched.h, of which versions differ in size.
func sysClone3(c *Ctx) (uint64, error) {
	const first, words = 64, 11
	addr, size := c.Addr(), c.Size()
	switch {
	case size > emu.PageSize:
		return 0, unix.E2BIG
	case size < first:
		return 0, unix.EINVAL
	}
	b := make([]byte, max(size, 8*words))
	if err := c.Space().CopyIn(b[:size], addr); err != nil {
		return 0, err
	}
	var w [words]uint64
	for i := range w {
		w[i] = c.A.Order.Uint64(b[8*i:])
	}
	for _, x := range b[8*words:] {
		if x != 0 {
			return 0, unix.E2BIG
		}
	}
	flags, exit, stack, stackSize := w[0], w[4], w[5], w[6]
	if flags&0xff != 0 || exit > nsig || (stack == 0) != (stackSize == 0) || (w[8] == 0) != (w[9] == 0) {
		return 0, unix.EINVAL
	}
	if w[8] != 0 || flags&unix.CLONE_INTO_CGROUP != 0 {
		return 0, unix.EPERM // set_tid needs privileges in the pid namespace
	}
	a := cloneArgs{flags: flags, exit: unix.Signal(exit), tls: w[7], ptid: w[3], ctid: w[2], pidfd: w[1]}
	if stack != 0 {
		a.sp = stack + stackSize
	}
	return c.clone(a)
}

// check follows copy_process of the kernel.
func (a *cloneArgs) check() error {
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME
	f := a.flags
	switch {
	case f&unix.CLONE_THREAD != 0 && f&unix.CLONE_SIGHAND == 0, f&unix.CLONE_SIGHAND != 0 && f&unix.CLONE_VM == 0,
		f&(unix.CLONE_NEWNS|unix.CLONE_FS) == unix.CLONE_NEWNS|unix.CLONE_FS,
		f&(unix.CLONE_SIGHAND|unix.CLONE_CLEAR_SIGHAND) == unix.CLONE_SIGHAND|unix.CLONE_CLEAR_SIGHAND,
		f&unix.CLONE_PIDFD != 0 && f&(unix.CLONE_THREAD|unix.CLONE_DETACHED) != 0, a.exit > nsig:
		return unix.EINVAL
	case f&namespaces != 0:
		return unix.EPERM
	}
	return nil
}

// clone makes a thread or a process.
func (c *Ctx) clone(a cloneArgs) (uint64, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	sched, err := c.K.scheduled(c.task()).child()
	if err != nil {
		return 0, err
	}
	tid := c.K.newID()
	q := c.P
	if a.flags&unix.CLONE_THREAD == 0 {
		if q, err = c.child(tid, a); err != nil {
			return 0, err
		}
	}
	ts := c.childTask(q, a)
	ts.sched = sched
	t, err := c.T.Clone(q.P, tid, func(t *emu.Task) error {
		t.OS, ts.task = ts, t
		t.SetNice(sched.nice)
		return c.startRegs(t, a)
	})
	if err != nil {
		// Nothing has run in it.
		t.Abandon()
		return 0, err
	}
	if a.flags&unix.CLONE_PIDFD != 0 {
		if err := c.childPidfd(q, a.pidfd); err != nil {
			t.Abandon()
			return 0, err
		}
	}
	if a.flags&unix.CLONE_PARENT_SETTID != 0 {
		_ = c.Write32(a.ptid, uint32(tid)) // the kernel does not look either
	}
	c.K.register(ts)
	c.T.ReportClone(a.flags|uint64(a.exit), t)
	var done chan struct{}
	if a.flags&unix.CLONE_VFORK != 0 {
		done = make(chan struct{})
		ts.vfork = done
	}
	c.K.start(ts, c.T)
	c.T.ReportCloneDone(a.flags|uint64(a.exit), t)
	if done != nil && c.waitVfork(done) {
		c.T.ReportVforkDone(tid)
	}
	return uint64(tid), nil
}

// childPidfd gives the caller a pidfd of a child that does not run yet.
func (c *Ctx) childPidfd(q *Process, addr uint64) error {
	if err := c.writable(addr, 4); err != nil {
		return err
	}
	f, err := q.newPidfd(0)
	if err != nil {
		return err
	}
	fd, err := c.install(f, true)
	if err != nil {
		return err
	}
	return c.Write32(addr, uint32(fd))
}

// waitVfork waits for the child of a vfork, unless the process is to end
// (wait_for_vfork_done).
func (c *Ctx) waitVfork(done chan struct{}) (ok bool) {
	if c.T.Schedule() != nil {
		c.T.Await(emu.Wait{Until: emu.Never, Ready: func(bool) bool {
			ok = gone(done)
			return ok || c.P.P.Group() != nil || c.P.P.Over(c.T) || c.T.Context().Err() != nil
		}})
		return ok
	}
	ts := c.task()
	c.Block(func() {
		for c.P.P.Group() == nil && !c.P.P.Over(c.T) {
			select {
			case <-done:
				ok = true
				return
			case <-c.T.Context().Done():
				return
			case <-ts.wake:
			}
		}
	})
	return ok
}

// child makes the process of a clone without CLONE_THREAD.
func (c *Ctx) child(pid int, a cloneArgs) (*Process, error) {
	var ep *emu.Process
	if a.flags&unix.CLONE_VM != 0 {
		ep = c.P.P.Share(pid)
	} else {
		var err error
		if ep, err = c.P.P.Fork(pid); err != nil {
			return nil, fmt.Errorf("%w: %w", unix.ENOMEM, err)
		}
	}
	q := c.P.copy(ep, c.task(), a.flags)
	q.exitSignal = a.exit
	q.parent, q.forker = c.P, c.task()
	if a.flags&unix.CLONE_PARENT != 0 {
		q.parent, q.forker, q.exitSignal = c.P.parent, c.P.forker, c.P.exitSignal
	}
	return q, nil
}

// childTask makes the state of the new task.
func (c *Ctx) childTask(q *Process, a cloneArgs) *taskState {
	me := c.task()
	ts := newTaskState(q)
	switch {
	case a.flags&unix.CLONE_THREAD == 0:
		q.leader = ts
	case a.flags&unix.CLONE_FS == 0:
		ts.fs = me.dirs().copy()
	case me.fs != nil:
		me.fs.users.Add(1)
		ts.fs = me.fs
	}
	ts.blocked, ts.cred, ts.comm = me.blocked, me.cred, me.comm
	if a.flags&(unix.CLONE_VM|unix.CLONE_VFORK) != unix.CLONE_VM {
		ts.alt = me.alt
	}
	if a.flags&unix.CLONE_CHILD_CLEARTID != 0 {
		ts.clearTID = a.ctid
	}
	return ts
}

// startRegs makes the registers of a new task of those of its parent, which it
// has.
func (c *Ctx) startRegs(t *emu.Task, a cloneArgs) error {
	cpu, abi := t.CPU(), &c.A.ABI
	abi.Result(cpu, 0, 0)
	if a.sp != 0 {
		cpu.SetReg(c.A.SP, a.sp)
	}
	if a.flags&unix.CLONE_CHILD_SETTID != 0 {
		var b [4]byte
		c.A.Order.PutUint32(b[:], uint32(t.TID))
		_ = t.Proc.Space.CopyOut(b[:], a.ctid) // the kernel does not look either
	}
	if a.flags&unix.CLONE_SETTLS != 0 {
		return abi.SetTLS(cpu, a.tls)
	}
	return nil
}

func sysExit(c *Ctx) (uint64, error) {
	c.T.End(emu.Status{Code: c.Int() & 0xff})
	return 0, nil
}

func sysExitGroup(c *Ctx) (uint64, error) {
	c.K.end(c.T, emu.Status{Code: c.Int() & 0xff})
	return 0, nil
}

// end ends the process of a task.
func (k *Kernel) end(t *emu.Task, s emu.Status) {
	p := t.Proc.OS.(*Process)
	p.P.EndGroup(s)
	t.End(*p.P.Group())
	p.wakeAll(t)
}

// wakeAll brings all tasks of the process but one out of where they are.
func (p *Process) wakeAll(but *emu.Task) {
	for _, ts := range p.tasks() {
		if ts.task != but {
			ts.task.ReportKill()
			ts.wakeUp()
		}
	}
}

// Exit implements emu.Kernel: what mm_release and exit_notify of the kernel do.
func (k *Kernel) Exit(t *emu.Task, group bool) (signal int) {
	ts := stateOf(t)
	p := ts.p
	k.robustExit(t, ts)
	k.clearTID(t, ts)
	ts.leaveVfork()
	ts.leaveFS()
	k.unregister(ts)
	k.orphanTracees(ts)
	k.endedThread(ts)
	if !group {
		for _, o := range p.tasks() { // one may wait to be alone
			select {
			case o.wake <- struct{}{}:
			default:
			}
		}
		p.lessTasks()
		if ts == p.leader {
			return delayedLeader
		}
		return selfReaped
	}
	p.timers.stop()
	p.endCPU()
	if h := p.host.Load(); h != nil {
		h.end()
	}
	ts.last = !p.first
	p.exited()
	if ts != p.leader || p.selfReaped.Load() {
		return selfReaped
	}
	return int(p.exitSignal)
}

// lessTasks completes a stop that waited for a task which has ended instead.
func (p *Process) lessTasks() {
	s := p.stopping.Load()
	if s == nil {
		return
	}
	p.sigMu.Lock()
	done := p.completes(s)
	p.sigMu.Unlock()
	if !done {
		return
	}
	tell := func() {
		if err := p.stopped(s); err != nil {
			p.K.failed(err)
		}
	}
	if p.K.cfg.Schedule != nil {
		tell()
	} else {
		go tell()
	}
}

// What tracers are told in place of a signal (tracehook.h).
const (
	selfReaped    = -1 // DEATH_REAP: nobody waits for the task
	delayedLeader = -2 // DEATH_DELAYED_GROUP_LEADER: its threads live on
)

// clearTID tells those who wait for the end of a thread.
func (k *Kernel) clearTID(t *emu.Task, ts *taskState) {
	if ts.clearTID == 0 {
		return
	}
	// A pointer that has gone bad does not keep the task from ending.
	s := t.Proc.Space
	if s.CopyOut(make([]byte, 4), ts.clearTID) != nil {
		return
	}
	k.futexes.wake(futexKey{space: s, off: ts.clearTID}, 1, ^uint32(0))
}

// leaveVfork lets the parent of a vfork go on.
func (ts *taskState) leaveVfork() {
	if ts.vfork != nil {
		close(ts.vfork)
		ts.vfork = nil
	}
}

// robustMax is how many locks of a robust list are looked at (ROBUST_LIST_LIMIT).
const robustMax = 2048

// robustExit marks the locks that the task holds as those of a dead owner
// (exit_robust_list).
func (k *Kernel) robustExit(t *emu.Task, ts *taskState) {
	if ts.robust == 0 {
		return
	}
	c := t.Proc.OS.(*Process).ctx(k, t)
	s, err := c.LoadStruct("robust_list_head", ts.robust)
	if err != nil {
		return
	}
	off := uint64(s.Int("futex_offset"))
	pending := s.Uint("list_op_pending")
	entry := s.Uint("list.next")
	for range robustMax {
		if entry&^1 == ts.robust {
			break
		}
		next, err := c.ReadWord(entry &^ 1)
		if err != nil {
			return
		}
		if entry != pending {
			k.ownerDied(c, c.A.Addr(entry&^1+off), entry&1 != 0)
		}
		entry = next
	}
	if pending != 0 {
		k.ownerDied(c, c.A.Addr(pending&^1+off), pending&1 != 0)
	}
}

// ownerDied is handle_futex_death.
func (k *Kernel) ownerDied(c *Ctx, addr uint64, pi bool) {
	key, err := c.futexKey(addr, false)
	if err != nil {
		return
	}
	// A word that has gone bad does not keep the task from ending.
	_ = c.Space().Atomically(func() error {
		v, err := c.Read32(addr)
		if err != nil || int(v&futexTIDMask) != c.T.TID {
			return err
		}
		if pi {
			return k.futexes.handOver(key, futexOwnerDied, func(v uint32) error { return c.Write32(addr, v) })
		}
		if err := c.Write32(addr, v&futexWaiters|futexOwnerDied); err != nil {
			return err
		}
		if v&futexWaiters != 0 {
			k.futexes.wake(key, 1, ^uint32(0))
		}
		return nil
	})
}
