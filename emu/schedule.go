package emu

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
	"github.com/utemu/utemu/stepper"
)

// Schedule has the tasks of all processes of a machine take one turn, in an
// order that a seed decides and what the tasks do, not time: see
// docs/deterministic.md. It keeps the machine's clock, which branches and
// system calls advance, and sleep.
//
// The task that has the turn decides who is next when it gives it up. No
// other goroutine changes what the machine's tasks can see, but for requests
// of the host.
type Schedule struct {
	seed uint64
	rand *rand.Rand

	bellMu sync.Mutex
	bell   int // eventfd: something has come from outside; -1 when closed

	// Of the one that has the turn.
	now    uint64 // ticks
	left   uint64 // of the slice
	tail   uint64
	slices uint64 // that there have been while tasks waited
	look   uint64 // when the outside world is looked at next

	called atomic.Bool // a visitor waits

	mu       sync.Mutex
	holder   *Task
	members  []*Task // in the order in which they came
	timers   []*ScheduleTimer
	visitors []visitor
	away     int  // members that are outside
	visited  bool // a visitor has the turn
}

// visitor is a goroutine that is not a task's and wants the turn.
type visitor struct{ begin, end chan struct{} }

const (
	tick = uc.Tick

	// callTicks is what a system call costs, in branches.
	callTicks = 100

	// sliceBits and firstBits bound the branches of a slice: their number of bits
	// is as likely to be one as another, so that there are short slices in which
	// races show and long ones that go on. The first slices of a machine are all
	// short, since most programs that are short themselves run in them.
	sliceBits, firstBits = 18, 8

	// sliceTail bounds the instructions of a slice after its last branch, so that
	// it can end between any two.
	sliceTail = 24

	// alone is the slice of a task that has nobody to wait for.
	alone = 1 << 40

	// glance is how often the outside world is looked at while tasks can go on.
	glance = uint64(100 * time.Millisecond / tick)
)

// NewSchedule makes a schedule for one machine. Close frees it.
func NewSchedule(seed uint64) (*Schedule, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &Schedule{seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), bell: fd, left: alone, look: glance}, nil
}

// Close frees the schedule of a machine whose tasks have ended.
func (s *Schedule) Close() error {
	s.bellMu.Lock()
	defer s.bellMu.Unlock()
	fd := s.bell
	s.bell = -1
	return unix.Close(fd)
}

// Now is the machine's clock: the time since its start. The task that has the
// turn calls it.
func (s *Schedule) Now() time.Duration { return time.Duration(s.now) * tick }

// ticks is a time on the clock, rounded up.
func ticks(d time.Duration) uint64 { return uint64((max(d, 0) + tick - 1) / tick) }

// Wait is what a task waits for.
type Wait struct {
	// Ready tells whether the wait is over. It is asked when the task may have
	// the turn, by the goroutine that gives it up, and not again when it was
	// true; so it may do what the task waited to do. outside tells that the
	// outside world may be looked at.
	Ready func(outside bool) bool
	// Until is when the wait ends by itself, negative for never.
	Until time.Duration
	// Files are what to wait for when nobody can go on.
	Files []unix.PollFd
	// Outside tells that something outside of the machine may end the wait.
	Outside bool
}

// Never is the end of a wait that has none.
const Never = time.Duration(-1)

// Schedule is that of the process's machine, nil if its tasks run freely.
func (t *Task) Schedule() *Schedule { return t.Proc.turns.schedule() }

func (q *turns) schedule() *Schedule {
	if q == nil {
		return nil
	}
	return q.sched
}

// Enlist makes a task known to the schedule, if there is one, before it runs:
// the one that has the turn does it.
func (t *Task) Enlist() {
	if s := t.Schedule(); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list(t)
		s.left = min(s.left, 1<<firstBits) // for one that was alone
	}
}

// list makes t a member that can go on; s.mu is held.
func (s *Schedule) list(t *Task) {
	t.wait = nil
	if !slices.Contains(s.members, t) {
		s.members = append(s.members, t)
	}
	if t.away {
		t.away = false
		s.away--
	}
}

// enter waits for the turn of t.
func (s *Schedule) enter(t *Task) {
	s.mu.Lock()
	known := !t.away && slices.Contains(s.members, t)
	s.list(t)
	if s.holder == nil && !s.visited {
		s.holder = t
		s.mu.Unlock()
		s.begin()
		return
	}
	if !known { // it comes at no time of the schedule's
		s.call()
	}
	s.mu.Unlock()
	s.Ring()
	<-t.turn
	s.begin()
}

// call ends the slice that is under way, for one that comes from outside; s.mu
// is held.
func (s *Schedule) call() {
	s.called.Store(true)
	if s.holder != nil {
		s.holder.Proc.Interrupt()
	}
}

