package hooktest

import (
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
)

// The si_code of steps, and flags of sigaction.
const (
	trapTrace  = 2
	trapBranch = 3

	saResetHand = 0x8000_0000
	saNoDefer   = 0x4000_0000
	saRestart   = 0x1000_0000
)

// withHandler raises a signal whose handler is at "handler".
func withHandler(no unix.Signal, flags int) Program {
	return Program{call("rt_sigaction", int(no), "handler", flags), raise(no), exit(3), mark("handler"), nop(), nop(), call("rt_sigreturn")}
}

// ignoreAll answers every signal with SigIgn.
func ignoreAll(r *Report) hooks.Action {
	if r.Signal != nil && r.Signal.Orig != nil {
		return sig(hooks.SigIgn)
	}
	return hooks.Action{}
}

// classes are the signals by what they do by default.
var classes = []struct {
	line string
	list []unix.Signal
}{
	{"signal_core %s core", []unix.Signal{unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGFPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGSYS, unix.SIGXCPU, unix.SIGXFSZ}},
	{"signal_ign %s ign", []unix.Signal{unix.SIGCONT, unix.SIGCHLD, unix.SIGWINCH, unix.SIGURG}},
	{"signal_stop %s stop", []unix.Signal{unix.SIGSTOP}},
	{"signal_stop %s tstp", []unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}},
	{"signal_term %s term", []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, unix.SIGALRM, unix.SIGTERM,
		unix.SIGSTKFLT, unix.SIGVTALRM, unix.SIGPROF, unix.SIGIO, unix.SIGPWR, 34, 40, 64}},
}

func name(no unix.Signal) string {
	if n := unix.SignalName(no); n != "" {
		return n
	}
	return fmt.Sprint(int(no))
}

