package arm

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// abi is the EABI: the number in r7, the immediate of SVC ignored as by a
// kernel without CONFIG_OABI_COMPAT, arguments in r0 to r5.
var abi = arch.ABI{
	Nr:   r7,
	Args: [6]regset.ID{r0, r0 + 1, r0 + 2, r0 + 3, r0 + 4, r0 + 5},
	Ret:  r0,

	EvenPair:       true,
	AdviceSecond:   true,
	SuspendThird:   true,
	CloneTLSFourth: true,

	Result:  result,
	OrigArg: origR0,
	Rewind:  rewind,
	Machine: "armv7l",
	Calls: map[string]arch.Private{
		"cacheflush": cacheFlush,
		"set_tls":    setTLSCall,
		"get_tls":    getTLSCall,
	},
	SetTLS:  setTLS,
	Number:  number,
	Signals: signals,
}

// The private calls of arch/arm/include/uapi/asm/unistd.h.
const (
	nrPrivate    = 0xf0000 // __ARM_NR_BASE, itself a jump through a null pointer
	nrBreakpoint = nrPrivate + 1
	nrCacheFlush = nrPrivate + 2
	nrSetTLS     = nrPrivate + 5
	nrGetTLS     = nrPrivate + 6
	// Up to here a private call that does not exist answers ENOSYS; past it,
	// SIGILL.
	nrPrivateEnd = nrPrivate + 0x7ff
)

func result(r regset.Regs, v uint64, errno uint16) {
	if errno != 0 {
		v = -uint64(errno)
	}
	r.SetReg(r0, v&0xffffffff)
	r.SetReg(restarting, 0)
}

// svcSize is the length of the system call instruction in the current state.
func svcSize(r regset.Regs) uint64 {
	if inThumb(r) {
		return 2
	}
	return 4
}

// rewind goes back to the SVC, with its first argument back in the register
// that the result shares with it.
func rewind(r regset.Regs) {
	r.SetReg(r0, r.Reg(origR0))
	r.SetReg(regPC, (r.Reg(regPC)-svcSize(r))&0xffffffff)
}

// cacheFlush is do_cache_op of arch/arm/kernel/traps.c.
func cacheFlush(c arch.CPU, args [6]uint64) (uint64, error) {
	from, to, flags := args[0], args[1], args[2]
	if to < from || flags != 0 {
		return 0, unix.EINVAL
	}
	if to > taskSize {
		return 0, unix.EFAULT
	}
	c.DropCode(from, to-from)
	// The kernel goes line by line and stops at memory that is not there.
	var b [1]byte
	for a := from; a < to; a = a&^0xfff + 0x1000 {
		if _, err := c.ReadAt(b[:], a); err != nil {
			return 0, unix.EFAULT
		}
	}
	return 0, nil
}

func setTLS(c arch.CPU, v uint64) error {
	c.SetReg(tpidruro, v&0xffffffff)
	return nil
}

func setTLSCall(c arch.CPU, args [6]uint64) (uint64, error) { return 0, setTLS(c, args[0]) }

func getTLSCall(c arch.CPU, _ [6]uint64) (uint64, error) { return c.Reg(tpidruro), nil }
