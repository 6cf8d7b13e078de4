package hooktest

// behaviours is how many numbered behaviours docs/utrace.md has.
const behaviours = 114

// Ledger are the behaviours that have no case, each with the reason. A test
// fails for one that has a case all the same.
var Ledger = map[int]string{
	71:  "the requeueing of a blocked signal is ptrace's, which is not there yet",
	82:  "PTRACE_SYSEMU needs ptrace",
	90:  "of x86 only: TestNoTrapFlag and TestOwnTrapFlag",
	91:  "of x86 only, and nobody sets the flag: what is in a frame is tested where frames are made",
	92:  "of x86 only: TestNoTrapFlag",
	94:  "the granularity of REP under a step is stepper's to define",
	95:  "MSR and PSTATE are read and written through package regset, whose tests hold them to that",
	96:  "breakpoints that the guest cannot see are not there yet",
	110: "package regset",
	111: "package regset",
	112: "ptrace is not there yet",
	113: "ptrace is not there yet",
	114: "package regset",
}
