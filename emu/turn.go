package emu

import (
	"bytes"
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
	timer  *time.Timer // ends the holder's slice while others wait

	wanted atomic.Bool // the slice is over

	// on is the task whose registers the CPU has; it changes in a turn only.
	on *Task
}

// slice is how long a task goes on while others wait for the turn.
const slice = time.Millisecond

// acquire waits for the task's turn and puts its registers into the CPU.
func (t *Task) acquire() error {
	p := t.Proc
	q := p.turns
	q.mu.Lock()
	if q.holder == nil {
		q.holder = t
		q.mu.Unlock()
	} else {
		q.queue = append(q.queue, t)
		if len(q.queue) == 1 {
			q.arm(q.holder.Proc)
		}
		q.mu.Unlock()
		<-t.turn
	}
	return p.switchTo(t)
}

// release gives the turn to the task that has waited longest.
func (t *Task) release() {
	q := t.Proc.turns
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wanted.Store(false)
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if len(q.queue) == 0 {
		q.holder = nil
		return
	}
	q.holder = q.queue[0]
	q.queue = slices.Delete(q.queue, 0, 1)
	if len(q.queue) > 0 {
		q.arm(q.holder.Proc)
	}
	q.holder.turn <- struct{}{}
}

// arm starts a slice for the holder, a task of p.
func (q *turns) arm(p *Process) {
	q.timer = time.AfterFunc(slice, func() {
		q.wanted.Store(true)
		p.Interrupt()
	})
}

// Yield lets the other tasks that wait for the CPU have their turn first.
func (t *Task) Yield() {
	q := t.Proc.turns
	if q == nil {
		return
	}
	q.mu.Lock()
	waits := len(q.queue) > 0
	q.mu.Unlock()
	if waits {
		t.release()
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
	t.release()
	f()
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
	q.mu.Lock()
	h := q.holder
	q.mu.Unlock()
	if h != nil && h.goroutine.Load() == goroutine() {
		return h.With(t, func(*CPU) error { return f() })
	}
	if err := t.acquire(); err != nil {
		return err
	}
	defer t.release()
	return f()
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
