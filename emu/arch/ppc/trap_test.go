package ppc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
	"github.com/utemu/utemu/regset"
)

const (
	at  = 0x10000
	ptr = 0x30000
)

// What the kernel makes of each exception: arch/powerpc/kernel/traps.c. The
// engine's PC is behind the instruction.
func TestTrap(t *testing.T) {
	sig := func(s unix.Signal, code int) arch.Trap {
		return arch.Trap{Kind: arch.TrapSignal, PC: at, Signo: int(s), Code: code, Addr: at}
	}
	brk := arch.Trap{Kind: arch.TrapBreak, PC: at, Signo: int(unix.SIGTRAP), Code: 1, Addr: at}
	next := arch.Trap{Kind: arch.TrapResume, PC: at + 4}
	type regs = map[regset.ID]uint64
	for name, tc := range map[string]struct {
		no   int
		insn uint32
		regs regs
		want arch.Trap
		then regs
	}{
		"sc":            {8, 0x44000002, regs{r0 + 3: 5}, arch.Trap{Kind: arch.TrapSyscall, PC: at + 4}, regs{origR3: 5}},
		"step":          {68, 0x60000000, nil, arch.Trap{Kind: arch.TrapStep, PC: at}, nil},
		"trap":          {6, 0x7fe00008, nil, brk, nil},
		"twi":           {6, 0x0fe00000, nil, brk, nil},
		"tdi":           {6, 0x0be00000, nil, brk, nil},
		"td":            {6, 0x7fe00088, nil, brk, nil},
		"mfmsr":         {6, 0x7c6000a6, nil, sig(unix.SIGILL, 5), nil},
		"tlbie":         {6, 0x7c001a64, nil, sig(unix.SIGILL, 5), nil},
		"zero":          {96, 0, nil, sig(unix.SIGILL, 1), nil},
		"no VSX":        {94, 0x7c000698, nil, sig(unix.SIGILL, 1), nil},
		"fdiv by zero":  {6, 0xfc220824, regs{fpscr: 1<<30 | 1<<26 | 1<<4}, sig(unix.SIGFPE, 3), nil},
		"fdiv inexact":  {6, 0xfc220824, regs{fpscr: 1<<30 | 1<<26 | 1<<25 | 1<<3}, sig(unix.SIGFPE, 6), nil},
		"fdiv, unknown": {6, 0xfc220824, regs{fpscr: 1 << 30}, sig(unix.SIGFPE, 14), nil},
		"mfpvr":         {6, 0x7c7f42a6, regs{pvr: 0x80030102}, next, regs{r0 + 3: 0x80030102}},
		"dcba":          {96, 0x7c0325ec, nil, next, nil},
		"isel, set":     {96, 0x7c64289e, regs{cr: 1 << 29, r0 + 4: 7, r0 + 5: 9}, next, regs{r0 + 3: 7}},
		"isel, clear":   {96, 0x7c64289e, regs{cr: 1 << 28, r0 + 4: 7, r0 + 5: 9}, next, regs{r0 + 3: 9}},
		"isel, rA 0":    {96, 0x7c60289e, regs{cr: 1 << 29, r0: 7}, next, regs{r0 + 3: 0}},
		"popcntb":       {96, 0x7c8300f4, regs{r0 + 4: 0xff017f80}, next, regs{r0 + 3: 0x08010701}},
		"mcrxr":         {96, 0x7c800400, regs{xer: 0xa000007f, cr: 0xffffffff}, next, regs{xer: 0x7f, cr: 0xfaffffff}},
		"lswi":          {96, 0x7c642caa, regs{r0 + 4: ptr}, next, regs{r0 + 3: 0x01020304, r0 + 4: 0x05000000}},
		"lswx":          {96, 0x7fe4042a, regs{r0 + 4: ptr, xer: 6}, next, regs{r31: 0x01020304, r0: 0x05060000}},
		"lswi, bad":     {96, 0x7c642caa, regs{r0 + 4: 8}, sig(unix.SIGSEGV, 1), nil},
		"alignment": {5, 0x7c642828, regs{r0 + 4: 1, r0 + 5: 0xffffffff},
			arch.Trap{Kind: arch.TrapSignal, PC: at, Signo: int(unix.SIGBUS), Code: 1, Addr: 0}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := archtest.NewCPU(PPC)
			c.Map(at, be.AppendUint32(nil, tc.insn))
			c.Map(ptr, []byte{1, 2, 3, 4, 5, 6, 7, 8})
			for id, v := range tc.regs {
				c.SetReg(id, v)
			}
			got := PPC.Engine.Trap(c, arch.Exception{Kind: arch.ExcIntr, No: tc.no, PC: at + 4})
			require.Equal(t, tc.want, got)
			for id, v := range tc.then {
				require.Equal(t, v, c.Reg(id), "register %d", id)
			}
		})
	}
}

