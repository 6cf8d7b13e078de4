package hooks

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// nsig is the number of signals.
const nsig = 64

// GetSignal is tracehook_get_signal: the kernel calls it in place of taking a
// signal from the queue, as long as it returns one, and acts on what it
// returns. Engines are asked about each signal, and before that without a
// signal if Report or Interrupt is pending or a handler was just set up. The
// task may be held meanwhile.
func (t *Task) GetSignal(q emu.SignalQueue) (emu.Delivery, bool) {
	for {
		d, found, again := t.look(q)
		if found || !again {
			if !found {
				t.info = emu.Signal{}
			}
			return d, found
		}
	}
}

// look is one look for signals. again tells that another is needed.
func (t *Task) look(q emu.SignalQueue) (d emu.Delivery, found, again bool) {
	if t.over() {
		d, found = t.unreported(q)
		if found && d.Signal.No != unix.SIGKILL {
			// All others stay as they are.
			q.Requeue(d.Signal)
			found = false
		}
		return d, found, false
	}
	t.mu.Lock()
	r, handler := t.pending, t.handler
	t.handler, t.pending = false, Run
	t.forced.Store(false)
	t.splice()
	t.mu.Unlock()
	switch {
	case r == SingleStep || r == BlockStep:
		t.step(r)
	case r >= Report && t.wants(EventQuiesce):
		a := SigReport
		if handler {
			a = SigHandler
		}
		return t.signals(q, &SignalReport{Info: &t.info, Return: &emu.Sigaction{}}, a)
	case r >= Report:
		t.target.SetStep(emu.StepNone)
		t.mu.Lock()
		stop := t.anyStop()
		t.mu.Unlock()
		if stop {
			t.hold(Run)
			return d, false, true
		}
	}
	if !t.wants(EventSignalAll) || q.Stopping() {
		d, found = t.unreported(q)
		return d, found, false
	}
	s, ka, ok := q.Dequeue()
	if !ok {
		return d, false, false
	}
	if s.No == unix.SIGKILL {
		return emu.Delivery{Signal: s, Do: emu.DoTerm}, true, false
	}
	ev, a := classify(s.No, ka)
	if !t.wants(ev) && !t.wants(EventQuiesce) {
		d, found = dispose(s, ka, a)
		return d, found, !found
	}
	t.info = s
	orig := ka
	return t.signals(q, &SignalReport{Event: ev, Info: &t.info, Orig: &orig, Return: &ka}, a)
}

// unreported takes the next signal for which something is to be done.
func (t *Task) unreported(q emu.SignalQueue) (emu.Delivery, bool) {
	for {
		s, ka, ok := q.Dequeue()
		if !ok {
			return emu.Delivery{}, false
		}
		_, a := classify(s.No, ka)
		if d, ok := dispose(s, ka, a); ok {
			return d, true
		}
	}
}

// signals is the pass for a signal, or for none.
func (t *Task) signals(q emu.SignalQueue, s *SignalReport, a SignalAction) (d emu.Delivery, found, again bool) {
	p := t.begin()
	p.now.Signal, p.signal = a, s
	for _, e := range p.engines {
		t.report(&p, e, false, s.Event|EventQuiesce, s.Event, func(c *Call) Action { return t.signal(&p, c, s) })
	}
	return t.outcome(q, &p, s, p.now.Signal, p.now.Hold)
}

// signal asks one engine about a signal.
func (t *Task) signal(p *pass, c *Call, s *SignalReport) Action {
	ops := c.e.ops
	var r Action
	switch {
	case ops.Signal != nil:
		r = ops.Signal(c, s)
	case ops.Quiesce != nil:
		r.Resume = ops.Quiesce(c, s.Event)
	}
	if r.Signal > SigHandler {
		t.log("engine %q: signal action %d, taken as SigPass", ops.Name, r.Signal)
		r.Signal = SigPass
	}
	if r.Signal != SigPass {
		p.now.Signal, p.now.Hold = r.Signal, false
	}
	p.now.Hold = p.now.Hold || r.Hold
	if r.Resume == Interrupt || r.Resume == Report {
		// The signal path is where these lead: it would never end.
		r.Resume = Run
	}
	return r
}

// outcome acts on what was decided about a signal.
func (t *Task) outcome(q emu.SignalQueue, p *pass, s *SignalReport, a SignalAction, hold bool) (d emu.Delivery, found, again bool) {
	if n := s.Info.No; a != SigDeliver && n&0x80 != 0 && n != 0x80 && a >= SigTerm && a <= SigTstp {
		t.log("signal %d in a report, taken as SIGTRAP", int(n))
		s.Info.No = unix.SIGTRAP
	}
	valid := s.Info.No > 0 && s.Info.No <= nsig
	if s.Info.No != 0 && !valid {
		t.log("signal %d in a report is none, it is dropped", int(s.Info.No))
	}
	if valid {
		d, found = dispose(*s.Info, *s.Return, a)
		if hold {
			q.Requeue(*s.Info)
		}
	}
	switch {
	case !found:
		t.act(p)
		return d, false, !t.over()
	case d.Do == emu.DoHandler:
		if p.action != Run {
			// The stop or the step begins at the handler's first instruction.
			t.mu.Lock()
			t.pend(Interrupt)
			t.mu.Unlock()
		}
	default:
		t.end(p, d.Do == emu.DoTerm || d.Do == emu.DoCore)
	}
	return d, true, false
}

// signalName is the name of a signal, or its number for a real-time one.
func signalName(no unix.Signal) string {
	if n := unix.SignalName(no); n != "" {
		return n
	}
	return strconv.Itoa(int(no))
}

// dispose is what the kernel has to do for a signal with an action; false if
// that is nothing.
func dispose(s emu.Signal, ka emu.Sigaction, a SignalAction) (emu.Delivery, bool) {
	if a == SigDeliver && ka.Handler == emu.SigDfl {
		_, a = classify(s.No, ka)
	}
	d := emu.Delivery{Signal: s, Action: ka}
	switch a {
	case SigDeliver:
		return d, ka.Handler != emu.SigIgn
	case SigTerm:
		d.Do = emu.DoTerm
	case SigCore:
		d.Do = emu.DoCore
	case SigStop:
		d.Do = emu.DoStop
	case SigTstp:
		d.Do = emu.DoTstp
	default:
		return d, false
	}
	return d, true
}
