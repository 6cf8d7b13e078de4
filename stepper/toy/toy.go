// Package toy is a CPU of eleven instructions in pure Go: the least that
// package stepper can work on, and an example of what an architecture has to
// supply. Every instruction is four bytes: an opcode, a register or 0, another,
// and a signed number.
package toy

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
	"github.com/utemu/utemu/stepper"
)

// The opcodes. Branches go to the instruction that many instructions away.
const (
	Nop  = iota
	Addi // Addi, rd, rs, n: rd = rs + n
	Jmp  // Jmp, 0, 0, n
	Jz   // Jz, rs, 0, n: if rs is 0
	Call // Call, 0, 0, n: r7 is the return address
	Ret  // to r7
	Load // Load, rd, rs, n: rd = the byte at rs + n
	Store
	Sys // a system call
	Brk // a breakpoint
	Halt
)

// The registers: r0 to r7, and the PC.
const (
	R0 regset.ID = 1
	PC           = R0 + 8
)

// Arch is the architecture. Its parts that only an emulator needs are not
// there.
var Arch = &arch.Arch{
	Name:  "toy",
	Order: binary.LittleEndian,
	Word:  4,
	PC:    PC,
	SP:    R0 + 6,
	Core:  9,
	Regs: []arch.Reg{
		{ID: R0, Name: "r0", Bits: 32}, {ID: R0 + 1, Name: "r1", Bits: 32}, {ID: R0 + 2, Name: "r2", Bits: 32},
		{ID: R0 + 3, Name: "r3", Bits: 32}, {ID: R0 + 4, Name: "r4", Bits: 32}, {ID: R0 + 5, Name: "r5", Bits: 32},
		{ID: R0 + 6, Name: "r6", Bits: 32}, {ID: R0 + 7, Name: "r7", Bits: 32}, {ID: PC, Name: "pc", Bits: 32},
	},
	Code: arch.Code{
		MinInsn: 4,
		MaxInsn: 4,
		Break:   func(uint8) []byte { return []byte{Brk, 0, 0, 0} },
		Decode:  decode,
		Follow:  func(i arch.Insn, m arch.Mem) (arch.Insn, error) { return decode(nil, m, i.End()) },
		Next:    next,
		Target: func(i arch.Insn) (arch.Dest, bool) {
			return arch.Dest{PC: target(&i), Taken: true}, i.Is(arch.IsBranch) && !i.Is(arch.IsIndirect)
		},
		XOL:      xol,
		Simulate: simulate,
	},
}

var classes = [...]arch.Class{
	Jmp:  arch.IsBranch,
	Jz:   arch.IsBranch | arch.IsCond,
	Call: arch.IsBranch | arch.IsCall,
	Ret:  arch.IsBranch | arch.IsIndirect | arch.IsReturn,
	Sys:  arch.IsSyscall,
	Brk:  arch.IsTrap,
	Halt: arch.IsSyscall,
}

func decode(_ regset.Regs, m arch.Mem, pc uint64) (i arch.Insn, err error) {
	i = arch.Insn{PC: pc, Len: 4}
	if _, err = m.ReadAt(i.Raw[:4], pc); err != nil {
		return i, err
	}
	if op := i.Raw[0]; int(op) < len(classes) {
		i.Class = classes[op]
	} else {
		i.Class = arch.IsUndefined
	}
	return i, nil
}

func target(i *arch.Insn) uint64 {
	return addr32(i.PC + uint64(int64(int8(i.Raw[3]))*4))
}

func next(i arch.Insn, r regset.Regs, _ arch.Mem, dst []arch.Dest) ([]arch.Dest, error) {
	switch {
	case i.Is(arch.IsTrap | arch.IsUndefined):
		return dst, nil
	case i.Is(arch.IsReturn):
		return append(dst, arch.Dest{PC: r.Reg(R0 + 7), Taken: true}), nil
	case i.Is(arch.IsBranch) && (i.Raw[0] != Jz || r.Reg(reg(i.Raw[1])) == 0):
		return append(dst, arch.Dest{PC: target(&i), Taken: true}), nil
	}
	return append(dst, arch.Dest{PC: addr32(i.End())}), nil
}

