package syscalls

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// What the clocks of a machine with a schedule show at its start: midnight of
// 1 January 2030 UTC, a thousand seconds after it was switched on. All files
// of the host are older, so that what a guest makes is newer than those.
const (
	epoch = 1893456000 * time.Second
	since = 1000 * time.Second
)

// scheduled is a clock of a machine with a schedule, EINVAL if there is none of
// that number.
func scheduled(s *emu.Schedule, id int) (time.Duration, error) {
	switch id {
	case unix.CLOCK_REALTIME, unix.CLOCK_REALTIME_COARSE, unix.CLOCK_REALTIME_ALARM:
		return epoch + s.Now(), nil
	case unix.CLOCK_TAI:
		const leap = 37 * time.Second
		return epoch + leap + s.Now(), nil
	case unix.CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_MONOTONIC_COARSE, unix.CLOCK_BOOTTIME, unix.CLOCK_BOOTTIME_ALARM:
		return since + s.Now(), nil
	}
	return 0, unix.EINVAL
}

// now reads a clock that hostClock has told of.
func (p *Process) now(id int) (time.Duration, error) {
	if d, ok := p.cpuClock(id); ok {
		return d, nil
	}
	if s := p.K.cfg.Schedule; s != nil {
		return scheduled(s, id)
	}
	return hostNow(id)
}

// alarm is what calls a function later.
type alarm interface{ Stop() }

type hostAlarm struct{ *time.Timer }

func (a hostAlarm) Stop() { a.Timer.Stop() }

// after calls f in d from now, with busy of the time that tasks run.
func (p *Process) after(d time.Duration, busy bool, f func()) alarm {
	if s := p.K.cfg.Schedule; s != nil {
		return s.AfterFunc(d, busy, f)
	}
	return hostAlarm{time.AfterFunc(d, f)}
}

// bootTime is CLOCK_BOOTTIME, in nanoseconds, for a process that is made.
func (k *Kernel) bootTime() int64 {
	if s := k.cfg.Schedule; s != nil {
		return int64(since + s.Now())
	}
	now, err := hostNow(unix.CLOCK_BOOTTIME)
	if err != nil {
		return 0
	}
	return int64(now)
}

// random fills b with random bytes; flags are those of getrandom(2).
func (c *Ctx) random(b []byte, flags int) (n int, err error) {
	if r := c.K.cfg.Random; r != nil {
		return r.Read(b)
	}
	err = c.restart(func() error {
		n, err = unix.Getrandom(b, flags)
		return err
	})
	return n, err
}
