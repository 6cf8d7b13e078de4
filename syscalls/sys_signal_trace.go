package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Wake implements emu.Kernel.
func (k *Kernel) Wake(t *emu.Task) {
	ts := stateOf(t)
	ts.woken.Store(true)
	ts.wakeUp()
}

// Sigaction implements emu.Kernel.
func (k *Kernel) Sigaction(t *emu.Task, no unix.Signal) emu.Sigaction {
	return t.Proc.OS.(*Process).Sig.get(no).action()
}

// Send sends the process of t a signal as the host's kernel would, all of
// whose actions are the guest's. Any goroutine may call it.
func (k *Kernel) Send(t *emu.Task, s unix.Signal) {
	p := t.Proc.OS.(*Process)
	p.notify(p.leader, sigInfo{Signal: emu.Signal{No: s, Code: siKernel}})
}

// wanted tells whether a tracer wants to hear of a signal that would be
// ignored (sig_ignored).
func (p *Process) wanted(no unix.Signal) bool {
	for _, t := range p.P.Tasks() {
		switch c := t.Controller(); {
		case c != nil && c.WantsIgnored(t, no), c == nil && t.Tracer() != nil:
			return true
		}
	}
	return false
}

// reported tells whether a tracer wants to hear of a signal that would end the
// process at once.
func (p *Process) reported(no unix.Signal) bool {
	for _, t := range p.P.Tasks() {
		if c := t.Controller(); c != nil && c.WantsFatal(t, no) {
			return true
		}
	}
	return false
}

// broken tells whether a call that failed with EINTR did so for a tracer
// alone: because of Wake, or for a signal that does nothing otherwise.
func (p *Process) broken(ts *taskState) bool {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	m := p.waiting(ts, ts.blocked)
	if m == 0 {
		return ts.woken.Load()
	}
	if p.stopOf(ts) != nil {
		return false
	}
	for ; m != 0; m &= m - 1 {
		no := (&sigQueue{set: m}).next(^sigset(0))
		if d := p.Sig.get(no); !d.ignores(no) {
			return false
		}
	}
	return true
}

// forcedSignal is a signal that the CPU forces on a task (force_sig_info).
type forcedSignal struct {
	on    bool
	fault emu.Fault
}

// signalQueue implements emu.SignalQueue.
type signalQueue struct {
	p    *Process
	ts   *taskState
	last sigInfo // the one dequeued last
}

// Dequeue implements emu.SignalQueue.
func (q *signalQueue) Dequeue() (emu.Signal, emu.Sigaction, bool) {
	p, ts := q.p, q.ts
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	ts.alarm.Store(false)
	if m := p.waiting(ts, ts.blocked); m.has(unix.SIGKILL) {
		return p.takeSignal(ts, unix.SIGKILL).Signal, emu.Sigaction{}, true
	}
	if f := &ts.forced; f.on {
		f.on = false
		s := f.fault.Signal
		d := p.Sig.get(s.No)
		if d.handler == sigIgn || ts.blocked.has(s.No) {
			d = disposition{}
		}
		return s, d.action(), true
	}
	m := p.waiting(ts, ts.blocked)
	if m == 0 {
		return emu.Signal{}, emu.Sigaction{}, false
	}
	no := (&sigQueue{set: m}).next(m)
	d := p.Sig.get(no)
	q.last = p.takeSignal(ts, no)
	return q.last.Signal, d.action(), true
}

// Requeue implements emu.SignalQueue.
func (q *signalQueue) Requeue(s emu.Signal) {
	si := q.taken(s)
	q.p.sigMu.Lock()
	defer q.p.sigMu.Unlock()
	q.ts.pend.push(si)
	q.ts.alarm.Store(true)
}

// taken is all that is known of a signal that was dequeued, as the tracer left
// it.
func (q *signalQueue) taken(s emu.Signal) sigInfo {
	if q.last.No != s.No || q.last.Code != s.Code {
		return sigInfo{Signal: s}
	}
	si := q.last
	si.Signal = s
	return si
}

// Stopping implements emu.SignalQueue.
func (q *signalQueue) Stopping() bool { return q.p.stopOf(q.ts) != nil || q.p.P.Group() != nil }

// push puts a signal before all others.
func (q *sigQueue) push(si sigInfo) {
	q.set |= sigs(si.No)
	q.list = append([]sigInfo{si}, q.list...)
}

func (d disposition) action() emu.Sigaction {
	return emu.Sigaction{Handler: d.handler, Flags: d.flags, Restorer: d.restorer, Mask: uint64(d.mask)}
}

func dispositionOf(a emu.Sigaction) disposition {
	return disposition{handler: a.Handler, flags: a.Flags, restorer: a.Restorer, mask: sigset(a.Mask)}
}

// traced is pending for a task whose signals go through a controller.
func (k *Kernel) traced(t *emu.Task, c emu.Controller) error {
	p, ts := t.Proc.OS.(*Process), stateOf(t)
	ts.woken.Store(false)
	q := &signalQueue{p: p, ts: ts}
	fault := ts.forced.fault
	for t.Status() == nil {
		if halted, err := p.haltIfStopped(t); err != nil {
			return err
		} else if halted {
			continue
		}
		d, ok := c.GetSignal(t, q)
		if !ok {
			p.redo(t, nil)
			if p.unsave(ts) {
				continue
			}
			return nil
		}
		if err := k.dispose(t, q, d, &fault); err != nil {
			return err
		}
	}
	return nil
}

// dispose acts on a signal as the tracer left it.
func (k *Kernel) dispose(t *emu.Task, q *signalQueue, d emu.Delivery, f *emu.Fault) error {
	p := t.Proc.OS.(*Process)
	switch d.Do {
	case emu.DoHandler:
		si := q.taken(d.Signal)
		if f.No == si.No {
			si.fault = f
		}
		return k.handle(t, &si, dispositionOf(d.Action))
	case emu.DoStop, emu.DoTstp:
		return p.stop(t, d.Signal.No)
	}
	s, si := emu.Status{Signal: d.Signal.No}, q.taken(d.Signal)
	if f.No == d.Signal.No {
		s.Fault = f
	}
	s.Core = d.Do == emu.DoCore && k.dump(t, &si)
	k.end(t, s)
	return nil
}
