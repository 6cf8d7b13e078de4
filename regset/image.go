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
		copy(dst, img[pos:])
		return nil
	}
	s.Put = func(r Regs, pos int, src []byte) error {
		if !valid(pos, len(src)) {
			return unix.EINVAL
		}
		img := make([]byte, n)
		get(r, img)
		copy(img[pos:], src)
		return put(r, img)
	}
	return s
}
