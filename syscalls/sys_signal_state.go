package syscalls

import (
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Handlers that are no addresses (asm-generic/signal-defs.h).
const (
	sigDfl = 0
	sigIgn = 1
)

// Sighand is a table of signal dispositions (struct sighand_struct), shared
// by the tasks that clone with CLONE_SIGHAND. Its zero value has the default
// for every signal.
type Sighand struct {
	mu  sync.Mutex
	act [nsig + 1]disposition
}

// disposition is what a signal does (struct k_sigaction).
type disposition struct {
	handler, flags, restorer uint64
	mask                     sigset
}

func (s *Sighand) get(no unix.Signal) disposition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.act[no]
}

// set changes a disposition and returns the one before.
func (s *Sighand) set(no unix.Signal, d disposition) disposition {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.act[no]
	s.act[no] = d
	return old
}

// exec gives caught signals their default action, as a new program finds them
// (flush_signal_handlers). Ignored ones stay ignored.
func (s *Sighand) exec() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.act {
		d := disposition{}
		if s.act[i].handler == sigIgn {
			d.handler = sigIgn
		}
		s.act[i] = d
	}
}

// inherit ignores what the host process was started with ignored, as nohup
// does.
func (s *Sighand) inherit() {
	for no := unix.Signal(1); no < rtMin; no++ {
		if signal.Ignored(no) {
			s.act[no].handler = sigIgn
		}
	}
}

// ignores tells whether a signal would do nothing.
func (d *disposition) ignores(no unix.Signal) bool {
	return d.handler == sigIgn || d.handler == sigDfl && harmless.has(no)
}

// caught tells whether a handler of the guest takes the signal.
func (d *disposition) caught() bool { return d.handler != sigDfl && d.handler != sigIgn }

// taskState is the kernel's state of one task.
type taskState struct {
	p    *Process
	task *emu.Task
	call Ctx

	alarm    atomic.Bool   // a signal waits that Pending must look at
	woken    atomic.Bool   // Wake was called since Pending
	wake     chan struct{} // told of each of these
	blocking atomic.Int32  // the host's thread that is in a call which may block, 0 for none, or aboutTo

	// Guarded by Process.sigMu.
	blocked sigset
	real    sigset // blocked but for the wait for signals that it is in (real_blocked)
	pend    sigQueue
	masked  bool // saved is the mask to go back to (TIF_RESTORE_SIGMASK)
	saved   sigset
	restart restart
	tracee  *Tracee                   // under family.mu: nil if nobody traces it
	left    atomic.Pointer[groupStop] // that a tracer has let it out of
	forced  forcedSignal              // used by the task's goroutine only

	alt      altStack
	clearTID uint64        // set_tid_address
	vfork    chan struct{} // closed when the parent of a vfork may go on
	last     bool          // the process has ended with this task
	held     []*File       // by the call in progress
	robust   uint64        // set_robust_list
	cred     *cred
	fs       *FS        // of its own, nil if it is that of the process
	sched    scheduling // under Kernel.schedules.mu

	processor  processorTime
	ran, fresh time.Duration // for shareTime: turns that were counted, and those since

	comm string // at most 15 bytes
}

// aboutTo is taskState.blocking on the way into such a call and out of it, where
// the task runs without its turn.
const aboutTo = -1

// altStack is a signal stack (sigaltstack(2)).
type altStack struct {
	sp, size uint64
	flags    uint32
}

// stateOf is the kernel's state of a task. The goroutine that runs the task
// calls it.
func stateOf(t *emu.Task) *taskState {
	ts, ok := t.OS.(*taskState)
	if !ok {
		ts = t.Proc.OS.(*Process).leader
		ts.task = t
		t.OS = ts
		t.SetNice(ts.sched.nice)
	}
	return ts
}

// task is the state of the calling task.
func (c *Ctx) task() *taskState { return stateOf(c.T) }

// tasks are the states of the process's tasks, its leader first.
func (p *Process) tasks() []*taskState {
	out := []*taskState{p.leader}
	for _, t := range p.P.Tasks() {
		if ts, ok := t.OS.(*taskState); ok && ts != p.leader {
			out = append(out, ts)
		}
	}
	return out
}

