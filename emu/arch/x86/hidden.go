package x86

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// noException is what oldException holds while no exception is being
// delivered.
const noException = 0xffffffff

// hidden finds oldException, the number of the exception that the library
// takes to be in delivery. The library never takes it back, since there are no
// handlers to return from; left alone it makes the second fault of some kinds
// a double fault and the third the silent end of the run.
func hidden(b arch.Bare) (map[regset.ID][]arch.Piece, error) {
	page := make([]byte, pageSize)
	const gpAt = 8
	copy(page, []byte{0x31, 0xc9, 0xf7, 0xf1}) // xor %ecx,%ecx; div %ecx
	page[gpAt] = 0xf4                          // hlt
	fresh := b.Context()
	if err := b.Place(scratch, page, arch.Read|arch.Exec); err != nil {
		return nil, fmt.Errorf("x86: probe: %w", err)
	}
	var offs []int
	for off := 0; off+4 <= len(fresh); off += 4 {
		if binary.NativeEndian.Uint32(fresh[off:]) == noException {
			offs = append(offs, off)
		}
	}
	// Each fault from the fresh state leaves its own number at one place.
	for _, p := range []struct {
		at uint64
		no int
	}{{scratch, excDE}, {scratch + gpAt, excGP}} {
		e, err := b.Run(p.at)
		if err != nil {
			return nil, fmt.Errorf("x86: probe: %w", err)
		}
		if e.Kind != arch.ExcIntr || e.No != p.no {
			return nil, fmt.Errorf("x86: probe ended with exception %d/%d, not %d", e.Kind, e.No, p.no)
		}
		now := b.Context()
		var left []int
		for _, off := range offs {
			if binary.NativeEndian.Uint32(now[off:]) == uint32(p.no) {
				left = append(left, off)
			}
		}
		offs = left
		if err := b.SetContext(fresh); err != nil {
			return nil, fmt.Errorf("x86: probe: %w", err)
		}
	}
	if err := b.Drop(scratch); err != nil {
		return nil, fmt.Errorf("x86: probe: %w", err)
	}
	if len(offs) != 1 {
		return nil, errors.New("x86: the library's pending exception is not in its context")
	}
	return map[regset.ID][]arch.Piece{oldException: {{Off: offs[0], Size: 4, Width: 32}}}, nil
}
