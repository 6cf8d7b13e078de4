package toy

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

const (
	erestartsys    = 512
	erestartnohand = 514
	saNoDefer      = 0x4000_0000
	saRestart      = 0x1000_0000
	saResetHand    = 0x8000_0000
	cloneVfork     = 0x4000

	cldStopped   = 5
	cldContinued = 6
)

func ignored(no unix.Signal, a emu.Sigaction) bool {
	if a.Handler == emu.SigIgn {
		return true
	}
	return a.Handler == emu.SigDfl && (no == unix.SIGCHLD || no == unix.SIGCONT || no == unix.SIGWINCH || no == unix.SIGURG)
}

func stops(no unix.Signal) bool {
	return no == unix.SIGSTOP || no == unix.SIGTSTP || no == unix.SIGTTIN || no == unix.SIGTTOU
}

func bit(no unix.Signal) uint64 { return 1 << (no - 1) }

// Send sends the task a signal. Any goroutine may call it.
func (t *Task) Send(s emu.Signal) {
	if s.No == unix.SIGKILL {
		t.group.end(nil, int(s.No))
		return
	}
	action := t.group.action(s.No)
	t.mu.Lock()
	defer t.tell()
	defer t.mu.Unlock()
	switch {
	case s.No == unix.SIGCONT:
		t.stopped = false
		t.queue = slices.DeleteFunc(t.queue, func(q emu.Signal) bool { return stops(q.No) })
	case stops(s.No):
		t.queue = slices.DeleteFunc(t.queue, func(q emu.Signal) bool { return q.No == unix.SIGCONT })
	}
	if ignored(s.No, action) && t.blocked&bit(s.No) == 0 && !t.Hooks.WantsIgnored() {
		return
	}
	if s.No < 32 && slices.ContainsFunc(t.queue, func(q emu.Signal) bool { return q.No == s.No }) {
		return
	}
	t.queue = append(t.queue, s)
	t.kicked.Store(true)
}

// Stopped tells whether the task is in a job control stop.
func (t *Task) Stopped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stopped
}

// next is the place of the next signal in the queue, -1 if there is none.
// t.mu is held.
func (t *Task) next() int {
	if i := slices.IndexFunc(t.queue, func(q emu.Signal) bool { return q.No == unix.SIGKILL }); i >= 0 {
		return i
	}
	return slices.IndexFunc(t.queue, func(q emu.Signal) bool { return t.blocked&bit(q.No) == 0 })
}

// Dequeue implements emu.SignalQueue.
func (t *Task) Dequeue() (emu.Signal, emu.Sigaction, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.next()
	if f := t.forced; f != nil && (i < 0 || t.queue[i].No != unix.SIGKILL) {
		t.forced = nil
		a := t.group.action(f.No)
		if a.Handler == emu.SigIgn || t.blocked&bit(f.No) != 0 {
			a = emu.Sigaction{}
		}
		return *f, a, true
	}
	if i < 0 {
		return emu.Signal{}, emu.Sigaction{}, false
	}
	s := t.queue[i]
	t.queue = slices.Delete(t.queue, i, i+1)
	return s, t.group.action(s.No), true
}

// Requeue implements emu.SignalQueue.
func (t *Task) Requeue(s emu.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append([]emu.Signal{s}, t.queue...)
}

// Stopping implements emu.SignalQueue.
func (t *Task) Stopping() bool { return false }

// signals is get_signal and what comes after it.
func (t *Task) signals() {
	t.mu.Lock()
	look := t.forced != nil || t.next() >= 0
	t.woken = false
	t.mu.Unlock()
	for (look || t.Hooks.SignalForced()) && !t.exiting {
		d, ok := t.Hooks.GetSignal(t)
		if !ok {
			break
		}
		t.act(d)
	}
	if !t.exiting {
		t.again(true)
	}
}

