package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// The codes of arch_prctl.
const (
	archSetGS    = 0x1001
	archSetFS    = 0x1002
	archGetFS    = 0x1003
	archGetGS    = 0x1004
	archGetCPUID = 0x1011
	archSetCPUID = 0x1012
)

// archPrctl is arch_prctl(2) of a 64-bit program.
func archPrctl(c arch.CPU, a [6]uint64) (uint64, error) {
	switch uint32(a[0]) {
	case archSetFS:
		return 0, setBase(c, fs, a[1])
	case archSetGS:
		return 0, setBase(c, gs, a[1])
	case archGetFS:
		return 0, putWord(c, a[1], c.Reg(fsBase))
	case archGetGS:
		return 0, putWord(c, a[1], c.Reg(gsBase))
	}
	return archPrctl32(c, a)
}

// archPrctl32 has the codes that 32-bit programs may use too.
func archPrctl32(_ arch.CPU, a [6]uint64) (uint64, error) {
	switch uint32(a[0]) {
	case archGetCPUID:
		return 1, nil // CPUID does not fault
	case archSetCPUID:
		return 0, unix.ENODEV
	}
	return 0, unix.EINVAL
}

// setBase sets the base of FS or GS and loads a null selector, as the kernel
// does.
func setBase(c arch.CPU, seg regset.ID, base uint64) error {
	if base >= taskSize64 {
		return unix.EPERM
	}
	id := fsBase
	if seg == gs {
		id = gsBase
	}
	if c.Reg(seg) != 0 {
		c.SetReg(seg, 0)
	}
	c.SetReg(id, base)
	return nil
}

func putWord(c arch.CPU, addr, v uint64) error {
	if _, err := c.WriteAt(le.AppendUint64(nil, v), addr); err != nil {
		return unix.EFAULT
	}
	return nil
}

func setTLS64(c arch.CPU, v uint64) error { return setBase(c, fs, v) }

// iopl is iopl(2) for a program without CAP_SYS_RAWIO.
func iopl(_ arch.CPU, a [6]uint64) (uint64, error) {
	switch level := uint32(a[0]); {
	case level > 3:
		return 0, unix.EINVAL
	case level > 0:
		return 0, unix.EPERM
	}
	return 0, nil
}

// ioperm is ioperm(2) for a program without CAP_SYS_RAWIO.
func ioperm(c arch.CPU, a [6]uint64) (uint64, error) {
	const ports = 65536
	from, num := a[0], a[1]
	if from+num <= from || from+num > ports {
		return 0, unix.EINVAL
	}
	if uint32(a[2]) != 0 {
		return 0, unix.EPERM
	}
	return 0, nil
}
