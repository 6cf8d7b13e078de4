package hooktest

import (
	"context"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// stopAtStart answers the first Quiesce at the resume point with Stop.
var stopAtStart = on("quiesce 0", act(hooks.Stop))

// Hold attaches an engine with EventQuiesce and more that holds the task
// before its first instruction.
func (e *Env) Hold(name string, ev hooks.Event, f Reply) *hooks.Engine {
	e.Helper()
	r := stopAtStart
	if f != nil {
		r = both(stopAtStart, f)
	}
	g := e.Attach(name, hooks.EventQuiesce|ev, r)
	refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
	return g
}

var controlCases = []Case{
	{24, "no such action", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventQuiesce, nil)
		refused(e, g.Control(hooks.Detach+1), unix.EINVAL)
	}},
	{25, "what needs quiesce", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventSyscall, nil)
		for _, r := range []hooks.Resume{hooks.Report, hooks.SingleStep, hooks.BlockStep} {
			refused(e, g.Control(r), unix.EINVAL)
		}
		refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
		for _, r := range []hooks.Resume{hooks.Interrupt, hooks.Run, hooks.Detach} {
			e.Control(g, r)
		}
		e.Exits(3)
	}},
	{26, "stopping", 0, func(e *Env) {
		e.Make(spin)
		g := e.Attach("A", hooks.EventQuiesce, on("quiesce 0", act(hooks.Stop)))
		e.Start()
		refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
		e.Stops()
		require.NoError(e, g.Control(hooks.Stop))
		e.Log("A quiesce 0")
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
		e.Log("A quiesce death")
	}},
	{26, "stopping without callbacks", 0, func(e *Env) {
		e.Make(spin)
		g := e.Attach("A", 0, nil)
		e.Start()
		refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
		e.Stops()
		require.NoError(e, g.Control(hooks.Stop))
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
	}},
	{26, "quiesce has the last word", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventQuiesce, nil)
		refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
		e.Exits(3)
		e.Log("A quiesce 0", "A quiesce death")
	}},
	{26, "stopped again before it has gone on", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventQuiesce, on("quiesce 0", act(hooks.Stop), act(hooks.Stop)))
		e.Control(g, hooks.Report)
		e.Stops()
		// It does not stay where it was: the callback tells of the new stop.
		refused(e, g.Examine(func(*hooks.Examiner) error {
			e.Control(g, hooks.Run)
			refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
			return nil
		}), unix.EAGAIN)
		e.Lines("A quiesce 0", 2)
		e.Stops()
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A quiesce 0", "A quiesce 0", "A quiesce death")
	}},
	{27, "stop lasts until the same engine ends it", 0, func(e *Env) {
		e.Make(plain)
		a := e.Attach("A", hooks.EventSyscallExit, on("syscall_exit getppid", act(hooks.Stop)))
		b := e.Attach("B", hooks.EventExit, nil)
		e.Stops()
		for _, r := range []hooks.Resume{hooks.Run, hooks.Interrupt} {
			e.Control(b, r)
			require.True(e, e.Task.Stopped())
		}
		e.Log("A syscall_exit getppid")
		e.Control(a, hooks.Run)
		e.Exits(3)
		e.Log("B exit 0x300 0x300")
	}},
	{28, "two engines hold", 0, func(e *Env) {
		e.Make(plain)
		stop := on("syscall_exit getppid", act(hooks.Stop))
		a, b := e.Attach("A", hooks.EventSyscallExit, stop), e.Attach("B", hooks.EventSyscallExit, stop)
		e.Stops()
		e.Control(b, hooks.Run)
		require.True(e, e.Task.Stopped())
		e.Control(a, hooks.Run)
		e.Exits(3)
		e.Log("A syscall_exit getppid", "B syscall_exit getppid <stop>")
	}},
	{29, "run on a running task", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallExit, on1("syscall_exit getppid", func(*Report) { in.pass(e) }))
		e.Start()
		in.wait(e)
		e.Control(g, hooks.Run)
		in.open()
		e.Exits(3)
		e.Log("A quiesce syscall_exit", "A syscall_exit getppid", "A quiesce death")
	}},
	{30, "report on a running task", 0, func(e *Env) {
		e.Make(spin)
		in := newGate()
		g := e.Attach("A", hooks.EventQuiesce, on1("quiesce 0", func(*Report) { in.pass(e) }))
		e.Start()
		e.Control(g, hooks.Report)
		in.wait(e)
		e.Send(unix.SIGKILL)
		in.open()
		e.Dies(unix.SIGKILL)
		e.Log("A quiesce 0", "A quiesce death")
	}},
	{31, "report and interrupt on a blocking call", 0, func(e *Env) {
		e.Make(Program{call("ppoll", 0, 0, 0, 0, 8), exit(3)})
		in := newGate()
		g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall, both(
			on1("syscall_entry ppoll", func(r *Report) {
				if r.N == 0 {
					in.pass(e)
				}
			}), func(r *Report) hooks.Action {
				if r.Line == "syscall_entry ppoll" && r.N == 1 {
					return hooks.Action{Syscall: hooks.SysAbort}
				}
				return hooks.Action{}
			}))
		e.Start()
		in.wait(e)
		in.open()
		require.NoError(e, g.Barrier(e.Ctx))
		e.Control(g, hooks.Report)
		e.Control(g, hooks.Interrupt)
		e.Exits(3)
		e.Log("A quiesce syscall_entry", "A syscall_entry ppoll", "A quiesce syscall_exit", "A syscall_exit ppoll restart", "A signal report",
			"A quiesce syscall_entry", "A syscall_entry ppoll", "A quiesce syscall_exit", "A syscall_exit ppoll errno 38",
			"A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")
	}},
	{32, "interrupt comes before signals", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGUSR1), exit(3)})
		e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallExit|hooks.EventSignalTerm, both(
			on("syscall_exit kill", act(hooks.Interrupt)), on("signal_term SIGUSR1 term", sig(hooks.SigIgn))))
		e.Exits(3)
		e.Log("A quiesce syscall_exit", "A syscall_exit kill", "A signal report", "A signal_term SIGUSR1 term", "A quiesce death")
	}},
	{33, "steps that are not there", 0, func(e *Env) {
		e.Make(straight)
		e.Without(true, true)
		g := e.Hold("A", 0, nil)
		e.Stops()
		refused(e, g.Control(hooks.SingleStep), unix.EOPNOTSUPP)
		refused(e, g.Control(hooks.BlockStep), unix.EOPNOTSUPP)
		require.True(e, e.Task.Stopped())
		require.Equal(e, e.Insns[0], e.PC(g))
		e.Control(g, hooks.Run)
		e.Exits(3)
	}},
	{33, "block step without block steps", 0, func(e *Env) {
		e.Make(straight)
		e.Without(false, true)
		s := e.stepper()
		require.Equal(e, e.Insns[1], s.step(hooks.BlockStep))
		s.finish(3)
	}},
	{34, "one instruction", 0, func(e *Env) {
		e.Make(straight)
		s := e.stepper()
		require.Equal(e, e.Insns[1], s.step(hooks.SingleStep))
		require.Equal(e, trapTrace, s.code)
		e.Log("S quiesce 0", "S signal_core SIGTRAP core")
		s.finish(3)
	}},
	{35, "a step is one step", 0, func(e *Env) {
		e.Make(straight)
		g := e.Hold("A", hooks.EventSignalCore, on("signal_core SIGTRAP core", sig(hooks.SigIgn)))
		e.Stops()
		e.Control(g, hooks.SingleStep)
		e.Exits(3)
		e.Log("A quiesce 0", "A signal_core SIGTRAP core", "A quiesce death")
	}},
	{36, "detaching lets go", 0, func(e *Env) {
		e.Make(straight)
		g := e.Hold("A", hooks.EventAll, nil)
		h := e.Hold("B", hooks.EventAll, nil)
		e.Stops()
		e.Control(g, hooks.SingleStep)
		e.Control(g, hooks.Detach)
		e.Control(h, hooks.Detach)
		e.Exits(3)
		e.Log("A quiesce 0", "B quiesce 0 <stop>", "A release A", "B release B")
	}},
	{37, "detaching during the callback", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		g := e.Attach("A", hooks.EventSyscallExit, do("syscall_exit getppid", func(*Report) hooks.Action {
			in.pass(e)
			return act(hooks.Stop)
		}))
		e.Attach("B", hooks.EventSyscallExit, nil)
		e.Start()
		in.wait(e)
		e.Attach("C", hooks.EventExit, nil)
		refused(e, g.Control(hooks.Detach), unix.EINPROGRESS)
		e.Log("A syscall_exit getppid")
		in.open()
		e.Exits(3)
		e.Log("A release A", "B syscall_exit getppid", "C exit 0x300 0x300")
	}},
	{38, "detaching twice, and at the end", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", 0, nil)
		e.Control(a, hooks.Detach)
		refused(e, a.Control(hooks.Detach), unix.ESRCH)
		b := e.Attach("B", hooks.EventDeath, on1("death true 17", func(*Report) { in.pass(e) }))
		c := e.Attach("C", hooks.EventReap, nil)
		e.Start()
		in.wait(e)
		refused(e, b.Control(hooks.Detach), unix.EALREADY)
		refused(e, c.Control(hooks.Detach), unix.EALREADY)
		in.open()
		e.Exits(3)
		e.Control(b, hooks.Detach)
		e.Guest.Reap()
		refused(e, c.Control(hooks.Detach), unix.ESRCH)
		e.Log("A release A", "B death true 17", "B release B", "C reap", "C release C")
	}},
	{39, "controlling the dead", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventQuiesce, nil)
		e.Exits(3)
		for r := hooks.Run; r < hooks.Detach; r++ {
			refused(e, g.Control(r), unix.ESRCH)
		}
		e.Control(g, hooks.Detach)
	}},
	{40, "the stronger request stays", 0, func(e *Env) {
		e.Make(straight)
		a, b := e.Hold("A", hooks.EventSignalCore, nil), e.Hold("B", hooks.EventSignalCore, nil)
		e.Stops()
		e.Control(a, hooks.Report)
		e.Control(b, hooks.SingleStep)
		e.Exits(3)
		e.Log("A quiesce 0", "B quiesce 0 <stop>", "A quiesce 0", "B quiesce 0", "A quiesce death", "B quiesce death")
	}},
	{41, "holding a task in a job control stop", JobControl, func(e *Env) {
		e.Make(Program{raise(unix.SIGSTOP), exit(3)})
		g := e.Attach("A", hooks.EventJctl, nil)
		e.Stops()
		require.NoError(e, g.Control(hooks.Stop))
		e.Send(unix.SIGCONT)
		require.True(e, e.Task.Stopped())
		require.Equal(e, e.Guest.Ops[1], e.PC(g))
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A jctl 5 5", "A jctl 6 6")
	}},
	{41, "held, not run, by SIGCONT", JobControl, func(e *Env) {
		e.Make(Program{raise(unix.SIGSTOP), exit(3)})
		g := e.Attach("A", hooks.EventJctl, nil)
		e.Stops()
		require.NoError(e, g.Control(hooks.Stop))
		e.Send(unix.SIGCONT)
		e.idle()
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
	}},
	{42, "back into the job control stop", JobControl, func(e *Env) {
		e.Make(Program{raise(unix.SIGSTOP), exit(3)})
		g := e.Attach("A", hooks.EventJctl, nil)
		e.Stops()
		require.NoError(e, g.Control(hooks.Stop))
		e.Control(g, hooks.Run)
		require.True(e, e.Task.Stopped())
		e.Log("A jctl 5 5")
		e.Send(unix.SIGCONT)
		e.Exits(3)
		e.Log("A jctl 6 6")
	}},
}

