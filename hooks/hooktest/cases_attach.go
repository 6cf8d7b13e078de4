package hooktest

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// Cases are the tests, by rising number.
var Cases = join(attachCases, eventCases, controlCases, barrierCases, orderCases, signalCases, syscallCases, stepCases, lifeCases, threadCases, stopCases, registerCases, robustCases, observers)

func join(lists ...[]Case) []Case {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b Case) int { return a.N - b.N })
	return all
}

const (
	create    = hooks.AttachCreate
	exclusive = hooks.AttachCreate | hooks.AttachExclusive
	matchOps  = hooks.AttachMatchOps
	matchData = hooks.AttachMatchData
)

// refused wants an errno.
func refused(e *Env, err error, errno unix.Errno) {
	e.Helper()
	require.Error(e, err)
	require.True(e, errors.Is(err, errno), "%v is not %v", err, errno)
}

var attachCases = []Case{
	{1, "lookup on a task never traced", 0, func(e *Env) {
		e.Make(plain)
		_, err := e.Task.Attach(0, nil, nil)
		refused(e, err, unix.ENOENT)
	}},
	{2, "lookup", 0, func(e *Env) {
		e.Make(plain)
		a, b := &hooks.Ops{}, &hooks.Ops{}
		g, err := e.Task.Attach(create, a, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(matchOps, b, nil)
		refused(e, err, unix.ENOENT)
		_, err = e.Task.Attach(matchOps|matchData, a, 2)
		refused(e, err, unix.ENOENT)
		for _, f := range []hooks.Flags{0, matchOps, matchData, matchOps | matchData} {
			h, err := e.Task.Attach(f, a, 1)
			require.NoError(e, err)
			require.Same(e, g, h)
		}
	}},
	{3, "no ops", 0, func(e *Env) {
		e.Make(plain)
		_, err := e.Task.Attach(create, nil, nil)
		refused(e, err, unix.EINVAL)
	}},
	{4, "the same twice", 0, func(e *Env) {
		e.Make(plain)
		ops := e.Ops("A", nil)
		for range 2 {
			g, err := e.Task.Attach(create, ops, "x")
			require.NoError(e, err)
			require.NoError(e, g.SetEvents(hooks.EventSyscallExit))
		}
		e.Exits(3)
		e.Log("A syscall_exit getppid", "A syscall_exit getppid")
	}},
	{5, "exclusive by ops", 0, func(e *Env) {
		e.Make(plain)
		a, b := &hooks.Ops{}, &hooks.Ops{}
		_, err := e.Task.Attach(exclusive|matchOps, a, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive|matchOps, a, 2)
		refused(e, err, unix.EEXIST)
		_, err = e.Task.Attach(exclusive|matchOps, b, 1)
		require.NoError(e, err)
		require.Equal(e, 2, e.Task.Engines())
	}},
	{6, "exclusive by data", 0, func(e *Env) {
		e.Make(plain)
		a, b := &hooks.Ops{}, &hooks.Ops{}
		_, err := e.Task.Attach(create, a, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive|matchData, b, 1)
		refused(e, err, unix.EEXIST)
		_, err = e.Task.Attach(exclusive|matchData, a, 2)
		require.NoError(e, err)
	}},
	{7, "exclusive by both", 0, func(e *Env) {
		e.Make(plain)
		a, b := &hooks.Ops{}, &hooks.Ops{}
		_, err := e.Task.Attach(create, a, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive|matchOps|matchData, a, 2)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive|matchOps|matchData, b, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive|matchOps|matchData, a, 1)
		refused(e, err, unix.EEXIST)
	}},
	{8, "exclusive without a match flag", 0, func(e *Env) {
		e.Make(plain)
		_, err := e.Task.Attach(exclusive, &hooks.Ops{}, 1)
		require.NoError(e, err)
		_, err = e.Task.Attach(exclusive, &hooks.Ops{}, 2)
		refused(e, err, unix.EEXIST)
	}},
	{9, "the first of several", 0, func(e *Env) {
		e.Make(plain)
		ops := &hooks.Ops{}
		first, err := e.Task.Attach(create, ops, 1)
		require.NoError(e, err)
		second, err := e.Task.Attach(create, ops, 2)
		require.NoError(e, err)
		g, err := e.Task.Attach(matchOps, ops, nil)
		require.NoError(e, err)
		require.Same(e, first, g)
		g, err = e.Task.Attach(matchData, nil, 2)
		require.NoError(e, err)
		require.Same(e, second, g)
	}},
	{10, "a detached engine does not count", 0, func(e *Env) {
		e.Make(plain)
		ops := &hooks.Ops{}
		g, err := e.Task.Attach(create, ops, 1)
		require.NoError(e, err)
		e.Control(g, hooks.Detach)
		_, err = e.Task.Attach(matchOps, ops, nil)
		refused(e, err, unix.ENOENT)
		_, err = e.Task.Attach(exclusive|matchOps, ops, nil)
		require.NoError(e, err)
	}},
	{11, "zombies", 0, func(e *Env) {
		e.Make(plain)
		e.Exits(3)
		e.Attach("A", hooks.EventReap, nil)
		e.Guest.Reap()
		e.Log("A reap", "A release A")
		_, err := e.Task.Attach(create, &hooks.Ops{}, nil)
		refused(e, err, unix.ESRCH)
		_, err = e.Task.Attach(0, nil, nil)
		refused(e, err, unix.ENOENT)
	}},
	{12, "a fresh engine hears nothing", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", 0, nil)
		e.Exits(3)
		e.Log()
	}},
	{13, "attached in a callback", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry getppid", func(*Report) {
			e.Attach("B", hooks.EventSyscall, nil)
		}))
		e.Exits(3)
		e.Log("A syscall_entry getppid", "B syscall_exit getppid", "B syscall_entry exit_group", "A syscall_entry exit_group")
	}},
	{14, "attached to a child", Forks, func(e *Env) {
		e.Make(Program{call("clone", 0, "child"), call("wait4"), exit(3), mark("child"), call("getppid"), exit(0)})
		e.Attach("A", hooks.EventClone, on1("clone 0x0", func(r *Report) {
			e.AttachTo(r.Child, "B", hooks.EventSyscallEntry|hooks.EventReap, nil)
		}))
		e.Exits(3)
		e.Log("A clone 0x0", "B syscall_entry getppid", "B syscall_entry exit_group", "B reap", "B release B")
	}},
}

