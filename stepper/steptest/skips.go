package steptest

// Scenarios is how many the catalogue of docs/semantics.md has.
const Scenarios = 120

// Skip is a scenario of the catalogue that the suite has no case for.
type Skip struct {
	No     int
	Reason string
}

const (
	needsThreads  = "needs threads in one address space"
	needsHandlers = "needs a signal handler, which the bare thread of the suite has not"
	needsFork     = "needs fork or exec"
	needsDevice   = "needs an architecture that is not here"
	elsewhere     = "a test of its own: "
)

// Skips is the ledger: every scenario has a case or stands here, and not both.
var Skips = []Skip{
	{5, elsewhere + "FuzzAgree and the programs on glibc take and leave every kind of branch"},
	{6, "as 5"},
	{7, elsewhere + "TestNextPC and the targets of TestClass go through conditions and flags"},
	{15, "in 11 and 12, whose calls return"},
	{17, elsewhere + "TestBreakpoints of stepper/toy"},
	{26, "in 25: bx pc"},
	{30, "32-bit guests have 32-bit registers here"},
	{31, "pointer authentication is switched off in the engine"},
	{32, needsDevice},
	{35, "needs a breakpoint of a user under a false condition: hit, as the kernel has it"},
	{42, needsHandlers},
	{46, needsThreads},
	{47, "falls back to stepping by instruction, which Stop.Note tells"},
	{48, "needs a breakpoint of a user inside a sequence"},
	{49, needsHandlers},
	{52, "the engine compares values: a write of the same value lets the store succeed"},
	{53, "needs the kuser page: programs on armel's glibc step through it"},
	{54, "rseq is not offered to programs"},
	{56, elsewhere + "TestBreakpoints of stepper/toy"},
	{57, elsewhere + "TestBreakpoints of stepper/toy"},
	{58, elsewhere + "TestAdjacent"},
	{60, "as 59: there is no shadow"},
	{62, needsHandlers},
	{64, needsHandlers},
	{68, "SYSENTER is not announced to programs"},
	{69, "the CPU models have no scv"},
	{70, needsHandlers},
	{71, needsHandlers},
	{72, needsFork},
	{73, needsFork},
	{74, elsewhere + "every program that is stepped to its end"},
	{75, needsThreads},
	{80, needsHandlers},
	{81, needsHandlers},
	{82, needsHandlers},
	{83, needsHandlers},
	{84, needsHandlers},
	{85, needsHandlers},
	{86, "membp cannot: its breakpoints can be read while the thread runs"},
	{87, "as 86"},
	{89, elsewhere + "the guest programs smc and selfmod under TestCompare"},
	{90, elsewhere + "the guest programs smc and selfmod under TestCompare"},
	{91, needsFork},
	{92, elsewhere + "the guest program selfmod under TestCompare"},
	{93, elsewhere + "TestBreakpoints of stepper/toy"},
	{94, needsThreads},
	{95, needsThreads},
	{96, needsThreads},
	{97, needsThreads},
	{98, elsewhere + "TestCompare"},
	{99, needsThreads},
	{100, "in every case: the PC is set before the first step"},
	{104, needsDevice},
	{106, "the slot is a page of its own, which no jump leads to by accident"},
	{107, needsThreads},
	{108, needsFork},
	{109, needsHandlers},
	{110, "system calls are made in place"},
	{112, "as 8 in mode block"},
	{113, "as 11, 12 and 65 in mode block"},
	{114, "as 67 in mode block"},
	{116, "as 44 in mode block"},
	{117, "as 41 in mode block"},
	{118, elsewhere + "TestLongBlock"},
	{119, elsewhere + "TestCompare in both modes"},
	{120, "TF is the guest's own: the strategies do not use it"},
}
