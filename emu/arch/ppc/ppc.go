// Package ppc describes big-endian PowerPC: 32 bits, and 64 bits with the
// ELFv1 ABI.
package ppc

import (
	"debug/elf"
	"encoding/binary"
	"errors"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// PPC is the 32-bit architecture.
var PPC = &arch.Arch{
	Name:    "ppc",
	Aliases: []string{"powerpc", "ppc32"},
	Machine: elf.EM_PPC,
	Class:   elf.ELFCLASS32,
	Order:   binary.BigEndian,
	Word:    4,
	Regs:    regs(32),
	Core:    core,
	PC:      nip,
	SP:      r0 + 1,
	Views:   []*regset.View{view32},
	Engine: arch.Engine{
		Arch:    ucnum.ARCH_PPC,
		Mode:    ucnum.MODE_PPC32 | ucnum.MODE_BIG_ENDIAN,
		Models:  models32(),
		Boot:    boot32,
		Hidden:  hidden(4),
		Reserve: lwarx,
		Trap:    kernel{mask: 0xffffffff}.trap,
	},
	Start: arch.Start{
		TaskSize:     0xc0000000,
		StackTop:     0xc0000000,
		MmapBase:     0xb8000000,
		PIEBase:      0x400000,
		BasePlatform: true,
		MinAddr:      0x10000,
		StackAlign:   16,
		Aux:          aux(32),
		Regs:         startRegs32,
		Pages:        []arch.Page{{Addr: vdso32, Name: "[vdso]", Prot: arch.Read | arch.Exec, Data: vdsoPage32()}},
	},
	ABI:    abi("ppc", 4, r0+2, signals32),
	Ptrace: ptrace(4),
	Sysnum: sysnumPPC,
	Layout: layoutPPC,
	Const:  constPPC,
	Code:   code(arch.ISAPPC32, isa32),
}

// PPC64 is the 64-bit architecture.
var PPC64 = &arch.Arch{
	Name:     "ppc64",
	Aliases:  []string{"powerpc64"},
	Machine:  elf.EM_PPC64,
	Class:    elf.ELFCLASS64,
	Order:    binary.BigEndian,
	Word:     8,
	MatchELF: matchELF64,
	Regs:     regs(64),
	Core:     core,
	PC:       nip,
	SP:       r0 + 1,
	Views:    []*regset.View{view64, view32},
	Engine: arch.Engine{
		Arch:    ucnum.ARCH_PPC,
		Mode:    ucnum.MODE_PPC64 | ucnum.MODE_BIG_ENDIAN,
		Models:  models64(),
		Boot:    boot64,
		Hidden:  hidden(8),
		Reserve: lwarx,
		Trap:    kernel{mask: ^uint64(0)}.trap,
	},
	Start: arch.Start{
		TaskSize:     0x800000000000,
		StackTop:     0x800000000000,
		MmapBase:     0x7ffff8000000,
		PIEBase:      0x100000000,
		BasePlatform: true,
		MinAddr:      0x10000,
		StackAlign:   16,
		Aux:          aux64,
		Regs:         startRegs64,
		Pages:        []arch.Page{{Addr: vdso64, Name: "[vdso]", Prot: arch.Read | arch.Exec, Data: vdsoPage64()}},
	},
	ABI:    abi("ppc64", 8, r0+13, signals64),
	Ptrace: ptrace(8),
	Sysnum: sysnumPPC64,
	Layout: layoutPPC64,
	Const:  constPPC64,
	Code:   code(arch.ISAPPC64, isa64),
}

// code is what a tracer needs to know; the breakpoint is tw 31,0,0.
func code(set arch.ISA, s isa) arch.Code {
	return arch.Code{
		MinInsn: insnLen,
		MaxInsn: s.max,
		Caps:    arch.HasSingleStep | arch.HasBlockStep,
		ISA:     func(uint8) arch.ISA { return set },
		Break:   func(uint8) []byte { return be.AppendUint32(nil, insnTrap) },

		Decode:     s.decode,
		Follow:     s.follow,
		Next:       s.next,
		Target:     s.target,
		Exclusives: true,
		XOL:        xol,
		Simulate:   s.simulate,
	}
}

// matchELF64 refuses the ELFv2 ABI, whose entry points are no descriptors.
func matchELF64(flags uint32, _ uint64) error {
	const abiMask, elfv2 = 3, 2
	if flags&abiMask == elfv2 {
		return errors.New("built for the ELFv2 ABI: big-endian programs run with ELFv1 only (-mabi=elfv1)")
	}
	return nil
}

// lwarx is lwarx r3, 0, r4.
var lwarx = &arch.Reserve{Code: []byte{0x7c, 0x60, 0x20, 0x28}, Base: ucnum.PPC_REG_4}
