package syscalls

import "golang.org/x/sys/unix"

// prctlState is what prctl(2) and capset(2) keep of a process.
type prctlState struct {
	dumpable   uint64
	deathSig   uint64
	keepCaps   uint64
	noNewPrivs bool
	reaper     uint64
	thpOff     uint64
	slack      uint64 // timer slack in nanoseconds
	slackReset uint64 // what 0 sets it to: what the parent had
	tsc        uint64
	mce        uint64
	secure     uint64 // securebits
	ambient    uint64 // ambient capabilities
}

const (
	defaultSlack  = 50000
	mcePolicyUser = 2 // PR_MCE_KILL_DEFAULT
)

// exec gives a new program what does not outlive the old one.
func (s *prctlState) exec() {
	s.dumpable = 1
	s.keepCaps = 0
	if s.slack == 0 {
		s.slack, s.slackReset, s.mce, s.tsc = defaultSlack, defaultSlack, mcePolicyUser, 1
	}
}

// commLen is TASK_COMM_LEN, with the final NUL.
const commLen = 16

// prctlTable are the simple options: those that return or set one value.
var prctlTable = map[int]func(c *Ctx, s *prctlState, a [4]uint64) (uint64, error){
	unix.PR_SET_NAME: func(c *Ctx, _ *prctlState, a [4]uint64) (uint64, error) { return 0, c.setName(a[0]) },
	unix.PR_GET_NAME: func(c *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
		var b [commLen]byte
		copy(b[:commLen-1], c.task().comm)
		return 0, c.Space().CopyOut(b[:], a[0])
	},
	unix.PR_GET_DUMPABLE:  func(_ *Ctx, s *prctlState, _ [4]uint64) (uint64, error) { return s.dumpable, nil },
	unix.PR_SET_DUMPABLE:  func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) { return set(&s.dumpable, a[0], 1) },
	unix.PR_GET_KEEPCAPS:  func(_ *Ctx, s *prctlState, _ [4]uint64) (uint64, error) { return s.keepCaps, nil },
	unix.PR_SET_KEEPCAPS:  func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) { return set(&s.keepCaps, a[0], 1) },
	unix.PR_SET_PDEATHSIG: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) { return set(&s.deathSig, a[0], nsig) },
	unix.PR_GET_PDEATHSIG: func(c *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		return 0, c.Write32(a[0], uint32(s.deathSig))
	},
	unix.PR_SET_NO_NEW_PRIVS: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if a != [4]uint64{1} {
			return 0, unix.EINVAL
		}
		s.noNewPrivs = true
		return 0, nil
	},
	unix.PR_GET_NO_NEW_PRIVS: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if a != [4]uint64{} {
			return 0, unix.EINVAL
		}
		return bit(s.noNewPrivs), nil
	},
	unix.PR_GET_SECCOMP:    func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, nil },
	unix.PR_SET_SECCOMP:    func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, unix.EINVAL },
	unix.PR_GET_TIMERSLACK: func(_ *Ctx, s *prctlState, _ [4]uint64) (uint64, error) { return s.slack, nil },
	unix.PR_SET_TIMERSLACK: func(c *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		s.slack = a[0]
		if c.longOf(a[0]) <= 0 {
			s.slack = s.slackReset
		}
		return 0, nil
	},
	unix.PR_GET_THP_DISABLE: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if a != [4]uint64{} {
			return 0, unix.EINVAL
		}
		return s.thpOff, nil
	},
	unix.PR_SET_THP_DISABLE: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if a[1]|a[2]|a[3] != 0 {
			return 0, unix.EINVAL
		}
		s.thpOff = bit(a[0] != 0)
		return 0, nil
	},
	unix.PR_SET_CHILD_SUBREAPER: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		s.reaper = bit(a[0] != 0)
		return 0, nil
	},
	unix.PR_GET_CHILD_SUBREAPER: func(c *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		return 0, c.Write32(a[0], uint32(s.reaper))
	},
	unix.PR_GET_TIMING: func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return unix.PR_TIMING_STATISTICAL, nil },
	unix.PR_SET_TIMING: func(_ *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
		if a[0] != unix.PR_TIMING_STATISTICAL {
			return 0, unix.EINVAL
		}
		return 0, nil
	},
	unix.PR_GET_TID_ADDRESS: func(c *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
		return 0, c.WriteWord(a[0], c.task().clearTID)
	},
	unix.PR_CAPBSET_READ: func(_ *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
		v, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(a[0]), 0, 0, 0)
		return uint64(v), err
	},
	unix.PR_CAPBSET_DROP:   prctlCapDrop,
	unix.PR_CAP_AMBIENT:    prctlAmbient,
	unix.PR_GET_SECUREBITS: func(_ *Ctx, s *prctlState, _ [4]uint64) (uint64, error) { return s.secure, nil },
	unix.PR_SET_SECUREBITS: func(c *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if !c.capable(unix.CAP_SETPCAP) {
			return 0, unix.EPERM
		}
		return set(&s.secure, a[0], 0xff)
	},
	unix.PR_MCE_KILL_GET: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		if a != [4]uint64{} {
			return 0, unix.EINVAL
		}
		return s.mce, nil
	},
	unix.PR_MCE_KILL: func(_ *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
		switch {
		case a == [4]uint64{unix.PR_MCE_KILL_CLEAR}:
			s.mce = mcePolicyUser
			return 0, nil
		case a[0] != unix.PR_MCE_KILL_SET || a[2]|a[3] != 0:
			return 0, unix.EINVAL
		}
		return set(&s.mce, a[1], mcePolicyUser)
	},
	unix.PR_TASK_PERF_EVENTS_DISABLE: func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, nil },
	unix.PR_TASK_PERF_EVENTS_ENABLE:  func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, nil },
	unix.PR_SET_PTRACER: func(c *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
		if pid := c.longOf(a[0]); pid > 0 && unix.Kill(int(pid), 0) == unix.ESRCH {
			return 0, unix.EINVAL
		}
		return 0, nil
	},
	unix.PR_SET_MM:         func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, unix.EPERM },
	unix.PR_GET_IO_FLUSHER: func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, unix.EPERM },
	unix.PR_SET_IO_FLUSHER: func(*Ctx, *prctlState, [4]uint64) (uint64, error) { return 0, unix.EPERM },
}

