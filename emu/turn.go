package emu

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// turns is how the tasks of an address space share its CPU: one holds the
// turn, from before it goes to user mode until it gives it up, in a system
// call that blocks, at the end of its slice if others wait, or when it ends.
// All that a kernel does for a task it does in the task's turn, so tasks see
// each other's state between system calls only. Turns are given in the order
// in which they were asked for.
type turns struct {
	mu     sync.Mutex
	holder *Task
	queue  []*Task
	count  uint64 // turns that have begun
	began  uint64 // count when more last saw a turn begin
	ticks  bool   // tick runs

	wanted atomic.Bool // the slice is over

	// on is the task whose registers the CPU has; it changes in a turn only.
	on *Task

	// sched takes the place of all of the above but on, if the machine has one.
	sched *Schedule
}

// slice is how long a task goes on while others wait for the turn.
const slice = time.Millisecond

// acquire waits for the task's turn and puts its registers into the CPU.
func (t *Task) acquire() error {
	p := t.Proc
	q := p.turns
	if q.sched != nil {
		q.sched.enter(t)
		return p.switchTo(t)
	}
	q.wait(t)
	return p.switchTo(t)
}

// enqueue has the task wait for its turn; q.mu is held, and somebody has the
// turn.
func (q *turns) enqueue(t *Task) {
	q.queue = append(q.queue, t)
	if !q.ticks {
		q.ticks = true
		q.tick(q.count)
	}
}

// begin gives the turn to t, now; q.mu is held.
func (q *turns) begin(t *Task, now int64) {
	q.holder = t
	q.count++
	t.since.Store(now)
}

// now is the time that turns go by.
func now() int64 { return int64(time.Since(started)) }

var started = time.Now().Add(-1) // so that no turn begins at 0

// Ran is how long the task has had the turn of its CPU. Any goroutine may call
// it. A task of a Schedule has Used instead.
func (t *Task) Ran() time.Duration {
	d := t.ran.Load()
	if since := t.since.Load(); since != 0 {
		d += now() - since
	}
	return time.Duration(d)
}

// Ready ends the wait of a task that is in Sleep: it has it wait for its turn,
// so that the task's goroutine wakes when it has got that and not twice. It is
// false if the task is not in Sleep, and is not to be called twice for one
// Sleep unless the task knows. Any goroutine may call it.
func (t *Task) Ready() bool {
	q := t.Proc.turns
	if q == nil || q.sched != nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !t.asleep:
		return false
	case t.readied:
	case q.holder == nil:
		q.begin(t, now())
		t.turn <- struct{}{}
	default:
		q.enqueue(t)
	}
	t.readied = true
	return true
}

// Sleep is Outside for a wait that Ready may end: f is to return true when it
// has received from turn. In a process without a CPU nothing comes from there.
func (t *Task) Sleep(f func(turn <-chan struct{}) bool) {
	q := t.Proc.turns
	if q == nil {
		f(nil)
		return
	}
	q.mu.Lock()
	t.asleep, t.readied = true, false
	q.mu.Unlock()
	t.out.Store(true)
	t.release(false)
	turn := f(t.turn)
	t.out.Store(false)
	q.mu.Lock()
	t.asleep = false
	readied := t.readied
	q.mu.Unlock()
	if !turn && !readied {
		t.regain()
		return
	}
	if !turn {
		<-t.turn
	}
	if err := t.Proc.switchTo(t); err != nil {
		t.broken = err
	}
}

// release gives the turn to the task that has waited longest, or that the
// schedule chooses; for good means that the task does not want it again.
func (t *Task) release(forGood bool) {
	q := t.Proc.turns
	if q.sched != nil {
		q.sched.leave(t, forGood)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wanted.Store(false)
	end := now()
	t.ran.Add(end - t.since.Swap(0))
	if len(q.queue) == 0 {
		q.holder = nil
		return
	}
	next := q.queue[0]
	q.queue = slices.Delete(q.queue, 0, 1)
	q.begin(next, end)
	next.turn <- struct{}{}
}

// tick ends the holder's slice if it has had the turn since the last tick,
// whose count of turns is given, and comes again as long as tasks wait. One
// timer that runs costs less than one for each turn.
func (q *turns) tick(last uint64) {
	time.AfterFunc(slice, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.queue) == 0 {
			q.ticks = false
			return
		}
		if q.count == last && !q.more() {
			q.wanted.Store(true)
			q.holder.Proc.Interrupt()
		}
		q.tick(q.count)
	})
}

// mostSlices is how many slices a task has in a row at most.
const mostSlices = 20

