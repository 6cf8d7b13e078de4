package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// twoFiles takes two descriptors that are not next to each other, by the
// numbers given.
func (c *Ctx) twoFiles(a, b int) (x, y *File, err error) {
	if x, err = c.file(a); err != nil {
		return nil, nil, err
	}
	y, err = c.file(b)
	return x, y, err
}

func sendfile(c *Ctx, wide bool) (uint64, error) {
	outFD, inFD, at, count := c.Int(), c.Int(), c.Addr(), c.Size()
	in, out, err := c.twoFiles(inFD, outFD)
	if err != nil {
		return 0, err
	}
	wide = wide || c.A.Word == 8
	off, err := c.offset(at, wide)
	if err != nil {
		return 0, err
	}
	n := 0
	err = c.move(in, out, func() (err error) {
		n, err = unix.Sendfile(out.Host, in.Host, off, int(min(count, maxRW)))
		return err
	})
	if err != nil {
		return 0, c.pipeSignal(err)
	}
	return uint64(n), c.storeOffset(at, wide, off)
}

// offset reads a file offset that a pointer may lead to; nil for none.
func (c *Ctx) offset(at uint64, wide bool) (*int64, error) {
	if at == 0 {
		return nil, nil
	}
	var off int64
	if wide {
		v, err := c.Read64(at)
		off = int64(v)
		if err != nil {
			return nil, err
		}
	} else {
		v, err := c.Read32(at)
		off = int64(int32(v))
		if err != nil {
			return nil, err
		}
	}
	return &off, nil
}

func (c *Ctx) storeOffset(at uint64, wide bool, off *int64) error {
	switch {
	case off == nil:
		return nil
	case wide:
		return c.Write64(at, uint64(*off))
	}
	return c.Write32(at, uint32(*off))
}

// transfer serves the calls that move bytes between two files at offsets in
// memory.
func transfer(c *Ctx, move func(in int, inOff *int64, out int, outOff *int64, n, flags int) (int, error)) (uint64, error) {
	inFD, inAt, outFD, outAt, n, flags := c.Int(), c.Addr(), c.Int(), c.Addr(), c.Size(), c.Uint()
	in, out, err := c.twoFiles(inFD, outFD)
	if err != nil {
		return 0, err
	}
	inOff, err := c.offset(inAt, true)
	if err != nil {
		return 0, err
	}
	outOff, err := c.offset(outAt, true)
	if err != nil {
		return 0, err
	}
	done := 0
	err = c.move(in, out, func() (err error) {
		done, err = move(in.Host, inOff, out.Host, outOff, int(min(n, maxRW)), int(flags))
		return err
	})
	if err != nil {
		return 0, c.pipeSignal(err)
	}
	if err := c.storeOffset(inAt, true, inOff); err != nil {
		return 0, err
	}
	return uint64(done), c.storeOffset(outAt, true, outOff)
}

func sysSplice(c *Ctx) (uint64, error) {
	return transfer(c, func(in int, inOff *int64, out int, outOff *int64, n, flags int) (int, error) {
		done, err := unix.Splice(in, inOff, out, outOff, n, flags)
		return int(done), err
	})
}

func sysCopyFileRange(c *Ctx) (uint64, error) { return transfer(c, unix.CopyFileRange) }

func sysTee(c *Ctx) (uint64, error) {
	inFD, outFD, n, flags := c.Int(), c.Int(), c.Size(), c.Uint()
	in, out, err := c.twoFiles(inFD, outFD)
	if err != nil {
		return 0, err
	}
	var done int64
	err = c.move(in, out, func() (err error) {
		done, err = unix.Tee(in.Host, out.Host, int(min(n, maxRW)), int(flags))
		return err
	})
	return uint64(max(done, 0)), c.pipeSignal(err)
}

// sysVmsplice moves bytes by copying: pages of the guest's memory can be given
// to no one. SPLICE_F_GIFT is only a hint.
func sysVmsplice(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, count, flags := c.Addr(), c.Size(), c.Uint()
	const known = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK | unix.SPLICE_F_MORE | unix.SPLICE_F_GIFT
	if flags&^known != 0 {
		return 0, unix.EINVAL
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.Host, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return 0, unix.EBADF
	}
	fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil {
		return 0, err
	}
	prot, events := arch.Read, int16(unix.POLLOUT)
	if fl&unix.O_ACCMODE == unix.O_RDONLY {
		prot, events = arch.Write, unix.POLLIN
	}
	b, err := c.iovecs(addr, count, prot)
	if err != nil {
		return 0, err
	}
	n := 0
	err = c.onFile(f, events, func() (err error) {
		n, err = unix.Vmsplice(f.Host, hostIovecs(b), int(flags))
		return err
	})
	return uint64(max(n, 0)), c.pipeSignal(err)
}

func hostIovecs(b [][]byte) []unix.Iovec {
	var iov []unix.Iovec
	for _, s := range b {
		v := unix.Iovec{Base: unsafe.SliceData(s)}
		v.SetLen(len(s))
		iov = append(iov, v)
	}
	return iov
}

func truncate(c *Ctx, length func(*Ctx) int64) (uint64, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, true)
	if err != nil {
		return 0, err
	}
	n := length(c)
	if err := c.lengthAllowed(n); err != nil {
		return 0, err
	}
	if err := c.mayWrite(p, unix.OpenHow{Flags: unix.O_WRONLY | unix.O_NONBLOCK | unix.O_CLOEXEC}); err != nil {
		return 0, err
	}
	return 0, c.restart(func() error { return unix.Truncate(p.host(), n) })
}