// again ends a system call that a signal broke: it is made again, or fails.
func (t *Task) again(redo bool) {
	if t.restart == 0 {
		return
	}
	code := t.restart
	t.restart = 0
	if t.Regs[R0] != -uint64(code) {
		return
	}
	if redo {
		t.Regs[R0] = t.origR0
		t.Regs[PC] -= Size
		return
	}
	eintr := unix.EINTR
	t.Regs[R0] = -uint64(eintr)
}

func (t *Task) act(d emu.Delivery) {
	no := d.Signal.No
	switch d.Do {
	case emu.DoTerm:
		t.endGroup(int(no))
	case emu.DoCore:
		t.endGroup(int(no) | 0x80)
	case emu.DoStop, emu.DoTstp:
		t.stop()
	case emu.DoHandler:
		t.handle(d)
	}
}

// handle sets up a handler.
func (t *Task) handle(d emu.Delivery) {
	t.again(t.restart == erestartsys && d.Action.Flags&saRestart != 0)
	stepping := t.step.Swap(uint32(emu.StepNone)) != uint32(emu.StepNone)
	no := d.Signal.No
	t.mu.Lock()
	t.frames = append(t.frames, frame{t.Regs, t.blocked})
	t.blocked |= d.Action.Mask
	if d.Action.Flags&saNoDefer == 0 {
		t.blocked |= bit(no)
	}
	t.mu.Unlock()
	if d.Action.Flags&saResetHand != 0 {
		t.group.setAction(no, emu.Sigaction{Flags: d.Action.Flags, Mask: d.Action.Mask})
	}
	t.Regs[PC], t.Regs[R0] = d.Action.Handler, uint64(no)
	t.Hooks.SignalHandler(stepping)
}

// stop is do_signal_stop.
func (t *Task) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.Hooks.Jctl(cldStopped, cldStopped)
	for {
		t.wait(func() bool { return !t.stopped })
		if !t.Hooks.JctlDone() || !t.Stopped() {
			break
		}
	}
	if t.ctx.Err() == nil {
		t.Hooks.Jctl(cldContinued, cldContinued)
	}
}

// wait blocks until f, which is called with t.mu held, is true, the task is
// killed or the run ends.
func (t *Task) wait(f func() bool) {
	for {
		t.mu.Lock()
		ok := f() || t.killed
		t.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-t.event:
		case <-t.ctx.Done():
			return
		}
	}
}

// syscall is the system call's way through the kernel.
func (t *Task) syscall() {
	t.origR0 = t.Regs[R0]
	abort := t.Hooks.SyscallEntry()
	nr := t.Regs[R7]
	t.origR0 = t.Regs[R0]
	t.restart = 0
	if !abort {
		v, errno, keep := t.call(nr)
		if !keep {
			Arch.ABI.Result(&t.Regs, v, uint16(errno))
		}
		if errno == erestartsys || errno == erestartnohand {
			t.restart = errno
		}
	}
	if !t.exiting {
		t.Hooks.SyscallExit()
	}
}

func (t *Task) call(nr uint64) (v uint64, errno unix.Errno, keep bool) {
	r := &t.Regs
	switch nr {
	case NrExit:
		t.endGroup(int(r[R0]&0xff) << 8)
		return 0, 0, true
	case NrExitTask:
		t.end(int(r[R0]&0xff) << 8)
		return 0, 0, true
	case NrPid:
		return 1, 0, false
	case NrKill:
		no := unix.Signal(r[R1])
		if no > 64 {
			return 0, unix.EINVAL, false
		}
		if no != 0 {
			t.Send(emu.Signal{No: no, PID: t.ID()})
		}
	case NrPause, NrRead:
		t.wait(func() bool { return t.woken || t.next() >= 0 })
		if nr == NrPause {
			return 0, erestartnohand, false
		}
		return 0, erestartsys, false
	case NrAction:
		t.group.setAction(unix.Signal(r[R0]), emu.Sigaction{Handler: r[R1], Flags: r[R2]})
	case NrMask:
		t.mu.Lock()
		t.blocked = r[R0] &^ (bit(unix.SIGKILL) | bit(unix.SIGSTOP))
		t.mu.Unlock()
	case NrSigreturn:
		f := t.frames[len(t.frames)-1]
		t.frames = t.frames[:len(t.frames)-1]
		t.mu.Lock()
		t.blocked = f.mask
		t.mu.Unlock()
		t.Regs = f.regs
		return 0, 0, true
	case NrClone:
		return t.clone(r[R0], r[R1]), 0, false
	case NrWait:
		return t.waitChild()
	case NrExec:
		return t.exec(r[R0])
	case NrWrite:
		t.Written = append(t.Written, r[R0])
	default:
		return 0, unix.ENOSYS, false
	}
	return 0, 0, false
}

