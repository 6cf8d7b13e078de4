package arm

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// The registers. r0 to R15 and d0 to D31 are consecutive.
const (
	r0       regset.ID = 1
	r7                 = r0 + 7
	regSP              = r0 + 13
	regLR              = r0 + 14
	regPC              = r0 + 15
	cpsr               = r0 + 16
	d0                 = cpsr + 1
	fpscr              = d0 + 32
	tpidruro           = fpscr + 1 // the thread pointer, which user code only reads
	origR0             = fpscr + 2 // the kernel's: r0 at the entry of a system call, else -1
	// Of the last exception, for the frames of handlers (struct thread_struct).
	trapNo     = fpscr + 3
	errorCode  = fpscr + 4
	faultAddr  = fpscr + 5
	restarting = fpscr + 6 // the number of a system call that is made again under another one
)

// core is how many registers are read together at each stop: r0 to r15, CPSR.
const core = 17

// Bits of the CPSR.
const (
	psrMode  = 0x1f
	psrT     = 1 << 5
	psrF     = 1 << 6
	psrI     = 1 << 7
	psrA     = 1 << 8
	modeUser = 0x10
)

// thumb is the instruction set state number of Thumb code; A32 is 0.
const thumb = 1

func regs() []arch.Reg {
	l := make([]arch.Reg, 0, restarting)
	for i := range 16 {
		r := arch.Reg{ID: r0 + regset.ID(i), Name: fmt.Sprint("r", i), Bits: 32, UC: ucnum.ARM_REG_R0 + i}
		switch r.ID {
		case regSP:
			r.Name, r.UC = "sp", ucnum.ARM_REG_SP
		case regLR:
			r.Name, r.UC = "lr", ucnum.ARM_REG_LR
		case regPC:
			r.Name, r.UC = "pc", ucnum.ARM_REG_PC
		}
		l = append(l, r)
	}
	l = append(l, arch.Reg{ID: cpsr, Name: "cpsr", Bits: 32, UC: ucnum.ARM_REG_CPSR})
	for i := range 32 {
		l = append(l, arch.Reg{ID: d0 + regset.ID(i), Name: fmt.Sprint("d", i), Bits: 64, UC: ucnum.ARM_REG_D0 + i})
	}
	return append(l,
		arch.Reg{ID: fpscr, Name: "fpscr", Bits: 32, UC: ucnum.ARM_REG_FPSCR},
		arch.Reg{ID: tpidruro, Name: "tpidruro", Bits: 32, UC: ucnum.ARM_REG_C13_C0_3},
		arch.Reg{ID: origR0, Name: "orig_r0", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: trapNo, Name: "trap_no", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: errorCode, Name: "error_code", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: faultAddr, Name: "fault_address", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: restarting, Name: "restart", Bits: 32, UC: arch.UCSoft},
	)
}

func inThumb(r regset.Regs) bool { return r.Reg(cpsr)&psrT != 0 }

func state(r regset.Regs) uint8 {
	if inThumb(r) {
		return thumb
	}
	return 0
}

func isa(state uint8) arch.ISA {
	if state == thumb {
		return arch.ISAThumb
	}
	return arch.ISAA32
}

// enginePC is the PC with the bit that tells the engine to start in Thumb state.
func enginePC(r regset.Regs) uint64 {
	return r.Reg(regPC) | r.Reg(cpsr)&psrT/psrT
}

// breakInsn is the instruction that gdb's breakpoints are made of, which
// ptrace.c of the kernel knows: an undefined one, since BKPT is for hardware
// debuggers.
func breakInsn(state uint8) []byte {
	if state == thumb {
		return []byte{0x01, 0xde}
	}
	return []byte{0xf0, 0x01, 0xf0, 0xe7}
}
