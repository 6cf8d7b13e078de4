package syscalls

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// futexKey names a futex among all processes: by its address space for
// private memory, by its file or memory for shared mappings (union futex_key).
type futexKey struct {
	space    *emu.Space
	dev, ino uint64
	shm      uint64 // of shared memory without a file
	off      uint64
}

// futexes are the tasks that wait on futexes, those of one in the order in
// which they came.
type futexes struct {
	mu    sync.Mutex
	queue map[futexKey][]*futexWaiter
}

// futexWaiter is a task that waits. All but ready is guarded by futexes.mu.
type futexWaiter struct {
	key    futexKey
	bitset uint32
	tid    int
	task   *emu.Task // nil where ready is shared with other waiters
	pi     bool      // waits for a lock that is handed over
	woken  bool
	ready  chan struct{} // told when woken
}

// futexKey finds the key of a futex (get_futex_key).
func (c *Ctx) futexKey(addr uint64, private bool) (futexKey, error) {
	if addr&3 != 0 {
		return futexKey{}, unix.EINVAL
	}
	if _, err := c.Read32(addr); err != nil {
		return futexKey{}, err
	}
	if v := c.Space().Find(addr); !private && v != nil && v.Flags&emu.MapShared != 0 {
		k := futexKey{shm: v.Shm, off: uint64(v.Off) + addr - v.Addr}
		if v.File != nil {
			k.dev, k.ino = v.File.Dev, v.File.Ino
		}
		return k, nil
	}
	return futexKey{space: c.Space(), off: addr}, nil
}

// enqueue makes the task wait; f.mu is held.
func (f *futexes) enqueue(w *futexWaiter) {
	if f.queue == nil {
		f.queue = map[futexKey][]*futexWaiter{}
	}
	w.ready = make(chan struct{}, 1)
	f.queue[w.key] = append(f.queue[w.key], w)
}

// remove takes a waiter out of its queue; f.mu is held.
func (f *futexes) remove(w *futexWaiter) {
	l := f.queue[w.key]
	i := slices.Index(l, w)
	if i < 0 {
		return
	}
	if len(l) == 1 {
		delete(f.queue, w.key)
		return
	}
	f.queue[w.key] = slices.Delete(l, i, i+1)
}

// wakeOne wakes a waiter; f.mu is held.
func (f *futexes) wakeOne(w *futexWaiter) {
	f.remove(w)
	w.tell()
}

// tell ends the wait; f.mu is held.
func (w *futexWaiter) tell() {
	w.woken = true
	if w.task == nil || !w.task.Ready() {
		w.ready <- struct{}{}
	}
}

// wake wakes up to n waiters whose bits are among those given.
func (f *futexes) wake(key futexKey, n int, bitset uint32) (woken uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range slices.Clone(f.queue[key]) {
		if n <= 0 {
			break
		}
		if w.bitset&bitset == 0 || w.pi {
			continue
		}
		f.wakeOne(w)
		woken++
		n--
	}
	return woken
}

// requeue wakes up to n waiters of a futex and lets up to m others wait on to;
// the result is how many these are together.
func (f *futexes) requeue(from, to futexKey, n, m int) uint64 {
	done := f.wake(from, n, ^uint32(0))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range slices.Clone(f.queue[from]) {
		if m <= 0 {
			break
		}
		f.remove(w)
		w.key = to
		f.queue[to] = append(f.queue[to], w)
		done++
		m--
	}
	return done
}

// await waits until w is woken, until the end of the wait, or for a signal;
// the errors are ETIMEDOUT and EINTR.
func (c *Ctx) await(w *futexWaiter, clock int, end time.Duration) error {
	err := error(nil)
	if c.T.Schedule() != nil {
		err = c.awaitTurn(w, clock, end)
	} else {
		err = c.awaitFreely(w, clock, end)
	}
	f := &c.K.futexes
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.woken {
		return nil
	}
	f.remove(w)
	return err
}

// awaitTurn is await in a schedule.
func (c *Ctx) awaitTurn(w *futexWaiter, clock int, end time.Duration) error {
	left := time.Duration(-1)
	if end >= 0 {
		now, err := c.P.now(clock)
		if err != nil {
			return err
		}
		left = max(0, end-now)
	}
	return c.until(func() bool { return len(w.ready) > 0 }, left)
}

func (c *Ctx) awaitFreely(w *futexWaiter, clock int, end time.Duration) (err error) {
	ts := c.task()
	// No call of the host: ts.wake is all that is needed to end the wait.
	c.T.Sleep(func(turn <-chan struct{}) (has bool) {
		has, err = c.awaitOutside(w, turn, ts, clock, end)
		return has
	})
	return err
}

func (c *Ctx) awaitOutside(w *futexWaiter, turns <-chan struct{}, ts *taskState, clock int, end time.Duration) (turn bool, err error) {
	for {
		var expired <-chan time.Time
		if end >= 0 {
			now, err := hostNow(clock)
			if err != nil {
				return false, err
			}
			if now >= end {
				return false, unix.ETIMEDOUT
			}
			t := time.NewTimer(end - now)
			defer t.Stop()
			expired = t.C
		}
		if c.interrupted() {
			return false, unix.EINTR
		}
		select {
		case <-turns:
			return true, nil
		case <-w.ready:
			return false, nil
		case <-ts.wake:
		case <-expired:
		}
	}
}