// post makes a signal pending: for the task ts, or, shared, for the process,
// of which a task that does not block it is to take it (complete_signal). That
// task finds it when it next goes to user mode; see wakeUp. Any goroutine may
// call it. A signal that would be ignored is dropped unless it is blocked.
// EAGAIN means that too many are queued.
func (p *Process) post(ts *taskState, si sigInfo, shared bool) error {
	if si.No == unix.SIGCONT { // it may be told to the parent
		p.K.family.mu.Lock()
		defer p.K.family.mu.Unlock()
	}
	return p.enqueue(ts, si, shared)
}

// enqueue is post with family.mu held; other signals than SIGCONT do not need
// it.
func (p *Process) enqueue(ts *taskState, si sigInfo, shared bool) error {
	if h := p.host.Load(); h != nil {
		if err := h.send(si, nil); si.No != unix.SIGKILL {
			return err
		}
	}
	p.sigMu.Lock()
	on := si.No == unix.SIGCONT && !p.closed && p.resume()
	err := p.queue(ts, si, shared)
	p.sigMu.Unlock()
	if on {
		p.resumed()
	}
	return err
}

// queue is post with sigMu held.
func (p *Process) queue(ts *taskState, si sigInfo, shared bool) error {
	if p.closed {
		return nil
	}
	switch {
	case si.No == unix.SIGCONT:
		p.flush(stopping)
	case stopping.has(si.No):
		p.flush(sigs(unix.SIGCONT))
	}
	d := p.Sig.get(si.No)
	if d.ignores(si.No) && !(ts.blocked | ts.real).has(si.No) && !p.wanted(si.No) {
		return nil
	}
	q := &ts.pend
	if shared {
		q = &p.shared
	}
	if si.timer != nil && q.merge(si.timer, uint64(si.Overrun)) {
		return nil
	}
	if err := q.add(si, p.Limits[unix.RLIMIT_SIGPENDING].Cur); err != nil {
		return err
	}
	p.showQueued(si.No)
	if si.No == unix.SIGKILL {
		// No task goes on, whichever would take it.
		p.P.EndGroup(emu.Status{Signal: unix.SIGKILL})
		p.wakeAll(nil)
		return nil
	}
	if ts.blocked.has(si.No) && shared {
		for _, o := range p.tasks() {
			if !o.blocked.has(si.No) {
				ts = o
				break
			}
		}
	}
	if p.waiting(ts, ts.blocked) != 0 {
		ts.wakeUp()
	}
	return nil
}

// wakeUp has the task look for signals soon, wherever it is. Any goroutine
// may call it.
func (ts *taskState) wakeUp() {
	ts.alarm.Store(true)
	select {
	case ts.wake <- struct{}{}:
	default:
	}
	if ts.blocking.Load() > 0 {
		go ts.kick()
	}
	ts.p.P.Interrupt()
	ts.p.K.ring()
}

// ring has a machine that waits look at what has come from outside.
func (k *Kernel) ring() {
	if s := k.cfg.Schedule; s != nil {
		s.Ring()
	}
}

// signal is enqueue for signals that the kernel sends.
func (p *Process) signal(list ...unix.Signal) {
	for _, s := range list {
		_ = p.enqueue(p.leader, sigInfo{Signal: emu.Signal{No: s, Code: siKernel}}, true)
	}
}

// notify is post for goroutines other than those of tasks.
func (p *Process) notify(ts *taskState, si sigInfo) {
	_ = p.post(ts, si, true) // kill(2) does not fail for a full queue either
}

// flush drops the signals of m that wait for the process or one of its tasks.
func (p *Process) flush(m sigset) {
	for _, ts := range p.tasks() {
		ts.pend.flush(m)
	}
	p.shared.flush(m)
}

// waiting are the pending signals that a task with this mask has to act on.
func (p *Process) waiting(ts *taskState, blocked sigset) sigset {
	return (ts.pend.set | p.shared.set) &^ blocked
}

// setMask replaces the blocked signals of a task and returns those before.
func (p *Process) setMask(ts *taskState, m sigset) sigset {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	old := ts.blocked
	ts.blocked = m &^ unblockable
	if p.waiting(ts, ts.blocked) != 0 {
		ts.alarm.Store(true)
	}
	return old
}

