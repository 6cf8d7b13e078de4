package regset

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Out is a transfer out of a set that is made of several pieces of state: Dst
// is what has not been filled yet, from the byte Pos of the set's image on.
// The pieces are given in ascending order, each by its place in the image, and
// a piece that the transfer does not touch costs nothing
// (user_regset_copyout).
type Out struct {
	Pos int
	Dst []byte
}

// Copy is for the piece [start,end) of the image, which data holds; end -1
// stands for the end of the image. It panics if the transfer has bytes before
// start: a piece was left out.
func (o *Out) Copy(data []byte, start, end int) {
	n := span(o.Pos, len(o.Dst), start, end)
	if n == 0 {
		return
	}
	copy(o.Dst[:n], data[o.Pos-start:])
	o.Pos, o.Dst = o.Pos+n, o.Dst[n:]
}

// Zero is Copy for a piece that reads as zero (user_regset_copyout_zero).
func (o *Out) Zero(start, end int) {
	n := span(o.Pos, len(o.Dst), start, end)
	clear(o.Dst[:n])
	o.Pos, o.Dst = o.Pos+n, o.Dst[n:]
}

// In is a transfer into a set, as Out is one out of it: Src is what has not
// been used yet (user_regset_copyin).
type In struct {
	Pos int
	Src []byte
}

// Copy puts the transfer's part of the piece [start,end) into data. Bytes of
// data that the transfer does not have are left alone.
func (i *In) Copy(data []byte, start, end int) {
	n := span(i.Pos, len(i.Src), start, end)
	if n == 0 {
		return
	}
	copy(data[i.Pos-start:], i.Src[:n])
	i.Pos, i.Src = i.Pos+n, i.Src[n:]
}

// Ignore is Copy for a piece that cannot be written
// (user_regset_copyin_ignore).
func (i *In) Ignore(start, end int) {
	n := span(i.Pos, len(i.Src), start, end)
	i.Pos, i.Src = i.Pos+n, i.Src[n:]
}

// span is how many of count bytes at pos belong to [start,end).
func span(pos, count, start, end int) int {
	if count == 0 {
		return 0
	}
	if pos < start {
		panic(fmt.Sprintf("regset: transfer at %d meets the piece at %d first", pos, start))
	}
	if end < 0 {
		return count
	}
	return min(count, max(0, end-pos))
}

// Find returns the set that notes of a type carry, nil if there is none.
func (v *View) Find(note uint32) *Set {
	for i := range v.Sets {
		if v.Sets[i].Note == note {
			return &v.Sets[i]
		}
	}
	return nil
}

// Read fills dst from the start of the set with a note type and returns how
// much of dst that is, by the rules of ptrace(2)'s PTRACE_GETREGSET: a set
// that the view does not have and a length that is not whole slots are EINVAL,
// more than the set has is cut off, hardware that the CPU lacks is ENODEV or
// ENXIO.
func (v *View) Read(r Regs, note uint32, dst []byte) (int, error) {
	s, n, err := v.part(note, len(dst))
	if err != nil {
		return 0, err
	}
	return n, s.Get(r, 0, dst[:n])
}

// Write puts src into the start of a set, by the rules of PTRACE_SETREGSET;
// they are those of Read.
func (v *View) Write(r Regs, note uint32, src []byte) (int, error) {
	s, n, err := v.part(note, len(src))
	if err != nil {
		return 0, err
	}
	return n, s.Put(r, 0, src[:n])
}

func (v *View) part(note uint32, n int) (*Set, int, error) {
	s := v.Find(note)
	if s == nil || n%s.Size != 0 {
		return nil, 0, unix.EINVAL
	}
	return s, min(n, s.Bytes()), nil
}
