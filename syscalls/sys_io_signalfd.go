package syscalls

import (
	"slices"

	"golang.org/x/sys/unix"
)

// signalfd makes a descriptor from which signals are read. Behind it is an
// eventfd of the host, which is made readable while one of its signals waits.
func signalfd(c *Ctx, flagged bool) (uint64, error) {
	fd, at, size := c.Int(), c.Addr(), c.Size()
	var host uint64
	if flagged {
		var rest uint64
		host, rest = OpenFlags.Host(c.A, uint64(c.Uint()))
		if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
			return 0, unix.EINVAL
		}
	}
	set, err := c.readSigset(at, size)
	if err != nil {
		return 0, err
	}
	set &^= unblockable
	if fd != -1 {
		f, err := c.file(fd)
		if err != nil {
			return 0, err
		}
		if f.kind != signalFile {
			return 0, unix.EINVAL
		}
		f.sigs = set
		return uint64(fd), nil
	}
	ev, err := unix.Eventfd(0, int(host)|unix.EFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	f := &File{Host: ev, kind: signalFile, sigs: set}
	c.P.watch(f)
	return c.install(f, host&unix.O_CLOEXEC != 0)
}

// watch keeps a signalfd readable while one of its signals waits, so that a
// wait for it ends.
func (p *Process) watch(f *File) {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	p.sigFiles = append(p.sigFiles, f)
	f.closed = func() {
		p.sigMu.Lock()
		defer p.sigMu.Unlock()
		p.sigFiles = slices.DeleteFunc(p.sigFiles, func(o *File) bool { return o == f })
	}
}

// showQueued makes the signalfds of a signal that was queued readable. sigMu
// is held.
func (p *Process) showQueued(no unix.Signal) {
	for _, f := range p.sigFiles {
		if f.sigs.has(no) {
			showEnd(f)
		}
	}
}

// showAll is showSignals for what the process waits for by epoll.
func (c *Ctx) showAll() {
	c.P.sigMu.Lock()
	l := slices.Clone(c.P.sigFiles)
	c.P.sigMu.Unlock()
	for _, f := range l {
		c.showSignals(f)
	}
}

// showSignals makes the host's descriptor readable if a signal waits, else
// not.
func (c *Ctx) showSignals(f *File) {
	fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	// The count is not blocked on whatever the guest's own flag says. What
	// these calls fail with is what is wanted: full, or empty.
	_ = unix.SetNonblock(f.Host, true)
	b := make([]byte, 8)
	if c.pendingSet()&f.sigs != 0 {
		hostOrder.PutUint64(b, 1)
		_, _ = unix.Write(f.Host, b)
	} else {
		_, _ = unix.Read(f.Host, b)
	}
	_ = unix.SetNonblock(f.Host, fl&unix.O_NONBLOCK != 0)
}

// readSignals takes pending signals as struct signalfd_siginfo.
func (c *Ctx) readSignals(f *File, b [][]byte) (uint64, error) {
	room := 0
	for _, p := range b {
		room += len(p)
	}
	size := c.A.Layout["signalfd_siginfo"].Size
	if room < size {
		return 0, unix.EINVAL
	}
	var out []byte
	for len(out)+size <= room {
		si, ok := c.takeOf(f.sigs)
		if !ok && len(out) > 0 {
			break
		}
		if !ok {
			fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
			if err != nil {
				return 0, err
			}
			if fl&unix.O_NONBLOCK != 0 {
				return 0, unix.EAGAIN
			}
			woken := c.sleepFor(f.sigs, -1)
			if si, ok = c.takeOf(f.sigs); !ok && woken {
				return 0, unix.EINTR
			}
		}
		if ok {
			out = append(out, c.signalInfo(si)...)
		}
	}
	scatter(b, out)
	c.showSignals(f)
	return uint64(len(out)), nil
}

func (c *Ctx) signalInfo(si sigInfo) []byte {
	s := c.NewStruct("signalfd_siginfo")
	s.Set("ssi_signo", uint64(si.No))
	s.setLow("ssi_errno", uint64(si.Errno))
	s.setLow("ssi_code", uint64(si.Code))
	s.setLow("ssi_pid", uint64(si.PID))
	s.setLow("ssi_uid", uint64(si.UID))
	v := si.Value
	if c.A.Word == 8 && c.bigEndian() {
		v >>= 32 // the int of the union lies where the high half does
	}
	s.setLow("ssi_int", v)
	s.Set("ssi_ptr", si.Value)
	s.Set("ssi_addr", si.Addr)
	if si.Code == siTimer {
		s.setLow("ssi_tid", uint64(si.Timer))
		s.setLow("ssi_overrun", uint64(si.Overrun))
	}
	return s.Bytes()
}
