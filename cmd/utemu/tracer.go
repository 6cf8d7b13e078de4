package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/trace"
)

// watcher hears of the points of a traced task: it adds the lines that are not
// the engine's to the trace.
type watcher struct {
	t     *trace.Tracer
	calls *callLines // nil if they are not wanted
}

// watch makes a watcher the tracer of the machine's task.
func watch(m *utemu.Machine, t *trace.Tracer, e trace.Events) *watcher {
	w := &watcher{t: t}
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
func (w *watcher) Signal(_ *emu.Task, s *emu.Signal) bool {
	_ = w.t.Line(trace.Signal, signalLine(s))
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
	if s.Signal == 0 {
		return w.t.Line(trace.Signal, fmt.Sprintf("+++ exited with %d +++", s.Code&0xff))
	}
	core := ""
	if s.Core {
		core = " (core dumped)"
	}
	return w.t.Line(trace.Signal, fmt.Sprintf("+++ killed by %s%s +++", unix.SignalName(s.Signal), core))
}

// signalLine is a signal as strace writes it.
func signalLine(s *emu.Signal) string {
	name := unix.SignalName(s.No)
	if s.Code <= 0 || s.Code == siKernel {
		return fmt.Sprintf("--- %s {si_signo=%s, si_code=%s} ---", name, name, codeName(s))
	}
	return fmt.Sprintf("--- %s {si_signo=%s, si_code=%s, si_addr=%s} ---", name, name, codeName(s), addr(s.Addr))
}

const siKernel = 0x80 // SI_KERNEL of asm-generic/siginfo.h

func addr(a uint64) string {
	if a == 0 {
		return "NULL"
	}
	return fmt.Sprintf("%#x", a)
}

// codeNames are the si_code values of faults, from asm-generic/siginfo.h.
var codeNames = map[unix.Signal][]string{
	unix.SIGSEGV: {"SEGV_MAPERR", "SEGV_ACCERR"},
	unix.SIGBUS:  {"BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR"},
	unix.SIGILL:  {"ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG", "ILL_COPROC", "ILL_BADSTK"},
	unix.SIGFPE:  {"FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES", "FPE_FLTINV", "FPE_FLTSUB"},
	unix.SIGTRAP: {"TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"},
}

func codeName(s *emu.Signal) string {
	switch s.Code {
	case 0:
		return "SI_USER"
	case -6:
		return "SI_TKILL"
	case siKernel:
		return "SI_KERNEL"
	}
	if l := codeNames[s.No]; s.Code > 0 && s.Code <= len(l) {
		return l[s.Code-1]
	}
	return fmt.Sprintf("%#x", s.Code)
}
