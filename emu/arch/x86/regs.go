package x86

import (
	"strconv"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// The registers of both architectures; i386 has the low halves of the first
// eight and no others, under the names without r. Their order is that of the
// instruction encoding.
const (
	rax regset.ID = iota + 1
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	r12
	r13
	r14
	r15
	rip
	eflags

	cs
	ss
	ds
	es
	fs
	gs
	fsBase
	gsBase
	origRAX
	oldException
	// Of the last exception, for the frames of handlers (struct thread_struct).
	trapNo
	trapErr
	cr2

	fctrl
	fstat
	ftag
	fiseg
	fioff
	foseg
	fooff
	fop
	mxcsr
	st0
	xmm0 = st0 + 8
)

// The flags of EFLAGS that matter here.
const (
	flagCF  = 1 << 0
	flagOne = 1 << 1 // always reads as one
	flagPF  = 1 << 2
	flagAF  = 1 << 4
	flagZF  = 1 << 6
	flagSF  = 1 << 7
	flagTF  = 1 << 8
	flagIF  = 1 << 9
	flagDF  = 1 << 10
	flagOF  = 1 << 11
	flagNT  = 1 << 14
	flagRF  = 1 << 16
	flagAC  = 1 << 18
)

// traceFlags are the bits of EFLAGS that a trace compares: RF comes and goes
// with faults, the rest is not the program's.
const traceFlags = flagCF | flagPF | flagAF | flagZF | flagSF | flagDF | flagOF | flagAC

var regs64 = append([]arch.Reg{
	{ID: rax, Name: "rax", Bits: 64, UC: ucnum.X86_REG_RAX},
	{ID: rbx, Name: "rbx", Bits: 64, UC: ucnum.X86_REG_RBX},
	{ID: rcx, Name: "rcx", Bits: 64, UC: ucnum.X86_REG_RCX},
	{ID: rdx, Name: "rdx", Bits: 64, UC: ucnum.X86_REG_RDX},
	{ID: rsi, Name: "rsi", Bits: 64, UC: ucnum.X86_REG_RSI},
	{ID: rdi, Name: "rdi", Bits: 64, UC: ucnum.X86_REG_RDI},
	{ID: rbp, Name: "rbp", Bits: 64, UC: ucnum.X86_REG_RBP},
	{ID: rsp, Name: "rsp", Bits: 64, UC: ucnum.X86_REG_RSP},
	{ID: r8, Name: "r8", Bits: 64, UC: ucnum.X86_REG_R8},
	{ID: r9, Name: "r9", Bits: 64, UC: ucnum.X86_REG_R9},
	{ID: r10, Name: "r10", Bits: 64, UC: ucnum.X86_REG_R10},
	{ID: r11, Name: "r11", Bits: 64, UC: ucnum.X86_REG_R11},
	{ID: r12, Name: "r12", Bits: 64, UC: ucnum.X86_REG_R12},
	{ID: r13, Name: "r13", Bits: 64, UC: ucnum.X86_REG_R13},
	{ID: r14, Name: "r14", Bits: 64, UC: ucnum.X86_REG_R14},
	{ID: r15, Name: "r15", Bits: 64, UC: ucnum.X86_REG_R15},
	{ID: rip, Name: "rip", Bits: 64, UC: ucnum.X86_REG_RIP},
	{ID: eflags, Name: "eflags", Bits: 32, UC: ucnum.X86_REG_EFLAGS, Mask: traceFlags},
	{ID: fsBase, Name: "fs_base", Bits: 64, UC: ucnum.X86_REG_FS_BASE},
	{ID: gsBase, Name: "gs_base", Bits: 64, UC: ucnum.X86_REG_GS_BASE},
	{ID: origRAX, Name: "orig_rax", Bits: 64, UC: arch.UCSoft},
}, other(16)...)

var regs32 = append([]arch.Reg{
	{ID: rax, Name: "eax", Bits: 32, UC: ucnum.X86_REG_EAX},
	{ID: rcx, Name: "ecx", Bits: 32, UC: ucnum.X86_REG_ECX},
	{ID: rdx, Name: "edx", Bits: 32, UC: ucnum.X86_REG_EDX},
	{ID: rbx, Name: "ebx", Bits: 32, UC: ucnum.X86_REG_EBX},
	{ID: rsp, Name: "esp", Bits: 32, UC: ucnum.X86_REG_ESP},
	{ID: rbp, Name: "ebp", Bits: 32, UC: ucnum.X86_REG_EBP},
	{ID: rsi, Name: "esi", Bits: 32, UC: ucnum.X86_REG_ESI},
	{ID: rdi, Name: "edi", Bits: 32, UC: ucnum.X86_REG_EDI},
	{ID: rip, Name: "eip", Bits: 32, UC: ucnum.X86_REG_EIP},
	{ID: eflags, Name: "eflags", Bits: 32, UC: ucnum.X86_REG_EFLAGS, Mask: traceFlags},
	{ID: origRAX, Name: "orig_eax", Bits: 32, UC: arch.UCSoft},
}, other(8)...)

// The registers of regs64 and regs32 that are read at each stop.
const (
	core64 = 18
	core32 = 10
)

// other makes the segment, x87 and SSE registers, xmm of the last.
func other(xmm int) []arch.Reg {
	l := []arch.Reg{
		{ID: cs, Name: "cs", Bits: 16, UC: ucnum.X86_REG_CS},
		{ID: ss, Name: "ss", Bits: 16, UC: ucnum.X86_REG_SS},
		{ID: ds, Name: "ds", Bits: 16, UC: ucnum.X86_REG_DS},
		{ID: es, Name: "es", Bits: 16, UC: ucnum.X86_REG_ES},
		{ID: fs, Name: "fs", Bits: 16, UC: ucnum.X86_REG_FS},
		{ID: gs, Name: "gs", Bits: 16, UC: ucnum.X86_REG_GS},
	}
	for i := range 8 {
		l = append(l, arch.Reg{ID: st0 + regset.ID(i), Name: "st" + strconv.Itoa(i), Bits: 80, UC: ucnum.X86_REG_ST0 + i})
	}
	l = append(l, []arch.Reg{
		{ID: fctrl, Name: "fctrl", Bits: 16, UC: ucnum.X86_REG_FPCW},
		{ID: fstat, Name: "fstat", Bits: 16, UC: ucnum.X86_REG_FPSW},
		{ID: ftag, Name: "ftag", Bits: 16, UC: ucnum.X86_REG_FPTAG},
		{ID: fiseg, Name: "fiseg", Bits: 16, UC: ucnum.X86_REG_FCS},
		{ID: fioff, Name: "fioff", Bits: 64, UC: ucnum.X86_REG_FIP},
		{ID: foseg, Name: "foseg", Bits: 16, UC: ucnum.X86_REG_FDS},
		{ID: fooff, Name: "fooff", Bits: 64, UC: ucnum.X86_REG_FDP},
		{ID: fop, Name: "fop", Bits: 16, UC: ucnum.X86_REG_FOP},
	}...)
	for i := range xmm {
		l = append(l, arch.Reg{ID: xmm0 + regset.ID(i), Name: "xmm" + strconv.Itoa(i), Bits: 128, UC: ucnum.X86_REG_XMM0 + i})
	}
	return append(l,
		arch.Reg{ID: mxcsr, Name: "mxcsr", Bits: 32, UC: ucnum.X86_REG_MXCSR},
		// The library's own, see hidden.
		arch.Reg{ID: oldException, Name: "old_exception", Bits: 32, UC: arch.UCHidden},
		arch.Reg{ID: trapNo, Name: "trap_nr", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: trapErr, Name: "error_code", Bits: 32, UC: arch.UCSoft},
		arch.Reg{ID: cr2, Name: "cr2", Bits: 64, UC: arch.UCSoft},
	)
}
