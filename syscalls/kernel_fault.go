package syscalls

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Fault implements emu.Kernel: it turns a trap of the CPU into the signal
// that the kernel forces on the task. An access just below a mapping that
// grows down makes it grow instead.
func (k *Kernel) Fault(t *emu.Task, f emu.Fault) error {
	p := t.Proc.OS.(*Process)
	if f.No == unix.SIGSEGV && f.Code == segvMaperr && p.expandStack(f.Addr) {
		return nil
	}
	if tr := t.Tracer(); tr != nil && !tr.Signal(t, &f.Signal) {
		return nil
	}
	// What the task did to the disposition does not help it: an ignored or
	// blocked signal of this kind gets the default action (force_sig_info).
	if d := p.Sig.get(f.No); d.caught() {
		k.once(fmt.Sprintf("signal %s ends the program: handlers are not supported", unix.SignalName(f.No)))
	}
	k.end(t, emu.Status{Signal: f.No, Core: coring.has(f.No), Fault: &f})
	return nil
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
	switch {
	case d.ignores(s) && !blocked:
		return true
	case d.handler == sigDfl && !blocked && !stopping.has(s):
		return false
	}
	p.notify(ts, sigInfo{Signal: emu.Signal{No: s, Code: siKernel}})
	return true
}
