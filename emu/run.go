package emu

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// NewProcess makes a process without a program: an engine for a guest of
// architecture a and CPU model m, in user mode, with an empty address space.
// The caller loads a program into Space, sets the registers and adds a task.
func NewProcess(pid int, a *arch.Arch, m *arch.Model, o Options) (*Process, error) {
	s := NewSpace(a)
	cpu, err := newCPU(a, m, s, o)
	if err != nil {
		return nil, err
	}
	return newProcess(pid, a, m, s, cpu), nil
}

func newProcess(pid int, a *arch.Arch, m *arch.Model, s *Space, cpu *CPU) *Process {
	p := &Process{PID: pid, Arch: a, Model: m, Space: s, cpu: cpu, turns: &turns{sched: cpu.opts.Schedule}, shares: &atomic.Int32{}, tracing: &tracing{}}
	p.shares.Store(1)
	return p
}

// Share makes a process without tasks that has the address space and the CPU
// of p, as clone(2) with CLONE_VM does.
func (p *Process) Share(pid int) *Process {
	p.shares.Add(1)
	return &Process{PID: pid, Arch: p.Arch, Model: p.Model, Space: p.Space, cpu: p.cpu, turns: p.turns, shares: p.shares, tracing: p.tracing, caps: p.caps}
}

// Shared tells whether another process shares the memory.
func (p *Process) Shared() bool { return p.shares.Load() > 1 }

// Close frees the engine and the memory, unless another process shares them.
// No task of the process may run.
func (p *Process) Close() error {
	p.visits.Lock()
	defer p.visits.Unlock()
	p.cpuMu.Lock()
	cpu := p.cpu
	p.cpu = nil
	p.cpuMu.Unlock()
	if cpu == nil || p.shares.Add(-1) > 0 {
		return nil
	}
	err := cpu.close()
	if e := p.Space.Release(); err == nil {
		err = e
	}
	return err
}

// NewTask adds a thread to the process.
func (p *Process) NewTask(tid int, k Kernel) *Task {
	t := &Task{TID: tid, Proc: p, kernel: k, turn: make(chan struct{}, 1)}
	l := append(slices.Clone(p.Tasks()), t)
	p.tasks.Store(&l)
	return t
}

// remove takes an ended task from the process; last tells that none is left.
func (p *Process) remove(t *Task) (last bool) {
	l := slices.DeleteFunc(slices.Clone(p.Tasks()), func(o *Task) bool { return o == t })
	p.tasks.Store(&l)
	return len(l) == 0
}

// Abandon takes a task that Clone made, and that has not run, from its
// process, which is closed if it was made for the task.
func (t *Task) Abandon() {
	if t.Proc.remove(t) {
		_ = t.Proc.Close()
	}
}

// EndGroup ends all tasks of the process; the first status counts. Those that
// are in a system call have to be woken by the kernel. Any goroutine may call
// it.
func (p *Process) EndGroup(s Status) {
	p.group.CompareAndSwap(nil, &s)
	p.Interrupt()
}

// EndOthers ends all tasks of t's process but t, as execve(2) does. They have
// to be woken by the kernel, and t waits for them outside of its turn.
func (t *Task) EndOthers() {
	t.Proc.only.Store(t)
	t.Proc.Interrupt()
}

// Over tells whether a task is to end because of EndOthers. Any goroutine may
// call it.
func (p *Process) Over(t *Task) bool {
	o := p.only.Load()
	return o != nil && o != t
}

// Group is the status with which the process is to end, nil while it is not.
func (p *Process) Group() *Status { return p.group.Load() }

// Interrupt makes the running task of the process stop soon, at an
// instruction border; the stop asks the kernel for what is pending. Any
// goroutine may call it.
func (p *Process) Interrupt() {
	p.cpuMu.Lock()
	defer p.cpuMu.Unlock()
	if p.cpu != nil {
		p.cpu.eng.Interrupt()
	}
}

