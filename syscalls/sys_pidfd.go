package syscalls

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A pidfd of a guest is an eventfd of the host that becomes readable when the
// guest ends, as poll(2) shows it of a pidfd.

// newPidfd makes a file that stands for a guest.
func (p *Process) newPidfd(flags int) (*File, error) {
	f := &p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|flags&unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	file := &File{Host: fd, Path: "anon_inode:[pidfd]", kind: pidFile, guest: p, large: true}
	if p.zombie {
		showEnd(file)
		return file, nil
	}
	if p.pidfds == nil {
		p.pidfds = map[*File]bool{}
	}
	p.pidfds[file] = true
	file.closed = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(p.pidfds, file)
	}
	return file, nil
}

// showEnd makes a pidfd readable.
func showEnd(f *File) {
	b := make([]byte, 8)
	hostOrder.PutUint64(b, 1)
	_, _ = unix.Write(f.Host, b) // it was 0: there is room
}

func sysPidfdOpen(c *Ctx) (uint64, error) {
	pid, flags := c.Int(), c.Int()
	if flags&^unix.PIDFD_NONBLOCK != 0 || pid <= 0 {
		return 0, unix.EINVAL
	}
	p := c.K.process(pid)
	if p == nil {
		if c.K.find(pid) != nil {
			return 0, unix.EINVAL // no leader of a group
		}
		fd, err := unix.PidfdOpen(pid, flags)
		return c.installHost(fd, err, plainFile, true)
	}
	f, err := p.newPidfd(flags)
	if err != nil {
		return 0, err
	}
	return c.install(f, true)
}

// target is the process that pidfd_send_signal(2) sends to: before there were
// pidfds, a directory in /proc stood for one (tgid_pidfd_to_pid).
func (c *Ctx) target(f *File) (int, error) {
	p := f.proc.p
	switch {
	case p == nil:
		return c.hostTarget(f)
	case f.proc.path != "." || f.proc.ts != nil:
		return c.pidOf(f)
	case c.K.process(p.P.PID) != p:
		return 0, unix.ESRCH
	}
	return p.P.PID, nil
}

// hostTarget is target for a process that is not a guest.
func (c *Ctx) hostTarget(f *File) (int, error) {
	pid, err := c.pidOf(f)
	if err != unix.EBADF {
		return pid, err
	}
	name, e := f.Name()
	if no, ok := strings.CutPrefix(name, "/proc/"); ok && e == nil {
		if pid, e := strconv.Atoi(no); e == nil {
			return pid, nil
		}
	}
	return 0, err
}

// sysPidfdGetfd is pidfd_getfd(2): processes of the host keep their files.
func sysPidfdGetfd(c *Ctx) (uint64, error) {
	pidfd, fd, flags := c.Int(), c.Int(), c.Uint()
	if flags != 0 {
		return 0, unix.EINVAL
	}
	f, err := c.file(pidfd)
	if err != nil {
		return 0, err
	}
	pid, err := c.pidOf(f)
	if err != nil {
		return 0, err
	}
	p := c.K.process(pid)
	if p == nil || !c.MayTrace(p.leader.task) {
		return 0, unix.EPERM
	}
	var g *File
	if !c.look(p, func() { g, err = p.Files.hold(fd) }) {
		return 0, unix.ESRCH
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = g.drop() }() // the caller has it
	return c.install(g, true)
}

// pidOf is the process that a pidfd stands for: EBADF if it is none, ESRCH if
// the process has been waited for.
func (c *Ctx) pidOf(f *File) (int, error) {
	if f.kind != pidFile {
		return pidfdPID(f.Host)
	}
	if c.K.process(f.guest.P.PID) != f.guest {
		return 0, unix.ESRCH
	}
	return f.guest.P.PID, nil
}
