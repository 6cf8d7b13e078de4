package emu

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
)

// reservation is the place of the address that a CPU has a reservation for
// (its exclusive monitor) in the engine's saved context, and what it holds
// without one. The zero value is of a CPU that makes none.
type reservation struct {
	off  int
	none []byte
}

// reservations are by CPU model: they are the same in every engine of one
// process.
var reservations sync.Map // *arch.Model -> reservation

// reservation finds the place by behaviour: the one that after a load with
// reservation holds the address loaded from, and did not before.
func (c *CPU) reservation() (reservation, error) {
	if r, ok := reservations.Load(c.model); ok {
		return r.(reservation), nil
	}
	r := reservation{}
	if rv := c.arch.Engine.Reserve; rv != nil {
		fresh, err := newCPU(c.arch, c.model, NewSpace(c.arch), c.opts)
		if err != nil {
			return r, err
		}
		r, err = fresh.findReservation(rv)
		if err := errors.Join(err, fresh.close()); err != nil {
			return r, fmt.Errorf("emu: %s: place of reservations: %w", c.arch.Name, err)
		}
	}
	reservations.Store(c.model, r)
	return r, nil
}

// findReservation is for a CPU that has not run.
func (c *CPU) findReservation(rv *arch.Reserve) (reservation, error) {
	at := c.arch.Start.MinAddr + 0x40000
	if err := c.bare.Place(at, rv.Code, arch.Read|arch.Write|arch.Exec); err != nil {
		return reservation{}, err
	}
	none := c.bare.Context()
	var places []int
	for i, addr := range []uint64{at + 0x5a4, at + 0xa58} {
		if err := c.eng.SetReg(rv.Base, addr); err != nil {
			return reservation{}, err
		}
		before := c.bare.Context()
		if _, err := c.eng.Run(at, uc.Limit{Insns: 1}); err != nil {
			return reservation{}, err
		}
		after := c.bare.Context()
		var found []int
		for off := 0; off+4 <= len(after); off += 4 {
			if hostUint(after[off:off+4]) == addr && hostUint(before[off:off+4]) != addr && (i == 0 || slices.Contains(places, off)) {
				found = append(found, off)
			}
		}
		places = found
	}
	if err := c.bare.Drop(at); err != nil {
		return reservation{}, err
	}
	if len(places) != 1 {
		return reservation{}, fmt.Errorf("%d places found: %w", len(places), unix.ENOTSUP)
	}
	off, size := places[0], 4
	if off%8 == 0 && off+8 <= len(none) && hostUint(none[off:off+8]) == ^uint64(0) && c.arch.Word == 8 {
		size = 8
	}
	return reservation{off: off, none: none[off : off+size]}, nil
}
