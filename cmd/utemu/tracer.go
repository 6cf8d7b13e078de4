package main

import (
	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/syscalls/strace"
	"github.com/utemu/utemu/trace"
)

// watcher hears of the points of a traced task: it adds the lines that are not
// the engine's to the trace.
type watcher struct {
	t     *trace.Tracer
	calls *callLines // nil if they are not wanted
	text  *strace.Printer
}

// watch makes a watcher the tracer of the machine's task.
func watch(m *utemu.Machine, t *trace.Tracer, e trace.Events) *watcher {
	w := &watcher{t: t, text: strace.NewPrinter(strace.DefaultStyle())}
	if e&trace.Syscall != 0 {
		w.calls = newCallLines(func(line string) { _ = t.Line(trace.Syscall, line) })
	}
	m.Task().SetTracer(w)
	return w
}

// SyscallEntry implements emu.Tracer.
func (w *watcher) SyscallEntry(t *emu.Task) bool {
	if w.calls != nil {
		w.calls.enter(t)
	}
	return false
}

// SyscallExit implements emu.Tracer.
func (w *watcher) SyscallExit(t *emu.Task) {
	if w.calls != nil {
		w.calls.exit(t)
	}
	w.t.Mapped()
}

// Signal implements emu.Tracer.
func (w *watcher) Signal(t *emu.Task, s *emu.Signal) bool {
	_ = w.t.Line(trace.Signal, w.text.SignalLine(t, *s))
	return true
}

// Handler implements emu.Tracer.
func (w *watcher) Handler(*emu.Task, emu.Signal) {}

// Clone implements emu.Tracer.
func (w *watcher) Clone(_, _ *emu.Task) {}

// Exec implements emu.Tracer.
func (w *watcher) Exec(*emu.Task) { w.t.Mapped() }

// Exit implements emu.Tracer.
func (w *watcher) Exit(*emu.Task, *int) {}

// Death implements emu.Tracer.
func (w *watcher) Death(*emu.Task) {}

// ended writes the last line.
func (w *watcher) ended(s emu.Status) error {
	if w.calls != nil {
		w.calls.ended()
	}
	return w.t.Line(trace.Signal, strace.EndLine(s))
}