func ftruncate(c *Ctx, length func(*Ctx) int64) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	n := length(c)
	if err := c.lengthAllowed(n); err != nil {
		return 0, err
	}
	return 0, c.restart(func() error { return unix.Ftruncate(f.Host, n) })
}

// lengthAllowed checks a new length of a file against RLIMIT_FSIZE.
func (c *Ctx) lengthAllowed(n int64) error {
	if n >= 0 && uint64(n) > c.P.Limits[unix.RLIMIT_FSIZE].Cur {
		return c.tooBig()
	}
	return nil
}

func sysFallocate(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	mode, off, n := c.Uint(), c.I64(), c.I64()
	return 0, c.restart(func() error { return unix.Fallocate(f.Host, mode, off, n) })
}

// sysFadvise64 has a length in a size_t, unlike sysFadvise6464.
func sysFadvise64(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	off, n, advice := c.I64(), c.Size(), c.Int()
	return 0, unix.Fadvise(f.Host, off, int64(n), advice)
}

// sysFadvise6464 has two 64-bit arguments; where they would not fit the
// registers otherwise, the advice comes before them.
func sysFadvise6464(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	advice := 0
	if c.A.ABI.AdviceSecond {
		advice = c.Int()
	}
	off, n := c.I64(), c.I64()
	if !c.A.ABI.AdviceSecond {
		advice = c.Int()
	}
	return 0, unix.Fadvise(f.Host, off, n, advice)
}

func sysReadahead(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	off, n := c.I64(), c.Size()
	return 0, readahead(f.Host, off, n)
}

func sysSync(c *Ctx) (uint64, error) {
	c.Block(unix.Sync)
	return 0, nil
}

// onFile serves the calls that take a descriptor alone.
func onFile(c *Ctx, call func(fd int) error) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	return 0, c.restart(func() error { return call(f.Host) })
}

func sysSyncFileRange(c *Ctx) (uint64, error) {
	fd, off, n, flags := c.Int(), c.I64(), c.I64(), c.Uint()
	return syncFileRange(c, fd, off, n, flags)
}

// sysSyncFileRange2 has its flags second, where the registers want it so.
func sysSyncFileRange2(c *Ctx) (uint64, error) {
	fd, flags, off, n := c.Int(), c.Uint(), c.I64(), c.I64()
	return syncFileRange(c, fd, off, n, flags)
}

func syncFileRange(c *Ctx, fd int, off, n int64, flags uint32) (uint64, error) {
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	return 0, c.restart(func() error { return unix.SyncFileRange(f.Host, off, n, int(flags)) })
}

func eventfd(c *Ctx, count, flags uint32) (uint64, error) {
	const semaphore = 1 // EFD_SEMAPHORE
	host, rest := OpenFlags.Host(c.A, uint64(flags&^semaphore))
	if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
		return 0, unix.EINVAL
	}
	fd, err := unix.Eventfd(uint(count), int(host)|int(flags&semaphore)|unix.EFD_CLOEXEC)
	return c.installHost(fd, err, counterFile, host&unix.O_CLOEXEC != 0)
}

func sysTimerfdCreate(c *Ctx) (uint64, error) {
	clock, flags := c.Int(), c.Uint()
	host, rest := OpenFlags.Host(c.A, uint64(flags))
	if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
		return 0, unix.EINVAL
	}
	if c.T.Schedule() != nil {
		return c.timerfd(clock, int(host), host&unix.O_CLOEXEC != 0)
	}
	fd, err := unix.TimerfdCreate(clock, int(host)|unix.TFD_CLOEXEC)
	return c.installHost(fd, err, counterFile, host&unix.O_CLOEXEC != 0)
}

func timerfdSettime(c *Ctx, name string) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	flags, newAt, oldAt := c.Int(), c.Addr(), c.Addr()
	s, err := c.LoadStruct(name, newAt)
	if err != nil {
		return 0, err
	}
	set := unix.ItimerSpec{Interval: c.timespecOf(s, "it_interval."), Value: c.timespecOf(s, "it_value.")}
	old := &unix.ItimerSpec{}
	if f.timer != nil {
		old, err = c.setTimerfd(f, flags, &set)
	} else {
		err = unix.TimerfdSettime(f.Host, flags, &set, old)
	}
	if err != nil || oldAt == 0 {
		return 0, err
	}
	return 0, c.putItimerspec(oldAt, name, old)
}

func timerfdGettime(c *Ctx, name string) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	if f.timer != nil {
		return 0, c.putItimerspec(c.Addr(), name, itimerspec(f.timer.get()))
	}
	var cur unix.ItimerSpec
	if err := unix.TimerfdGettime(f.Host, &cur); err != nil {
		return 0, err
	}
	return 0, c.putItimerspec(c.Addr(), name, &cur)
}

func (c *Ctx) putItimerspec(addr uint64, name string, v *unix.ItimerSpec) error {
	s := c.NewStruct(name)
	s.Set("it_interval.tv_sec", uint64(v.Interval.Sec))
	s.Set("it_interval.tv_nsec", uint64(v.Interval.Nsec))
	s.Set("it_value.tv_sec", uint64(v.Value.Sec))
	s.Set("it_value.tv_nsec", uint64(v.Value.Nsec))
	return s.Store(c, addr)
}
