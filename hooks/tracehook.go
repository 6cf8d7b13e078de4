package hooks

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The methods in this file and the next are the points of tracehook.h, for
// those who implement a Target: the goroutine that runs the task calls them
// where the kernel has them. Without engines each costs a load and a branch.

// Resume is tracehook_notify_resume: it comes last before user mode, after
// signals have been looked for. again tells that they have to be looked for
// once more, and Resume to be called after.
func (t *Task) Resume() (again bool) {
	for t.work.Load() {
		t.mu.Lock()
		t.work.Store(false)
		t.handler = false // nobody asked
		r, stop := t.pending, t.anyStop() && !t.killed
		if r == Interrupt {
			t.work.Store(true)
			t.mu.Unlock()
			return true
		}
		if !stop && (r == SingleStep || r == BlockStep) {
			t.pending = Run
			t.mu.Unlock()
			t.step(r)
			return false
		}
		t.mu.Unlock()
		if !stop && r == Run {
			return false
		}
		p := t.begin()
		t.each(&p, 0, nil)
		t.act(&p)
		if t.over() {
			// The kernel finds what ends the task.
			return true
		}
	}
	return false
}

// Cloned is tracehook_report_clone: the child is complete and has not run.
func (t *Task) Cloned(flags uint64, child *Task) {
	if !t.wants(EventClone) {
		return
	}
	p := t.begin()
	p.args = func() string { return strconv.Itoa(child.ID()) }
	t.each(&p, EventClone, func(c *Call) Resume {
		if c.e.ops.Clone == nil {
			return Run
		}
		return c.e.ops.Clone(c, flags, child)
	})
	const cloneVfork = 0x4000
	if flags&cloneVfork != 0 && p.action == Stop {
		t.vfork = true
	}
	t.end(&p, false)
}

// CloneDone is utrace_finish_vfork: it comes when the child has been started,
// before the parent waits for it. A parent that was stopped by the callback of
// a vfork stops here.
func (t *Task) CloneDone() {
	if t.vfork {
		t.vfork = false
		t.hold(Run)
	}
}

// VforkDone is tracehook_report_vfork_done: the child with this number, of a
// vfork, does not need the task's memory any more.
func (t *Task) VforkDone(child int) {
	if !t.wants(EventVforkDone) {
		return
	}
	p := t.begin()
	p.args = func() string { return strconv.Itoa(child) }
	t.each(&p, EventVforkDone, func(c *Call) Resume {
		if c.e.ops.VforkDone == nil {
			return Run
		}
		return c.e.ops.VforkDone(c, child)
	})
	t.end(&p, false)
}

// Exec is tracehook_report_exec: the registers are the new program's.
func (t *Task) Exec() {
	if !t.wants(EventExec) {
		return
	}
	p := t.begin()
	t.each(&p, EventExec, func(c *Call) Resume {
		if c.e.ops.Exec == nil {
			return Run
		}
		return c.e.ops.Exec(c)
	})
	t.end(&p, false)
}

// Exit is tracehook_report_exit: the task begins to end, with everything still
// there. code is the wait status. Where an engine says so the task stops here.
func (t *Task) Exit(code *int) {
	if !t.wants(EventExit) {
		return
	}
	orig := *code
	p := t.begin()
	p.args = func() string { return fmt.Sprintf("%#x", *code) }
	t.each(&p, EventExit, func(c *Call) Resume {
		if c.e.ops.Exit == nil {
			return Run
		}
		return c.e.ops.Exit(c, orig, code)
	})
	t.act(&p)
}

// Death is tracehook_report_death: the task has ended and can be waited for.
func (t *Task) Death(group bool, signal int) {
	t.mu.Lock()
	if t.dead {
		t.mu.Unlock()
		return
	}
	t.dead = true
	t.tell()
	t.splice()
	p := pass{engines: t.attached, args: func() string { return deathArgs(group, signal) }}
	t.mu.Unlock()
	if t.wants(deathEvents) {
		t.each(&p, EventDeath, func(c *Call) Resume {
			if c.e.ops.Death == nil {
				return Run
			}
			if c.e.ops.Death(c, group, signal) == Detach {
				return Detach
			}
			return Run
		})
	}
	t.mu.Lock()
	t.deathEnd = true
	due := t.reapDue
	t.mu.Unlock()
	if due {
		t.reap()
	}
}

