package syscalls

import (
	"golang.org/x/sys/unix"
)

// All guests run in one process of the host, which counts what they use as a
// whole. A guest counts what the host process has used since the guest was
// made, less what its children have used that it waited for: that is right
// where one guest runs at a time, as a shell and its commands do, and too much
// for guests that run side by side.

// hostUsage is what the host process has used.
func hostUsage() (r unix.Rusage) {
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // it cannot fail
	return r
}

// running is hostUsage, or with a schedule the time that the process's tasks have
// run by its clock.
func (p *Process) running() unix.Rusage {
	if p.K.cfg.Schedule != nil {
		const size = 8 << 10 // in KiB, of any
		return unix.Rusage{Utime: unix.NsecToTimeval(int64(p.P.Used())), Maxrss: size}
	}
	return hostUsage()
}

// ownUsage is what the process has used without its children. family.mu is
// held.
func (p *Process) ownUsage() unix.Rusage {
	if h := p.host.Load(); h != nil {
		return h.used()
	}
	r := p.running()
	if p.K.cfg.Schedule == nil {
		subUsage(&r, &p.before)
		subUsage(&r, &p.reaped)
	}
	return r
}

// usageOf is what getrusage(2) tells of the process or of its children.
func (p *Process) usageOf(children bool) unix.Rusage {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	if children {
		return p.reaped
	}
	return p.ownUsage()
}

// counts are the fields of a struct rusage that count.
func counts(r *unix.Rusage) []*int64 {
	return []*int64{&r.Minflt, &r.Majflt, &r.Inblock, &r.Oublock, &r.Nvcsw, &r.Nivcsw}
}

// addUsage adds o to r (k_getrusage); the size is the largest of any.
func addUsage(r, o *unix.Rusage) {
	r.Utime = unix.NsecToTimeval(r.Utime.Nano() + o.Utime.Nano())
	r.Stime = unix.NsecToTimeval(r.Stime.Nano() + o.Stime.Nano())
	r.Maxrss = max(r.Maxrss, o.Maxrss)
	from := counts(o)
	for i, p := range counts(r) {
		*p += *from[i]
	}
}

func subUsage(r, o *unix.Rusage) {
	r.Utime = unix.NsecToTimeval(max(0, r.Utime.Nano()-o.Utime.Nano()))
	r.Stime = unix.NsecToTimeval(max(0, r.Stime.Nano()-o.Stime.Nano()))
	from := counts(o)
	for i, p := range counts(r) {
		*p = max(0, *p-*from[i])
	}
}

// ticks is a time in the ticks of times(2), USER_HZ.
func ticks(t unix.Timeval) uint64 { return uint64(t.Nano() / 1e7) }
