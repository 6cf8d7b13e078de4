package syscalls

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Ptrace serves ptrace(2): package hooks/ptrace is one. The kernel's part is who
// traces whom, and what wait calls tell of it.
type Ptrace interface {
	// Request makes a request of ptrace(2) for the caller. Its result is what
	// the raw call returns, its error a unix.Errno.
	Request(c *Ctx) (uint64, error)
	// Orphan lets go of a task whose tracer has ended. Any goroutine may call it.
	Orphan(t *emu.Task)
}

func sysPtrace(c *Ctx) (uint64, error) {
	if c.K.cfg.Ptrace == nil {
		return 0, unix.ENOSYS
	}
	return c.K.cfg.Ptrace.Request(c)
}

// cldTrapped is the code of SIGCHLD for a stop of a task that is traced
// (asm-generic/siginfo.h).
const cldTrapped = 4

// Tracee is a task that another traces by ptrace(2). Its methods may be called
// by any goroutine.
type Tracee struct {
	ts, tracer *taskState

	// Guarded by family.mu.
	stopped bool
	tell    int         // the stop for wait calls, 0 for none or one that was waited for
	end     *emu.Status // of a thread that was not waited for
}

// Trace makes by the tracer of a task of another process: EPERM if it has one.
func (k *Kernel) Trace(t, by *emu.Task) (*Tracee, error) {
	ts, tracer := t.OS.(*taskState), by.OS.(*taskState)
	f := &k.family
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ts.tracee != nil:
		return nil, unix.EPERM
	case t.Over() || by.Over():
		return nil, unix.ESRCH
	}
	ts.tracee = &Tracee{ts: ts, tracer: tracer}
	tracer.p.tracees = append(tracer.p.tracees, ts.tracee)
	return ts.tracee, nil
}

// Tracee is what the caller's task is as one that is traced, nil if it is not.
func (k *Kernel) Tracee(t *emu.Task) *Tracee {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return t.OS.(*taskState).tracee
}

// Task is the task that is traced.
func (tr *Tracee) Task() *emu.Task { return tr.ts.task }

// Tracer is the task that traces.
func (tr *Tracee) Tracer() *emu.Task { return tr.tracer.task }

// Stop tells the tracer of a stop: word is what is in bits 8 and up of the status
// that it waits for. job tells that it is a job control stop.
func (tr *Tracee) Stop(word int, job bool) {
	f := &tr.ts.p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	if tr.ts.tracee != tr {
		return
	}
	tr.stopped, tr.tell = true, word
	code := cldTrapped
	if job {
		code = cldStopped
	}
	q := tr.tracer.p
	if d := q.Sig.get(unix.SIGCHLD); d.handler != sigIgn && d.flags&saNoCldStop == 0 {
		_ = q.enqueue(q.leader, tr.info(code, word&0x7f), true)
	}
	q.wakeWaits()
	q.K.ring()
}

// info is the SIGCHLD of a tracee.
func (tr *Tracee) info(code, status int) sigInfo {
	return sigInfo{Signal: emu.Signal{No: unix.SIGCHLD, Code: code, PID: tr.ts.task.TID, UID: tr.ts.cred.uid.real, Status: status}}
}

// Resume tells that the stop is over, waited for or not.
func (tr *Tracee) Resume() {
	f := &tr.ts.p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	tr.stopped, tr.tell = false, 0
}

// Release ends the tracing. A process that has ended and was not waited for is
// its parent's to wait for then.
func (tr *Tracee) Release() {
	p := tr.ts.p
	f := &p.K.family
	f.mu.Lock()
	gone := false
	if tr.unlink() && tr.ts == p.leader && p.zombie && tr.tracer.p != p.parent {
		gone = p.tellEnd()
		if gone {
			f.remove(p)
		}
	}
	f.mu.Unlock()
	if gone {
		p.released()
	}
}

// unlink takes the tracee from its tracer, false if that has been done. family.mu
// is held.
func (tr *Tracee) unlink() bool {
	if tr.ts.tracee != tr {
		return false
	}
	tr.ts.tracee = nil
	q := tr.tracer.p
	q.tracees = slices.DeleteFunc(q.tracees, func(o *Tracee) bool { return o == tr })
	q.wakeWaits() // there may be nobody left to wait for
	return true
}

// elsewhere tells whether another process than the task's parent traces it,
// and so waits for it first. family.mu is held.
func (tr *Tracee) elsewhere() bool { return tr != nil && tr.tracer.p != tr.ts.p.parent }

