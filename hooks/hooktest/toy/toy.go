// Package toy is a machine without an emulator: a CPU of six instructions and
// a kernel of a dozen system calls, with signal handlers, fork, threads, job
// control and waiting parents. It implements hooks.Target, so that tracing can
// be tested where it needs no guest, and shows where a kernel has to call
// which tracehook point.
package toy

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/regset"
)

// Registers. The number of a system call is in R7, arguments in R0 to R5, the
// result, or an errno as its negative, in R0.
const (
	R0 regset.ID = iota + 1
	R1
	R2
	R3
	R4
	R5
	R6
	R7
	PC
	SP
	regs
)

// Code is where programs lie, Size the length of an instruction, Data the
// address of some memory.
const (
	Code     = 0x1000
	Size     = 4
	Data     = 0x100000
	dataSize = 0x1000
)

// Kind is an instruction.
type Kind uint8

// The instructions.
const (
	Nop   Kind = iota
	Set        // register A becomes B
	Sys        // system call
	Jump       // to address A
	Skip       // a jump to A that is not taken
	Break      // SIGTRAP, PC stays
	Load       // reads address A
)

// Insn is one instruction.
type Insn struct {
	Kind Kind
	A, B uint64
}

// Numbers of system calls.
const (
	NrExit = iota + 1
	NrPid
	NrKill      // pid, signal
	NrPause     // blocks; restarted unless a handler runs
	NrAction    // signal, handler, flags
	NrMask      // mask
	NrSigreturn //
	NrClone     // flags, where the child goes on
	NrWait      // blocks until a child has ended, and reaps it
	NrExec      // address: an unknown program's start, or -1
	NrRead      // blocks; restarted unless a handler without SA_RESTART runs
	NrWrite     // adds its arguments to Written
	NrExitTask  // ends the thread only
)

var sysnum = []arch.Sysno{{Nr: NrExit, Name: "exit_group"}, {Nr: NrPid, Name: "getppid"}, {Nr: NrKill, Name: "kill"},
	{Nr: NrPause, Name: "ppoll"}, {Nr: NrAction, Name: "rt_sigaction"}, {Nr: NrMask, Name: "rt_sigprocmask"},
	{Nr: NrSigreturn, Name: "rt_sigreturn"}, {Nr: NrClone, Name: "clone"}, {Nr: NrWait, Name: "wait4"},
	{Nr: NrExec, Name: "execve"}, {Nr: NrRead, Name: "read"}, {Nr: NrWrite, Name: "write"}, {Nr: NrExitTask, Name: "exit"}}

// Arch describes the CPU.
var Arch = &arch.Arch{
	Name: "toy", Word: 8, Order: binary.BigEndian, PC: PC, SP: SP,
	ABI: arch.ABI{
		Nr: R7, Args: [6]regset.ID{R0, R1, R2, R3, R4, R5}, Ret: R0,
		Result: func(r regset.Regs, v uint64, errno uint16) {
			if errno != 0 {
				v = -uint64(errno)
			}
			r.SetReg(R0, v)
		},
		Rewind: func(r regset.Regs) { r.SetReg(PC, r.Reg(PC)-Size) },
	},
	Sysnum: sysnum,
	Code:   arch.Code{MinInsn: Size, MaxInsn: Size, Caps: arch.HasSingleStep | arch.HasBlockStep},
}

// File are the registers of a task.
type File [regs]uint64

// Reg implements regset.Regs.
func (f *File) Reg(id regset.ID) uint64 { return f[id] }

// SetReg implements regset.Regs.
func (f *File) SetReg(id regset.ID, v uint64) { f[id] = v }

// Bytes implements regset.Regs.
func (f *File) Bytes(id regset.ID, p []byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], f[id])
	copy(p, b[max(0, 8-len(p)):])
}

// SetBytes implements regset.Regs.
func (f *File) SetBytes(id regset.ID, p []byte) {
	var b [8]byte
	copy(b[max(0, 8-len(p)):], p)
	f[id] = binary.BigEndian.Uint64(b[:])
}

// Task is a thread.
type Task struct {
	Hooks *hooks.Task
	Regs  File

	id      atomic.Int64
	group   *group
	parent  *Task
	code    []Insn
	ctx     context.Context
	step    atomic.Uint32
	kicked  atomic.Bool
	noStep  bool
	noBlock bool
	status  int
	exiting bool
	lost    bool       // the goroutine is ending
	restart unix.Errno // what R0 has if the call may be made again, or 0
	origR0  uint64
	frames  []frame
	vfork   chan struct{} // closed when the child does not need the parent's memory

	world *world

	// Guarded by mu.
	mu      sync.Mutex
	queue   []emu.Signal
	forced  *emu.Signal
	blocked uint64
	woken   bool
	stopped bool
	killed  bool
	zombie  bool
	event   chan struct{} // told when something of this changed

	// Written is what the write call was given.
	Written []uint64
	done    chan struct{}
}

// frame is what a handler goes back to.
type frame struct {
	regs File
	mask uint64
}

// world is what all tasks share.
type world struct {
	mu   sync.Mutex
	next int
	all  sync.WaitGroup
}

// New makes a task with a program that ends when ctx does. Its children run
// on goroutines of their own.
func New(ctx context.Context, code []Insn) *Task {
	return newTask(ctx, &world{next: 100}, nil, code, &group{})
}

func newTask(ctx context.Context, w *world, parent *Task, code []Insn, g *group) *Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &Task{world: w, parent: parent, code: code, ctx: ctx, group: g, event: make(chan struct{}, 1), done: make(chan struct{})}
	t.id.Store(int64(w.next))
	w.next++
	t.Regs[PC] = Code
	t.Hooks = hooks.New(target{t})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tasks = append(g.tasks, t)
	if g.leader == nil {
		g.leader = t
	}
	return t
}

