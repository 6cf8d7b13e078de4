package syscalls

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// groupStop is a job control stop of a process: each of its tasks halts when
// it would go to user mode, and the stop is complete with the last.
type groupStop struct {
	signal unix.Signal
	over   chan struct{} // closed when the process goes on

	// Guarded by Process.sigMu.
	halted    int  // tasks
	complete  bool // the parent has been told
	continued bool // the tracer has been told that it is over
}

// stop stops the process of a task for a signal (do_signal_stop).
func (p *Process) stop(t *emu.Task, no unix.Signal) error {
	if no != unix.SIGSTOP && p.isOrphaned() {
		return nil // nobody could continue it
	}
	p.sigMu.Lock()
	s := p.stopping.Load()
	if s == nil {
		s = &groupStop{signal: no, over: make(chan struct{})}
		p.stopping.Store(s)
	}
	p.sigMu.Unlock()
	for _, ts := range p.tasks() {
		if ts.task != t {
			ts.wakeUp()
		}
	}
	return p.halt(t, s)
}

// halt keeps a task where it is until its process goes on or ends.
func (p *Process) halt(t *emu.Task, s *groupStop) error {
	ts := stateOf(t)
	p.sigMu.Lock()
	s.halted++
	last := p.completes(s)
	p.sigMu.Unlock()
	notify := 0
	if last {
		notify = cldStopped
	}
	t.ReportJctl(cldStopped, notify)
	var err error
	for on := true; on; {
		wait := func() {
			if last {
				last, err = false, p.stopped(s)
			}
			on = ts.halted(t, s)
		}
		if t.Schedule() != nil {
			wait()
		} else {
			t.Outside(wait)
		}
		t.ReportJctlDone()
	}
	p.sigMu.Lock()
	s.halted--
	tell := !s.continued && ts.left.Load() != s && t.Context().Err() == nil
	s.continued = s.continued || tell
	p.sigMu.Unlock()
	if tell {
		t.ReportJctl(cldContinued, cldContinued)
	}
	return err
}

// haltIfStopped halts a task whose process is stopped, if it is; the task may
// have to end then, which ends the error's place too.
func (p *Process) haltIfStopped(t *emu.Task) (halted bool, err error) {
	s := p.stopOf(stateOf(t))
	if s == nil || p.P.Group() != nil || p.P.Over(t) {
		return false, nil
	}
	err = p.halt(t, s)
	if cancelled := t.Context().Err(); err == nil && cancelled != nil {
		stateOf(t).alarm.Store(true) // the next run of the task halts again
		err = cancelled
	}
	return true, err
}

// stopOf is the stop that a task of the process has to be in, nil for none.
func (p *Process) stopOf(ts *taskState) *groupStop {
	s := p.stopping.Load()
	if s != nil && ts.left.Load() == s {
		return nil
	}
	return s
}

// halted waits for the end of a stop; true is for a tracer that woke the task,
// which is still stopped then.
func (ts *taskState) halted(t *emu.Task, s *groupStop) bool {
	if t.Schedule() != nil {
		t.Await(emu.Wait{Until: emu.Never, Ready: func(bool) bool {
			return gone(s.over) || ts.left.Load() == s || ts.stays(t) || ts.woken.Load()
		}})
		return !gone(s.over) && ts.left.Load() != s && !ts.stays(t) && ts.woken.Swap(false)
	}
	for {
		select {
		case <-s.over:
			return false
		case <-ts.wake:
		}
		switch {
		case ts.stays(t), ts.left.Load() == s:
			return false
		case ts.woken.Swap(false):
			return true
		}
	}
}

// stays tells whether a task that is stopped will not go on because it is to
// end, or its run is.
func (ts *taskState) stays(t *emu.Task) bool {
	return ts.p.P.Group() != nil || ts.p.P.Over(t) || t.Context().Err() != nil
}

// completes tells whether a stop has become complete. sigMu is held.
func (p *Process) completes(s *groupStop) bool {
	if s.complete || p.stopping.Load() != s || s.halted < len(p.P.Tasks()) {
		return false
	}
	s.complete = true
	return true
}

// stopped tells those whom it concerns that a stop is complete, outside of any
// turn.
func (p *Process) stopped(s *groupStop) error {
	return p.halts(s.signal, func() bool { return p.stopping.Load() == s })
}

// halts tells that a signal has stopped the process, which may have been
// continued meanwhile.
func (p *Process) halts(no unix.Signal, still func() bool) error {
	f := &p.K.family
	f.mu.Lock()
	told := p.leader.tracee != nil && !p.leader.tracee.elsewhere() // as the tracer
	if still() {
		p.halted, p.continued = true, false
		if !told {
			p.stopSignal = no
		}
	}
	if !told {
		p.tellParent(cldStopped, int(no))
	}
	f.mu.Unlock()
	return p.K.stopWithGuests()
}

// resume ends a stop (prepare_signal for SIGCONT); false if there is none.
// family.mu and sigMu are held.
func (p *Process) resume() bool {
	s := p.stopping.Load()
	if s == nil {
		return false
	}
	p.stopping.Store(nil)
	close(s.over)
	return true
}

// resumed tells that a stop is over. family.mu is held.
func (p *Process) resumed() {
	p.halted, p.stopSignal, p.continued = false, 0, true
	p.tellParent(cldContinued, int(unix.SIGCONT))
	p.K.ring()
}

// tellParent is do_notify_parent_cldstop. family.mu is held.
func (p *Process) tellParent(code, status int) {
	q := p.parent
	if q == nil {
		return
	}
	d := q.Sig.get(unix.SIGCHLD)
	if d.handler != sigIgn && d.flags&saNoCldStop == 0 {
		si := sigInfo{Signal: emu.Signal{No: unix.SIGCHLD, Code: code, PID: p.P.PID, UID: p.leader.cred.uid.real, Status: status}}
		_ = q.enqueue(q.leader, si, true)
	}
	q.wakeWaits()
}

// stopWithGuests stops the host process when the first guest is stopped and
// nobody of its group runs who could continue it: then whoever has started
// utemu is to do so. It returns when it has been continued.
func (k *Kernel) stopWithGuests() error {
	f := &k.family
	f.mu.Lock()
	p := f.procs[f.first]
	all := p != nil && !f.hostStop
	if all {
		for _, q := range f.procs {
			all = all && (q.zombie || q.pgrp != p.pgrp || q.halted)
		}
	}
	if !all || p.zombie {
		f.mu.Unlock()
		return nil
	}
	no := p.stopSignal
	if no == 0 {
		no = unix.SIGSTOP // a debugger has waited for it
	}
	f.hostStop = true
	f.mu.Unlock()
	err := stopHost(no)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hostStop = false
	if err != nil {
		return fmt.Errorf("syscalls: stopping for %v: %w", no, err)
	}
	p.sigMu.Lock()
	on := p.resume()
	p.sigMu.Unlock()
	if on {
		p.resumed()
	}
	return nil
}
