package syscalls

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

var pollRows = []Row{
	{Name: "poll", Fn: sysPoll, Level: Full},
	{Name: "ppoll", Fn: func(c *Ctx) (uint64, error) { return ppoll(c, false) }, Level: Full},
	{Name: "ppoll_time64", Fn: func(c *Ctx) (uint64, error) { return ppoll(c, true) }, Level: Full},
	{Name: "select", Fn: sysSelect, Level: Full},
	{Name: "_newselect", Fn: sysSelect, Level: Full},
	{Name: "old_select", Fn: sysOldSelect, Level: Full},
	{Name: "guess_select", Fn: sysGuessSelect, Level: Full},
	{Name: "pselect6", Fn: func(c *Ctx) (uint64, error) { return pselect6(c, false) }, Level: Full},
	{Name: "pselect6_time64", Fn: func(c *Ctx) (uint64, error) { return pselect6(c, true) }, Level: Full},
}

// forever is the wait without an end.
var forever = timeout{never: true}

// millis is the timeout of poll and epoll_wait.
func (c *Ctx) millis(ms int) timeout {
	if ms < 0 {
		return forever
	}
	t, _ := c.newTimeout(unix.NsecToTimespec(int64(ms) * 1e6)) // always a proper time
	return t
}

// hostPoll waits as ppoll(2), and goes on waiting when only the host process
// got a signal.
func (c *Ctx) hostPoll(fds []unix.PollFd, t timeout) (n int, err error) {
	if c.T.Schedule() != nil {
		return c.pollFiles(fds, t)
	}
	err = c.restart(func() error {
		n, err = unix.Ppoll(fds, t.left(), nil)
		return err
	})
	return n, err
}

// hostFDs puts the host's descriptors into pollfd entries that have the
// guest's; it returns how many of those are not open.
func (c *Ctx) hostFDs(fds []unix.PollFd) (invalid int) {
	for i := range fds {
		p := &fds[i]
		if p.Fd < 0 {
			p.Fd = -1
			continue
		}
		f, err := c.file(int(p.Fd))
		if err != nil {
			p.Fd, p.Revents = -1, unix.POLLNVAL
			invalid++
			continue
		}
		if f.kind == signalFile {
			c.showSignals(f)
		}
		p.Fd = int32(f.Host)
		c.noteOutside(f)
	}
	return invalid
}

// poll serves poll and its kin on an array of struct pollfd.
func (c *Ctx) poll(addr uint64, count uint32, t timeout) (uint64, error) {
	if uint64(count) > c.P.Limits[unix.RLIMIT_NOFILE].Cur {
		return 0, unix.EINVAL
	}
	const size = 8 // int fd; short events, revents: the same everywhere
	if _, err := c.Space().User(addr, uint64(count)*size, arch.Read); err != nil {
		return 0, err
	}
	raw := make([]byte, uint64(count)*size)
	if err := c.Space().CopyIn(raw, addr); err != nil {
		return 0, err
	}
	fds := make([]unix.PollFd, count)
	for i := range fds {
		b := raw[i*size:]
		events, _ := PollEvents.Host(c.A, uint64(c.A.Order.Uint16(b[4:])))
		fds[i] = unix.PollFd{Fd: int32(c.A.Order.Uint32(b)), Events: int16(events)}
	}
	invalid := c.hostFDs(fds)
	if invalid > 0 {
		t = timeout{} // already over
	}
	bad := make([]int16, len(fds))
	for i := range fds {
		bad[i] = fds[i].Revents
	}
	n, err := c.hostPoll(fds, t)
	if err != nil {
		return 0, err
	}
	for i := range fds {
		rev := PollEvents.Guest(c.A, uint64(uint16(fds[i].Revents|bad[i])))
		c.A.Order.PutUint16(raw[i*size+6:], uint16(rev))
	}
	return uint64(n + invalid), c.Space().CopyOut(raw, addr)
}

func sysPoll(c *Ctx) (uint64, error) {
	addr, n, ms := c.Addr(), c.Uint(), c.Int()
	t := c.millis(ms)
	v, err := c.poll(addr, n, t)
	if err == unix.EINTR {
		c.resumeAs(func(c *Ctx) (uint64, error) { return c.poll(addr, n, t) })
	}
	return v, err
}

// deadline reads the timeout of ppoll and pselect6; a null pointer is none.
func (c *Ctx) deadline(addr uint64, wide bool) (timeout, error) {
	if addr == 0 {
		return forever, nil
	}
	ts, err := c.getTimespec(addr, wide)
	if err != nil {
		return forever, err
	}
	return c.newTimeout(ts)
}

// remains tells the guest what is left of its timeout; a pointer that cannot
// be written is no error by then.
func (c *Ctx) remains(addr uint64, wide bool, t timeout) {
	if addr != 0 && c.P.Persona&stickyTimeouts == 0 {
		_ = c.putTimespec(addr, wide, *t.left())
	}
}

func ppoll(c *Ctx, wide bool) (uint64, error) {
	addr, n, at, mask, size := c.Addr(), c.Uint(), c.Addr(), c.Addr(), c.Size()
	t, err := c.deadline(at, wide)
	if err != nil {
		return 0, err
	}
	if err := c.sigmask(mask, size); err != nil {
		return 0, err
	}
	v, err := c.poll(addr, n, t)
	c.remains(at, wide, t)
	return v, err
}

// Events that package unix does not name (asm-generic/poll.h).
const (
	pollRdNorm = 0x40
	pollRdBand = 0x80
	pollWrNorm = 0x100
	pollWrBand = 0x200
)

