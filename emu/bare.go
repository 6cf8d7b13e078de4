package emu

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
)

// bare is a CPU before its first user instruction: arch.Bare over the engine.
type bare struct {
	eng    *uc.Engine
	placed map[uint64][]byte // memory outside of user space, which no Space knows

	written bool // tasks have changed it
}

func (b *bare) Reg(n int) uint64             { return b.eng.Reg(n) }
func (b *bare) SetReg(n int, v uint64) error { return b.eng.SetReg(n, v) }

func (b *bare) CPReg(r arch.CPReg) (uint64, error)        { return b.eng.CPReg(uc.CP(r)) }
func (b *bare) SetCPReg(r arch.CPReg, v uint64) error     { return b.eng.SetCPReg(uc.CP(r), v) }
func (b *bare) SetMMR(n int, base uint64, l uint32) error { return b.eng.SetMMR(n, base, l) }

// Place implements arch.Bare.
func (b *bare) Place(addr uint64, data []byte, p arch.Prot) error {
	m, err := unix.Mmap(-1, 0, int(pageUp(uint64(len(data)))), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	copy(m, data)
	if err := b.eng.Map(addr, m, int(p)); err != nil {
		return errors.Join(err, unix.Munmap(m))
	}
	if b.placed == nil {
		b.placed = map[uint64][]byte{}
	}
	b.placed[addr] = m
	return nil
}

// Drop implements arch.Bare.
func (b *bare) Drop(addr uint64) error {
	m, ok := b.placed[addr]
	if !ok {
		return fmt.Errorf("emu: nothing placed at %#x", addr)
	}
	delete(b.placed, addr)
	b.eng.DropCode(addr, uint64(len(m)))
	if err := b.eng.Unmap(addr, uint64(len(m))); err != nil {
		return err
	}
	return unix.Munmap(m)
}

// release frees what was placed; the engine must be closed.
func (b *bare) release() error {
	var err error
	for _, m := range b.placed {
		err = errors.Join(err, unix.Munmap(m))
	}
	b.placed = nil
	return err
}

// Run implements arch.Bare. A request to stop is for the guest: it waits for the
// guest's next run.
func (b *bare) Run(pc uint64) (arch.Exception, error) {
	b.eng.Mute(true)
	defer b.eng.Mute(false)
	st, err := b.eng.Run(pc, uc.Limit{})
	if err == nil && st.Kind == uc.KindInterrupt {
		defer b.eng.Interrupt()
		for err == nil && st.Kind == uc.KindInterrupt {
			st, err = b.eng.Run(st.PC, uc.Limit{})
		}
	}
	if err != nil {
		return arch.Exception{}, err
	}
	e, _ := exception(st)
	return e, nil
}

// SetCPUID implements arch.Bare.
func (b *bare) SetCPUID(leaf, sub uint32, answer [4]uint32) error {
	return b.eng.SetCPUID(leaf, sub, answer)
}

// Decode implements arch.Bare.
func (b *bare) Decode(has [4]uint32, more uint32) bool { return b.eng.Decode(has, more) }

// at is what was placed around addr, from addr on.
func (b *bare) at(addr uint64, n int) []byte {
	for a, m := range b.placed {
		if addr >= a && addr < a+uint64(len(m)) {
			m = m[addr-a:]
			return m[:min(n, len(m))]
		}
	}
	return nil
}

// ReadAt implements arch.Mem for the CPU's own memory.
func (b *bare) ReadAt(p []byte, addr uint64) (int, error) {
	n := copy(p, b.at(addr, len(p)))
	if n < len(p) {
		return n, unix.EFAULT
	}
	return n, nil
}

// WriteAt implements arch.Memory for the CPU's own memory.
func (b *bare) WriteAt(p []byte, addr uint64) (int, error) {
	b.written = true
	n := copy(b.at(addr, len(p)), p)
	if n < len(p) {
		return n, unix.EFAULT
	}
	return n, nil
}

// Context implements arch.Bare.
func (b *bare) Context() []byte {
	p, err := b.eng.State()
	if err != nil {
		return nil
	}
	return p
}

// SetContext implements arch.Bare.
func (b *bare) SetContext(p []byte) error { return b.eng.SetState(p) }
