package archtest

import (
	"encoding/binary"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// CPU is a stopped CPU without an engine: registers in a map and pages of
// memory. It implements arch.CPU; its Own memory is apart from the program's.
type CPU struct {
	Memory
	Table Memory // what Own returns

	// Dropped are the ranges DropCode was called with, address and size.
	Dropped [][2]uint64

	arch *arch.Arch
	regs map[regset.ID][]byte // in host order
}

// NewCPU makes a CPU whose registers are zero.
func NewCPU(a *arch.Arch) *CPU {
	c := &CPU{arch: a, regs: map[regset.ID][]byte{}}
	for _, r := range a.Regs {
		c.regs[r.ID] = make([]byte, (r.Bits+7)/8)
	}
	return c
}

// Own implements arch.CPU.
func (c *CPU) Own() arch.Memory { return &c.Table }

// Model implements arch.CPU: it is the default model.
func (c *CPU) Model() *arch.Model { return &c.arch.Engine.Models[0] }

// DropCode implements arch.CPU.
func (c *CPU) DropCode(addr, size uint64) { c.Dropped = append(c.Dropped, [2]uint64{addr, size}) }

// Reg implements regset.Regs.
func (c *CPU) Reg(id regset.ID) uint64 {
	var b [8]byte
	copy(b[:], c.regs[id])
	return binary.LittleEndian.Uint64(b[:])
}

// SetReg implements regset.Regs.
func (c *CPU) SetReg(id regset.ID, v uint64) {
	b := binary.LittleEndian.AppendUint64(nil, v)
	r := c.regs[id]
	clear(r)
	copy(r, b)
}

// Bytes implements regset.Regs.
func (c *CPU) Bytes(id regset.ID, p []byte) {
	clear(p)
	copy(p, c.regs[id])
	c.order(p)
}

// SetBytes implements regset.Regs.
func (c *CPU) SetBytes(id regset.ID, p []byte) {
	b := append([]byte(nil), p...)
	c.order(b)
	copy(c.regs[id], b)
}

// order turns little-endian bytes into the guest's order, or back.
func (c *CPU) order(p []byte) {
	if c.arch.Order == binary.ByteOrder(binary.LittleEndian) {
		return
	}
	for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
		p[i], p[j] = p[j], p[i]
	}
}

// Fill gives every register bytes that depend on seed and differ from its
// neighbours'.
func (c *CPU) Fill(seed byte) {
	for i, r := range c.arch.Regs {
		for j := range c.regs[r.ID] {
			c.regs[r.ID][j] = seed + byte(37*i+7*j)
		}
	}
}

// Memory is memory in pieces. It implements arch.Memory.
type Memory struct {
	pieces []piece
}

type piece struct {
	addr uint64
	data []byte
}

var errUnmapped = errors.New("archtest: not mapped")

// Map puts data at addr.
func (m *Memory) Map(addr uint64, data []byte) {
	m.pieces = append(m.pieces, piece{addr, data})
}

func (m *Memory) at(addr uint64) []byte {
	for _, p := range m.pieces {
		if addr-p.addr < uint64(len(p.data)) {
			return p.data[addr-p.addr:]
		}
	}
	return nil
}

// ReadAt implements arch.Mem.
func (m *Memory) ReadAt(p []byte, addr uint64) (int, error) {
	n := copy(p, m.at(addr))
	if n < len(p) {
		return n, errUnmapped
	}
	return n, nil
}

// WriteAt implements arch.Memory.
func (m *Memory) WriteAt(p []byte, addr uint64) (int, error) {
	n := copy(m.at(addr), p)
	if n < len(p) {
		return n, errUnmapped
	}
	return n, nil
}
