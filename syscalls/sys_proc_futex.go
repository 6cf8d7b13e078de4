package syscalls

import (
	"slices"
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

// futex serves futex(2).
func (c *Ctx) futex(wide bool) (uint64, error) {
	f := futexCall{addr: c.Addr(), op: c.Int(), val: c.Uint(), timeout: c.Size(), addr2: c.Addr(), val3: c.Uint()}
	cmd := f.op &^ (futexPrivate | futexRealtime)
	if f.op&futexRealtime != 0 && cmd != futexWait && cmd != futexWaitBitset && cmd != futexWaitRequeuePI && cmd != futexLockPI2 {
		return 0, unix.ENOSYS
	}
	switch cmd {
	case futexWait:
		f.val3 = ^uint32(0)
		return c.futexWait(f, cmd, wide)
	case futexWaitBitset:
		return c.futexWait(f, cmd, wide)
	case futexWake:
		f.val3 = ^uint32(0)
		return c.futexWake(f)
	case futexWakeBitset:
		return c.futexWake(f)
	case futexRequeue, futexCmpRequeue, futexCmpRequeuePI:
		return c.futexRequeue(f, cmd)
	case futexWakeOp:
		return c.futexWakeOp(f)
	case futexLockPI, futexLockPI2, futexTrylockPI:
		return c.futexLock(f, cmd, wide)
	case futexUnlockPI:
		return c.futexUnlock(f)
	case futexWaitRequeuePI:
		if f.addr == f.addr2 {
			return 0, unix.EINVAL
		}
		return c.futexWaitRequeue(f, wide)
	}
	return 0, unix.ENOSYS
}

func (f *futexCall) private() bool { return f.op&futexPrivate != 0 }

func (c *Ctx) futexWake(f futexCall) (uint64, error) {
	if f.val3 == 0 {
		return 0, unix.EINVAL
	}
	key, err := c.futexKey(f.addr, f.private())
	if err != nil {
		return 0, err
	}
	// At least one is woken, as the kernel does.
	return c.K.futexes.wake(key, max(int(int32(f.val)), 1), f.val3), nil
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
		now, err := c.P.now(clock)
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
	if f.val3 == 0 {
		return 0, unix.EINVAL
	}
	w, err := c.futexQueue(f.addr, f.private(), f.val, f.val3)
	if err != nil {
		return 0, err
	}
	return 0, c.await(w, clock, end)
}

// futexQueue makes the task wait if the futex still has the value that it
// expects.
func (c *Ctx) futexQueue(addr uint64, private bool, val, bitset uint32) (*futexWaiter, error) {
	key, err := c.futexKey(addr, private)
	if err != nil {
		return nil, err
	}
	f := &c.K.futexes
	f.mu.Lock()
	defer f.mu.Unlock()
	v, err := c.Read32(addr)
	if err != nil {
		return nil, err
	}
	if v != val {
		return nil, unix.EAGAIN
	}
	w := &futexWaiter{key: key, bitset: bitset, tid: c.T.TID, task: c.T}
	f.enqueue(w)
	return w, nil
}

func (c *Ctx) futexRequeue(f futexCall, cmd int) (uint64, error) {
	if int32(f.val) < 0 || int32(f.timeout) < 0 || cmd == futexCmpRequeuePI && (f.val != 1 || f.addr == f.addr2) {
		return 0, unix.EINVAL
	}
	from, err := c.futexKey(f.addr, f.private())
	if err != nil {
		return 0, err
	}
	to, err := c.futexKey(f.addr2, f.private())
	if err != nil {
		return 0, err
	}
	if cmd != futexRequeue {
		if v, err := c.Read32(f.addr); err != nil || v != f.val3 {
			if err == nil {
				err = unix.EAGAIN
			}
			return 0, err
		}
	}
	if cmd == futexCmpRequeuePI {
		var n uint64
		err := c.Space().Atomically(func() error {
			n, err = c.futexRequeuePI(f, from, to)
			return err
		})
		return n, err
	}
	return c.K.futexes.requeue(from, to, int(int32(f.val)), int(int32(f.timeout))), nil
}

// futexWakeOp does the operation on the second word that val3 encodes, and
// wakes those who wait for the first, and if its old value compares those who
// wait for the second.
func (c *Ctx) futexWakeOp(f futexCall) (uint64, error) {
	first, err := c.futexKey(f.addr, f.private())
	if err != nil {
		return 0, err
	}
	second, err := c.futexKey(f.addr2, f.private())
	if err != nil {
		return 0, err
	}
	op, cmp := f.val3>>28&7, f.val3>>24&15
	arg, cmpArg := int32(f.val3<<8)>>20, int32(f.val3<<20)>>20
	if f.val3>>31 != 0 { // FUTEX_OP_OPARG_SHIFT
		arg = 1 << (arg & 31)
	}
	var old uint32
	err = c.Space().Atomically(func() error {
		old, err = c.Read32(f.addr2)
		if err != nil {
			return err
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
			return unix.ENOSYS
		}
		return c.Write32(f.addr2, v)
	})
	if err != nil {
		return 0, err
	}
	compare := []func(a, b int32) bool{
		func(a, b int32) bool { return a == b }, func(a, b int32) bool { return a != b }, func(a, b int32) bool { return a < b },
		func(a, b int32) bool { return a <= b }, func(a, b int32) bool { return a > b }, func(a, b int32) bool { return a >= b },
	}
	if int(cmp) >= len(compare) {
		return 0, unix.ENOSYS
	}
	woken := c.K.futexes.wake(first, int(int32(f.val)), ^uint32(0))
	if compare[cmp](int32(old), cmpArg) {
		woken += c.K.futexes.wake(second, int(int32(f.timeout)), ^uint32(0))
	}
	return woken, nil
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
	key, err := c.futexKey(f.addr, f.private())
	if err != nil {
		return 0, err
	}
	var w *futexWaiter
	err = c.Space().Atomically(func() error {
		w, err = c.futexLockOr(f.addr, key, cmd == futexTrylockPI)
		return err
	})
	if w == nil || err != nil {
		return 0, err
	}
	return 0, c.awaitLock(w, clock, end)
}

// awaitLock waits for a lock. A signal does not end it: the call is made
// again.
func (c *Ctx) awaitLock(w *futexWaiter, clock int, end time.Duration) error {
	err := c.await(w, clock, end)
	if err == unix.EINTR {
		return erestartnointr
	}
	return err
}

// futexLockOr takes the lock, or makes the task wait for it.
func (c *Ctx) futexLockOr(addr uint64, key futexKey, try bool) (*futexWaiter, error) {
	q := &c.K.futexes
	q.mu.Lock()
	defer q.mu.Unlock()
	v, err := c.Read32(addr)
	if err != nil {
		return nil, err
	}
	switch owner := int(v & futexTIDMask); {
	case owner == 0:
		return nil, c.Write32(addr, v&(futexWaiters|futexOwnerDied)|uint32(c.T.TID))
	case owner == c.T.TID:
		return nil, unix.EDEADLK
	case c.K.find(owner) == nil:
		return nil, unix.ESRCH
	case try:
		return nil, unix.EAGAIN
	}
	if err := c.Write32(addr, v|futexWaiters); err != nil {
		return nil, err
	}
	w := &futexWaiter{key: key, bitset: ^uint32(0), tid: c.T.TID, task: c.T, pi: true}
	q.enqueue(w)
	return w, nil
}

func (c *Ctx) futexUnlock(f futexCall) (uint64, error) {
	key, err := c.futexKey(f.addr, f.private())
	if err != nil {
		return 0, err
	}
	return 0, c.Space().Atomically(func() error {
		v, err := c.Read32(f.addr)
		if err != nil {
			return err
		}
		if int(v&futexTIDMask) != c.T.TID {
			return unix.EPERM
		}
		return c.K.futexes.handOver(key, 0, func(v uint32) error { return c.Write32(f.addr, v) })
	})
}

// handOver gives a lock to the task that has waited longest for it, or frees
// it; flags are bits that the word keeps.
func (f *futexes) handOver(key futexKey, flags uint32, store func(v uint32) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.queue[key]
	i := slices.IndexFunc(l, func(w *futexWaiter) bool { return w.pi })
	if i < 0 {
		return store(flags)
	}
	w, v := l[i], flags|uint32(l[i].tid)
	if len(l) > 1 {
		v |= futexWaiters
	}
	if err := store(v); err != nil {
		return err
	}
	f.wakeOne(w)
	return nil
}

// futexWaitRequeue waits on a condition variable whose waiters are moved to
// the lock that addr2 is.
func (c *Ctx) futexWaitRequeue(f futexCall, wide bool) (uint64, error) {
	clock, end, err := c.futexEnd(f, futexWaitRequeuePI, wide)
	if err != nil {
		return 0, err
	}
	if _, err := c.futexKey(f.addr2, f.private()); err != nil {
		return 0, err
	}
	w, err := c.futexQueue(f.addr, f.private(), f.val, ^uint32(0))
	if err != nil {
		return 0, err
	}
	return 0, c.await(w, clock, end)
}

// futexRequeuePI gives the lock at addr2 to the first waiter, if it is free,
// and lets the others wait for it.
func (c *Ctx) futexRequeuePI(f futexCall, from, to futexKey) (uint64, error) {
	q := &c.K.futexes
	q.mu.Lock()
	defer q.mu.Unlock()
	n, most := uint64(0), uint64(int32(f.timeout))+1
	for _, w := range slices.Clone(q.queue[from]) {
		if n == most {
			break
		}
		v, err := c.Read32(f.addr2)
		if err != nil {
			return n, err
		}
		q.remove(w)
		w.key, w.pi = to, true
		if n++; v&futexTIDMask == 0 {
			v |= uint32(w.tid)
			w.tell()
		} else {
			v |= futexWaiters
			q.queue[to] = append(q.queue[to], w)
		}
		if err := c.Write32(f.addr2, v); err != nil {
			return n, err
		}
	}
	return n, nil
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
	return c.futexWaitAny(addr, uint64(n), clock, end)
}

// futexWaitAny waits on several futexes; the result is the number of one that
// was woken.
func (c *Ctx) futexWaitAny(addr, n uint64, clock int, end time.Duration) (woken uint64, err error) {
	q := &c.K.futexes
	var all []*futexWaiter
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		for i, w := range all {
			if w.woken {
				woken, err = uint64(i), nil
			}
			q.remove(w)
		}
	}()
	any := make(chan struct{}, n)
	for i := range n {
		w, err := c.waitvEntry(addr, i, any)
		if err != nil {
			return 0, err
		}
		all = append(all, w)
	}
	return 0, c.await(&futexWaiter{ready: any}, clock, end)
}

// waitvEntry queues one futex of futex_waitv(2).
func (c *Ctx) waitvEntry(addr, i uint64, ready chan struct{}) (*futexWaiter, error) {
	size := uint64(c.A.Layout["futex_waitv"].Size)
	s, err := c.LoadStruct("futex_waitv", addr+i*size)
	if err != nil {
		return nil, err
	}
	flags := s.Uint("flags")
	if flags&^futex2Private != futex2Size32 || s.Uint("__reserved") != 0 {
		return nil, unix.EINVAL
	}
	a := s.Uint("uaddr")
	if c.A.Addr(a) != a {
		return nil, unix.EFAULT
	}
	key, err := c.futexKey(a, flags&futex2Private != 0)
	if err != nil {
		return nil, err
	}
	q := &c.K.futexes
	q.mu.Lock()
	defer q.mu.Unlock()
	v, err := c.Read32(a)
	if err != nil {
		return nil, err
	}
	if v != uint32(s.Uint("val")) {
		return nil, unix.EAGAIN
	}
	w := &futexWaiter{key: key, bitset: ^uint32(0), tid: c.T.TID}
	q.enqueue(w)
	w.ready = ready
	return w, nil
}
