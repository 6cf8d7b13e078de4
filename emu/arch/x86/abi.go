package x86

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var abi64 = arch.ABI{
	Nr:      rax,
	OrigNr:  origRAX,
	Args:    [6]regset.ID{rdi, rsi, rdx, r10, r8, r9},
	Ret:     rax,
	Result:  result,
	Rewind:  rewind,
	Machine: "x86_64", Machine32: "i686",
	Calls: map[string]arch.Private{
		"arch_prctl": archPrctl,
		"modify_ldt": modifyLDT64,
		"iopl":       iopl,
		"ioperm":     ioperm,
	},
	SetTLS:  setTLS64,
	Signals: signals64,
}

var abi32 = arch.ABI{
	Nr:             rax,
	OrigNr:         origRAX,
	Args:           [6]regset.ID{rbx, rcx, rdx, rsi, rdi, rbp},
	Ret:            rax,
	OldMmap:        true,
	OldSelect:      true,
	SuspendThird:   true,
	CloneTLSFourth: true,
	Result:         result,
	Rewind:         rewind,
	Machine:        "i686",
	Calls: map[string]arch.Private{
		"set_thread_area": setThreadArea,
		"get_thread_area": getThreadArea,
		"modify_ldt":      modifyLDT32,
		"arch_prctl":      archPrctl32,
		"iopl":            iopl,
		"ioperm":          ioperm,
	},
	SetTLS:  setTLS32,
	Signals: signals32,
}

// result puts a value, or an error as its negative, into RAX.
func result(r regset.Regs, v uint64, errno uint16) {
	if errno != 0 {
		v = -uint64(errno)
	}
	r.SetReg(rax, v)
}

// rewind makes the system call happen again: SYSCALL and int 0x80 have the
// same length, and the number has to come back into RAX.
func rewind(r regset.Regs) {
	r.SetReg(rax, r.Reg(origRAX))
	r.SetReg(rip, r.Reg(rip)-syscallLen)
}