// Run runs the task until it ends. The error is the host's; how the guest
// ended is in Status. When ctx ends, the run returns its error with the task
// stopped where it was; a system call that blocked will be made again.
func (t *Task) Run(ctx context.Context) error {
	if t.follow != nil {
		return t.follow(ctx)
	}
	t.ctx.Store(&ctx)
	t.goroutine.Store(goroutine())
	stop := context.AfterFunc(ctx, t.Wake)
	defer stop()
	if err := t.acquire(); err != nil {
		return err
	}
	defer func() {
		if t.lost {
			t.giveUp()
		}
		t.release(true)
	}()
	for t.status == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.Proc.turns.over() {
			t.Yield()
		}
		if t.broken != nil {
			return t.broken
		}
		if s := t.Proc.Group(); s != nil {
			t.End(*s)
			break
		}
		if t.Proc.Over(t) {
			t.End(Status{})
			break
		}
		if err := t.once(); err != nil {
			return err
		}
	}
	t.exit()
	return nil
}

// once takes the task to user mode and back and handles the stop.
func (t *Task) once() error {
	if err := t.kernel.Pending(t); err != nil || t.status != nil {
		return err
	}
	if b := t.box(); b != nil && b.control != nil && b.control.Resume(t) {
		return nil
	}
	if f := t.Proc.User; f != nil {
		return f(t)
	}
	if t.Step() == StepInsn {
		if done, err := t.stepIT(); done || err != nil {
			return err
		}
	}
	return t.user()
}

// user takes the task to user mode and back.
func (t *Task) user() error {
	cpu, tr := t.Proc.cpu, t.Proc.tracing
	if err := tr.start(t); err != nil {
		return err
	}
	why, exc, err := t.run(t.limit())
	if err != nil {
		return err
	}
	if why == stepper.Exception {
		return t.exception(exc)
	}
	if err := tr.stopped(cpu, why, cpu.between); err != nil {
		return err
	}
	switch why {
	case stepper.InsnLimit:
		if t.again() {
			return nil // the step goes on
		}
		return t.stepped(trapTrace)
	case stepper.TakenBranch:
		return t.stepped(trapBranch)
	}
	return nil
}

// again tells whether the instruction at the PC, where a run of it has ended,
// is to be run again: the library comes back to a repeated instruction that has
// no iteration left.
func (t *Task) again() bool {
	a, cpu := t.Proc.Arch, t.Proc.cpu
	if a.Spent == nil {
		return false
	}
	i, err := a.Insn(cpu, cpu)
	return err == nil && i.Is(arch.IsRepeat) && a.Spent(i, cpu)
}

// stepIT makes the step that is under way if it is one in an IT block of Thumb,
// where the library would run on to the block's end: it makes the instruction
// the last of its block.
func (t *Task) stepIT() (done bool, err error) {
	a, cpu := t.Proc.Arch, t.Proc.cpu
	if a.BreakIT == nil || a.State(cpu) == 0 {
		return false, nil
	}
	i, err := a.Insn(cpu, cpu)
	if err != nil || !i.Is(arch.IsIT) && i.IT == 0 {
		return false, nil // what is wrong with the memory is the engine's to find
	}
	if i.Is(arch.IsIT) || !a.Holds(i, cpu) || a.XOL(i).How == arch.MoveSimulate {
		if a.Simulate(i, cpu, userMemory{t.Proc.Space}) == nil {
			return true, t.stepped(trapTrace)
		}
	}
	_, mend, err := a.Move(i, cpu, cpu, i.PC)
	if err != nil {
		return true, err
	}
	if err := t.user(); err != nil {
		return true, err
	}
	switch cpu.Reg(a.PC) {
	case i.PC: // it has faulted, or is to be run again
		_, err = mend(true)
	case a.After(i).PC:
		_, err = mend(false)
	}
	return true, err
}