func bit(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// set changes a value that is at most most.
func set(p *uint64, v, most uint64) (uint64, error) {
	if v > most {
		return 0, unix.EINVAL
	}
	*p = v
	return 0, nil
}

// longOf is an argument as a signed long.
func (c *Ctx) longOf(v uint64) int64 {
	if c.A.Word == 4 {
		return int64(int32(v))
	}
	return int64(v)
}

func sysPrctl(c *Ctx) (uint64, error) {
	f := prctlTable[c.Int()]
	if f == nil {
		return 0, unix.EINVAL
	}
	return f(c, &c.P.prctl, [4]uint64{c.Size(), c.Size(), c.Size(), c.Size()})
}

// setName sets the name of the calling task.
func (c *Ctx) setName(addr uint64) error {
	s, err := c.CString(addr, commLen)
	if err == unix.E2BIG {
		b := make([]byte, commLen-1)
		err = c.Space().CopyIn(b, addr)
		s = string(b)
	}
	if err != nil {
		return err
	}
	c.task().comm = s
	return nil
}

func prctlCapDrop(c *Ctx, _ *prctlState, a [4]uint64) (uint64, error) {
	switch {
	case !c.capable(unix.CAP_SETPCAP):
		return 0, unix.EPERM
	case a[0] > unix.CAP_LAST_CAP:
		return 0, unix.EINVAL
	}
	return 0, nil
}

// prctlAmbient serves the subcommands of PR_CAP_AMBIENT.
func prctlAmbient(c *Ctx, s *prctlState, a [4]uint64) (uint64, error) {
	cmd, n := a[0], a[1]
	if cmd == unix.PR_CAP_AMBIENT_CLEAR_ALL {
		if n|a[2]|a[3] != 0 {
			return 0, unix.EINVAL
		}
		s.ambient = 0
		return 0, nil
	}
	if n > unix.CAP_LAST_CAP || a[2]|a[3] != 0 {
		return 0, unix.EINVAL
	}
	mask := uint64(1) << n
	switch cmd {
	case unix.PR_CAP_AMBIENT_IS_SET:
		return bit(s.ambient&mask != 0), nil
	case unix.PR_CAP_AMBIENT_LOWER:
		s.ambient &^= mask
	case unix.PR_CAP_AMBIENT_RAISE:
		if d := c.task().cred.caps; d.permitted&d.inheritable&mask == 0 {
			return 0, unix.EPERM
		}
		s.ambient |= mask
	default:
		return 0, unix.EINVAL
	}
	return 0, nil
}
