// Package x86 describes the i386 and x86-64 architectures.
//
// An i386 program sees what a 64-bit kernel shows to a 32-bit program under
// setarch i686: nearly 4 GiB of address space, the segment selectors and TLS
// entries of the compatibility mode, and "i686" as the machine.
package x86

import (
	"debug/elf"
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// taskSize64 is TASK_SIZE_MAX of x86-64: the last page is left out because a
// SYSCALL at its end would return to an address that is not canonical.
const taskSize64 = 0x7ffffffff000

// X86_64 is the 64-bit architecture.
var X86_64 = &arch.Arch{
	Name:    "x86_64",
	Aliases: []string{"amd64", "x86-64"},
	Machine: elf.EM_X86_64,
	Class:   elf.ELFCLASS64,
	Order:   binary.LittleEndian,
	Word:    8,
	Regs:    regs64,
	Core:    core64,
	PC:      rip,
	SP:      rsp,
	Views:   []*regset.View{view64, compat},
	Engine: arch.Engine{
		Arch:   ucnum.ARCH_X86,
		Mode:   ucnum.MODE_64,
		Models: models("qemu64", "x86_64", true),
		Boot:   boot64,
		Hidden: hidden,
		Trap:   trap64,
	},
	Start: arch.Start{
		TaskSize:   taskSize64,
		StackTop:   taskSize64,
		MmapBase:   0x7ffff7fff000,
		PIEBase:    0x555555554000,
		MinAddr:    0x10000,
		StackAlign: 16,
		Aux:        noAux,
		Regs:       startRegs,
	},
	ABI:    abi64,
	Ptrace: ptrace64,
	Sysnum: sysnumX86_64,
	Layout: layoutX86_64,
	Const:  constX86_64,
	Code:   code(arch.ISAX86_64, isa64),
}

// I386 is the 32-bit architecture.
var I386 = &arch.Arch{
	Name:    "i386",
	Aliases: []string{"i486", "i586", "i686", "x86"},
	Machine: elf.EM_386,
	Class:   elf.ELFCLASS32,
	Order:   binary.LittleEndian,
	Word:    4,
	Regs:    regs32,
	Core:    core32,
	PC:      rip,
	SP:      rsp,
	Views:   []*regset.View{view32},
	Engine: arch.Engine{
		Arch:   ucnum.ARCH_X86,
		Mode:   ucnum.MODE_32,
		Models: models("qemu32", "i686", false),
		Boot:   boot32,
		Hidden: hidden,
		Trap:   trap32,
	},
	Start: arch.Start{
		TaskSize:   tables32,
		StackTop:   tables32,
		MmapBase:   0xf7ffe000,
		PIEBase:    0x56555000,
		MinAddr:    0x10000,
		StackAlign: 16,
		Aux:        noAux,
		Regs:       startRegs,
		Pages:      []arch.Page{{Addr: vdso32, Name: "[vdso]", Prot: arch.Read | arch.Exec, Data: vdsoPage32()}},
	},
	ABI:    abi32,
	Ptrace: ptrace32,
	Sysnum: sysnumI386,
	Layout: layoutI386,
	Const:  constI386,
	Code:   code(arch.ISAI386, isa32),
}

// code is what a tracer needs to know. Block step is DEBUGCTL.BTF, which the
// library ignores: the engine looks for taken branches itself.
func code(set arch.ISA, s isa) arch.Code {
	return arch.Code{
		MinInsn: 1,
		MaxInsn: 15,
		Caps:    arch.HasSingleStep | arch.HasBlockStep,
		ISA:     func(uint8) arch.ISA { return set },
		Break:   func(uint8) []byte { return []byte{int3} },

		BreakBack: 1,
		Decode:    s.decode,
		Follow:    s.follow,
		Next:      s.next,
		Target:    s.target,
		XOL:       s.xol,
		Simulate:  s.simulate,
		Move:      s.move,
		Once:      s.once,
		Spent:     s.spent,
	}
}

// noAux says that the auxiliary vector starts with the common entries: there
// is no vDSO, hence no AT_SYSINFO_EHDR, and AT_MINSIGSTKSZ comes with signal
// frames.
func noAux(*arch.Model) []arch.Aux { return nil }

// startRegs starts a program with all registers zero but these; Boot has set
// the segments.
func startRegs(c arch.CPU, im arch.Image) error {
	c.SetReg(rip, im.Entry)
	c.SetReg(rsp, im.SP)
	c.SetReg(eflags, bootFlags)
	return nil
}
