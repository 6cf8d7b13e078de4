package hooktest

// behaviours is how many numbered behaviours docs/utrace.md has.
const behaviours = 114

// Absence is why a behaviour has no case, and the tests that show it, or hold
// the behaviour where it belongs: file and function, from the repository's
// root.
type Absence struct {
	Why   string
	Tests []string
}

// Ledger are the behaviours that have no case. A test fails for one that has a
// case all the same, or whose tests are not there.
var Ledger = map[int]Absence{
	92:  {"of x86 only", []string{here + "TestNoTrapFlag"}},
	94:  {"of x86 only", []string{here + "TestRepeat"}},
	95:  {"of PowerPC, AArch64 and x86 only", []string{here + "TestTracersTrapFlag"}},
	96:  {"engines write memory as it is; breakpoints that guests do not see are package stepper's", []string{"stepper/toy/toy_test.go:TestBreakpoints"}},
	110: {"views belong to the architectures", []string{"emu/arch/x86/sets_test.go:TestCompatView", "emu/arch/arm64/arch_test.go:TestCompatView", "emu/arch/ppc/sets_test.go:TestCompatGPR"}},
	111: {"what a register set takes belongs to the architectures", []string{"emu/arch/x86/sets_test.go:TestSelectors", "emu/arch/arm64/arch_test.go:TestGeneralSet", "emu/arch/arm/arch_test.go:TestGeneralSet"}},
	112: {"requests are ptrace's: testdata/libc/trace.c", guests},
	113: {"PTRACE_GETSIGINFO is ptrace's: testdata/libc/trace.c", guests},
	114: {"core files are the kernel's", []string{"core_test.go:TestCoreNotes"}},
}

const here = "hooks/hooktest/step_test.go:"

var guests = []string{"libc_test.go:TestLibc"}