// ended tells the tracer of the end of a tracee. family.mu is held.
func (tr *Tracee) ended(s emu.Status, si sigInfo) {
	tr.stopped, tr.tell = false, 0
	if tr.ts != tr.ts.p.leader {
		tr.end = &s
	}
	q := tr.tracer.p
	if d := q.Sig.get(unix.SIGCHLD); d.handler != sigIgn {
		_ = q.enqueue(q.leader, si, true)
	}
	q.wakeWaits()
}

// endedThread is ended for a thread that is not its process's first.
func (k *Kernel) endedThread(ts *taskState) {
	f := &k.family
	f.mu.Lock()
	defer f.mu.Unlock()
	tr := ts.tracee
	if tr == nil || ts == ts.p.leader {
		return
	}
	s := *ts.task.Status()
	tr.ended(s, tr.endInfo(s))
}

// endInfo is the SIGCHLD of a thread that has ended.
func (tr *Tracee) endInfo(s emu.Status) sigInfo {
	switch {
	case s.Signal == 0:
		return tr.info(cldExited, s.Code&0xff)
	case s.Core:
		return tr.info(cldDumped, int(s.Signal))
	}
	return tr.info(cldKilled, int(s.Signal))
}

// orphanTracees lets go of what a task traces that ends (exit_ptrace).
func (k *Kernel) orphanTracees(ts *taskState) {
	for {
		k.family.mu.Lock()
		i := slices.IndexFunc(ts.p.tracees, func(tr *Tracee) bool { return tr.tracer == ts })
		if i < 0 {
			k.family.mu.Unlock()
			return
		}
		tr := ts.p.tracees[i]
		k.family.mu.Unlock()
		k.cfg.Ptrace.Orphan(tr.ts.task)
		tr.Release()
	}
}

// traces tells whether a tracee is asked for, by a task. family.mu is held.
func (w *waitFor) traces(tr *Tracee, by *taskState) bool {
	if w.options&unix.WNOTHREAD != 0 && tr.tracer != by {
		return false
	}
	return (w.pid == 0 || w.pid == tr.ts.task.TID) && (w.pgid == 0 || w.pgid == tr.ts.p.pgrp)
}

// takeTracee is take for a task that the caller traces: of its stops it is told
// whether it asks or not. family.mu is held.
func (w *waitFor) takeTracee(tr *Tracee) *waited {
	p := tr.ts.p
	switch {
	case tr.tell != 0:
		word := tr.tell
		if !w.keep {
			tr.tell = 0
		}
		return &waited{p: p, tr: tr, code: cldTrapped, status: word, word: word<<8 | 0x7f}
	case tr.end != nil && w.options&unix.WEXITED != 0:
		s := *tr.end
		if g := p.P.Group(); g != nil { // all have ended so
			s = *g
		}
		si := tr.endInfo(s)
		return &waited{p: p, tr: tr, ended: true, code: si.Code, status: si.Status, word: s.Wait()}
	case tr.ts != p.leader:
		return nil
	}
	found := w.takeEnd(p)
	if found == nil {
		found = w.takeContinued(p)
	}
	if found != nil {
		found.tr = tr
	}
	return found
}

// collect takes out of the kernel what has ended and was waited for.
func (k *Kernel) collect(w *waited) {
	p, tr := w.p, w.tr
	f := &k.family
	f.mu.Lock()
	if tr != nil && !tr.unlink() {
		f.mu.Unlock()
		return
	}
	mine := tr == nil || tr.ts == p.leader && tr.tracer.p == p.parent
	gone := !mine && tr.ts == p.leader && p.tellEnd()
	if gone {
		f.remove(p)
	}
	f.mu.Unlock()
	switch {
	case mine:
		k.reap(p)
	case gone:
		p.released()
	}
}

// RealParent is the task whose child a task is, nil if it is no guest's.
func (k *Kernel) RealParent(t *emu.Task) *emu.Task {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	p := t.Proc.OS.(*Process)
	switch q := p.parent; {
	case q == nil:
		return nil
	case p.forker != nil && p.forker.p == q && !p.forker.task.Over():
		return p.forker.task
	default:
		return q.leader.task
	}
}

