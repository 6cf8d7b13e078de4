package regset

import "golang.org/x/sys/unix"

// WithImage returns s with Get and Put made of two functions that know the
// set's image as a whole: get fills all of img, put takes all of it or fails
// and changes nothing. A Put of a part leaves the other slots as they are.
// Get and Put fail with EINVAL for a range that is not whole slots of the set.
func (s Set) WithImage(get func(r Regs, img []byte), put func(r Regs, img []byte) error) Set {
	size, n := s.Size, s.Bytes()
	valid := func(pos, count int) bool {
		return pos >= 0 && pos%size == 0 && count%size == 0 && count <= n-pos
	}
	s.Get = func(r Regs, pos int, dst []byte) error {
		if !valid(pos, len(dst)) {
			return unix.EINVAL
		}
		img := make([]byte, n)
		get(r, img)
		o := Out{Pos: pos, Dst: dst}
		o.Copy(img, 0, -1)
		return nil
	}
	s.Put = func(r Regs, pos int, src []byte) error {
		if !valid(pos, len(src)) {
			return unix.EINVAL
		}
		img := make([]byte, n)
		get(r, img)
		i := In{Pos: pos, Src: src}
		i.Copy(img, 0, -1)
		return put(r, img)
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
