package syscalls

import (
	"math"
	"time"
	_ "unsafe" // go:linkname

	"golang.org/x/sys/unix"
)

var timeRows = []Row{
	{Name: "clock_gettime", Fn: func(c *Ctx) (uint64, error) { return c.clockGet(false) }, Level: Full},
	{Name: "clock_gettime64", Fn: func(c *Ctx) (uint64, error) { return c.clockGet(true) }, Level: Full},
	{Name: "clock_getres", Fn: func(c *Ctx) (uint64, error) { return c.clockRes(false) }, Level: Full},
	{Name: "clock_getres_time64", Fn: func(c *Ctx) (uint64, error) { return c.clockRes(true) }, Level: Full},
	{Name: "clock_settime", Fn: func(c *Ctx) (uint64, error) { return c.clockSet(false) }, Level: Partial, Note: noClockSet},
	{Name: "clock_settime64", Fn: func(c *Ctx) (uint64, error) { return c.clockSet(true) }, Level: Partial, Note: noClockSet},
	{Name: "nanosleep", Fn: sysNanosleep, Level: Full},
	{Name: "clock_nanosleep", Fn: func(c *Ctx) (uint64, error) { return c.clockNanosleep(false) }, Level: Full},
	{Name: "clock_nanosleep_time64", Fn: func(c *Ctx) (uint64, error) { return c.clockNanosleep(true) }, Level: Full},
	{Name: "gettimeofday", Fn: sysGettimeofday, Level: Full},
	{Name: "settimeofday", Fn: sysSettimeofday, Level: Partial, Note: noClockSet},
	{Name: "time", Fn: sysTime, Level: Full},
	{Name: "stime", Fn: sysStime, Level: Partial, Note: noClockSet},
	{Name: "times", Fn: sysTimes, Level: Full},
	{Name: "adjtimex", Fn: func(c *Ctx) (uint64, error) { return c.adjtime("timex", c.Addr()) }, Level: Partial, Note: noClockSet},
	{Name: "clock_adjtime", Fn: func(c *Ctx) (uint64, error) { return c.clockAdjtime("timex") }, Level: Partial, Note: noClockSet},
	{Name: "clock_adjtime64", Fn: func(c *Ctx) (uint64, error) { return c.clockAdjtime("__kernel_timex") }, Level: Partial, Note: noClockSet},
	{Name: "alarm", Fn: sysAlarm, Level: Full},
	{Name: "setitimer", Fn: sysSetitimer, Level: Full},
	{Name: "getitimer", Fn: sysGetitimer, Level: Full},
	{Name: "timer_create", Fn: sysTimerCreate, Level: Full},
	{Name: "timer_delete", Fn: sysTimerDelete, Level: Full},
	{Name: "timer_settime", Fn: func(c *Ctx) (uint64, error) { return c.timerSettime("itimerspec") }, Level: Full},
	{Name: "timer_settime64", Fn: func(c *Ctx) (uint64, error) { return c.timerSettime("__kernel_itimerspec") }, Level: Full},
	{Name: "timer_gettime", Fn: func(c *Ctx) (uint64, error) { return c.timerGettime("itimerspec") }, Level: Full},
	{Name: "timer_gettime64", Fn: func(c *Ctx) (uint64, error) { return c.timerGettime("__kernel_itimerspec") }, Level: Full},
	{Name: "timer_getoverrun", Fn: sysTimerGetoverrun, Level: Full},
}

const noClockSet = "setting the machine's clock is refused"

// validTime is timespec64_valid.
func validTime(ts unix.Timespec) bool { return ts.Sec >= 0 && ts.Nsec >= 0 && ts.Nsec < 1e9 }

// duration is a valid time as a Duration, the greatest if it does not fit.
func duration(ts unix.Timespec) time.Duration {
	if ts.Sec >= math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(ts.Sec)*time.Second + time.Duration(ts.Nsec)
}

func timespec(d time.Duration) unix.Timespec { return unix.NsecToTimespec(int64(d)) }

// Parts of a clock id that stands for a process, a task or a descriptor
// (linux/posix-timers_types.h).
const (
	clockPerThread = 4
	clockKind      = 3
	clockFD        = 3
)

// hostClock is the host's clock for one of the guest, or one of clockOf.
func (c *Ctx) hostClock(id int) (int, error) {
	pid := ^(id >> 3)
	switch {
	case id == unix.CLOCK_THREAD_CPUTIME_ID:
		return clockOf(c.T.TID, true), nil
	case id == unix.CLOCK_PROCESS_CPUTIME_ID:
		return clockOf(c.P.P.PID, false), nil
	case id >= 0:
		return id, nil
	case id&7 == clockFD:
		f, err := c.file(pid)
		if err != nil {
			return 0, unix.EINVAL
		}
		return ^f.Host<<3 | clockFD, nil
	case id&clockPerThread == 0 && pid == 0:
		return clockOf(c.P.P.PID, false), nil
	case id&clockPerThread == 0:
		return id, nil
	case pid == 0:
		return clockOf(c.T.TID, true), nil
	case !c.isTask(pid):
		return 0, unix.EINVAL
	}
	return id, nil
}