func TestFault(t *testing.T) {
	c := archtest.NewCPU(PPC)
	e := arch.Exception{Kind: arch.ExcMem, PC: at, Addr: 4, Access: arch.Read}
	require.Equal(t, arch.Trap{Kind: arch.TrapDefault, PC: at}, PPC.Engine.Trap(c, e))
	got := PPC.Engine.Trap(c, arch.Exception{Kind: arch.ExcIntr, No: excProgram, PC: at + 4})
	require.Equal(t, int(unix.SIGSEGV), got.Signo, "the instruction cannot be read")
}

func TestStoreString(t *testing.T) {
	c := archtest.NewCPU(PPC)
	mem := make([]byte, 16)
	c.Map(ptr, mem)
	c.Map(at, be.AppendUint32(nil, 0x7fc43daa)) // stswi r30,r4,7
	for id, v := range map[regset.ID]uint64{r0 + 4: ptr, r0 + 30: 0x11223344, r31: 0x55667788} {
		c.SetReg(id, v)
	}
	got := PPC.Engine.Trap(c, arch.Exception{Kind: arch.ExcIntr, No: excIllegal, PC: at + 4})
	require.Equal(t, arch.TrapResume, got.Kind)
	require.Equal(t, "\x11\x22\x33\x44\x55\x66\x77\x00", string(mem[:8]))
}

func TestResult(t *testing.T) {
	c := archtest.NewCPU(PPC64)
	c.SetReg(cr, 0x20000008)
	PPC64.ABI.Result(c, 0, 58)
	require.EqualValues(t, 58, c.Reg(r0+3))
	require.EqualValues(t, 0x30000008, c.Reg(cr))
	PPC64.ABI.Result(c, 1<<40, 0)
	require.EqualValues(t, 1<<40, c.Reg(r0+3))
	require.EqualValues(t, 0x20000008, c.Reg(cr))
}

// The entry point of an ELFv1 program is a descriptor, whose words an
// interpreter has not relocated yet.
func TestStartDescriptor(t *testing.T) {
	const bias = 0x7ffff7000000
	c := archtest.NewCPU(PPC64)
	c.Map(bias+0x500, be.AppendUint64(be.AppendUint64(nil, 0x100), 0x8000))
	require.NoError(t, PPC64.Start.Regs(c, arch.Image{Entry: bias + 0x500, Bias: bias, SP: 0x7fff0000}))
	require.EqualValues(t, bias+0x100, c.Reg(nip))
	require.EqualValues(t, bias+0x8000, c.Reg(r0+2))
	require.Error(t, PPC64.Start.Regs(c, arch.Image{Entry: 0x10}))
}

func TestMatchELF(t *testing.T) {
	require.NoError(t, PPC64.MatchELF(0, 0))
	require.NoError(t, PPC64.MatchELF(1, 0))
	require.ErrorContains(t, PPC64.MatchELF(2, 0), "ELFv2")
}

func TestAux(t *testing.T) {
	m, _ := PPC.Engine.Model("")
	require.Equal(t, []arch.Aux{{Type: 22, Val: 22}, {Type: 22, Val: 22}, {Type: 19, Val: 32}, {Type: 20, Val: 32}, {Type: 21}}, PPC.Start.Aux(m))
	require.EqualValues(t, 0x9c000001, m.HWCap)
	require.Equal(t, "7457a_v1.2", m.Name)
}
