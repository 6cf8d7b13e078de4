package emu

import (
	"context"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// NoTracer is a Tracer that takes no interest in anything; embed it to
// implement a part of the interface.
type NoTracer struct{}

// SyscallEntry implements Tracer.
func (NoTracer) SyscallEntry(*Task) (abort bool) { return false }

// SyscallExit implements Tracer.
func (NoTracer) SyscallExit(*Task) {}

// Signal implements Tracer.
func (NoTracer) Signal(*Task, *Signal) (deliver bool) { return true }

// Handler implements Tracer.
func (NoTracer) Handler(*Task, Signal) {}

// Clone implements Tracer.
func (NoTracer) Clone(_, _ *Task) {}

// Exec implements Tracer.
func (NoTracer) Exec(*Task) {}

// Exit implements Tracer.
func (NoTracer) Exit(*Task, *int) {}

// Death implements Tracer.
func (NoTracer) Death(*Task) {}

// Controller is a Tracer that not only hears of a task but holds and steers
// it; package hooks is one. It mirrors what tracehook.h of Linux 2.6.32 has
// beyond the points that Tracer names. Where a task has a Controller, the
// kernel takes signals through GetSignal and does not call Tracer.Signal.
//
// Methods are called on the goroutine that runs the task, unless they say
// otherwise.
type Controller interface {
	Tracer

	// SignalForced tells that the kernel has to look for signals though none
	// waits (tracehook_force_sigpending). Any goroutine may call it.
	SignalForced(t *Task) bool
	// GetSignal takes the next signal that something is to be done for from q
	// (tracehook_get_signal), false if there is none. It may block.
	GetSignal(t *Task, q SignalQueue) (Delivery, bool)
	// SignalHandler comes when a handler's frame is set up; stepping tells
	// that the task was being stepped (tracehook_signal_handler).
	SignalHandler(t *Task, s Signal, stepping bool)
	// WantsIgnored tells whether a signal that would be ignored is to be
	// queued all the same (tracehook_consider_ignored_signal), WantsFatal
	// whether one that would kill the process at once has to be reported
	// first (tracehook_consider_fatal_signal). Any goroutine may call them.
	WantsIgnored(t *Task, no unix.Signal) bool
	WantsFatal(t *Task, no unix.Signal) bool
	// Killed tells that SIGKILL, or the end of its process, has come for the
	// task: it breaks every stop. Any goroutine may call it.
	Killed(t *Task)

	// Jctl comes when the task is about to sleep in a job control stop (kind
	// CLD_STOPPED) or goes on after one (CLD_CONTINUED); notify is the CLD_
	// code that the parent is told, or 0 (tracehook_notify_jctl).
	Jctl(t *Task, kind, notify int)
	// JctlDone comes when the task wakes from a job control stop; it blocks
	// while the task is held (tracehook_finish_jctl).
	JctlDone(t *Task)

	// Cloned comes when child is complete and before it runs
	// (tracehook_report_clone), CloneDone when it has been started, before
	// the parent of a vfork waits for it (tracehook_report_clone_complete).
	Cloned(t *Task, flags uint64, child *Task)
	CloneDone(t *Task, flags uint64, child *Task)
	// VforkDone comes when the child of a vfork, whose number is given, does not
	// need the memory of its parent any more (tracehook_report_vfork_done).
	VforkDone(t *Task, child int)

	// Resume comes last before user mode (tracehook_notify_resume). It may
	// block, and sets the step with SetStep. again tells that the kernel must
	// look for signals before.
	Resume(t *Task) (again bool)

	// Ended is Death with what the kernel made of it: group tells that the
	// task is the last of its process, signal is the number sent to the
	// parent, 0 for none, -1 if the task reaps itself, -2 for a leader whose
	// group lives (tracehook_report_death).
	Ended(t *Task, group bool, signal int)
	// Reap comes when the task is released (tracehook_prepare_release_task).
	// Any goroutine may call it.
	Reap(t *Task)
}

// Sigaction is what a signal does (struct k_sigaction).
type Sigaction struct {
	Handler  uint64 // SigDfl, SigIgn or the address of a function
	Flags    uint64
	Restorer uint64
	Mask     uint64 // bit s-1 is signal s
}

// Handlers that are no addresses (asm-generic/signal-defs.h).
const (
	SigDfl = 0
	SigIgn = 1
)

// SignalQueue are the signals that wait for a task, as its kernel keeps them.
type SignalQueue interface {
	// Dequeue takes the next signal that is not blocked, SIGKILL first, with
	// its action. The action of a signal that the CPU forces on the task is
	// the default one if it is blocked or ignored.
	Dequeue() (Signal, Sigaction, bool)
	// Requeue puts a signal back, to be the next.
	Requeue(Signal)
	// Stopping tells that a group stop or the end of the group is under way:
	// signals are not reported then.
	Stopping() bool
}

// Disposal is what is to be done for a signal.
type Disposal uint8

// The disposals.
const (
	DoHandler Disposal = iota // run Delivery.Action.Handler; SA_RESETHAND is the kernel's to honour
	DoTerm                    // end the process
	DoCore                    // the same with a core dump
	DoStop                    // stop the process
	DoTstp                    // stop it unless its group is orphaned
)

// Delivery is a signal on which the kernel has to act. Signal.No is what is
// told of it: in the wait status, to the handler, in the core file.
type Delivery struct {
	Signal Signal
	Do     Disposal
	Action Sigaction
}

// Step is how far a task runs when it goes to user mode.
type Step uint32

// The steps.
const (
	StepNone  Step = iota // until something happens
	StepInsn              // one instruction
	StepBlock             // up to the next taken branch
)

// The si_code of a step (asm-generic/siginfo.h).
const (
	trapTrace  = 2 // TRAP_TRACE
	trapBranch = 3 // TRAP_BRANCH
)

// SetStep says how the task goes to user mode next. The step ends with
// SIGTRAP: after the instruction, or after the system call that it makes. A
// fault in place of the step ends it too, and so does an exec. Any goroutine
// may call it with StepNone, others only the task's own or one that holds it
// stopped.
func (t *Task) SetStep(s Step) { t.step.Store(uint32(s)) }

// Step is the step that is under way.
func (t *Task) Step() Step {
	if !tracehooks {
		return StepNone
	}
	return Step(t.step.Load())
}

// Caps are the kinds of step that tracers can ask for of the process's tasks:
// those of the architecture, arch.Code.Caps, unless SetCaps has chosen others.
func (p *Process) Caps() arch.Caps {
	if p.caps != nil {
		return *p.caps
	}
	return p.Arch.Caps
}

// SetCaps chooses the kinds of step that tracers can ask for, also of children
// and of programs that the process executes. The engine makes steps of both
// kinds on every architecture: a tracer that wants them in software where
// the hardware has none says so here. Tests take them away. No task of the
// process may run.
func (p *Process) SetCaps(c arch.Caps) { p.caps = &c }

// Context is that of the run that is under way or was the last; before the
// first it is the background. Any goroutine may call it.
func (t *Task) Context() context.Context {
	if c := t.ctx.Load(); c != nil {
		return *c
	}
	return context.Background()
}

// Wake makes the task look for what is pending soon, as Process.Interrupt
// does, and ends a system call that blocks as a signal would. The call is made
// again if no signal has come. Any goroutine may call it.
func (t *Task) Wake() { t.kernel.Wake(t) }

// Sigaction is what a signal does to the task, the default for a number that is
// none. Any goroutine may call it.
func (t *Task) Sigaction(no unix.Signal) Sigaction {
	if no < 1 || no > nsig {
		return Sigaction{}
	}
	return t.kernel.Sigaction(t, no)
}

// nsig is the number of signals.
const nsig = 64

// box is the task's tracer; every point asks for it.
func (t *Task) box() *tracerBox {
	if !tracehooks {
		return nil
	}
	return t.tracer.Load()
}

// Controller is the task's tracer if it is a Controller, else nil. Any
// goroutine may call it.
func (t *Task) Controller() Controller {
	if b := t.box(); b != nil {
		return b.control
	}
	return nil
}

// UpdateTracer replaces the task's tracer by what f makes of it, which may be
// called more than once. Any goroutine may call it.
func (t *Task) UpdateTracer(f func(old Tracer) Tracer) {
	for {
		old := t.tracer.Load()
		var tr Tracer
		if old != nil {
			tr = old.Tracer
		}
		if t.tracer.CompareAndSwap(old, newTracerBox(f(tr))) {
			return
		}
	}
}

func newTracerBox(tr Tracer) *tracerBox {
	if tr == nil {
		return nil
	}
	c, _ := tr.(Controller)
	return &tracerBox{tr, c}
}

// The points that the kernel passes. Each costs a load and a branch where the
// task has no tracer.

// ReportExec tells the tracer that a new program is in place. It ends a step.
func (t *Task) ReportExec() {
	t.SetStep(StepNone)
	if tr := t.box(); tr != nil {
		tr.Exec(t)
	}
}

// ReportHandler tells that the frame of a handler is set up. It ends a step.
func (t *Task) ReportHandler(s Signal) {
	tr := t.box()
	if tr == nil {
		return
	}
	if tr.control != nil {
		stepping := t.Step() != StepNone
		t.SetStep(StepNone)
		tr.control.SignalHandler(t, s, stepping)
		return
	}
	tr.Handler(t, s)
}

// ReportClone tells of a child that is complete and does not run yet; flags
// are those of clone(2).
func (t *Task) ReportClone(flags uint64, child *Task) {
	switch tr := t.box(); {
	case tr == nil:
	case tr.control != nil:
		tr.control.Cloned(t, flags, child)
	default:
		tr.Clone(t, child)
	}
}

// ReportCloneDone comes after the child was started, before a parent of
// CLONE_VFORK waits for it.
func (t *Task) ReportCloneDone(flags uint64, child *Task) {
	if c := t.Controller(); c != nil {
		c.CloneDone(t, flags, child)
	}
}

// ReportVforkDone is Controller.VforkDone, where there is one.
func (t *Task) ReportVforkDone(child int) {
	if c := t.Controller(); c != nil {
		c.VforkDone(t, child)
	}
}

// ReportJctl is Controller.Jctl, where there is one.
func (t *Task) ReportJctl(kind, notify int) {
	if c := t.Controller(); c != nil {
		c.Jctl(t, kind, notify)
	}
}

// ReportJctlDone is Controller.JctlDone, where there is one.
func (t *Task) ReportJctlDone() {
	if c := t.Controller(); c != nil {
		c.JctlDone(t)
	}
}

// ReportKill is Controller.Killed, where there is one. Any goroutine may call
// it.
func (t *Task) ReportKill() {
	if c := t.Controller(); c != nil {
		c.Killed(t)
	}
}

// Reap tells the tracer that the task has been waited for. Whoever acts as the
// parent calls it, once, when the task has ended. Any goroutine may call it.
func (t *Task) Reap() {
	t.reaped.Store(true)
	if c := t.Controller(); c != nil {
		c.Reap(t)
	}
}

// exit passes the points at the end of a task, whose tracer may change the
// status.
func (t *Task) exit() {
	if tr := t.box(); tr != nil {
		was := t.status.Wait()
		now := was
		tr.Exit(t, &now)
		if now != was {
			s := waited(unix.WaitStatus(now))
			t.status = &s
			if t.Proc.Group() != nil {
				t.Proc.group.Store(&s)
			}
		}
	}
	t.leave()
}

// leave is the part of the end from where the task cannot be traced any more.
func (t *Task) leave() {
	last := t.Proc.remove(t)
	signal := t.kernel.Exit(t, last)
	t.over.Store(true)
	// Whoever was attached by now hears of the end.
	switch tr := t.box(); {
	case tr == nil:
	case tr.control != nil:
		tr.control.Ended(t, last, signal)
	default:
		tr.Death(t)
	}
	if signal == selfReaped {
		t.Reap()
	}
}

// Lost tells that the goroutine that runs the task is about to end, by
// runtime.Goexit in a callback of the tracer (testing.T.FailNow is one way to
// that). The process of the task is killed. The goroutine itself calls it.
func (t *Task) Lost() { t.lost = true }

// giveUp kills the process of a task that has lost its goroutine, which still
// runs what was deferred.
func (t *Task) giveUp() {
	s := Status{Signal: unix.SIGKILL}
	t.Proc.EndGroup(s)
	t.End(s)
	for _, o := range t.Proc.Tasks() {
		if o != t {
			o.ReportKill()
			o.kernel.Wake(o)
		}
	}
	if !t.over.Load() {
		t.leave()
	}
}

// selfReaped is DEATH_REAP of tracehook.h: nobody waits for the task.
const selfReaped = -1

// Over tells whether the task has ended and its tracer has been told, or is
// being told: one that is set later hears of the reaping only. Reaped tells
// whether that has been, too. Any goroutine may call them.
func (t *Task) Over() bool   { return t.over.Load() }
func (t *Task) Reaped() bool { return t.reaped.Load() }

// Wait is the status as wait(2) has it.
func (s *Status) Wait() int {
	if s.Signal == 0 {
		return s.Code & 0xff << 8
	}
	w := int(s.Signal)
	if s.Core {
		w |= 0x80
	}
	return w
}

func waited(w unix.WaitStatus) Status {
	if w.Signaled() {
		return Status{Signal: w.Signal(), Core: w.CoreDump()}
	}
	return Status{Code: w.ExitStatus()}
}

// limit is what the engine needs to know of the step.
func (t *Task) limit() stepper.Limit {
	switch t.Step() {
	case StepInsn:
		return stepper.Limit{Insns: 1}
	case StepBlock:
		return stepper.Limit{Taken: true}
	}
	return stepper.Limit{}
}

// stepped ends a step, if one is under way, with its signal.
func (t *Task) stepped(code int) error {
	// The tracer may have gone meanwhile, and the step with it.
	if t.Step() == StepNone || Step(t.step.Swap(uint32(StepNone))) == StepNone || t.status != nil {
		return nil
	}
	pc := t.CPU().Reg(t.Proc.Arch.PC)
	return t.kernel.Fault(t, Fault{Signal: Signal{No: unix.SIGTRAP, Code: code, Addr: pc}, PC: pc})
}

// taskTrace is the part of a task that its tracer sees.
type taskTrace struct {
	tracer atomic.Pointer[tracerBox]
	step   atomic.Uint32
	ctx    atomic.Pointer[context.Context]
	over   atomic.Bool // Death has been reported, or is being
	reaped atomic.Bool
	lost   bool
}