// leave gives the turn up: for good, or for something outside of the schedule.
func (s *Schedule) leave(t *Task, ended bool) {
	s.mu.Lock()
	if ended {
		s.members = slices.DeleteFunc(s.members, func(o *Task) bool { return o == t })
	} else {
		t.away = true
		s.away++
	}
	s.mu.Unlock()
	n, free := s.choose(nil, false)
	switch {
	case n != nil:
		s.give(n)
	case !free:
		go s.idle()
	}
}

// idle finds the next task on a goroutine of its own.
func (s *Schedule) idle() {
	if n, _ := s.choose(nil, true); n != nil {
		s.give(n)
	}
}

// give hands the turn over to another task.
func (s *Schedule) give(t *Task) {
	s.mu.Lock()
	s.holder = t
	s.mu.Unlock()
	t.turn <- struct{}{}
}

// pass gives the turn up and comes back when the task has it again.
func (s *Schedule) pass(t *Task, yield bool) {
	last := t
	if !yield {
		last = nil
	}
	if n, _ := s.choose(last, true); n != t {
		s.give(n)
		<-t.turn
	}
	s.begin()
}

// begin starts a slice of the task that has the turn.
func (s *Schedule) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = alone
	if len(s.members) > 1 {
		most := min(sliceBits, firstBits+bits.Len64(s.slices>>5))
		s.slices++
		s.left = 1 + s.rand.Uint64N(1<<s.rand.IntN(most+1))
		s.tail = s.rand.Uint64N(sliceTail)
	}
	if at, ok := s.event(false); ok {
		s.left = min(s.left, max(1, at-min(at, s.now)))
	}
}

// Await gives the turn up until a wait is over. It is false if that has ended
// by itself.
func (t *Task) Await(w Wait) bool {
	s := t.Schedule()
	t.wait, t.met = &w, false
	s.pass(t, false)
	t.wait = nil
	if err := t.Proc.switchTo(t); err != nil {
		t.broken = err
	}
	return t.met
}

// choose finds the task that goes on, last only if no other can. If none can it
// waits until one can, or with wait false returns nil. free tells that there is
// none to wait for: nobody has the turn then.
func (s *Schedule) choose(last *Task, wait bool) (t *Task, free bool) {
	outside, futile := false, false
	for {
		s.fire()
		if s.visit() {
			continue
		}
		if s.now >= s.look {
			outside, s.look = true, s.now+glance
		}
		if t := s.ready(last, outside); t != nil {
			return t, false
		}
		s.mu.Lock()
		free = len(s.visitors) == 0 && s.away == len(s.members)
		if free {
			s.holder = nil
		}
		s.mu.Unlock()
		if free || !wait {
			return nil, free
		}
		// What has been of no use to anybody is not waited for again.
		futile = outside && !futile
		outside = s.sleep(futile)
	}
}

// ready finds a task that can go on, in an order of the seed's.
func (s *Schedule) ready(last *Task, outside bool) *Task {
	s.mu.Lock()
	l := slices.Clone(s.members)
	s.mu.Unlock()
	l = slices.DeleteFunc(l, func(t *Task) bool { return t == last })
	for n := len(l); n > 0; n-- {
		i := 0
		if n > 1 {
			i = s.rand.IntN(n)
		}
		t := l[i]
		if s.goes(t, outside) {
			return t
		}
		l[i] = l[n-1]
	}
	if last != nil && s.goes(last, outside) {
		return last
	}
	return nil
}

// goes tells whether a task can go on.
func (s *Schedule) goes(t *Task, outside bool) bool {
	s.mu.Lock()
	away := t.away
	s.mu.Unlock()
	w := t.wait
	switch {
	case away:
		return false
	case w == nil:
		return true
	case w.Ready(outside || !w.Outside):
		t.met = true
		return true
	}
	return w.Until >= 0 && ticks(w.Until) <= s.now
}

// event is the next time on the clock at which something happens; idle is of a
// machine in which nothing else does. s.mu is held.
func (s *Schedule) event(idle bool) (at uint64, ok bool) {
	for _, t := range s.timers {
		if (!idle || !t.busy) && (!ok || t.at < at) {
			at, ok = t.at, true
		}
	}
	for _, t := range s.members {
		if w := t.wait; !t.away && w != nil && w.Until >= 0 && (!ok || ticks(w.Until) < at) {
			at, ok = ticks(w.Until), true
		}
	}
	return at, ok
}

