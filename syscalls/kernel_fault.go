package syscalls

import (
	"slices"

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
// blocks or catches it. When the first process has ended it is for the others
// that it is still here, and goes by the default action.
//
// Signals that the keyboard of the controlling terminal sends are for its
// foreground group; SIGCONT is for the first guest's group, SIGHUP for both.
func (k *Kernel) HostSignal(t *emu.Task, s unix.Signal) bool {
	p := t.Proc.OS.(*Process)
	si := fromHost(s)
	if l := k.meant(p, s); len(l) > 0 {
		for _, q := range l {
			q.fromHost(si)
		}
		return true
	}
	if p.host.Load() != nil {
		p.fromHost(si)
		return true
	}
	if p.isZombie() { // what it did with the signal went with it
		return stopping.has(s) || harmless.has(s)
	}
	ts := p.leader
	p.sigMu.Lock()
	blocked := (ts.blocked | ts.real).has(s)
	p.sigMu.Unlock()
	d := p.Sig.get(s)
	switch {
	case s == unix.SIGCONT: // it takes back stops even if it does nothing else
	case d.ignores(s) && !blocked && !p.wanted(s):
		return true
	case p.reported(s):
	case coring.has(s) && d.handler == sigDfl && !blocked && k.dumps(p): // the task has to write the file
	case d.handler == sigDfl && !blocked && !stopping.has(s):
		return false
	}
	p.notify(ts, si)
	return true
}

// fromHost sends a guest a signal that this process has got. A program of the
// host has got what a terminal sends with the group that they are both in.
func (p *Process) fromHost(si sigInfo) {
	if h := p.host.Load(); h != nil && si.Code == siKernel {
		if _, g := h.where(); g == unix.Getpgrp() {
			if si.No == unix.SIGTSTP && orphanedOnHost() && !p.isOrphaned() {
				h.suspend()
			}
			return
		}
	}
	p.notify(p.leader, si)
}

// keyboard are the signals that a terminal sends its foreground group.
var keyboard = sigs(unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH)

// meant are the guests that a signal to the host process is for, none if it is
// for the first, p, alone.
func (k *Kernel) meant(p *Process, s unix.Signal) (out []*Process) {
	f := &k.family
	f.mu.Lock()
	groups := []int{p.pgrp}
	for _, tt := range f.ttys {
		switch {
		case !tt.host:
		case keyboard.has(s):
			groups[0] = tt.pgrp
		case s == unix.SIGHUP:
			groups = append(groups, tt.pgrp)
		}
	}
	f.mu.Unlock()
	if !keyboard.has(s) && s != unix.SIGHUP && s != unix.SIGCONT {
		return nil
	}
	for _, g := range slices.Compact(groups) {
		out = append(out, k.members(g)...)
	}
	if len(out) == 1 && out[0] == p {
		return nil
	}
	return out
}

// fromTerminal are the signals that terminals send, where it is not known who
// sent a signal.
var fromTerminal = stopping | sigs(unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGWINCH)