// more tells whether the holder, which has had a slice, has another one before
// the others. The nicest of those that wait has one; a task has 1.25 times as
// many for each step of nice that it is below (sched_prio_to_weight).
func (q *turns) more() bool {
	t := q.holder
	if q.began != q.count {
		q.began = q.count
		nicest := t.nice.Load()
		for _, w := range q.queue {
			nicest = max(nicest, w.nice.Load())
		}
		t.credit += min(math.Pow(1.25, float64(nicest-t.nice.Load())), mostSlices)
	}
	t.credit--
	return t.credit >= 1
}

// SetNice sets how nice the task is to others of its CPU, as setpriority(2)
// does; it begins with 0. Any goroutine may call it. A Schedule does not heed it.
func (t *Task) SetNice(nice int) { t.nice.Store(int32(nice)) }

// over tells whether the slice is.
func (q *turns) over() bool {
	if q.sched != nil {
		return q.sched.over()
	}
	return q.wanted.Load()
}

// Yield lets the other tasks that wait for the CPU have their turn first.
func (t *Task) Yield() {
	q := t.Proc.turns
	if q == nil {
		return
	}
	if q.sched != nil {
		q.sched.pass(t, true)
		if err := t.Proc.switchTo(t); err != nil {
			t.broken = err
		}
		return
	}
	q.mu.Lock()
	waits := len(q.queue) > 0
	q.mu.Unlock()
	if waits {
		t.release(false)
		t.regain()
	}
}

// Outside calls f, which may block, without the turn: the other tasks of the
// process run meanwhile. f must not touch the process's memory or registers.
// In a process without a CPU there are no turns.
func (t *Task) Outside(f func()) {
	if t.Proc.turns == nil {
		f()
		return
	}
	t.out.Store(true)
	t.release(false)
	f()
	t.out.Store(false)
	t.regain()
}

// regain is acquire where a failure of the engine cannot be told: the next run
// of the task fails with it.
func (t *Task) regain() {
	if err := t.acquire(); err != nil {
		t.broken = err
	}
}

// Borrow calls f in the turn of the task, which is outside of it, for another
// goroutine, that of a task that shares its CPU too: its tracer may look at the
// others in a callback, though their turn does not come before it returns. It
// returns f's error, or that of an engine that fails.
func (t *Task) Borrow(f func() error) error {
	q := t.Proc.turns
	h := q.current()
	mine := h != nil && h.goroutine.Load() == goroutine()
	switch {
	case mine && h.Proc.turns == q:
		return h.With(t, func(*CPU) error { return f() })
	case mine:
		return t.looked(f)
	case q.sched != nil:
		return q.sched.Visit(func() error { return t.looked(f) })
	}
	if err := t.acquire(); err != nil {
		return err
	}
	defer t.release(false)
	return f()
}

// looked calls f with the registers of t in its CPU, which nobody uses.
func (t *Task) looked(f func() error) error {
	if err := t.Proc.switchTo(t); err != nil {
		return err
	}
	return f()
}

// current is the task that has the turn.
func (q *turns) current() *Task {
	if s := q.sched; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.holder
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.holder
}

// goroutine is the number of the calling goroutine, which Go tells at the head
// of a stack trace only: "goroutine 18 [running]".
func goroutine() uint64 {
	var b [32]byte
	f := bytes.Fields(b[:runtime.Stack(b[:], false)])
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseUint(string(f[1]), 10, 64)
	return n
}

// switchTo puts the registers of t into the CPU.
func (p *Process) switchTo(t *Task) error {
	on := p.turns.on
	if on == t {
		return nil
	}
	if on != nil && on.status == nil {
		if err := p.cpu.save(&on.saved); err != nil {
			return err
		}
	}
	p.turns.on = t
	if t.saved.ctx == nil { // the first of the process: the CPU is as it wants it
		return nil
	}
	return p.cpu.restore(&t.saved)
}

// Clone makes a task that has the registers of t, in the process q: that of t
// for a thread, one that came from Fork or Share otherwise. init gets them to
// change, which are in the CPU meanwhile. The task does not run yet.
func (t *Task) Clone(q *Process, tid int, init func(child *Task) error) (*Task, error) {
	c := q.NewTask(tid, t.kernel)
	if q.turns != t.Proc.turns {
		return c, init(c)
	}
	p := t.Proc
	if err := p.cpu.save(&t.saved); err != nil {
		return nil, err
	}
	// The CPU has the registers that the child starts with.
	p.turns.on = c
	err := init(c)
	if e := p.switchTo(t); err == nil {
		err = e
	}
	return c, err
}
