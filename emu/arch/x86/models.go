package x86

import (
	"fmt"
	"strings"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// hwcap is CPUID leaf 1 EDX, which Linux passes on as AT_HWCAP: what an i686
// with SSE2 has, without SYSENTER, whose kernel side does not exist here.
const hwcap = 0x078bf3fd

const (
	vendorAMD   = "AuthenticAMD"
	vendorIntel = "GenuineIntel"
)

// def is a CPU model in terms of its CPUID signature.
type def struct {
	name                    string
	uc                      int
	vendor                  string
	family, model, stepping int
	text                    string
	long                    bool
}

// defs are the library's models that have SSE2 and promise nothing that the
// library does not execute.
var defs = []def{
	{"qemu64", ucnum.CPU_X86_QEMU64, vendorAMD, 6, 6, 3, "QEMU Virtual CPU version 2.5+", true},
	{"qemu32", ucnum.CPU_X86_QEMU32, vendorIntel, 6, 6, 3, "QEMU Virtual CPU version 2.5+", false},
	{"kvm64", ucnum.CPU_X86_KVM64, vendorIntel, 15, 6, 1, "Common KVM processor", true},
	{"kvm32", ucnum.CPU_X86_KVM32, vendorIntel, 15, 6, 1, "Common 32-bit KVM processor", false},
	{"phenom", ucnum.CPU_X86_PHENOM, vendorAMD, 16, 2, 3, "AMD Phenom(tm) 9550 Quad-Core Processor", true},
	{"core2duo", ucnum.CPU_X86_CORE2DUO, vendorIntel, 6, 15, 11, "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz", true},
	{"coreduo", ucnum.CPU_X86_COREDUO, vendorIntel, 6, 14, 8, "Genuine Intel(R) CPU           T2600  @ 2.16GHz", false},
	{"n270", ucnum.CPU_X86_N270, vendorIntel, 6, 28, 2, "Intel(R) Atom(TM) CPU N270   @ 1.60GHz", false},
	{"conroe", ucnum.CPU_X86_CONROE, vendorIntel, 6, 15, 3, "Intel Celeron_4x0 (Conroe/Merom Class Core 2)", true},
	{"penryn", ucnum.CPU_X86_PENRYN, vendorIntel, 6, 23, 3, "Intel Core 2 Duo P9xxx (Penryn Class Core 2)", true},
	{"nehalem", ucnum.CPU_X86_NEHALEM, vendorIntel, 6, 26, 3, "Intel Core i7 9xx (Nehalem Class Core i7)", true},
	{"westmere", ucnum.CPU_X86_WESTMERE, vendorIntel, 6, 44, 1, "Westmere E56xx/L56xx/X56xx (Nehalem-C)", true},
}

// models lists the models of one architecture, def first the one named first.
func models(first, platform string, long bool) []arch.Model {
	var l []arch.Model
	for _, d := range defs {
		if long && !d.long {
			continue
		}
		m := arch.Model{
			Name:     d.name,
			UC:       d.uc,
			HWCap:    hwcap,
			Platform: platform,
			Machine:  platform,
			CPUInfo:  d.cpuinfo(long),
		}
		if d.name == first {
			l = append([]arch.Model{m}, l...)
		} else {
			l = append(l, m)
		}
	}
	return l
}

// cpuinfo is what show_cpuinfo of arch/x86/kernel/cpu/proc.c prints of what
// depends on the model and not on the machine, with the flags that all have.
func (d def) cpuinfo(long bool) string {
	sizes := "36 bits physical, 32 bits virtual"
	if long {
		sizes = "40 bits physical, 48 bits virtual"
	}
	var b strings.Builder
	for _, l := range []struct{ k, v string }{
		{"processor\t", "0"},
		{"vendor_id\t", d.vendor},
		{"cpu family\t", fmt.Sprint(d.family)},
		{"model\t\t", fmt.Sprint(d.model)},
		{"model name\t", d.text},
		{"stepping\t", fmt.Sprint(d.stepping)},
		{"cpu MHz\t\t", "1000.000"}, // of the time stamp counter
		{"cache size\t", "512 KB"},
		{"fpu\t\t", "yes"},
		{"fpu_exception\t", "yes"},
		{"wp\t\t", "yes"},
		{"flags\t\t", basicFlags},
		{"bogomips\t", "2000.00"},
		{"clflush size\t", "64"},
		{"cache_alignment\t", "64"},
		{"address sizes\t", sizes},
	} {
		fmt.Fprintf(&b, "%s: %s\n", l.k, l.v)
	}
	b.WriteString("\n")
	return b.String()
}
