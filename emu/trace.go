package emu

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
	"github.com/utemu/utemu/stepper"
)

// TraceKinds says what a trace records.
type TraceKinds uint8

// The kinds. Every trace records the blocks that are entered, from which all
// instructions that run follow, by far at the least cost; the others add a
// record for each instruction, and what it does.
const (
	TraceInsns TraceKinds = 1 << iota // a record for each instruction
	TraceRegs                         // changes of core registers; implies TraceInsns
	TraceMem                          // memory accesses; implies TraceInsns
)

// Trace is what a process records as it runs and who gets it.
type Trace struct {
	Kinds TraceKinds

	// Watch are up to 16 addresses, of which a record is wanted before the
	// block that holds one is entered: see TraceWatch.
	Watch []uint64

	// Sink gets the records in the order in which things happened, at the
	// latest before the kernel acts on a system call or fault. The slice is
	// valid during the call only. It runs on the goroutine that runs the guest
	// and may call SetTrace. An error ends the run with it.
	Sink func(r []TraceRecord) error
}

// TraceRecord is one record of a trace; its Kind says what its fields mean.
type TraceRecord = uc.Rec

// TraceRecordKind is the kind of a record.
type TraceRecordKind = uc.RecKind

// The kinds of records.
const (
	// TraceDef defines block ID: Size bytes of code at A, which are in the
	// TraceCode records that follow. V is what decoding depends on: the low 8
	// bits are what arch.Code.State gives, the next 8 ITSTATE of ARM.
	TraceDef = uc.RecDef
	// TraceCode has 16 bytes of code in A and V, in the host's order; what is
	// beyond the block's size is padding.
	TraceCode = uc.RecBytes
	// TraceBlock tells that block ID at A is entered. It runs whole unless a
	// TraceCut follows before the next TraceBlock.
	TraceBlock = uc.RecBlock
	// TraceBlocks tells the same of V blocks one after the other, whose IDs the
	// record's method IDs gives. It takes the place of TraceBlock where nothing
	// but blocks is recorded.
	TraceBlocks = uc.RecBlocks
	// TraceInsn tells that the instruction of Size bytes at A, in block ID,
	// runs. Instructions of a Thumb IT block whose condition does not hold have
	// no such record.
	TraceInsn = uc.RecInsn
	// TraceReg tells that the register with the index ID in TraceRegisters is
	// now V. Records that stand after the TraceInsn of an instruction, and
	// before the next one or a TraceCut, are the instruction's doing; others
	// the kernel's. Those before the first instruction tell the whole state:
	// all registers count as 0 when the trace starts.
	TraceReg = uc.RecReg
	// TraceRead and TraceWrite tell that Size bytes at A were read or written
	// and are V, as a number.
	TraceRead  = uc.RecRead
	TraceWrite = uc.RecWrite
	// TraceCut tells that the block entered last ran only up to A. Size is one
	// of the Cut constants.
	TraceCut = uc.RecCut
)

// The records that the loop adds to the engine's.
const (
	// TraceEnd marks a point where the guest was left with the block entered
	// last run to its end.
	TraceEnd TraceRecordKind = 0x100 + iota
	// TraceExec tells that the process has a new program: what was defined
	// before is gone and IDs start over.
	TraceExec
	// TraceWatch tells that the block at A, which holds a watched address, is
	// entered next.
	TraceWatch
	// TraceTask tells that the task with the number V, of the process with the
	// number A, runs from now on: of the process's threads, or of one that has its
	// memory (CLONE_VM).
	TraceTask
)

// Ways in which a block is cut.
const (
	CutBefore uint16 = iota // the instruction at A did not run, or is to run again
	CutAt                   // the instruction at A began and ended in a fault
	CutAccess               // as CutAt, for an access to the memory at V
)

// SetTrace makes the process record from its next instruction on; nil ends it.
// Only the goroutine that runs the process, or one that holds it stopped, may
// call it.
func (p *Process) SetTrace(t *Trace) {
	p.tracing.want = t
	p.tracing.set, p.tracing.on = false, taskNumbers{}
}

// TraceRegisters are the registers whose changes TraceRegs records: the core
// registers of the architecture without the program counter.
func TraceRegisters(a *arch.Arch) []arch.Reg {
	var l []arch.Reg
	for _, r := range a.Regs[:a.Core] {
		if r.ID != a.PC && r.UC >= 0 {
			l = append(l, r)
		}
	}
	return l
}

