package hooktest

import (
	"context"
	"runtime"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

const cloneVfork = 0x4000

var lifeCases = []Case{
	{101, "the exit code", 0, func(e *Env) {
		e.Make(Program{exit(3)})
		a := e.Attach("A", hooks.EventExit, do("exit 0x300 0x300", func(r *Report) hooks.Action {
			*r.Code = 5 << 8
			return act(hooks.Stop)
		}))
		e.Attach("B", hooks.EventExit, nil)
		e.Stops()
		var b [1]byte
		require.NoError(e, a.Examine(func(x *hooks.Examiner) error {
			x.Memory().ReadAt(b[:], 0) // it is there, whatever is mapped
			require.NotZero(e, x.Regs().Reg(x.Arch().PC))
			return nil
		}))
		e.Control(a, hooks.Run)
		e.Exits(5)
		e.Log("A exit 0x300 0x300", "B exit 0x300 0x500 <stop>")
	}},
	{101, "a death by signal made an exit", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(4)})
		e.Attach("A", hooks.EventExit, on1("exit 0xf 0xf", func(r *Report) { *r.Code = 3 << 8 }))
		e.Exits(3)
	}},
	{102, "the end", 0, func(e *Env) {
		e.Make(Program{exit(3)})
		g := e.Attach("A", hooks.EventExit|hooks.EventDeath|hooks.EventReap, nil)
		e.Exits(3)
		e.Guest.Reap()
		e.Guest.Reap()
		e.Log("A exit 0x300 0x300", "A death true 17", "A reap", "A release A")
		refused(e, g.Control(hooks.Detach), unix.ESRCH)
		require.Zero(e, e.Task.Engines())
	}},
	{103, "detaching at the death", 0, func(e *Env) {
		e.Make(Program{exit(3)})
		e.Attach("A", hooks.EventDeath|hooks.EventReap, on("death true 17", act(hooks.Detach)))
		e.Exits(3)
		e.Guest.Reap()
		e.Log("A death true 17", "A release A")
	}},
	{104, "release", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		g := e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry getppid", func(*Report) {
			in.pass(e)
			e.note("A leaves")
		}))
		e.Start()
		in.wait(e)
		refused(e, g.Control(hooks.Detach), unix.EINPROGRESS)
		in.open()
		e.Exits(3)
		e.Guest.Reap()
		e.Log("A syscall_entry getppid", "A leaves", "A release A")
	}},
	{105, "reaped while the death is reported", 0, func(e *Env) {
		e.Make(Program{exit(3)})
		in := newGate()
		e.Attach("A", hooks.EventDeath|hooks.EventReap, on1("death true 17", func(*Report) { in.pass(e) }))
		e.Start()
		in.wait(e)
		e.Guest.Reap()
		e.Log("A death true 17")
		in.open()
		e.Exits(3)
		e.Log("A reap", "A release A")
	}},
	{106, "the child is its own", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("wait4"), exit(3), mark("child"), call("getppid"), exit(0)})
		e.Attach("A", hooks.EventClone|hooks.EventSyscallEntry, nil)
		e.Exits(3)
		e.Log("A syscall_entry clone", "A clone 0x0", "A syscall_entry wait4", "A syscall_entry exit_group")
	}},
	{106, "holding the child", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("wait4"), exit(3), mark("child"), exit(0)})
		child := make(chan *hooks.Engine, 1)
		e.Attach("A", hooks.EventClone, on1("clone 0x0", func(r *Report) {
			g := e.AttachTo(r.Child, "B", hooks.EventExit, nil)
			refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
			child <- g
		}))
		e.Start()
		g := <-child
		require.NoError(e, g.Task().WaitStop(e.Ctx))
		require.Equal(e, e.Born(0, "child"), e.PC(g))
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A clone 0x0", "B exit 0x0 0x0", "B release B")
	}},
	{107, "holding the parent of a vfork", Forks, func(e *Env) {
		e.Make(Program{call("clone", cloneVfork, "child"), exit(3), mark("child"), exit(0)})
		ended := make(chan struct{})
		g := e.Attach("A", hooks.EventClone|hooks.EventSyscallExit, do("clone 0x4000", func(r *Report) hooks.Action {
			e.AttachTo(r.Child, "B", hooks.EventDeath, on1("death true 17", func(*Report) { close(ended) }))
			return act(hooks.Stop)
		}))
		e.Stops()
		<-ended // the child runs, and ends, while the parent is held
		require.True(e, e.Task.Stopped())
		e.Log("A clone 0x4000", "B death true 17")
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A syscall_exit clone", "B release B")
	}},
	{108, "job control", JobControl, func(e *Env) {
		e.Make(Program{raise(unix.SIGTSTP), exit(3)})
		e.Attach("A", hooks.EventQuiesce|hooks.EventJctl|hooks.EventSignalStop, nil)
		e.Stops()
		e.Send(unix.SIGCONT)
		e.Exits(3)
		e.Log("A signal_stop SIGTSTP tstp", "A quiesce jctl", "A jctl 5 5", "A quiesce jctl", "A jctl 6 6", "A quiesce death")
	}},
}

