package main

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/internal/symbolize"
	"github.com/utemu/utemu/syscalls/strace"
	"github.com/utemu/utemu/trace"
)

// watcher hears of the points of traced tasks: it adds the lines that are not
// the engine's to the trace, and has a tracer for each process that is followed.
type watcher struct {
	follow bool
	events trace.Events
	calls  *callLines

	first *trace.Tracer // of the first process, which lives to the end

	mu      sync.Mutex
	pids    map[int]int // processes of threads
	tracers map[*emu.Process]*trace.Tracer
	tasks   map[*emu.Task]bool // those that have not ended
	insns   uint64             // of processes that have ended
	found   map[string]int     // names that tracers did not find, by how many
	gone    int                // tracers that have ended
	err     error              // the first one of making or ending a tracer
}

// watch makes a watcher the tracer of the machine's task.
func watch(m *utemu.Machine, t *trace.Tracer, e trace.Events, follow bool) *watcher {
	w := &watcher{follow: follow, events: e, calls: newCallLines(), first: t, tracers: map[*emu.Process]*trace.Tracer{m.Process(): t},
		pids: map[int]int{}, tasks: map[*emu.Task]bool{}, found: map[string]int{}}
	w.add(m.Task())
	m.Task().SetTracer(w)
	return w
}

// add notes a task; w.mu is held, or nobody else has w yet.
func (w *watcher) add(k *emu.Task) {
	w.tasks[k] = true
	w.pids[k.TID] = k.Proc.PID
}

func (w *watcher) of(p *emu.Process) *trace.Tracer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tracers[p]
}

// line adds a line to the trace of a task.
func (w *watcher) line(k *emu.Task, e trace.Events, text string) error {
	t := w.of(k.Proc)
	if t == nil {
		return nil
	}
	return t.Line(trace.Task{PID: k.Proc.PID, TID: k.TID}, e, text)
}

// reported adds the line of a report of the task with a number.
func (w *watcher) reported(tid int, line string) {
	w.mu.Lock()
	of := trace.Task{PID: w.pids[tid], TID: tid}
	w.mu.Unlock()
	_ = w.first.Line(of, trace.Utrace, line)
}

// SyscallEntry implements emu.Tracer.
func (w *watcher) SyscallEntry(k *emu.Task) bool {
	if w.events&trace.Syscall != 0 {
		w.calls.enter(k)
	}
	return false
}

// SyscallExit implements emu.Tracer.
func (w *watcher) SyscallExit(k *emu.Task) {
	if w.events&trace.Syscall != 0 {
		_ = w.line(k, trace.Syscall, w.calls.exit(k))
	}
	w.mapped(k)
}

func (w *watcher) mapped(k *emu.Task) {
	if t := w.of(k.Proc); t != nil {
		t.Mapped()
	}
}

// Signal implements emu.Tracer.
func (w *watcher) Signal(k *emu.Task, s *emu.Signal) bool {
	_ = w.line(k, trace.Signal, w.calls.signal(k, *s))
	return true
}

// Handler implements emu.Tracer.
func (w *watcher) Handler(*emu.Task, emu.Signal) {}

// Clone implements emu.Tracer.
func (w *watcher) Clone(k, child *emu.Task) {
	if !w.follow {
		return
	}
	child.SetTracer(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(child)
	t := w.tracers[k.Proc]
	switch {
	case child.Proc == k.Proc || t == nil:
	case child.Proc.Space == k.Proc.Space: // one engine, and so one trace
		w.tracers[child.Proc] = t
	default:
		w.fork(t, child.Proc, false)
	}
}

// fork adds the tracer of a process; w.mu is held.
func (w *watcher) fork(t *trace.Tracer, p *emu.Process, exec bool) {
	c, err := t.Fork(p, symbolize.New(p), exec)
	if err != nil {
		w.failed(err)
		return
	}
	w.tracers[p] = c
}

// Exec implements emu.Tracer.
func (w *watcher) Exec(k *emu.Task) {
	w.mu.Lock()
	if t := w.tracers[k.Proc]; t != nil && t.Process() != k.Proc { // the child of a vfork
		w.fork(t, k.Proc, true)
	}
	w.mu.Unlock()
	w.mapped(k)
}

// Exit implements emu.Tracer.
func (w *watcher) Exit(k *emu.Task, status *int) {
	if !w.follow {
		return
	}
	s := emu.Status{Code: unix.WaitStatus(*status).ExitStatus()}
	if ws := unix.WaitStatus(*status); ws.Signaled() {
		s = emu.Status{Signal: ws.Signal(), Core: ws.CoreDump()}
	}
	_ = w.end(k, s)
}

// Death implements emu.Tracer.
func (w *watcher) Death(k *emu.Task) {
	if !w.follow {
		return
	}
	if s := k.Status(); s != nil {
		_ = w.end(k, *s)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for o := range w.tasks {
		if o.Proc == k.Proc {
			return
		}
	}
	t := w.tracers[k.Proc]
	if t == w.first && t.Process() == k.Proc {
		return
	}
	delete(w.tracers, k.Proc)
	if t != nil && t.Process() == k.Proc {
		w.drop(t)
	}
}

// drop ends a tracer; w.mu is held.
func (w *watcher) drop(t *trace.Tracer) {
	w.insns += t.Insns()
	for _, name := range t.Unresolved() {
		w.found[name]++
	}
	w.gone++
	w.failed(t.Abandon())
}

func (w *watcher) failed(err error) {
	if w.err == nil {
		w.err = err
	}
}

// end writes the last lines of a task; only the first time counts.
func (w *watcher) end(k *emu.Task, s emu.Status) error {
	w.mu.Lock()
	lives := w.tasks[k]
	delete(w.tasks, k)
	w.mu.Unlock()
	if !lives {
		return nil
	}
	if line, ok := w.calls.ended(k); ok {
		_ = w.line(k, trace.Syscall, line)
	}
	return w.line(k, trace.Signal, strace.EndLine(s))
}

// close ends what is left of the trace.
func (w *watcher) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, t := range w.tracers {
		if t.Process() == p {
			w.drop(t)
		}
	}
	clear(w.tracers)
	return w.err
}

// unresolved are the names that no process had, once the trace is closed.
func (w *watcher) unresolved() (l []string) {
	for name, n := range w.found {
		if n == w.gone {
			l = append(l, name)
		}
	}
	return l
}

// traced is how many instructions have been seen.
func (w *watcher) traced() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.insns
	for p, t := range w.tracers {
		if t.Process() == p {
			n += t.Insns()
		}
	}
	return n
}
