package steptest

// Scenarios is how many the catalogue of docs/semantics.md has.
const Scenarios = 120

// Skip is a scenario of the catalogue that the suite has no case for.
type Skip struct {
	No     int
	Name   string
	Reason string
	// Tests are the ones that hold what the reason rests on, as file:name.
	Tests []string
}

// The tests that reasons name.
const (
	fuzz     = "internal/conform/agree_test.go:FuzzAgree"
	compare  = "step_agree_test.go:TestCompare"
	points   = "internal/conform/breakpoints_test.go:TestBreakpoints"
	toyBP    = "stepper/toy/toy_test.go:TestBreakpoints"
	absent   = "internal/conform/ledger_test.go:TestAbsent"
	predict  = "step_test.go:TestNextPC"
	decode   = "emu/arch/archs/decode_test.go:TestClass"
	suite    = "internal/conform/conform_test.go:TestSuite"
	adjacent = "internal/conform/breakpoints_test.go:TestAdjacent"
	long     = "internal/conform/breakpoints_test.go:TestLongBlock"
	stepOff  = "internal/conform/breakpoints_test.go:TestSteppingOff"
)

// Skips is the ledger: every scenario has a case or stands here, and not both.
var Skips = []Skip{
	{5, "taken", "random programs and those on glibc take every kind of branch", []string{fuzz, predict}},
	{6, "not-taken", "as 5", []string{fuzz, predict}},
	{7, "all-conditions", "every condition is predicted over programs on glibc and held against objdump", []string{predict, decode}},
	{15, "return", "in 11 and 12, whose calls return", []string{suite}},
	{17, "return-to-breakpoint", "breakpoints have tests of their own", []string{toyBP, points}},
	{26, "bx-pc", "in 25", []string{suite}},
	{30, "ctr-wrap", "32-bit guests have 32-bit registers here", []string{absent}},
	{31, "pac", "the CPUs have no pointer authentication that they announce", []string{predict}},
	{32, "delay-slot", "no architecture here has delay slots", []string{absent}},
	{35, "breakpoint-false-condition", "a breakpoint on an instruction is hit whatever its condition is, as the kernel has it", []string{points}},
	{47, "long-llsc", "falls back to stepping by instruction, which Stop.Note tells", []string{fuzz}},
	{48, "breakpoint-in-llsc", "breakpoints are hit like any other there", []string{points}},
	{52, "same-value-write", "the engine compares values: a write of the same value lets the store succeed", []string{fuzz}},
	{53, "kuser", "programs on armel's glibc step through the page", []string{predict}},
	{54, "rseq", "rseq is not offered to programs", []string{absent}},
	{56, "onto-breakpoint", "breakpoints have tests of their own", []string{toyBP}},
	{57, "two-at-one-place", "breakpoints have tests of their own", []string{toyBP}},
	{58, "adjacent", "a test of its own", []string{adjacent}},
	{60, "shadow-trap", "as 59: there is no shadow", []string{suite}},
	{68, "sysenter", "SYSENTER is not announced to programs: there is no vdso with it", []string{absent}},
	{69, "scv", "the CPU models have no scv", []string{absent}},
	{86, "reads-own-code", "membp cannot: its breakpoints can be read while the thread runs; for the others a test of its own", []string{compare}},
	{87, "passes-own-code", "system calls are made without breakpoints in memory", []string{compare}},
	{89, "smc-next", "the guest programs smc and selfmod by all strategies", []string{compare}},
	{90, "unmapped", "a breakpoint whose memory goes is forgotten", []string{points}},
	{91, "shared-page", "refused with ErrShared", []string{points}},
	{92, "page-end", "at the last instruction of a page", []string{points}},
	{93, "inside", "refused with ErrInside or ErrMisaligned", []string{points}},
	{97, "stepping-off", "a test of its own with three threads", []string{stepOff}},
	{98, "digest", "programs write what they write without steps", []string{compare}},
	{100, "changed-pc", "in every case: the PC is set before the first step", []string{suite}},
	{104, "auipc", "an instruction of an architecture that is not here", []string{absent}},
	{106, "into-slot", "the slot is a page of its own, which no jump leads to by accident", []string{suite}},
	{110, "syscall-in-slot", "system calls are made in place", []string{suite}},
	{112, "block-plus-0", "8 in mode block", []string{suite}},
	{113, "block-calls", "11, 12 and 65 in mode block", []string{suite}},
	{114, "block-syscall", "67 in mode block", []string{suite}},
	{116, "block-llsc", "44 in mode block", []string{suite}},
	{117, "block-predicate", "41 in mode block", []string{suite}},
	{118, "long-block", "a test of its own", []string{long}},
	{119, "modes-mixed", "no strategy has state, and neither does a target", []string{fuzz}},
	{120, "own-tf-block", "62 in mode block", []string{suite}},
}