var barrierCases = []Case{
	{43, "nothing to wait for", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventSyscallExit, on1("syscall_exit getppid", func(r *Report) {
			require.NoError(e, r.Barrier())
		}))
		require.NoError(e, g.Barrier(e.Ctx))
		e.Exits(3)
		require.NoError(e, g.Barrier(e.Ctx))
		e.Log("A syscall_exit getppid")
	}},
	{44, "the answer is in force", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		g := e.Attach("A", hooks.EventSyscallEntry, do("syscall_entry getppid", func(*Report) hooks.Action {
			in.pass(e)
			return act(hooks.Stop)
		}))
		e.Start()
		in.wait(e)
		done := make(chan error, 1)
		go func() { done <- g.Barrier(e.Ctx) }()
		in.open()
		require.NoError(e, <-done)
		// The engine holds the task, whether it has come to the stop or not.
		err := g.Examine(func(*hooks.Examiner) error { return nil })
		if err != nil {
			refused(e, err, unix.EAGAIN)
		}
		e.Stops()
		e.Control(g, hooks.Run)
		e.Exits(3)
	}},
	{45, "the end of a detachment", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		g := e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry getppid", func(*Report) { in.pass(e) }))
		e.Start()
		in.wait(e)
		refused(e, g.Control(hooks.Detach), unix.EINPROGRESS)
		ctx, cancel := context.WithCancel(e.Ctx)
		cancel()
		refused(e, g.Barrier(ctx), unix.Errno(512))
		in.open()
		refused(e, g.Barrier(e.Ctx), unix.ESRCH)
		e.Exits(3)
		e.Log("A syscall_entry getppid", "A release A")
	}},
	{46, "examining needs a stop of one's own", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", hooks.EventSyscallEntry, do("syscall_entry getppid", func(*Report) hooks.Action {
			in.pass(e)
			return act(hooks.Stop)
		}))
		b := e.Attach("B", 0, nil)
		none := func(*hooks.Examiner) error { e.Error("called"); return nil }
		e.Start()
		in.wait(e)
		refused(e, a.Examine(none), unix.EINVAL)
		refused(e, b.Control(hooks.Stop), unix.EINPROGRESS)
		refused(e, b.Examine(none), unix.EAGAIN)
		e.Control(b, hooks.Run)
		in.open()
		e.Stops()
		refused(e, b.Examine(none), unix.EINVAL)
		require.Equal(e, e.Guest.Ops[1], e.PC(a))
		e.Control(a, hooks.Run)
		e.Exits(3)
		refused(e, a.Examine(none), unix.ESRCH)
	}},
	{47, "a stop that ends meanwhile", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventSyscallEntry, on("syscall_entry getppid", act(hooks.Stop)))
		e.Stops()
		require.NoError(e, g.Examine(func(*hooks.Examiner) error { return nil }))
		e.Attach("B", hooks.EventExit, nil)
		refused(e, g.Examine(func(*hooks.Examiner) error {
			e.Send(unix.SIGKILL)
			e.idle()
			e.Log("A syscall_entry getppid") // it waits for the examiner
			return nil
		}), unix.EAGAIN)
		e.Dies(unix.SIGKILL)
		e.Log("B exit 0x9 0x9 <stop>")
	}},
	{47, "let go meanwhile", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventSyscallEntry, on("syscall_entry getppid", act(hooks.Stop)))
		e.Stops()
		refused(e, g.Examine(func(*hooks.Examiner) error { return g.Control(hooks.Run) }), unix.EINVAL)
		e.Exits(3)
	}},
}

