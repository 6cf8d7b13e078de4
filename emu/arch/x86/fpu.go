package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

// The FXSAVE image: struct fxregs_state.
const (
	fxST      = 32
	fxXMM     = 160
	mxcsrMask = 0xffff
)

// fxsave makes the function that fills the image of the FXSAVE instruction
// with n SSE registers.
func fxsave(n int) func(r regset.Regs, img []byte) {
	return func(r regset.Regs, img []byte) {
		le.PutUint16(img[0:], uint16(r.Reg(fctrl)))
		le.PutUint16(img[2:], uint16(r.Reg(fstat)))
		img[4] = abridge(uint16(r.Reg(ftag)))
		le.PutUint16(img[6:], uint16(r.Reg(fop)))
		le.PutUint64(img[8:], r.Reg(fioff))
		le.PutUint64(img[16:], r.Reg(fooff))
		if n == 8 { // the 32-bit form has 32-bit offsets with selectors
			le.PutUint32(img[12:], uint32(r.Reg(fiseg)))
			le.PutUint32(img[20:], uint32(r.Reg(foseg)))
		}
		le.PutUint32(img[24:], uint32(r.Reg(mxcsr)))
		le.PutUint32(img[28:], mxcsrMask)
		for i := range 8 {
			r.Bytes(st0+regset.ID(i), img[fxST+16*i:][:10])
		}
		for i := range n {
			r.Bytes(xmm0+regset.ID(i), img[fxXMM+16*i:][:16])
		}
	}
}

// fxrstor is fxsave's inverse. It fails with EINVAL for reserved bits of
// MXCSR, as xfpregs_set does.
func fxrstor(n int) func(r regset.Regs, img []byte) error {
	return func(r regset.Regs, img []byte) error {
		csr := le.Uint32(img[24:])
		if csr&^mxcsrMask != 0 {
			return unix.EINVAL
		}
		r.SetReg(fctrl, uint64(le.Uint16(img[0:])))
		r.SetReg(fstat, uint64(le.Uint16(img[2:])))
		r.SetReg(fop, uint64(le.Uint16(img[6:])))
		if n == 8 {
			r.SetReg(fioff, uint64(le.Uint32(img[8:])))
			r.SetReg(fooff, uint64(le.Uint32(img[16:])))
			r.SetReg(fiseg, uint64(le.Uint16(img[12:])))
			r.SetReg(foseg, uint64(le.Uint16(img[20:])))
		} else {
			r.SetReg(fioff, le.Uint64(img[8:]))
			r.SetReg(fooff, le.Uint64(img[16:]))
		}
		r.SetReg(mxcsr, uint64(csr))
		for i := range 8 {
			r.SetBytes(st0+regset.ID(i), img[fxST+16*i:][:10])
		}
		for i := range n {
			r.SetBytes(xmm0+regset.ID(i), img[fxXMM+16*i:][:16])
		}
		r.SetReg(ftag, uint64(fullTag(r, img[4])))
		return nil
	}
}

// fsave fills the 108-byte image of the FSAVE instruction (struct
// user_i387_ia32_struct), as a 64-bit kernel makes it for a 32-bit program:
// the selectors are the current ones.
func fsave(r regset.Regs, img []byte) {
	const ones = 0xffff0000
	le.PutUint32(img[0:], ones|uint32(r.Reg(fctrl)))
	le.PutUint32(img[4:], ones|uint32(r.Reg(fstat)))
	le.PutUint32(img[8:], ones|uint32(fullTag(r, abridge(uint16(r.Reg(ftag))))))
	le.PutUint32(img[12:], uint32(r.Reg(fioff)))
	le.PutUint32(img[16:], uint32(r.Reg(cs)))
	le.PutUint32(img[20:], uint32(r.Reg(fooff)))
	le.PutUint32(img[24:], ones|uint32(r.Reg(ds)))
	for i := range 8 {
		r.Bytes(st0+regset.ID(i), img[28+10*i:][:10])
	}
}

// frstor is fsave's inverse; like the kernel it drops the selectors.
func frstor(r regset.Regs, img []byte) error {
	r.SetReg(fctrl, uint64(le.Uint16(img[0:])))
	r.SetReg(fstat, uint64(le.Uint16(img[4:])))
	r.SetReg(fioff, uint64(le.Uint32(img[12:])))
	r.SetReg(fooff, uint64(le.Uint32(img[20:])))
	for i := range 8 {
		r.SetBytes(st0+regset.ID(i), img[28+10*i:][:10])
	}
	r.SetReg(ftag, uint64(fullTag(r, abridge(le.Uint16(img[8:])))))
	return nil
}

// abridge makes the one-bit tags of FXSAVE (1: in use) of the two-bit ones
// (3: empty). Both go by physical register.
func abridge(tag uint16) byte {
	var b byte
	for i := range 8 {
		if tag>>(2*i)&3 != 3 {
			b |= 1 << i
		}
	}
	return b
}

// fullTag makes the two-bit tags of the one-bit ones by looking at the
// registers: valid, zero, special or empty.
func fullTag(r regset.Regs, b byte) uint16 {
	top := int(r.Reg(fstat) >> 11 & 7)
	var tag uint16
	for i := range 8 {
		t := uint16(3)
		if b>>i&1 != 0 {
			var v [10]byte
			r.Bytes(st0+regset.ID((i-top)&7), v[:])
			t = tagOf(le.Uint64(v[:]), le.Uint16(v[8:])&0x7fff)
		}
		tag |= t << (2 * i)
	}
	return tag
}

func tagOf(mant uint64, exp uint16) uint16 {
	const valid, zero, special = 0, 1, 2
	switch {
	case exp == 0 && mant == 0:
		return zero
	case exp == 0x7fff, mant>>63 == 0:
		return special
	}
	return valid
}