// Without takes the steps away, as on an architecture that has none.
func (t *Task) Without(single, block bool) { t.noStep, t.noBlock = single, block }

// Target.

// ID implements hooks.Target.
func (t *Task) ID() int { return int(t.id.Load()) }

// Arch implements hooks.Target.
func (t *Task) Arch() *arch.Arch { return Arch }

// Memory implements hooks.Target.
func (t *Task) Memory() arch.Memory { return memory{t} }

// Sigaction implements hooks.Target.
func (t *Task) Sigaction(no unix.Signal) emu.Sigaction {
	if no < 1 || no > 64 {
		return emu.Sigaction{}
	}
	return t.group.action(no)
}

// Done implements hooks.Target.
func (t *Task) Done() <-chan struct{} { return t.ctx.Done() }

// Park implements hooks.Target.
func (t *Task) Park(wait func()) { wait() }

// Held implements hooks.Target.
func (t *Task) Held(f func() error) error { return f() }

// Lost implements hooks.Target.
func (t *Task) Lost() { t.lost = true }

// HasSingleStep implements hooks.Target.
func (t *Task) HasSingleStep() bool { return !t.noStep }

// HasBlockStep implements hooks.Target.
func (t *Task) HasBlockStep() bool { return !t.noBlock }

// SetStep implements hooks.Target.
func (t *Task) SetStep(s emu.Step) { t.step.Store(uint32(s)) }

// Kick implements hooks.Target.
func (t *Task) Kick() { t.kicked.Store(true) }

// Interrupt implements hooks.Target.
func (t *Task) Interrupt() {
	t.mu.Lock()
	t.woken = true
	t.mu.Unlock()
	t.Kick()
	t.tell()
}

// target implements hooks.Target; its Regs is no field.
type target struct{ *Task }

// Regs implements hooks.Target.
func (t target) Regs() regset.Regs { return &t.Task.Regs }

func (t *Task) tell() {
	select {
	case t.event <- struct{}{}:
	default:
	}
}

// memory is the task's data.
type memory struct{ t *Task }

func (m memory) part(n int, addr uint64) ([]byte, error) {
	if addr < Data || addr >= Data+dataSize || int(Data+dataSize-addr) < n {
		return nil, unix.EFAULT
	}
	return m.t.group.data[addr-Data:][:n], nil
}

func (m memory) ReadAt(p []byte, addr uint64) (int, error) {
	b, err := m.part(len(p), addr)
	return copy(p, b), err
}

func (m memory) WriteAt(p []byte, addr uint64) (int, error) {
	b, err := m.part(len(p), addr)
	return copy(b, p), err
}

// Run runs the task, and all that come of it, to their ends and returns the wait
// status of its process. The error is that of the context.
func (t *Task) Run() (int, error) {
	status, err := t.run()
	t.world.all.Wait()
	if all, over := t.group.over(t); over {
		status = all
	}
	return status, err
}

func (t *Task) run() (int, error) {
	defer close(t.done)
	defer func() {
		if t.lost {
			t.endGroup(int(unix.SIGKILL))
			t.leave()
		}
	}()
	for !t.exiting {
		if err := t.ctx.Err(); err != nil {
			return 0, err
		}
		if status, over := t.group.over(t); over {
			t.end(status)
			break
		}
		t.signals()
		if t.exiting {
			break
		}
		if !t.Hooks.Resume() {
			t.user()
		}
	}
	was := t.status
	if t.Hooks.Exit(&t.status); t.status != was {
		t.group.changed(t.status)
	}
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	t.leave()
	return t.status, nil
}

// released lets a parent go on that waits for a vfork.
func (t *Task) released() {
	if t.vfork != nil {
		close(t.vfork)
		t.vfork = nil
		t.parent.tell()
	}
}

func (t *Task) end(status int) { t.status, t.exiting = status, true }

func (t *Task) endGroup(status int) { t.end(t.group.end(t, status)) }

// user executes instructions until the kernel is needed.
func (t *Task) user() {
	for !t.kicked.Swap(false) {
		step := emu.Step(t.step.Load())
		pc := t.Regs[PC]
		i := (pc - Code) / Size
		if pc < Code || i >= uint64(len(t.code)) {
			t.fault(unix.SIGSEGV, 1, pc)
			return
		}
		in := t.code[i]
		t.Regs[PC] += Size
		taken := false
		switch in.Kind {
		case Set:
			t.Regs[in.A] = in.B
		case Jump:
			t.Regs[PC], taken = in.A, true
		case Break:
			t.Regs[PC] = pc
			t.fault(unix.SIGTRAP, 1, pc)
			return
		case Load:
			var b [1]byte
			if _, err := t.Memory().ReadAt(b[:], in.A); err != nil {
				t.Regs[PC] = pc
				t.fault(unix.SIGSEGV, 1, in.A)
				return
			}
		case Sys:
			t.syscall()
			t.stepped(2)
			return
		}
		if step == emu.StepInsn {
			t.stepped(2)
			return
		}
		if step == emu.StepBlock && taken {
			t.stepped(3)
			return
		}
	}
}

// stepped ends a step with its signal.
func (t *Task) stepped(code int) {
	if t.step.Swap(uint32(emu.StepNone)) != uint32(emu.StepNone) && !t.exiting {
		t.fault(unix.SIGTRAP, code, t.Regs[PC])
	}
}

// fault forces a signal on the task.
func (t *Task) fault(no unix.Signal, code int, addr uint64) {
	t.SetStep(emu.StepNone)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forced = &emu.Signal{No: no, Code: code, Addr: addr}
}

// String names the task.
func (t *Task) String() string { return fmt.Sprintf("toy task %d", t.ID()) }