// exception acts on an exception as the architecture explains it.
func (t *Task) exception(e arch.Exception) error {
	cpu := t.Proc.cpu
	trap := cpu.arch.Engine.Trap(cpu, e)
	if trap.Kind != arch.TrapDefault {
		if err := t.Proc.tracing.trapped(cpu, trap); err != nil {
			return err
		}
	}
	switch trap.Kind {
	case arch.TrapSyscall:
		cpu.called(trap.PC)
		if err := t.syscall(); err != nil {
			return err
		}
		return t.stepped(trapTrace)
	case arch.TrapResume:
		cpu.SetReg(cpu.arch.PC, trap.PC)
		if t.Step() == StepInsn {
			return t.stepped(trapTrace)
		}
		return nil
	case arch.TrapDefault:
		if e.Kind != arch.ExcMem {
			return fmt.Errorf("emu: %s engine: unexpected exception kind %d number %d at %#x", cpu.arch.Name, e.Kind, e.No, e.PC)
		}
		return t.memory(e)
	case arch.TrapStep:
		trap.Signo, trap.Code, trap.Addr = int(unix.SIGTRAP), trapTrace, trap.PC
	}
	cpu.SetReg(cpu.arch.PC, trap.PC)
	t.SetStep(StepNone)
	f := Fault{Signal: Signal{No: unix.Signal(trap.Signo), Code: trap.Code, Addr: trap.Addr}, PC: trap.PC}
	if e.Kind == arch.ExcMem {
		f.Access = e.Access
	}
	if f.No == unix.SIGILL {
		f.Insn, _ = cpu.arch.Decode(cpu, cpu, f.PC)
	}
	return t.kernel.Fault(t, f)
}

// memory acts on an access to memory that the engine does not have.
func (t *Task) memory(e arch.Exception) error {
	cpu := t.Proc.cpu
	cpu.SetReg(cpu.arch.PC, e.PC)
	sig, err := t.Proc.Space.fault(cpu.arch.Addr(e.Addr), e.Size, e.Access)
	if err != nil {
		return fmt.Errorf("at %#x: %w", e.PC, err)
	}
	if err := t.Proc.tracing.faulted(cpu, e, sig == nil); err != nil || sig == nil {
		return err
	}
	t.SetStep(StepNone)
	return t.kernel.Fault(t, Fault{Signal: *sig, PC: e.PC, Access: e.Access})
}

// syscall makes the system call the task stands at, with the tracehook points
// around it.
func (t *Task) syscall() error {
	if s := t.Schedule(); s != nil {
		s.charge(t, callTicks)
	}
	if tr := t.box(); tr == nil || !tr.SyscallEntry(t) {
		if err := t.kernel.Syscall(t); err != nil {
			return err
		}
	}
	// Whoever has come during the call is told of its end.
	if tr := t.Tracer(); tr != nil && t.status == nil {
		tr.SyscallExit(t)
	}
	return nil
}

// Become gives the process the program of q, which must have no tasks:
// architecture, model, address space and CPU. Its own are freed, q is used
// up. It is the point of no return of execve(2); the caller must be on the
// goroutine that runs the process's only task.
func (p *Process) Become(q *Process) error {
	cpu, space := p.cpu, p.Space
	t := p.Tasks()[0]
	p.turns.on, t.saved = nil, cpuState{}
	if p.turns.sched == nil {
		t.release(false)
	}
	p.visits.Lock()
	old := &Process{Space: space, cpu: cpu, turns: p.turns, shares: p.shares}
	p.cpuMu.Lock()
	p.Arch, p.Model, p.Space, p.cpu = q.Arch, q.Model, q.Space, q.cpu
	p.turns, p.shares = q.turns, q.shares
	p.cpuMu.Unlock()
	p.visits.Unlock()
	p.only.Store(nil)
	if p.turns.sched != nil {
		p.turns.on = t
	} else if err := t.acquire(); err != nil {
		return err
	}
	q.Space, q.cpu = nil, nil
	if old.shares.Load() > 1 { // the trace is the other's
		p.tracing = &tracing{}
		return old.Close()
	}
	err := old.Close()
	if e := p.tracing.exec(); err == nil {
		err = e
	}
	return err
}
