// Package arm64 describes little-endian AArch64 as Linux runs it.
package arm64

import (
	"debug/elf"
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// ARM64 is the architecture.
var ARM64 = &arch.Arch{
	Name:     "aarch64",
	Aliases:  []string{"arm64"},
	Machine:  elf.EM_AARCH64,
	Class:    elf.ELFCLASS64,
	Order:    binary.LittleEndian,
	Word:     8,
	MatchELF: func(uint32, uint64) error { return nil }, // as elf_check_arch, which looks at the machine only

	Regs:  regs(),
	Core:  core,
	PC:    regPC,
	SP:    regSP,
	Views: []*regset.View{view, compat},

	Engine: arch.Engine{
		Arch:   ucnum.ARCH_ARM64,
		Mode:   ucnum.MODE_ARM,
		Models: models(),
		Boot:   boot,
		// ldxr w0, [x1]
		Reserve: &arch.Reserve{Code: []byte{0x20, 0x7c, 0x5f, 0x88}, Base: ucnum.ARM64_REG_X1},
		Trap:    trap,
	},
	Start:  start,
	ABI:    abi,
	Ptrace: arch.Ptrace{SysEmu: 31, SysEmuStep: 32},

	Sysnum: sysnumARM64,
	Layout: layoutARM64,
	Const:  constARM64,

	Code: arch.Code{
		MinInsn: 4,
		MaxInsn: 4,
		Caps:    arch.HasSingleStep,
		ISA:     func(uint8) arch.ISA { return arch.ISAA64 },
		Break:   func(uint8) []byte { return []byte{0x00, 0x00, 0x20, 0xd4} }, // brk #0

		Decode:     decode,
		Follow:     follow,
		Next:       next,
		Target:     target,
		Exclusives: true,
		XOL:        xol,
		Simulate:   simulate,
	},
}

// start is the layout of a kernel with 39-bit addresses, the widest that lies
// whole in the engine's physical address space: TASK_SIZE_64, mmap_base with
// the least gap of 128 MiB, and two thirds of the space for position
// independent programs.
var start = arch.Start{
	TaskSize:   1 << 39,
	StackTop:   1 << 39,
	MmapBase:   1<<39 - 128<<20,
	PIEBase:    2 * (1 << 39) / 3 &^ 0xfff,
	MinAddr:    0x8000,
	StackAlign: 16,
	Pages:      []arch.Page{{Addr: vdso, Name: "[vdso]", Prot: arch.Read | arch.Exec, Data: vdsoPage()}},
	Regs: func(c arch.CPU, im arch.Image) error {
		c.SetReg(pstate, 0)
		c.SetReg(regPC, im.Entry)
		c.SetReg(regSP, im.SP)
		return nil
	},
}

var abi = arch.ABI{
	Nr:   x0 + 8,
	Args: [6]regset.ID{x0, x0 + 1, x0 + 2, x0 + 3, x0 + 4, x0 + 5},
	Ret:  x0,

	CloneTLSFourth: true,

	Result: func(r regset.Regs, v uint64, errno uint16) {
		if errno != 0 {
			v = -uint64(errno)
		}
		r.SetReg(x0, v)
	},
	OrigArg: origX0,
	Rewind:  rewind,
	Signals: signals,
	Machine: "aarch64", Machine32: "armv8l",
	SetTLS: func(c arch.CPU, v uint64) error {
		c.SetReg(tpidr, v)
		return nil
	},
}