// robustCases are promises of our own: nothing an engine does wedges the
// machine. They are numbered from 201.
var robustCases = []Case{
	{201, "a panic detaches the engine", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventSyscall, on1("syscall_entry getppid", func(*Report) { panic("oh") }))
		e.Attach("B", hooks.EventSyscallEntry, nil)
		e.Exits(3)
		e.Log("B syscall_entry getppid", "A syscall_entry getppid",
			`log hooks: task `+e.number10()+`: engine "A": callback panicked, the engine is detached: oh`,
			"A release A", "B syscall_entry exit_group")
	}},
	{202, "panics at the end and in release", 0, func(e *Env) {
		e.Make(plain)
		ops := e.Ops("A", nil)
		ops.Reap = func(*hooks.Engine) { panic("reap") }
		ops.Release = func(any) { panic("release") }
		g, err := e.Task.Attach(create, ops, nil)
		require.NoError(e, err)
		require.NoError(e, g.SetEvents(hooks.EventReap))
		e.Exits(3)
		e.Guest.Reap()
		require.Len(e, e.Reports(), 2)
	}},
	{202, "a callback that ends its goroutine", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("wait4"), exit(3), mark("child"), call("getppid"), exit(0)})
		e.Attach("A", hooks.EventClone, on1("clone 0x0", func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventSyscallEntry|hooks.EventReap, on1("syscall_entry getppid", func(*Report) { runtime.Goexit() }))
			r.Child.SetLog(func(string) { e.note("log") })
		}))
		e.Exits(3)
		e.Log("A clone 0x0", "B syscall_entry getppid", "log", "B release B")
	}},
	{203, "a slow callback", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallEntry, on1("syscall_entry getppid", func(*Report) { in.pass(e) }))
		b := e.Attach("B", hooks.EventQuiesce, nil)
		e.Start()
		in.wait(e)
		// All requests answer at once.
		for _, g := range []*hooks.Engine{a, b} {
			for _, r := range []hooks.Resume{hooks.Report, hooks.SingleStep, hooks.Interrupt, hooks.Run} {
				e.Control(g, r)
			}
			refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
			e.Control(g, hooks.Run)
		}
		require.NoError(e, b.Barrier(e.Ctx))
		e.Control(b, hooks.Detach)
		in.open()
		e.Exits(3)
	}},
	{204, "detaching itself", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventSyscall, do("syscall_entry getppid", func(r *Report) hooks.Action {
			require.NoError(e, r.Call.Control(hooks.Detach))
			refused(e, r.Call.Control(hooks.Detach), unix.ESRCH)
			return act(hooks.Stop)
		}))
		e.Exits(3)
		e.Log("A syscall_entry getppid", "A release A")
	}},
	{205, "detaching another", 0, func(e *Env) {
		e.Make(plain)
		var b *hooks.Engine
		e.Attach("A", hooks.EventSyscallExit, on1("syscall_exit getppid", func(*Report) { require.NoError(e, b.Control(hooks.Detach)) }))
		b = e.Attach("B", hooks.EventSyscallExit, nil)
		e.Exits(3)
		e.Log("A syscall_exit getppid", "B release B")
	}},
	{206, "two tasks that control each other", 0, func(e *Env) {
		e.Make(Program{call("getppid"), call("getppid"), call("getppid"), exit(3)})
		first := e.Guest
		other := &Env{T: e.T, maker: e.maker, Ctx: e.Ctx}
		other.Make(Program{call("getppid"), call("getppid"), call("getppid"), exit(3)})
		var a, b *hooks.Engine
		poke := func(g **hooks.Engine) Reply {
			return func(*Report) hooks.Action {
				for _, r := range []hooks.Resume{hooks.Stop, hooks.Report, hooks.Interrupt, hooks.Run} {
					_ = (*g).Control(r) // ErrGone when the other has ended
				}
				return hooks.Action{}
			}
		}
		a = e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall, poke(&b))
		b = other.Attach("B", hooks.EventQuiesce|hooks.EventSyscall, poke(&a))
		e.Start()
		other.Start()
		require.Same(e, first, e.Guest)
		e.Exits(3)
		other.Exits(3)
		<-other.over
	}},
	{207, "the end of the run ends a stop", 0, func(e *Env) {
		for _, line := range []string{"quiesce 0", "syscall_entry getppid", "exit 0x300 0x300"} {
			ctx, cancel := context.WithCancel(e.Ctx)
			x := &Env{T: e.T, maker: e.maker, Ctx: ctx}
			x.Make(plain)
			g := x.Attach("A", hooks.EventQuiesce|hooks.EventSyscallEntry|hooks.EventExit, on(line, act(hooks.Stop)))
			x.Control(g, hooks.Report)
			x.Stops()
			cancel()
			<-x.over
		}
	}},
	{208, "requests from many goroutines", 0, func(e *Env) {
		e.Make(spin)
		g := e.Attach("A", hooks.EventQuiesce, nil)
		e.Start()
		done := make(chan struct{}, 4)
		for i := range 4 {
			go func() {
				defer func() { done <- struct{}{} }()
				for j := range 50 {
					switch (i + j) % 4 {
					case 0:
						_ = g.Control(hooks.Stop) // in progress, or done
					case 1:
						_ = g.Examine(func(x *hooks.Examiner) error { x.Regs().Reg(x.Arch().PC); return nil })
					case 2:
						h, err := e.Task.Attach(create, &hooks.Ops{}, nil)
						if err == nil {
							_ = h.SetEvents(hooks.EventQuiesce)
							_ = h.Control(hooks.Report)
							_ = h.Control(hooks.Detach)
						}
					default:
						_ = g.Control(hooks.Run)
					}
					runtime.Gosched()
				}
			}()
		}
		for range 4 {
			<-done
		}
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
		require.Equal(e, 1, e.Task.Engines())
	}},
	{208, "detached in the pass that asked for a step", 0, func(e *Env) {
		e.Make(straight)
		a := e.Attach("A", hooks.EventQuiesce, on("quiesce 0", act(hooks.SingleStep)))
		e.Attach("B", hooks.EventQuiesce, do("quiesce 0", func(*Report) hooks.Action {
			require.NoError(e, a.Control(hooks.Detach))
			return act(hooks.Detach)
		}))
		e.Control(a, hooks.Report)
		e.Exits(3)
		e.Log("A quiesce 0", "B quiesce 0 <singlestep>", "A release A", "B release B")
	}},
	{209, "an observer", 0, func(e *Env) {
		e.Make(Program{exit(4), raise(unix.SIGTERM)})
		e.observed()
		ev := hooks.EventSyscallEntry | hooks.EventSignalTerm
		e.Attach("A", ev|hooks.EventQuiesce, on("signal_term SIGTERM term", hooks.Action{Signal: hooks.SigCore, Resume: hooks.SingleStep}))
		e.Attach("B", ev, on("syscall_entry exit_group", hooks.Action{Syscall: hooks.SysAbort, Resume: hooks.Report}))
		e.Dies(unix.SIGTERM)
		e.Guest.Reap()
		var saw []string
		for _, l := range e.Reports() {
			if l, ok := strings.CutPrefix(l, "saw "); ok {
				saw = append(saw, l)
			}
		}
		require.Equal(e, []string{
			"B / syscall_entry exit_group / report abort / report abort",
			"A / quiesce syscall_entry exit_group / run / report abort", "A / syscall_entry exit_group / run / report abort", "A / quiesce 0 / run / run",
			"B / syscall_entry kill / run / run", "A / quiesce syscall_entry kill / run / run", "A / syscall_entry kill / run / run",
			"A / signal_term SIGTERM / singlestep core / singlestep core", "B / signal_term SIGTERM / run / singlestep core",
			"A / quiesce death / run / run",
		}, saw)
	}},
}

// observers holds observers to what callbacks are held to.
var observers = []Case{
	{209, "an observer that panics", 0, func(e *Env) {
		e.Make(plain)
		e.Task.SetObserver(func(hooks.Reported) { panic("oh") })
		e.Attach("A", hooks.EventSyscallEntry, nil)
		e.Exits(3)
		e.Log("A syscall_entry getppid", "log hooks: task "+e.number10()+": observer panicked, it is removed: oh", "A syscall_entry exit_group")
	}},
}

// idle gives other goroutines the time to do what they should not.
func (e *Env) idle() {
	for range 2000 {
		runtime.Gosched()
	}
}

// observed are the reports of a task as its observer is told of them.
func (e *Env) observed() {
	e.Task.SetObserver(func(r hooks.Reported) { e.note("saw " + strings.ReplaceAll(r.String(), "\t", " / ")) })
}

// number10 is the task's number in a message.
func (e *Env) number10() string { return strconv.Itoa(e.Task.ID()) }
