package hooktest

import (
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// number is the number of a system call.
func (e *Env) number(name string) int64 {
	for _, r := range e.Task.Target().Arch().Sysnum {
		if r.Name == name {
			return int64(r.Nr)
		}
	}
	e.Fatalf("no system call %s", name)
	return 0
}

// stepper is an engine that steps: it drops the SIGTRAP of each step and
// stops there.
type stepper struct {
	e    *Env
	g    *hooks.Engine
	code int
	no   unix.Signal
}

// stepper attaches a stepper that holds the task before its first instruction.
func (e *Env) stepper() *stepper { return e.stepperWith(0, nil) }

func (e *Env) stepperWith(ev hooks.Event, f Reply) *stepper {
	e.Helper()
	s := &stepper{e: e}
	trap := func(r *Report) hooks.Action {
		if r.Signal == nil || r.Signal.Orig == nil {
			return hooks.Action{}
		}
		s.no, s.code = r.Signal.Info.No, r.Signal.Info.Code
		return hooks.Action{Resume: hooks.Stop, Signal: hooks.SigIgn}
	}
	if f != nil {
		trap = both(trap, f)
	}
	s.g = e.Hold("S", hooks.EventSignalCore|ev, trap)
	e.Stops()
	return s
}

// step steps and returns where the task stopped.
func (s *stepper) step(r hooks.Resume) uint64 {
	s.e.Helper()
	s.e.Control(s.g, r)
	s.e.Stops()
	return s.e.PC(s.g)
}

// finish lets the task run to its end.
func (s *stepper) finish(code int) {
	s.e.Helper()
	s.e.Control(s.g, hooks.Run)
	s.e.Exits(code)
}

var syscallCases = []Case{
	{73, "arguments", 0, func(e *Env) {
		e.Make(Program{exit(4)})
		e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry exit_group", func(r *Report) {
			require.EqualValues(e, 4, r.Sys.Arg(0))
			r.Sys.SetArg(0, 3)
			require.EqualValues(e, 3, r.Sys.Arg(0))
		}))
		e.Exits(3)
	}},
	{73, "the number", 0, func(e *Env) {
		e.Make(Program{call("getppid"), exit(3)})
		e.Attach("A", hooks.EventSyscall, on1("syscall_entry getppid", func(r *Report) {
			require.Equal(e, e.number("getppid"), r.Sys.Nr())
			r.Sys.SetNr(e.number("exit_group"))
			r.Sys.SetArg(0, 7)
		}))
		e.Exits(7)
		e.Log("A syscall_entry getppid")
	}},
	{74, "aborted", 0, func(e *Env) {
		e.Make(Program{exit(4), exit(3)})
		var before, after [6]uint64
		e.Attach("A", hooks.EventSyscall, both(on("syscall_entry exit_group", hooks.Action{Syscall: hooks.SysAbort}),
			on1("syscall_exit exit_group errno 38", func(r *Report) {
				for i := range before {
					before[i] = r.Sys.Arg(i)
				}
				r.Sys.Rollback()
				for i, id := range r.Arch().ABI.Args {
					after[i] = r.Regs().Reg(id)
				}
			})))
		e.Exits(3)
		require.EqualValues(e, 4, before[0])
		require.Equal(e, before, after)
		e.Log("A syscall_entry exit_group", "A syscall_exit exit_group errno 38", "A syscall_entry exit_group")
	}},
	{74, "aborted with a result", 0, func(e *Env) {
		for _, errno := range []unix.Errno{0, unix.EPERM} {
			e.Make(Program{exit(4), exit(3)})
			e.ended = nil
			e.Attach("A", hooks.EventSyscall, func(r *Report) hooks.Action {
				switch {
				case r.Line == "syscall_entry exit_group" && r.N == 0:
					r.Sys.SetResult(77, errno)
					return hooks.Action{Syscall: hooks.SysAbort}
				case r.Line == "syscall_exit exit_group":
					v, _ := r.Sys.Result()
					require.EqualValues(e, 77, v)
				}
				return hooks.Action{}
			})
			e.Exits(3)
			exit := "A syscall_exit exit_group"
			if errno != 0 {
				exit += " errno 1"
			}
			e.Log("A syscall_entry exit_group", exit, "A syscall_entry exit_group")
		}
	}},
	{74, "the first engine has the last word", 0, func(e *Env) {
		e.Make(Program{exit(3), exit(4)})
		run := on("syscall_entry exit_group", hooks.Action{Syscall: hooks.SysRun})
		e.Attach("A", hooks.EventSyscallEntry, run)
		e.Attach("B", hooks.EventSyscallEntry|hooks.EventQuiesce, nil)
		e.Attach("C", hooks.EventSyscallEntry, on("syscall_entry exit_group", hooks.Action{Syscall: hooks.SysAbort}))
		e.Exits(3)
		e.Log("C syscall_entry exit_group", "B quiesce syscall_entry <abort>", "B syscall_entry exit_group <abort>", "A syscall_entry exit_group <abort>", "B quiesce death")
	}},
	{75, "stopped at the entry", 0, func(e *Env) {
		e.Make(Program{exit(4)})
		g := e.Attach("A", hooks.EventSyscallEntry, on("syscall_entry exit_group", act(hooks.Stop)))
		e.Stops()
		// What counts is what is in the registers when it goes on.
		require.NoError(e, g.Examine(func(x *hooks.Examiner) error {
			x.Regs().SetReg(x.Arch().ABI.Args[0], 3)
			return nil
		}))
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A syscall_entry exit_group")
	}},
	{75, "reported again", 0, func(e *Env) {
		for _, r := range []hooks.Resume{hooks.Report, hooks.Interrupt} {
			e.Make(plain)
			e.ended = nil
			g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall, both(on("syscall_entry getppid", act(hooks.Stop)),
				on("syscall_entry getppid resumed", act(hooks.Stop))))
			e.Stops()
			e.Control(g, r)
			e.Stops()
			e.Control(g, hooks.Run)
			e.Exits(3)
			again := []string{"A quiesce syscall_entry", "A syscall_entry getppid resumed"}
			want := append([]string{"A quiesce syscall_entry", "A syscall_entry getppid"}, again...)
			if r == hooks.Interrupt { // it is pending until signals are looked for
				want = append(want, again...)
			}
			want = append(want, "A quiesce syscall_exit", "A syscall_exit getppid")
			if r == hooks.Interrupt {
				want = append(want, "A signal report")
			}
			e.Log(append(want, "A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")...)
		}
	}},
	{75, "asked before it has stopped", 0, func(e *Env) {
		e.Make(plain)
		var g *hooks.Engine
		e.Task.SetObserver(func(r hooks.Reported) {
			if r.Answer.Resume == hooks.Stop {
				e.Control(g, hooks.Report)
			}
		})
		g = e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallEntry, on("syscall_entry getppid", act(hooks.Stop)))
		e.Exits(3)
		e.Log("A quiesce syscall_entry", "A syscall_entry getppid", "A quiesce syscall_entry", "A syscall_entry getppid resumed",
			"A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")
	}},
	{76, "killed at the entry", 0, func(e *Env) {
		e.Make(Program{exit(4)})
		e.Attach("A", hooks.EventSyscallEntry, on("syscall_entry exit_group", act(hooks.Stop)))
		e.Stops()
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
	}},
	{77, "number -1", 0, func(e *Env) {
		e.Make(Program{exit(4), exit(3)})
		e.Attach("A", hooks.EventSyscall, func(r *Report) hooks.Action {
			switch {
			case r.Line == "syscall_entry exit_group" && r.N == 0:
				r.Sys.SetNr(-1)
				r.Sys.SetResult(25, 0)
			case r.Line == "syscall_exit -1":
				v, errno := r.Sys.Result()
				require.Zero(e, errno)
				require.EqualValues(e, 25, v)
			}
			return hooks.Action{}
		})
		e.Exits(3)
		e.Log("A syscall_entry exit_group", "A syscall_exit -1", "A syscall_entry exit_group")
	}},
	{78, "a result in place of a restart", 0, func(e *Env) {
		e.Make(Program{call("ppoll", 0, 0, 0, 0, 8), exit(3)})
		in := newGate()
		g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall, both(on1("syscall_entry ppoll", func(*Report) { in.pass(e) }),
			on1("syscall_exit ppoll restart", func(r *Report) { r.Sys.SetResult(0, 0) })))
		e.Start()
		in.wait(e)
		in.open()
		require.NoError(e, g.Barrier(e.Ctx))
		e.Control(g, hooks.Interrupt)
		e.Exits(3)
		e.Log("A quiesce syscall_entry", "A syscall_entry ppoll", "A quiesce syscall_exit", "A syscall_exit ppoll restart", "A signal report",
			"A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")
	}},
	{79, "made again with its arguments", 0, func(e *Env) {
		e.Make(Program{call("ppoll", 0, 0, 0, 0, 8), exit(3)})
		in := newGate()
		var args [2][6]uint64
		g := e.Attach("A", hooks.EventSyscall|hooks.EventSignalIgn, do("syscall_entry ppoll", func(r *Report) hooks.Action {
			for i := range args[r.N] {
				args[r.N][i] = r.Sys.Arg(i)
			}
			if r.N == 0 {
				in.pass(e)
				return hooks.Action{}
			}
			return hooks.Action{Syscall: hooks.SysAbort}
		}))
		e.Start()
		in.wait(e)
		in.open()
		require.NoError(e, g.Barrier(e.Ctx))
		// A signal that does nothing, but is reported, breaks the call too.
		e.Send(unix.SIGCHLD)
		e.Exits(3)
		require.Equal(e, args[0], args[1])
		e.Log("A syscall_entry ppoll", "A syscall_exit ppoll restart", "A signal_ign SIGCHLD ign",
			"A syscall_entry ppoll", "A syscall_exit ppoll errno 38", "A syscall_entry exit_group")
	}},
	{79, "handlers", Handlers, func(e *Env) {
		for flags, want := range map[int][]string{
			0: {"A syscall_entry read", "A syscall_exit read restart", "A signal SIGUSR1 deliver", "A syscall_entry rt_sigreturn",
				"A syscall_exit rt_sigreturn errno 4", "A syscall_entry exit_group"},
			saRestart: {"A syscall_entry read", "A syscall_exit read restart", "A signal SIGUSR1 deliver", "A syscall_entry rt_sigreturn",
				"A syscall_exit rt_sigreturn", "A syscall_entry read", "A syscall_exit read errno 38", "A syscall_entry exit_group"},
		} {
			e.Make(Program{call("rt_sigaction", 10, "handler", flags), call("read", 0, Buf, 1), exit(3), mark("handler"), call("rt_sigreturn")})
			e.ended = nil
			in := newGate()
			g := e.Attach("A", hooks.EventSyscallExit, on1("syscall_exit rt_sigaction", func(r *Report) {
				require.NoError(e, r.SetEvents(hooks.EventSyscall|hooks.EventSignal))
			}))
			e.Attach("B", hooks.EventSyscallEntry, do("syscall_entry read", func(r *Report) hooks.Action {
				if r.N == 0 {
					in.pass(e)
					return hooks.Action{}
				}
				return hooks.Action{Syscall: hooks.SysAbort}
			}))
			e.Start()
			in.wait(e)
			in.open()
			require.NoError(e, g.Barrier(e.Ctx))
			e.Send(unix.SIGUSR1)
			e.Exits(3)
			var got []string
			for _, l := range e.Reports() {
				if l[0] == 'A' && l != "A syscall_exit rt_sigaction" {
					got = append(got, trimAbort(l))
				}
			}
			require.Equal(e, want, got)
			e.forget()
		}
	}},
	{79, "handlers of signals out of nothing", Handlers, func(e *Env) {
		for _, c := range []struct {
			call  string
			flags int
			want  string // the line of the call's end after the handler
		}{
			{"ppoll", 0, "A syscall_exit rt_sigreturn errno 4"}, {"ppoll", saRestart, "A syscall_exit rt_sigreturn errno 4"},
			{"read", 0, "A syscall_exit rt_sigreturn errno 4"}, {"read", saRestart, "A syscall_entry read"},
		} {
			e.Make(Program{call("rt_sigaction", 10, "handler", c.flags), Op{Kind: Call, Name: c.call, Args: blocking[c.call]}, exit(3), mark("handler"), call("rt_sigreturn")})
			e.ended = nil
			in := newGate()
			g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall, func(r *Report) hooks.Action {
				switch {
				case r.Line == "syscall_entry "+c.call && r.N == 0:
					in.pass(e)
				case r.Line == "syscall_entry "+c.call:
					return hooks.Action{Syscall: hooks.SysAbort}
				case r.Line == "signal report":
					r.Signal.Info.No = unix.SIGUSR1
					*r.Signal.Return = r.Sigaction(unix.SIGUSR1)
					return sig(hooks.SigDeliver)
				}
				return hooks.Action{}
			})
			e.Start()
			in.wait(e)
			in.open()
			require.NoError(e, g.Barrier(e.Ctx))
			e.Control(g, hooks.Interrupt)
			e.Exits(3)
			require.Contains(e, e.Reports(), "A syscall_exit "+c.call+" restart")
			at := slices.Index(e.Reports(), "A syscall_entry rt_sigreturn")
			require.Contains(e, e.Reports()[max(at, 0):], c.want, "%s, flags %#x", c.call, c.flags)
			e.forget()
		}
	}},
	{80, "what comes in a call", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventAll&^hooks.EventQuiesce, nil)
		e.Exits(3)
		e.Log("A syscall_entry getppid", "A syscall_exit getppid", "A syscall_entry exit_group", "A exit 0x300 0x300", "A death true 17")
	}},
	{80, "clone and exec in a call", Forks | Exec, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("execve", "new"), mark("new"), exit(3), mark("child"), exit(0)})
		e.Attach("A", hooks.EventSyscall|hooks.EventClone|hooks.EventExec, nil)
		e.Exits(3)
		e.Log("A syscall_entry clone", "A clone 0x0", "A syscall_exit clone", "A syscall_entry execve", "A exec", "A syscall_exit execve", "A syscall_entry exit_group")
	}},
	{81, "the end of an exec", Exec, func(e *Env) {
		e.Make(Program{call("execve", "new"), exit(4), mark("new"), exit(3)})
		e.Attach("A", hooks.EventSyscallExit|hooks.EventExec, func(r *Report) hooks.Action {
			require.Equal(e, e.Labels["new"], r.Regs().Reg(r.Arch().PC))
			return hooks.Action{}
		})
		e.Exits(3)
		e.Log("A exec", "A syscall_exit execve")
	}},
}

