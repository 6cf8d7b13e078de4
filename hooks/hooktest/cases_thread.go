package hooktest

import (
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// cloneThread are the flags of clone(2) for a thread, as pthread_create has
// them.
const cloneThread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM

// cloned is the line of the report of a thread.
const cloned = "clone 0x50f00"

// threaded is a program whose first task makes a thread and goes on with main.
func threaded(main Program, thread ...Op) Program {
	p := append(Program{call("clone", cloneThread, "thread")}, main...)
	return append(append(p, mark("thread")), thread...)
}

// asleep never comes back to user mode by itself, and sleeps again if it does.
var asleep = Program{mark("asleep"), call("ppoll", 0, 0, 0, 0, 8), jump("asleep")}

// held attaches an engine to a child at its birth that holds it before its
// first instruction, and hands it over by the channel.
func (e *Env) held(name string, ev hooks.Event, f Reply, line string) (Reply, chan *hooks.Engine) {
	ch := make(chan *hooks.Engine, 1)
	return on1(line, func(r *Report) {
		g := e.AttachTo(r.Child, name, ev, f)
		refused(e, g.Control(hooks.Stop), unix.EINPROGRESS)
		ch <- g
	}), ch
}

// take is the engine that was handed over, when its task is held.
func (e *Env) take(ch chan *hooks.Engine) *hooks.Engine {
	e.Helper()
	select {
	case g := <-ch:
		require.NoError(e, g.Task().WaitStop(e.Ctx))
		return g
	case <-e.Ctx.Done():
		e.Fatal("there is no child")
		return nil
	}
}

var threadCases = []Case{
	{14, "attached to a thread", Threads, func(e *Env) {
		e.Make(threaded(asleep, call("getppid"), exit(3)))
		e.Attach("A", hooks.EventClone, on1(cloned, func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventSyscallEntry|hooks.EventReap, nil)
		}))
		e.Exits(3)
		e.Log("A "+cloned, "B syscall_entry getppid", "B syscall_entry exit_group", "B reap", "B release B")
	}},
	{31, "interrupting a thread that sleeps", Threads, func(e *Env) {
		e.Make(Program{call("clone", cloneThread, "asleep"), mark("spin"), nop(), jump("spin"), mark("asleep"), call("ppoll", 0, 0, 0, 0, 8), exit(4)})
		in := newGate()
		engine := make(chan *hooks.Engine, 1)
		e.Attach("A", hooks.EventClone, on1(cloned, func(r *Report) {
			engine <- e.AttachTo(r.Child, "B", hooks.EventQuiesce|hooks.EventSyscall, both(on1("syscall_entry ppoll", func(r *Report) {
				if r.N == 0 {
					in.pass(e)
				}
			}), on("signal report", act(hooks.Stop))))
		}))
		e.Start()
		in.wait(e)
		in.open()
		g := <-engine
		require.NoError(e, g.Barrier(e.Ctx))
		e.Control(g, hooks.Interrupt)
		require.NoError(e, g.Task().WaitStop(e.Ctx))
		require.False(e, e.Task.Stopped())
		_ = e.PC(g)
		e.Log("A "+cloned, "B quiesce syscall_entry", "B syscall_entry ppoll", "B quiesce syscall_exit", "B syscall_exit ppoll restart", "B signal report")
		e.Control(g, hooks.Run)
		e.Await("B syscall_entry ppoll") // it is made again
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
	}},
	{58, "SIGKILL ends the stops of all threads", Threads, func(e *Env) {
		e.Make(threaded(asleep, call("getppid"), exit(3)))
		hold, child := e.held("B", hooks.EventAll&^hooks.EventQuiesce, nil, cloned)
		e.Attach("A", hooks.EventClone|hooks.EventSyscallEntry, both(hold, on("syscall_entry ppoll", act(hooks.Stop))))
		e.Stops()
		b := e.take(child)
		require.NoError(e, e.Task.WaitStop(e.Ctx))
		require.Equal(e, e.Born(0, "thread"), e.PC(b))
		e.Send(unix.SIGKILL)
		e.Dies(unix.SIGKILL)
		refused(e, b.Control(hooks.Run), unix.ESRCH)
	}},
	{97, "another thread runs", Threads, func(e *Env) {
		e.Make(threaded(Program{nop(), nop(), nop(), exit(3)}, call("getppid"), mark("loop"), nop(), jump("loop")))
		s := e.stepperWith(hooks.EventClone, on1(cloned, func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventSyscallExit|hooks.EventSignalAll, nil)
		}))
		for i := 1; i <= e.at(3); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		e.Await("B syscall_exit getppid")
		for i := e.at(3) + 1; i < e.at(5); i++ {
			require.Equal(e, e.Insns[i], s.step(hooks.SingleStep))
		}
		for _, l := range e.Reports() {
			require.False(e, l[0] == 'B' && l != "B syscall_exit getppid", l)
		}
		s.finish(3)
	}},
	{81, "exec of another thread", Threads | Exec, func(e *Env) {
		e.Make(threaded(asleep, call("execve", "new"), exit(4), mark("new"), call("clone", cloneThread, "end"), mark("wait"), call("ppoll", 0, 0, 0, 0, 8),
			jump("wait"), mark("end"), exit(3)))
		first := e.Task.ID()
		hold, child := e.held("B", hooks.EventExec|hooks.EventSyscallExit, on1("exec", func(r *Report) {
			require.Equal(e, first, r.Task().ID())
			require.Equal(e, e.Labels["new"], r.Regs().Reg(r.Arch().PC))
			require.NoError(e, r.SetEvents(0))
		}), cloned)
		e.Attach("A", hooks.EventClone|hooks.EventExit|hooks.EventDeath|hooks.EventReap, hold)
		e.Start()
		b := e.take(child)
		require.NotEqual(e, first, b.Task().ID())
		e.Control(b, hooks.Run)
		e.Exits(3)
		e.Log("A "+cloned, "A exit 0x0 0x0", "A death false -2", "A reap", "A release A", "B exec")
	}},
	{81, "exec ends the stops of other threads", Threads | Exec, func(e *Env) {
		e.Make(threaded(asleep, call("execve", "new"), exit(4), mark("new"), exit(3)))
		hold, child := e.held("B", hooks.EventExec, nil, cloned)
		a := e.Attach("A", hooks.EventClone|hooks.EventSyscallEntry|hooks.EventDeath, both(hold, on("syscall_entry ppoll", act(hooks.Stop))))
		e.Stops()
		b := e.take(child)
		require.NoError(e, e.Task.WaitStop(e.Ctx))
		e.Control(b, hooks.Run)
		e.Exits(3)
		refused(e, a.Control(hooks.Run), unix.ESRCH)
		var lines []string
		for _, l := range e.Reports() {
			if l != "A syscall_entry clone" && l != "A release A" {
				lines = append(lines, l)
			}
		}
		require.Equal(e, []string{"A " + cloned, "A syscall_entry ppoll", "A death false -2", "B exec"}, lines)
	}},
	{101, "the exit code of a process of two threads", Threads, func(e *Env) {
		e.Make(threaded(asleep, exit(3)))
		e.Attach("A", hooks.EventClone, on1(cloned, func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventExit, on1("exit 0x300 0x300", func(r *Report) { *r.Code = 5 << 8 }))
		}))
		e.Exits(5)
	}},
	{102, "the end of a thread", Threads, func(e *Env) {
		e.Make(threaded(Program{call("getppid"), exit(3)}, call("exit", 7)))
		g := e.Attach("A", hooks.EventClone|hooks.EventSyscallEntry, both(on("syscall_entry getppid", act(hooks.Stop)), on1(cloned, func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventExit|hooks.EventDeath|hooks.EventReap, nil)
		})))
		e.Stops()
		e.Await("B release B")
		e.Control(g, hooks.Run)
		e.Exits(3)
		var b []string
		for _, l := range e.Reports() {
			if l[0] == 'B' {
				b = append(b, l)
			}
		}
		require.Equal(e, []string{"B exit 0x700 0x700", "B death false -1", "B reap", "B release B"}, b)
	}},
	{102, "the first thread ends first", Threads, func(e *Env) {
		e.Make(threaded(Program{call("exit", 4)}, call("exit", 5)))
		end := hooks.EventExit | hooks.EventDeath | hooks.EventReap
		hold, child := e.held("B", end, nil, cloned)
		e.Attach("A", end|hooks.EventClone, hold)
		e.Start()
		b := e.take(child)
		e.Await("A death false -2")
		e.Attach("C", hooks.EventReap, nil) // it is a zombie
		e.Control(b, hooks.Run)
		e.Exits(4)
		e.Guest.Reap()
		e.Log("A "+cloned, "A exit 0x400 0x400", "A death false -2", "B exit 0x500 0x500", "B death true -1", "B reap", "B release B",
			"A reap", "A release A", "C reap", "C release C")
	}},
	{102, "the end of the process ends the stops of its threads", Threads, func(e *Env) {
		e.Make(threaded(Program{exit(3)}, call("getppid"), exit(4)))
		hold, child := e.held("B", hooks.EventExit, nil, cloned)
		g := e.Attach("A", hooks.EventClone|hooks.EventSyscallEntry, both(hold, on("syscall_entry exit_group", act(hooks.Stop))))
		e.Stops()
		e.take(child)
		require.NoError(e, e.Task.WaitStop(e.Ctx))
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A syscall_entry clone", "A "+cloned, "A syscall_entry exit_group", "B exit 0x300 0x300", "B release B")
	}},
	{102, "nobody waits for an orphan", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), exit(3), mark("child"), exit(4)})
		end := hooks.EventExit | hooks.EventDeath | hooks.EventReap
		hold, child := e.held("B", end, nil, "clone 0x0")
		e.Attach("A", hooks.EventClone|hooks.EventDeath, hold)
		e.Start()
		b := e.take(child)
		e.Await("A death true 17")
		e.Control(b, hooks.Run)
		e.Exits(3)
		e.Log("A clone 0x0", "A death true 17", "B exit 0x400 0x400", "B death true -1", "B reap", "B release B")
	}},
	{106, "a thread is its own", Threads, func(e *Env) {
		e.Make(threaded(asleep, call("getppid"), exit(3)))
		e.Attach("A", hooks.EventClone|hooks.EventSyscallExit, nil)
		e.Exits(3)
		require.Equal(e, []string{"A " + cloned, "A syscall_exit clone"}, e.Reports()[:2])
		for _, l := range e.Reports()[2:] {
			require.Equal(e, "A syscall_exit ppoll restart", l)
		}
	}},
	{107, "holding the parent of a vfork with its memory", Forks, func(e *Env) {
		const flags = unix.CLONE_VFORK | unix.CLONE_VM
		e.Make(Program{call("clone", flags, "child"), call("wait4"), exit(3), mark("child"), call("getppid"), exit(0)})
		g := e.Attach("A", hooks.EventClone|hooks.EventVforkDone|hooks.EventSyscallExit, do("clone 0x4100", func(r *Report) hooks.Action {
			e.AttachTo(r.Child, "B", hooks.EventSyscallExit|hooks.EventDeath|hooks.EventReap, nil)
			return act(hooks.Stop)
		}))
		e.Stops()
		e.Await("B death true 17")
		require.True(e, e.Task.Stopped())
		e.Log("A clone 0x4100", "B syscall_exit getppid", "B death true 17")
		e.Control(g, hooks.Run)
		e.Exits(3)
		e.Log("A vfork_done", "A syscall_exit clone", "B reap", "B release B", "A syscall_exit wait4")
	}},
	{107, "killed while waiting for the child of a vfork", Forks, func(e *Env) {
		e.Make(Program{call("clone", unix.CLONE_VFORK|unix.CLONE_VM, "child"), exit(3), mark("child"), exit(0)})
		hold, child := e.held("B", hooks.EventExit, nil, "clone 0x4100")
		e.Attach("A", hooks.EventClone|hooks.EventVforkDone|hooks.EventDeath, hold)
		e.Start()
		b := e.take(child)
		e.Send(unix.SIGKILL)
		e.Await("A death true 17")
		e.Control(b, hooks.Run)
		e.Dies(unix.SIGKILL)
		e.Log("A clone 0x4100", "A death true 17", "B exit 0x0 0x0", "B release B")
	}},
	{108, "job control of threads", Threads | JobControl | Real, func(e *Env) {
		e.Make(threaded(asleep, raise(unix.SIGTSTP), exit(3)))
		hold, child := e.held("B", hooks.EventJctl, nil, cloned)
		e.Attach("A", hooks.EventClone|hooks.EventJctl, hold)
		e.Start()
		b := e.take(child)
		e.Control(b, hooks.Run)
		require.NoError(e, e.Task.WaitStop(e.Ctx))
		require.NoError(e, b.Task().WaitStop(e.Ctx))
		e.Send(unix.SIGCONT)
		e.Exits(3)
		// Each tells of its stop, the last one of what the parent is told; who is
		// first tells that it is over.
		lines := map[string]int{}
		for _, l := range e.Reports() {
			if _, name, _ := strings.Cut(l, " "); name[:4] == "jctl" {
				lines[name]++
			}
		}
		require.Equal(e, map[string]int{"jctl 5 0": 1, "jctl 5 5": 1, "jctl 6 6": 1}, lines)
	}},
	{206, "threads that control each other", Threads, func(e *Env) {
		three := Program{call("getppid"), call("getppid"), call("getppid")}
		e.Make(threaded(append(three, exit(3)), append(three, asleep...)...))
		var engines [2]*hooks.Engine
		poke := func(i int) Reply {
			return func(*Report) hooks.Action {
				g := engines[i]
				if g == nil {
					return hooks.Action{}
				}
				for _, r := range []hooks.Resume{hooks.Stop, hooks.Report, hooks.Interrupt, hooks.Stop} {
					_ = g.Control(r) // ErrGone when the other has ended
				}
				_ = g.Examine(func(x *hooks.Examiner) error { _ = x.Regs().Reg(x.Arch().PC); return nil })
				_ = g.Control(hooks.Run)
				return hooks.Action{}
			}
		}
		engines[0] = e.Attach("A", hooks.EventQuiesce|hooks.EventSyscall|hooks.EventClone, func(r *Report) hooks.Action {
			if r.Line == cloned {
				engines[1] = e.AttachTo(r.Child, "B", hooks.EventQuiesce|hooks.EventSyscall, poke(0))
			}
			return poke(1)(r)
		})
		e.Exits(3)
	}},
	{210, "examining a thread from a callback", Threads, func(e *Env) { examineChild(e, cloneThread, cloned) }},
	{210, "examining a process from a callback", Forks, func(e *Env) { examineChild(e, 0, "clone 0x0") }},
}

