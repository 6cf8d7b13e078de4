package emu

import "slices"

// Visit calls f in a turn on the process's CPU, so that f may look at the
// process's memory and mappings while its tasks keep still; f must not block
// or touch registers. It is false, and f is not called, for a process that has
// been closed. The caller must not have a turn of its own: two that visit each
// other would wait for ever.
func (p *Process) Visit(f func()) bool {
	for {
		p.cpuMu.Lock()
		q := p.turns
		p.cpuMu.Unlock()
		if s := q.schedule(); s != nil {
			return p.visitScheduled(s, f)
		}
		if q == nil { // a process without a CPU
			f()
			return true
		}
		v := &Task{Proc: p, turn: make(chan struct{}, 1)}
		q.wait(v)
		again, ok := p.visit(q, f)
		v.release(false)
		if !again {
			return ok
		}
	}
}

// visitScheduled is Visit in a schedule, where a task that makes a call of the
// host keeps its turn.
func (p *Process) visitScheduled(s *Schedule, f func()) (ok bool) {
	look := func() error {
		if ok = p.cpu != nil; ok {
			f()
		}
		return nil
	}
	if h := p.turns.current(); h != nil && h.goroutine.Load() == goroutine() {
		_ = look() // it does not fail
	} else {
		_ = s.Visit(look)
	}
	return ok
}

// wait gets the turn for a task without putting its registers into the CPU.
func (q *turns) wait(t *Task) {
	q.mu.Lock()
	if q.holder == nil {
		q.begin(t, now())
		q.mu.Unlock()
		return
	}
	q.enqueue(t)
	q.mu.Unlock()
	<-t.turn
}

// visit calls f unless the process has been closed; again tells that another
// program has replaced its own meanwhile, which has other turns.
func (p *Process) visit(q *turns, f func()) (again, ok bool) {
	p.visits.RLock()
	defer p.visits.RUnlock()
	if p.turns != q {
		return true, false
	}
	if p.cpu == nil {
		return false, false
	}
	f()
	return false, true
}

// Asleep tells whether the task neither runs nor waits for its turn: it is in
// a system call that blocks. Any goroutine may call it.
func (t *Task) Asleep() bool {
	t.Proc.cpuMu.Lock()
	q := t.Proc.turns
	t.Proc.cpuMu.Unlock()
	if q == nil {
		return false
	}
	if s := q.sched; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.holder != t && (t.away || t.wait != nil)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return t.out.Load() && q.holder != t && !slices.Contains(q.queue, t)
}
