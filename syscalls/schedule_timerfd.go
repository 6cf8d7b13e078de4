package syscalls

import (
	"time"

	"golang.org/x/sys/unix"
)

// In a schedule a timerfd is a counter of the host to which a timer of the
// machine's clock adds.

func (c *Ctx) timerfd(clock, flags int, cloexec bool) (uint64, error) {
	switch clock {
	case unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC, unix.CLOCK_BOOTTIME, unix.CLOCK_REALTIME_ALARM, unix.CLOCK_BOOTTIME_ALARM:
	default:
		return 0, unix.EINVAL
	}
	fd, err := unix.Eventfd(0, flags|unix.EFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	t := &clockTimer{p: c.P, clock: clock}
	t.fire = func(missed uint64) { addCount(fd, missed+1) }
	return c.install(&File{Host: fd, kind: counterFile, timer: t, closed: func() { t.set(0, 0, false) }}, cloexec)
}

// addCount adds to a counter of the host.
func addCount(fd int, n uint64) {
	var b [8]byte
	hostOrder.PutUint64(b[:], n)
	_, _ = unix.Write(fd, b[:]) // 2^64 expiries do not come
}

// setTimerfd is timerfd_settime.
func (c *Ctx) setTimerfd(f *File, flags int, set *unix.ItimerSpec) (*unix.ItimerSpec, error) {
	const absolute, cancel = 1, 2 // TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
	if flags&^(absolute|cancel) != 0 || !validTime(set.Value) || !validTime(set.Interval) {
		return nil, unix.EINVAL
	}
	d, interval := duration(set.Value), duration(set.Interval)
	var left, was time.Duration
	var err error
	if flags&absolute != 0 {
		left, was = f.timer.set(d, interval, d > 0)
	} else if left, was, err = f.timer.setIn(d, interval); err != nil {
		return nil, err
	}
	if polled([]unix.PollFd{{Fd: int32(f.Host), Events: unix.POLLIN}}) {
		_, _ = unix.Read(f.Host, make([]byte, 8)) // what it has counted is forgotten
	}
	return itimerspec(left, was), nil
}