var signalCases = []Case{
	{55, "classes", 0, func(e *Env) {
		var p Program
		var want []string
		for _, c := range classes {
			for _, no := range c.list {
				p = append(p, raise(no))
				want = append(want, "A "+fmt.Sprintf(c.line, name(no)))
			}
		}
		e.Make(append(p, exit(3)))
		e.Attach("A", hooks.EventSignalAll, ignoreAll)
		e.Exits(3)
		e.Log(want...)
	}},
	{55, "classes by disposition", Handlers, func(e *Env) {
		e.Make(Program{call("rt_sigaction", 15, emu.SigIgn, 0), raise(unix.SIGTERM), call("rt_sigaction", 3, "handler", 0), raise(unix.SIGQUIT), exit(4), mark("handler"), exit(3)})
		e.Attach("A", hooks.EventSignalAll, nil)
		e.Exits(3)
		e.Log("A signal_ign SIGTERM ign", "A signal SIGQUIT deliver")
	}},
	{56, "quiesce alone sees no signals", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGURG), raise(unix.SIGUSR1), exit(3)})
		e.Attach("A", hooks.EventQuiesce, nil)
		e.Dies(unix.SIGUSR1)
		e.Log("A quiesce death")
	}},
	{57, "quiesce sees all once one is wanted", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		e.Attach("A", hooks.EventQuiesce, nil)
		e.Attach("B", hooks.EventSignalIgn, nil)
		e.Dies(unix.SIGTERM)
		e.Log("A signal_term SIGTERM term", "A quiesce death")
	}},
	{57, "without a callback for signals", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		ops := e.Ops("A", nil)
		ops.Signal = nil
		g, err := e.Task.Attach(create, ops, nil)
		require.NoError(e, err)
		require.NoError(e, g.SetEvents(hooks.EventSignalTerm))
		e.Dies(unix.SIGTERM)
		e.Log("A quiesce signal_term")
	}},
	{58, "SIGKILL", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGKILL), exit(3)})
		e.Attach("A", hooks.EventSignalAll|hooks.EventQuiesce, func(r *Report) hooks.Action { return sig(hooks.SigIgn) })
		e.Dies(unix.SIGKILL)
		e.Log("A quiesce death")
	}},
	{58, "SIGKILL ends a stop", 0, func(e *Env) {
		e.Make(spin)
		e.Hold("A", hooks.EventSignalAll, nil)
		e.Stops()
		e.Send(unix.SIGTERM)
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
		e.Log("A quiesce 0", "A quiesce death")
	}},
	{59, "ignored signals", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGCHLD), exit(3)})
		e.Attach("A", hooks.EventSignal|hooks.EventSignalTerm, nil)
		e.Exits(3)
		e.Log()
		e.Make(Program{raise(unix.SIGCHLD), exit(3)})
		e.ended = nil
		e.Attach("A", hooks.EventSignalIgn, nil)
		e.Exits(3)
		e.Log("A signal_ign SIGCHLD ign")
	}},
	{59, "ignored signals that are blocked", Handlers, func(e *Env) {
		e.Make(Program{call("rt_sigprocmask", 1<<16), raise(unix.SIGCHLD), call("getppid"), call("rt_sigprocmask", 0), exit(3)})
		e.Attach("A", hooks.EventSyscallExit|hooks.EventSignalTerm, on1("syscall_exit getppid", func(r *Report) {
			require.NoError(e, r.SetEvents(hooks.EventSignalIgn))
		}))
		e.Exits(3)
		e.Log("A syscall_exit rt_sigprocmask", "A syscall_exit kill", "A syscall_exit getppid", "A signal_ign SIGCHLD ign")
	}},
	{60, "dropped", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		e.Attach("A", hooks.EventSignalTerm, ignoreAll)
		e.Exits(3)
		e.Log("A signal_term SIGTERM term")
	}},
	{60, "made fatal", 0, func(e *Env) {
		for _, a := range []hooks.SignalAction{hooks.SigTerm, hooks.SigCore} {
			e.Make(Program{raise(unix.SIGUSR1), exit(3)})
			e.ended = nil
			e.Attach("A", hooks.EventSignalTerm, on("signal_term SIGUSR1 term", sig(a)))
			e.Dies(unix.SIGUSR1)
			if e.maker.Has&Real == 0 { // elsewhere it depends on whether a core file was written
				require.Equal(e, a == hooks.SigCore, e.End()&0x80 != 0)
			}
		}
	}},
	{60, "made a stop", JobControl, func(e *Env) {
		e.Make(Program{raise(unix.SIGUSR1), exit(3)})
		e.Attach("A", hooks.EventSignalTerm|hooks.EventJctl, on("signal_term SIGUSR1 term", sig(hooks.SigTstp)))
		e.Stops()
		e.Send(unix.SIGCONT)
		e.Exits(3)
		e.Log("A signal_term SIGUSR1 term", "A jctl 5 5", "A jctl 6 6")
	}},
	{61, "death by a harmless signal", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGCHLD), exit(3)})
		e.Attach("A", hooks.EventSignalIgn, on("signal_ign SIGCHLD ign", sig(hooks.SigTerm)))
		e.Dies(unix.SIGCHLD)
	}},
	{61, "another number", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		e.Attach("A", hooks.EventSignalTerm, on1("signal_term SIGTERM term", func(r *Report) { r.Signal.Info.No = unix.SIGUSR2 }))
		e.Attach("B", hooks.EventSignalTerm, nil)
		e.Dies(unix.SIGUSR2)
		e.Log("A signal_term SIGTERM term", "B signal_term SIGUSR2 term")
	}},
	{62, "the default of another number", 0, func(e *Env) {
		for no, dies := range map[unix.Signal]bool{0: false, unix.SIGCHLD: false, unix.SIGUSR1: true} {
			e.Make(Program{raise(unix.SIGTERM), exit(3)})
			e.ended = nil
			e.Attach("A", hooks.EventSignalTerm, do("signal_term SIGTERM term", func(r *Report) hooks.Action {
				r.Signal.Info.No = no
				return sig(hooks.SigDeliver)
			}))
			if dies {
				e.Dies(no)
			} else {
				e.Exits(3)
			}
		}
	}},
	{62, "another handler", Handlers, func(e *Env) {
		e.Make(Program{call("rt_sigaction", 15, "handler", 0), raise(unix.SIGTERM), exit(4), mark("handler"), exit(5), mark("other"), exit(3)})
		e.Attach("A", hooks.EventSignal, on1("signal SIGTERM deliver", func(r *Report) { r.Signal.Return.Handler = e.Func("other") }))
		e.Exits(3)
	}},
	{63, "held back", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		e.Attach("A", hooks.EventSignalTerm, on("signal_term SIGTERM term", hooks.Action{Signal: hooks.SigIgn, Hold: true}, hooks.Action{Signal: hooks.SigIgn, Hold: true}, sig(hooks.SigIgn)))
		e.Exits(3)
		e.Log("A signal_term SIGTERM term", "A signal_term SIGTERM term", "A signal_term SIGTERM term")
	}},
	{64, "the last word", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		e.Attach("A", hooks.EventSignalTerm, on("signal_term SIGTERM term", sig(hooks.SigCore)))
		e.Attach("B", hooks.EventSignalTerm, nil)
		e.Attach("C", hooks.EventSignalTerm, on("signal_term SIGTERM core", sig(hooks.SigIgn)))
		e.Exits(3)
		e.Log("A signal_term SIGTERM term", "B signal_term SIGTERM core", "C signal_term SIGTERM core")
	}},
	{65, "stopped at a signal", 0, func(e *Env) {
		e.Make(Program{raise(unix.SIGTERM), exit(3)})
		g := e.Attach("A", hooks.EventSignalTerm|hooks.EventQuiesce, both(
			on("signal_term SIGTERM term", hooks.Action{Resume: hooks.Stop, Signal: hooks.SigIgn}),
			on("signal report SIGTERM", sig(hooks.SigDeliver))))
		e.Stops()
		e.Control(g, hooks.Interrupt)
		e.Dies(unix.SIGTERM)
		e.Log("A signal_term SIGTERM term", "A signal report SIGTERM", "A quiesce death")
	}},
	{66, "stopped at the handler", Handlers, func(e *Env) {
		e.Make(withHandler(unix.SIGUSR1, 0))
		g := e.Attach("A", hooks.EventSignal|hooks.EventQuiesce, on("signal SIGUSR1 deliver", act(hooks.Stop)))
		e.Attach("B", hooks.EventQuiesce, nil)
		// The flag of the first report holds the task at the end of the second.
		e.Attach("C", hooks.EventQuiesce, on("signal handler SIGUSR1", act(hooks.Stop)))
		e.Stops()
		require.Equal(e, e.Labels["handler"], e.PCAny())
		e.Log("A signal SIGUSR1 deliver", "B signal SIGUSR1 deliver <stop>", "C signal SIGUSR1 deliver <stop>",
			"A signal handler SIGUSR1", "B signal handler SIGUSR1", "C signal handler SIGUSR1")
		e.Control(g, hooks.Detach)
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
	}},
	{67, "step into the handler", Handlers, func(e *Env) {
		e.Make(withHandler(unix.SIGUSR1, 0))
		g := e.Attach("A", hooks.EventSignal|hooks.EventSignalCore|hooks.EventQuiesce, both(
			on("signal SIGUSR1 deliver", act(hooks.SingleStep)), on("signal handler SIGUSR1", act(hooks.Stop))))
		e.Stops()
		require.Equal(e, e.Labels["handler"], e.PC(g))
		e.Log("A signal SIGUSR1 deliver", "A signal handler SIGUSR1")
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A quiesce death")
	}},
	{68, "SA_RESETHAND and SA_NODEFER", Handlers, func(e *Env) {
		e.Make(Program{call("rt_sigaction", 15, "handler", saResetHand|saNoDefer), raise(unix.SIGTERM), exit(4), mark("handler"), raise(unix.SIGTERM), exit(5)})
		e.Attach("A", hooks.EventSignalAll, nil)
		e.Dies(unix.SIGTERM)
		e.Log("A signal SIGTERM deliver", "A signal_term SIGTERM term")
	}},
	{69, "asking again does not loop", 0, func(e *Env) {
		for _, r := range []hooks.Resume{hooks.Interrupt, hooks.Report} {
			e.Make(Program{raise(unix.SIGTERM), exit(3)})
			e.ended = nil
			e.Attach("A", hooks.EventSignalTerm|hooks.EventQuiesce, func(rep *Report) hooks.Action {
				return hooks.Action{Resume: r, Signal: hooks.SigIgn}
			})
			e.Exits(3)
			e.Log("A signal_term SIGTERM term", "A quiesce death")
		}
	}},
	{69, "nor without a callback for signals", 0, func(e *Env) {
		for _, r := range []hooks.Resume{hooks.Interrupt, hooks.Report} {
			e.Make(Program{raise(unix.SIGURG), exit(3)})
			e.ended = nil
			ops := e.Ops("A", func(*Report) hooks.Action { return act(r) })
			ops.Signal = nil
			g, err := e.Task.Attach(create, ops, nil)
			require.NoError(e, err)
			require.NoError(e, g.SetEvents(hooks.EventQuiesce|hooks.EventSignalIgn))
			e.observed()
			e.Exits(3)
			e.Log("A quiesce signal_ign", "saw A / quiesce signal_ign SIGURG / run / run ign", "A quiesce death", "saw A / quiesce death / "+r.String()+" / "+r.String())
		}
	}},
	{70, "a signal out of nothing", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallExit, both(on("syscall_exit getppid", act(hooks.Interrupt)),
			do("signal report", func(r *Report) hooks.Action {
				require.Nil(e, r.Signal.Orig)
				require.Equal(e, emu.Sigaction{}, *r.Signal.Return)
				r.Signal.Info.No = unix.SIGUSR2
				return sig(hooks.SigDeliver)
			})))
		e.Dies(unix.SIGUSR2)
	}},
	{72, "a fatal signal is reported once", 0, func(e *Env) {
		e.Make(spin)
		e.Attach("A", hooks.EventSignalTerm, nil)
		e.Start()
		e.Send(unix.SIGTERM)
		e.Dies(unix.SIGTERM)
		e.Log("A signal_term SIGTERM term")
	}},
}

// PCAny is the program counter of a task that is held by any engine.
func (e *Env) PCAny() uint64 {
	t := e.Task.Target()
	return t.Regs().Reg(t.Arch().PC)
}
