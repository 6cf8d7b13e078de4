package syscalls

import (
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// timers are the timers of a process: those of setitimer(2) by their number,
// and those of timer_create(2).
type timers struct {
	mu    sync.Mutex
	its   [3]clockTimer
	posix map[int]*posixTimer
	next  int
}

// clockTimer goes off when a clock of the host shows a time.
type clockTimer struct {
	mu       sync.Mutex
	p        *Process
	clock    int
	end      time.Duration // on the clock; meaningful while armed
	interval time.Duration
	armed    bool
	run      alarm
	gen      int                 // counts the settings, so that an old run is known
	fire     func(missed uint64) // called without the lock
}

// shortest is how soon a timer goes off again at most; what it misses
// meanwhile counts as overrun.
const shortest = 100 * time.Microsecond

// set arms the timer for end on its clock, or with armed false stops it, and
// returns what it was set to.
func (t *clockTimer) set(end, interval time.Duration, armed bool) (left, oldInterval time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left, oldInterval = t.left(), t.interval
	if t.run != nil {
		t.run.Stop()
	}
	t.gen++
	t.end, t.interval, t.armed = end, interval, armed
	if armed {
		t.start(0)
	}
	return left, oldInterval
}

// get returns what is left until the timer goes off, 0 if it is not armed,
// and its interval.
func (t *clockTimer) get() (left, interval time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left(), t.interval
}

// left is at least 1 for an armed timer, as the kernel has it.
func (t *clockTimer) left() time.Duration {
	if !t.armed {
		return 0
	}
	now, err := t.p.now(t.clock)
	if err != nil {
		return 0
	}
	return max(1, t.end-now)
}

func (t *clockTimer) start(least time.Duration) {
	gen := t.gen
	t.run = t.p.after(max(least, t.left()), t.clock < 0, func() { t.expired(gen) })
}

// expired runs when the timer may have gone off: a clock of processor time is
// slower than the time that passes, and others may have been set.
func (t *clockTimer) expired(gen int) {
	t.mu.Lock()
	now, err := t.p.now(t.clock)
	if err != nil || gen != t.gen {
		t.mu.Unlock()
		return
	}
	if now < t.end {
		t.start(0)
		t.mu.Unlock()
		return
	}
	var missed time.Duration
	if t.interval > 0 {
		missed = (now - t.end) / t.interval
		t.end += (missed + 1) * t.interval
		t.start(shortest)
	} else {
		t.armed = false
	}
	t.mu.Unlock()
	t.fire(uint64(missed))
}

// stop stops all timers for good.
func (ts *timers) stop() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for i := range ts.its {
		ts.its[i].set(0, 0, false)
	}
	ts.clear()
}

// exec is what execve leaves: the timers of setitimer.
func (ts *timers) exec() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.clear()
}

func (ts *timers) clear() {
	for _, t := range ts.posix {
		t.set(0, 0, false)
	}
	ts.posix = nil
}

// itimers are the clock and the signal of each timer of setitimer(2). The
// virtual one counts the processor time in the kernel too.
var itimers = [3]struct {
	clock  int
	signal unix.Signal
}{
	{unix.CLOCK_MONOTONIC, unix.SIGALRM},
	{unix.CLOCK_PROCESS_CPUTIME_ID, unix.SIGVTALRM},
	{unix.CLOCK_PROCESS_CPUTIME_ID, unix.SIGPROF},
}

// itimer is a timer of setitimer(2), EINVAL if there is none of that number.
func (c *Ctx) itimer(which int) (*clockTimer, error) {
	if which < 0 || which >= len(itimers) {
		return nil, unix.EINVAL
	}
	clock, err := c.hostClock(itimers[which].clock)
	if err != nil {
		return nil, err
	}
	t := &c.P.timers.its[which]
	p, ts := c.P, c.task()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.clock = p, clock
	if t.fire == nil {
		t.fire = func(uint64) {
			p.notify(ts, sigInfo{Signal: emu.Signal{No: itimers[which].signal, Code: siKernel}})
		}
	}
	return t, nil
}

// setIn arms a timer for d from now, 0 to stop it.
func (t *clockTimer) setIn(d, interval time.Duration) (left, oldInterval time.Duration, err error) {
	now, err := t.p.now(t.clock)
	if err != nil {
		return 0, 0, err
	}
	end := now + d
	if end < now {
		end = math.MaxInt64
	}
	left, oldInterval = t.set(end, interval, d > 0)
	return left, oldInterval, nil
}

