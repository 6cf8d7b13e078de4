// Package trace turns what a process records as it runs (emu.Trace) into a
// trace that people and programs read: lines of text, JSON lines, or a compact
// binary file. docs/trace.md describes the three.
//
// A Tracer sits between the two: it is the sink of the records, keeps the code
// of the blocks they name, selects what is wanted and hands it to a format.
// Where only instructions or blocks are wanted it works by blocks: the text of
// a block is made once and copied from then on.
package trace

import (
	"fmt"
	"strings"
)

// Events is a set of kinds of events.
type Events uint8

// The kinds.
const (
	Insn    Events = 1 << iota // instructions
	Block                      // blocks, as the engine cuts them
	Mem                        // memory accesses
	Reg                        // registers that an instruction changed
	Syscall                    // system calls
	Signal                     // signals, and how the program ended
	Utrace                     // reports to tracing engines
)

// Default is what is traced if nothing is asked for.
const Default = Insn | Mem | Reg | Syscall | Signal

// names are the kinds' names by bit.
var names = []string{"insn", "block", "mem", "reg", "syscall", "signal", "utrace"}

// all is what a program does; what engines are told of it is another view of
// the same.
const all = Utrace - 1

// ParseEvents reads a list of names of kinds with commas between them; "all"
// stands for all of them but utrace.
func ParseEvents(s string) (Events, error) {
	var e Events
next:
	for _, w := range strings.Split(s, ",") {
		if w == "all" {
			e |= all
			continue
		}
		for i, n := range names {
			if w == n {
				e |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("unknown event %q: the events are %s and all", w, strings.Join(names, ", "))
	}
	return e, nil
}

// String is the list that ParseEvents reads.
func (e Events) String() string {
	var l []string
	for i, n := range names {
		if e&(1<<i) != 0 {
			l = append(l, n)
		}
	}
	return strings.Join(l, ",")
}
