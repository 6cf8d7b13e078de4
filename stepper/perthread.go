package stepper

import (
	"context"
	"slices"

	"github.com/utemu/utemu/emu/arch"
)

// PerThread predicts where the instruction leads to and stops there by
// breakpoints that the target keeps aside: no other thread hits them and
// nobody can read them.
type PerThread struct{}

// Name implements Strategy.
func (PerThread) Name() string { return "perthread" }

// Supports implements Strategy.
func (PerThread) Supports(t Target, _ Mode) bool {
	return t.Caps()&(CanStops|CanEvents) == CanStops|CanEvents
}

// Step implements Strategy.
func (p PerThread) Step(ctx context.Context, t Target, m Mode) (Stop, error) {
	if !p.Supports(t, m) {
		return Stop{}, ErrNoStep
	}
	return software(ctx, t, m, stepTo, runToAddress)
}

// stepTo runs to one of the places d.
func stepTo(ctx context.Context, t Target, d []arch.Dest) (Stop, error) {
	var b [4]uint64
	stops := b[:0]
	for _, x := range d {
		stops = append(stops, x.PC)
	}
	slices.Sort(stops)
	st, err := t.Resume(ctx, Limit{Stops: stops, Events: true})
	return arrived(t, st, d), err
}

// arrived turns the stop at a place of d into the end of a step. So it does
// with the fault of fetching the instruction there: the branch is done, and the
// fault will come again.
func arrived(t Target, st Stop, d []arch.Dest) Stop {
	if st.Why != Address && !(st.Why == Signal && st.Fetch) {
		return st
	}
	for _, x := range d {
		if x.PC == st.PC {
			t.Amend(Stop{})
			return Stop{Why: Stepped, PC: st.PC, Taken: x.Taken}
		}
	}
	return st
}

// runToAddress runs in a straight line to d, which is ahead.
func runToAddress(ctx context.Context, t Target, d arch.Dest) (Stop, error) {
	return stepTo(ctx, t, []arch.Dest{d})
}
