package hooks

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Of is the tracing state of a guest task. The first call makes it, and puts
// it in the place of the task's tracer for good; a tracer that was there
// still hears of everything. Any goroutine may call it.
func Of(t *emu.Task) *Task {
	if g, ok := t.Tracer().(*guest); ok {
		return g.t
	}
	made := &guest{}
	made.t = New(guestTarget{t})
	var g *guest
	t.UpdateTracer(func(old emu.Tracer) emu.Tracer {
		var ok bool
		if g, ok = old.(*guest); !ok {
			g = made
			g.next = old
		}
		return g
	})
	// The task may have ended without this tracer.
	if t.Over() {
		g.t.Zombie()
	}
	if t.Reaped() {
		g.t.Reap()
	}
	return g.t
}

// Attach finds an engine of a guest task or makes one: see Task.Attach. Any
// goroutine may call it.
func Attach(t *emu.Task, f Flags, ops *Ops, data any) (*Engine, error) {
	if _, traced := t.Tracer().(*guest); !traced {
		// A lookup leaves the task as it was, and so does a mistake.
		if f&AttachCreate == 0 {
			return nil, ErrNoEnt
		}
		if ops == nil {
			return nil, ErrInvalid
		}
	}
	return Of(t).Attach(f, ops, data)
}

// Finder knows the tasks of a machine by their numbers; the kernel of a machine
// is one.
type Finder interface {
	// FindTask is the task with a number, also one that has ended and was not
	// waited for; nil if there is none.
	FindTask(tid int) *emu.Task
}

// AttachPID is Attach for the task that has a number, a process's first task
// or another: ErrGone if there is none. Any goroutine may call it.
func AttachPID(k Finder, pid int, f Flags, ops *Ops, data any) (*Engine, error) {
	t := k.FindTask(pid)
	if t == nil {
		return nil, ErrGone
	}
	return Attach(t, f, ops, data)
}

// Guest is the guest task behind t, nil if t is of another kind.
func (t *Task) Guest() *emu.Task {
	g, _ := t.target.(guestTarget)
	return g.t
}

// guestTarget implements Target on a guest task.
type guestTarget struct{ t *emu.Task }

func (g guestTarget) ID() int                                { return g.t.TID }
func (g guestTarget) Arch() *arch.Arch                       { return g.t.Proc.Arch }
func (g guestTarget) Regs() regset.Regs                      { return g.t.CPU() }
func (g guestTarget) Memory() arch.Memory                    { return g.t.Proc.Space }
func (g guestTarget) Sigaction(no unix.Signal) emu.Sigaction { return g.t.Sigaction(no) }
func (g guestTarget) Kick()                                  { g.t.Proc.Interrupt() }
func (g guestTarget) Interrupt()                             { g.t.Wake() }
func (g guestTarget) Park(wait func())                       { g.t.Outside(wait) }
func (g guestTarget) Held(f func() error) error              { return g.t.Borrow(f) }
func (g guestTarget) Lost()                                  { g.t.Lost() }
func (g guestTarget) Done() <-chan struct{}                  { return g.t.Context().Done() }
func (g guestTarget) HasSingleStep() bool                    { return g.t.Proc.Caps()&arch.HasSingleStep != 0 }
func (g guestTarget) HasBlockStep() bool                     { return g.t.Proc.Caps()&arch.HasBlockStep != 0 }
func (g guestTarget) SetStep(s emu.Step)                     { g.t.SetStep(s) }

// guest implements emu.Controller on the points of a Task.
type guest struct {
	t    *Task
	next emu.Tracer // that of the task before, or nil
}

var _ emu.Controller = (*guest)(nil)

func (g *guest) SyscallEntry(t *emu.Task) (abort bool) {
	abort = g.t.SyscallEntry()
	if g.next != nil && g.next.SyscallEntry(t) {
		abort = true
	}
	return abort
}

func (g *guest) SyscallExit(t *emu.Task) {
	if g.next != nil {
		g.next.SyscallExit(t)
	}
	g.t.SyscallExit()
}

// Signal is not called where there is a GetSignal.
func (g *guest) Signal(*emu.Task, *emu.Signal) bool { return true }

// Handler is not called where there is a SignalHandler.
func (g *guest) Handler(*emu.Task, emu.Signal) {}

// Clone is not called where there is a Cloned.
func (g *guest) Clone(_, _ *emu.Task) {}

// Death is not called where there is an Ended.
func (g *guest) Death(*emu.Task) {}

func (g *guest) Exec(t *emu.Task) {
	if g.next != nil {
		g.next.Exec(t)
	}
	g.t.Exec()
}

func (g *guest) Exit(t *emu.Task, status *int) {
	g.t.Exit(status)
	if g.next != nil {
		g.next.Exit(t, status)
	}
}

func (g *guest) SignalForced(*emu.Task) bool { return g.t.SignalForced() }

func (g *guest) GetSignal(t *emu.Task, q emu.SignalQueue) (emu.Delivery, bool) {
	for {
		d, ok := g.t.GetSignal(q)
		if !ok || g.next == nil || d.Signal.No == unix.SIGKILL || g.next.Signal(t, &d.Signal) {
			return d, ok
		}
	}
}

func (g *guest) SignalHandler(t *emu.Task, s emu.Signal, stepping bool) {
	if g.next != nil {
		g.next.Handler(t, s)
	}
	g.t.SignalHandler(stepping)
}

func (g *guest) WantsIgnored(*emu.Task, unix.Signal) bool { return g.t.WantsIgnored() }
func (g *guest) WantsFatal(*emu.Task, unix.Signal) bool   { return g.t.WantsFatal() }
func (g *guest) Killed(*emu.Task)                         { g.t.Killed() }
func (g *guest) Jctl(_ *emu.Task, kind, notify int)       { g.t.Jctl(kind, notify) }
func (g *guest) JctlDone(*emu.Task)                       { g.t.JctlDone() }

func (g *guest) Cloned(t *emu.Task, flags uint64, child *emu.Task) {
	if g.next != nil {
		g.next.Clone(t, child)
	}
	if g.t.wants(EventClone) {
		g.t.Cloned(flags, Of(child))
	}
}

func (g *guest) CloneDone(*emu.Task, uint64, *emu.Task) { g.t.CloneDone() }

func (g *guest) VforkDone(_ *emu.Task, child int) { g.t.VforkDone(child) }

func (g *guest) Resume(*emu.Task) (again bool) {
	return g.t.Resume()
}

func (g *guest) Ended(t *emu.Task, group bool, signal int) {
	g.t.Death(group, signal)
	if g.next != nil {
		g.next.Death(t)
	}
}

func (g *guest) Reap(*emu.Task) { g.t.Reap() }