func xol(i arch.Insn) arch.Verdict {
	switch {
	case i.Is(arch.IsBranch):
		return arch.Verdict{How: arch.MoveSimulate}
	case i.Is(arch.IsSyscall):
		return arch.Refuse("a system call must be made from its place")
	case i.Is(arch.IsTrap | arch.IsUndefined):
		return arch.Refuse("it raises a trap")
	}
	return arch.Verdict{}
}

func simulate(i arch.Insn, r regset.Regs, m arch.Memory) error {
	d, err := next(i, r, m, nil)
	if err != nil {
		return err
	}
	if i.Raw[0] == Call {
		r.SetReg(R0+7, addr32(i.End()))
	}
	r.SetReg(PC, d[0].PC)
	return nil
}

func reg(b byte) regset.ID { return R0 + regset.ID(b&7) }

// CPU is a stopped thread of the toy, with 4096 bytes of memory at 0x1000 and
// the same at 0x3000. It implements stepper.Target and stepper.Slotter.
type CPU struct {
	Handler uint64 // where signals go: PC is kept in r5; 0 ends the thread
	Ran     uint64 // instructions that have run
	Without stepper.Caps

	regs   [10]uint32
	code   [4096]byte
	data   [4096]byte
	signal stepper.Stop
	exited bool
}

// Where memory lies.
const (
	CodeAt = 0x1000
	DataAt = 0x3000
	slotAt = CodeAt + 0xf00
)

// New is a CPU with a program at CodeAt.
func New(program ...[4]byte) *CPU {
	c := &CPU{}
	for k, i := range program {
		copy(c.code[4*k:], i[:])
	}
	c.SetReg(PC, CodeAt)
	return c
}

// I is an instruction.
func I(op, a, b byte, n int8) [4]byte { return [4]byte{op, a, b, byte(n)} }

// Arch implements stepper.Target.
func (c *CPU) Arch() *arch.Arch { return Arch }

// Regs implements stepper.Target.
func (c *CPU) Regs() regset.Regs { return c }

// Mem implements stepper.Target.
func (c *CPU) Mem() arch.Memory { return c }

// Caps implements stepper.Target.
func (c *CPU) Caps() stepper.Caps {
	return (stepper.CanInsns | stepper.CanStops | stepper.CanEvents | stepper.CanSlots) &^ c.Without
}

// Slot implements stepper.Slotter.
func (c *CPU) Slot(uint64) (uint64, error) { return slotAt, nil }

// Amend implements stepper.Target.
func (c *CPU) Amend(s stepper.Stop) { c.signal = s }

// Reg implements regset.Regs.
func (c *CPU) Reg(id regset.ID) uint64 {
	if int(id) >= len(c.regs) {
		return 0
	}
	return uint64(c.regs[id])
}

// SetReg implements regset.Regs.
func (c *CPU) SetReg(id regset.ID, v uint64) {
	if id > 0 && int(id) < len(c.regs) {
		c.regs[id] = uint32(v)
	}
}

// Bytes implements regset.Regs.
func (c *CPU) Bytes(id regset.ID, p []byte) {
	clear(p)
	copy(p, binary.LittleEndian.AppendUint32(nil, uint32(c.Reg(id))))
}

// SetBytes implements regset.Regs.
func (c *CPU) SetBytes(id regset.ID, p []byte) {
	var b [4]byte
	copy(b[:], p)
	c.SetReg(id, uint64(binary.LittleEndian.Uint32(b[:])))
}

var errUnmapped = errors.New("toy: not mapped")

func (c *CPU) at(addr uint64) []byte {
	switch {
	case addr-CodeAt < uint64(len(c.code)):
		return c.code[addr-CodeAt:]
	case addr-DataAt < uint64(len(c.data)):
		return c.data[addr-DataAt:]
	}
	return nil
}