func sysAlarm(c *Ctx) (uint64, error) {
	t, err := c.itimer(unix.ITIMER_REAL)
	if err != nil {
		return 0, err
	}
	left, _, err := t.setIn(time.Duration(c.Uint())*time.Second, 0)
	if left > 0 && left < time.Second {
		return 1, err
	}
	return uint64(left.Round(time.Second) / time.Second), err
}

// timevalOf takes a valid timeval out of a structure.
func timevalOf(s *Struct, prefix string) (time.Duration, error) {
	sec, usec := s.Int(prefix+"tv_sec"), s.Int(prefix+"tv_usec")
	if sec < 0 || usec < 0 || usec >= 1e6 {
		return 0, unix.EINVAL
	}
	return duration(unix.Timespec{Sec: sec, Nsec: usec * 1000}), nil
}

// setTimeval rounds up: a timer that runs is never shown as 0.
func setTimeval(s *Struct, prefix string, d time.Duration) {
	us := int64((d + time.Microsecond - 1) / time.Microsecond)
	s.Set(prefix+"tv_sec", uint64(us/1e6))
	s.Set(prefix+"tv_usec", uint64(us%1e6))
}

func (c *Ctx) putItimerval(addr uint64, left, interval time.Duration) error {
	s := c.NewStruct("itimerval")
	setTimeval(s, "it_value.", left)
	setTimeval(s, "it_interval.", interval)
	return s.Store(c, addr)
}

func sysSetitimer(c *Ctx) (uint64, error) {
	which, newp, oldp := c.Int(), c.Addr(), c.Addr()
	var d, interval time.Duration
	if newp != 0 {
		s, err := c.LoadStruct("itimerval", newp)
		if err != nil {
			return 0, err
		}
		if d, err = timevalOf(s, "it_value."); err != nil {
			return 0, err
		}
		if interval, err = timevalOf(s, "it_interval."); err != nil {
			return 0, err
		}
	}
	t, err := c.itimer(which)
	if err != nil {
		return 0, err
	}
	left, was, err := t.setIn(d, interval)
	if err != nil || oldp == 0 {
		return 0, err
	}
	return 0, c.putItimerval(oldp, left, was)
}

func sysGetitimer(c *Ctx) (uint64, error) {
	t, err := c.itimer(c.Int())
	if err != nil {
		return 0, err
	}
	left, interval := t.get()
	return 0, c.putItimerval(c.Addr(), left, interval)
}

// posixTimer is a timer of timer_create(2).
type posixTimer struct {
	clockTimer
	id     int
	signal unix.Signal // 0 for SIGEV_NONE
	value  uint64

	// Guarded by Process.sigMu: expiries while the signal waits, and those of
	// the last signal taken.
	overrun, last uint64
}

// overrunMax is DELAYTIMER_MAX.
const overrunMax = math.MaxInt32

// merge counts an expiry of a timer whose signal is still in the queue.
func (q *sigQueue) merge(t *posixTimer, missed uint64) bool {
	for i := range q.list {
		if q.list[i].timer == t {
			t.overrun = min(t.overrun+missed+1, overrunMax)
			return true
		}
	}
	t.overrun = min(missed, overrunMax)
	return false
}

// taken is called when the timer's signal is; it returns si_overrun.
func (t *posixTimer) taken() int {
	t.last, t.overrun = t.overrun, 0
	return int(t.last)
}

// The ways of notification of struct sigevent (asm-generic/siginfo.h).
const (
	sigevSignal   = 0
	sigevNone     = 1
	sigevThread   = 2
	sigevThreadID = 4
)

// sigevent reads who is to be told how: the signal, 0 for none.
func (c *Ctx) sigevent(addr uint64) (no unix.Signal, value uint64, err error) {
	s, err := c.LoadStruct("sigevent", addr)
	if err != nil {
		return 0, 0, err
	}
	no, value = unix.Signal(s.Int("sigev_signo")), s.Uint("sigev_value")
	switch how := s.Int("sigev_notify"); how {
	case sigevNone:
		return 0, value, nil
	case sigevThreadID:
		if !c.isTask(int(s.Int("sigev_notify_thread_id"))) {
			return 0, 0, unix.EINVAL
		}
	case sigevSignal, sigevThread:
	default:
		return 0, 0, unix.EINVAL
	}
	if no < 1 || no > nsig {
		return 0, 0, unix.EINVAL
	}
	return no, value, nil
}

