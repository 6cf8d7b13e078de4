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
	absent  = "internal/conform/ledger_test.go:TestAbsent"
	predict = "step_test.go:TestNextPC"
	suite   = "internal/conform/conform_test.go:TestSuite"
)

// Skips is the ledger: every scenario has a case or stands here, and not both.
var Skips = []Skip{
	{32, "delay-slot", "no architecture here has delay slots", []string{absent}},
	{54, "rseq", "rseq is not offered to programs", []string{absent}},
	{104, "auipc", "an instruction of an architecture that is not here", []string{absent}},
	{106, "into-slot", "the slot is a page of its own, which no jump leads to by accident", []string{suite}},
}