// examineChild looks at a held child, and changes it, in a callback of its
// parent.
func examineChild(e *Env, flags int, line string) {
	end := Program{exit(0)}
	if flags != 0 {
		end = asleep // the parent's exit is the process's
	}
	e.Make(append(Program{call("clone", flags, "child"), call("getppid"), exit(3), mark("child"), exit(0), mark("other"), call("getppid")}, end...))
	hold, child := e.held("B", hooks.EventSyscallEntry, nil, line)
	var b *hooks.Engine
	a := e.Attach("A", hooks.EventClone|hooks.EventSyscall, both(hold, both(on("syscall_entry getppid", act(hooks.Stop)), on1("syscall_exit getppid", func(r *Report) {
		pc := r.Regs().Reg(r.Arch().PC)
		require.NoError(e, b.Examine(func(x *hooks.Examiner) error {
			require.Equal(e, e.Born(0, "child"), x.Regs().Reg(x.Arch().PC))
			x.Regs().SetReg(x.Arch().PC, e.Labels["other"])
			return nil
		}))
		require.Equal(e, pc, r.Regs().Reg(r.Arch().PC))
		e.note("examined")
	}))))
	e.Stops()
	b = e.take(child)
	require.NoError(e, e.Task.WaitStop(e.Ctx))
	e.Control(a, hooks.Run)
	e.Await("examined")
	_ = b.Control(hooks.Run) // ErrGone if the process has ended
	e.Exits(3)
	if flags == 0 {
		require.Contains(e, e.Reports(), "B syscall_entry getppid")
	}
}
