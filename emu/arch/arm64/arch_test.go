package arm64

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

const at = 0x5555550000

func mrs(rt uint32, r sysreg) uint32 { return 0xd5200000 | uint32(r) | rt }
func sys(r sysreg, rt uint32) uint32 { return 0xd5000000 | uint32(r) | rt }

func TestTrap(t *testing.T) {
	intr := func(no int, pc uint64) arch.Exception { return arch.Exception{Kind: arch.ExcIntr, No: no, PC: pc} }
	sig := func(pc uint64, s unix.Signal, code int, addr uint64) arch.Trap {
		return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(s), Code: code, Addr: addr}
	}
	ill := sig(at, unix.SIGILL, illOpc, at)

	for name, tc := range map[string]struct {
		mem  []byte
		regs map[regset.ID]uint64
		exc  arch.Exception
		want arch.Trap
	}{
		"svc":                 {words(0xd4000001), nil, intr(2, at+4), arch.Trap{Kind: arch.TrapSyscall, PC: at + 4}},
		"brk":                 {words(0xd4200000), nil, intr(7, at), arch.Trap{Kind: arch.TrapBreak, PC: at, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: at}},
		"hlt":                 {words(0xd4400000), nil, intr(1, at), ill},
		"udf":                 {words(0), nil, intr(1, at), ill},
		"undefined, unmapped": {nil, nil, intr(1, at), ill},
		"smc":                 {words(0xd4000003), nil, intr(13, at+4), ill},
		"hvc":                 {words(0xd4000002), nil, intr(11, at+4), ill},
		"misaligned pc":       {words(0, 0), nil, intr(1, at+2), sig(at+2, unix.SIGBUS, busAdrAln, at+2)},
		"pc too wide":         {nil, nil, intr(3, 1<<50), sig(1<<50, unix.SIGSEGV, segvMapErr, 1<<50)},
		"ldxr misaligned":     {words(0x885f7c01), map[regset.ID]uint64{x0: 0x2001}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2001)},
		"ldadd misaligned sp": {words(0xb82103e2), map[regset.ID]uint64{regSP: 0x2002}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2002)},
		"ldxp misaligned":     {words(0xc87f0c02), map[regset.ID]uint64{x0: 0x2008}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2008)},
		"ldxr out of reach":   {words(0x885f7c01), map[regset.ID]uint64{x0: 1<<64 - 4096}, intr(4, at), sig(at, unix.SIGSEGV, segvMapErr, 1<<64-4096)},
		"ldrb out of reach":   {words(0x39400001), map[regset.ID]uint64{x0: 1<<64 - 4095}, intr(4, at), sig(at, unix.SIGSEGV, segvMapErr, 1<<64-4095)},
		"mrs MIDR_EL1":        {words(mrs(3, midr)), nil, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"mrs CRm 7 unknown":   {words(mrs(3, sysRegister(3, 0, 0, 7, 7))), nil, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"mrs ID_PFR0_EL1":     {words(mrs(3, sysRegister(3, 0, 0, 1, 0))), nil, intr(1, at), ill},
		"mrs CRm 8":           {words(mrs(3, sysRegister(3, 0, 0, 8, 0))), nil, intr(1, at), ill},
		"mrs reserved":        {words(mrs(3, sysRegister(3, 0, 0, 0, 1))), nil, intr(1, at), ill},
		"mrs CurrentEL":       {words(mrs(3, sysRegister(3, 0, 4, 2, 2))), nil, intr(1, at), ill},
		"mrs CCSIDR_EL1":      {words(mrs(3, sysRegister(3, 1, 0, 0, 0))), nil, intr(1, at), ill},
		"msr to an ID":        {words(mrs(3, midr) &^ (1 << 21)), nil, intr(1, at), ill},
		"ic ivau":             {words(sys(icIVAU, 2)), map[regset.ID]uint64{x0 + 2: at}, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"ic ivau, unmapped":   {words(sys(icIVAU, 2)), map[regset.ID]uint64{x0 + 2: 0x4444}, intr(1, at), sig(at, unix.SIGSEGV, segvMapErr, 0x4444)},
		"ic ivau, xzr":        {words(sys(icIVAU, 31)), map[regset.ID]uint64{regSP: at}, intr(1, at), sig(at, unix.SIGSEGV, segvMapErr, 0)},
		"dc cvau, tag":        {words(0xd50b7b22), map[regset.ID]uint64{x0 + 2: at | 0xab<<56}, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"dc civac":            {words(0xd50b7e22), map[regset.ID]uint64{x0 + 2: at}, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"dc cvap":             {words(0xd50b7c22), map[regset.ID]uint64{x0 + 2: at}, intr(1, at), arch.Trap{Kind: arch.TrapResume, PC: at + 4}},
		"dc ivac":             {words(0xd5087622), map[regset.ID]uint64{x0 + 2: at}, intr(1, at), ill},
		"memory":              {nil, nil, arch.Exception{Kind: arch.ExcMem, PC: at, Addr: 4, Size: 4, Access: arch.Read}, arch.Trap{PC: at}},
		"unknown number":      {nil, nil, intr(20, at), arch.Trap{PC: at}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(at, tc.mem...)
			c.SetReg(x0+8, 93)
			for id, v := range tc.regs {
				c.SetReg(id, v)
			}
			require.Equal(t, tc.want, trap(c, tc.exc))
			want := uint64(noSyscall)
			if tc.want.Kind == arch.TrapSyscall {
				want = 93
			}
			require.Equal(t, want, c.Reg(syscallNo))
		})
	}
}

// TestMRS reads identification registers as a program does.
func TestMRS(t *testing.T) {
	for name, tc := range map[string]struct {
		model string
		reg   sysreg
		want  uint64
	}{
		"MIDR max":       {"max", midr, 0xf0510},
		"MIDR a53":       {"cortex-a53", midr, 0x410fd034},
		"MPIDR":          {"max", mpidr, 1 << 31},
		"REVIDR":         {"max", revidr, 0},
		"ISAR0 max":      {"max", aa64isar0, 0x1021111110212120},
		"ISAR0 a72":      {"cortex-a72", aa64isar0, 0x11120},
		"ISAR1 max":      {"max", aa64isar1, 0x1100211002},
		"ISAR1 a57":      {"cortex-a57", aa64isar1, 0},
		"PFR0 max":       {"max", aa64pfr0, 0x110011},
		"PFR0 a57":       {"cortex-a57", aa64pfr0, 0x11},
		"PFR1 max":       {"max", sysRegister(3, 0, 0, 4, 1), 0},
		"ZFR0 max":       {"max", sysRegister(3, 0, 0, 4, 4), 0},
		"DFR0":           {"max", aa64dfr0, 6},
		"MMFR0":          {"max", aa64mmfr0, 0xff000000},
		"a 32-bit ISAR0": {"max", sysRegister(3, 0, 0, 2, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := modelCPU{newFake(at, words(mrs(30, tc.reg), mrs(31, tc.reg))...), tc.model}
			c.SetReg(x0+30, 99)
			c.SetReg(regSP, 77)
			c.SetReg(pstate, psrN|psrBTYPE)
			require.Equal(t, arch.Trap{Kind: arch.TrapResume, PC: at + 4}, trap(c, arch.Exception{Kind: arch.ExcIntr, No: excUndef, PC: at}))
			require.Equal(t, tc.want, c.Reg(x0+30))
			require.EqualValues(t, psrN, c.Reg(pstate))
			trap(c, arch.Exception{Kind: arch.ExcIntr, No: excUndef, PC: at + 4})
			require.EqualValues(t, 77, c.Reg(regSP), "number 31 is XZR")
		})
	}
}

func TestDropCode(t *testing.T) {
	c := newFake(at, words(sys(icIVAU, 2), 0xd50b7b22)...)
	c.SetReg(x0+2, at+7)
	trap(c, arch.Exception{Kind: arch.ExcIntr, No: excUndef, PC: at})
	require.Equal(t, [][2]uint64{{at, 64}}, c.Dropped)
	trap(c, arch.Exception{Kind: arch.ExcIntr, No: excUndef, PC: at + 4})
	require.Len(t, c.Dropped, 1, "DC CVAU does not drop code")
}

func TestModels(t *testing.T) {
	const v8 = "fp asimd aes pmull sha1 sha2 crc32 cpuid"
	for name, tc := range map[string]struct {
		cap, cap2 uint64
		features  string
	}{
		"cortex-a53": {0x8fb, 0, v8},
		"cortex-a57": {0x8fb, 0, v8},
		"cortex-a72": {0x8fb, 0, v8},
		"max": {0x2cbffffb, 0x10181, "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc " +
			"dcpop sha3 sm3 sm4 asimddp sha512 asimdfhm ilrcpc flagm sb dcpodp flagm2 frint rng"},
	} {
		t.Run(name, func(t *testing.T) {
			m, ok := ARM64.Engine.Model(name)
			require.True(t, ok)
			require.Equal(t, fmt.Sprintf("%#x %#x", tc.cap, tc.cap2), fmt.Sprintf("%#x %#x", m.HWCap, m.HWCap2))
			require.Contains(t, m.CPUInfo, "\nFeatures\t: "+tc.features+"\n")
			require.True(t, strings.HasSuffix(m.CPUInfo, "\n\n"))
		})
	}
	m, _ := ARM64.Engine.Model("")
	require.Equal(t, "max", m.Name)
}

func TestABI(t *testing.T) {
	c := newFake(0)
	ARM64.ABI.Result(c, 1<<40|5, 0)
	require.EqualValues(t, 1<<40|5, c.Reg(x0))
	ARM64.ABI.Result(c, 0, uint16(unix.ENOENT))
	require.EqualValues(t, ^uint64(1), c.Reg(x0))
	c.SetReg(regPC, 0x1004)
	ARM64.ABI.Rewind(c)
	require.EqualValues(t, 0x1000, c.Reg(regPC))
	require.NoError(t, ARM64.ABI.SetTLS(c, 0x123456789a))
	require.EqualValues(t, 0x123456789a, c.Reg(tpidr))
}

func TestGeneralSet(t *testing.T) {
	c := newFake(0)
	c.SetReg(pstate, psrSS)
	set := ARM64.Views[0].Sets[0]
	img := make([]byte, set.Bytes())
	for i := range 34 {
		binary.LittleEndian.PutUint64(img[8*i:], uint64(0x100+i))
	}
	put := func(psr uint64) error {
		binary.LittleEndian.PutUint64(img[33*8:], psr)
		return set.Put(c, 0, img)
	}
	require.NoError(t, put(0x60000000))
	require.EqualValues(t, 0x11e, c.Reg(x0+30))
	require.EqualValues(t, 0x11f, c.Reg(regSP))
	require.EqualValues(t, 0x120, c.Reg(regPC))
	require.EqualValues(t, 0x60000000|psrSS, c.Reg(pstate), "the step bit stays")

	img[0]++
	require.Equal(t, unix.EINVAL, put(5), "EL1h")
	require.Equal(t, unix.EINVAL, put(0x10), "AArch32")
	require.Equal(t, unix.EINVAL, put(1<<7), "interrupts off")
	require.EqualValues(t, 0x100, c.Reg(x0), "nothing changed")
	require.NoError(t, put(0xdead<<32|1<<27|1<<13|1<<5|psrV), "reserved bits are dropped")
	require.EqualValues(t, psrV|psrSS, c.Reg(pstate))
}

func TestFPSet(t *testing.T) {
	c := newFake(0)
	set := ARM64.Views[0].Sets[1]
	require.Equal(t, 528, set.Bytes())
	in := make([]byte, 24)
	for i := range in {
		in[i] = byte(i + 1)
	}
	require.NoError(t, set.Put(c, 31*16, in))
	v31 := make([]byte, 16)
	c.Bytes(v0+31, v31)
	require.Equal(t, in[:16], v31)
	require.EqualValues(t, 0x14131211, c.Reg(fpsr))
	require.EqualValues(t, 0x18171615, c.Reg(fpcr))
	out := make([]byte, 32)
	require.NoError(t, set.Get(c, 31*16, out))
	require.Equal(t, append(in, make([]byte, 8)...), out)
	require.Equal(t, unix.EINVAL, set.Get(c, 528, out))
}

func TestSmallSets(t *testing.T) {
	c := newFake(0)
	tls, call := ARM64.Views[0].Find(0x401), ARM64.Views[0].Find(0x404)
	require.NoError(t, tls.Put(c, 0, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	require.EqualValues(t, 0x0807060504030201, c.Reg(tpidr))
	out := make([]byte, 16)
	require.NoError(t, tls.Get(c, 0, out))
	require.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, out)
	require.NoError(t, call.Put(c, 0, []byte{0xff, 0xff, 0xff, 0xff}))
	require.EqualValues(t, 0xffffffff, c.Reg(syscallNo))
}

// TestHardwareDebug: the CPU has no registers for it, and says so.
func TestHardwareDebug(t *testing.T) {
	c := newFake(0)
	for _, note := range []uint32{0x402, 0x403} {
		set := ARM64.Views[0].Find(note)
		img := make([]byte, set.Bytes())
		require.NoError(t, set.Get(c, 0, img))
		require.Equal(t, append([]byte{0, 6}, make([]byte, 262)...), img, "none, of ARMv8's")
		require.NoError(t, set.Put(c, 0, img))
		img[8] = 4
		require.Equal(t, unix.ENOSPC, set.Put(c, 0, img))
	}
}

// TestCompatView: the view of a 32-bit task shows the low halves, and what it
// is not given it leaves.
func TestCompatView(t *testing.T) {
	c := newFake(0)
	require.Len(t, ARM64.Views, 2)
	gpr, vfp := ARM64.Views[1].Find(1), ARM64.Views[1].Find(0x400)
	for i := range 31 {
		c.SetReg(x0+regset.ID(i), 0xaaaa000000000000+uint64(i))
	}
	c.SetReg(regPC, 0x5555550000)
	c.SetReg(pstate, psrN)
	img := make([]byte, gpr.Bytes())
	require.NoError(t, gpr.Get(c, 0, img))
	require.Equal(t, words(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0x55550000, psrN, 0), img)
	require.NoError(t, gpr.Put(c, 4, words(0xffffffff)))
	require.EqualValues(t, 0xffffffff, c.Reg(x0+1), "widened with zeros")
	require.EqualValues(t, uint64(0xaaaa000000000000), c.Reg(x0), "not given")
	require.EqualValues(t, 0x5555550000, c.Reg(regPC), "not given")
	require.Equal(t, unix.EINVAL, gpr.Put(c, 8, words(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0x1000, 0x13)), "a kernel's mode")
	require.EqualValues(t, uint64(0xaaaa000000000002), c.Reg(x0+2), "nothing changed")

	c.SetBytes(v0+1, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	d := make([]byte, 16)
	require.NoError(t, vfp.Get(c, 16, d))
	require.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, d, "d2 and d3")
	require.NoError(t, vfp.Put(c, 256, words(0xffffffff)))
	require.EqualValues(t, 0xf800009f, c.Reg(fpsr))
	require.EqualValues(t, 0x07f79f00, c.Reg(fpcr))
	require.NoError(t, vfp.Get(c, 256, d[:4]))
	require.Equal(t, words(0xfff79f9f), d[:4])
}
