package hooktest

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// stops are the places where a task can be held: the report whose answer holds
// it, in a program that passes it.
var stops = []struct {
	needs  Feature
	events hooks.Event // no more: the answer to another report would let go
	line   string
	signal hooks.SignalAction
	p      Program
}{
	{0, hooks.EventQuiesce, "quiesce 0", 0, plain},
	{0, hooks.EventSyscallEntry, "syscall_entry getppid", 0, plain},
	{0, hooks.EventSyscallExit, "syscall_exit getppid", 0, plain},
	{0, hooks.EventSignalTerm, "signal_term SIGTERM term", hooks.SigIgn, Program{raise(unix.SIGTERM), exit(3)}},
	{0, hooks.EventSignalCore, "signal_core SIGTRAP core", hooks.SigIgn, Program{brk(), exit(3)}},
	{Handlers, hooks.EventSignal, "signal SIGUSR1 deliver", 0, withHandler(unix.SIGUSR1, 0)},
	{Handlers, hooks.EventSignal | hooks.EventQuiesce, "signal handler SIGUSR1", 0, withHandler(unix.SIGUSR1, 0)},
	{Forks, hooks.EventClone, "clone 0x0", 0, Program{call("clone", 0, "child"), exit(3), mark("child"), exit(0)}},
	{Forks, hooks.EventClone, "clone 0x4000", 0, Program{call("clone", cloneVfork, "child"), exit(3), mark("child"), exit(0)}},
	{Forks, hooks.EventVforkDone, "vfork_done", 0, Program{call("clone", cloneVfork, "child"), exit(3), mark("child"), exit(0)}},
	{Exec, hooks.EventExec, "exec", 0, Program{call("execve", "new"), mark("new"), exit(3)}},
	{JobControl, hooks.EventJctl, "jctl 5 5", 0, Program{raise(unix.SIGSTOP), exit(3)}},
}

// killed holds a task at each of the stops that need no more than has, or just
// job control, and kills it there.
func (e *Env) killed(has Feature) {
	for _, s := range stops {
		if s.needs&^has != 0 || has == JobControl && s.needs == 0 {
			continue
		}
		e.Make(s.p)
		e.ended = nil
		hold := on(s.line, hooks.Action{Resume: hooks.Stop, Signal: s.signal})
		if s.line == "signal handler SIGUSR1" { // the report comes if a step is wanted there
			hold = both(hold, on("signal SIGUSR1 deliver", act(hooks.SingleStep)))
		}
		g := e.Attach("A", s.events, hold)
		if s.line == "quiesce 0" {
			e.Control(g, hooks.Report)
		}
		e.Stops()
		e.Await("A " + s.line)
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
		refused(e, g.Control(hooks.Run), unix.ESRCH)
		e.forget()
	}
}