// What select's sets mean in events of poll (POLLIN_SET and its kin, fs/select.c).
const (
	selectIn  = pollRdNorm | pollRdBand | unix.POLLIN | unix.POLLHUP | unix.POLLERR
	selectOut = pollWrBand | pollWrNorm | unix.POLLOUT | unix.POLLERR
	selectEx  = unix.POLLPRI
)

// fdSet is one of select's three sets.
type fdSet struct {
	addr  uint64
	mask  int16
	words []byte // as the guest has it
}

func (c *Ctx) bit(words []byte, fd int) (word []byte, bit uint64) {
	w := c.A.Word
	at := fd / (8 * w) * w
	return words[at : at+w], 1 << (fd % (8 * w))
}

// maxSelect bounds select's count, as the size of the descriptor table does
// in the kernel.
const maxSelect = 1 << 20

// selectFiles serves select and its kin.
func (c *Ctx) selectFiles(n int, in, out, ex uint64, t timeout) (uint64, error) {
	if n < 0 {
		return 0, unix.EINVAL
	}
	n = min(n, maxSelect, int(min(c.P.Limits[unix.RLIMIT_NOFILE].Cur, maxSelect)))
	size := align(n, 8*c.A.Word) / 8
	sets := [3]fdSet{{addr: in, mask: selectIn}, {addr: out, mask: selectOut}, {addr: ex, mask: selectEx}}
	for i := range sets {
		s := &sets[i]
		s.words = make([]byte, size)
		if s.addr != 0 {
			if err := c.Space().CopyIn(s.words, s.addr); err != nil {
				return 0, err
			}
		}
	}
	fds, guest := c.selected(sets[:], n)
	if c.hostFDs(fds) > 0 {
		return 0, unix.EBADF
	}
	if _, err := c.hostPoll(fds, t); err != nil {
		return 0, err
	}
	total := uint64(0)
	for i := range sets {
		got := make([]byte, size)
		for j, fd := range guest {
			w, bit := c.bit(sets[i].words, fd)
			if getUint(c.A, w)&bit == 0 || fds[j].Revents&sets[i].mask == 0 {
				continue
			}
			w, _ = c.bit(got, fd)
			putUint(c.A, w, getUint(c.A, w)|bit)
			total++
		}
		if sets[i].addr != 0 {
			if err := c.Space().CopyOut(got, sets[i].addr); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// selected are the descriptors that are in any of the sets, with the events to
// wait for.
func (c *Ctx) selected(sets []fdSet, n int) (fds []unix.PollFd, guest []int) {
	zero := make([]byte, c.A.Word)
	for fd := 0; fd < n; fd++ {
		var events int16
		busy := false
		for _, s := range sets {
			w, bit := c.bit(s.words, fd)
			busy = busy || !bytes.Equal(w, zero)
			if getUint(c.A, w)&bit != 0 {
				events |= s.mask
			}
		}
		if events != 0 {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: events})
			guest = append(guest, fd)
		}
		if !busy {
			fd |= 8*c.A.Word - 1 // nothing in the rest of the word
		}
	}
	return fds, guest
}

func sysSelect(c *Ctx) (uint64, error) {
	n, in, out, ex, at := c.Int(), c.Addr(), c.Addr(), c.Addr(), c.Addr()
	return c.selectTimeval(n, in, out, ex, at)
}

func sysOldSelect(c *Ctx) (uint64, error) {
	s, err := c.LoadStruct("sel_arg_struct", c.Addr())
	if err != nil {
		return 0, err
	}
	return c.selectTimeval(int(int32(s.Int("n"))), s.Uint("inp"), s.Uint("outp"), s.Uint("exp"), s.Uint("tvp"))
}

// sysGuessSelect is ppc_select, for programs from when it was the old one.
func sysGuessSelect(c *Ctx) (uint64, error) {
	const most = 4096
	old := c.Addr() >= most
	c.Rewind(0)
	if old {
		return sysOldSelect(c)
	}
	return sysSelect(c)
}

func (c *Ctx) selectTimeval(n int, in, out, ex, at uint64) (uint64, error) {
	t := forever
	if at != 0 {
		tv, err := c.getTimeval(at)
		if err != nil {
			return 0, err
		}
		if tv.Sec < 0 || tv.Usec < 0 {
			return 0, unix.EINVAL
		}
		// Too many microseconds carry over, as in kern_select.
		if t, err = c.newTimeout(unix.Timespec{Sec: tv.Sec + tv.Usec/1e6, Nsec: tv.Usec % 1e6 * 1000}); err != nil {
			return 0, err
		}
	}
	v, err := c.selectFiles(n, in, out, ex, t)
	if at != 0 && c.P.Persona&stickyTimeouts == 0 {
		left := t.left()
		_ = c.putTimeval(at, unix.Timeval{Sec: left.Sec, Usec: left.Nsec / 1000}) // no error by then
	}
	return v, err
}

func pselect6(c *Ctx, wide bool) (uint64, error) {
	n, in, out, ex, at, pack := c.Int(), c.Addr(), c.Addr(), c.Addr(), c.Addr(), c.Addr()
	var mask, size uint64
	if pack != 0 {
		s, err := c.LoadStruct("sigset_argpack", pack)
		if err != nil {
			return 0, err
		}
		mask, size = s.Uint("p"), s.Uint("size")
	}
	t, err := c.deadline(at, wide)
	if err != nil {
		return 0, err
	}
	if err := c.sigmask(mask, size); err != nil {
		return 0, err
	}
	v, err := c.selectFiles(n, in, out, ex, t)
	c.remains(at, wide, t)
	return v, err
}
