package syscalls

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vforkCall is a system call of vforkCalls.
type vforkCall struct {
	nr   uintptr
	args [5]uintptr
	lax  uintptr // not 0: it may fail
}

// spawn is a program of the host on its way: what a child does until it runs
// it.
type spawn struct {
	calls []vforkCall
	keep  []any // what the calls point to
}

func (s *spawn) call(nr uintptr, args ...uintptr) *vforkCall {
	c := vforkCall{nr: nr}
	copy(c.args[:], args)
	s.calls = append(s.calls, c)
	return &s.calls[len(s.calls)-1]
}

// try is call for one that may fail.
func (s *spawn) try(nr uintptr, args ...uintptr) { s.call(nr, args...).lax = 1 }

// pointer keeps v, which has to be on the heap, for the calls.
func pointer[T any](s *spawn, v *T) uintptr {
	s.keep = append(s.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// text is a string for a call, EINVAL for one with a zero byte.
func (s *spawn) text(v string) (uintptr, error) {
	p, err := unix.BytePtrFromString(v)
	if err != nil {
		return 0, err
	}
	return pointer(s, p), nil
}

func (s *spawn) texts(l []string) (uintptr, error) {
	v := make([]uintptr, len(l)+1)
	var err error
	for i, t := range l {
		if v[i], err = s.text(t); err != nil {
			return 0, err
		}
	}
	return pointer(s, &v[0]), nil
}

// files gives the child the guest's descriptors that outlive an exec, by the
// guest's numbers. Each goes by way of a number above all that are in use.
func (s *spawn) files(t *Files) {
	const cloexecRange = 4 // CLOSE_RANGE_CLOEXEC
	from, base := map[int]int{}, 0
	t.Open(func(fd int, f *File, cloexec bool) {
		if !cloexec {
			from[fd] = f.Host
			base = max(base, fd+1, f.Host+1)
		}
	})
	for fd, host := range from {
		s.call(unix.SYS_DUP3, uintptr(host), uintptr(base+fd), unix.O_CLOEXEC)
	}
	s.try(unix.SYS_CLOSE_RANGE, 0, uintptr(^uint32(0)), cloexecRange)
	for fd := range from {
		s.call(unix.SYS_DUP3, uintptr(base+fd), uintptr(fd), 0)
	}
}

// limits gives the child the guest's resource limits.
func (s *spawn) limits(p *Process) {
	for i := range p.Limits {
		var now unix.Rlimit
		if err := unix.Prlimit(0, i, nil, &now); err == nil && now != p.Limits[i] {
			l := p.Limits[i]
			s.try(unix.SYS_PRLIMIT64, 0, uintptr(i), pointer(s, &l), 0)
		}
	}
}

// signals gives the child the guest's ignored signals and its mask.
func (s *spawn) signals(h *Sighand, mask sigset) {
	ignore, standard := &hostSigaction{handler: sigIgn}, &hostSigaction{}
	for no := unix.Signal(1); no <= nsig; no++ {
		if unblockable.has(no) {
			continue
		}
		act := standard
		if d := h.get(no); d.handler == sigIgn {
			act = ignore
		}
		s.try(unix.SYS_RT_SIGACTION, uintptr(no), pointer(s, act), 0, sigsetSize)
	}
	m := uint64(mask)
	s.call(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, pointer(s, &m), 0, sigsetSize)
}

// newSpawn is the way of a task of p to a program of the host at path, which
// is relative to the guest's current directory. group is where the child is
// to be; see hostGroup.
func (p *Process) newSpawn(ts *taskState, path string, argv, env []string, group hostGroup) (*spawn, error) {
	s := &spawn{}
	s.try(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	group.enter(s)
	dir, _ := ts.dirs().current()
	if dir >= 0 {
		s.call(unix.SYS_FCHDIR, uintptr(dir))
	}
	s.call(unix.SYS_UMASK, uintptr(ts.dirs().Mask()))
	s.files(p.Files)
	s.limits(p)
	if p.prctl.noNewPrivs {
		s.call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	s.signals(p.Sig, ts.blocked)
	name, err := s.text(path)
	if err != nil {
		return nil, err
	}
	args, err := s.texts(argv)
	if err != nil {
		return nil, err
	}
	vars, err := s.texts(env)
	if err != nil {
		return nil, err
	}
	s.call(unix.SYS_EXECVE, name, args, vars)
	return s, nil
}

// start makes the child. The calling goroutine must be tied to a thread that
// stays until the child has ended, since its end would be the child's.
func (s *spawn) start() (pid int, err error) {
	all, old := new(uint64), new(uint64)
	*all = ^uint64(0)
	failed := new(int)
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	mask := func(to, was *uint64) {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(was)), sigsetSize, 0, 0)
	}
	mask(all, old)
	pid = vforkCalls(&s.calls[0], failed)
	mask(old, nil)
	runtime.KeepAlive(s)
	switch {
	case pid < 0:
		return 0, unix.Errno(-pid)
	case *failed != 0:
		var ws unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &ws, 0, nil); err != unix.EINTR {
				return 0, unix.Errno(-*failed)
			}
		}
	}
	return pid, nil
}
