package syscalls

import (
	"time"

	"golang.org/x/sys/unix"
)

// Futex operations (linux/futex.h).
const (
	futexWait          = 0
	futexWake          = 1
	futexRequeue       = 3
	futexCmpRequeue    = 4
	futexWakeOp        = 5
	futexLockPI        = 6
	futexUnlockPI      = 7
	futexTrylockPI     = 8
	futexWaitBitset    = 9
	futexWakeBitset    = 10
	futexWaitRequeuePI = 11
	futexCmpRequeuePI  = 12
	futexLockPI2       = 13

	futexPrivate  = 128
	futexRealtime = 256

	futexWaiters   = 0x80000000
	futexOwnerDied = 0x40000000
	futexTIDMask   = 0x3fffffff
)

// futexCall are the arguments of futex(2).
type futexCall struct {
	addr    uint64
	op      int
	val     uint32
	timeout uint64 // address, or val2
	addr2   uint64
	val3    uint32
}

func sysFutex(c *Ctx) (uint64, error)   { return c.futex(false) }
func sysFutex64(c *Ctx) (uint64, error) { return c.futex(true) }

// futex serves futex(2) for a process whose tasks run one at a time: while
// one is here no other waits, so nobody is woken, and what waits can only
// time out or be interrupted.
func (c *Ctx) futex(wide bool) (uint64, error) {
	f := futexCall{addr: c.Addr(), op: c.Int(), val: c.Uint(), timeout: c.Size(), addr2: c.Addr(), val3: c.Uint()}
	cmd := f.op &^ (futexPrivate | futexRealtime)
	if f.op&futexRealtime != 0 && cmd != futexWait && cmd != futexWaitBitset && cmd != futexWaitRequeuePI && cmd != futexLockPI2 {
		return 0, unix.ENOSYS
	}
	switch cmd {
	case futexWait, futexWaitBitset:
		return c.futexWait(f, cmd, wide)
	case futexWake, futexWakeBitset:
		if cmd == futexWakeBitset && f.val3 == 0 {
			return 0, unix.EINVAL
		}
		return 0, c.futexKey(f.addr)
	case futexRequeue, futexCmpRequeue, futexCmpRequeuePI:
		return c.futexRequeue(f, cmd)
	case futexWakeOp:
		return c.futexWakeOp(f)
	case futexLockPI, futexLockPI2, futexTrylockPI:
		return c.futexLock(f, cmd, wide)
	case futexUnlockPI:
		return c.futexUnlock(f)
	case futexWaitRequeuePI:
		if f.val3 == 0 || f.addr == f.addr2 {
			return 0, unix.EINVAL
		}
		return c.futexWait(f, cmd, wide)
	}
	return 0, unix.ENOSYS
}

// futexKey checks a futex's address (get_futex_key).
func (c *Ctx) futexKey(addr uint64) error {
	if addr&3 != 0 {
		return unix.EINVAL
	}
	_, err := c.Read32(addr)
	return err
}

// futexEnd is when a wait ends: a relative timeout for FUTEX_WAIT, else a time
// of the clock the operation names. The duration is negative without timeout.
func (c *Ctx) futexEnd(f futexCall, cmd int, wide bool) (clock int, end time.Duration, err error) {
	clock = unix.CLOCK_MONOTONIC
	if f.op&futexRealtime != 0 || cmd == futexLockPI {
		clock = unix.CLOCK_REALTIME
	}
	if f.timeout == 0 {
		return clock, -1, nil
	}
	ts, err := c.getTimespec(f.timeout, wide)
	if err != nil {
		return 0, 0, err
	}
	if !validTime(ts) {
		return 0, 0, unix.EINVAL
	}
	end = duration(ts)
	if cmd == futexWait {
		now, err := hostNow(clock)
		if err != nil {
			return 0, 0, err
		}
		if end += now; end < now {
			end = -1
		}
	}
	return clock, end, nil
}

func (c *Ctx) futexWait(f futexCall, cmd int, wide bool) (uint64, error) {
	clock, end, err := c.futexEnd(f, cmd, wide)
	if err != nil {
		return 0, err
	}
	if cmd == futexWaitBitset && f.val3 == 0 {
		return 0, unix.EINVAL
	}
	if err := c.futexKey(f.addr); err != nil {
		return 0, err
	}
	v, err := c.Read32(f.addr)
	if err != nil {
		return 0, err
	}
	if v != f.val {
		return 0, unix.EAGAIN
	}
	return 0, c.futexSleep(clock, end)
}

// futexSleep waits until the end of a wait or for a signal.
func (c *Ctx) futexSleep(clock int, end time.Duration) error {
	if end < 0 {
		c.sleep(-1)
		return unix.EINTR
	}
	if err := c.sleepOn(clock, end, true, 0, false); err != nil {
		return err
	}
	return unix.ETIMEDOUT
}

