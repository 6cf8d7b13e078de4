package arm64

import (
	"encoding/binary"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// fakeCPU is registers and a piece of memory.
type fakeCPU struct {
	regs    map[regset.ID]uint64
	wide    map[regset.ID][16]byte
	base    uint64
	mem     []byte
	model   string
	dropped [][2]uint64
}

func newFake(base uint64, mem ...byte) *fakeCPU {
	return &fakeCPU{regs: map[regset.ID]uint64{}, wide: map[regset.ID][16]byte{}, base: base, mem: mem}
}

func words(w ...uint32) []byte {
	var b []byte
	for _, w := range w {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

func (f *fakeCPU) Reg(id regset.ID) uint64       { return f.regs[id] }
func (f *fakeCPU) SetReg(id regset.ID, v uint64) { f.regs[id] = v }

func (f *fakeCPU) Bytes(id regset.ID, p []byte) {
	b := f.wide[id]
	copy(p, b[:])
}

func (f *fakeCPU) SetBytes(id regset.ID, p []byte) {
	var b [16]byte
	copy(b[:], p)
	f.wide[id] = b
}

func (f *fakeCPU) ReadAt(p []byte, addr uint64) (int, error) {
	off := addr - f.base
	if off > uint64(len(f.mem)) || uint64(len(p)) > uint64(len(f.mem))-off {
		return 0, errors.New("not mapped")
	}
	return copy(p, f.mem[off:]), nil
}

func (f *fakeCPU) WriteAt([]byte, uint64) (int, error) { return 0, errors.New("not writable") }
func (f *fakeCPU) Own() arch.Memory                    { return f }
func (f *fakeCPU) DropCode(addr, size uint64)          { f.dropped = append(f.dropped, [2]uint64{addr, size}) }

func (f *fakeCPU) Model() *arch.Model {
	m, _ := ARM64.Engine.Model(f.model)
	return m
}
