package syscalls

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// In a machine with a schedule no call of the host may block, since all guests
// would stand still: what may have to wait is tried in the task's turns until
// it need not. See docs/deterministic.md.

// until waits, in a schedule, until done, until a signal ends the wait, or for
// d, forever if that is negative. The result is nil, EINTR or ETIMEDOUT.
func (c *Ctx) until(done func() bool, d time.Duration) error {
	return c.wait(emu.Wait{Ready: func(bool) bool { return done() }}, d)
}

// wait is until with more about the wait.
func (c *Ctx) wait(w emu.Wait, d time.Duration) error {
	intr, done := false, w.Ready
	w.Ready = func(outside bool) bool {
		if done(outside) {
			return true
		}
		intr = c.interrupted()
		return intr
	}
	w.Until = emu.Never
	if d >= 0 {
		w.Until = c.T.Schedule().Now() + d
	}
	switch {
	case !c.T.Await(w):
		return unix.ETIMEDOUT
	case intr:
		return unix.EINTR
	}
	return nil
}

// gone tells whether a channel is closed.
func gone(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// try makes a call of the host that fails with again where it would have had
// to wait, until it does not.
func (c *Ctx) try(again unix.Errno, d time.Duration, call func() error) error {
	var err error
	if e := c.until(func() bool { err = call(); return err != again }, d); e != nil {
		return e
	}
	return err
}

// retry makes a call of the host that waits until something lets it go on: once
// for the host to wait, or with a schedule as often as it fails with again. If
// now, it does not wait.
func (c *Ctx) retry(again unix.Errno, now bool, call func(wait bool) error) error {
	if c.T.Schedule() == nil || now {
		return c.restart(func() error { return call(true) })
	}
	return c.try(again, -1, func() error { return call(false) })
}

// onFile makes a call of the host that may wait for events of a file.
func (c *Ctx) onFile(f *File, events int16, call func() error) error {
	if c.T.Schedule() == nil || !f.waits() {
		return c.restart(call)
	}
	// The world's side of a stream is left to wait for: nobody else is to see
	// that it does not block meanwhile.
	free := events == unix.POLLOUT
	if free && f.outside() {
		return c.restart(call)
	}
	var err error
	fds := []unix.PollFd{{Fd: int32(f.Host), Events: events}}
	e := c.wait(emu.Wait{Files: fds, Outside: f.outside(), Ready: func(outside bool) bool {
		if !outside || !polled(fds) {
			return false
		}
		if free {
			err = unblocked(f.Host, call)
		} else {
			err = call()
		}
		return err != unix.EAGAIN && err != unix.EINTR
	}}, f.patience(events))
	switch {
	case e == unix.ETIMEDOUT && f.sock == nil:
		return c.restart(call) // a terminal that does not wait for more
	case e == unix.ETIMEDOUT:
		return unix.EAGAIN
	case e != nil:
		return e
	}
	return err
}

// polled tells whether one of the events has come.
func polled(fds []unix.PollFd) bool {
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// unblocked makes a call that is not to block on a descriptor that nobody else
// uses meanwhile.
func unblocked(fd int, call func() error) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	err := call()
	if e := unix.SetNonblock(fd, false); err == nil {
		err = e
	}
	return err
}

// waits tells whether calls on the file may have to wait.
func (f *File) waits() bool {
	var st unix.Stat_t
	if unix.Fstat(f.Host, &st) != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK, unix.S_IFLNK:
		return false
	}
	fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	return err == nil && fl&unix.O_NONBLOCK == 0
}

// outside tells whether somebody outside of the machine is at the other end.
func (f *File) outside() bool {
	switch {
	case f.given, f.foreign:
		return true
	case f.sock != nil:
		return f.sock.domain == unix.AF_INET || f.sock.domain == unix.AF_INET6
	}
	t := f.terminal()
	return t != nil && !t.master && t.dev == hostTTY()
}

// patience is how long calls on the file wait at most.
func (f *File) patience(events int16) time.Duration {
	if f.sock != nil {
		opt := unix.SO_RCVTIMEO
		if events == unix.POLLOUT {
			opt = unix.SO_SNDTIMEO
		}
		if tv, err := unix.GetsockoptTimeval(f.Host, unix.SOL_SOCKET, opt); err == nil && tv.Nano() > 0 {
			return time.Duration(tv.Nano())
		}
		return -1
	}
	if events == unix.POLLIN && f.terminal() != nil {
		if t, err := hostTermios(f.Host); err == nil && t.Lflag&unix.ICANON == 0 && t.Cc[unix.VMIN] == 0 {
			return time.Duration(t.Cc[unix.VTIME]) * 100 * time.Millisecond
		}
	}
	return -1
}

// meet notes who is at the other end of a stream that has just been connected.
func (f *File) meet() {
	if u, err := unix.GetsockoptUcred(f.Host, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		f.foreign = int(u.Pid) != os.Getpid()
	}
}

// pollFiles is hostPoll in a schedule. outside are the indices of what the
// outside world has a part in.
func (c *Ctx) pollFiles(fds []unix.PollFd, t timeout) (n int, err error) {
	inside := slices.Clone(fds)
	some := false
	for i := range inside {
		if c.outside[inside[i].Fd] {
			inside[i].Fd, some = -1, true
		}
	}
	left := time.Duration(-1)
	if !t.never {
		left = time.Duration(t.left().Nano())
	}
	if left == 0 { // it does not wait
		return unix.Poll(fds, 0)
	}
	e := c.wait(emu.Wait{Files: fds, Outside: some, Ready: func(outside bool) bool {
		look := fds
		if !outside {
			look = inside
		}
		n, err = unix.Poll(look, 0)
		if n > 0 && !outside {
			for i := range look {
				fds[i].Revents = look[i].Revents
			}
		}
		return n > 0 || err != nil
	}}, left)
	switch e {
	case unix.ETIMEDOUT:
		return 0, nil
	case nil:
		return n, err
	}
	return 0, e
}

// noteOutside notes that a descriptor of the host has something of the outside world
// behind it.
func (c *Ctx) noteOutside(f *File) {
	if c.T.Schedule() != nil && f.outside() {
		if c.outside == nil {
			c.outside = map[int32]bool{}
		}
		c.outside[int32(f.Host)] = true
	}
}
