// Package hooks lets Go code trace guest tasks, by the rules of utrace, the
// tracing interface that Roland McGrath wrote for Linux (2006-2010): tracing
// engines attach to a task, are told of its events in callbacks, and say how
// it is to go on.
//
// # Engines
//
// An Engine is one attachment of an Ops, a table of callbacks, to one task.
// Any number may be attached to a task; they need not know of each other.
//
//	ops := &hooks.Ops{
//		Name: "calls",
//		SyscallEntry: func(c *hooks.Call, s *hooks.Syscall) hooks.Action {
//			fmt.Println(s.Name())
//			return hooks.Action{}
//		},
//	}
//	e, err := hooks.Attach(m.Task(), hooks.AttachCreate, ops, nil)
//	...
//	err = e.SetEvents(hooks.EventSyscallEntry)
//
// A new engine hears nothing until SetEvents says what of. A task without
// engines runs as if this package were not there.
//
// # The life of a task
//
// A task begins when another makes it, which is when EventClone lets engines
// attach before it has executed an instruction; the first task of a machine
// can be attached to before it is run. From then on these come, any number of
// times:
//
//	SyscallEntry  before the number and arguments of a system call are looked
//	              at: they may be changed, the call left out
//	Clone, Exec   in the middle of the call that does it
//	SyscallExit   after it, with the result, which may be changed
//	Signal        for a signal that was taken from the queue: it may be
//	              changed, dropped, or made another
//	Jctl          before and after a job control stop
//	Quiesce       before each of these for engines that have EventQuiesce, and
//	              by itself, with event 0, at the resume point
//
// and in the end, once each:
//
//	Exit          the task begins to end; its memory and registers are there
//	Death         it has ended: a zombie, on which nothing can be done any more
//	Reap          its parent has waited for it; the engine is detached
//	Release       (whenever the engine is detached) no callback will come
//
// # The resume point
//
// The place just before a task goes back to user mode is where most things
// happen. It looks for signals first, calling Ops.Signal, and then does what
// engines have asked for. Their answers, a Resume from each callback or from
// Engine.Control, are combined: the strongest is done.
//
//	Run < BlockStep < SingleStep < Report < Interrupt < Stop
//
// Stop is each engine's own and lasts: the task goes on when every engine that
// has stopped it has said something else. All other answers are for once: a
// pass over the engines clears what was asked for before, so that the last
// pass before user mode decides whether the task steps. To step reliably
// answer from Quiesce with event 0, from Signal, or call Control on a task
// that is stopped. A step ends with SIGTRAP, which engines with
// EventSignalCore see and should drop, or the guest dies of it; one step is
// one instruction, or a system call whole, or the entry into a signal handler.
//
// A stop after most events happens at the resume point too, when the kernel
// has finished what it was at; after SyscallEntry, Exit, Signal and Quiesce
// with event 0 the task stops where it is.
//
// # Who may call what, when
//
// Callbacks run on the goroutine that runs the task. They get a Call, which
// stands for the task itself: its registers and memory can be used, and are
// not to be kept. They must return soon, and wait for nothing: to keep the
// task from running answer Stop, and let another goroutine look at it.
//
// All methods of Engine may be called from any goroutine, at any time, and
// answer at once, Barrier and Task.WaitStop aside: callbacks may call the others
// for any task, their own too, but not those two. On a task that is running
// they start something; ErrInProgress says so. To look at a task from outside
// stop it, wait, and use Examine:
//
//	err := e.Control(hooks.Stop)         // ErrInProgress
//	err = e.Task().WaitStop(ctx)
//	err = e.Examine(func(x *hooks.Examiner) error { ... x.Regs() ... })
//	err = e.Control(hooks.Run)
//
// A task that sleeps in a system call stops like this when the call is over. To
// stop it where it is, ask for Interrupt and answer Stop from Signal, as in the
// example of AttachPID: the call is broken, and made again when the task goes
// on.
//
// SIGKILL and the end of the run's context break every stop. A callback that
// panics is told to Task.SetLog, and its engine detached; one that ends its
// goroutine (runtime.Goexit, and so testing.T.FailNow) kills its process.
//
// # Other kinds of tasks
//
// Tracing works on anything that implements Target and calls the points of
// Task; package hooktest holds such a thing to the same behaviour. Differences
// from the kernel's utrace, and the old names, are in docs/utrace.md.
package hooks
