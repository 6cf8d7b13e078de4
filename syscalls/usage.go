package syscalls

import (
	"time"

	"golang.org/x/sys/unix"
)

// All guests run in one process of the host, which counts what they use as a
// whole. The time of the processor is shared out among the tasks by how long
// each had the turn of its CPU. Of the rest a guest counts what the host process
// has used since the guest was made, less what its children have used that it
// waited for: that is right where one guest runs at a time, as a shell and its
// commands do, and too much for guests that run side by side.

// shareTime shares out the processor time of the host process since the last
// time, if there is no schedule, which counts by itself. family.mu is held.
func (k *Kernel) shareTime() {
	if k.cfg.Schedule != nil {
		return
	}
	f := &k.family
	now, err := hostNow(unix.CLOCK_PROCESS_CPUTIME_ID)
	if err != nil {
		return
	}
	var turns time.Duration
	for _, ts := range f.tasks {
		ts.fresh = max(0, ts.task.Ran()-ts.ran)
		turns += ts.fresh
	}
	if turns == 0 {
		return
	}
	// A processor has no more time than the turns took, and the rest was for
	// nobody.
	part := min(1, float64(now-f.shared)/float64(turns))
	f.shared = now
	for _, ts := range f.tasks {
		ts.ran += ts.fresh
		d := time.Duration(float64(ts.fresh) * part)
		ts.processor.used += d
		ts.p.processor.used += d
	}
}

// processorTime is what a task or a process has used of the processor, and what
// of that was told last as user and as system time. family.mu guards it.
type processorTime struct{ used, user, system time.Duration }

// split tells user and system time in the proportion that the host's have, so
// that neither goes back (cputime_adjust of kernel/sched/cputime.c).
func (t *processorTime) split(r, host *unix.Rusage) {
	all := float64(host.Utime.Nano() + host.Stime.Nano())
	s := time.Duration(float64(t.used) * float64(host.Stime.Nano()) / max(1, all))
	t.system = max(t.system, min(s, t.used-t.user))
	t.user = max(t.user, t.used-t.system)
	r.Utime, r.Stime = unix.NsecToTimeval(int64(t.user)), unix.NsecToTimeval(int64(t.system))
}

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
		p.K.shareTime()
		host := r
		subUsage(&r, &p.before)
		subUsage(&r, &p.reaped)
		p.processor.split(&r, &host)
	}
	return r
}

// usageOf is what getrusage(2) tells of the task, its process or the children of
// that.
func (ts *taskState) usageOf(who int) unix.Rusage {
	ts.p.K.family.mu.Lock()
	defer ts.p.K.family.mu.Unlock()
	switch who {
	case unix.RUSAGE_CHILDREN:
		return ts.p.reaped
	case unix.RUSAGE_THREAD:
		return ts.ownUsage()
	}
	return ts.p.ownUsage()
}

// ownUsage is that of the process with the times that the task alone has used.
// family.mu is held.
func (ts *taskState) ownUsage() unix.Rusage {
	r := ts.p.ownUsage()
	if ts.p.K.cfg.Schedule != nil {
		r.Utime, r.Stime = unix.NsecToTimeval(int64(ts.task.Used())), unix.Timeval{}
		return r
	}
	host := hostUsage()
	ts.processor.split(&r, &host)
	return r
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

// cpuClock reads a clock of processor time that clockOf has made; ok is false
// for other clocks and those of the host's processes.
func (p *Process) cpuClock(id int) (d time.Duration, ok bool) {
	if id >= 0 || id&clockKind == clockFD {
		return 0, false
	}
	f := &p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	ts, q := f.tasks[^(id>>3)], f.procs[^(id>>3)]
	task := id&clockPerThread != 0
	switch {
	case task && ts == nil || !task && q == nil:
		return 0, false
	case p.K.cfg.Schedule == nil:
		p.K.shareTime()
		if task {
			return ts.processor.used, true
		}
		return q.processor.used, true
	case task:
		return ts.task.Used(), true
	}
	return q.P.Used(), true
}
