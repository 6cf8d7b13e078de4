package toy

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// group are the threads of a process, and what they share.
type group struct {
	data [dataSize]byte

	mu       sync.Mutex
	tasks    []*Task // that have not ended
	leader   *Task
	children []*Task // the first threads of other groups
	actions  [65]emu.Sigaction
	ended    bool // all threads end with status
	status   int
	only     *Task // all threads but this one end
}

func (g *group) action(no unix.Signal) emu.Sigaction {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.actions[no]
}

func (g *group) setAction(no unix.Signal, a emu.Sigaction) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.actions[no] = a
}

// others are the threads but one.
func (g *group) others(t *Task) []*Task {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.tasks), func(o *Task) bool { return o == t })
}

// end ends all threads; the first status counts. The one that calls it sees to
// itself.
func (g *group) end(by *Task, status int) int {
	g.mu.Lock()
	if !g.ended {
		g.ended, g.status = true, status
	}
	status = g.status
	g.mu.Unlock()
	for _, o := range g.others(by) {
		o.kill()
	}
	return status
}

// over tells whether a thread has to end, and with what status.
func (g *group) over(t *Task) (status int, over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status, g.ended || g.only != nil && g.only != t
}

// changed is a status that a tracer has changed.
func (g *group) changed(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		g.status = status
	}
}

// kill breaks whatever keeps a task from ending.
func (t *Task) kill() {
	t.Hooks.Killed()
	t.mu.Lock()
	t.killed, t.stopped = true, false
	t.mu.Unlock()
	t.kicked.Store(true)
	t.tell()
}

// leave is exit_notify, and release_task of a thread.
func (t *Task) leave() {
	t.released()
	g := t.group
	g.mu.Lock()
	g.tasks = slices.DeleteFunc(g.tasks, func(o *Task) bool { return o == t })
	last, leader, children := len(g.tasks) == 0, g.leader, g.children
	g.mu.Unlock()
	p := leader.parent
	signal := int(unix.SIGCHLD)
	switch {
	case t != leader:
		signal = -1 // it reaps itself
	case !last:
		signal = -2 // its threads live on
	}
	if last {
		leader.mu.Lock()
		leader.zombie = true
		leader.mu.Unlock()
		for _, c := range children {
			if c.ended() { // init waits for it
				c.Hooks.Reap()
			}
		}
		if p != nil && p.group.gone() && t == leader {
			signal = -1
		}
		if p != nil {
			p.Send(emu.Signal{No: unix.SIGCHLD, PID: leader.ID()})
			p.tell()
		}
	}
	for _, o := range g.others(t) {
		o.tell()
	}
	t.Hooks.Death(last, signal)
	if signal == -1 {
		t.Hooks.Reap()
	}
}

// gone tells whether all threads have ended.
func (g *group) gone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tasks) == 0
}

// ended tells whether the process of a first thread can be waited for.
func (t *Task) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.zombie
}

// alone ends all threads but t, which becomes the first (de_thread).
func (t *Task) alone() {
	g := t.group
	g.mu.Lock()
	g.only = t
	g.mu.Unlock()
	for _, o := range g.others(t) {
		o.kill()
	}
	t.wait(func() bool { return len(g.others(t)) == 0 })
	g.mu.Lock()
	old := g.leader
	g.only, g.leader = nil, t
	g.mu.Unlock()
	if old == t {
		return
	}
	t.id.Store(old.id.Load())
	if p := t.parent; p != nil {
		p.group.mu.Lock()
		p.group.children[slices.Index(p.group.children, old)] = t
		p.group.mu.Unlock()
	}
	old.Hooks.Reap()
}
