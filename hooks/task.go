package hooks

import (
	"fmt"
	"log"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Target is a task of whatever kind, as tracing needs it: what the
// "arch porting" page of utrace asks of a kernel. Guest tasks come through Of
// and Attach; others are made traceable by New, and call the points of Task
// where tracehook.h has them.
type Target interface {
	ID() int
	Arch() *arch.Arch
	Regs() regset.Regs
	Memory() arch.Memory
	// Sigaction is what a signal does to the task, the default for a number
	// that is none. Any goroutine may call it.
	Sigaction(no unix.Signal) emu.Sigaction

	// Kick makes the task pass its resume point soon. A blocking system call
	// goes on undisturbed.
	Kick()
	// Interrupt makes the task look for signals soon, and ends a blocking
	// system call as a signal would.
	Interrupt()
	// Park runs wait, which blocks while the task is held, on the goroutine of
	// the task; other tasks may run meanwhile.
	Park(wait func())
	// Held runs f, which looks at the task while it is parked, with the task's
	// registers at hand. Any goroutine may call it, a callback of another task
	// too.
	Held(f func() error) error
	// Done is closed when the run of the task is given up: no stop lasts
	// longer.
	Done() <-chan struct{}

	// Lost tells that a callback ends the goroutine of the task: see
	// runtime.Goexit. The task has to be given up.
	Lost()

	// HasSingleStep and HasBlockStep are arch_has_single_step and
	// arch_has_block_step.
	HasSingleStep() bool
	HasBlockStep() bool
	// SetStep says how far the task runs when it goes to user mode.
	SetStep(emu.Step)
}

// Task is the tracing state of a task (struct utrace).
type Task struct {
	target Target
	flags  atomic.Uint32 // events that some engine wants
	forced atomic.Bool   // the signal path has to be taken
	work   atomic.Bool   // the resume point has something to do
	logf   atomic.Pointer[func(line string)]
	watch  atomic.Pointer[func(Reported)]

	mu        sync.Mutex
	attached  []*Engine // replaced, never changed in place
	attaching []*Engine
	pending   Resume
	handler   bool // a handler's frame was just set up
	vfork     bool // stop before waiting for the child
	reporting *Engine
	idle      chan struct{} // closed when reporting ends; nil if nobody waits

	stopped   bool // held
	jctl      bool // in a job control stop
	wake      chan struct{}
	changed   chan struct{} // closed when the task stops or ends; nil if nobody waits
	examiners int
	unheld    chan struct{} // closed when examiners is 0; nil if nobody waits
	killed    bool

	dead     bool // exit_state is set
	deathEnd bool // the death pass is over
	reapDue  bool
	reaped   bool

	info emu.Signal // of the signal path, kept from pass to pass
	sys  Syscall
}

// New makes a task of another kind than emu.Task traceable.
func New(target Target) *Task {
	return &Task{target: target, wake: make(chan struct{}, 1)}
}

// Target is the task itself.
func (t *Task) Target() Target { return t.target }

// ID is the task's number.
func (t *Task) ID() int { return t.target.ID() }

// SetLog says who is told of callbacks that panic and of answers that make no
// sense, a line each; the default is package log. Any goroutine may call it.
func (t *Task) SetLog(f func(line string)) { t.logf.Store(&f) }

// Reported is one callback, for an observer.
type Reported struct {
	Task    *Task
	Engine  *Engine
	Event   Event // that the callback is for; 0 for one without a signal or event
	Quiesce bool  // it was Ops.Quiesce
	// Answer is what the callback answered, Combined what all answers of the
	// pass so far come to.
	Answer, Combined Action
	// Signal and Syscall are what it is about, if it is about one; they are
	// valid until the observer returns.
	Signal  *SignalReport
	Syscall *Syscall
	// Args are the arguments of the callbacks of tasks as words: the number of
	// the child of Clone and VforkDone, the wait status of Exit, the kind of
	// Jctl, and of Death whether it was the last of its process, and the signal.
	Args string
}

// String is the report in a line: engine, callback, answer and what all
// answers come to.
func (r Reported) String() string {
	what := r.Event.String()
	if r.Event == 0 {
		what = "report"
	}
	if r.Quiesce {
		what = "quiesce " + r.Event.String()
	}
	if s := r.Signal; s != nil && s.Info.No != 0 {
		what += " " + signalName(s.Info.No)
	}
	if s := r.Syscall; s != nil {
		what += " " + s.Name()
	}
	if r.Args != "" && !r.Quiesce {
		what += " " + r.Args
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s", r.Engine.ops.Name, what, r.Answer, r.Combined)
}

// String is the action as words: the resume action, and what differs from the
// zero value.
func (a Action) String() string {
	s := a.Resume.String()
	if a.Signal != SigPass {
		s += " " + a.Signal.String()
	}
	if a.Hold {
		s += " hold"
	}
	if a.Syscall == SysAbort {
		s += " abort"
	}
	return s
}

// SetObserver sets who is told of each callback of the task's engines when it
// has returned; nil ends it. The observer runs where the callback ran, and
// follows the same rules; one that panics is removed. Any goroutine may call
// SetObserver.
func (t *Task) SetObserver(f func(Reported)) {
	if f == nil {
		t.watch.Store(nil)
		return
	}
	t.watch.Store(&f)
}

// observe tells the observer of a callback whose answer is in p.
func (t *Task) observe(p *pass, e *Engine, ev Event, quiesce bool, answer Action) {
	if f := t.watch.Load(); f != nil {
		defer func() {
			if v := recover(); v != nil {
				t.watch.CompareAndSwap(f, nil)
				t.log("observer panicked, it is removed: %v\n%s", v, debug.Stack())
			}
		}()
		c := p.now
		c.Resume = p.action
		r := Reported{Task: t, Engine: e, Event: ev, Quiesce: quiesce, Answer: answer, Combined: c, Signal: p.signal, Syscall: p.syscall}
		if p.args != nil {
			r.Args = p.args()
		}
		(*f)(r)
	}
}

func (t *Task) log(format string, args ...any) {
	line := fmt.Sprintf("hooks: task %d: %s", t.ID(), fmt.Sprintf(format, args...))
	if f := t.logf.Load(); f != nil {
		(*f)(line)
		return
	}
	log.Print(line)
}

// wants tells whether some engine has one of the events.
func (t *Task) wants(e Event) bool { return Event(t.flags.Load())&e != 0 }

// Call is a callback under way: what "current" is to a kernel. It is valid
// until the callback returns.
type Call struct {
	t      *Task
	e      *Engine
	action Action
}

// Task is the task that reports.
func (c *Call) Task() *Task { return c.t }

// Engine is the engine whose callback this is. Its methods take the caller
// for another thread of the tracer: from within a callback those of Call are
// right.
func (c *Call) Engine() *Engine { return c.e }

// Action is what the engines before have answered, in the order in which they
// are called.
func (c *Call) Action() Action { return c.action }

// Regs are the registers of the task. Changes are the guest's.
func (c *Call) Regs() regset.Regs { return c.t.target.Regs() }

// Memory is the memory of the task.
func (c *Call) Memory() arch.Memory { return c.t.target.Memory() }

// Arch is the architecture of the task.
func (c *Call) Arch() *arch.Arch { return c.t.target.Arch() }

// Sigaction is what the guest has set for a signal: what an engine that makes a
// signal puts into SignalReport.Return, to have the guest take it as its own.
func (c *Call) Sigaction(no unix.Signal) emu.Sigaction { return c.t.target.Sigaction(no) }

// SetEvents is Engine.SetEvents for the engine itself: it never answers
// ErrInProgress.
func (c *Call) SetEvents(m Event) error { return c.e.setEvents(m, true) }

// Barrier is Engine.Barrier for the engine itself, which waits for nothing.
func (c *Call) Barrier() error { return nil }

// Control is Engine.Control for the engine itself.
func (c *Call) Control(r Resume) error { return c.e.control(r, true) }

// pass is one round over the engines (struct utrace_report).
type pass struct {
	engines []*Engine
	action  Resume // the strongest answer
	resume  Resume // the strongest but Stop: what is asked for when a stop ends
	now     Action // what the answers come to beside Resume
	signal  *SignalReport
	syscall *Syscall
	args    func() string // Reported.Args, nil for none
}

// begin starts a pass: engines that wait to join do so, and what is pending
// is left to the answers, save that an interrupt stays until the signal path
// is taken.
func (t *Task) begin() pass {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.splice()
	if t.pending < Interrupt {
		t.pending = Run
	}
	return pass{engines: t.attached}
}

// splice lets waiting engines join. t.mu is held.
func (t *Task) splice() {
	if len(t.attaching) > 0 {
		t.attached = append(slices.Clip(t.attached), t.attaching...)
		t.attaching = nil
	}
}

// report makes an engine's callbacks for an event: Quiesce if quiesce says so,
// then f, whose answer is the engine's, if it has one of the events want. ev is
// the event that Quiesce is told.
func (t *Task) report(p *pass, e *Engine, quiesce bool, want, ev Event, f func(c *Call) Action) {
	t.mu.Lock()
	if e.detached {
		t.mu.Unlock()
		return
	}
	mask := e.events
	t.reporting = e
	t.mu.Unlock()
	defer t.reported(p, e)
	c := &Call{t, e, p.now}
	c.action.Resume = p.action
	if quiesce && mask&EventQuiesce != 0 && e.ops.Quiesce != nil {
		a := t.guard(e, c, func(c *Call) Action { return Action{Resume: e.ops.Quiesce(c, ev)} })
		t.answer(p, e, a.Resume)
		t.observe(p, e, ev, true, a)
		t.mu.Lock()
		mask = e.events
		gone := e.detached
		t.mu.Unlock()
		if gone {
			return
		}
		c.action.Resume = p.action
	}
	if f != nil && mask&want != 0 {
		a := t.guard(e, c, f)
		t.answer(p, e, a.Resume)
		t.observe(p, e, ev, p.signal != nil && e.ops.Signal == nil, a)
	}
}

// guard makes a callback; a panic in it detaches the engine, and so does one
// that never returns because it ends its goroutine.
func (t *Task) guard(e *Engine, c *Call, f func(*Call) Action) (a Action) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			t.log("engine %q: callback panicked, the engine is detached: %v\n%s", e.ops.Name, v, debug.Stack())
			a = Action{Resume: Detach}
			return
		}
		t.log("engine %q: callback ended the task's goroutine, the engine is detached and the task killed", e.ops.Name)
		t.mu.Lock()
		t.detach(e)
		t.mu.Unlock()
		if c != nil {
			t.target.Lost()
		}
	}()
	a = f(c)
	returned = true
	if a.Resume > Detach {
		t.log("engine %q: callback answered %d, taken as Run", e.ops.Name, a.Resume)
		a.Resume = Run
	}
	return a
}

