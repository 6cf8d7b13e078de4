package syscalls

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// rlimits are the numbers of the resource limits, by the guest's (RLIMIT_ of
// asm/resource.h).
var rlimits = newEnum(
	Flag{Name: "RLIMIT_CPU", Host: unix.RLIMIT_CPU},
	Flag{Name: "RLIMIT_FSIZE", Host: unix.RLIMIT_FSIZE},
	Flag{Name: "RLIMIT_DATA", Host: unix.RLIMIT_DATA},
	Flag{Name: "RLIMIT_STACK", Host: unix.RLIMIT_STACK},
	Flag{Name: "RLIMIT_CORE", Host: unix.RLIMIT_CORE},
	Flag{Name: "RLIMIT_RSS", Host: unix.RLIMIT_RSS},
	Flag{Name: "RLIMIT_NPROC", Host: unix.RLIMIT_NPROC},
	Flag{Name: "RLIMIT_NOFILE", Host: unix.RLIMIT_NOFILE},
	Flag{Name: "RLIMIT_MEMLOCK", Host: unix.RLIMIT_MEMLOCK},
	Flag{Name: "RLIMIT_AS", Host: unix.RLIMIT_AS},
	Flag{Name: "RLIMIT_LOCKS", Host: unix.RLIMIT_LOCKS},
	Flag{Name: "RLIMIT_SIGPENDING", Host: unix.RLIMIT_SIGPENDING},
	Flag{Name: "RLIMIT_MSGQUEUE", Host: unix.RLIMIT_MSGQUEUE},
	Flag{Name: "RLIMIT_NICE", Host: unix.RLIMIT_NICE},
	Flag{Name: "RLIMIT_RTPRIO", Host: unix.RLIMIT_RTPRIO},
	Flag{Name: "RLIMIT_RTTIME", Host: unix.RLIMIT_RTTIME},
)

// forced are the limits that the host enforces for the guest: those that
// would hit utemu itself, and that the calls check themselves, stay ours.
var forced = map[int]bool{
	unix.RLIMIT_CORE: true, unix.RLIMIT_MEMLOCK: true,
	unix.RLIMIT_LOCKS: true, unix.RLIMIT_MSGQUEUE: true, unix.RLIMIT_NICE: true, unix.RLIMIT_RTPRIO: true,
}

// resource is the host's number of a limit, EINVAL if there is none.
func (c *Ctx) resource(n uint32) (int, error) {
	v, ok := rlimits.Host(c.A, uint64(n))
	if !ok {
		return 0, unix.EINVAL
	}
	return int(v), nil
}

// setLimit changes a limit of the guest (do_prlimit); any is whether it may be
// raised.
func (p *Process) setLimit(res int, l unix.Rlimit, any bool) error {
	old := p.Limits[res]
	if l.Cur > l.Max {
		return unix.EINVAL
	}
	if res == unix.RLIMIT_NOFILE && l.Max > maxFiles {
		return unix.EPERM
	}
	if l.Max > old.Max && !any {
		return unix.EPERM
	}
	if forced[res] {
		if err := unix.Prlimit(0, res, &l, nil); err != nil {
			return err
		}
	}
	p.Limits[res] = l
	if res == unix.RLIMIT_CPU {
		p.limitCPU(l)
	}
	return nil
}

// noFile is the limit of open files that this process was started with. The
// host counts what all guests have open, and files of this process's own: from
// then on its limit is what the host allows. Where that is not more, the guest's
// is less, and how far it may raise it, so that it meets its own first.
var noFile = sync.OnceValue(func() unix.Rlimit {
	var l unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &l); err != nil {
		return unix.Rlimit{Cur: maxFiles, Max: maxFiles}
	}
	if cur, ok := emu.StartNoFile(); ok {
		l.Cur = cur
	}
	for _, most := range []uint64{maxFiles, l.Max} { // those without privileges may not get the former
		// Not by package unix, which would have other children keep it.
		to := &unix.Rlimit{Cur: most, Max: most}
		if _, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(to)), 0, 0, 0); e == 0 {
			most -= min(ownFiles, most/4)
			l.Cur, l.Max = min(l.Cur, most), min(l.Max, most)
			break
		}
	}
	return l
})

// ownFiles is how many files this process may have open for itself.
const ownFiles = 256

// maxFiles is the default of fs.nr_open.
const maxFiles = 1 << 20

// capable tells whether the guest has a capability.
func (c *Ctx) capable(n int) bool { return c.task().cred.has(n) }

func sysGetrlimit(c *Ctx) (uint64, error) {
	old := c.P.table.oldRlimit
	if old && c.A.Word == 8 {
		return 0, unix.ENOSYS
	}
	return c.getrlimit(old)
}

// getrlimit serves both forms; the old one has a signed long.
func (c *Ctx) getrlimit(old bool) (uint64, error) {
	res, err := c.resource(c.Uint())
	if err != nil {
		return 0, err
	}
	l := c.P.Limits[res]
	s := c.NewStruct("rlimit")
	most := ^uint64(0)
	if c.A.Word == 4 {
		most = 0xffffffff
	}
	if old {
		most >>= 1
	}
	s.Set("rlim_cur", min(l.Cur, most))
	s.Set("rlim_max", min(l.Max, most))
	return 0, s.Store(c, c.Addr())
}

