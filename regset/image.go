package regset

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// holds tells whether [pos,pos+count) is a run of whole slots of the set.
func (s *Set) holds(pos, count int) bool {
	return pos >= 0 && pos%s.Size == 0 && count%s.Size == 0 && count <= s.Bytes()-pos
}

// WithImage returns s with Get and Put made of two functions that know the
// set's image as a whole: get fills all of img, put takes all of it or fails
// and changes nothing. A Put of a part leaves the other slots as they are.
// Get and Put fail with EINVAL for a range that is not whole slots of the set.
func (s Set) WithImage(get func(r Regs, img []byte), put func(r Regs, img []byte) error) Set {
	shape := s
	s.Get = func(r Regs, pos int, dst []byte) error {
		if !shape.holds(pos, len(dst)) {
			return unix.EINVAL
		}
		img := make([]byte, shape.Bytes())
		get(r, img)
		o := Out{Pos: pos, Dst: dst}
		o.Copy(img, 0, -1)
		return nil
	}
	s.Put = func(r Regs, pos int, src []byte) error {
		if !shape.holds(pos, len(src)) {
			return unix.EINVAL
		}
		img := make([]byte, shape.Bytes())
		get(r, img)
		i := In{Pos: pos, Src: src}
		i.Copy(img, 0, -1)
		return put(r, img)
	}
	return s
}

// WithSlots is WithImage for a set of integers of 4 or 8 bytes in an order of
// bytes: get tells what one slot shows, cut to the slot's size, and put takes
// the slots from one on, or fails and changes nothing. Slots that a Put does
// not have are not looked at, so a set of 32-bit slots leaves the upper halves
// of the registers behind them alone.
func (s Set) WithSlots(o binary.ByteOrder, get func(r Regs, slot int) uint64, put func(r Regs, slot int, v []uint64) error) Set {
	shape := s
	s.Get = func(r Regs, pos int, dst []byte) error {
		if !shape.holds(pos, len(dst)) {
			return unix.EINVAL
		}
		for i := 0; i < len(dst); i += shape.Size {
			v := get(r, (pos+i)/shape.Size)
			if shape.Size == 4 {
				o.PutUint32(dst[i:], uint32(v))
			} else {
				o.PutUint64(dst[i:], v)
			}
		}
		return nil
	}
	s.Put = func(r Regs, pos int, src []byte) error {
		if !shape.holds(pos, len(src)) {
			return unix.EINVAL
		}
		v := make([]uint64, len(src)/shape.Size)
		for i := range v {
			if shape.Size == 4 {
				v[i] = uint64(o.Uint32(src[4*i:]))
			} else {
				v[i] = o.Uint64(src[8*i:])
			}
		}
		return put(r, pos/shape.Size, v)
	}
	return s
}

// Absent returns s as a set of hardware that the CPU does not have: it is not
// active, and Get and Put fail with err.
func (s Set) Absent(err unix.Errno) Set {
	s.Get = func(Regs, int, []byte) error { return err }
	s.Put = s.Get
	s.Active = func(Regs) (int, error) { return 0, err }
	return s
}