// tracing is a process's trace.
type tracing struct {
	want *Trace
	set  bool        // the engine knows
	last *Trace      // what the engine does
	on   taskNumbers // whose records come, as the sink knows
}

type taskNumbers struct{ pid, tid int }

// start tells the engine what to record, and the sink of whom, before k runs.
func (t *tracing) start(k *Task) error {
	if !t.set {
		if err := t.tell(k.Proc.cpu); err != nil {
			return err
		}
	}
	if t.last == nil {
		return nil
	}
	on := taskNumbers{k.Proc.PID, k.TID}
	if t.on == on {
		return nil
	}
	t.on = on
	return t.last.Sink([]TraceRecord{{Kind: TraceTask, A: uint64(on.pid), V: uint64(on.tid)}})
}

// tell tells the engine what to record.
func (t *tracing) tell(c *CPU) error {
	t.set, t.last = true, t.want
	if t.want == nil {
		return c.eng.SetTrace(0, nil, nil)
	}
	kinds := uc.TraceBlocks
	var regs []int32
	if t.want.Kinds != 0 {
		kinds |= uc.TraceInsns
	}
	if t.want.Kinds&TraceMem != 0 {
		kinds |= uc.TraceMem
	}
	if t.want.Kinds&TraceRegs != 0 {
		kinds |= uc.TraceRegs
		for _, r := range TraceRegisters(c.arch) {
			regs = append(regs, int32(r.UC))
		}
	}
	if err := c.eng.SetTrace(kinds, regs, t.want.Watch); err != nil {
		return fmt.Errorf("emu: trace: %w", err)
	}
	return nil
}

// drain gives the records of the run that has just ended to the sink.
func (t *tracing) drain(c *CPU, last ...TraceRecord) error {
	if t.last == nil {
		return nil
	}
	sink := t.last.Sink
	if r := c.eng.Drain(); len(r) > 0 {
		if err := sink(r); err != nil {
			return err
		}
	}
	if len(last) == 0 {
		return nil
	}
	return sink(last)
}

// stopped drains after a stop that is no exception.
func (t *tracing) stopped(c *CPU, why stepper.Why, between bool) error {
	if t.last == nil {
		return nil
	}
	pc := c.Reg(c.arch.PC)
	if why == watched {
		return t.drain(c, TraceRecord{Kind: TraceWatch, A: pc})
	}
	return t.drain(c, t.end(pc, between, CutBefore, 0))
}

func (t *tracing) end(pc uint64, between bool, how uint16, addr uint64) TraceRecord {
	if between {
		return TraceRecord{Kind: TraceEnd}
	}
	return TraceRecord{Kind: TraceCut, A: pc, V: addr, Size: how}
}

// watched is the stop before a block that holds a watched address.
const watched = stepper.Why(0xff)

// trapped drains after an exception. The trapping instruction is the last that
// began: a fault leaves the PC on it, a system call or an instruction that the
// kernel emulates behind it.
func (t *tracing) trapped(c *CPU, trap arch.Trap) error {
	if t.last == nil {
		return nil
	}
	how := CutAt
	if trap.Kind == arch.TrapSyscall || trap.Kind == arch.TrapResume {
		how = CutBefore
	}
	return t.drain(c, t.end(trap.PC, c.between, how, 0))
}

// faulted drains after a memory fault: handled tells that the access is to be
// tried again.
func (t *tracing) faulted(c *CPU, e arch.Exception, handled bool) error {
	if t.last == nil {
		return nil
	}
	how := CutAccess
	if handled {
		how = CutBefore
	}
	return t.drain(c, t.end(e.PC, c.between, how, c.arch.Addr(e.Addr)))
}

// exec follows the process to its new program.
func (t *tracing) exec() error {
	t.set = false
	if t.last == nil {
		return nil
	}
	return t.last.Sink([]TraceRecord{{Kind: TraceExec}})
}

// RegMask is the part of a register that a trace compares.
func RegMask(r arch.Reg) uint64 {
	if r.Mask != 0 {
		return r.Mask
	}
	if r.Bits >= 64 {
		return ^uint64(0)
	}
	return 1<<r.Bits - 1
}
