package ppc

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// AT_HWCAP bits: PPC_FEATURE_* of asm/cputable.h.
const (
	feature32      = 0x80000000
	feature64      = 0x40000000
	featureAltivec = 0x10000000
	featureFPU     = 0x08000000
	featureMMU     = 0x04000000
	featurePower4  = 0x00080000
	featureVSX     = 0x00000080
	featureLE      = 0x00000001 // the little-endian mode of old CPUs

	user32 = feature32 | featureFPU | featureMMU
	user64 = user32 | feature64
)

// def is a 32-bit CPU model as arch/powerpc/kernel/cputable.c has it.
type def struct {
	name     string
	uc       int
	hwcap    uint64
	platform string
	cpu      string // the line of /proc/cpuinfo
	pvr      uint32
}

const (
	g3 = user32 | featureLE
	g4 = g3 | featureAltivec
)

// defs starts with the library's default, which is also what the corpus of
// PowerPC programs is compared on.
var defs = []def{
	{"7457a_v1.2", ucnum.CPU_PPC32_7457A_V1_2, g4, "ppc7450", "7447A, altivec supported", 0x80030102},
	{"7448_v2.1", ucnum.CPU_PPC32_7448_V2_1, g4, "ppc7450", "7448, altivec supported", 0x80040201},
	{"7457_v1.2", ucnum.CPU_PPC32_7457_V1_2, g4, "ppc7450", "7447/7457, altivec supported", 0x80020102},
	{"7455_v3.4", ucnum.CPU_PPC32_7455_V3_4, g4, "ppc7450", "7455, altivec supported", 0x80010304},
	{"7450_v2.1", ucnum.CPU_PPC32_7450_V2_1, g4, "ppc7450", "7450, altivec supported", 0x80000201},
	{"7410_v1.4", ucnum.CPU_PPC32_7410_V1_4, g4, "ppc7400", "7410, altivec supported", 0x800c1104},
	{"7400_v2.9", ucnum.CPU_PPC32_7400_V2_9, g4, "ppc7400", "7400, altivec supported", 0x000c0209},
	{"750_v3.1", ucnum.CPU_PPC32_750_V3_1, g3, "ppc750", "740/750", 0x00080301},
	{"604e_v2.4", ucnum.CPU_PPC32_604E_V2_4, g3, "ppc604", "604e", 0x00090204},
	{"603e_v4.1", ucnum.CPU_PPC32_603E_V4_1, g3, "ppc603", "603e", 0x00060401},
}

func models32() []arch.Model {
	var l []arch.Model
	for _, d := range defs {
		l = append(l, arch.Model{
			Name:     d.name,
			UC:       d.uc,
			HWCap:    d.hwcap,
			Platform: d.platform,
			Machine:  "ppc",
			CPUInfo:  cpuinfo(d.cpu, d.pvr),
		})
	}
	return l
}

// models64 has the one model that works: the library takes the numbers of
// others for 32-bit CPUs, and without a number gives a POWER10. Linux's
// promises for it are kept down to those of a PPC970, because 2.0.1 computes
// vector-scalar and decimal floating point wrongly.
func models64() []arch.Model {
	return []arch.Model{{
		Name:     "power10_v1.0",
		UC:       -1,
		HWCap:    user64 | featureAltivec | featurePower4,
		Platform: "ppc970",
		Machine:  "ppc64",
		CPUInfo:  cpuinfo("POWER10, altivec supported", pvrPower10),
	}}
}

// pvrPower10 is the processor version of the library's POWER10.
const pvrPower10 = 0x00800100

func cpuinfo(cpu string, pvr uint32) string {
	return fmt.Sprintf("processor\t: 0\ncpu\t\t: %s\nrevision\t: %d.%d (pvr %04x %04x)\n\n",
		cpu, pvr>>8&0xff, pvr&0xff, pvr>>16, pvr&0xffff)
}

// Entries of the auxiliary vector.
const (
	atDCacheBSize = 19
	atICacheBSize = 20
	atUCacheBSize = 21
	atIgnorePPC   = 22
	atSysinfoEHDR = 33
	atL1IGeometry = 41
	atL1DGeometry = 43
	atL1ISize     = 40
	atL3Geometry  = 47
)

// aux is ARCH_DLINFO for cache lines of so many bytes; there is no vDSO.
func aux(line uint64) func(*arch.Model) []arch.Aux {
	return func(*arch.Model) []arch.Aux {
		return []arch.Aux{
			{Type: atIgnorePPC, Val: atIgnorePPC},
			{Type: atIgnorePPC, Val: atIgnorePPC},
			{Type: atDCacheBSize, Val: line},
			{Type: atICacheBSize, Val: line},
			{Type: atUCacheBSize, Val: 0},
		}
	}
}

// aux64 adds the cache geometries, which a kernel without a device tree's word
// on them gives as lines of unknown caches.
func aux64(m *arch.Model) []arch.Aux {
	const line = 128
	l := append(aux(line)(m), arch.Aux{Type: atSysinfoEHDR, Val: vdso64})
	for t := uint64(atL1ISize); t <= atL3Geometry; t++ {
		var v uint64
		if t == atL1IGeometry || t == atL1DGeometry {
			v = line
		}
		l = append(l, arch.Aux{Type: t, Val: v})
	}
	return l
}
