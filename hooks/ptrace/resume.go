package ptrace

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// nsig is the number of signals.
const nsig = 64

// resume is ptrace_resume: the task goes on from a stop, with a signal if that
// stop is one that can have one.
func (r *request) resume(m mode, step hooks.Resume) error {
	t := r.t
	h := t.e.Task()
	if r.data > nsig || step == hooks.SingleStep && !h.HasSingleStep() || step == hooks.BlockStep && !h.HasBlockStep() {
		return unix.EIO
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.end()
	t.mode, t.step = m, step
	return t.leave(was, unix.Signal(r.data))
}

// end ends a stop and what the tracer has said before of how the task goes on.
// t.mu is held.
func (t *tracee) end() (was kind) {
	was = t.stop.kind
	t.stop, t.inCall, t.given = stop{}, false, false
	t.link.Resume()
	return was
}

// leave is how a task goes on from a kind of stop. t.mu is held.
func (t *tracee) leave(was kind, no unix.Signal) error {
	how := t.step
	stepCall := t.mode == plain && t.step != hooks.Run // the step ends with a call under way
	switch {
	case was == signalStop && no != 0:
		t.inject, t.given, how = no, true, hooks.Interrupt
	case was == entryStop:
		t.queue(no)
		if stepCall {
			t.inCall, how = true, hooks.Run
		}
	case was == exitStop && no != 0:
		t.queue(no)
		how = hooks.Interrupt
	case was == vforkEvent && stepCall:
		t.inCall, how = true, hooks.Run
	case was == callEvent && t.mode == tracing: // the call is over
		t.exited()
		return nil
	case was == callEvent && stepCall:
		t.stepped()
		return nil
	case was == jobStop && t.seized && t.k.StopSignal(t.task) == 0: // it has been continued
		t.trap, how = true, hooks.Report
	case was == jobStop:
		t.k.LeaveStop(t.task)
	}
	return t.carryOn(how)
}

// queue sends the task a signal that the tracer gives it at a system call stop.
func (t *tracee) queue(no unix.Signal) {
	if no != 0 {
		t.k.Queue(t.task, t.sent(no))
	}
}

// carryOn lets go of the task. t.mu is held.
func (t *tracee) carryOn(how hooks.Resume) error {
	err := t.e.SetEvents(t.events())
	if err == nil || err == hooks.ErrInProgress { // of a callback that has been answered
		err = t.e.Control(how)
	}
	if err != nil && err != hooks.ErrInProgress {
		return unix.ESRCH
	}
	return nil
}

// listen is PTRACE_LISTEN: a job control stop goes on, but not as one of the
// tracer's, which is told of its end.
func (t *tracee) listen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.seized || t.stop.kind != jobStop {
		return unix.EIO
	}
	t.end()
	t.trap, t.listening = true, true
	return t.carryOn(hooks.Report)
}

// interrupt is PTRACE_INTERRUPT.
func (t *tracee) interrupt() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.seized:
		return unix.EIO
	case t.stop.kind != running:
		return nil
	case t.listening && t.k.StopSignal(t.task) != 0:
		if t.e.Control(hooks.Stop) == nil {
			t.stopJob()
			return nil
		}
	}
	t.trap = true
	if err := t.e.Control(hooks.Interrupt); err == hooks.ErrGone {
		return unix.ESRCH
	}
	return nil
}

// detach is PTRACE_DETACH.
func (r *request) detach() error {
	t := r.t
	if r.data > nsig {
		return unix.EIO
	}
	no := unix.Signal(r.data)
	t.mu.Lock()
	s := t.sent(no)
	was := t.end()
	if was == signalStop && t.info.No == no {
		s = t.info
	}
	t.mu.Unlock()
	if no != 0 && (was == signalStop || was == entryStop || was == exitStop) {
		t.k.Queue(t.task, s)
	}
	t.release()
	return nil
}