// answer adds an engine's answer to the pass.
func (t *Task) answer(p *pass, e *Engine, r Resume) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case e.detached: // meanwhile, by another: the answer does not count
	case r == Detach:
		t.detach(e)
	default:
		e.stop = r == Stop
		p.action = Stronger(p.action, r)
		if r != Stop {
			p.resume = Stronger(p.resume, r)
		}
	}
}

// reported ends the callbacks of an engine.
func (t *Task) reported(p *pass, e *Engine) {
	t.mu.Lock()
	t.reporting = nil
	if e.stop {
		p.action = Stop
	}
	if t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
	release := e.detached
	t.mu.Unlock()
	if release {
		e.release()
	}
}

// each makes the callbacks of an event for all engines in attach order.
func (t *Task) each(p *pass, ev Event, f func(c *Call) Resume) {
	var g func(c *Call) Action
	if f != nil {
		g = func(c *Call) Action { return Action{Resume: f(c)} }
	}
	for _, e := range p.engines {
		t.report(p, e, true, ev, ev, g)
	}
}

// end closes a pass in the middle of the kernel: what was answered is done at
// the resume point. final tells that there will be none.
func (t *Task) end(p *pass, final bool) {
	r := p.action
	if r == Stop {
		r = Report
	}
	if final {
		r = p.resume
	}
	t.mu.Lock()
	t.pend(r)
	t.mu.Unlock()
}

