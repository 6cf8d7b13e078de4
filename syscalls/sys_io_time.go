package syscalls

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// timespecName is the layout of a struct timespec: the wide one of the calls
// that end in 64, else the one in longs.
func timespecName(wide bool) string {
	if wide {
		return "__kernel_timespec"
	}
	return "timespec"
}

// getTimespec reads a struct timespec. Of a wide one, 32-bit programs may
// leave the upper half of the nanoseconds unset (get_timespec64).
func (c *Ctx) getTimespec(addr uint64, wide bool) (unix.Timespec, error) {
	s, err := c.LoadStruct(timespecName(wide), addr)
	if err != nil {
		return unix.Timespec{}, err
	}
	return c.timespecOf(s, ""), nil
}

// timespecOf takes a timespec out of a structure; prefix names the field with
// a dot after it.
func (c *Ctx) timespecOf(s *Struct, prefix string) unix.Timespec {
	ts := unix.Timespec{Sec: s.Int(prefix + "tv_sec"), Nsec: s.Int(prefix + "tv_nsec")}
	if c.A.Word == 4 {
		ts.Nsec = int64(int32(ts.Nsec))
	}
	return ts
}

// putTimespec writes a struct timespec, without its layout: two longs, or two
// of 64 bits. Programs read clocks more often than they make any other call.
func (c *Ctx) putTimespec(addr uint64, wide bool, ts unix.Timespec) error {
	b, n := make([]byte, 16), c.A.Word
	if wide {
		n = 8
	}
	putUint(c.A, b[:n], uint64(ts.Sec))
	putUint(c.A, b[n:2*n], uint64(ts.Nsec))
	return c.Space().CopyOut(b[:2*n], addr)
}

// getTimeval reads a struct timeval in longs.
func (c *Ctx) getTimeval(addr uint64) (unix.Timeval, error) {
	s, err := c.LoadStruct("timeval", addr)
	if err != nil {
		return unix.Timeval{}, err
	}
	return unix.Timeval{Sec: s.Int("tv_sec"), Usec: s.Int("tv_usec")}, nil
}

// putTimeval writes a struct timeval in longs.
func (c *Ctx) putTimeval(addr uint64, tv unix.Timeval) error {
	s := c.NewStruct("timeval")
	s.Set("tv_sec", uint64(tv.Sec))
	s.Set("tv_usec", uint64(tv.Usec))
	return s.Store(c, addr)
}

// restart makes a blocking call of the host, and makes it again when only the
// host process got a signal.
func (c *Ctx) restart(call func() error) error {
	for {
		var err error
		c.Block(func() { err = call() })
		if !errors.Is(err, unix.EINTR) || c.interrupted() {
			return err
		}
	}
}

// timeout is the end of a wait: nil in the call's argument means no end.
type timeout struct {
	p     *Process
	end   time.Duration // of CLOCK_MONOTONIC
	never bool
}

// newTimeout starts a wait for ts. EINVAL if it is not a proper time.
func (c *Ctx) newTimeout(ts unix.Timespec) (timeout, error) {
	if ts.Sec < 0 || ts.Nsec < 0 || ts.Nsec >= 1e9 {
		return timeout{}, unix.EINVAL
	}
	const most = 1 << 32 // seconds; no wait gets there
	now, err := c.P.now(unix.CLOCK_MONOTONIC)
	return timeout{p: c.P, end: now + time.Duration(min(ts.Sec, most))*time.Second + time.Duration(ts.Nsec)}, err
}

// left is what remains of the wait, nil if it has no end.
func (t timeout) left() *unix.Timespec {
	if t.never {
		return nil
	}
	var ts unix.Timespec
	if t.p == nil {
		return &ts // over from the start
	}
	if now, err := t.p.now(unix.CLOCK_MONOTONIC); err == nil {
		ts = timespec(max(0, t.end-now))
	}
	return &ts
}