// clone makes a child that goes on at an address.
func (t *Task) clone(flags, at uint64) uint64 {
	g, parent := t.group, t.parent
	thread := flags&unix.CLONE_THREAD != 0
	if !thread {
		g.mu.Lock()
		g, parent = &group{data: g.data, actions: g.actions}, t
		t.group.mu.Unlock()
	}
	c := newTask(t.ctx, t.world, parent, t.code, g)
	c.Regs = t.Regs
	c.Regs[PC], c.Regs[R0] = at, 0
	c.blocked = t.blocked
	c.noStep, c.noBlock = t.noStep, t.noBlock
	var vfork chan struct{}
	if flags&cloneVfork != 0 {
		vfork = make(chan struct{})
		c.vfork = vfork
	}
	if !thread {
		t.group.mu.Lock()
		t.group.children = append(t.group.children, c)
		t.group.mu.Unlock()
	}
	t.Hooks.Cloned(flags, c.Hooks)
	t.world.all.Add(1)
	go func() {
		defer t.world.all.Done()
		_, _ = c.run() // the error is the context's
	}()
	t.Hooks.CloneDone()
	if vfork != nil && t.waitVfork(vfork) {
		t.Hooks.VforkDone(c.ID())
	}
	return uint64(c.ID())
}

// waitVfork waits for the child of a vfork, unless the task is killed.
func (t *Task) waitVfork(done chan struct{}) (ok bool) {
	t.wait(func() bool {
		select {
		case <-done:
			ok = true
		default:
		}
		return ok
	})
	return ok
}

// waitChild waits for any child.
func (t *Task) waitChild() (v uint64, errno unix.Errno, keep bool) {
	g := t.group
	children := func() []*Task {
		g.mu.Lock()
		defer g.mu.Unlock()
		return slices.Clone(g.children)
	}
	if len(children()) == 0 {
		return 0, unix.ECHILD, false
	}
	var child *Task
	t.wait(func() bool {
		for _, c := range children() {
			if c.ended() {
				child = c
			}
		}
		return child != nil || t.woken || t.next() >= 0
	})
	if child == nil {
		return 0, erestartsys, false
	}
	g.mu.Lock()
	g.children = slices.DeleteFunc(g.children, func(c *Task) bool { return c == child })
	g.mu.Unlock()
	child.Hooks.Reap()
	return uint64(child.ID()), 0, false
}

// exec starts the program at an address of the same code.
func (t *Task) exec(at uint64) (v uint64, errno unix.Errno, keep bool) {
	if at < Code || at >= Code+uint64(len(t.code))*Size {
		return 0, unix.ENOENT, false
	}
	t.alone()
	t.Regs = File{}
	t.Regs[PC] = at
	t.SetStep(emu.StepNone)
	t.group.mu.Lock()
	for i, a := range t.group.actions {
		if a.Handler != emu.SigIgn {
			t.group.actions[i] = emu.Sigaction{}
		}
	}
	t.group.mu.Unlock()
	t.released()
	t.Hooks.Exec()
	return 0, 0, true
}
