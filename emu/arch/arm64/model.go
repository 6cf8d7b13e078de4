package arm64

import (
	"fmt"
	"strings"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// models are the CPUs to choose from. The first has all that the engine can do.
func models() []arch.Model {
	l := []arch.Model{
		{Name: "max", UC: ucnum.CPU_ARM64_MAX},
		{Name: "cortex-a57", UC: ucnum.CPU_ARM64_A57},
		{Name: "cortex-a53", UC: ucnum.CPU_ARM64_A53},
		{Name: "cortex-a72", UC: ucnum.CPU_ARM64_A72},
	}
	for i := range l {
		m := &l[i]
		id := ids[m.UC]
		var names []string
		m.HWCap, m.HWCap2, names = id.caps()
		m.Platform, m.Machine = "aarch64", "aarch64"
		m.CPUInfo = cpuInfo(uint32(id[midr]), names)
	}
	return l
}

// cpuInfo is what c_show of arch/arm64/kernel/cpuinfo.c prints on a machine
// with one such CPU.
func cpuInfo(midr uint32, features []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "processor\t: 0\nBogoMIPS\t: 125.00\nFeatures\t: %s\n", strings.Join(features, " "))
	fmt.Fprintf(&b, "CPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\n", midr>>24, midr>>20&15)
	fmt.Fprintf(&b, "CPU part\t: 0x%03x\nCPU revision\t: %d\n\n", midr>>4&0xfff, midr&15)
	return b.String()
}
