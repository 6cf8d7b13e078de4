package hooks

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Flags say how Attach looks for an engine or makes one.
type Flags uint8

// The flags (UTRACE_ATTACH_*).
const (
	AttachMatchOps  Flags = 0x01 // an engine matches if its ops are the same
	AttachMatchData Flags = 0x02 // and its data
	AttachCreate    Flags = 0x10 // make a new engine
	AttachExclusive Flags = 0x20 // unless one matches
)

// Engine is one attachment of Ops to a task (struct utrace_engine). Its
// methods may be called by any goroutine, from callbacks of other engines
// too.
type Engine struct {
	t    *Task
	ops  *Ops
	data any

	// Guarded by Task.mu.
	events   Event
	stop     bool // holds the task
	detached bool
	released bool
}

// Attach finds an engine of the task or, with AttachCreate, makes one. The
// data must be comparable. A new engine has no events: see SetEvents. One
// that is made during a callback joins for the next event.
//
// ErrNoEnt: there is none that matches; without a match flag any would. With
// AttachCreate, in this order: ErrInvalid: ops is nil; ErrExist: with
// AttachExclusive, and one matches; ErrGone: the task has been reaped.
func (t *Task) Attach(f Flags, ops *Ops, data any) (*Engine, error) {
	if f&AttachCreate != 0 && ops == nil {
		return nil, ErrInvalid
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.match(f, ops, data)
	switch {
	case f&AttachCreate == 0 && found == nil:
		return nil, ErrNoEnt
	case f&AttachCreate == 0:
		return found, nil
	case f&AttachExclusive != 0 && found != nil:
		return nil, ErrExist
	case t.reaped:
		return nil, ErrGone
	}
	e := &Engine{t: t, ops: ops, data: data}
	t.attaching = append(t.attaching, e)
	return e, nil
}

func (t *Task) match(f Flags, ops *Ops, data any) *Engine {
	for _, l := range [][]*Engine{t.attached, t.attaching} {
		for _, e := range l {
			if !e.detached && (f&AttachMatchOps == 0 || e.ops == ops) && (f&AttachMatchData == 0 || e.data == data) {
				return e
			}
		}
	}
	return nil
}

// Engines is how many engines are attached.
func (t *Task) Engines() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.attached) + len(t.attaching)
}

// Task is the task that the engine is attached to, or was.
func (e *Engine) Task() *Task { return e.t }

// Ops are the engine's callbacks.
func (e *Engine) Ops() *Ops { return e.ops }

// Data is what Attach was given.
func (e *Engine) Data() any { return e.data }

// Events is the engine's event mask.
func (e *Engine) Events() Event {
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	return e.events
}

// SetEvents replaces the event mask.
//
// ErrGone: the engine is detached, or the task reaped. ErrAlready: the task
// has ended and the mask newly has EventDeath or EventQuiesce; or its death is
// being reported and the mask lacks one of them that the engine had; nothing
// is changed. ErrInProgress: the mask lacks an event that the engine had, and
// a callback of the engine is under way, perhaps for that event; the mask is
// changed, and Barrier waits for the callback.
func (e *Engine) SetEvents(m Event) error { return e.setEvents(m, false) }

const deathEvents = EventDeath | EventQuiesce

func (e *Engine) setEvents(m Event, self bool) error {
	t := e.t
	m &= EventAll
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case e.detached || t.reaped:
		return ErrGone
	case t.dead && m&^e.events&deathEvents != 0:
		return ErrAlready
	case t.dead && !t.deathEnd && e.events&^m&deathEvents != 0:
		return ErrAlready
	}
	lost := e.events &^ m
	e.events = m
	t.union()
	if lost != 0 && !self && t.reporting == e && !t.dead {
		return ErrInProgress
	}
	return nil
}

// union computes the events that some engine wants. t.mu is held.
func (t *Task) union() {
	var f Event
	for _, l := range [][]*Engine{t.attached, t.attaching} {
		for _, e := range l {
			f |= e.events
		}
	}
	t.flags.Store(uint32(f))
}

// Control tells the task how to go on, for this engine's part. All but Stop
// and Detach let go of a task that this engine holds; it runs when no other
// holds it.
//
//	Stop        hold it. nil if it is stopped already, else ErrInProgress: it
//	            will stop soon, at its next resume point. If the engine has
//	            EventQuiesce its Quiesce is called there, and has the last word.
//	Run         nothing else.
//	Report      a call of Quiesce or Signal before user mode. A system call
//	            that blocks is not disturbed.
//	Interrupt   a call of Signal; a system call that blocks is.
//	SingleStep  one instruction. ErrNoStep if the task cannot: it stays as it is.
//	BlockStep   up to the next taken branch; a single step where there is none.
//	Detach      no more callbacks. ErrInProgress: but for one that is under way,
//	            after which it is complete.
//
// A weaker request does not take back a stronger one that is pending. Errors,
// in this order: ErrInvalid for other values; ErrGone for an engine that is
// detached; ErrInvalid for Report and steps without EventQuiesce; on a task
// that has ended ErrGone for all but Detach, which answers ErrAlready while
// the death is being reported.
func (e *Engine) Control(r Resume) error { return e.control(r, false) }

func (e *Engine) control(r Resume, self bool) error {
	t := e.t
	t.mu.Lock()
	kick, err := e.request(r, self)
	release := e.detached && t.reporting != e && !e.released
	t.mu.Unlock()
	if kick != nil {
		kick()
	}
	if release {
		e.release()
	}
	return err
}

