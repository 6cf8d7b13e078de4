package syscalls

import (
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// All tasks of guests run on the threads of one process. How each is to be
// scheduled is kept for it, as the host would: a thread of the host that is made
// for that becomes what the task is, makes the call, and tells what has come of
// it. What there is for the host to heed is that all guests are nice.

// schedules guards how tasks are scheduled.
type schedules struct{ mu sync.Mutex }

// scheduling is how a task is scheduled: nice is that of whatever policy.
type scheduling struct {
	attr unix.SchedAttr
	nice int
}

// Flags of struct sched_attr and of policies (linux/sched.h).
const (
	schedFlagResetOnFork = 1
	schedResetOnFork     = 0x40000000
)

// hostScheduling is how this process was started.
func hostScheduling() (s scheduling) {
	if a, err := unix.SchedGetAttr(0, 0); err == nil {
		s.attr = *a
	}
	s.nice = threadNice()
	return s
}

// threadNice is how nice the calling thread is.
func threadNice() int {
	v, _, _ := unix.RawSyscall(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0, 0) // it cannot fail for the caller
	return 20 - int(v)
}

// policy is what sched_getscheduler(2) tells.
func (s scheduling) policy() uint64 {
	v := uint64(s.attr.Policy)
	if s.attr.Flags&schedFlagResetOnFork != 0 {
		v |= schedResetOnFork
	}
	return v
}

// stat are the fields of /proc/PID/stat by number.
func (s scheduling) stat() map[int]int {
	prio := 20 + s.nice // as of task_prio
	switch s.attr.Policy {
	case unix.SCHED_FIFO, unix.SCHED_RR:
		prio = -1 - int(s.attr.Priority)
	case unix.SCHED_DEADLINE:
		prio = -101
	}
	return map[int]int{18: prio, 19: s.nice, 40: int(s.attr.Priority), 41: int(s.attr.Policy)}
}

// child is how a new task begins (sched_fork).
func (s scheduling) child() (scheduling, error) {
	if s.attr.Flags&schedFlagResetOnFork == 0 {
		if s.attr.Policy == unix.SCHED_DEADLINE {
			return s, unix.EAGAIN
		}
		return s, nil
	}
	if s.attr.Policy == unix.SCHED_FIFO || s.attr.Policy == unix.SCHED_RR || s.attr.Policy == unix.SCHED_DEADLINE {
		return scheduling{attr: unix.SchedAttr{Size: s.attr.Size}}, nil
	}
	s.attr.Flags &^= schedFlagResetOnFork
	s.nice = max(0, s.nice)
	s.attr.Nice = max(0, s.attr.Nice)
	return s, nil
}

// on has a thread of the host that is scheduled so, with credentials cr, call
// f, which makes calls of unix.RawSyscall, and returns how it is scheduled then.
func (s scheduling) on(k *Kernel, cr *cred, f func() unix.Errno) (scheduling, error) {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		// A host that does not allow it did not when the task became so either.
		_, _, _ = unix.RawSyscall(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(s.nice))
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETATTR, 0, uintptr(unsafe.Pointer(&s.attr)), 0)
		if e := k.as(cr, func() { err = asError(f()) }); e != nil {
			err = e
		}
		var a unix.SchedAttr
		if _, _, e := unix.RawSyscall6(unix.SYS_SCHED_GETATTR, 0, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a), 0, 0, 0); e == 0 {
			s = scheduling{attr: a, nice: threadNice()}
		}
		// What ends the thread may have to make another, which a deadline forbids.
		plain := unix.SchedAttr{Size: a.Size}
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_SETATTR, 0, uintptr(unsafe.Pointer(&plain)), 0)
	}()
	<-done
	return s, err
}

// scheduled is how a task is scheduled.
func (k *Kernel) scheduled(ts *taskState) scheduling {
	k.schedules.mu.Lock()
	defer k.schedules.mu.Unlock()
	return ts.sched
}

// setSched has a call of the host change how the task pid is scheduled, which
// for one of a guest's is called with 0.
func (c *Ctx) setSched(pid int, call func(pid int) unix.Errno) error {
	if ts := c.schedTask(pid); ts != nil {
		return c.reschedule(ts, func() unix.Errno { return call(0) })
	}
	return asError(call(pid))
}

