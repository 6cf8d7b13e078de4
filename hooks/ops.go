package hooks

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Event is a set of event bits, with the indexes of utrace (UTRACE_EVENT); that
// of 2009-2010 does not have the last.
type Event uint32

// The events. An engine hears of those in its mask only.
const (
	EventQuiesce      Event = 1 << iota // before any other event, and by itself at the resume point
	EventReap                           // the task has been waited for
	EventClone                          // the task made another
	EventExec                           // a new program is in place
	EventExit                           // the task begins to end
	EventDeath                          // the task has ended
	EventSyscallEntry                   // a system call is about to be made
	EventSyscallExit                    // a system call has been made
	EventSignal                         // a signal that a handler of the guest takes
	EventSignalIgn                      // one that does nothing
	EventSignalStop                     // one that stops the process
	EventSignalTerm                     // one that ends it
	EventSignalCore                     // one that ends it with a core dump
	EventJctl                           // a job control stop begins or ends
	EventVforkDone                      // the child of a vfork has let go of the task's memory
)

// Sets of events.
const (
	EventSignalAll = EventSignal | EventSignalIgn | EventSignalStop | EventSignalTerm | EventSignalCore
	EventSyscall   = EventSyscallEntry | EventSyscallExit
	EventAll       = EventVforkDone<<1 - 1
)

var eventNames = [...]string{"quiesce", "reap", "clone", "exec", "exit", "death", "syscall_entry", "syscall_exit",
	"signal", "signal_ign", "signal_stop", "signal_term", "signal_core", "jctl", "vfork_done"}

// String names the events as utrace does, in lower case with | between; "0"
// is no event.
func (e Event) String() string {
	var l []string
	for i, n := range eventNames {
		if e&(1<<i) != 0 {
			l = append(l, n)
		}
	}
	if l == nil {
		return "0"
	}
	return strings.Join(l, "|")
}

// Resume says how a task goes on. The values are in rising strength: of what
// several engines ask for, the strongest is done. The zero value is Run, so
// that a callback that forgets to say does no harm; utrace's numbers run the
// other way round (see U10).
type Resume uint8

// The ways to go on.
const (
	Run        Resume = iota // UTRACE_RESUME: nothing in particular
	BlockStep                // up to the next taken branch, then SIGTRAP
	SingleStep               // one instruction, then SIGTRAP
	Report                   // call Ops.Quiesce, or Ops.Signal, before user mode
	Interrupt                // break what blocks, and call Ops.Signal before signals are taken
	Stop                     // stay here until this engine says otherwise
	Detach                   // the engine goes; for the others the same as Run
)

var resumeNames = [...]string{"run", "blockstep", "singlestep", "report", "interrupt", "stop", "detach"}

// String is the name of the value in lower case.
func (r Resume) String() string {
	if int(r) < len(resumeNames) {
		return resumeNames[r]
	}
	return "invalid"
}

// U10 is the value as enum utrace_resume_action of 2009-2010 has it, where
// UTRACE_STOP is 0.
func (r Resume) U10() uint32 { return [...]uint32{5, 4, 3, 2, 1, 0, 6}[r] }

// Stronger is the one of two answers that prevails. Detach counts as Run.
func Stronger(a, b Resume) Resume {
	if a == Detach {
		a = Run
	}
	if b == Detach {
		b = Run
	}
	return max(a, b)
}

// SignalAction is what becomes of a signal. The zero value leaves it as it
// was; any other replaces what engines before have said.
type SignalAction uint8

// The signal actions. SigReport and SigHandler are never answers: they tell
// why Ops.Signal is called without a signal.
const (
	SigPass    SignalAction = iota // leave it as it is
	SigDeliver                     // do what SignalReport.Return says
	SigIgn                         // drop it
	SigTerm                        // end the process
	SigCore                        // end it with a core dump
	SigStop                        // stop it
	SigTstp                        // stop it unless its process group is orphaned
	SigReport                      // no signal: Report or Interrupt was asked for
	SigHandler                     // no signal: the frame of a handler was just set up
)

var signalActionNames = [...]string{"pass", "deliver", "ign", "term", "core", "stop", "tstp", "report", "handler"}

// String is the name of the action in lower case.
func (a SignalAction) String() string { return signalActionNames[a] }