// blocking are the arguments with which calls block.
var blocking = map[string][]any{"ppoll": {0, 0, 0, 0, 8}, "read": {0, Buf, 1}}

// trimAbort leaves out what other engines have answered.
func trimAbort(line string) string {
	const s = " <abort>"
	if len(line) > len(s) && line[len(line)-len(s):] == s {
		return line[:len(line)-len(s)]
	}
	return line
}

// straight is code without branches.
var straight = Program{nop(), nop(), nop(), exit(3)}

// curvy has branches of both kinds, and system calls.
var curvy = Program{nop(), skip("never"), nop(), call("getppid"), jump("over"), mark("never"), exit(4), mark("over"), nop(), call("getppid"), exit(3)}

// path are the addresses of the instructions that curvy executes.
func (e *Env) path() (pcs []uint64) {
	for _, a := range e.Insns {
		if a < e.Labels["never"] || a >= e.Labels["over"] {
			pcs = append(pcs, a)
		}
	}
	return pcs
}

var stepCases = []Case{
	{83, "straight code", 0, func(e *Env) {
		e.Make(straight)
		s := e.stepper()
		for i := 1; i < len(e.Insns); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
			require.Equal(e, trapTrace, s.code)
		}
		s.finish(3)
	}},
	{84, "branches", 0, func(e *Env) {
		e.Make(curvy)
		s := e.stepper()
		for _, want := range e.path()[1:] {
			require.Equal(e, want, s.step(hooks.SingleStep))
		}
		s.finish(3)
	}},
	{84, "block steps", 0, func(e *Env) {
		e.Make(Program{nop(), skip("never"), nop(), jump("over"), mark("never"), exit(4), mark("over"), nop(), exit(3)})
		s := e.stepper()
		require.Equal(e, e.Labels["over"], s.step(hooks.BlockStep))
		require.Equal(e, trapBranch, s.code)
		s.finish(3)
	}},
	{85, "system calls", 0, func(e *Env) {
		for _, ev := range []hooks.Event{0, hooks.EventSyscall} {
			e.Make(Program{call("getppid"), nop(), exit(3)})
			e.ended = nil
			s := e.stepperWith(ev, nil)
			for i := 1; i <= e.at(1); i++ {
				require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
			}
			require.NoError(e, s.g.Examine(func(x *hooks.Examiner) error {
				require.NotZero(e, x.Regs().Reg(x.Arch().ABI.Ret))
				return nil
			}))
			s.finish(3)
		}
	}},
	{85, "block step over a system call", 0, func(e *Env) {
		e.Make(Program{nop(), call("getppid"), nop(), exit(3)})
		s := e.stepper()
		require.Equal(e, e.Guest.Ops[2], s.step(hooks.BlockStep))
		s.finish(3)
	}},
	{86, "calls that do not come back", 0, func(e *Env) {
		e.Make(Program{exit(3)})
		s := e.stepper()
		for i := 1; i < len(e.Insns); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		e.Control(s.g, hooks.SingleStep)
		e.Exits(3)
	}},
	{86, "exec", Exec, func(e *Env) {
		e.Make(Program{call("execve", "new"), mark("new"), nop(), exit(3)})
		s := e.stepperWith(hooks.EventExec, nil)
		for i := 1; i < e.at(1); i++ {
			s.step(hooks.SingleStep)
		}
		e.Control(s.g, hooks.SingleStep)
		e.Exits(3)
	}},
	{87, "breakpoints", 0, func(e *Env) {
		e.Make(Program{nop(), brk(), mark("after"), nop(), exit(3)})
		s := e.stepper()
		require.Equal(e, e.Insns[1], s.step(hooks.SingleStep))
		require.Equal(e, e.Insns[1]+e.BreakPC, s.step(hooks.SingleStep))
		require.Equal(e, unix.SIGTRAP, s.no)
		require.NotEqual(e, trapTrace, s.code)
		require.NoError(e, s.g.Examine(func(x *hooks.Examiner) error {
			x.Regs().SetReg(x.Arch().PC, e.Labels["after"])
			return nil
		}))
		require.Equal(e, e.Guest.Ops[4], s.step(hooks.SingleStep))
		s.finish(3)
	}},
	{88, "through a handler", Handlers, func(e *Env) {
		e.Make(withHandler(unix.SIGUSR1, 0))
		s := e.stepperWith(hooks.EventSignal, both(on("signal SIGUSR1 deliver", hooks.Action{Resume: hooks.SingleStep, Signal: hooks.SigDeliver}),
			on("signal handler SIGUSR1", act(hooks.Stop))))
		e.Control(s.g, hooks.Run)
		e.Stops()
		at := e.index(e.Labels["handler"])
		require.Equal(e, at, e.index(e.PC(s.g)))
		for i := at + 1; i < len(e.Insns); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		require.Equal(e, e.Guest.Ops[2], s.step(hooks.SingleStep), "after sigreturn")
		s.finish(3)
	}},
	{89, "running on after steps", 0, func(e *Env) {
		e.Make(curvy)
		s := e.stepper()
		s.step(hooks.SingleStep)
		s.step(hooks.BlockStep)
		e.Log("S quiesce 0", "S signal_core SIGTRAP core", "S signal_core SIGTRAP core")
		s.finish(3)
		e.Log("S quiesce death")
	}},
	{93, "faults", 0, func(e *Env) {
		e.Make(Program{nop(), bad(), nop(), exit(3)})
		s := e.stepper()
		at := e.at(2) - 1 // the last instruction of the operation
		for i := 1; i <= at; i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		for range 2 {
			require.Equal(e, e.Insns[at], s.step(hooks.SingleStep))
			require.Equal(e, unix.SIGSEGV, s.no)
		}
		require.NoError(e, s.g.Examine(func(x *hooks.Examiner) error {
			x.Regs().SetReg(x.Arch().PC, e.Guest.Ops[2])
			return nil
		}))
		require.Equal(e, e.Guest.Ops[3], s.step(hooks.SingleStep))
		require.Equal(e, unix.SIGTRAP, s.no)
		s.finish(3)
	}},
	{98, "fork", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("wait4"), exit(3), mark("child"), nop(), exit(0)})
		s := e.stepper()
		for i := 1; i < e.at(2); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		s.finish(3)
	}},
	{99, "exec ends a step", Exec, func(e *Env) {
		e.Make(Program{call("execve", "new"), mark("new"), nop(), exit(3)})
		e.Attach("A", hooks.EventQuiesce|hooks.EventExec|hooks.EventSignalCore|hooks.EventSyscallEntry, on("quiesce 0", act(hooks.BlockStep)))
		g, err := e.Task.Attach(0, nil, nil)
		require.NoError(e, err)
		e.Control(g, hooks.Report)
		e.Exits(3)
		e.Log("A quiesce 0", "A quiesce syscall_entry", "A syscall_entry execve", "A quiesce exec", "A exec",
			"A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")
	}},
	{100, "steps change nothing", 0, func(e *Env) {
		trace := func(s bool) (pcs []uint64, end []string) {
			e.Make(curvy)
			e.ended = nil
			if s {
				st := e.stepper()
				for range e.path()[1:] {
					pcs = append(pcs, st.step(hooks.SingleStep))
				}
				e.Attach("A", hooks.EventSyscall|hooks.EventExit, nil)
				st.finish(3)
			} else {
				e.Attach("A", hooks.EventSyscall|hooks.EventExit, nil)
				e.Exits(3)
			}
			for _, l := range e.Reports() {
				if l[0] == 'A' {
					end = append(end, l)
				}
			}
			e.forget()
			return pcs, end
		}
		_, plain := trace(false)
		pcs, stepped := trace(true)
		require.Equal(e, e.path()[1:], pcs)
		require.Equal(e, plain[len(plain)-len(stepped):], stepped)
	}},
}

// index is the place of an address in Insns.
func (e *Env) index(pc uint64) int {
	for i, a := range e.Insns {
		if a == pc {
			return i
		}
	}
	e.Fatalf("%#x is no instruction", pc)
	return -1
}

// at is the place in Insns of an operation's first instruction.
func (e *Env) at(op int) int { return e.index(e.Guest.Ops[op]) }
