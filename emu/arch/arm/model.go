package arm

import (
	"fmt"
	"strings"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// Bits of AT_HWCAP (arch/arm/include/uapi/asm/hwcap.h).
const (
	capSWP      = 1 << 0
	capHalf     = 1 << 1
	capThumb    = 1 << 2
	capFastMult = 1 << 4
	capVFP      = 1 << 6
	capEDSP     = 1 << 7
	capNEON     = 1 << 12
	capVFPv3    = 1 << 13
	capTLS      = 1 << 15
	capVFPv4    = 1 << 16
	capIDIVA    = 1 << 17
	capIDIVT    = 1 << 18
	capVFPD32   = 1 << 19
	capLPAE     = 1 << 20
	capASIMDDP  = 1 << 24
	capASIMDFHM = 1 << 25
)

// Bits of AT_HWCAP2.
const (
	cap2AES   = 1 << 0
	cap2PMULL = 1 << 1
	cap2SHA1  = 1 << 2
	cap2SHA2  = 1 << 3
	cap2CRC32 = 1 << 4
	cap2SB    = 1 << 5
)

// The names of the bits in /proc/cpuinfo, by number.
var (
	capNames = []string{
		"swp", "half", "thumb", "26bit", "fastmult", "fpa", "vfp", "edsp", "java", "iwmmxt", "crunch",
		"thumbee", "neon", "vfpv3", "vfpv3d16", "tls", "vfpv4", "idiva", "idivt", "vfpd32", "lpae",
		"evtstrm", "fphp", "asimdhp", "asimddp", "asimdfhm",
	}
	cap2Names = []string{"aes", "pmull", "sha1", "sha2", "crc32", "sb"}
)

// What the groups of CPUs have. ThumbEE is left out though the older ones have
// it: the engine has its registers but not its instructions.
const (
	hwV6   = capSWP | capHalf | capThumb | capFastMult | capVFP | capEDSP | capTLS
	hwV7   = hwV6 | capNEON | capVFPv3 | capVFPD32
	hwV7VE = hwV7 | capVFPv4 | capIDIVA | capIDIVT | capLPAE
	hwMax  = hwV7VE | capASIMDDP | capASIMDFHM
	hw2Max = cap2AES | cap2PMULL | cap2SHA1 | cap2SHA2 | cap2CRC32 | cap2SB
)

// models are the CPUs to choose from. The first has all that the engine can
// do, which includes the 32-bit part of ARMv8. CPUs before ARMv6K are left
// out: they have neither exclusive loads nor a thread register, so the
// kernel's helper page would need another form for them, and their programs
// run on all of these.
func models() []arch.Model {
	l := []struct {
		arch.Model
		midr uint32
	}{
		{arch.Model{Name: "max", UC: ucnum.CPU_ARM_MAX, HWCap: hwMax, HWCap2: hw2Max, Platform: "v8l"}, 0x412fc0f1},
		{arch.Model{Name: "cortex-a15", UC: ucnum.CPU_ARM_CORTEX_A15, HWCap: hwV7VE, Platform: "v7l"}, 0x412fc0f1},
		{arch.Model{Name: "cortex-a9", UC: ucnum.CPU_ARM_CORTEX_A9, HWCap: hwV7, Platform: "v7l"}, 0x410fc090},
		{arch.Model{Name: "cortex-a8", UC: ucnum.CPU_ARM_CORTEX_A8, HWCap: hwV7, Platform: "v7l"}, 0x410fc080},
		{arch.Model{Name: "cortex-a7", UC: ucnum.CPU_ARM_CORTEX_A7, HWCap: hwV7VE, Platform: "v7l"}, 0x410fc075},
		{arch.Model{Name: "arm1176", UC: ucnum.CPU_ARM_1176, HWCap: hwV6, Platform: "v6l"}, 0x410fb767},
	}
	out := make([]arch.Model, len(l))
	for i, m := range l {
		m.Machine = "armv7l"
		if m.Platform == "v6l" {
			m.Machine = "armv6l"
		}
		m.CPUInfo = cpuInfo(&m.Model, m.midr)
		out[i] = m.Model
	}
	return out
}

// cpuInfo is what c_show of arch/arm/kernel/setup.c prints on a machine with
// one such CPU and a device tree.
func cpuInfo(m *arch.Model, midr uint32) string {
	name := "ARMv7 Processor"
	if m.Platform == "v6l" {
		name = "ARMv6-compatible processor"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "processor\t: 0\nmodel name\t: %s rev %d (%s)\nBogoMIPS\t: 38.40\nFeatures\t: ", name, midr&15, m.Platform)
	features(&b, m.HWCap, capNames)
	features(&b, m.HWCap2, cap2Names)
	fmt.Fprintf(&b, "\nCPU implementer\t: 0x%02x\nCPU architecture: 7\n", midr>>24)
	fmt.Fprintf(&b, "CPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %d\n\n", midr>>20&15, midr>>4&0xfff, midr&15)
	b.WriteString("Hardware\t: Generic DT based system\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n")
	return b.String()
}

// features writes the names of the bits that are set, each with a blank after
// it as the kernel does.
func features(b *strings.Builder, bits uint64, names []string) {
	for i, n := range names {
		if bits>>i&1 != 0 {
			b.WriteString(n + " ")
		}
	}
}