// SyscallAction is what becomes of a system call. The zero value leaves it as
// it was; the others replace what engines before have said.
type SyscallAction uint8

// The system call actions.
const (
	SysPass  SyscallAction = iota // leave it as it is
	SysRun                        // make the call
	SysAbort                      // do not
)

// Action is a callback's answer, and what a callback is told of the answers
// before its own. Its zero value is neutral.
type Action struct {
	Resume  Resume
	Signal  SignalAction  // of Ops.Signal
	Hold    bool          // of Ops.Signal: present the signal again, whatever else is done
	Syscall SyscallAction // of Ops.SyscallEntry
	Resumed bool          // told to Ops.SyscallEntry: the same call was reported before
}

// Ops are the callbacks of a kind of engine; it is told apart from others by
// its address. Callbacks that are nil are not called. All but Reap and Release
// run on the goroutine that runs the task; they must not wait for anything the
// task or another task does, but answer Stop instead.
type Ops struct {
	Name string // for messages

	// Quiesce comes before the callback of every event that some engine asked
	// for, and with event 0 at the resume point if Report was asked for.
	Quiesce func(c *Call, event Event) Resume
	// Signal comes for a signal that was taken from the queue, and without one
	// as SigReport and SigHandler say. A report without a signal may be made one:
	// fill in SignalReport.Info, put Call.Sigaction into Return if the guest's own
	// disposition is to count, and answer SigDeliver.
	Signal func(c *Call, s *SignalReport) Action
	// SyscallEntry comes before number and arguments are looked at.
	SyscallEntry func(c *Call, s *Syscall) Action
	// SyscallExit comes with the result in place, and before signals.
	SyscallExit func(c *Call, s *Syscall) Resume
	// Clone comes in the parent before the child runs; engines attach to the
	// child here. flags are those of clone(2).
	Clone func(c *Call, flags uint64, child *Task) Resume
	// VforkDone comes in the parent of a vfork before it goes on, when its child,
	// which has this number, has started another program or ended.
	VforkDone func(c *Call, child int) Resume
	// Exec comes when the registers are the new program's.
	Exec func(c *Call) Resume
	// Exit comes first of an ending, with everything still there. orig is the
	// wait status that the task asked for, *code what it will be.
	Exit func(c *Call, orig int, code *int) Resume
	// Jctl comes before and after a job control stop: kind is CLD_STOPPED or
	// CLD_CONTINUED, notify what the parent is told, or 0.
	Jctl func(c *Call, kind, notify int) Resume
	// Death comes when the task has ended. signal is what the parent was sent,
	// 0 for nothing, -1 for a task that reaps itself, -2 for a leader whose
	// group lives. Of its answers only Detach means something: no Reap then.
	Death func(c *Call, groupDead bool, signal int) Resume
	// Reap is the last, and the engine is detached after it. It may come on
	// any goroutine, which it must not block.
	Reap func(e *Engine)
	// Release comes once, when the engine is detached and none of its
	// callbacks runs any more.
	Release func(data any)
}

// SignalReport is a signal as an engine sees it.
type SignalReport struct {
	Event  Event          // its class, 0 for SigReport and SigHandler
	Info   *emu.Signal    // may be changed, No included
	Orig   *emu.Sigaction // what the guest has set, nil without a signal; not to be changed
	Return *emu.Sigaction // what SigDeliver does; may be changed
}

// classify is the event and the first action of a signal (section "signals"
// of docs/utrace.md has the table).
func classify(no unix.Signal, a emu.Sigaction) (Event, SignalAction) {
	switch {
	case a.Handler == emu.SigIgn:
		return EventSignalIgn, SigIgn
	case a.Handler != emu.SigDfl:
		return EventSignal, SigDeliver
	}
	switch no {
	case unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGFPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGSYS, unix.SIGXCPU, unix.SIGXFSZ:
		return EventSignalCore, SigCore
	case unix.SIGCONT, unix.SIGCHLD, unix.SIGWINCH, unix.SIGURG:
		return EventSignalIgn, SigIgn
	case unix.SIGSTOP:
		return EventSignalStop, SigStop
	case unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return EventSignalStop, SigTstp
	}
	return EventSignalTerm, SigTerm
}
