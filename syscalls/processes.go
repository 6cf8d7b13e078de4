package syscalls

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// family are the processes of a kernel, and who waits for them.
type family struct {
	mu    sync.Mutex
	tasks map[int]*taskState
	procs map[int]*Process // zombies too
	last  int              // id given last
	first int              // the number of the first process
	ttys  map[uint64]*tty  // controlling terminals by number

	shared time.Duration // what the host process had used of the processor when it was shared out

	hostStop bool // the host process is stopped, or about to be

	running sync.WaitGroup // tasks that have been started
	err     error          // the first failure of the host in one of them
}

// FirstPID is the number of the first process in a machine with a schedule; that
// of its parent, who is not a guest, is one less.
const FirstPID = firstID

// firstID is where the numbers of tasks begin that the host has none for: it
// gives none from PID_MAX_LIMIT (linux/threads.h) on.
const firstID = 4 << 20

// maxID is where they end (kernel.pid_max): then those that are free are given
// again.
const maxID = 2 * firstID

func (k *Kernel) newID() int {
	f := &k.family
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if f.last++; f.last < firstID || f.last >= maxID {
			f.last = firstID
		}
		if !f.taken(f.last) {
			return f.last
		}
	}
}

// taken tells whether a number is that of a task, a process group or a session.
// mu is held.
func (f *family) taken(id int) bool {
	if f.tasks[id] != nil || f.procs[id] != nil {
		return true
	}
	for _, p := range f.procs {
		if p.pgrp == id || p.sid == id {
			return true
		}
	}
	return false
}

// register makes a task known by its number.
func (k *Kernel) register(ts *taskState) {
	f := &k.family
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tasks == nil {
		f.tasks, f.procs = map[int]*taskState{}, map[int]*Process{}
	}
	f.tasks[ts.task.TID] = ts
	if ts.p.leader == ts && f.procs[ts.p.P.PID] == nil {
		f.procs[ts.p.P.PID] = ts.p
		if ts.p.first {
			f.first = ts.p.P.PID
		}
		if q := ts.p.parent; q != nil {
			q.children = append(q.children, ts.p)
		}
	}
}

func (k *Kernel) unregister(ts *taskState) {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	k.shareTime()
	delete(k.family.tasks, ts.task.TID)
}

// find is the task with a number, nil if there is none.
func (k *Kernel) find(tid int) *taskState {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return k.family.tasks[tid]
}

// process is the process with a number, also one that has ended and was not
// waited for.
func (k *Kernel) process(pid int) *Process {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return k.family.procs[pid]
}

// processOf is the process with a number, or that of the task with it.
func (k *Kernel) processOf(id int) *Process {
	if p := k.process(id); p != nil {
		return p
	}
	if ts := k.find(id); ts != nil {
		return ts.p
	}
	return nil
}

// start runs a task that by has made.
func (k *Kernel) start(ts *taskState, by *emu.Task) {
	k.family.running.Add(1)
	ts.task.Enlist()
	ctx := by.Context()
	go func() {
		defer k.family.running.Done()
		if err := ts.task.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			k.failed(err)
		}
		if ts.last {
			if err := ts.p.P.Close(); err != nil {
				k.failed(err)
			}
		}
	}()
}

// failed notes a failure of the host and ends all guests.
func (k *Kernel) failed(err error) {
	f := &k.family
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	procs := slices.Collect(maps.Values(f.procs))
	f.mu.Unlock()
	for _, p := range procs {
		p.P.EndGroup(emu.Status{Signal: unix.SIGKILL})
		p.wakeAll(nil)
	}
}

// Wait waits until all tasks have ended that the guest has started, and
// returns the first failure of the host in one.
func (k *Kernel) Wait() error {
	k.family.running.Wait()
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return k.family.err
}

// Ended tells whether all guests have.
func (k *Kernel) Ended() bool {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	for _, p := range k.family.procs {
		if !p.zombie {
			return false
		}
	}
	return true
}

// copy makes the state of a child that the task ts of p has; flags are those of
// clone(2).
func (p *Process) copy(ep *emu.Process, ts *taskState, flags uint64) *Process {
	q := &Process{
		P: ep, K: p.K, Files: p.Files, FS: ts.dirs(), Sig: p.Sig, Exe: p.Exe, Image: p.Image, Persona: p.Persona,
		Limits: p.Limits, table: p.table, prctl: p.prctl, wait: make(chan struct{}),
	}
	q.prctl.deathSig, q.prctl.reaper = 0, 0
	q.prctl.slackReset = q.prctl.slack
	p.K.family.mu.Lock()
	q.pgrp, q.sid, q.tty, q.text = p.pgrp, p.sid, p.tty, p.text
	q.before = q.running()
	p.K.family.mu.Unlock()
	q.Start = p.K.bootTime()
	q.mem = memState{membarriers: p.mem.membarriers, shm: maps.Clone(p.mem.shm)}
	if flags&unix.CLONE_FILES == 0 {
		q.Files = p.Files.copy()
	} else {
		p.Files.users.Add(1)
	}
	if flags&unix.CLONE_FS == 0 {
		q.FS = q.FS.copy()
	} else {
		q.FS.users.Add(1)
	}
	if flags&unix.CLONE_SIGHAND == 0 {
		q.Sig = p.Sig.copy(flags&unix.CLONE_CLEAR_SIGHAND != 0)
	}
	if flags&unix.CLONE_SYSVSEM != 0 {
		q.undo.Store(p.undoList())
		q.undo.Load().users.Add(1)
	}
	ep.OS = q
	q.inheritCPU(p)
	return q
}

