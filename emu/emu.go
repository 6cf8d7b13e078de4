// Package emu runs guest tasks on a CPU. It knows the engine, the address
// space and the loop that takes a task from stop to stop; it knows neither
// Linux, which comes in through Kernel, nor tracing, which comes in through
// Tracer.
package emu

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Process is a guest process: an address space and the tasks that share it.
type Process struct {
	PID   int
	Arch  *arch.Arch
	Model *arch.Model
	Space *Space

	// OS is the kernel's own state of the process.
	OS any

	// User takes the place of user mode where it is not the CPU that runs the
	// program. It may block outside of the task's turn, comes back when the task
	// is woken, and is called again as long as the task has not ended.
	User func(*Task) error

	visits  sync.RWMutex // held for reading by Visit, for writing where Space and turns change
	cpuMu   sync.Mutex   // held where cpu changes, and where others than its user look at it
	cpu     *CPU
	tasks   atomic.Pointer[[]*Task]
	turns   *turns
	shares  *atomic.Int32 // processes with this address space
	group   atomic.Pointer[Status]
	only    atomic.Pointer[Task] // all others are to end
	tracing *tracing
	caps    *arch.Caps // nil: the architecture's
	used    uint64     // ticks that its tasks have run, in a schedule
}

// Tasks are the threads of the process that have not exited, the oldest first.
// The slice is not to be changed. Any goroutine may call it.
func (p *Process) Tasks() []*Task {
	if l := p.tasks.Load(); l != nil {
		return *l
	}
	return nil
}

// Task is one thread of a guest process. Its methods are for the goroutine
// that runs it, unless they say otherwise.
type Task struct {
	TID  int
	Proc *Process

	// OS is the kernel's own state of the task.
	OS any

	kernel Kernel
	taskTrace

	turn chan struct{} // told when the turn is the task's

	// asleep: in Sleep; readied: Ready has ended that. turns.mu guards both.
	asleep, readied bool
	saved           cpuState

	ran, since atomic.Int64 // how long it has had turns, and when the one began that it has, 0 if none

	nice   atomic.Int32
	credit float64 // slices that are left over from the turns before; under turns.mu

	out atomic.Bool // in Outside or Sleep

	// In a schedule: what the task waits for, nil if it can go on; whether that
	// came; how long it has run; whether it is outside, which Schedule.mu guards.
	wait *Wait
	met  bool
	used uint64
	away bool

	goroutine atomic.Uint64 // that is in Run

	follow func(context.Context) error // takes the place of Run

	broken error // of putting the task's registers into the CPU

	status *Status // set when the task has ended
}

// tracerBox lets an interface value sit in an atomic pointer.
type tracerBox struct {
	Tracer
	control Controller // the tracer, if it is one
}

// Kernel is the personality behind a task's traps. An error it returns ends
// the run: it is the host's failure, not the guest's.
type Kernel interface {
	// Syscall serves the system call whose trap the task stands at; PC is
	// after the instruction.
	Syscall(t *Task) error
	// Fault turns a trap into a signal for the task.
	Fault(t *Task, f Fault) error
	// Pending is asked before the task goes on to user mode; it delivers
	// signals that wait and may end the task.
	Pending(t *Task) error
	// Exit is called when the task has ended, in its last turn. group tells
	// that it is the last of its process. It returns what Controller.Ended is
	// told of the parent's signal; a task for which that is -1 is gone with it.
	Exit(t *Task, group bool) (signal int)
	// Wake makes the task come out of user mode, or out of a system call that
	// blocks, and through Pending. Any goroutine may call it.
	Wake(t *Task)
	// Sigaction is what a signal, of a number that there is, does to the task.
	// Any goroutine may call it.
	Sigaction(t *Task, no unix.Signal) Sigaction
}

// Tracer hears of the points of tracehook.h that a task passes. With none set
// each point costs one load. A Tracer that is a Controller too does more.
type Tracer interface {
	// SyscallEntry comes before the number and arguments are read; abort
	// skips the call.
	SyscallEntry(t *Task) (abort bool)
	// SyscallExit comes with the result in the registers.
	SyscallExit(t *Task)
	// Signal comes when a signal is about to be acted on; it may change s,
	// and deliver false drops it.
	Signal(t *Task, s *Signal) (deliver bool)
	// Handler comes when the frame of a handler has been set up.
	Handler(t *Task, s Signal)
	Clone(parent, child *Task)
	// Exec comes when a new program is in place.
	Exec(t *Task)
	// Exit comes first of an ending; it may change the wait status.
	Exit(t *Task, status *int)
	Death(t *Task)
}

// SetTracer sets or, with nil, removes the task's tracer. Any goroutine may
// call it; the task notices at its next tracehook point. A task that package
// hooks traces has a tracer, which this would cut off: see UpdateTracer.
func (t *Task) SetTracer(tr Tracer) {
	t.tracer.Store(newTracerBox(tr))
}

// Tracer is the task's tracer, or nil.
func (t *Task) Tracer() Tracer {
	if b := t.box(); b != nil {
		return b.Tracer
	}
	return nil
}

// Signal is a signal with the part of its siginfo that tells its cause.
type Signal struct {
	No   unix.Signal
	Code int    // si_code
	Addr uint64 // si_addr of a fault

	// Of a signal that was sent; tracers see them.
	Errno, PID, UID int
	Value           uint64 // sigval_t
	Timer, Overrun  int    // SI_TIMER
	Status          int    // SIGCHLD
	UTime, STime    uint64 // SIGCHLD, in clock ticks
	FD              int    // SIGIO
}

// Fault is a synchronous exception of a task that is a signal for it.
type Fault struct {
	Signal
	PC     uint64    // of the instruction, or after it where the kernel reports it so
	Access arch.Prot // of a memory fault: Read, Write or Exec, else 0
	Insn   arch.Insn // what SIGILL is for, if it can be read, else its Len is 0
}

// Status is how a task or process ended: Signal is 0 for an exit with Code.
type Status struct {
	Code   int
	Signal unix.Signal
	Core   bool   // a core file was written for Signal
	Fault  *Fault // what killed it, if a fault did
}

// ErrExited is returned by operations on a task that has ended.
var ErrExited = errors.New("emu: task has exited")

// End ends the task; the first status counts. The loop notices it before the
// next instruction.
func (t *Task) End(s Status) {
	if t.status == nil {
		t.status = &s
	}
}

// Status is how the task ended, nil while it lives.
func (t *Task) Status() *Status { return t.status }

// CPU is the task's processor with its registers and memory.
func (t *Task) CPU() *CPU { return t.Proc.cpu }

// CPU is the process's processor, with the registers of the task whose turn
// it is.
func (p *Process) CPU() *CPU { return p.cpu }
