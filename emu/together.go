package emu

import (
	"slices"
	"sync"
	"time"

	"github.com/utemu/utemu/emu/arch"
)

// together orders the runs of address spaces that have writable memory in
// common: one goes on at a time. The engine's atomic instructions are atomic
// for the tasks of an address space, which take turns, but not for another
// engine in another thread of the host. All spaces of this process share it,
// since guests that know nothing of each other may map the same file.
var together sharedRun

// sharedRun is a lock that is handed on in the order in which it was asked
// for, and whose holder is stopped at the end of its slice if others wait.
type sharedRun struct {
	mu    sync.Mutex
	busy  bool
	cpu   *CPU // of the holder; nil where it will not take long
	queue []*sharedWait
	timer *time.Timer
}

type sharedWait struct {
	cpu   *CPU
	ready chan struct{}
}

// enter takes the lock to run c, which is nil for the host's own accesses.
func (r *sharedRun) enter(c *CPU) {
	r.mu.Lock()
	if !r.busy {
		r.busy, r.cpu = true, c
		r.mu.Unlock()
		return
	}
	w := &sharedWait{cpu: c, ready: make(chan struct{})}
	r.queue = append(r.queue, w)
	if len(r.queue) == 1 {
		r.arm()
	}
	r.mu.Unlock()
	<-w.ready
}

// leave gives the lock to the next.
func (r *sharedRun) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	r.busy, r.cpu = false, nil
	if len(r.queue) == 0 {
		return
	}
	w := r.queue[0]
	r.queue = slices.Delete(r.queue, 0, 1)
	r.busy, r.cpu = true, w.cpu
	if len(r.queue) > 0 {
		r.arm()
	}
	close(w.ready)
}

// arm starts a slice for the holder; r.mu is held.
func (r *sharedRun) arm() {
	c := r.cpu
	if c == nil {
		return
	}
	r.timer = time.AfterFunc(slice, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cpu == c { // so its engine is open
			c.eng.Interrupt()
		}
	})
}

// Atomically calls f, which reads and writes guest memory, while no other
// address space that shares memory with this one runs. f must not block.
func (s *Space) Atomically(f func() error) error {
	if !s.shared {
		return f()
	}
	together.enter(nil)
	defer together.leave()
	return f()
}

// shares tells whether others may have what is written to the mapping.
func (v *VMA) shares() bool {
	return v.Flags&MapShared != 0 && (v.File != nil || v.Shm&SegmentShm != 0) && v.Prot&arch.Write != 0
}

// noteShared is told of a mapping that is about to be.
func (s *Space) noteShared(v *VMA) {
	s.shared = s.shared || v.shares()
	s.codeShared = s.codeShared || v.Flags&MapShared != 0 && v.File != nil && v.Prot&arch.Exec != 0
}
