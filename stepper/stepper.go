// Package stepper holds the contract between a stopped guest thread and those
// who resume it: Target is the thread, Limit bounds one resume, Stop says why
// and where it ended.
package stepper

// Limit bounds one resume. The zero Limit runs until a trap.
type Limit struct {
	Insns uint64   // stop after so many instructions, 0 for no bound
	Stops []uint64 // stop before these addresses (rising order), but not before the first instruction of the resume
	Taken bool     // stop after a taken branch
}

// Why is the cause of a stop.
type Why uint8

// The causes.
const (
	Exception   Why = iota // the CPU raised an exception
	InsnLimit              // Limit.Insns instructions have run
	Address                // an address of Limit.Stops is next
	TakenBranch            // Limit.Taken, and a branch was taken
	Interrupted            // somebody asked for a stop
	TraceFull              // the trace buffer must be drained
)