// ReadAt implements arch.Memory.
func (c *CPU) ReadAt(p []byte, addr uint64) (int, error) {
	n := copy(p, c.at(addr))
	if n < len(p) {
		return n, errUnmapped
	}
	return n, nil
}

// WriteAt implements arch.Memory.
func (c *CPU) WriteAt(p []byte, addr uint64) (int, error) {
	n := copy(c.at(addr), p)
	if n < len(p) {
		return n, errUnmapped
	}
	return n, nil
}

// The signals of the toy.
const (
	sigIll  = 4
	sigTrap = 5
	sigSegv = 11
)

// Resume implements stepper.Target.
func (c *CPU) Resume(ctx context.Context, l stepper.Limit) (stepper.Stop, error) {
	if c.exited {
		return stepper.Stop{}, stepper.ErrExited
	}
	if s := c.signal; s.Signo != 0 {
		c.signal = stepper.Stop{}
		if c.Handler == 0 {
			c.exited = true
			return stepper.Stop{Why: stepper.Exited, PC: c.Reg(PC), Code: s.Signo}, nil
		}
		c.SetReg(R0+5, c.Reg(PC))
		c.SetReg(PC, c.Handler)
		if l.Events {
			return stepper.Stop{Why: stepper.Handler, PC: c.Handler, Signo: s.Signo}, nil
		}
	}
	if l.Settle {
		return stepper.Stop{Why: stepper.Settled, PC: c.Reg(PC)}, nil
	}
	for n := uint64(1); ; n++ {
		if err := ctx.Err(); err != nil {
			return stepper.Stop{}, err
		}
		if st, ok := c.one(l, n); ok {
			st.PC = c.Reg(PC)
			return st, nil
		}
	}
}

// one runs an instruction and says whether to stop.
func (c *CPU) one(l stepper.Limit, n uint64) (stepper.Stop, bool) {
	i, err := decode(nil, c, c.Reg(PC))
	if err != nil {
		return c.raise(sigSegv, c.Reg(PC), true), true
	}
	if i.Is(arch.IsTrap) {
		return c.raise(sigTrap, i.PC, false), true
	}
	d, _ := next(i, c, c, nil)
	if len(d) == 0 {
		return c.raise(sigIll, i.PC, false), true
	}
	if !c.execute(&i) {
		return c.raise(sigSegv, c.Reg(reg(i.Raw[2])), false), true
	}
	c.Ran++
	c.SetReg(PC, d[0].PC)
	switch {
	case i.Raw[0] == Halt:
		c.exited = true
		return stepper.Stop{Why: stepper.Exited}, true
	case i.Raw[0] == Sys && l.Events:
		return stepper.Stop{Why: stepper.Syscall}, true
	case n == l.Insns:
		return stepper.Stop{Why: stepper.InsnLimit}, true
	}
	for _, s := range l.Stops {
		if s == d[0].PC {
			return stepper.Stop{Why: stepper.Address}, true
		}
	}
	return stepper.Stop{}, false
}

func (c *CPU) raise(no int, addr uint64, fetch bool) stepper.Stop {
	c.signal = stepper.Stop{Why: stepper.Signal, Signo: no, Addr: addr, Trap: no == sigTrap, Fetch: fetch}
	return c.signal
}

// execute does what an instruction does beside going on. It is false if it
// faults.
func (c *CPU) execute(i *arch.Insn) bool {
	a, b, n := reg(i.Raw[1]), reg(i.Raw[2]), uint64(int64(int8(i.Raw[3])))
	switch i.Raw[0] {
	case Addi:
		c.SetReg(a, c.Reg(b)+n)
	case Call:
		c.SetReg(R0+7, i.End())
	case Load:
		m := c.at(addr32(c.Reg(b) + n))
		if len(m) == 0 {
			return false
		}
		c.SetReg(a, uint64(m[0]))
	case Store:
		m := c.at(addr32(c.Reg(b) + n))
		if len(m) == 0 {
			return false
		}
		m[0] = byte(c.Reg(a))
	}
	return true
}

// addr32 cuts an address to the width of the PC.
func addr32(v uint64) uint64 { return v & 0xffffffff }
