package ppc

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// abi is the system call convention of both word sizes; tls is the register
// that holds the thread pointer.
//
// No errno differs from asm-generic for the calls that Linux makes: EDEADLOCK
// is 58 in the headers, but locks that would deadlock fail with EDEADLK, 35.
func abi(machine string, word int, tls regset.ID, s arch.Signals) arch.ABI {
	return arch.ABI{
		Nr:             r0,
		Args:           [6]regset.ID{r0 + 3, r0 + 4, r0 + 5, r0 + 6, r0 + 7, r0 + 8},
		Ret:            r0 + 3,
		EvenPair:       word == 4,
		GuessSelect:    word == 4,
		AdviceSecond:   word == 4,
		CloneTLSFourth: true,
		Machine32:      "ppc",
		Result:         setResult,
		OrigArg:        origR3,
		Rewind:         rewind,
		Signals:        s,
		Machine:        machine,
		SetTLS: func(c arch.CPU, v uint64) error {
			c.SetReg(tls, v)
			return nil
		},
	}
}

// setResult puts a value into r3, or an errno with the summary overflow bit of
// CR0 set.
func setResult(r regset.Regs, v uint64, errno uint16) {
	flags := r.Reg(cr) &^ cr0SO
	if errno != 0 {
		v, flags = uint64(errno), flags|cr0SO
	}
	r.SetReg(cr, flags)
	r.SetReg(r0+3, v)
}

// rewind makes the system call happen again, with its first argument back in
// the register that the result shares with it.
func rewind(r regset.Regs) {
	r.SetReg(r0+3, r.Reg(origR3))
	r.SetReg(nip, r.Reg(nip)-insnLen)
}
