package x86

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// Bits of CPUID leaf 1 ECX.
const (
	cpuidSSE3       = 1 << 0
	cpuidPCLMULQDQ  = 1 << 1
	cpuidMonitor    = 1 << 3
	cpuidVMX        = 1 << 5
	cpuidSMX        = 1 << 6
	cpuidFMA        = 1 << 12
	cpuidPCID       = 1 << 17
	cpuidX2APIC     = 1 << 21
	cpuidMOVBE      = 1 << 22
	cpuidPOPCNT     = 1 << 23
	cpuidTSCDead    = 1 << 24
	cpuidAVX        = 1 << 28
	cpuidF16C       = 1 << 29
	cpuidHypervisor = 1 << 31
)

// decoded are features that every version of the library can execute, and that
// x86-64-v2 and programs that ask for them want.
const decoded = cpuidPCLMULQDQ | cpuidMOVBE | cpuidPOPCNT

// Bits of CPUID leaf 7 EBX.
const (
	cpuidFSGSBase = 1 << 0
	cpuidADX      = 1 << 19
	cpuidERMS     = 1 << 9
	cpuidCLFOPT   = 1 << 23
)

// Bits of CPUID leaf 0x80000001 EDX and ECX.
const (
	cpuidAliases = 0x0183f3ff // EDX bits that repeat leaf 1 on an AMD CPU
	cpuidSyscall = 1 << 11
	cpuidNX      = 1 << 20
	cpuidLM      = 1 << 29

	cpuidLAHF     = 1 << 0
	cpuidABM      = 1 << 5
	cpuidSSE4A    = 1 << 6
	cpuidPrefetch = 1 << 8
)

// amdEBX is "Auth", the start of an AMD CPU's vendor string.
const amdEBX = 0x68747541

// fixCPUID makes CPUID tell the truth about user mode. libunicorn 2.0.1 gives
// every model one short list of features, without the FPU, MMX and the time
// stamp counter, all of which it executes and which programs insist on; every
// version announces features that only a kernel can use, and some models
// announce AVX or BMI, which none executes right (vexx86.c). The library's own
// answer is the base, as its decoder goes by the same bits; those that it
// executes once they are set are set there too.
func fixCPUID(b arch.Bare, m *arch.Model, at uint64, long bool) error {
	ask := func(leaf uint32) (a [4]uint32, err error) {
		if err := b.SetReg(ucnum.X86_REG_EAX, uint64(leaf)); err != nil {
			return a, fmt.Errorf("x86: cpuid: %w", err)
		}
		if err := b.SetReg(ucnum.X86_REG_ECX, 0); err != nil {
			return a, fmt.Errorf("x86: cpuid: %w", err)
		}
		if err := runTo(b, at); err != nil {
			return a, err
		}
		for i, r := range []int{ucnum.X86_REG_EAX, ucnum.X86_REG_EBX, ucnum.X86_REG_ECX, ucnum.X86_REG_EDX} {
			a[i] = uint32(b.Reg(r))
		}
		return a, nil
	}
	answers := map[uint32][4]uint32{}
	l0, err := ask(0)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		leaf, sub uint32
		fix       func(a *[4]uint32)
	}{
		{1, arch.CPUIDAny, func(a *[4]uint32) { fixLeaf1(a, m) }},
		{7, 0, fixLeaf7},
		{0x80000001, arch.CPUIDAny, func(a *[4]uint32) { fixLeafExt(a, m, l0[1] == amdEBX, long) }},
	} {
		if l.leaf < 0x80000000 && l.leaf > l0[0] {
			continue
		}
		a, err := ask(l.leaf)
		if err != nil {
			return err
		}
		if l.leaf == 1 && b.Decode(a, decoded) {
			a[2] |= decoded
		}
		l.fix(&a)
		if err := b.SetCPUID(l.leaf, l.sub, a); err != nil {
			return fmt.Errorf("x86: cpuid %#x: %w", l.leaf, err)
		}
		answers[l.leaf] = a
	}
	tellFlags(m, answers)
	return nil
}

func fixLeaf1(a *[4]uint32, m *arch.Model) {
	a[2] |= cpuidSSE3
	a[2] &^= cpuidMonitor | cpuidVMX | cpuidSMX | cpuidFMA | cpuidPCID | cpuidX2APIC |
		cpuidTSCDead | cpuidAVX | cpuidF16C | cpuidHypervisor
	a[3] = uint32(m.HWCap)
}

func fixLeaf7(a *[4]uint32) {
	// FSGSBASE is left out because AT_HWCAP2 does not promise it.
	a[1] &= cpuidADX | cpuidERMS | cpuidCLFOPT
	a[2], a[3] = 0, 0
}

func fixLeafExt(a *[4]uint32, m *arch.Model, amd, long bool) {
	a[2] &= cpuidLAHF | cpuidABM | cpuidSSE4A | cpuidPrefetch
	if amd {
		a[3] = a[3]&^cpuidAliases | uint32(m.HWCap)&cpuidAliases
	}
	a[3] |= cpuidNX
	a[3] &^= cpuidSyscall | cpuidLM
	if long {
		a[3] |= cpuidSyscall | cpuidLM
	}
}
