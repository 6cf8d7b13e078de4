package syscalls

import (
	"os/signal"
	"sync"
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
	blocking atomic.Int32  // the host's thread that is in a call which may block, 0 for none

	// Guarded by Process.sigMu.
	blocked sigset
	pend    sigQueue
	masked  bool // saved is the mask to go back to (TIF_RESTORE_SIGMASK)
	saved   sigset
	restart restart
	forced  forcedSignal // used by the task's goroutine only

	alt      altStack
	clearTID uint64 // set_tid_address
	robust   uint64 // set_robust_list
	fs       fsIDs
}

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
		t.OS = ts
	}
	return ts
}

// task is the state of the calling task.
func (c *Ctx) task() *taskState { return stateOf(c.T) }

// post makes a signal pending: for the task ts, or, shared, for its process.
// Any goroutine may call it. A signal that would be ignored is dropped unless
// it is blocked. EAGAIN means that too many are queued.
func (p *Process) post(ts *taskState, si sigInfo, shared bool) error {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	if p.closed {
		return nil
	}
	switch {
	case si.No == unix.SIGCONT:
		p.flush(ts, stopping)
	case stopping.has(si.No):
		p.flush(ts, sigs(unix.SIGCONT))
	}
	d := p.Sig.get(si.No)
	if d.ignores(si.No) && !ts.blocked.has(si.No) && !p.wanted(si.No) {
		return nil
	}
	if si.No == unix.SIGKILL {
		p.killed()
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
	if p.waiting(ts, ts.blocked) != 0 {
		p.alarm.Store(true)
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// notify is post for goroutines other than the task's: the task is brought
// out of user mode or of a blocking call.
func (p *Process) notify(ts *taskState, si sigInfo) {
	if p.post(ts, si, true) == nil && p.alarm.Load() {
		p.poke()
	}
}

func (p *Process) flush(ts *taskState, m sigset) {
	ts.pend.flush(m)
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
		p.alarm.Store(true)
	}
	return old
}

// interrupted tells whether a signal waits that ends a blocking call: one
// that is not blocked and does more than nothing.
func (c *Ctx) interrupted() bool {
	if !c.P.alarm.Load() {
		return false
	}
	p, ts := c.P, c.task()
	if p.woken.Load() {
		return true
	}
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	for m := p.waiting(ts, ts.blocked); m != 0; m &= m - 1 {
		q := sigQueue{set: m}
		no := q.next(^sigset(0))
		d := p.Sig.get(no)
		if !d.ignores(no) || p.wanted(no) {
			return true
		}
		p.flush(ts, sigs(no))
	}
	return false
}

// sleep waits until a signal waits for the task (true) or for d, forever if d
// is negative.
func (c *Ctx) sleep(d time.Duration) bool {
	var expired <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		expired = t.C
	}
	woken := false
	c.Block(func() {
		for !c.interrupted() {
			select {
			case <-c.P.wake:
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
	p.alarm.Store(false)
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
	k.end(t, emu.Status{Signal: si.No, Core: coring.has(si.No), Fault: si.fault})
	return nil
}

// end ends a task and, as it is the only one, its process.
func (k *Kernel) end(t *emu.Task, s emu.Status) {
	t.End(s)
	t.Proc.OS.(*Process).timers.stop()
}

// once logs a line if it has not been logged before.
func (k *Kernel) once(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.missed[line] {
		k.missed[line] = true
		k.cfg.Log(line)
	}
}

// newTaskState makes the state of a task of a program that starts.
func newTaskState() *taskState {
	ts := &taskState{}
	ts.fs.reset()
	return ts
}

// exec is what execve leaves of a task's state.
func (ts *taskState) exec() {
	ts.alt, ts.clearTID, ts.robust, ts.restart, ts.masked = altStack{}, 0, 0, restart{}, false
}
