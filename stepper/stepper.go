// Package stepper runs stopped guest threads step by step: single
// instructions, blocks, and software breakpoints, with one meaning on every
// architecture. What a thread is it leaves to a Target, how a step is made to
// a Strategy; docs/semantics.md says what a step is.
package stepper

import (
	"context"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Limit bounds one resume. The zero Limit runs until a trap.
type Limit struct {
	Insns uint64   // stop after so many instructions, 0 for no bound
	Stops []uint64 // stop before these addresses (rising order), but not before the first instruction of the resume
	Past  bool     // stop after an instruction at an address of Stops has run, the first one too, and not before it
	Taken bool     // stop after a taken branch

	// Events: stop when a system call has returned, when the frame of a signal
	// handler is set up, and when a new program is in place.
	Events bool
	// Settle runs no instruction: it delivers what signals are pending.
	Settle bool
	// Hold keeps signals from being delivered, for as long as the thread is
	// where it must not be seen.
	Hold bool
}

// Why is the cause of a stop.
type Why uint8

// The causes.
const (
	Exception   Why = iota // the CPU raised an exception
	InsnLimit              // Limit.Insns instructions have run
	Address                // an address of Limit.Stops is next
	TakenBranch            // Limit.Taken, or a block step, and a branch was taken
	Interrupted            // somebody asked for a stop
	TraceFull              // the trace buffer must be drained

	Stepped    // a step is complete
	Breakpoint // the thread is at a breakpoint of Breakpoints
	Signal     // a signal by a fault or trap waits for the thread: Signo, Code, Addr
	Handler    // a signal handler is to be run; the thread is at its first instruction
	Syscall    // a system call has returned
	Exec       // a new program is in place
	Exited     // the thread has ended
	Settled    // Limit.Settle, and nothing was pending
)

var whyNames = [...]string{"exception", "insn-limit", "address", "taken-branch", "interrupted", "trace-full",
	"stepped", "breakpoint", "signal", "handler", "syscall", "exec", "exited", "settled"}

// String is the name of the cause in traces.
func (w Why) String() string {
	if int(w) < len(whyNames) {
		return whyNames[w]
	}
	return "unknown"
}

// Stop says why and where a resume or a step ended.
type Stop struct {
	Why   Why
	PC    uint64 // where the thread is; after a breakpoint trap, as the architecture's kernel reports it
	Signo int    // Signal, Handler
	Code  int    // Signal: si_code; Exited: the wait status
	Addr  uint64 // Signal: si_addr
	Trap  bool   // Signal: a breakpoint instruction raised it
	Fetch bool   // Signal: the fault is that the instruction at PC cannot be read
	Taken bool   // Stepped: the instruction transferred control
	// Note says what was special about a step: that it was made otherwise than
	// the strategy does as a rule, and why.
	Note string
}

// Caps are the abilities of a target.
type Caps uint8

// The abilities.
const (
	CanInsns  Caps = 1 << iota // Limit.Insns
	CanStops                   // Limit.Stops
	CanEvents                  // Limit.Events
	CanSlots                   // the target is a Slotter
)

// Target is one stopped thread that can be looked at and resumed. Its methods
// are for one goroutine at a time.
type Target interface {
	Arch() *arch.Arch
	Regs() regset.Regs
	// Mem is the thread's memory; writes reach code that has been translated.
	Mem() arch.Memory
	Caps() Caps
	// Resume runs the thread. The error is the host's, or ErrExited. A signal
	// that the last stop told of is delivered first.
	Resume(ctx context.Context, l Limit) (Stop, error)
	// Amend replaces the signal that the last stop told of by that of s; one
	// without Signo drops it.
	Amend(s Stop)
}

// Slotter is a Target with room for instructions out of line.
type Slotter interface {
	// Slot is the address of at least 64 bytes of executable memory that the
	// program does not use and would not be given for its own, at most 1 GiB
	// away from near if there is such room. Where it gives the same again, what
	// was written there may be there still.
	Slot(near uint64) (uint64, error)
}

// Guarded is a Target whose memory has protections. What a strategy does in the
// stead of an instruction goes by them: where they forbid it, the instruction
// runs in its place and faults.
type Guarded interface {
	// User is memory as the thread may use it.
	User() arch.Memory
	// Runs tells whether the thread may run the n bytes at an address.
	Runs(at, n uint64) bool
}

// Planter is a Target that knows a cheaper way to have a breakpoint instruction
// in memory for the time of a resume than writing it: the resume of the thread
// ends with Address before it. Others meet it as the instruction that it is.
type Planter interface {
	// Plant writes the breakpoint instruction code at an address, and is false
	// if it does not.
	Plant(at uint64, code []byte) bool
	// Lift takes it out, unless the program has written over it.
	Lift(at uint64)
}

// Plain is a Target that makes most steps by a shorter way than Resume.
type Plain interface {
	// ResumePlain is Resume if that comes to the limit, which is one instruction,
	// or Stops and Taken, and Events. Where it is false Resume is to be called
	// next with the same limit, and tells what has come, or goes on.
	ResumePlain(ctx context.Context, l *Limit) (why Why, pc uint64, ok bool, err error)
}

// Reserver is a Target whose thread may have a reservation of memory that stops
// leave alone.
type Reserver interface{ DropReservation() error }

// Mode says how far a step goes.
type Mode uint8

// The modes.
const (
	// Insn is one instruction. A sequence of a load with reservation, the
	// conditional store that belongs to it and what lies between counts as
	// one, because nothing that stops inside keeps the reservation.
	Insn Mode = iota
	// Block goes on until a branch is taken.
	Block
	// BlockAny goes on until a branch has run, taken or not.
	BlockAny
)

// String is the mode's name on command lines.
func (m Mode) String() string {
	switch m {
	case Insn:
		return "insn"
	case Block:
		return "block"
	case BlockAny:
		return "block-any"
	}
	return "unknown"
}

// Strategy makes steps. The four strategies have no state of their own.
type Strategy interface {
	Name() string
	// Supports tells whether Step can be asked to: where it says no, Step
	// answers ErrNoStep and the thread does not run.
	Supports(t Target, m Mode) bool
	// Step runs the thread for one step and says how it ended.
	Step(ctx context.Context, t Target, m Mode) (Stop, error)
}

var (
	// ErrNoStep is returned for a step of a kind that is not supported. It
	// never turns into a run.
	ErrNoStep = errors.New("stepper: step not supported")
	// ErrExited is returned by a target whose thread has ended.
	ErrExited = errors.New("stepper: thread has exited")
)

// Strategies are the four, by rising distance from the hardware.
var Strategies = []Strategy{Native{}, MemBP{}, XOL{}, PerThread{}}

// Lookup finds a strategy by its name.
func Lookup(name string) (Strategy, bool) {
	for _, s := range Strategies {
		if s.Name() == name {
			return s, true
		}
	}
	return nil, false
}

// pc is where a thread is.
func pc(t Target) uint64 { return t.Regs().Reg(t.Arch().PC) }

// user is memory as the thread may use it.
func user(t Target) arch.Memory {
	if g, ok := t.(Guarded); ok {
		return g.User()
	}
	return t.Mem()
}

// runs tells whether i can be fetched, and not only read.
func runs(t Target, i *arch.Insn) bool {
	g, ok := t.(Guarded)
	return !ok || g.Runs(i.PC, uint64(i.Len))
}

func setPC(t Target, v uint64) { t.Regs().SetReg(t.Arch().PC, v) }
