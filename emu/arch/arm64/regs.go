package arm64

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// The registers. x0 to X30 and v0 to V31 are consecutive.
const (
	x0        regset.ID = 1
	regSP               = x0 + 31
	regPC               = x0 + 32
	pstate              = x0 + 33
	v0                  = pstate + 1
	fpsr                = v0 + 32
	fpcr                = fpsr + 1
	tpidr               = fpsr + 2 // TPIDR_EL0, the thread pointer
	tpidrro             = fpsr + 3 // TPIDRRO_EL0, which user code only reads
	syscallNo           = fpsr + 4 // the kernel's: the number of the system call being made, else -1
	origX0              = fpsr + 5 // the kernel's: x0 at the entry of a system call
	// Of the last memory fault, for the frames of handlers (struct thread_struct).
	faultAddr = fpsr + 6
	faultCode = fpsr + 7
)

// core is how many registers are read together at each stop: x0 to x30, sp,
// pc, PSTATE.
const core = 34

// Bits of PSTATE.
const (
	psrN     = 1 << 31
	psrV     = 1 << 28
	psrSS    = 1 << 21
	psrMode  = 0x1f
	psrDAIF  = 0xf << 6
	psrBTYPE = 3 << 10
	// psrRES0 is SPSR_EL1_AARCH64_RES0_BITS of the kernel's ptrace.c.
	psrRES0 = 0xffffffff<<32 | 3<<26 | 3<<22 | 0xff<<13 | 1<<5
)

func regs() []arch.Reg {
	l := make([]arch.Reg, 0, faultCode)
	for i := range 31 {
		uc := ucnum.ARM64_REG_X0 + i
		if i >= 29 { // x29 and x30 are numbered apart from the others
			uc = ucnum.ARM64_REG_X29 + i - 29
		}
		l = append(l, arch.Reg{ID: x0 + regset.ID(i), Name: fmt.Sprint("x", i), Bits: 64, UC: uc})
	}
	l = append(l,
		arch.Reg{ID: regSP, Name: "sp", Bits: 64, UC: ucnum.ARM64_REG_SP},
		arch.Reg{ID: regPC, Name: "pc", Bits: 64, UC: ucnum.ARM64_REG_PC},
		arch.Reg{ID: pstate, Name: "cpsr", Bits: 32, UC: ucnum.ARM64_REG_PSTATE, Mask: 0xffffffff &^ (psrSS | psrBTYPE)},
	)
	for i := range 32 {
		l = append(l, arch.Reg{ID: v0 + regset.ID(i), Name: fmt.Sprint("v", i), Bits: 128, UC: ucnum.ARM64_REG_Q0 + i})
	}
	return append(l,
		arch.Reg{ID: fpsr, Name: "fpsr", Bits: 32, UC: ucnum.ARM64_REG_FPSR},
		arch.Reg{ID: fpcr, Name: "fpcr", Bits: 32, UC: ucnum.ARM64_REG_FPCR},
		arch.Reg{ID: tpidr, Name: "tpidr", Bits: 64, UC: ucnum.ARM64_REG_TPIDR_EL0},
		arch.Reg{ID: tpidrro, Name: "tpidrro", Bits: 64, UC: ucnum.ARM64_REG_TPIDRRO_EL0},
		arch.Reg{ID: syscallNo, Name: "syscallno", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: origX0, Name: "orig_x0", Bits: 64, UC: arch.UCSoft},
		arch.Reg{ID: faultAddr, Name: "fault_address", Bits: 64, UC: arch.UCSoft},
		arch.Reg{ID: faultCode, Name: "fault_code", Bits: 64, UC: arch.UCSoft},
	)
}
