package main

import (
	"fmt"
	"sync/atomic"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/hooks"
)

// reporter adds the reports that engines get of tasks to a trace. It has an
// engine of its own on each task, so that there are some.
type reporter struct {
	w    *watcher
	many atomic.Bool // there has been more than one task
}

// watchReports adds the reports of the machine's tasks to the trace.
func watchReports(m *utemu.Machine, w *watcher) error {
	r := &reporter{w: w}
	return r.attach(hooks.Of(m.Task()))
}

func (r *reporter) attach(k *hooks.Task) error {
	k.SetObserver(r.report)
	e, err := k.Attach(hooks.AttachCreate, r.ops(), nil)
	if err != nil {
		return err
	}
	return e.SetEvents(hooks.EventAll)
}

// report writes a report: the task, if there are several, as strace has it,
// the engine, the callback, what it answered and what all answers come to.
func (r *reporter) report(p hooks.Reported) {
	line := "utrace\t" + p.String()
	if r.many.Load() && !r.w.follow {
		line = fmt.Sprintf("[pid %5d] %s", p.Task.ID(), line)
	}
	r.w.reported(p.Task.ID(), line)
}

// ops are the callbacks of the trace's engine, which do nothing but be there.
func (r *reporter) ops() *hooks.Ops {
	return &hooks.Ops{
		Name:         "trace",
		Quiesce:      func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.Run },
		Signal:       func(*hooks.Call, *hooks.SignalReport) hooks.Action { return hooks.Action{} },
		SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action { return hooks.Action{} },
		SyscallExit:  func(*hooks.Call, *hooks.Syscall) hooks.Resume { return hooks.Run },
		Clone: func(_ *hooks.Call, _ uint64, child *hooks.Task) hooks.Resume {
			r.many.Store(true)
			// A child that cannot be attached to is one that has ended.
			_ = r.attach(child)
			return hooks.Run
		},
		VforkDone: func(*hooks.Call, int) hooks.Resume { return hooks.Run },

		Exec:  func(*hooks.Call) hooks.Resume { return hooks.Run },
		Exit:  func(*hooks.Call, int, *int) hooks.Resume { return hooks.Run },
		Jctl:  func(_ *hooks.Call, _, _ int) hooks.Resume { return hooks.Run },
		Death: func(*hooks.Call, bool, int) hooks.Resume { return hooks.Run },
		Reap:  func(*hooks.Engine) {},
	}
}