func sysSetrlimit(c *Ctx) (uint64, error) {
	n, addr := c.Uint(), c.Addr()
	s, err := c.LoadStruct("rlimit", addr)
	if err != nil {
		return 0, err
	}
	res, err := c.resource(n)
	if err != nil {
		return 0, err
	}
	l := unix.Rlimit{Cur: c.infinity(s.Uint("rlim_cur")), Max: c.infinity(s.Uint("rlim_max"))}
	return 0, c.P.setLimit(res, l, c.capable(unix.CAP_SYS_RESOURCE))
}

// infinity widens RLIM_INFINITY of a long.
func (c *Ctx) infinity(v uint64) uint64 {
	if c.A.Word == 4 && v == 0xffffffff {
		return unix.RLIM_INFINITY
	}
	return v
}

func sysPrlimit64(c *Ctx) (uint64, error) {
	pid, n, newp, oldp := c.Int(), c.Uint(), c.Addr(), c.Addr()
	res, err := c.resource(n)
	if err != nil {
		return 0, err
	}
	var l *unix.Rlimit
	if newp != 0 {
		s, err := c.LoadStruct("rlimit64", newp)
		if err != nil {
			return 0, err
		}
		l = &unix.Rlimit{Cur: s.Uint("rlim_cur"), Max: s.Uint("rlim_max")}
	}
	var old unix.Rlimit
	if ts := c.K.find(pid); ts != nil && ts.p != c.P {
		return 0, c.otherLimit(ts, res, l, oldp)
	}
	if pid == 0 || c.isTask(pid) {
		old = c.P.Limits[res]
		if l != nil {
			err = c.P.setLimit(res, *l, c.capable(unix.CAP_SYS_RESOURCE))
		}
	} else {
		err = unix.Prlimit(pid, res, l, &old)
	}
	if err != nil || oldp == 0 {
		return 0, err
	}
	return 0, c.putLimit(oldp, old)
}

func (c *Ctx) putLimit(addr uint64, l unix.Rlimit) error {
	s := c.NewStruct("rlimit64")
	s.Set("rlim_cur", l.Cur)
	s.Set("rlim_max", l.Max)
	return s.Store(c, addr)
}

// otherLimit is prlimit64 for a task of another guest: a limit that the host
// enforces is of all guests.
func (c *Ctx) otherLimit(ts *taskState, res int, l *unix.Rlimit, oldp uint64) error {
	if me := c.task().cred; !me.owns(ts.cred) && !me.has(unix.CAP_SYS_RESOURCE) {
		return unix.EPERM
	}
	var old unix.Rlimit
	var err error
	if !c.look(ts.p, func() {
		old = ts.p.Limits[res]
		if l != nil {
			err = ts.p.setLimit(res, *l, c.capable(unix.CAP_SYS_RESOURCE))
		}
	}) {
		return unix.ESRCH
	}
	if err != nil || oldp == 0 {
		return err
	}
	return c.putLimit(oldp, old)
}

// owns tells whether all ids of other credentials are the real ones
// (check_prlimit_permission).
func (cr *cred) owns(o *cred) bool {
	u, g := cr.uid.real, cr.gid.real
	return o.uid.real == u && o.uid.eff == u && o.uid.saved == u && o.gid.real == g && o.gid.eff == g && o.gid.saved == g
}

func sysGetrusage(c *Ctx) (uint64, error) {
	who, addr := c.Int(), c.Addr()
	switch who {
	case unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN, unix.RUSAGE_THREAD:
	default:
		return 0, unix.EINVAL
	}
	r := c.task().usageOf(who)
	return 0, c.putRusage(addr, &r)
}

// putRusage writes a struct rusage.
func (c *Ctx) putRusage(addr uint64, r *unix.Rusage) error {
	s := c.NewStruct("rusage")
	for field, v := range map[string]int64{
		"ru_utime.tv_sec": r.Utime.Sec, "ru_utime.tv_usec": r.Utime.Usec,
		"ru_stime.tv_sec": r.Stime.Sec, "ru_stime.tv_usec": r.Stime.Usec,
		"ru_maxrss": r.Maxrss, "ru_ixrss": r.Ixrss, "ru_idrss": r.Idrss, "ru_isrss": r.Isrss,
		"ru_minflt": r.Minflt, "ru_majflt": r.Majflt, "ru_nswap": r.Nswap,
		"ru_inblock": r.Inblock, "ru_oublock": r.Oublock, "ru_msgsnd": r.Msgsnd, "ru_msgrcv": r.Msgrcv,
		"ru_nsignals": r.Nsignals, "ru_nvcsw": r.Nvcsw, "ru_nivcsw": r.Nivcsw,
	} {
		s.Set(field, uint64(v))
	}
	return s.Store(c, addr)
}
