package syscalls

import (
	"os"

	"golang.org/x/sys/unix"
)

var procRows = []Row{
	{Name: "getpid", Fn: func(c *Ctx) (uint64, error) { return uint64(c.P.P.PID), nil }, Level: Full},
	{Name: "gettid", Fn: func(c *Ctx) (uint64, error) { return uint64(c.T.TID), nil }, Level: Full},
	{Name: "getppid", Fn: func(c *Ctx) (uint64, error) { return uint64(c.P.ppid()), nil }, Level: Full},
	{Name: "getpgrp", Fn: func(c *Ctx) (uint64, error) { return c.getpgid(0) }, Level: Full},
	{Name: "getpgid", Fn: func(c *Ctx) (uint64, error) { return c.getpgid(c.Int()) }, Level: Full},
	{Name: "getsid", Fn: func(c *Ctx) (uint64, error) { return c.getsid(c.Int()) }, Level: Full},
	{Name: "setsid", Fn: sysSetsid, Level: Full},
	{Name: "setpgid", Fn: sysSetpgid, Level: Full},
	{Name: "execve", Fn: sysExecve, Level: Full},
	{Name: "execveat", Fn: sysExecveat, Level: Full},
	{Name: "wait4", Fn: sysWait4, Level: Full},
	{Name: "waitpid", Fn: sysWaitpid, Level: Full},
	{Name: "waitid", Fn: sysWaitid, Level: Full},
	{Name: "set_tid_address", Fn: sysSetTidAddress, Level: Full},
	{Name: "set_robust_list", Fn: sysSetRobustList, Level: Full},
	{Name: "get_robust_list", Fn: sysGetRobustList, Level: Full},
	{Name: "futex", Fn: sysFutex, Level: Full},
	{Name: "futex_time64", Fn: sysFutex64, Level: Full},
	{Name: "futex_waitv", Fn: sysFutexWaitv, Level: Full},
	{Name: "personality", Fn: sysPersonality, Level: Partial, Note: "only PER_LINUX32, READ_IMPLIES_EXEC and STICKY_TIMEOUTS have an effect"},
	{Name: "ptrace", Fn: sysPtrace, Level: Partial, Note: "no hardware breakpoints, no PTRACE_SECCOMP_*, no PTRACE_PEEKSIGINFO"},
	{Name: "prctl", Fn: sysPrctl, Level: Partial, Note: "what only one architecture or a special kernel has is EINVAL"},
	{Name: "getpriority", Fn: sysGetpriority, Level: Full},
	{Name: "setpriority", Fn: sysSetpriority, Level: Full},
	{Name: "nice", Fn: sysNice, Level: Full},
	{Name: "getrlimit", Fn: sysGetrlimit, Level: Full},
	{Name: "ugetrlimit", Fn: func(c *Ctx) (uint64, error) { return c.getrlimit(false) }, Level: Full},
	{Name: "setrlimit", Fn: sysSetrlimit, Level: Full},
	{Name: "prlimit64", Fn: sysPrlimit64, Level: Full},
	{Name: "getrusage", Fn: sysGetrusage, Level: Full},
	{Name: "sched_yield", Fn: func(c *Ctx) (uint64, error) { c.T.Yield(); return 0, nil }, Level: Full},
	{Name: "sched_getaffinity", Fn: sysSchedGetaffinity, Level: Full},
	{Name: "sched_setaffinity", Fn: sysSchedSetaffinity, Level: Full},
	{Name: "sched_getscheduler", Fn: sysSchedGetscheduler, Level: Full},
	{Name: "sched_setscheduler", Fn: sysSchedSetscheduler, Level: Full},
	{Name: "sched_getparam", Fn: sysSchedGetparam, Level: Full},
	{Name: "sched_setparam", Fn: sysSchedSetparam, Level: Full},
	{Name: "sched_get_priority_max", Fn: func(c *Ctx) (uint64, error) { return hostCall(unix.SYS_SCHED_GET_PRIORITY_MAX, uintptr(c.Int()), 0, 0) }, Level: Full},
	{Name: "sched_get_priority_min", Fn: func(c *Ctx) (uint64, error) { return hostCall(unix.SYS_SCHED_GET_PRIORITY_MIN, uintptr(c.Int()), 0, 0) }, Level: Full},
	{Name: "sched_rr_get_interval", Fn: func(c *Ctx) (uint64, error) { return c.schedInterval(false) }, Level: Full},
	{Name: "sched_rr_get_interval_time64", Fn: func(c *Ctx) (uint64, error) { return c.schedInterval(true) }, Level: Full},
	{Name: "sched_getattr", Fn: sysSchedGetattr, Level: Full},
	{Name: "sched_setattr", Fn: sysSchedSetattr, Level: Full},
	{Name: "getcpu", Fn: sysGetcpu, Level: Full},
	{Name: "ioprio_get", Fn: func(c *Ctx) (uint64, error) {
		return hostCall(unix.SYS_IOPRIO_GET, uintptr(c.Int()), uintptr(c.Int()), 0)
	}, Level: Full},
	{Name: "ioprio_set", Fn: func(c *Ctx) (uint64, error) {
		return hostCall(unix.SYS_IOPRIO_SET, uintptr(c.Int()), uintptr(c.Int()), uintptr(c.Int()))
	}, Level: Full},
}

// result makes a handler's result of a host call's.
func result(v int, err error) (uint64, error) { return uint64(v), err }

// hostCall makes a system call of the host that takes numbers only.
func hostCall(nr, a, b, d uintptr) (uint64, error) {
	v, _, e := unix.Syscall(nr, a, b, d)
	return uint64(v), asError(e)
}

func sysSetTidAddress(c *Ctx) (uint64, error) {
	c.task().clearTID = c.Addr()
	return uint64(c.T.TID), nil
}

func sysSetRobustList(c *Ctx) (uint64, error) {
	head, size := c.Addr(), c.Size()
	if size != uint64(c.NewStruct("robust_list_head").Size()) {
		return 0, unix.EINVAL
	}
	c.task().robust = head
	return 0, nil
}

func sysGetRobustList(c *Ctx) (uint64, error) {
	pid, headp, sizep := c.Int(), c.Addr(), c.Addr()
	if pid != 0 && !c.isTask(pid) {
		if unix.Kill(pid, 0) == unix.ESRCH || pid < 0 {
			return 0, unix.ESRCH
		}
		return 0, unix.EPERM
	}
	if err := c.WriteWord(sizep, uint64(c.NewStruct("robust_list_head").Size())); err != nil {
		return 0, err
	}
	return 0, c.WriteWord(headp, c.task().robust)
}

// Personality bits (linux/personality.h).
const (
	perMask         = 0xff
	perLinux32      = 0x08
	stickyTimeouts  = 0x4000000
	readImpliesExec = 0x0400000
)

func sysPersonality(c *Ctx) (uint64, error) {
	v := c.Uint()
	old := c.P.Persona
	if v != 0xffffffff {
		c.P.Persona = v
	}
	return uint64(old), nil
}

// hostID is the process or thread of the host that a guest's id means: 0 is
// the caller, whose place in the host the first thread takes, as it does for
// other guests.
func (c *Ctx) hostID(id int) int {
	if id == 0 || c.K.find(id) != nil {
		return os.Getpid()
	}
	return id
}