// clockOf is the clock of the processor time of a task, or of a process
// (CPUCLOCK_SCHED of linux/posix-timers_types.h).
func clockOf(id int, task bool) int {
	const sched = 2
	if task {
		return ^id<<3 | clockPerThread | sched
	}
	return ^id<<3 | sched
}

// clockNow reads a clock of the guest.
func (c *Ctx) clockNow(id int) (time.Duration, error) {
	id, err := c.hostClock(id)
	if err != nil {
		return 0, err
	}
	return c.P.now(id)
}

// hostNow reads a clock of the host: the two that programs ask for all the time
// without a call of the host's kernel.
func hostNow(id int) (time.Duration, error) {
	switch id {
	case unix.CLOCK_REALTIME:
		return time.Duration(time.Now().UnixNano()), nil
	case unix.CLOCK_MONOTONIC:
		return time.Duration(nanotime()), nil
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(id), &ts); err != nil {
		return 0, err
	}
	return duration(ts), nil
}

// nanotime is CLOCK_MONOTONIC of the host.
//
//go:linkname nanotime runtime.nanotime
func nanotime() int64

func (c *Ctx) clockGet(wide bool) (uint64, error) {
	now, err := c.clockNow(c.Int())
	if err != nil {
		return 0, err
	}
	return 0, c.putTimespec(c.Addr(), wide, timespec(now))
}

// clockRes serves clock_getres, which may be asked only whether the clock is
// there.
func (c *Ctx) clockRes(wide bool) (uint64, error) {
	if c.A.Addr(c.w[1]) == 0 {
		_, err := c.clockNow(c.Int())
		return 0, err
	}
	id, err := c.hostClock(c.Int())
	if err != nil {
		return 0, err
	}
	if _, ok := c.P.cpuClock(id); ok {
		id = unix.CLOCK_PROCESS_CPUTIME_ID
	}
	var ts unix.Timespec
	if err := unix.ClockGetres(int32(id), &ts); err != nil {
		return 0, err
	}
	return 0, c.putTimespec(c.Addr(), wide, ts)
}

func (c *Ctx) clockSet(wide bool) (uint64, error) {
	id, addr := c.Int(), c.Addr()
	ts, err := c.getTimespec(addr, wide)
	switch {
	case id != unix.CLOCK_REALTIME:
		return 0, unix.EINVAL
	case err != nil:
		return 0, err
	case !validTime(ts):
		return 0, unix.EINVAL
	}
	return 0, unix.EPERM
}

func sysNanosleep(c *Ctx) (uint64, error) {
	reqp, remp := c.Addr(), c.Addr()
	ts, err := c.getTimespec(reqp, false)
	if err != nil {
		return 0, err
	}
	if !validTime(ts) {
		return 0, unix.EINVAL
	}
	return 0, c.sleepOn(unix.CLOCK_MONOTONIC, duration(ts), false, remp, false)
}

func (c *Ctx) clockNanosleep(wide bool) (uint64, error) {
	id, flags, reqp, remp := c.Int(), c.Int(), c.Addr(), c.Addr()
	switch id {
	case unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC, unix.CLOCK_PROCESS_CPUTIME_ID, unix.CLOCK_BOOTTIME, unix.CLOCK_TAI:
	default:
		if _, err := c.clockNow(id); err != nil {
			return 0, unix.EINVAL
		}
		if id >= 0 {
			return 0, unix.EOPNOTSUPP
		}
	}
	ts, err := c.getTimespec(reqp, wide)
	if err != nil {
		return 0, err
	}
	if !validTime(ts) {
		return 0, unix.EINVAL
	}
	const absolute = 1 // TIMER_ABSTIME
	return 0, c.sleepOn(id, duration(ts), flags&absolute != 0, remp, wide)
}

// sleepOn sleeps for d, or until clock id shows d. What remains of a relative
// sleep that a signal ends goes to remp.
func (c *Ctx) sleepOn(id int, d time.Duration, abs bool, remp uint64, wide bool) error {
	now, err := c.clockNow(id)
	if err != nil {
		return err
	}
	end := d
	if !abs {
		end = now + d
		if end < now {
			end = math.MaxInt64
		}
	}
	if abs {
		remp = 0
	}
	err = c.sleepUntil(id, end, remp, wide)
	if err == unix.EINTR {
		c.resumeAs(nil)
		if !abs {
			c.resumeAs(func(c *Ctx) (uint64, error) { return 0, c.sleepUntil(id, end, remp, wide) })
		}
	}
	return err
}

