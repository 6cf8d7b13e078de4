package x86

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
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
	before := b.Context()
	if err := b.Place(scratch, page, arch.Read|arch.Exec); err != nil {
		return nil, fmt.Errorf("x86: probe: %w", err)
	}
	if err := b.SetReg(ucnum.X86_REG_EFLAGS, bootFlags); err != nil { // no single step
		return nil, fmt.Errorf("x86: probe: %w", err)
	}
	fresh := b.Context()
	var offs []int
	no, now, err := faultFrom(b, fresh, scratch)
	if err == nil && (no == excDE || no == excDF) { // doubled if one is pending already
		for off := 0; off+4 <= len(now); off += 4 {
			old, got := word(fresh, off), word(now, off)
			if got == uint32(no) && old != got && pending(old) && confirmed(b, fresh, off, scratch, scratch+gpAt) {
				offs = append(offs, off)
			}
		}
	}
	if err := errors.Join(err, b.SetContext(before), b.Drop(scratch)); err != nil {
		return nil, fmt.Errorf("x86: probe: %w", err)
	}
	if len(offs) != 1 {
		return nil, errors.New("x86: the library's pending exception is not in its context")
	}
	return map[regset.ID][]arch.Piece{oldException: {{Off: offs[0], Size: 4, Width: 32}}}, nil
}

// pending reports whether v can be in oldException while a fault is no triple
// fault.
func pending(v uint32) bool { return v == noException || v == excDE || v >= 10 && v <= excGP }

func word(ctx []byte, off int) uint32 { return binary.NativeEndian.Uint32(ctx[off:]) }

// faultFrom runs code at pc from a context, and returns the number of the
// exception it ends with, and the context then.
func faultFrom(b arch.Bare, ctx []byte, pc uint64) (int, []byte, error) {
	if err := b.SetContext(ctx); err != nil {
		return 0, nil, err
	}
	e, err := b.Run(pc)
	if err != nil {
		return 0, nil, err
	}
	if e.Kind != arch.ExcIntr {
		return 0, nil, fmt.Errorf("exception of kind %d", e.Kind)
	}
	return e.No, b.Context(), nil
}

// confirmed reports whether the word at off, when it says that nothing is
// pending, lets a divide error and a protection fault through as what they
// are, and holds their numbers then.
func confirmed(b arch.Bare, fresh []byte, off int, div, gp uint64) bool {
	ctx := append([]byte(nil), fresh...)
	binary.NativeEndian.PutUint32(ctx[off:], noException)
	for pc, want := range map[uint64]int{div: excDE, gp: excGP} {
		no, now, err := faultFrom(b, ctx, pc)
		if err != nil || no != want || word(now, off) != uint32(want) {
			return false
		}
	}
	return true
}
