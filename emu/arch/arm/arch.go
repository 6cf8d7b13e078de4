// Package arm describes 32-bit little-endian ARM as Linux runs it: the EABI,
// A32 and Thumb code, ARMv6K to ARMv8.
package arm

import (
	"debug/elf"
	"encoding/binary"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// ARM is the architecture.
var ARM = &arch.Arch{
	Name:     "arm",
	Aliases:  []string{"armel", "armhf", "armv7l"},
	Machine:  elf.EM_ARM,
	Class:    elf.ELFCLASS32,
	Order:    binary.LittleEndian,
	Word:     4,
	MatchELF: matchELF,

	Regs:  regs(),
	Core:  core,
	PC:    regPC,
	SP:    regSP,
	Views: []*regset.View{view},

	Engine: arch.Engine{
		Arch:   ucnum.ARCH_ARM,
		Mode:   ucnum.MODE_ARM,
		Models: models(),
		Boot:   boot,
		// ldrex r0, [r1]
		Reserve: &arch.Reserve{Code: []byte{0x9f, 0x0f, 0x91, 0xe1}, Base: ucnum.ARM_REG_R1},
		PC:      enginePC,
		Status:  cpsr,
		Trap:    trap,
	},
	Start:  start,
	ABI:    abi,
	Ptrace: ptrace,

	Sysnum: sysnumARM,
	Layout: layoutARM,
	Const:  constARM,

	Code: arch.Code{
		MinInsn: 2,
		MaxInsn: 4,
		State:   state,
		Decodes: decodes,
		ISA:     isa,
		Break:   breakInsn,
		BreakIT: []byte{0x00, 0xbe}, // BKPT

		Decode:     decode,
		Follow:     follow,
		Next:       next,
		Behind:     func(i arch.Insn) arch.Dest { return behind(&i) },
		Target:     target,
		Holds:      func(i arch.Insn, r regset.Regs) bool { return holds(condition(&i), r.Reg(cpsr)) },
		Exclusives: true,
		XOL:        xol,
		Simulate:   simulate,
		Move:       move,
	},
}

// The e_flags of the ELF for the ARM Architecture document.
const (
	efEABIMask = 0xff000000
	efEABI4    = 0x04000000
	efEABI5    = 0x05000000
	efBE8      = 0x00800000
)

// matchELF is elf_check_arch of arch/arm/kernel/elf.c, with the old ABI left
// out: a kernel without CONFIG_OABI_COMPAT loads such programs, but serves
// none of their system calls.
func matchELF(flags uint32, entry uint64) error {
	switch flags & efEABIMask {
	case efEABI4, efEABI5:
	case 0:
		return errors.New("built for the old ARM ABI (OABI): build it for the EABI")
	default:
		return errors.New("built for a draft version of the ARM EABI: build it for version 4 or 5")
	}
	if flags&efBE8 != 0 {
		return errors.New("big-endian ARM (BE8) is not supported: build it for little-endian")
	}
	if entry&3 == 2 {
		return errors.New("entry point is not aligned for A32 code")
	}
	return nil
}