// pend makes r pending unless something stronger is, or nobody is left who
// asked. t.mu is held.
func (t *Task) pend(r Resume) {
	if t.alone() {
		return
	}
	t.pending = Stronger(t.pending, r)
	t.forced.Store(t.pending >= Interrupt)
	if r != Run {
		t.work.Store(true)
	}
}

// alone tells whether no engine is attached. t.mu is held.
func (t *Task) alone() bool { return len(t.attached)+len(t.attaching) == 0 }

// anyStop tells whether an engine holds the task. t.mu is held.
func (t *Task) anyStop() bool {
	return slices.ContainsFunc(t.attached, func(e *Engine) bool { return e.stop }) ||
		slices.ContainsFunc(t.attaching, func(e *Engine) bool { return e.stop })
}

// over tells whether stops do not count any more: the task is killed, or the
// run given up.
func (t *Task) over() bool {
	select {
	case <-t.target.Done():
		return true
	default:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.killed
}

// hold blocks while an engine holds the task, with next pending for the time
// after. It tells whether the task was stopped at all.
func (t *Task) hold(next Resume) bool {
	t.mu.Lock()
	t.pend(next)
	if !t.anyStop() || t.killed {
		t.mu.Unlock()
		return false
	}
	select {
	case <-t.wake: // of an earlier stop
	default:
	}
	t.stopped = true
	t.tell()
	t.mu.Unlock()
	t.target.SetStep(emu.StepNone)
	t.target.Park(t.wait)
	return true
}

// wait blocks until nobody holds the task any more, and nobody looks at it.
func (t *Task) wait() {
	done := t.target.Done()
	t.mu.Lock()
	for ended := false; ; {
		wake, unheld := t.wake, (chan struct{})(nil)
		switch {
		case t.examiners > 0:
			if t.unheld == nil {
				t.unheld = make(chan struct{})
			}
			unheld = t.unheld
		case ended || !t.stopped:
			// Whoever has stopped it again meanwhile finds it on its way: a report
			// comes, and the stop after it.
			t.stopped = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		switch {
		case unheld != nil:
			<-unheld
		default:
			select {
			case <-wake:
			case <-done:
				ended = true
			}
		}
		t.mu.Lock()
	}
}

// tell wakes those who wait for the task to stop or end. t.mu is held.
func (t *Task) tell() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// rouse makes a stopped task look whether it may go on. t.mu is held.
func (t *Task) rouse() {
	if t.killed || !t.anyStop() {
		t.stopped = false
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// act does at once what a pass decided, at a place where the task can stop
// (finish_resume_report).
func (t *Task) act(p *pass) {
	t.mu.Lock()
	stop := t.anyStop() && !t.killed
	if t.alone() {
		p.resume = Run
	}
	t.mu.Unlock()
	if stop {
		t.hold(p.resume)
		return
	}
	switch r := p.resume; r {
	case Interrupt:
		t.mu.Lock()
		t.pend(r)
		t.mu.Unlock()
	case SingleStep, BlockStep:
		t.step(r)
	default:
		t.target.SetStep(emu.StepNone)
	}
}

// HasSingleStep tells whether engines can have the task single-stepped
// (arch_has_single_step). Where it is false a request is refused with
// ErrNoStep; emu.Process.SetCaps has steps made in software. Any goroutine may
// call it.
func (t *Task) HasSingleStep() bool { return t.target.HasSingleStep() }

// HasBlockStep tells whether engines can have the task run from one taken branch
// to the next (arch_has_block_step). Where it is false such a request is one for
// a single step. Any goroutine may call it.
func (t *Task) HasBlockStep() bool { return t.target.HasBlockStep() }

// step arms a step. Where there is no such step the task runs freely, which
// the engine that answered so is told by the log.
func (t *Task) step(r Resume) {
	if r == BlockStep && t.target.HasBlockStep() {
		t.target.SetStep(emu.StepBlock)
		return
	}
	if r == BlockStep {
		t.log("no block step: single step instead")
	}
	if t.target.HasSingleStep() {
		t.target.SetStep(emu.StepInsn)
		return
	}
	t.log("no single step: the task runs on")
	t.target.SetStep(emu.StepNone)
}