var orderCases = []Case{
	{48, "attach order, and its reverse", 0, func(e *Env) {
		e.Make(Program{call("getppid"), raise(unix.SIGUSR1), exit(3)})
		ev := hooks.EventQuiesce | hooks.EventSyscallEntry | hooks.EventExit | hooks.EventSignalTerm
		e.Attach("A", ev, nil)
		e.Attach("B", ev, on("signal_term SIGUSR1 term", sig(hooks.SigIgn)))
		e.Exits(3)
		e.Log(
			"B quiesce syscall_entry", "B syscall_entry getppid", "A quiesce syscall_entry", "A syscall_entry getppid",
			"B quiesce syscall_entry", "B syscall_entry kill", "A quiesce syscall_entry", "A syscall_entry kill",
			"A signal_term SIGUSR1 term", "B signal_term SIGUSR1 term",
			"B quiesce syscall_entry", "B syscall_entry exit_group", "A quiesce syscall_entry", "A syscall_entry exit_group",
			"A quiesce exit", "A exit 0x300 0x300", "B quiesce exit", "B exit 0x300 0x300",
			"A quiesce death", "B quiesce death")
	}},
	{48, "exec and clone", Forks | Exec, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("execve", "new"), mark("new"), exit(3), mark("child"), exit(0)})
		ev := hooks.EventClone | hooks.EventExec
		e.Attach("A", ev, nil)
		e.Attach("B", ev, nil)
		e.Exits(3)
		e.Log("A clone 0x0", "B clone 0x0", "A exec", "B exec")
	}},
	{49, "the running answer", 0, func(e *Env) {
		e.Make(plain)
		a := e.Attach("A", hooks.EventSyscallExit, on("syscall_exit getppid", act(hooks.Interrupt)))
		b := e.Attach("B", hooks.EventSyscallExit, on("syscall_exit getppid", act(hooks.Stop)))
		e.Attach("C", hooks.EventSyscallExit, on("syscall_exit getppid", act(hooks.SingleStep)))
		e.Attach("D", hooks.EventSyscallExit, nil)
		e.Stops()
		e.Log("A syscall_exit getppid", "B syscall_exit getppid <interrupt>", "C syscall_exit getppid <stop>", "D syscall_exit getppid <stop>")
		e.Control(a, hooks.Run)
		e.Control(b, hooks.Run)
		e.Exits(3)
	}},
	{50, "steps of two engines", 0, func(e *Env) {
		for _, second := range []hooks.Resume{hooks.BlockStep, hooks.Run} {
			e.Make(straight)
			a := e.Attach("A", hooks.EventQuiesce|hooks.EventSignalCore, both(on("quiesce 0", act(hooks.SingleStep)),
				on("signal_core SIGTRAP core", hooks.Action{Resume: hooks.Stop, Signal: hooks.SigIgn})))
			e.Attach("B", hooks.EventQuiesce, on("quiesce 0", act(second)))
			e.Control(a, hooks.Report)
			e.Stops()
			require.Equal(e, e.Insns[1], e.PC(a))
			e.Log("A quiesce 0", "B quiesce 0 <singlestep>", "A signal_core SIGTRAP core", "B signal_core SIGTRAP ign <stop>")
			e.Control(a, hooks.Run)
			e.Exits(3)
			e.Log("A quiesce death", "B quiesce death")
			e.ended = nil
		}
	}},
	{51, "one detaches", 0, func(e *Env) {
		e.Make(plain)
		ev := hooks.EventQuiesce | hooks.EventSyscallExit
		e.Attach("A", ev, on("quiesce syscall_exit", act(hooks.Detach)))
		e.Attach("B", ev, on("syscall_exit getppid", act(hooks.Detach)))
		e.Attach("C", ev, nil)
		e.Exits(3)
		e.Log("A quiesce syscall_exit", "A release A", "B quiesce syscall_exit", "B syscall_exit getppid", "B release B",
			"C quiesce syscall_exit", "C syscall_exit getppid", "C quiesce death")
	}},
	{52, "quiesce for the events of others", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventQuiesce, nil)
		b := e.Attach("B", hooks.EventSyscallExit|hooks.EventExit, nil)
		e.Exits(3)
		require.Equal(e, hooks.EventSyscallExit|hooks.EventExit, b.Events())
		e.Log("A quiesce syscall_exit", "B syscall_exit getppid", "A quiesce exit", "B exit 0x300 0x300", "A quiesce death")
	}},
	{53, "nothing is left of the last engine", 0, func(e *Env) {
		e.Make(straight)
		a, b := e.Hold("A", 0, nil), e.Hold("B", 0, nil)
		e.Stops()
		e.Control(a, hooks.SingleStep)
		e.Control(a, hooks.Detach)
		e.Control(b, hooks.Detach)
		e.Exits(3)
		e.Log("A quiesce 0", "B quiesce 0 <stop>", "A release A", "B release B")
	}},
	{54, "a stop without a callback", 0, func(e *Env) {
		e.Make(plain)
		a := e.Attach("A", 0, nil)
		b := e.Attach("B", hooks.EventQuiesce, nil)
		refused(e, a.Control(hooks.Stop), unix.EINPROGRESS)
		e.Stops()
		require.Equal(e, e.Insns[0], e.PC(a))
		e.Log("B quiesce 0 <stop>")
		e.Control(b, hooks.Run)
		require.True(e, e.Task.Stopped())
		e.Control(a, hooks.Run)
		e.Exits(3)
	}},
}