// interrupted tells whether a signal waits that ends a blocking call: one
// that is not blocked and does more than nothing.
func (c *Ctx) interrupted() bool {
	p, ts := c.P, c.task()
	if !ts.alarm.Load() {
		return false
	}
	if ts.woken.Load() || p.P.Group() != nil || p.P.Over(c.T) || p.stopOf(ts) != nil {
		return true
	}
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	for m := p.waiting(ts, ts.blocked); m != 0; m &= m - 1 {
		q := sigQueue{set: m}
		no := q.next(^sigset(0))
		d := p.Sig.get(no)
		if !d.ignores(no) || p.wanted(no) || ts.real.has(no) {
			return true
		}
		ts.pend.flush(sigs(no))
		p.shared.flush(sigs(no))
	}
	return false
}

// sleep waits until a signal waits for the task (true) or for d, forever if d
// is negative.
func (c *Ctx) sleep(d time.Duration) bool {
	if c.T.Schedule() != nil {
		return c.until(func() bool { return false }, d) == unix.EINTR
	}
	var expired <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		expired = t.C
	}
	woken, ts := false, c.task()
	c.Block(func() {
		for !c.interrupted() {
			select {
			case <-ts.wake:
			case <-expired:
				return
			}
		}
		woken = true
	})
	return woken
}

// raise sends the calling task a signal that its system call caused, such as
// SIGPIPE.
func (c *Ctx) raise(s unix.Signal) {
	// Only real-time signals can be refused.
	_ = c.P.post(c.task(), c.sent(int(s), siUser), false)
}

// sigmask installs the signal mask of a call that waits with one (ppoll and
// its kin) until the call has ended; a null addr leaves the mask.
func (c *Ctx) sigmask(addr, size uint64) error {
	if addr == 0 {
		return nil
	}
	m, err := c.readSigset(addr, size)
	if err == nil {
		c.P.saveMask(c.task(), m)
	}
	return err
}

// pending delivers the signals that wait for a task.
func (k *Kernel) pending(t *emu.Task) error {
	p, ts := t.Proc.OS.(*Process), stateOf(t)
	for t.Status() == nil {
		if halted, err := p.haltIfStopped(t); err != nil {
			return err
		} else if halted {
			continue
		}
		if c := t.Controller(); c != nil { // it has come while the task was stopped
			return k.traced(t, c)
		}
		si, ok := p.dequeue(ts)
		if !ok {
			p.redo(t, nil)
			if p.unsave(ts) {
				continue // what that mask lets through
			}
			return nil
		}
		if err := k.deliver(t, si); err != nil {
			return err
		}
	}
	return nil
}

// dequeue takes the next signal that is not blocked.
func (p *Process) dequeue(ts *taskState) (sigInfo, bool) {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	ts.alarm.Store(false)
	m := p.waiting(ts, ts.blocked)
	if m == 0 {
		return sigInfo{}, false
	}
	return p.takeSignal(ts, (&sigQueue{set: m}).next(m)), true
}

// takeSignal removes a pending signal, a task's own before its process's.
func (p *Process) takeSignal(ts *taskState, no unix.Signal) sigInfo {
	var si sigInfo
	if ts.pend.set.has(no) {
		si = ts.pend.take(no)
	} else {
		si = p.shared.take(no)
	}
	if si.timer != nil {
		si.Overrun = si.timer.taken()
	}
	return si
}

// deliver acts on a signal that has been taken.
func (k *Kernel) deliver(t *emu.Task, si sigInfo) error {
	if tr := t.Tracer(); tr != nil && si.No != unix.SIGKILL {
		if !tr.Signal(t, &si.Signal) {
			return nil
		}
	}
	return k.act(t, si)
}

// act does what the disposition of a signal says.
func (k *Kernel) act(t *emu.Task, si sigInfo) error {
	p := t.Proc.OS.(*Process)
	d := p.Sig.get(si.No)
	switch {
	case d.ignores(si.No):
		return nil
	case d.caught():
		return k.handle(t, &si, d)
	case stopping.has(si.No):
		return p.stop(t, si.No)
	}
	k.end(t, emu.Status{Signal: si.No, Core: coring.has(si.No) && k.dump(t, &si), Fault: si.fault})
	return nil
}

// newTaskState makes the state of a task of a program that starts.
func newTaskState(p *Process) *taskState {
	ts := &taskState{p: p, wake: make(chan struct{}, 1)}
	ts.cred = p.K.hostCred
	return ts
}

// exec is what execve leaves of a task's state.
func (ts *taskState) exec() {
	ts.alt, ts.clearTID, ts.robust, ts.restart, ts.masked = altStack{}, 0, 0, restart{}, false
}
