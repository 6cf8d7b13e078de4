package main

import (
	"github.com/utemu/utemu"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/trace"
)

// watchReports adds the reports that engines get of the machine's tasks to the
// trace. The trace has an engine of its own, so that there are some.
func watchReports(m *utemu.Machine, t *trace.Tracer) error {
	return reports(hooks.Of(m.Task()), t)
}

func reports(k *hooks.Task, t *trace.Tracer) error {
	k.SetObserver(func(r hooks.Reported) { _ = t.Line(trace.Utrace, reportLine(r)) })
	e, err := k.Attach(hooks.AttachCreate, reportOps(t), nil)
	if err != nil {
		return err
	}
	return e.SetEvents(hooks.EventAll)
}

// reportLine is a report as the trace has it: the task, the engine, the
// callback, what it answered and what all answers come to.
func reportLine(r hooks.Reported) string {
	return "utrace\t" + r.String()
}

// reportOps are the callbacks of the trace's engine, which do nothing but be
// there.
func reportOps(t *trace.Tracer) *hooks.Ops {
	return &hooks.Ops{
		Name:         "trace",
		Quiesce:      func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.Run },
		Signal:       func(*hooks.Call, *hooks.SignalReport) hooks.Action { return hooks.Action{} },
		SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action { return hooks.Action{} },
		SyscallExit:  func(*hooks.Call, *hooks.Syscall) hooks.Resume { return hooks.Run },
		Clone: func(_ *hooks.Call, _ uint64, child *hooks.Task) hooks.Resume {
			// A child that cannot be attached to is one that has ended.
			_ = reports(child, t)
			return hooks.Run
		},
		Exec:  func(*hooks.Call) hooks.Resume { return hooks.Run },
		Exit:  func(*hooks.Call, int, *int) hooks.Resume { return hooks.Run },
		Jctl:  func(_ *hooks.Call, _, _ int) hooks.Resume { return hooks.Run },
		Death: func(*hooks.Call, bool, int) hooks.Resume { return hooks.Run },
		Reap:  func(*hooks.Engine) {},
	}
}