// timerClock checks that a clock can have timers.
func (c *Ctx) timerClock(id int) (int, error) {
	host, err := c.hostClock(id)
	if err != nil {
		return 0, err
	}
	if _, err := c.P.now(host); err != nil {
		return 0, unix.EINVAL
	}
	switch id {
	case unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_REALTIME_COARSE, unix.CLOCK_MONOTONIC_COARSE,
		unix.CLOCK_REALTIME_ALARM, unix.CLOCK_BOOTTIME_ALARM:
		return 0, unix.EOPNOTSUPP
	}
	return host, nil
}

func sysTimerCreate(c *Ctx) (uint64, error) {
	id, evp, outp := c.Int(), c.Addr(), c.Addr()
	clock, err := c.timerClock(id)
	if err != nil {
		return 0, err
	}
	t := &posixTimer{signal: unix.SIGALRM}
	t.p, t.clock = c.P, clock
	tm := &c.P.timers
	tm.mu.Lock()
	defer tm.mu.Unlock()
	if uint64(len(tm.posix)) >= c.P.Limits[unix.RLIMIT_SIGPENDING].Cur {
		return 0, unix.EAGAIN
	}
	t.id = tm.next
	t.value = uint64(t.id)
	if evp != 0 {
		if t.signal, t.value, err = c.sigevent(evp); err != nil {
			return 0, err
		}
	}
	if err := c.Write32(outp, uint32(t.id)); err != nil {
		return 0, err
	}
	p, ts := c.P, c.task()
	t.fire = func(missed uint64) {
		if t.signal != 0 {
			p.notify(ts, sigInfo{Signal: emu.Signal{No: t.signal, Code: siTimer, Value: t.value, Timer: t.id, Overrun: int(min(missed, overrunMax))}, timer: t})
		}
	}
	if tm.posix == nil {
		tm.posix = map[int]*posixTimer{}
	}
	tm.posix[t.id] = t
	tm.next = (tm.next + 1) & math.MaxInt32
	return 0, nil
}

// timer finds a timer by its id, EINVAL if there is none.
func (c *Ctx) timer(id int) (*posixTimer, error) {
	tm := &c.P.timers
	tm.mu.Lock()
	defer tm.mu.Unlock()
	if t := tm.posix[id]; t != nil {
		return t, nil
	}
	return nil, unix.EINVAL
}

func sysTimerDelete(c *Ctx) (uint64, error) {
	t, err := c.timer(c.Int())
	if err != nil {
		return 0, err
	}
	t.set(0, 0, false)
	c.P.timers.mu.Lock()
	defer c.P.timers.mu.Unlock()
	delete(c.P.timers.posix, t.id)
	return 0, nil
}

func itimerspec(left, interval time.Duration) *unix.ItimerSpec {
	return &unix.ItimerSpec{Interval: timespec(interval), Value: timespec(left)}
}

func (c *Ctx) timerGettime(layout string) (uint64, error) {
	t, err := c.timer(c.Int())
	if err != nil {
		return 0, err
	}
	left, interval := t.get()
	return 0, c.putItimerspec(c.Addr(), layout, itimerspec(left, interval))
}

func (c *Ctx) timerSettime(layout string) (uint64, error) {
	id, flags, newp, oldp := c.Int(), c.Int(), c.Addr(), c.Addr()
	if newp == 0 {
		return 0, unix.EINVAL
	}
	s, err := c.LoadStruct(layout, newp)
	if err != nil {
		return 0, err
	}
	value, every := c.timespecOf(s, "it_value."), c.timespecOf(s, "it_interval.")
	if !validTime(value) || !validTime(every) {
		return 0, unix.EINVAL
	}
	t, err := c.timer(id)
	if err != nil {
		return 0, err
	}
	const absolute = 1 // TIMER_ABSTIME
	d := duration(value)
	var left, was time.Duration
	if flags&absolute != 0 {
		left, was = t.set(d, duration(every), d > 0)
	} else if left, was, err = t.setIn(d, duration(every)); err != nil {
		return 0, err
	}
	if oldp == 0 {
		return 0, nil
	}
	return 0, c.putItimerspec(oldp, layout, itimerspec(left, was))
}

func sysTimerGetoverrun(c *Ctx) (uint64, error) {
	t, err := c.timer(c.Int())
	if err != nil {
		return 0, err
	}
	c.P.sigMu.Lock()
	defer c.P.sigMu.Unlock()
	return t.last, nil
}
