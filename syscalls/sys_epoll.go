package syscalls

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

var epollRows = []Row{
	{Name: "epoll_create", Fn: sysEpollCreate, Level: Full},
	{Name: "epoll_create1", Fn: func(c *Ctx) (uint64, error) { return epollCreate(c, c.Uint()) }, Level: Full},
	{Name: "epoll_ctl", Fn: sysEpollCtl, Level: Full},
	{Name: "epoll_wait", Fn: sysEpollWait, Level: Full},
	{Name: "epoll_pwait", Fn: sysEpollPwait, Level: Full},
	{Name: "epoll_pwait2", Fn: sysEpollPwait2, Level: Full},
}

// watch is that an epoll instance watches a file by a descriptor. Descriptors
// that dup made of one are several to it, and one of the host's here: the
// host's of the file is used for the first, another for each that follows.
type watch struct {
	ep   *File
	fd   int
	host int
}

// watch is epoll_ctl(2) for the file under a descriptor.
func (f *File) watch(ep *File, op, fd int, ev *unix.EpollEvent) error {
	f.watchMu.Lock()
	defer f.watchMu.Unlock()
	i := slices.IndexFunc(f.watches, func(w watch) bool { return w.ep == ep && w.fd == fd })
	switch {
	case i < 0 && op == unix.EPOLL_CTL_ADD:
		return f.addWatch(ep, fd, ev)
	case i < 0 && f.watchedBy(ep):
		return unix.ENOENT
	case i < 0: // the host has its own word for what is wrong
		return unix.EpollCtl(ep.Host, op, f.Host, ev)
	}
	host := f.watches[i].host
	err := unix.EpollCtl(ep.Host, op, host, ev)
	if op == unix.EPOLL_CTL_DEL && err == nil {
		f.watches = slices.Delete(f.watches, i, i+1)
		f.closeWatch(host)
		ep.watching.Add(-1)
	}
	return err
}

// watchedBy tells whether ep watches the file by the host's descriptor of it.
func (f *File) watchedBy(ep *File) bool {
	return slices.ContainsFunc(f.watches, func(w watch) bool { return w.ep == ep && w.host == f.Host })
}

func (f *File) addWatch(ep *File, fd int, ev *unix.EpollEvent) error {
	f.watches = slices.DeleteFunc(f.watches, func(w watch) bool {
		gone := w.ep.refs.Load() <= 0
		if gone {
			f.closeWatch(w.host)
		}
		return gone
	})
	host := f.Host
	if f.watchedBy(ep) {
		var err error
		if host, err = unix.FcntlInt(uintptr(host), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
	}
	if err := unix.EpollCtl(ep.Host, unix.EPOLL_CTL_ADD, host, ev); err != nil {
		f.closeWatch(host)
		return err
	}
	f.watches = append(f.watches, watch{ep, fd, host})
	ep.watching.Add(1)
	return nil
}

func (f *File) closeWatch(host int) {
	if host != f.Host {
		unix.Close(host)
	}
}

// unwatch ends the watching of a file that is closed.
func (f *File) unwatch() {
	f.watchMu.Lock()
	defer f.watchMu.Unlock()
	for _, w := range f.watches {
		f.closeWatch(w.host)
		w.ep.watching.Add(-1)
	}
	f.watches = nil
}

func sysEpollCreate(c *Ctx) (uint64, error) {
	if c.Int() <= 0 {
		return 0, unix.EINVAL
	}
	return epollCreate(c, 0)
}

func epollCreate(c *Ctx, flags uint32) (uint64, error) {
	host, rest := OpenFlags.Host(c.A, uint64(flags))
	if rest != 0 || host&^unix.O_CLOEXEC != 0 {
		return 0, unix.EINVAL
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return 0, err
	}
	return c.install(&File{Host: fd}, host != 0)
}

func sysEpollCtl(c *Ctx) (uint64, error) {
	epfd, op, fd, at := c.Int(), c.Int(), c.Int(), c.Addr()
	var ev unix.EpollEvent
	if op != unix.EPOLL_CTL_DEL {
		s, err := c.LoadStruct("epoll_event", at)
		if err != nil {
			return 0, err
		}
		ev.Events = uint32(s.Uint("events"))
		data := s.Uint("data")
		ev.Fd, ev.Pad = int32(data), int32(data>>32)
	}
	ep, f, err := c.twoFiles(epfd, fd)
	if err != nil {
		return 0, err
	}
	if ep == f {
		return 0, unix.EINVAL
	}
	ep.foreign = ep.foreign || c.T.Schedule() != nil && f.outside()
	return 0, f.watch(ep, op, fd, &ev)
}

// epollMax bounds the events of one wait on an instance that watches no more
// than that, as far as is known of one from outside.
const epollMax = 256

func (c *Ctx) epollWait(fd int, at uint64, count int, t timeout) (uint64, error) {
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	size := c.A.Layout["epoll_event"].Size
	if count <= 0 || count > (1<<31-1)/size {
		return 0, unix.EINVAL
	}
	most := min(count, max(epollMax, int(f.watching.Load())))
	if err := c.writable(at, uint64(most*size)); err != nil {
		return 0, err
	}
	c.showAll()
	c.noteOutside(f)
	evs := make([]unix.EpollEvent, most)
	n, err := unix.EpollWait(f.Host, evs, 0)
	if err == nil && n == 0 && c.T.Schedule() == nil {
		n, err = c.epollSleep(f, evs, t)
	}
	if err == unix.ENOSYS || err == nil && n == 0 && c.T.Schedule() != nil {
		// The timeout of poll is as fine as any, on each kernel.
		if _, err = c.hostPoll([]unix.PollFd{{Fd: int32(f.Host), Events: unix.POLLIN}}, t); err == nil {
			n, err = unix.EpollWait(f.Host, evs, 0)
		}
	}
	if err != nil {
		return 0, err
	}
	for i, ev := range evs[:n] {
		s := c.NewStruct("epoll_event")
		s.Set("events", uint64(ev.Events))
		s.Set("data", uint64(uint32(ev.Fd))|uint64(uint32(ev.Pad))<<32)
		if err := s.Store(c, at+uint64(i*size)); err != nil {
			return 0, err
		}
	}
	return uint64(n), nil
}

// epollSleep waits as epoll_pwait2(2), ENOSYS if the host does not have it: of
// several that wait for the same event so, the host wakes one.
func (c *Ctx) epollSleep(f *File, evs []unix.EpollEvent, t timeout) (n int, err error) {
	err = c.restart(func() error {
		r, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(f.Host), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)),
			uintptr(unsafe.Pointer(t.left())), 0, 0)
		n = int(r)
		return asError(e)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func sysEpollWait(c *Ctx) (uint64, error) {
	fd, at, n, ms := c.Int(), c.Addr(), c.Int(), c.Int()
	return c.epollWait(fd, at, n, c.millis(ms))
}

func sysEpollPwait(c *Ctx) (uint64, error) {
	fd, at, n, ms, mask, size := c.Int(), c.Addr(), c.Int(), c.Int(), c.Addr(), c.Size()
	if err := c.sigmask(mask, size); err != nil {
		return 0, err
	}
	return c.epollWait(fd, at, n, c.millis(ms))
}

func sysEpollPwait2(c *Ctx) (uint64, error) {
	fd, at, n, tsAt, mask, size := c.Int(), c.Addr(), c.Int(), c.Addr(), c.Addr(), c.Size()
	t, err := c.deadline(tsAt, true)
	if err != nil {
		return 0, err
	}
	if err := c.sigmask(mask, size); err != nil {
		return 0, err
	}
	return c.epollWait(fd, at, n, t)
}
