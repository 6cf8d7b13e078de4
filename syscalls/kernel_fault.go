package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// Fault implements emu.Kernel: it turns a trap of the CPU into the signal
// that the kernel forces on the task. An access just below a mapping that
// grows down makes it grow instead.
func (k *Kernel) Fault(t *emu.Task, f emu.Fault) error {
	p := t.Proc.OS.(*Process)
	if f.No == unix.SIGSEGV && f.Code == segvMaperr && p.expandStack(f.Addr) {
		return nil
	}
	if note := t.Proc.Arch.ABI.Signals.Fault; note != nil && f.Access != 0 && f.Code != siKernel {
		note(t.CPU(), arch.SigFault{Signo: int(f.No), Code: f.Code, Addr: f.Addr, Access: f.Access})
	}
	return k.force(t, f)
}

// segvMaperr is SEGV_MAPERR of asm-generic/siginfo.h.
const segvMaperr = 1

// HostSignal takes a signal that was sent to the host process for the guest.
// Any goroutine may call it. It returns false if the signal ends the guest by
// its default action, which is left to the caller, since the guest may sit in
// a call of the host that nothing interrupts; true if the guest ignores,
// blocks or catches it.
func (k *Kernel) HostSignal(t *emu.Task, s unix.Signal) bool {
	p := t.Proc.OS.(*Process)
	ts := p.leader
	p.sigMu.Lock()
	blocked := ts.blocked.has(s)
	p.sigMu.Unlock()
	d := p.Sig.get(s)
	c := t.Controller()
	switch {
	case s == unix.SIGCONT: // it takes back stops even if it does nothing else
	case d.ignores(s) && !blocked && !p.wanted(s):
		return true
	case c != nil && c.WantsFatal(t, s):
	case coring.has(s) && d.handler == sigDfl && !blocked && k.dumps(p): // the task has to write the file
	case d.handler == sigDfl && !blocked && !stopping.has(s):
		return false
	}
	code := siUser
	if fromTerminal.has(s) {
		code = siKernel
	}
	p.notify(ts, sigInfo{Signal: emu.Signal{No: s, Code: code}})
	return true
}

// fromTerminal are the signals that terminals send. The runtime does not tell
// who sent a signal.
var fromTerminal = stopping | sigs(unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGWINCH)
