package x86

import (
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
)

// flagWord is a register of an answer of CPUID: EAX is 0, then EBX, ECX, EDX.
type flagWord struct {
	leaf  uint32
	reg   int
	names map[int]string
}

// flagNames are the names that /proc/cpuinfo has for the bits of an answer of
// CPUID, from arch/x86/include/asm/cpufeatures.h; it tells of the words in this
// order.
var flagNames = []flagWord{
	{1, 3, map[int]string{
		0: "fpu", 2: "de", 3: "pse", 4: "tsc", 5: "msr", 6: "pae", 7: "mce", 8: "cx8", 9: "apic",
		12: "mtrr", 13: "pge", 14: "mca", 15: "cmov", 16: "pat", 17: "pse36", 19: "clflush",
		23: "mmx", 24: "fxsr", 25: "sse", 26: "sse2",
	}},
	{0x80000001, 3, map[int]string{
		11: "syscall", 20: "nx", 22: "mmxext", 25: "fxsr_opt", 26: "pdpe1gb", 27: "rdtscp", 29: "lm",
		30: "3dnowext", 31: "3dnow",
	}},
	{1, 2, map[int]string{
		0: "pni", 1: "pclmulqdq", 9: "ssse3", 13: "cx16", 19: "sse4_1", 20: "sse4_2", 22: "movbe",
		23: "popcnt", 25: "aes", 26: "xsave", 30: "rdrand",
	}},
	{0x80000001, 2, map[int]string{0: "lahf_lm", 5: "abm", 6: "sse4a", 8: "3dnowprefetch"}},
	{7, 1, map[int]string{9: "erms", 19: "adx", 23: "clflushopt"}},
}

// basicFlags are the names of the bits of hwcap, which all models have.
var basicFlags = strings.Join(flags(flagNames[:1], map[uint32][4]uint32{1: {3: hwcap}}), " ")

// flags are the names of the bits of answers.
func flags(words []flagWord, answers map[uint32][4]uint32) (l []string) {
	for _, w := range words {
		for bit := range 32 {
			if n := w.names[bit]; n != "" && answers[w.leaf][w.reg]>>bit&1 != 0 {
				l = append(l, n)
			}
		}
	}
	return l
}

// told are the models whose CPUInfo has their flags: a *sync.Once by *arch.Model.
var told sync.Map

// tellFlags completes the flags in CPUInfo with what CPUID answers.
func tellFlags(m *arch.Model, answers map[uint32][4]uint32) {
	once, _ := told.LoadOrStore(m, new(sync.Once))
	once.(*sync.Once).Do(func() {
		all := strings.Join(flags(flagNames, answers), " ")
		m.CPUInfo = strings.Replace(m.CPUInfo, ": "+basicFlags+"\n", ": "+all+"\n", 1)
	})
}
