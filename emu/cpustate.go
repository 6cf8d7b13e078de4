package emu

import (
	"fmt"

	"github.com/utemu/utemu/emu/internal/uc"
)

// cpuState are a task's registers while the CPU has another task's.
type cpuState struct {
	ctx  *uc.Context
	soft []uint64
	own  map[uint64][]byte // memory of the CPU's own that tasks have changed
}

// save copies the registers into s, which may be of use already.
func (c *CPU) save(s *cpuState) error {
	c.flush()
	var err error
	if s.ctx == nil {
		s.ctx, err = c.eng.Save()
	} else {
		err = c.eng.SaveTo(s.ctx)
	}
	if err != nil {
		return fmt.Errorf("emu: registers of a task: %w", err)
	}
	// As on a kernel's way back to user mode: what another task does to the
	// word meanwhile must not go unseen.
	r, err := c.reservation()
	if err != nil {
		return err
	}
	c.eng.Put(s.ctx, r.off, r.none)
	s.soft = append(s.soft[:0], c.soft...)
	if c.bare.written {
		if s.own == nil {
			s.own = map[uint64][]byte{}
		}
		for a, m := range c.bare.placed {
			s.own[a] = append(s.own[a][:0], m...)
		}
	}
	return nil
}

// restore puts registers back that save copied.
func (c *CPU) restore(s *cpuState) error {
	if err := c.eng.Restore(s.ctx); err != nil {
		return fmt.Errorf("emu: registers of a task: %w", err)
	}
	copy(c.soft, s.soft)
	for a, m := range s.own {
		copy(c.bare.placed[a], m)
	}
	c.forget()
	return nil
}

// dropReservation makes the CPU forget what it has a reservation for.
func (c *CPU) dropReservation() error {
	r, err := c.reservation()
	if err != nil || r.none == nil {
		return err
	}
	c.flush()
	now, err := c.eng.Save()
	if err != nil {
		return fmt.Errorf("emu: registers of a task: %w", err)
	}
	c.eng.Put(now, r.off, r.none)
	c.forget()
	return c.eng.Restore(now)
}