// sleepUntil sleeps until clock id shows end. What remains when a signal comes
// goes to remp, if that is not 0.
func (c *Ctx) sleepUntil(id int, end time.Duration, remp uint64, wide bool) error {
	now, err := c.clockNow(id)
	for err == nil && now < end {
		woken := c.sleep(end - now)
		if now, err = c.clockNow(id); err != nil || !woken {
			continue
		}
		if remp != 0 {
			if err := c.putTimespec(remp, wide, timespec(max(0, end-now))); err != nil {
				return err
			}
		}
		return unix.EINTR
	}
	return err
}

func sysGettimeofday(c *Ctx) (uint64, error) {
	tvp, tzp := c.Addr(), c.Addr()
	now, err := c.clockNow(unix.CLOCK_REALTIME)
	if err != nil {
		return 0, err
	}
	if tvp != 0 {
		if err := c.putTimeval(tvp, unix.NsecToTimeval(int64(now))); err != nil {
			return 0, err
		}
	}
	if tzp == 0 {
		return 0, nil
	}
	return 0, c.NewStruct("timezone").Store(c, tzp)
}

func sysSettimeofday(c *Ctx) (uint64, error) {
	tvp, tzp := c.Addr(), c.Addr()
	if tvp != 0 {
		tv, err := c.getTimeval(tvp)
		if err != nil {
			return 0, err
		}
		if tv.Sec < 0 || tv.Usec < 0 || tv.Usec >= 1e6 {
			return 0, unix.EINVAL
		}
	}
	if tzp != 0 {
		if _, err := c.LoadStruct("timezone", tzp); err != nil {
			return 0, err
		}
	}
	return 0, unix.EPERM
}

func sysTime(c *Ctx) (uint64, error) {
	addr := c.Addr()
	clock, err := c.clockNow(unix.CLOCK_REALTIME)
	if err != nil {
		return 0, err
	}
	now := uint64(clock / time.Second)
	if addr != 0 {
		if err := c.WriteWord(addr, now); err != nil {
			return 0, err
		}
	}
	return now, nil
}

func sysStime(c *Ctx) (uint64, error) {
	if _, err := c.ReadWord(c.Addr()); err != nil {
		return 0, err
	}
	return 0, unix.EPERM
}

func sysTimes(c *Ctx) (uint64, error) {
	addr := c.Addr()
	up, err := c.clockNow(unix.CLOCK_BOOTTIME)
	if err != nil {
		return 0, err
	}
	now := ticks(unix.NsecToTimeval(int64(up)))
	if addr != 0 {
		s := c.NewStruct("tms")
		own, ch := c.task().usageOf(unix.RUSAGE_SELF), c.task().usageOf(unix.RUSAGE_CHILDREN)
		s.Set("tms_utime", ticks(own.Utime))
		s.Set("tms_stime", ticks(own.Stime))
		s.Set("tms_cutime", ticks(ch.Utime))
		s.Set("tms_cstime", ticks(ch.Stime))
		if err := s.Store(c, addr); err != nil {
			return 0, err
		}
	}
	return now, nil
}

func (c *Ctx) clockAdjtime(layout string) (uint64, error) {
	id, addr := c.Int(), c.Addr()
	if id != unix.CLOCK_REALTIME {
		if _, err := c.clockNow(id); err != nil {
			return 0, unix.EINVAL
		}
		return 0, unix.EOPNOTSUPP
	}
	return c.adjtime(layout, addr)
}

// adjtime serves the reading half of adjtimex(2).
func (c *Ctx) adjtime(layout string, addr uint64) (uint64, error) {
	s, err := c.LoadStruct(layout, addr)
	if err != nil {
		return 0, err
	}
	const readOnly = 0xa001 // ADJ_OFFSET_SS_READ
	tx := unix.Timex{Modes: uint32(s.Uint("modes"))}
	if tx.Modes != 0 && tx.Modes != readOnly {
		return 0, unix.EPERM
	}
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return 0, err
	}
	for field, v := range map[string]int64{
		"offset": tx.Offset, "freq": tx.Freq, "maxerror": tx.Maxerror, "esterror": tx.Esterror,
		"status": int64(tx.Status), "constant": tx.Constant, "precision": tx.Precision, "tolerance": tx.Tolerance,
		"time.tv_sec": tx.Time.Sec, "time.tv_usec": tx.Time.Usec, "tick": tx.Tick, "ppsfreq": tx.Ppsfreq,
		"jitter": tx.Jitter, "shift": int64(tx.Shift), "stabil": tx.Stabil, "jitcnt": tx.Jitcnt,
		"calcnt": tx.Calcnt, "errcnt": tx.Errcnt, "stbcnt": tx.Stbcnt, "tai": int64(tx.Tai),
	} {
		s.Set(field, uint64(v))
	}
	return uint64(state), s.Store(c, addr)
}