// request is Control with t.mu held. The function it returns is to be called
// without.
func (e *Engine) request(r Resume, self bool) (kick func(), err error) {
	t := e.t
	switch {
	case r > Detach:
		return nil, ErrInvalid
	case e.detached || t.reaped:
		return nil, ErrGone
	case r >= BlockStep && r <= Report && e.events&EventQuiesce == 0:
		return nil, ErrInvalid
	case t.dead && r != Detach:
		return nil, ErrGone
	case t.dead && !t.deathEnd:
		return nil, ErrAlready
	}
	held := t.stopped || t.jctl
	switch r {
	case Stop:
		e.stop = true
		if held {
			return nil, nil
		}
		t.pend(Report)
		return t.target.Kick, ErrInProgress
	case Detach:
		t.detach(e)
		if t.reporting == e && !self {
			return nil, ErrInProgress
		}
		return nil, nil
	case BlockStep, SingleStep:
		if !t.target.HasSingleStep() && (r == SingleStep || !t.target.HasBlockStep()) {
			return nil, ErrNoStep
		}
	}
	e.stop = false
	t.pend(r)
	t.rouse()
	switch {
	case r == Interrupt:
		return t.target.Interrupt, nil
	case r != Run && !held:
		return t.target.Kick, nil
	}
	return nil, nil
}

// detach takes an engine off its task. t.mu is held; the caller sees to
// release.
func (t *Task) detach(e *Engine) {
	e.detached, e.stop, e.events = true, false, 0
	without := func(l []*Engine) []*Engine {
		i := slices.Index(l, e)
		if i < 0 {
			return l
		}
		return slices.Concat(l[:i], l[i+1:])
	}
	t.attached, t.attaching = without(t.attached), without(t.attaching)
	t.union()
	if t.alone() {
		t.pending, t.handler = Run, false
		t.forced.Store(false)
		t.target.SetStep(emu.StepNone)
	}
	t.rouse()
}

// release calls Ops.Release, once.
func (e *Engine) release() {
	e.t.mu.Lock()
	first := !e.released
	e.released = true
	e.t.mu.Unlock()
	if first && e.ops.Release != nil {
		e.t.guard(e, nil, func(*Call) Action { e.ops.Release(e.data); return Action{} })
	}
}

// Barrier waits until no callback of the engine is under way; then the answer
// of the last is in force: a task it stopped is about to stop. It works for an
// engine that was detached, and answers ErrGone when that is complete. ErrInterrupted:
// ctx ended, or the run of the task. A callback must not wait for itself, nor
// for one that waits for it: that lasts until then.
func (e *Engine) Barrier(ctx context.Context) error {
	t := e.t
	for {
		t.mu.Lock()
		if t.reporting != e {
			gone := e.detached || t.reaped
			t.mu.Unlock()
			if gone {
				return ErrGone
			}
			return nil
		}
		if t.idle == nil {
			t.idle = make(chan struct{})
		}
		idle := t.idle
		t.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ErrInterrupted
		case <-t.target.Done():
			return ErrInterrupted
		}
	}
}

// Examiner gives access to a task that is held.
type Examiner struct{ t *Task }

// Regs are the registers of the task. Changes are the guest's.
func (x *Examiner) Regs() regset.Regs { return x.t.target.Regs() }

// Memory is the memory of the task.
func (x *Examiner) Memory() arch.Memory { return x.t.target.Memory() }

// Arch is the architecture of the task.
func (x *Examiner) Arch() *arch.Arch { return x.t.target.Arch() }

// Sigaction is what the guest has set for a signal.
func (x *Examiner) Sigaction(no unix.Signal) emu.Sigaction { return x.t.target.Sigaction(no) }

// Examine calls f to look at the task, or change it, while this engine holds
// it (utrace_prepare_examine and utrace_finish_examine). The task does not run
// before f has returned, even if it is killed; then the answer is ErrAgain
// and what was read does not count. f may not make the task run and wait for
// it.
//
// ErrGone: the task has ended, or the engine is detached. ErrInvalid: the
// engine does not hold the task, whether another does or not. ErrAgain: the
// task has not stopped yet. Other errors are f's.
func (e *Engine) Examine(f func(x *Examiner) error) error {
	t := e.t
	t.mu.Lock()
	switch {
	case e.detached || t.dead:
		t.mu.Unlock()
		return ErrGone
	case !e.stop:
		t.mu.Unlock()
		return ErrInvalid
	case !t.stopped && !t.jctl:
		t.mu.Unlock()
		return ErrAgain
	}
	t.examiners++
	t.mu.Unlock()
	defer t.examined()
	if err := t.target.Held(func() error { return f(&Examiner{t}) }); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.killed || t.dead:
		return ErrAgain
	case !e.stop:
		return ErrInvalid
	case !t.stopped && !t.jctl:
		return ErrAgain // let go, and stopped again
	}
	return nil
}

func (t *Task) examined() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.examiners--; t.examiners == 0 && t.unheld != nil {
		close(t.unheld)
		t.unheld = nil
	}
}

// WaitStop waits until the task is held, by whichever engine, or in a job
// control stop. ErrGone: it has ended. ErrInterrupted: ctx ended, or the run
// of the task. A callback must not call it: other tasks of the process do not
// run before it has returned.
func (t *Task) WaitStop(ctx context.Context) error {
	for {
		t.mu.Lock()
		switch {
		case t.dead:
			t.mu.Unlock()
			return ErrGone
		case t.stopped || t.jctl:
			t.mu.Unlock()
			return nil
		}
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		ch := t.changed
		t.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
			return ErrInterrupted
		case <-t.target.Done():
			return ErrInterrupted
		}
	}
}

// Stopped tells whether the task is held, or in a job control stop.
func (t *Task) Stopped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped || t.jctl
}
