package x86

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
	"github.com/utemu/utemu/regset"
)

const at = 0x10000

func intr(no int, pc uint64) arch.Exception {
	return arch.Exception{Kind: arch.ExcIntr, No: no, PC: pc}
}

func sig(s unix.Signal, code int, pc, addr uint64) arch.Trap {
	return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(s), Code: code, Addr: addr}
}

// What the kernel makes of each exception: arch/x86/kernel/traps.c.
func TestTrap(t *testing.T) {
	segv := func(pc uint64) arch.Trap { return sig(unix.SIGSEGV, 0x80, pc, 0) }
	bus := func(pc uint64) arch.Trap { return sig(unix.SIGBUS, 0x80, pc, 0) }
	ill := func(pc uint64) arch.Trap { return sig(unix.SIGILL, 2, pc, pc) }
	fpe := func(code int) arch.Trap { return sig(unix.SIGFPE, code, at, at) }
	brk := func(pc uint64, code int, addr uint64) arch.Trap {
		return arch.Trap{Kind: arch.TrapBreak, PC: pc, Signo: int(unix.SIGTRAP), Code: code, Addr: addr}
	}
	kind := func(k arch.ExcKind) arch.Exception { return arch.Exception{Kind: k, PC: at} }
	mem := func(addr uint64, a arch.Prot) arch.Exception {
		return arch.Exception{Kind: arch.ExcMem, PC: at, Addr: addr, Size: 8, Access: a}
	}
	type regs = map[regset.ID]uint64
	div := []byte{0xf7, 0xf1}

	for name, tc := range map[string]struct {
		arch *arch.Arch
		code []byte // before and at PC: PC is at its third byte
		regs regs
		exc  arch.Exception
		want arch.Trap
	}{
		"divide":               {X86_64, append([]byte{0x90, 0x90}, div...), nil, intr(0, at), fpe(1)},
		"divide after int 0":   {X86_64, append([]byte{0xcd, 0}, div...), nil, intr(0, at), fpe(1)},
		"divide with prefixes": {X86_64, []byte{0xcd, 0, 0x66, 0x48, 0xf7, 0xf9}, nil, intr(0, at), fpe(1)},
		"aam 0":                {I386, []byte{0xcd, 0, 0xd4, 0}, nil, intr(0, at), fpe(1)},
		"int 0":                {X86_64, []byte{0xcd, 0, 0x90}, nil, intr(0, at), segv(at - 2)},
		"doubled divide":       {X86_64, append([]byte{0x90, 0x90}, div...), nil, intr(8, at), fpe(1)},
		"doubled protection":   {X86_64, []byte{0x90, 0x90, 0xf4}, nil, intr(8, at), segv(at)},
		"step":                 {X86_64, []byte{0xcd, 1, 0x90}, regs{eflags: flagTF}, intr(1, at), arch.Trap{Kind: arch.TrapStep, PC: at}},
		"step, stopped":        {X86_64, []byte{0x90, 0x90, 0x90}, nil, intr(1, at), arch.Trap{Kind: arch.TrapStep, PC: at}},
		"int 1":                {X86_64, []byte{0xcd, 1, 0x90}, nil, intr(1, at), segv(at - 2)},
		"int3":                 {X86_64, []byte{0x90, 0xcc, 0x90}, nil, intr(3, at), brk(at, 0x80, 0)},
		"int 3":                {I386, []byte{0xcd, 3, 0x90}, nil, intr(3, at), brk(at, 0x80, 0)},
		"into":                 {I386, []byte{0x90, 0xce, 0x90}, nil, intr(4, at), segv(at)},
		"bound":                {I386, []byte{0x90, 0x90, 0x62, 0x00}, nil, intr(5, at), segv(at)},
		"int 5":                {I386, []byte{0xcd, 5, 0x90}, nil, intr(5, at), segv(at - 2)},
		"no segment":           {I386, []byte{0x90, 0x90, 0x8e}, nil, intr(11, at), bus(at)},
		"stack segment":        {I386, []byte{0x90, 0x90, 0x8e}, nil, intr(12, at), bus(at)},
		"protection":           {I386, []byte{0x90, 0x90, 0xf4}, nil, intr(13, at), segv(at)},
		"int 14":               {I386, []byte{0xcd, 14, 0x90}, nil, intr(14, at), segv(at - 2)},
		"x87 invalid":          {I386, nil, regs{fstat: 0x05, fctrl: 0x3a}, intr(16, at), fpe(7)},
		"x87 zero":             {I386, nil, regs{fstat: 0x05, fctrl: 0x33}, intr(16, at), fpe(3)},
		"x87 overflow":         {I386, nil, regs{fstat: 0x28, fctrl: 0}, intr(16, at), fpe(4)},
		"x87 denormal":         {I386, nil, regs{fstat: 0x22, fctrl: 0}, intr(16, at), fpe(5)},
		"x87 inexact":          {I386, nil, regs{fstat: 0x20, fctrl: 0}, intr(16, at), fpe(6)},
		"SSE zero":             {X86_64, nil, regs{mxcsr: 0x1f80&^(4<<7) | 4}, intr(19, at), fpe(3)},
		"alignment":            {X86_64, nil, nil, intr(17, at), sig(unix.SIGBUS, 1, at, 0)},
		"undefined":            {X86_64, []byte{0x90, 0x90, 0x0f, 0x0b}, nil, kind(arch.ExcInvalid), ill(at)},
		"undefined, unmapped":  {X86_64, nil, nil, kind(arch.ExcInvalid), ill(at)},
		"int1":                 {X86_64, []byte{0x90, 0x90, 0xf1}, nil, kind(arch.ExcInvalid), brk(at+1, 1, at+1)},
		"int1 with prefix":     {I386, []byte{0x90, 0x90, 0x66, 0xf1}, nil, kind(arch.ExcInvalid), brk(at+2, 1, at+2)},
		"inc before int1":      {I386, []byte{0x90, 0x90, 0x41, 0xf1}, nil, kind(arch.ExcInvalid), ill(at)},
		"port":                 {X86_64, nil, nil, kind(arch.ExcIO), segv(at)},
		"sysenter":             {I386, nil, nil, kind(arch.ExcSysenter), ill(at)},
		"syscall":              {X86_64, nil, nil, kind(arch.ExcSyscall), arch.Trap{Kind: arch.TrapSyscall, PC: at + 2}},
		"syscall on i386":      {I386, nil, nil, kind(arch.ExcSyscall), ill(at)},
		"int 0x80":             {I386, nil, nil, intr(0x80, at), arch.Trap{Kind: arch.TrapSyscall, PC: at}},
		"int 0x80 on x86-64":   {X86_64, nil, nil, intr(0x80, at), segv(at - 2)},
		"int 0x81":             {I386, nil, nil, intr(0x81, at), segv(at - 2)},
		"page fault":           {X86_64, nil, nil, mem(0x1234, arch.Read), arch.Trap{Kind: arch.TrapDefault, PC: at}},
		"page fault on i386":   {I386, nil, nil, mem(0xffffffff, arch.Write), arch.Trap{Kind: arch.TrapDefault, PC: at}},
		"not canonical":        {X86_64, nil, nil, mem(0x800000000000, arch.Read), segv(at)},
		"stack not canonical":  {X86_64, nil, regs{rsp: 1 << 62}, mem(1<<62-8, arch.Write), bus(at)},
		"kernel address":       {X86_64, nil, nil, mem(0xffff800000000000, arch.Read), arch.Trap{Kind: arch.TrapDefault, PC: at}},
		"vsyscall read":        {X86_64, nil, nil, mem(vsyscallPage, arch.Read), arch.Trap{Kind: arch.TrapDefault, PC: at}},
		"vsyscall inside":      {X86_64, nil, nil, mem(vsyscallPage+8, arch.Exec), segv(vsyscallPage + 8)},
		"vsyscall past":        {X86_64, nil, nil, mem(vsyscallPage+0xc00, arch.Exec), segv(vsyscallPage + 0xc00)},
		"vsyscall, bad stack":  {X86_64, nil, regs{rsp: 0x10}, mem(vsyscallPage, arch.Exec), segv(vsyscallPage)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCPU(tc.arch)
			c.Map(at-2, tc.code)
			for id, v := range tc.regs {
				c.SetReg(id, v)
			}
			require.Equal(t, tc.want, tc.arch.Engine.Trap(c, tc.exc))
		})
	}
}