var stopCases = []Case{
	{58, "SIGKILL ends every stop", 0, func(e *Env) { e.killed(e.maker.Has &^ JobControl) }},
	{58, "SIGKILL ends the stop of a job", JobControl, func(e *Env) { e.killed(JobControl) }},
	{58, "SIGKILL ends the stop at an end", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventExit, on("exit 0x300 0x300", act(hooks.Stop)))
		e.Stops()
		e.Send(unix.SIGKILL)
		e.Exits(3) // it has been ending already
	}},
	{71, "a made signal waits while it is blocked", Handlers, func(e *Env) {
		e.Make(Program{call("rt_sigprocmask", 1<<(unix.SIGUSR1-1)), call("getppid"), call("getppid"), call("rt_sigprocmask", 0), exit(3)})
		e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallExit|hooks.EventSignalTerm, both(on("syscall_exit getppid", act(hooks.Interrupt)),
			do("signal report", func(r *Report) hooks.Action {
				r.Signal.Info.No = unix.SIGUSR1
				return hooks.Action{Signal: hooks.SigIgn, Hold: true}
			})))
		e.Dies(unix.SIGUSR1)
		e.Log("A quiesce syscall_exit", "A syscall_exit rt_sigprocmask", "A quiesce syscall_exit", "A syscall_exit getppid", "A signal report",
			"A quiesce syscall_exit", "A syscall_exit getppid", "A quiesce syscall_exit", "A syscall_exit rt_sigprocmask",
			"A signal_term SIGUSR1 term", "A quiesce death")
	}},
	{82, "calls that the tracer makes", 0, func(e *Env) {
		e.Make(Program{call("getppid"), nop(), nop(), call("getppid"), nop(), exit(3)})
		s := e.stepperWith(hooks.EventSyscallEntry, do("syscall_entry getppid", func(r *Report) hooks.Action {
			r.Sys.SetResult(77, 0)
			return hooks.Action{Resume: hooks.Stop, Syscall: hooks.SysAbort}
		}))
		result := func() {
			e.Helper()
			require.NoError(e, s.g.Examine(func(x *hooks.Examiner) error {
				require.EqualValues(e, 77, x.Regs().Reg(x.Arch().ABI.Ret))
				return nil
			}))
		}
		// One stop a call, and none at its end, whether the task steps on or runs.
		require.Equal(e, e.Guest.Ops[1], s.step(hooks.Run))
		result()
		require.Equal(e, e.Guest.Ops[2], s.step(hooks.SingleStep))
		result()
		require.Equal(e, e.Guest.Ops[4], s.step(hooks.Run))
		s.finish(3)
		e.Log("S quiesce 0", "S quiesce syscall_entry", "S syscall_entry getppid", "S signal_core SIGTRAP core",
			"S quiesce syscall_entry", "S syscall_entry getppid", "S quiesce syscall_entry", "S syscall_entry exit_group", "S quiesce death")
	}},
	{90, "steps are not in the registers", Real, func(e *Env) {
		plain, stepped := e.registers(false), e.registers(true)
		require.Len(e, plain, 4)
		require.Equal(e, plain, stepped)
	}},
	{91, "steps are not in a handler's frame", Handlers | Real, func(e *Env) {
		plain, stepped := e.frame(hooks.Run), e.frame(hooks.SingleStep)
		require.NotEmpty(e, plain)
		require.Equal(e, plain, stepped)
	}},
}

// registers are the register sets at each end of the two calls of curvy.
func (e *Env) registers(step bool) (sets []map[string][]byte) {
	e.Make(curvy)
	e.ended = nil
	s := e.stepperWith(hooks.EventSyscall, func(r *Report) hooks.Action {
		if r.Sys == nil || r.Sys.Name() != "getppid" {
			return hooks.Action{}
		}
		now := map[string][]byte{}
		for _, v := range r.Arch().Views {
			for _, set := range v.Sets {
				b := make([]byte, set.Bytes())
				if set.Get(r.Regs(), 0, b) == nil {
					now[v.Name+" "+set.Name] = b
				}
			}
		}
		sets = append(sets, now)
		return hooks.Action{}
	})
	for range e.path()[1:] {
		if !step {
			break
		}
		s.step(hooks.SingleStep)
	}
	s.finish(3)
	require.NotEmpty(e, slices.Collect(maps.Keys(sets[0])))
	return sets
}

// frame is the frame of a handler that is entered when the task was to go on
// as r says.
func (e *Env) frame(r hooks.Resume) (frame []byte) {
	e.Make(Program{call("rt_sigaction", 10, "handler", 0), call("getppid"), nop(), exit(4), mark("handler"), exit(3)})
	e.ended = nil
	var sp uint64
	g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallExit|hooks.EventSignalAll, func(r *Report) hooks.Action {
		now := r.Regs().Reg(r.Arch().SP)
		switch r.Line {
		case "syscall_exit getppid":
			sp = now
			return act(hooks.Stop)
		case "quiesce 0":
			if r.N == 0 {
				return act(hooks.Stop)
			}
		case "signal SIGUSR1 deliver":
			return act(hooks.SingleStep) // for the report that follows
		case "signal handler SIGUSR1":
			frame = make([]byte, sp-now)
			n, err := r.Memory().ReadAt(frame, now)
			require.NoError(e, err)
			require.Len(e, frame, n)
		}
		return hooks.Action{}
	})
	e.Stops()
	e.Send(unix.SIGUSR1)
	e.Control(g, r)
	e.Exits(3)
	e.forget()
	return frame
}
