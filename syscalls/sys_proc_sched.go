package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxCPUBytes bounds an affinity mask: more processors than any kernel has.
const maxCPUBytes = 1024

// maskBytes turns a mask between the guest's longs and the host's bytes, bit
// 0 first: in place, which is its own inverse.
func (c *Ctx) maskBytes(b []byte) {
	if !c.bigEndian() {
		return
	}
	w := c.A.Word
	for ; len(b) >= w; b = b[w:] {
		for i, j := 0, w-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

func sysSchedGetaffinity(c *Ctx) (uint64, error) {
	pid, n, addr := c.hostID(c.Int()), uint64(c.Uint()), c.Addr()
	if n%uint64(c.A.Word) != 0 {
		return 0, unix.EINVAL
	}
	b := make([]byte, maxCPUBytes)
	v, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(pid), uintptr(len(b)), uintptr(unsafe.Pointer(&b[0])))
	if e != 0 {
		return 0, e
	}
	// What fits is enough if it holds all processors there are.
	size := (uint64(v) + uint64(c.A.Word) - 1) &^ uint64(c.A.Word-1)
	if n < size {
		for _, x := range b[n:size] {
			if x != 0 {
				return 0, unix.EINVAL
			}
		}
		size = n
	}
	if size == 0 {
		return 0, unix.EINVAL
	}
	c.maskBytes(b[:size])
	return size, c.Space().CopyOut(b[:size], addr)
}

func sysSchedSetaffinity(c *Ctx) (uint64, error) {
	pid, n, addr := c.Int(), uint64(c.Uint()), c.Addr()
	b := make([]byte, maxCPUBytes)
	if err := c.Space().CopyIn(b[:min(n, maxCPUBytes)], addr); err != nil {
		return 0, err
	}
	c.maskBytes(b)
	set := func(tid int) error {
		_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), uintptr(len(b)), uintptr(unsafe.Pointer(&b[0])))
		return asError(e)
	}
	if ts := c.schedTask(pid); ts != nil {
		if !c.mayNice(ts) {
			return 0, unix.EPERM
		}
		return 0, eachThread(set)
	}
	return 0, set(pid)
}

func sysSchedGetscheduler(c *Ctx) (uint64, error) {
	pid := c.Int()
	if pid < 0 {
		return 0, unix.EINVAL
	}
	if ts := c.schedTask(pid); ts != nil {
		return c.K.scheduled(ts).policy(), nil
	}
	return hostCall(unix.SYS_SCHED_GETSCHEDULER, uintptr(pid), 0, 0)
}

func (c *Ctx) schedParam(addr uint64) (int32, error) {
	s, err := c.LoadStruct("sched_param", addr)
	if err != nil {
		return 0, err
	}
	return int32(s.Int("sched_priority")), nil
}

func sysSchedSetscheduler(c *Ctx) (uint64, error) {
	pid, policy, addr := c.Int(), c.Int(), c.Addr()
	if policy < 0 || pid < 0 || addr == 0 {
		return 0, unix.EINVAL
	}
	prio, err := c.schedParam(addr)
	if err != nil {
		return 0, err
	}
	return 0, c.setSched(pid, func(pid int) unix.Errno {
		_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(pid), uintptr(policy), uintptr(unsafe.Pointer(&prio)))
		return e
	})
}

func sysSchedGetparam(c *Ctx) (uint64, error) {
	pid, addr := c.Int(), c.Addr()
	if pid < 0 || addr == 0 {
		return 0, unix.EINVAL
	}
	var prio int32
	if ts := c.schedTask(pid); ts != nil {
		prio = int32(c.K.scheduled(ts).attr.Priority)
	} else if _, _, e := unix.RawSyscall(unix.SYS_SCHED_GETPARAM, uintptr(pid), uintptr(unsafe.Pointer(&prio)), 0); e != 0 {
		return 0, e
	}
	s := c.NewStruct("sched_param")
	s.Set("sched_priority", uint64(prio))
	return 0, s.Store(c, addr)
}

func sysSchedSetparam(c *Ctx) (uint64, error) {
	pid, addr := c.Int(), c.Addr()
	if pid < 0 || addr == 0 {
		return 0, unix.EINVAL
	}
	prio, err := c.schedParam(addr)
	if err != nil {
		return 0, err
	}
	return 0, c.setSched(pid, func(pid int) unix.Errno {
		_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETPARAM, uintptr(pid), uintptr(unsafe.Pointer(&prio)), 0)
		return e
	})
}

