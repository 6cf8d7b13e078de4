package syscalls

import (
	"time"

	"golang.org/x/sys/unix"
)

// openFIFO opens a FIFO in a schedule, where the host's call would wait for
// the other end; open is that call with more flags.
func (c *Ctx) openFIFO(flags uint64, open func(more uint64) (int, error)) (fd int, err error) {
	ready := func() bool {
		fd, err = open(unix.O_NONBLOCK)
		return err != unix.ENXIO
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		if fd, err = open(unix.O_NONBLOCK); err != nil {
			return -1, err
		}
		ready = func() bool { return hasWriter(fd) }
	}
	// Nothing tells when somebody outside of the machine opens it.
	const again = 10 * time.Millisecond
	e := error(unix.ETIMEDOUT)
	for e == unix.ETIMEDOUT {
		e = c.until(ready, again)
	}
	if e != nil {
		if err == nil {
			unix.Close(fd)
		}
		return -1, e
	}
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	return fd, err
}

// hasWriter tells whether there is, or has been, a writer at the other end of
// a FIFO that does not block.
func hasWriter(fd int) bool {
	if polled([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}) {
		return true
	}
	_, err := unix.Read(fd, make([]byte, 1))
	return err == unix.EAGAIN
}

// move makes a call of the host that moves bytes between two files.
func (c *Ctx) move(in, out *File, call func() error) error {
	if c.T.Schedule() == nil {
		return c.restart(call)
	}
	if in.waits() {
		if err := c.onFile(in, unix.POLLIN, func() error { return nil }); err != nil {
			return err
		}
	}
	return c.onFile(out, unix.POLLOUT, call)
}