// reschedule has a call of the host for the calling thread change how a task is
// scheduled.
func (c *Ctx) reschedule(ts *taskState, call func() unix.Errno) error {
	k := c.K
	k.schedules.mu.Lock()
	defer k.schedules.mu.Unlock()
	s, err := ts.sched.on(k, c.task().cred, call)
	if err == nil && !c.mayNice(ts) {
		err = unix.EPERM
	}
	if err != nil {
		return err
	}
	nicer := s.nice != ts.sched.nice
	ts.sched = s
	if nicer {
		ts.task.SetNice(s.nice)
		k.beNice()
	}
	return nil
}

// beNice makes this process as nice as all of its guests are, as far as it may.
// schedules.mu is held.
func (k *Kernel) beNice() {
	nice := 19
	k.family.mu.Lock()
	for _, ts := range k.family.tasks {
		nice = min(nice, ts.sched.nice)
	}
	k.family.mu.Unlock()
	_ = eachThread(func(tid int) error { return unix.Setpriority(unix.PRIO_PROCESS, tid, nice) }) // see above
}

// mayNice tells whether the caller may change how a task is scheduled
// (check_same_owner).
func (c *Ctx) mayNice(ts *taskState) bool {
	me := c.task().cred
	return ts.p == c.P || me.uid.eff == ts.cred.uid.eff || me.uid.eff == ts.cred.uid.real || me.has(unix.CAP_SYS_NICE)
}

// schedTask is the guest's task of a number, 0 for the caller, also the first of
// a process that was not waited for; nil if there is none.
func (c *Ctx) schedTask(id int) *taskState {
	if id == 0 {
		return c.task()
	}
	if ts := c.K.find(id); ts != nil {
		return ts
	}
	if p := c.K.process(id); p != nil {
		return p.leader
	}
	return nil
}

// priorityOf are the tasks of guests that which and who of setpriority(2) name,
// if there are any.
func (c *Ctx) priorityOf(which, who int) (out []*taskState) {
	switch which {
	case unix.PRIO_PROCESS:
		if ts := c.schedTask(who); ts != nil {
			out = append(out, ts)
		}
		return out
	case unix.PRIO_PGRP:
		if who == 0 {
			who = c.P.group()
		}
		for _, p := range c.K.members(who) {
			out = append(out, p.tasks()...)
		}
		return out
	case unix.PRIO_USER:
		if who == 0 {
			who = c.task().cred.uid.real
		}
		for _, p := range c.K.others(nil) {
			for _, ts := range p.tasks() {
				if ts.cred.uid.real == who {
					out = append(out, ts)
				}
			}
		}
	}
	return out
}

func sysGetpriority(c *Ctx) (uint64, error) {
	which, who := c.Int(), c.Int()
	guests := c.priorityOf(which, who)
	if len(guests) == 0 {
		return result(unix.Getpriority(which, who))
	}
	nice := 19
	for _, ts := range guests {
		nice = min(nice, c.K.scheduled(ts).nice)
	}
	return uint64(20 - nice), nil
}

func sysSetpriority(c *Ctx) (uint64, error) {
	which, who, nice := c.Int(), c.Int(), c.Int()
	guests := c.priorityOf(which, who)
	if len(guests) == 0 {
		return 0, unix.Setpriority(which, who, nice)
	}
	var err error
	for _, ts := range guests {
		if e := c.renice(ts, nice); e != nil {
			err = e
		}
	}
	return 0, err
}

func (c *Ctx) renice(ts *taskState, nice int) error {
	return c.reschedule(ts, func() unix.Errno {
		_, _, e := unix.RawSyscall(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(nice))
		return e
	})
}

func sysNice(c *Ctx) (uint64, error) {
	inc := min(max(c.Int(), -40), 40)
	ts := c.task()
	nice := min(max(c.K.scheduled(ts).nice+inc, -20), 19)
	err := c.renice(ts, nice)
	if err == unix.EACCES {
		err = unix.EPERM
	}
	return 0, err
}