// sleep is called when no task can go on. It puts the clock on to the next
// event; if something outside of the machine may come before, it waits for
// that, as long as the machine's clock would, and is true if it has come. futile
// tells that it is not to be waited for now.
func (s *Schedule) sleep(futile bool) bool {
	fds := []unix.PollFd{{Fd: int32(s.bell), Events: unix.POLLIN}}
	s.mu.Lock()
	at, some := s.event(true)
	outside := s.away > 0
	for _, t := range s.members {
		if t.wait != nil && !t.away && !futile {
			fds = append(fds, t.wait.Files...)
			outside = outside || t.wait.Outside
		}
	}
	s.mu.Unlock()
	var limit *unix.Timespec
	if some {
		ts := unix.Timespec{}
		if outside {
			ts = unix.NsecToTimespec(int64(time.Duration(at-min(at, s.now)) * tick))
		}
		limit = &ts
	} else if futile {
		limit = &unix.Timespec{Nsec: int64(time.Millisecond)}
	}
	// An error is that of a signal to this process; whoever it is for rings.
	n, _ := unix.Ppoll(fds, limit, nil)
	if fds[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(s.bell, b[:])
		return n > 1
	}
	if n == 0 && some {
		s.now = max(s.now, at)
	}
	return n > 0
}

// Ring has a machine that waits look at what its tasks wait for. Any goroutine
// may call it.
func (s *Schedule) Ring() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	s.bellMu.Lock()
	defer s.bellMu.Unlock()
	_, _ = unix.Write(s.bell, one[:]) // it fails when nobody hears it any more
}

// Visit calls f in a turn of its own, for a goroutine that is not a task's, or
// that of a task which is outside.
func (s *Schedule) Visit(f func() error) error {
	s.mu.Lock()
	if s.holder == nil && !s.visited {
		s.visited = true
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.visited = false
			s.mu.Unlock()
			s.idle()
		}()
		return f()
	}
	v := visitor{make(chan struct{}), make(chan struct{})}
	s.visitors = append(s.visitors, v)
	s.call()
	s.mu.Unlock()
	s.Ring()
	<-v.begin
	defer close(v.end)
	return f()
}

// visit lets a visitor have the turn; false if there is none.
func (s *Schedule) visit() bool {
	s.mu.Lock()
	if len(s.visitors) == 0 {
		s.called.Store(false)
		s.mu.Unlock()
		return false
	}
	v := s.visitors[0]
	s.visitors = s.visitors[1:]
	s.mu.Unlock()
	close(v.begin)
	<-v.end
	return true
}

// over tells whether the slice is.
func (s *Schedule) over() bool { return s.left == 0 || s.called.Load() }

// charge takes from the slice what something costs.
func (s *Schedule) charge(t *Task, n uint64) {
	s.now += n
	s.left -= min(n, s.left)
	t.used += n
	t.Proc.used += n
}

// Used is how much time of the schedule's clock the task has run.
func (t *Task) Used() time.Duration { return time.Duration(t.used) * tick }

// Used is how much time of the schedule's clock the process's tasks have run.
func (p *Process) Used() time.Duration { return time.Duration(p.used) * tick }

// run is CPU.run within the task's slice, if it has one.
func (t *Task) run(l stepper.Limit, own ...uint64) (stepper.Why, arch.Exception, error) {
	cpu, s := t.Proc.cpu, t.Schedule()
	if s == nil {
		return cpu.run(l, own...)
	}
	left := max(1, s.left)
	cpu.eng.SetSlice(left, s.tail, s.now)
	why, exc, err := cpu.run(l, own...)
	s.charge(t, left-cpu.eng.Slice())
	return why, exc, err
}

// ScheduleTimer calls a function when the machine's clock shows a time.
type ScheduleTimer struct {
	s    *Schedule
	at   uint64
	busy bool
	f    func()
}

// AfterFunc has f called, by the task that has the turn, when d has passed on
// the machine's clock. busy is a timer of the time that tasks run, to which the
// clock of an idle machine does not go on.
func (s *Schedule) AfterFunc(d time.Duration, busy bool, f func()) *ScheduleTimer {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &ScheduleTimer{s: s, busy: busy, f: f}
	var carry uint64
	if t.at, carry = bits.Add64(s.now, ticks(d), 0); carry != 0 {
		t.at = ^uint64(0)
	}
	s.timers = append(s.timers, t)
	s.left = min(s.left, max(1, t.at-s.now))
	return t
}

// Stop keeps the timer from going off.
func (t *ScheduleTimer) Stop() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.timers = slices.DeleteFunc(t.s.timers, func(o *ScheduleTimer) bool { return o == t })
}

// fire calls the functions of the timers whose time has come, by that time.
func (s *Schedule) fire() {
	for {
		s.mu.Lock()
		var next *ScheduleTimer
		for _, t := range s.timers {
			if t.at <= s.now && (next == nil || t.at < next.at) {
				next = t
			}
		}
		s.mu.Unlock()
		if next == nil {
			return
		}
		next.Stop()
		next.f()
	}
}
