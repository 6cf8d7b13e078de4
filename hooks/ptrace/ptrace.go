package ptrace

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/syscalls"
)

// Ptrace serves ptrace(2). Its zero value is ready.
type Ptrace struct{}

var _ syscalls.Ptrace = Ptrace{}

// Requests that are the same everywhere (linux/ptrace.h).
const (
	reqTraceMe    = 0
	reqPeekText   = 1
	reqPeekData   = 2
	reqPeekUser   = 3
	reqPokeText   = 4
	reqPokeData   = 5
	reqPokeUser   = 6
	reqCont       = 7
	reqKill       = 8
	reqSingleStep = 9
	reqAttach     = 16
	reqDetach     = 17
	reqSyscall    = 24
	reqSetOptions = 0x4200
	reqEventMsg   = 0x4201
	reqGetInfo    = 0x4202
	reqSetInfo    = 0x4203
	reqGetSet     = 0x4204
	reqPutSet     = 0x4205
	reqSeize      = 0x4206
	reqInterrupt  = 0x4207
	reqListen     = 0x4208
	reqGetMask    = 0x420a
	reqPutMask    = 0x420b
	reqCall       = 0x420e // PTRACE_GET_SYSCALL_INFO
)

// request is one request under way.
type request struct {
	*syscalls.Ctx
	t          *tracee
	nr         uint64
	addr, data uint64
}

// Request implements syscalls.Ptrace: sys_ptrace.
func (Ptrace) Request(c *syscalls.Ctx) (uint64, error) {
	r := request{Ctx: c, nr: c.Size()}
	pid := int(int32(c.Long()))
	r.addr, r.data = c.Addr(), c.Addr()
	if r.nr == reqTraceMe {
		return 0, traceMe(c)
	}
	target := c.K.FindTask(pid)
	if target == nil {
		return 0, unix.ESRCH
	}
	if r.nr == reqAttach || r.nr == reqSeize {
		return 0, r.attach(target)
	}
	link := c.K.Tracee(target)
	e, err := hooks.Attach(target, hooks.AttachMatchOps, ops, nil)
	if link == nil || link.Tracer() != c.T || err != nil || target.Over() {
		return 0, unix.ESRCH
	}
	r.t = e.Data().(*tracee)
	switch r.nr {
	case reqKill:
		c.K.Queue(target, r.t.sent(unix.SIGKILL))
		return 0, nil
	case reqInterrupt:
		return 0, r.t.interrupt()
	}
	if err := r.stopped(); err != nil {
		return 0, err
	}
	return r.serve()
}

// Orphan implements syscalls.Ptrace.
func (Ptrace) Orphan(target *emu.Task) {
	e, err := hooks.Attach(target, hooks.AttachMatchOps, ops, nil)
	if err != nil {
		return
	}
	t := e.Data().(*tracee)
	t.mu.Lock()
	kill := t.options&optExitKill != 0
	t.mu.Unlock()
	if kill {
		t.k.Queue(target, t.sent(unix.SIGKILL))
	}
	t.release()
}

// release ends the tracing.
func (t *tracee) release() {
	t.link.Resume()
	t.k.KeepStop(t.task)
	_ = t.e.Control(hooks.Detach) // it is gone at the latest when a callback under way is over
	t.link.Release()
}

// traceMe has the caller's parent trace it.
func traceMe(c *syscalls.Ctx) error {
	by := c.K.RealParent(c.T)
	if by == nil {
		return unix.EPERM
	}
	_, err := attach(ops, c.K, c.T, by, false, 0)
	return err
}

// attach has a task traced.
func attach(ops *hooks.Ops, k *syscalls.Kernel, target, by *emu.Task, seized bool, options uint64) (*tracee, error) {
	link, err := k.Trace(target, by)
	if err != nil {
		return nil, err
	}
	t := &tracee{k: k, task: target, link: link, seized: seized, options: options}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.e, err = hooks.Attach(target, hooks.AttachCreate, ops, t); err == nil {
		err = t.e.SetEvents(t.events())
	}
	if err != nil {
		link.Release()
		return nil, unix.EPERM // it has just ended
	}
	return t, nil
}

// attach is PTRACE_ATTACH and PTRACE_SEIZE.
func (r *request) attach(target *emu.Task) error {
	seize := r.nr == reqSeize
	switch {
	case seize && (r.addr != 0 || r.data&^uint64(optKnown) != 0):
		return unix.EIO
	case target.Proc == r.T.Proc, !r.MayTrace(target), target.Over():
		return unix.EPERM
	}
	options := uint64(0)
	if seize {
		options = r.data
	}
	t, err := attach(ops, r.K, target, r.T, seize, options)
	if err != nil {
		return err
	}
	if !seize {
		r.K.Queue(target, emu.Signal{No: unix.SIGSTOP, Code: siKernel})
	}
	t.adoptStop()
	return nil
}

// siKernel is SI_KERNEL of asm-generic/siginfo.h.
const siKernel = 0x80

// adoptStop makes the job control stop that a new tracee is in one of the
// tracer's.
func (t *tracee) adoptStop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.k.StopSignal(t.task) == 0 || t.stop.kind != running {
		return
	}
	t.stopJob()
	_ = t.e.Control(hooks.Stop) // it is there, or on its way
	t.task.Wake()
}

// stopped waits until the task is held, for a tracer that knows of the stop
// already: ESRCH if it is in none (ptrace_check_attach).
func (r *request) stopped() error {
	t := r.t
	t.mu.Lock()
	in := t.stop.kind != running
	t.mu.Unlock()
	if !in {
		return unix.ESRCH
	}
	h := t.e.Task()
	if h.Stopped() {
		return nil
	}
	err := error(nil)
	r.Await(func() bool { return h.Stopped() || t.task.Over() }, func() { err = h.WaitStop(t.task.Context()) })
	if err != nil || !h.Stopped() {
		return unix.ESRCH
	}
	return nil
}

// examine calls f with the task that is held; f must not touch the caller's
// memory.
func (r *request) examine(f func(x *hooks.Examiner) error) error {
	err := error(nil)
	r.Look(func() { err = r.t.e.Examine(f) })
	switch err {
	case hooks.ErrGone, hooks.ErrInvalid, hooks.ErrAgain:
		return unix.ESRCH
	}
	return err
}
