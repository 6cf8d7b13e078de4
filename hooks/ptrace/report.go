package ptrace

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
)

// ops are the callbacks: each puts the task into the stop that it means for the
// tracer, or has it go on as that has said.
var ops = &hooks.Ops{
	Name: "ptrace",
	Quiesce: func(c *hooks.Call, ev hooks.Event) hooks.Resume {
		t := of(c)
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case ev == 0:
			return t.settle()
		case t.stop.kind != running:
			return hooks.Stop
		}
		return hooks.Run
	},
	Signal:       signal,
	SyscallEntry: syscallEntry,
	SyscallExit:  syscallExit,
	Clone:        clone,
	VforkDone: func(c *hooks.Call, child int) hooks.Resume {
		t := of(c)
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.wants(eventDone) {
			return hooks.Run
		}
		return t.at(callEvent, eventDone, uint64(child))
	},
	Exec: exec,
	Exit: func(c *hooks.Call, _ int, code *int) hooks.Resume {
		t := of(c)
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.at(event, eventExit, uint64(*code))
	},
	Jctl: jctl,
}

func of(c *hooks.Call) *tracee { return c.Engine().Data().(*tracee) }

// settle is how the task goes on from where it can be held. t.mu is held.
func (t *tracee) settle() hooks.Resume {
	switch {
	case t.stop.kind != running:
		return hooks.Stop
	case t.trap:
		no := t.k.StopSignal(t.task)
		if no == 0 {
			no = unix.SIGTRAP
		}
		t.message = 0
		return t.announce(event, eventStopped<<8|int(no))
	}
	return t.step
}

// signal reports a signal, and gives the task the one that the tracer wants it to
// have.
func signal(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch c.Action().Signal {
	case hooks.SigReport:
		if t.given {
			t.given = false
			return t.deliver(c, s)
		}
		return hooks.Action{Resume: t.settle()}
	case hooks.SigHandler:
		if t.step != hooks.Run && t.stop.kind == running {
			t.message = 0
			return hooks.Action{Resume: t.announce(event, int(unix.SIGTRAP))}
		}
		return hooks.Action{Resume: t.settle()}
	}
	t.info, t.message = *s.Info, 0
	return hooks.Action{Resume: t.announce(signalStop, int(s.Info.No)), Signal: hooks.SigIgn}
}

// deliver is the end of ptrace_signal: what the tracer has said about a signal.
// t.mu is held.
func (t *tracee) deliver(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
	no := t.inject
	if no == 0 {
		return hooks.Action{Resume: t.settle()}
	}
	if t.info.No != no {
		t.info = t.sent(no)
	}
	if t.k.Blocked(t.task)>>(no-1)&1 != 0 {
		t.k.Queue(t.task, t.info)
		return hooks.Action{Resume: t.settle()}
	}
	*s.Info, *s.Return = t.info, c.Sigaction(no)
	return hooks.Action{Resume: t.settle(), Signal: hooks.SigDeliver}
}

// sent is a signal that the tracer makes.
func (t *tracee) sent(no unix.Signal) emu.Signal {
	by := t.link.Tracer()
	return emu.Signal{No: no, PID: by.Proc.PID, UID: t.k.UID(by)}
}

func syscallEntry(c *hooks.Call, s *hooks.Syscall) hooks.Action {
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.Action().Resumed || t.mode == plain {
		return hooks.Action{}
	}
	t.call = call{nr: s.Nr()}
	for i := range t.call.args {
		t.call.args[i] = s.Arg(i)
	}
	t.message = 1 // PTRACE_EVENTMSG_SYSCALL_ENTRY
	a := hooks.Action{Resume: t.announce(entryStop, t.callWord())}
	if t.mode != tracing {
		a.Syscall = hooks.SysAbort
	}
	return a
}

// callWord is the stop of a system call, for wait calls. t.mu is held.
func (t *tracee) callWord() int {
	if t.options&optSysGood != 0 {
		return int(unix.SIGTRAP) | 0x80
	}
	return int(unix.SIGTRAP)
}

func syscallExit(c *hooks.Call, s *hooks.Syscall) hooks.Resume {
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call.result, t.call.errno = s.Result()
	switch {
	case t.stop.kind != running:
		return hooks.Stop
	case t.mode == tracing:
		return t.exited()
	case t.inCall:
		t.inCall = false
		return t.stepped()
	}
	return hooks.Run
}

// exited is the stop at the end of a system call. t.mu is held.
func (t *tracee) exited() hooks.Resume {
	t.message = 2 // PTRACE_EVENTMSG_SYSCALL_EXIT
	return t.announce(exitStop, t.callWord())
}

// stepped is the stop of a step that ends with a system call. t.mu is held.
func (t *tracee) stepped() hooks.Resume {
	const trapTrace = 2
	t.message = 0
	t.info = emu.Signal{No: unix.SIGTRAP, Code: trapTrace}
	return t.announce(signalStop, int(unix.SIGTRAP))
}

func exec(c *hooks.Call) hooks.Resume {
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.wants(eventExec):
		return t.at(callEvent, eventExec, uint64(t.task.TID))
	case !t.seized:
		t.k.Queue(t.task, emu.Signal{No: unix.SIGTRAP, PID: t.task.Proc.PID, UID: t.k.UID(t.task)})
	}
	return hooks.Run
}

func clone(c *hooks.Call, flags uint64, child *hooks.Task) hooks.Resume {
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	ev := eventFork
	switch exit := unix.Signal(flags & 0xff); {
	case flags&unix.CLONE_VFORK != 0:
		ev = eventVfork
	case exit != unix.SIGCHLD:
		ev = eventClone
	}
	report := t.wants(ev) && flags&unix.CLONE_UNTRACED == 0
	if report || flags&unix.CLONE_PTRACE != 0 {
		t.follow(child.Guest())
	}
	switch {
	case !report:
		return hooks.Run
	case ev == eventVfork:
		return t.at(vforkEvent, ev, uint64(child.ID()))
	}
	return t.at(callEvent, ev, uint64(child.ID()))
}

// follow traces a child as its parent is (ptrace_init_task). t.mu is held.
func (t *tracee) follow(child *emu.Task) {
	n, err := attach(t.e.Ops(), t.k, child, t.link.Tracer(), t.seized, t.options)
	if err != nil {
		return // the tracer is about to end
	}
	if !t.seized {
		t.k.Queue(child, emu.Signal{No: unix.SIGSTOP})
		return
	}
	n.mu.Lock()
	n.trap = true
	n.mu.Unlock()
	_ = n.e.Control(hooks.Report) // it has not run, so it is there
}

func jctl(c *hooks.Call, kind, _ int) hooks.Resume {
	const cldStopped = 5
	t := of(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stop.kind != running:
		return hooks.Stop
	case kind == cldStopped:
		return t.stopJob()
	case t.trap:
		return hooks.Report
	}
	return hooks.Run
}

// stopJob is the stop of a task whose process a signal has stopped. t.mu is held.
func (t *tracee) stopJob() hooks.Resume {
	word := int(t.k.StopSignal(t.task))
	if t.seized {
		word |= eventStopped << 8
	}
	t.message = 0
	return t.announce(jobStop, word)
}