// newCPU is a CPU in user mode with no exception in delivery.
func newCPU(a *arch.Arch) *archtest.CPU {
	c := archtest.NewCPU(a)
	c.SetReg(cs, map[*arch.Arch]uint64{X86_64: selUserCS, I386: selUser32CS}[a])
	c.SetReg(oldException, noException)
	return c
}

func TestSyscallClobbers(t *testing.T) {
	c := newCPU(X86_64)
	for id, v := range map[regset.ID]uint64{rax: 39, rcx: 7, r11: 8, eflags: 0x246} {
		c.SetReg(id, v)
	}
	tr := X86_64.Engine.Trap(c, arch.Exception{Kind: arch.ExcSyscall, PC: at})
	require.EqualValues(t, at+2, c.Reg(rcx))
	require.EqualValues(t, 0x246, c.Reg(r11))
	require.EqualValues(t, 39, c.Reg(origRAX))
	c.SetReg(rip, tr.PC)
	X86_64.ABI.Result(c, 0, uint16(unix.EINTR))
	require.Equal(t, ^uint64(3), c.Reg(rax))
	X86_64.ABI.Rewind(c)
	require.EqualValues(t, 39, c.Reg(rax))
	require.EqualValues(t, at, c.Reg(rip))
}

// A fault leaves nothing behind that would make the next one a double fault.
func TestFaultEnds(t *testing.T) {
	for _, no := range []int{excDE, excDF, excNP, excSS, excGP} {
		c := newCPU(X86_64)
		c.SetReg(oldException, uint64(no))
		X86_64.Engine.Trap(c, intr(no, at))
		require.EqualValues(t, noException, c.Reg(oldException), no)
	}
}

func TestVsyscall(t *testing.T) {
	for i, nr := range []uint64{96, 201, 309} {
		c := newCPU(X86_64)
		c.Map(0x20000, []byte{0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0})
		c.SetReg(rsp, 0x20000)
		pc := vsyscallPage + 0x400*uint64(i)
		got := X86_64.Engine.Trap(c, arch.Exception{Kind: arch.ExcMem, PC: pc, Addr: pc, Access: arch.Exec})
		require.Equal(t, arch.Trap{Kind: arch.TrapSyscall, PC: 0x12345678}, got)
		require.EqualValues(t, 0x20008, c.Reg(rsp))
		require.Equal(t, nr, c.Reg(rax))
	}
}
