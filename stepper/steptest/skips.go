package steptest

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
	absent   = "internal/conform/ledger_test.go:TestAbsent"
	intoSlot = "internal/conform/slot_test.go:TestIntoSlot"
)

// Skips is the ledger: every scenario has a case or stands here, and not both.
var Skips = []Skip{
	{32, "delay-slot", "no architecture here has delay slots", []string{absent}},
	{54, "rseq", "the system call is not there, as in kernels without it; libraries do without", []string{absent}},
	{104, "auipc", "an instruction of an architecture that is not here", []string{absent}},
	{106, "into-slot", "where the slot lies is the target's, and only one strategy has it: no code of a case leads there", []string{intoSlot}},
}