// MayTrace tells whether the caller may look into a task (ptrace_may_access).
func (c *Ctx) MayTrace(t *emu.Task) bool {
	ts := t.OS.(*taskState)
	if ts.p == c.P {
		return true
	}
	me, o := c.task().cred, ts.cred
	if me.has(unix.CAP_SYS_PTRACE) {
		return true
	}
	same := func(me int, i ids) bool { return me == i.real && me == i.eff && me == i.saved }
	return same(me.uid.real, o.uid) && same(me.gid.real, o.gid) && ts.p.prctl.dumpable == 1
}

// Queue makes a signal pending for a task. Any goroutine may call it.
func (k *Kernel) Queue(t *emu.Task, s emu.Signal) {
	ts := t.OS.(*taskState)
	_ = ts.p.post(ts, sigInfo{Signal: s}, false) // a full queue loses it, as ptrace(2)'s does
}

// Blocked are the signals that a task blocks, bit s-1 for s; SetBlocked changes
// them. The task is held.
func (k *Kernel) Blocked(t *emu.Task) uint64 {
	ts := t.OS.(*taskState)
	ts.p.sigMu.Lock()
	defer ts.p.sigMu.Unlock()
	return uint64(ts.blocked)
}

// SetBlocked: see Blocked.
func (k *Kernel) SetBlocked(t *emu.Task, m uint64) {
	ts := t.OS.(*taskState)
	ts.p.setMask(ts, sigset(m))
}

// StopSignal is the signal of the job control stop that a task is in, 0 if it
// is in none. Any goroutine may call it.
func (k *Kernel) StopSignal(t *emu.Task) unix.Signal {
	ts := t.OS.(*taskState)
	if s := ts.p.stopOf(ts); s != nil {
		return s.signal
	}
	return 0
}

// LeaveStop has a task go on though its process is stopped. Any goroutine may
// call it.
func (k *Kernel) LeaveStop(t *emu.Task) {
	ts := t.OS.(*taskState)
	ts.left.Store(ts.p.stopping.Load())
	ts.wakeUp()
}

// PutSiginfo writes a signal as the caller's siginfo_t.
func (c *Ctx) PutSiginfo(s emu.Signal, addr uint64) error {
	si := sigInfo{Signal: s}
	return si.store(c, addr)
}

// Siginfo reads the caller's siginfo_t.
func (c *Ctx) Siginfo(addr uint64) (emu.Signal, error) {
	s, err := c.LoadStruct("siginfo", addr)
	if err != nil {
		return emu.Signal{}, err
	}
	si := emu.Signal{No: unix.Signal(s.Int("si_signo")), Code: int(s.Int("si_code")), Errno: int(s.Int("si_errno"))}
	switch event := si.Code > siUser && si.Code < siKernel; {
	case event && faulting.has(si.No):
		si.Addr = s.Uint("si_addr")
	case event && si.No == unix.SIGCHLD:
		si.PID, si.UID, si.Status = int(s.Int("si_pid")), int(s.Int("si_uid")), int(s.Int("si_status"))
	case event:
		si.Value, si.FD = s.Uint("si_band"), int(s.Int("si_fd"))
	default:
		si.PID, si.UID, si.Value = int(s.Int("si_pid")), int(s.Int("si_uid")), s.Uint("si_value")
	}
	return si, nil
}

// WriteSigset writes a set of signals, bit s-1 for s, and ReadSigset reads one.
func (c *Ctx) WriteSigset(addr, m uint64) error { return c.writeSigset(addr, sigset(m), sigsetSize) }

// ReadSigset: see WriteSigset.
func (c *Ctx) ReadSigset(addr uint64) (uint64, error) {
	m, err := c.readSigset(addr, sigsetSize)
	return uint64(m), err
}

// UID is the real user id of a task.
func (k *Kernel) UID(t *emu.Task) int { return t.OS.(*taskState).cred.uid.real }

// KeepStop undoes LeaveStop. Any goroutine may call it.
func (k *Kernel) KeepStop(t *emu.Task) {
	ts := t.OS.(*taskState)
	if ts.left.Swap(nil) != nil && ts.p.stopping.Load() != nil {
		ts.wakeUp()
	}
}

// Await blocks until done; block is a way to do so, which the end of the run
// breaks.
func (c *Ctx) Await(done func() bool, block func()) {
	if c.T.Schedule() != nil {
		c.T.Await(emu.Wait{Until: emu.Never, Ready: func(bool) bool { return done() || c.T.Context().Err() != nil }})
		return
	}
	c.T.Outside(block)
}

// Look calls f, which looks at another process and not at the caller's.
func (c *Ctx) Look(f func()) {
	if c.T.Schedule() != nil {
		f()
		return
	}
	c.T.Outside(f)
}
