package x86

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// Where the CPU's own pages lie. The scratch page is below the lowest address
// that a program can map and is gone after Boot. The tables of i386 are above
// the end of user space but below the last page, so that small negative
// pointers still fault; those of x86-64 are at a non-canonical address, which
// no program uses, within the 52 bits of a physical one: libunicorn 2.1 has
// nothing above.
const (
	scratch  = 0x1000
	tables32 = 0xffffe000
	tables64 = 0x000ffe0000001000
)

// int3 is the breakpoint instruction, which ends each piece of scratch code.
const int3 = 0xcc

// bootFlags are the flags of a new program.
const bootFlags = flagOne | flagIF

// CR0 and CR4 as Linux has them, as far as they mean something without
// paging: x87 errors are exceptions, SSE is on.
var control = []byte{
	0xb8, 0x33, 0, 0, 0, // mov $PE|MP|ET|NE,%eax
	0x0f, 0x22, 0xc0, // mov %eax,%cr0
	0x0f, 0x20, 0xe0, // mov %cr4,%eax
	0x0d, 0x00, 0x06, 0, 0, // or $OSFXSR|OSXMMEXCPT,%eax
	0x0f, 0x22, 0xe0, // mov %eax,%cr4
	0xa9, 0, 0, 4, 0, // test $OSXSAVE,%eax
	0x74, 12, // jz 1f
	0x31, 0xc9, // xor %ecx,%ecx
	0x31, 0xd2, // xor %edx,%edx
	0xb8, 3, 0, 0, 0, // mov $3,%eax: x87 and SSE
	0x0f, 0x01, 0xd1, // xsetbv
	0xdb, 0xe3, // 1: fninit
}

func pushImm(v uint32) []byte { return le.AppendUint32([]byte{0x68}, v) }

// boot64 brings a CPU into ring 3 of long mode by way of an iretq, because
// the library's register interface refuses to change the privilege level.
func boot64(b arch.Bare, m *arch.Model) error {
	code := append([]byte(nil), control...)
	return enter(b, m, program{
		tables: tables64, code: code, iret: []byte{0x48, 0xcf},
		cs: selUserCS, ss: selUserDS, sp: ucnum.X86_REG_RSP, regs: regs64,
	})
}

// boot32 does the same in protected mode. The library starts without segments,
// and an iret from there would give a 16-bit stack, so kernel segments are
// loaded first.
func boot32(b arch.Bare, m *arch.Model) error {
	const farJump = 7
	code := []byte{0xea}
	code = le.AppendUint32(code, scratch+farJump)
	code = le.AppendUint16(code, selKernel32CS)
	code = append(code, 0x66, 0xb8, selKernelDS, 0) // mov $sel,%ax
	code = append(code, 0x8e, 0xd0)                 // mov %ax,%ss
	code = append(code, control...)
	code = append(code, 0x66, 0xb8, selUserDS, 0)
	code = append(code, 0x8e, 0xd8, 0x8e, 0xc0) // mov %ax,%ds; mov %ax,%es
	return enter(b, m, program{
		tables: tables32, code: code, iret: []byte{0xcf},
		cs: selUser32CS, ss: selUserDS, sp: ucnum.X86_REG_ESP, regs: regs32,
	})
}

// program is what differs between the two ways into ring 3.
type program struct {
	tables     uint64
	code, iret []byte
	cs, ss     uint32
	sp         int
	regs       []arch.Reg
}

func enter(b arch.Bare, m *arch.Model, p program) error {
	const stack = scratch + pageSize - 64
	if err := b.Place(p.tables, tables(), arch.Read); err != nil {
		return fmt.Errorf("x86: descriptor tables: %w", err)
	}
	code := p.code
	for _, v := range []uint32{p.ss, stack, bootFlags, p.cs} {
		code = append(code, pushImm(v)...)
	}
	user := scratch + len(code) + 5 + len(p.iret)
	code = append(code, pushImm(uint32(user))...)
	code = append(code, p.iret...)
	code = append(code, int3)
	cpuidAt := uint64(scratch + len(code))
	code = append(code, 0x0f, 0xa2, int3)
	page := make([]byte, pageSize)
	copy(page, code)
	if err := b.Place(scratch, page, arch.Read|arch.Write|arch.Exec); err != nil {
		return fmt.Errorf("x86: boot code: %w", err)
	}
	if err := b.SetMMR(ucnum.X86_REG_GDTR, p.tables, gdtLimit); err != nil {
		return fmt.Errorf("x86: GDTR: %w", err)
	}
	if err := b.SetMMR(ucnum.X86_REG_LDTR, p.tables+ldtOff, ldtEntries*8-1); err != nil {
		return fmt.Errorf("x86: LDTR: %w", err)
	}
	if err := b.SetReg(p.sp, stack); err != nil {
		return fmt.Errorf("x86: boot stack: %w", err)
	}
	if err := runTo(b, scratch); err != nil {
		return err
	}
	if got := b.Reg(ucnum.X86_REG_CS); got != uint64(p.cs) {
		return fmt.Errorf("x86: boot code ended with cs %#x instead of %#x", got, p.cs)
	}
	if err := fixCPUID(b, m, cpuidAt, p.regs[0].UC == ucnum.X86_REG_RAX); err != nil {
		return err
	}
	return finish(b, p)
}

// runTo runs scratch code up to its breakpoint instruction.
func runTo(b arch.Bare, pc uint64) error {
	e, err := b.Run(pc)
	if err != nil {
		return fmt.Errorf("x86: boot code: %w", err)
	}
	if e.Kind != arch.ExcIntr || e.No != excBP {
		return fmt.Errorf("x86: boot code ended with exception %d/%d at %#x", e.Kind, e.No, e.PC)
	}
	return nil
}

// finish clears what the boot code used and sets the SSE control register.
func finish(b arch.Bare, p program) error {
	for _, r := range p.regs {
		var v uint64
		switch {
		case r.ID == eflags:
			v = bootFlags
		case r.ID > rip:
			continue
		}
		if err := b.SetReg(r.UC, v); err != nil {
			return fmt.Errorf("x86: %s: %w", r.Name, err)
		}
	}
	if err := b.SetReg(ucnum.X86_REG_MXCSR, initMXCSR); err != nil {
		return fmt.Errorf("x86: mxcsr: %w", err)
	}
	if err := b.Drop(scratch); err != nil {
		return fmt.Errorf("x86: boot code: %w", err)
	}
	return nil
}

// initMXCSR is the SSE control register of a new program: all exceptions
// masked, round to nearest.
const initMXCSR = 0x1f80