// on1 does something at a line and is neutral.
func on1(line string, f func(r *Report)) Reply {
	return do(line, func(r *Report) hooks.Action { f(r); return hooks.Action{} })
}

// gate lets the test and a callback meet.
type gate struct{ in, out chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

// pass is for the callback: it tells that it is there and waits.
func (g gate) pass(e *Env) {
	select {
	case g.in <- struct{}{}:
	case <-e.Ctx.Done():
	}
	select {
	case <-g.out:
	case <-e.Ctx.Done():
	}
}

func (g gate) wait(e *Env) {
	e.Helper()
	select {
	case <-g.in:
	case <-e.Ctx.Done():
		e.Fatal("the callback does not come")
	}
}

func (g gate) open() { close(g.out) }

var eventCases = []Case{
	{15, "a new mask counts from the next event", 0, func(e *Env) {
		e.Make(plain)
		g := e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry getppid", func(r *Report) {
			require.NoError(e, r.SetEvents(hooks.EventSyscallExit))
		}))
		e.Exits(3)
		require.Equal(e, hooks.EventSyscallExit, g.Events())
		e.Log("A syscall_entry getppid", "A syscall_exit getppid")
	}},
	{15, "a new mask during a call", 0, func(e *Env) {
		e.Make(Program{call("read", 0, Buf, 1), exit(3)})
		in := newGate()
		var args [3]uint64
		g := e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallEntry, both(
			on1("syscall_entry read", func(r *Report) {
				for i := range args {
					args[i] = r.Sys.Arg(i)
				}
				require.NoError(e, r.SetEvents(hooks.EventQuiesce))
				in.pass(e)
			}),
			on1("syscall_exit read restart", func(r *Report) {
				for i := range args {
					require.Equal(e, args[i], r.Sys.Arg(i))
				}
				r.Sys.SetResult(0, 0)
			})))
		b := e.Attach("B", 0, nil)
		e.Start()
		in.wait(e)
		in.open()
		require.NoError(e, g.Barrier(e.Ctx))
		require.NoError(e, b.SetEvents(hooks.EventExit))
		require.NoError(e, g.SetEvents(hooks.EventQuiesce|hooks.EventSyscallExit))
		e.Control(g, hooks.Interrupt)
		e.Exits(3)
		e.Log("A quiesce syscall_entry", "A syscall_entry read", "A quiesce syscall_exit", "A syscall_exit read restart", "A signal report",
			"A quiesce exit", "B exit 0x300 0x300", "A quiesce death")
	}},
	{16, "adding the event in quiesce", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventQuiesce, on1("quiesce syscall_entry", func(r *Report) {
			require.NoError(e, r.SetEvents(hooks.EventQuiesce|hooks.EventSyscallEntry))
		}))
		e.Attach("B", hooks.EventSyscallEntry, nil)
		e.Exits(3)
		e.Log("B syscall_entry getppid", "A quiesce syscall_entry", "A syscall_entry getppid",
			"B syscall_entry exit_group", "A quiesce syscall_entry", "A syscall_entry exit_group", "A quiesce death")
	}},
	{17, "removing the event in quiesce", 0, func(e *Env) {
		e.Make(plain)
		e.Attach("A", hooks.EventQuiesce|hooks.EventSyscallEntry, on1("quiesce syscall_entry", func(r *Report) {
			require.NoError(e, r.SetEvents(hooks.EventQuiesce))
		}))
		e.Exits(3)
		e.Log("A quiesce syscall_entry", "A quiesce death")
	}},
	{18, "clearing during a callback", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", hooks.EventSyscall, on1("syscall_entry getppid", func(*Report) { in.pass(e) }))
		b := e.Attach("B", hooks.EventSyscallExit, nil)
		e.Start()
		in.wait(e)
		require.NoError(e, b.SetEvents(0))
		refused(e, a.SetEvents(0), unix.EINPROGRESS)
		require.Zero(e, a.Events())
		in.open()
		e.Exits(3)
		e.Log("A syscall_entry getppid")
	}},
	{19, "adding during a callback", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", hooks.EventSyscallEntry, on1("syscall_entry getppid", func(r *Report) {
			require.NoError(e, r.SetEvents(0))
			require.NoError(e, r.SetEvents(hooks.EventSyscallEntry))
			in.pass(e)
		}))
		e.Start()
		in.wait(e)
		require.NoError(e, a.SetEvents(hooks.EventSyscall))
		in.open()
		e.Exits(3)
		e.Log("A syscall_entry getppid", "A syscall_exit getppid", "A syscall_entry exit_group")
	}},
	{20, "masks of the dead", 0, func(e *Env) {
		e.Make(plain)
		a := e.Attach("A", 0, nil)
		e.Exits(3)
		refused(e, a.SetEvents(hooks.EventDeath), unix.EALREADY)
		refused(e, a.SetEvents(hooks.EventQuiesce|hooks.EventReap), unix.EALREADY)
		require.Zero(e, a.Events())
		require.NoError(e, a.SetEvents(hooks.EventReap|hooks.EventExec))
		require.Equal(e, hooks.EventReap|hooks.EventExec, a.Events())
	}},
	{21, "clearing the end", 0, func(e *Env) {
		e.Make(plain)
		in := newGate()
		a := e.Attach("A", hooks.EventDeath|hooks.EventReap, on1("death true 17", func(*Report) { in.pass(e) }))
		e.Start()
		in.wait(e)
		refused(e, a.SetEvents(hooks.EventReap), unix.EALREADY)
		require.Equal(e, hooks.EventDeath|hooks.EventReap, a.Events())
		in.open()
		e.Exits(3)
		e.Guest.Reap()
		refused(e, a.SetEvents(hooks.EventDeath), unix.ESRCH)
		e.Log("A death true 17", "A reap", "A release A")
	}},
	{22, "after detaching", 0, func(e *Env) {
		e.Make(plain)
		a := e.Attach("A", hooks.EventSyscall, nil)
		e.Control(a, hooks.Detach)
		refused(e, a.SetEvents(hooks.EventSyscall), unix.ESRCH)
		e.Exits(3)
		e.Log("A release A")
	}},
	{23, "system calls unset", 0, func(e *Env) {
		e.Make(Program{call("getppid"), call("getppid"), exit(3)})
		e.Attach("A", hooks.EventSyscall, on1("syscall_exit getppid", func(r *Report) {
			require.NoError(e, r.SetEvents(hooks.EventExec))
		}))
		e.Exits(3)
		e.Log("A syscall_entry getppid", "A syscall_exit getppid")
	}},
}