func (c *Ctx) schedInterval(wide bool) (uint64, error) {
	pid, addr := c.Int(), c.Addr()
	if pid < 0 {
		return 0, unix.EINVAL
	}
	var slice unix.Timespec
	get := func(pid int) (e unix.Errno) {
		_, _, e = unix.RawSyscall(unix.SYS_SCHED_RR_GET_INTERVAL, uintptr(pid), uintptr(unsafe.Pointer(&slice)), 0)
		return e
	}
	var err error
	if ts := c.schedTask(pid); ts != nil {
		_, err = c.K.scheduled(ts).on(c.K, c.K.hostCred, func() unix.Errno { return get(0) })
	} else {
		err = asError(get(pid))
	}
	if err != nil {
		return 0, err
	}
	return 0, c.putTimespec(addr, wide, slice)
}

// schedAttrV0 is SCHED_ATTR_SIZE_VER0, the least a struct sched_attr has.
const schedAttrV0 = 48

func sysSchedGetattr(c *Ctx) (uint64, error) {
	pid, addr, size, flags := c.Int(), c.Addr(), c.Uint(), c.Uint()
	if pid < 0 || addr == 0 || size < schedAttrV0 || size > pageMask+1 || flags != 0 {
		return 0, unix.EINVAL
	}
	var a *unix.SchedAttr
	if ts := c.schedTask(pid); ts != nil {
		s := c.K.scheduled(ts)
		a = &s.attr
	} else {
		var err error
		if a, err = unix.SchedGetAttr(pid, 0); err != nil {
			return 0, err
		}
	}
	s := c.NewStruct("sched_attr")
	n := min(size, uint32(s.Size()))
	for field, v := range map[string]uint64{
		"size": uint64(n), "sched_policy": uint64(a.Policy), "sched_flags": a.Flags, "sched_nice": uint64(a.Nice),
		"sched_priority": uint64(a.Priority), "sched_runtime": a.Runtime, "sched_deadline": a.Deadline,
		"sched_period": a.Period, "sched_util_min": uint64(a.Util_min), "sched_util_max": uint64(a.Util_max),
	} {
		s.Set(field, v)
	}
	return 0, c.Space().CopyOut(s.Bytes()[:n], addr)
}

func sysSchedSetattr(c *Ctx) (uint64, error) {
	pid, addr, flags := c.Int(), c.Addr(), c.Uint()
	if pid < 0 || addr == 0 || flags != 0 {
		return 0, unix.EINVAL
	}
	s := c.NewStruct("sched_attr")
	size, err := c.Read32(addr)
	if err != nil {
		return 0, err
	}
	if size == 0 {
		size = schedAttrV0
	}
	if size < schedAttrV0 || size > pageMask+1 {
		s.Set("size", uint64(s.Size()))
		if err := c.Write32(addr, uint32(s.Size())); err != nil {
			return 0, err
		}
		return 0, unix.E2BIG
	}
	if err := c.Space().CopyIn(s.Bytes()[:min(int(size), s.Size())], addr); err != nil {
		return 0, err
	}
	a := unix.SchedAttr{
		Size: uint32(min(int(size), s.Size())), Policy: uint32(s.Uint("sched_policy")), Flags: s.Uint("sched_flags"), Nice: int32(s.Int("sched_nice")),
		Priority: uint32(s.Uint("sched_priority")), Runtime: s.Uint("sched_runtime"), Deadline: s.Uint("sched_deadline"),
		Period: s.Uint("sched_period"), Util_min: uint32(s.Uint("sched_util_min")), Util_max: uint32(s.Uint("sched_util_max")),
	}
	return 0, c.setSched(pid, func(pid int) unix.Errno {
		_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETATTR, uintptr(pid), uintptr(unsafe.Pointer(&a)), 0)
		return e
	})
}

func sysGetcpu(c *Ctx) (uint64, error) {
	cpup, nodep := c.Addr(), c.Addr()
	var cpu, node uint32
	if c.T.Schedule() == nil { // else it is always the same
		_, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), uintptr(unsafe.Pointer(&node)), 0)
		if e != 0 {
			return 0, e
		}
	}
	if cpup != 0 {
		if err := c.Write32(cpup, cpu); err != nil {
			return 0, err
		}
	}
	if nodep == 0 {
		return 0, nil
	}
	return 0, c.Write32(nodep, node)
}
