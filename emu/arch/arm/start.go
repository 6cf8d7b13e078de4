package arm

import (
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
)

// taskSize is TASK_SIZE of a kernel with the usual 3 GiB/1 GiB split, whose
// modules lie in the 16 MiB below the kernel.
const taskSize = 0xbf000000

// start is the layout of mm/util.c (mmap_base with the least gap, 128 MiB) and
// of arch/arm/include/asm/{elf,processor}.h.
var start = arch.Start{
	TaskSize:   taskSize,
	StackTop:   taskSize,
	MmapBase:   taskSize - 128<<20,
	PIEBase:    0x400000,
	MinAddr:    0x8000,
	StackAlign: 16,
	Regs:       startRegs,
	Pages: []arch.Page{
		{Addr: sigpage, Name: "[sigpage]", Prot: arch.Read | arch.Exec, Data: sigpageData()},
		{Addr: vectors, Name: "[vectors]", Prot: arch.Read | arch.Exec, Data: vectorsPage()},
	},
}

// startRegs is start_thread: bit 0 of the entry chooses Thumb.
func startRegs(c arch.CPU, im arch.Image) error {
	psr := uint64(modeUser)
	if im.Entry&1 != 0 {
		psr |= psrT
	}
	c.SetReg(cpsr, psr)
	c.SetReg(regPC, im.Entry&^1)
	c.SetReg(regSP, im.SP)
	return nil
}

// vectors is the page of the exception vectors, whose upper end holds the
// helpers that the kernel gives to user programs
// (Documentation/arm/kernel_user_helpers.rst).
const vectors = 0xffff0000

// vectorsPage is the page's content. What is not a helper is an undefined
// instruction.
func vectorsPage() []byte {
	const poison = 0xe7fddef1
	p := make([]byte, 4096)
	for i := 0; i < len(p); i += 4 {
		binary.LittleEndian.PutUint32(p[i:], poison)
	}
	for _, h := range kuser {
		for i, w := range h.code {
			binary.LittleEndian.PutUint32(p[h.addr-vectors+4*uint32(i):], w)
		}
	}
	return p
}

// dmb is a data memory barrier in the form that ARMv6 has and later ones keep.
const dmb = 0xee070fba // mcr p15, 0, r0, c7, c10, 5

// kuser are the helpers. Each has its fixed place and room up to the next.
var kuser = []struct {
	addr uint32
	code []uint32
}{
	// __kuser_cmpxchg64: r0 and r1 point to the old and the new value and r2
	// to the place. It returns 0 and sets the carry flag if it stored.
	{0xffff0f60, []uint32{
		0xe92d00f0, //    push {r4-r7}
		0xe8900030, //    ldm r0, {r4, r5}
		0xe89100c0, //    ldm r1, {r6, r7}
		dmb,
		0xe1b20f9f, // 1: ldrexd r0, r1, [r2]
		0xe1500004, //    cmp r0, r4
		0x01510005, //    cmpeq r1, r5
		0x13a03002, //    movne r3, #2
		0x01a23f96, //    strexdeq r3, r6, r7, [r2]
		0xe3530001, //    cmp r3, #1
		0x0afffff8, //    beq 1b
		dmb,
		0xe2730000, //    rsbs r0, r3, #0
		0xe8bd00f0, //    pop {r4-r7}
		0xe12fff1e, //    bx lr
	}},
	// __kuser_memory_barrier
	{0xffff0fa0, []uint32{
		dmb,
		0xe12fff1e, // bx lr
	}},
	// __kuser_cmpxchg: old value in r0, new in r1, place in r2; result as above.
	{0xffff0fc0, []uint32{
		dmb,
		0xe1923f9f, // 1: ldrex r3, [r2]
		0xe0533000, //    subs r3, r3, r0
		0x01823f91, //    strexeq r3, r1, [r2]
		0x03530001, //    cmpeq r3, #1
		0x0afffffa, //    beq 1b
		0xe2730000, //    rsbs r0, r3, #0
		0xeaffffef, //    b __kuser_memory_barrier
	}},
	// __kuser_get_tls
	{0xffff0fe0, []uint32{
		0xee1d0f70, // mrc p15, 0, r0, c13, c0, 3
		0xe12fff1e, // bx lr
	}},
	// __kuser_helper_version
	{0xffff0ffc, []uint32{5}},
}