func (s *Sighand) copy(clear bool) *Sighand {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Sighand{act: s.act}
	if clear {
		c.exec()
	}
	return c
}

func (fs *FS) copy() *FS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	c := &FS{cwd: fs.cwd, proc: fs.proc, umask: fs.umask}
	if c.cwd >= 0 {
		fd, err := unix.FcntlInt(uintptr(c.cwd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			fd = unix.AT_FDCWD
		}
		c.cwd = fd
	}
	return c
}

func (t *Files) copy() *Files {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &Files{list: slices.Clone(t.list)}
	for _, s := range c.list {
		if s.f != nil {
			s.f.refs.Add(1)
		}
	}
	return c
}

// exited is exit_notify: the process is a zombie, or gone if its parent does
// not want to know. The last turn of its last task calls it.
func (p *Process) exited() {
	k := p.K
	// What it holds goes at once: others wait for the ends of its pipes.
	if p.first {
		p.Files.keepStreams()
	}
	p.detachAll()
	p.undoAll()
	if err := p.Release(); err != nil {
		k.cfg.Log(err.Error())
	}
	k.disassociate(p)
	f := &k.family
	f.mu.Lock()
	gone := f.exited(p)
	f.mu.Unlock()
	for _, q := range gone {
		q.released()
	}
	if err := k.stopWithGuests(); err != nil {
		k.cfg.Log(err.Error())
	}
}

// exited makes a zombie of p, in one step for those who look at the family: a
// parent that finds the zombie has its signal. The processes that nobody waits
// for are gone then, and returned. mu is held.
func (f *family) exited(p *Process) (gone []*Process) {
	children, heir := p.children, f.reaper(p)
	p.children = nil
	for _, ch := range children {
		ch.parent = heir
		if heir != nil {
			heir.children = append(heir.children, ch)
		}
	}
	for _, g := range f.newlyOrphaned(p, children) {
		for _, q := range f.members(g) {
			q.signal(unix.SIGHUP, unix.SIGCONT)
		}
	}
	for _, ch := range children {
		if s := ch.prctl.deathSig; s != 0 {
			_ = ch.enqueue(ch.leader, sigInfo{Signal: emu.Signal{No: unix.Signal(s), Code: siUser, PID: p.P.PID}}, true)
		}
		if ch.zombie && !ch.leader.tracee.elsewhere() && ch.tellEnd() {
			gone = append(gone, ch)
		}
	}
	p.zombie, p.halted = true, false
	for f := range p.pidfds {
		showEnd(f)
	}
	p.used = p.ownUsage()
	addUsage(&p.used, &p.reaped)
	if tr := p.leader.tracee; tr.elsewhere() {
		tr.ended(p.status(), p.childInfo(unix.SIGCHLD)) // the parent's turn comes when that has waited
	} else if p.tellEnd() {
		gone = append(gone, p)
	}
	for _, q := range gone {
		f.remove(q)
	}
	return gone
}

// disassociate takes its terminal from a process that ends, and from its
// session if it leads that (disassociate_ctty).
func (k *Kernel) disassociate(p *Process) {
	f := &k.family
	f.mu.Lock()
	line := p.tty
	p.tty = nil
	leads := line != nil && p.sid == p.P.PID && line.session == p.sid
	f.mu.Unlock()
	if leads {
		k.hangUp(line, false)
	}
}

// reaper is who becomes the parent of the children of p, nil if it is the
// host's first process, which takes them at once: f.mu is held.
func (f *family) reaper(p *Process) *Process {
	for q := p.parent; q != nil; q = q.parent {
		if q.prctl.reaper != 0 && !q.zombie {
			return q
		}
	}
	return nil
}

func (p *Process) isZombie() bool {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	return p.zombie
}

// forget takes a process that has been waited for out of the kernel.
func (k *Kernel) forget(p *Process) {
	f := &k.family
	f.mu.Lock()
	f.remove(p)
	f.mu.Unlock()
	p.released()
}

// remove is forget with mu held; released is to follow.
func (f *family) remove(p *Process) {
	if tr := p.leader.tracee; tr != nil {
		tr.unlink()
	}
	delete(f.procs, p.P.PID)
	if q := p.parent; q != nil {
		q.children = slices.DeleteFunc(q.children, func(o *Process) bool { return o == p })
	}
}

// released tells tracers that a process is out of the kernel (release_task).
func (p *Process) released() {
	if p.leader.task != nil {
		p.leader.task.Reap()
	}
}

// initPID is the process that takes those whose parent has gone.
const initPID = 1

// ppid is the process's parent for getppid(2): that of the host for the first.
func (p *Process) ppid() int {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	switch {
	case p.first && p.K.cfg.Schedule != nil:
		return FirstPID - 1
	case p.first:
		return unix.Getppid()
	case p.parent == nil:
		return initPID
	}
	return p.parent.P.PID
}
