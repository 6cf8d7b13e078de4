// Package uc is the binding of libunicorn, version 2.0.1 or 2.1.x: an Engine
// runs guest code until something needs attention and then says what. C never
// calls Go; what happens for each instruction or block is decided in C.
//
// Unless asked not to, an engine runs with the shim (shim.c, README.md), which
// makes memory accesses of the guest fast and faults exact. Where it does not
// prove itself at the first Open, a hook on each instruction takes its place.
//
// An Engine belongs to one goroutine at a time; only Interrupt may be called
// by any. Numbers of registers, architectures and so on are those of package
// ucnum.
package uc

import (
	"errors"
	"time"
	"unsafe"
)

// Config chooses the guest CPU.
type Config struct {
	Arch, Mode int  // UC_ARCH_*, UC_MODE_*
	Model      int  // UC_CPU_*, negative for the library's default
	Stock      bool // without the shim
}

// Tick is what a branch takes on the clocks of a guest in slices.
const Tick = 10 * time.Nanosecond

// Kind is why a run ended.
type Kind int

// The kinds, in the order of engine.h.
const (
	KindEnd         Kind = iota // the engine ended by itself, which user code cannot cause
	KindIntr                    // an exception, number in Stop.Intno
	KindSyscallInsn             // x86 SYSCALL, PC on it
	KindSysenter                // x86 SYSENTER
	KindInOut                   // an x86 port instruction, PC on it
	KindInvalid                 // an undefined instruction, PC on it
	KindMem                     // memory that is not mapped or not permitted, PC on the instruction
	KindLimit                   // Limit.Insns have run
	KindBreak                   // an address of Limit.Stops is next
	KindTaken                   // a branch was taken
	KindInterrupt               // Interrupt was called
	KindRingFull                // the trace ring must be drained
	KindWatch                   // a block that holds a watched address is next
	KindPlanted                 // a breakpoint that Plant has put into memory is next
)

// Stop says why and where a run ended. PC is the next instruction to run
// unless the kind says otherwise; for KindIntr it is as the library gives it
// for that guest and number.
type Stop struct {
	Kind   Kind
	Intno  int
	PC     uint64
	Addr   uint64 // KindMem: the address accessed
	Size   int    // KindMem: bytes
	Access int    // KindMem: 1 read, 2 write, 4 fetch
	Insns  uint64 // executed, if Limit had them counted
	// Between tells, with a trace, that the block entered last has run to its
	// end; else it ran up to PC.
	Between bool
	// Bus tells, for KindMem, that the host has no page behind memory that is
	// mapped and permitted: past the end of a file, as a rule.
	Bus bool
}

// Limit bounds a run; the zero Limit runs until something happens. A limit
// puts a hook on each instruction for as long as runs have limits.
type Limit struct {
	Insns uint64   // stop after so many instructions
	Stops []uint64 // stop before these, rising, but not before the first instruction
	Past  bool     // stop after one of these has run, the first instruction too
	Taken bool     // stop after a taken branch
}

// File is a set of registers that go along with runs: Vals[i] is register
// IDs[i], and bit i of Dirty says that the engine has another value. There
// are at most 64.
type File struct {
	IDs   []int32
	Vals  []uint64
	Dirty uint64
	Asked uint64 // those that are wanted at exceptions, by bits
}

// CP addresses an ARM coprocessor or AArch64 system register.
type CP struct{ CP, Is64, Sec, CRn, CRm, Op0, Op1, Op2 uint32 }

// Trace says what goes into the trace ring.
type Trace int

// Blocks are the cheapest way to all instruction addresses. Regs and Mem need
// Insns.
const (
	TraceBlocks Trace = 1 << iota
	TraceInsns
	TraceRegs
	TraceMem
)

// RecKind is the kind of a trace record.
type RecKind uint16

// The kinds, in the order of engine.h.
const (
	// RecDef: block ID is Size bytes of code at A, RecBytes follow. V is what
	// decoding depends on: for ARM bit 0 is the T bit, bits 8 to 15 are ITSTATE.
	RecDef    RecKind = iota + 1
	RecBytes          // 16 bytes of code in A and V, host order
	RecBlock          // block ID, at A, was entered
	RecInsn           // the instruction of Size bytes at A runs, in block ID
	RecReg            // register ID of the list changed to V before the next instruction
	RecRead           // Size bytes at A were read: V
	RecWrite          // Size bytes at A were written: V
	RecCut            // the block entered last ran up to A, not including it, and was left there
	RecBlocks         // V blocks were entered, whose IDs are at A in the host, see IDs
)

// Rec is one record of the trace ring.
type Rec struct {
	A, V uint64
	Kind RecKind
	Size uint16
	ID   uint32
}

// IDs are the blocks of a RecBlocks record, valid as long as the record is.
func (r *Rec) IDs() []uint32 {
	// The address is of C's memory, which no collector moves.
	return unsafe.Slice(*(**uint32)(unsafe.Pointer(&r.A)), r.V)
}

// ErrUnavailable is returned by Open in a build without cgo.
var ErrUnavailable = errors.New("uc: built without libunicorn (CGO_ENABLED=0)")