func (c *Ctx) futexRequeue(f futexCall, cmd int) (uint64, error) {
	if int32(f.val) < 0 || int32(f.timeout) < 0 || cmd == futexCmpRequeuePI && (f.val != 1 || f.addr == f.addr2) {
		return 0, unix.EINVAL
	}
	for _, a := range []uint64{f.addr, f.addr2} {
		if err := c.futexKey(a); err != nil {
			return 0, err
		}
	}
	if cmd == futexRequeue {
		return 0, nil
	}
	if v, err := c.Read32(f.addr); err != nil || v != f.val3 {
		if err == nil {
			err = unix.EAGAIN
		}
		return 0, err
	}
	return 0, nil
}

// futexWakeOp does the operation on the second word that val3 encodes.
func (c *Ctx) futexWakeOp(f futexCall) (uint64, error) {
	for _, a := range []uint64{f.addr, f.addr2} {
		if err := c.futexKey(a); err != nil {
			return 0, err
		}
	}
	op, cmp := f.val3>>28&7, f.val3>>24&15
	arg := int32(f.val3<<8) >> 20
	if f.val3>>31 != 0 { // FUTEX_OP_OPARG_SHIFT
		arg = 1 << (arg & 31)
	}
	old, err := c.Read32(f.addr2)
	if err != nil {
		return 0, err
	}
	v := old
	switch op {
	case 0:
		v = uint32(arg)
	case 1:
		v += uint32(arg)
	case 2:
		v |= uint32(arg)
	case 3:
		v &^= uint32(arg)
	case 4:
		v ^= uint32(arg)
	default:
		return 0, unix.ENOSYS
	}
	if err := c.Write32(f.addr2, v); err != nil {
		return 0, err
	}
	if cmp > 5 {
		return 0, unix.ENOSYS
	}
	return 0, nil
}

// futexLock takes a lock with priority inheritance.
func (c *Ctx) futexLock(f futexCall, cmd int, wide bool) (uint64, error) {
	if cmd == futexTrylockPI {
		f.timeout = 0
	}
	clock, end, err := c.futexEnd(f, cmd, wide)
	if err != nil {
		return 0, err
	}
	if err := c.futexKey(f.addr); err != nil {
		return 0, err
	}
	v, err := c.Read32(f.addr)
	if err != nil {
		return 0, err
	}
	switch owner := int(v & futexTIDMask); {
	case owner == 0:
		return 0, c.Write32(f.addr, v&(futexWaiters|futexOwnerDied)|uint32(c.T.TID))
	case owner == c.T.TID:
		return 0, unix.EDEADLK
	case !c.isTask(owner):
		if unix.Kill(owner, 0) == unix.ESRCH || c.hidden(owner) {
			return 0, unix.ESRCH
		}
		return 0, unix.EPERM
	case cmd == futexTrylockPI:
		return 0, unix.EAGAIN
	}
	if err := c.Write32(f.addr, v|futexWaiters); err != nil {
		return 0, err
	}
	return 0, c.futexSleep(clock, end)
}

func (c *Ctx) futexUnlock(f futexCall) (uint64, error) {
	if err := c.futexKey(f.addr); err != nil {
		return 0, err
	}
	v, err := c.Read32(f.addr)
	if err != nil {
		return 0, err
	}
	if int(v&futexTIDMask) != c.T.TID {
		return 0, unix.EPERM
	}
	return 0, c.Write32(f.addr, 0)
}

// Flags of struct futex_waitv.
const (
	futex2Size32  = 2
	futex2Private = futexPrivate
	maxWaitv      = 128
)

func sysFutexWaitv(c *Ctx) (uint64, error) {
	addr, n, flags, timep, clock := c.Addr(), c.Uint(), c.Uint(), c.Addr(), c.Int()
	if flags != 0 || n == 0 || n > maxWaitv || addr == 0 {
		return 0, unix.EINVAL
	}
	end := time.Duration(-1)
	if timep != 0 {
		if clock != unix.CLOCK_MONOTONIC && clock != unix.CLOCK_REALTIME {
			return 0, unix.EINVAL
		}
		ts, err := c.getTimespec(timep, true)
		if err != nil {
			return 0, err
		}
		if !validTime(ts) {
			return 0, unix.EINVAL
		}
		end = duration(ts)
	}
	for i := range n {
		if err := c.waitvEntry(addr, uint64(i)); err != nil {
			return 0, err
		}
	}
	return 0, c.futexSleep(clock, end)
}

// waitvEntry checks one futex of futex_waitv(2).
func (c *Ctx) waitvEntry(addr, i uint64) error {
	size := uint64(c.A.Layout["futex_waitv"].Size)
	s, err := c.LoadStruct("futex_waitv", addr+i*size)
	if err != nil {
		return err
	}
	flags := s.Uint("flags")
	if flags&^futex2Private != futex2Size32 || s.Uint("__reserved") != 0 {
		return unix.EINVAL
	}
	a := s.Uint("uaddr")
	if c.A.Addr(a) != a {
		return unix.EFAULT
	}
	if err := c.futexKey(a); err != nil {
		return err
	}
	v, err := c.Read32(a)
	if err != nil {
		return err
	}
	if v != uint32(s.Uint("val")) {
		return unix.EAGAIN
	}
	return nil
}
