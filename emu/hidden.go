package emu

import (
	"encoding/binary"
	"sync"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// hiddenPlaces are the places of registers that libunicorn's interface does
// not reach, by CPU model: they are the same in every engine of one process.
var hiddenPlaces sync.Map // *arch.Model -> map[regset.ID][]arch.Piece

// hidden finds the places of a register in the engine's saved context, nil if
// it has none. What it runs to find out leaves no trace in the CPU.
func (c *CPU) hidden(id regset.ID) []arch.Piece {
	if m, ok := hiddenPlaces.Load(c.model); ok {
		return m.(map[regset.ID][]arch.Piece)[id]
	}
	if c.arch.Engine.Hidden == nil {
		return nil
	}
	c.load()
	c.flush()
	now, err := c.eng.Save()
	if err != nil {
		return nil
	}
	places, err := c.arch.Engine.Hidden(&c.bare)
	if err != nil {
		places = nil
		if c.opts.Warn != nil {
			c.opts.Warn("some registers read as 0: " + err.Error())
		}
	}
	if c.eng.Restore(now) != nil {
		return nil
	}
	c.forget()
	hiddenPlaces.Store(c.model, places)
	return places[id]
}

// context is the engine's saved context with the hidden registers as they are
// now. Taking it is slow, so it is kept until the engine changes.
func (c *CPU) context() []byte {
	if c.ctx == nil {
		c.load()
		c.flush()
		c.ctx = c.bare.Context()
	}
	return c.ctx
}

// settle gives the engine hidden registers that have changed, before it runs or
// gets others by another way. The core registers that the context holds are
// those of c.core, or older than what is marked dirty there.
func (c *CPU) settle() {
	if c.ctxDirty {
		// The engine made this context itself, so it takes it back.
		_ = c.eng.SetState(c.ctx)
	}
	c.ctx, c.ctxDirty = nil, false
}

// hiddenReg reads a register through the saved context.
func (c *CPU) hiddenReg(id regset.ID) (v uint64) {
	places := c.hidden(id)
	if places == nil {
		return 0
	}
	ctx := c.context()
	for _, p := range places {
		v |= getPiece(p, ctx)
	}
	return v
}

// setHiddenReg writes a register through the saved context.
func (c *CPU) setHiddenReg(id regset.ID, v uint64) {
	places := c.hidden(id)
	if places == nil {
		return
	}
	ctx := c.context()
	for _, p := range places {
		putPiece(p, ctx, v)
	}
	c.ctxDirty = true
}

// getPiece reads a piece's part of a register of at most 64 bits.
func getPiece(p arch.Piece, ctx []byte) uint64 {
	w := hostUint(ctx[p.Off : p.Off+min(p.Size, 8)])
	if p.Any {
		if w != 0 {
			w = 1
		}
		return w << p.Lo
	}
	return w & mask(p.Width) << p.Lo
}

// putPiece writes a piece's part of a register.
func putPiece(p arch.Piece, ctx []byte, v uint64) {
	b := ctx[p.Off : p.Off+min(p.Size, 8)]
	v = v >> p.Lo & mask(p.Width)
	if !p.Any {
		v |= hostUint(b) &^ mask(p.Width)
	}
	putHostUint(b, v)
}

func mask(width int) uint64 { return ^uint64(0) >> (64 - min(width, 64)) }

func hostUint(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:])
}

func putHostUint(b []byte, v uint64) {
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], v)
	copy(b, w[:])
}

// hiddenBytes is the place of a register wider than 64 bits in a context,
// nil if it is not kept in one piece.
func hiddenBytes(places []arch.Piece, ctx []byte) []byte {
	if len(places) != 1 || places[0].Size <= 8 {
		return nil
	}
	p := places[0]
	return ctx[p.Off : p.Off+p.Size]
}
