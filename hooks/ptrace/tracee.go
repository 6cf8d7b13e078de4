package ptrace

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/syscalls"
)

// tracee is a task that is traced: the data of its engine.
type tracee struct {
	k    *syscalls.Kernel
	task *emu.Task
	e    *hooks.Engine
	link *syscalls.Tracee

	mu      sync.Mutex
	seized  bool
	options uint64
	stop    stop
	info    emu.Signal // of a signalStop
	message uint64     // PTRACE_GETEVENTMSG
	call    call       // of a system call stop

	mode   mode
	step   hooks.Resume // SingleStep or BlockStep, or Run
	inCall bool         // the step ends with the call that the task is in
	inject unix.Signal  // the signal of a signalStop that is over; handled with its report
	given  bool         // inject counts
	trap   bool         // a PTRACE_EVENT_STOP is due

	listening bool // PTRACE_LISTEN
}

// stop is a stop of ptrace(2): a kind, and what wait calls see in bits 8 and up.
type stop struct {
	kind kind
	word int
}

type kind uint8

// The kinds of stops.
const (
	running kind = iota
	signalStop
	entryStop
	exitStop
	callEvent  // in a system call, after which the task is held
	vforkEvent // in one, in the middle of which it is held
	event      // PTRACE_EVENT_EXIT, _STOP, and the handler at the end of a step
	jobStop
)

// mode is what a task reports of system calls.
type mode uint8

// The modes.
const (
	plain mode = iota
	tracing
	emulating     // PTRACE_SYSEMU
	emulatingStep // PTRACE_SYSEMU_SINGLESTEP
)

// call is a system call as PTRACE_GET_SYSCALL_INFO tells of it.
type call struct {
	nr     int64
	args   [6]uint64
	result uint64
	errno  unix.Errno
}

// Options of PTRACE_SETOPTIONS, and events (linux/ptrace.h).
const (
	optSysGood   = 1 << 0
	optExitKill  = 1 << 20
	optKnown     = 0x7f | optExitKill
	eventFork    = 1
	eventVfork   = 2
	eventClone   = 3
	eventExec    = 4
	eventDone    = 5 // PTRACE_EVENT_VFORK_DONE
	eventExit    = 6
	eventStopped = 128 // PTRACE_EVENT_STOP
)

// wants tells whether the option for an event is set. t.mu is held.
func (t *tracee) wants(ev int) bool { return t.options>>ev&1 != 0 }

// events are what the engine hears of. t.mu is held.
func (t *tracee) events() hooks.Event {
	ev := hooks.EventQuiesce | hooks.EventClone | hooks.EventExec | hooks.EventSignalAll | hooks.EventJctl | hooks.EventVforkDone
	if t.wants(eventExit) {
		ev |= hooks.EventExit
	}
	switch {
	case t.mode == tracing:
		ev |= hooks.EventSyscall
	case t.mode != plain:
		ev |= hooks.EventSyscallEntry
	case t.inCall:
		ev |= hooks.EventSyscallExit
	}
	return ev
}

// announce puts the task into a stop and tells the tracer. t.mu is held.
func (t *tracee) announce(k kind, word int) hooks.Resume {
	t.stop = stop{k, word}
	t.trap, t.listening = false, false
	t.link.Stop(word, k == jobStop)
	return hooks.Stop
}

// at is announce for an event.
func (t *tracee) at(k kind, ev int, message uint64) hooks.Resume {
	t.message = message
	return t.announce(k, ev<<8|int(unix.SIGTRAP))
}