func deathArgs(group bool, signal int) string {
	var l []string
	if group {
		l = append(l, "group")
	}
	if signal > 0 {
		l = append(l, signalName(unix.Signal(signal)))
	}
	return strings.Join(l, " ")
}

// Zombie is called in place of Death when nobody was attached to hear of it:
// engines that attach from now on find an ended task. Any goroutine may call
// it.
func (t *Task) Zombie() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead {
		t.dead, t.deathEnd = true, true
		t.tell()
	}
}

// Reap is tracehook_prepare_release_task: the task has been waited for. Any
// goroutine may call it, once. Should the death not have been reported yet,
// the reports of the reaping come after it.
func (t *Task) Reap() {
	t.mu.Lock()
	if !t.deathEnd {
		t.reapDue = true
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.reap()
}

func (t *Task) reap() {
	t.mu.Lock()
	if t.reaped {
		t.mu.Unlock()
		return
	}
	t.dead, t.deathEnd, t.reaped = true, true, true
	t.tell()
	t.splice()
	engines := t.attached
	t.mu.Unlock()
	for _, e := range engines {
		t.mu.Lock()
		want := !e.detached && e.events&EventReap != 0
		t.mu.Unlock()
		if want && e.ops.Reap != nil {
			a := t.guard(e, nil, func(*Call) Action { e.ops.Reap(e); return Action{} })
			t.observe(&pass{}, e, EventReap, false, a)
		}
		t.mu.Lock()
		t.detach(e)
		t.mu.Unlock()
		e.release()
	}
}

// Killed tells that SIGKILL has come, or another thread ends the process. It
// breaks every stop from now on. Any goroutine may call it.
func (t *Task) Killed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.killed = true
	t.rouse()
}

// Jctl is tracehook_notify_jctl: the task is about to sleep in a job control
// stop (kind CLD_STOPPED), or was woken from one (CLD_CONTINUED).
func (t *Task) Jctl(kind, notify int) {
	if t.wants(EventJctl) {
		p := t.begin()
		p.args = func() string { return jctlName(kind) }
		t.each(&p, EventJctl, func(c *Call) Resume {
			if c.e.ops.Jctl == nil {
				return Run
			}
			return c.e.ops.Jctl(c, kind, notify)
		})
		t.end(&p, false)
	}
	t.mu.Lock()
	t.jctl = kind == cldStopped
	t.tell()
	t.mu.Unlock()
}

// Kinds of Jctl (asm-generic/siginfo.h).
const (
	cldStopped   = 5
	cldContinued = 6
)

func jctlName(kind int) string {
	switch kind {
	case cldStopped:
		return "CLD_STOPPED"
	case cldContinued:
		return "CLD_CONTINUED"
	}
	return strconv.Itoa(kind)
}

// JctlDone is tracehook_finish_jctl: it comes when SIGCONT has woken the task
// from a job control stop, and blocks while an engine holds the task. If it
// has been held, the process may have been stopped again: the caller looks.
func (t *Task) JctlDone() (held bool) {
	t.mu.Lock()
	t.jctl = false
	t.mu.Unlock()
	return t.hold(Run)
}

// SignalHandler is tracehook_signal_handler: the frame of a handler is set up,
// and stepping tells that a step was under way, which ends here.
func (t *Task) SignalHandler(stepping bool) {
	if t.flags.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handler = true
	t.work.Store(true)
	if stepping {
		t.pend(Interrupt)
	}
}

// SignalForced is what tracehook_force_sigpending asks: the kernel has to look
// for signals though none waits. Any goroutine may call it.
func (t *Task) SignalForced() bool { return t.forced.Load() }

// WantsIgnored is tracehook_consider_ignored_signal: a signal that does nothing
// is to be queued all the same. Any goroutine may call it.
func (t *Task) WantsIgnored() bool { return t.wants(EventSignalIgn) }

// WantsFatal is tracehook_consider_fatal_signal: a signal that would end the
// process at once is to be queued for its report. Any goroutine may call it.
func (t *Task) WantsFatal() bool { return t.wants(EventSignalTerm | EventSignalCore) }
