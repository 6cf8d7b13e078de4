//go:build cgo

package uc

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A slice ends after as many branches and instructions as it has, whatever is
// recorded meanwhile and however the engine cuts the program into blocks.
func TestSlice(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		l := endlessCode[r.name()]
		r.put(codeAt, l.count) // two additions and a branch
		r.Determine(1)
		for _, trace := range []Trace{0, TraceBlocks, TraceBlocks | TraceInsns} {
			require.NoError(t, r.SetTrace(trace, nil, nil))
			for _, branches := range []uint64{1, 2, 1000} {
				for tail := range uint64(5) {
					what := fmt.Sprintf("trace %d, %d branches and %d instructions", trace, branches, tail)
					pc := r.start(codeAt, dataAt, 0)
					r.SetSlice(branches, tail, 7)
					st := r.run(pc, Limit{})
					r.Drain()
					require.Equal(t, KindInterrupt, st.Kind, what)
					require.Zero(t, r.Slice(), what)
					n, into := branches+tail/3, tail%3 // rounds of the loop, and how far into the next
					require.EqualValues(t, codeAt+l.between*into, st.PC, what)
					require.EqualValues(t, n+min(into, 1), r.reg(r.g.value), what)
					require.EqualValues(t, n+into/2, r.reg(r.g.count), what)
				}
			}
		}
	})
}

// What is left of a slice goes on in the next run.
func TestSliceGoesOn(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		l := endlessCode[r.name()]
		r.put(codeAt, l.count)
		r.Determine(1)
		pc := r.start(codeAt, dataAt, 0)
		r.SetSlice(100, 0, 0)
		st := r.run(pc, Limit{Insns: 3*40 + 1})
		require.Equal(t, KindLimit, st.Kind)
		require.EqualValues(t, 60, r.Slice())
		st = r.run(r.start(st.PC, dataAt, 0), Limit{})
		require.Equal(t, KindInterrupt, st.Kind)
		require.EqualValues(t, codeAt, st.PC)
		require.Zero(t, r.Slice())
	})
}

// A limit counts although the run is to end for another reason before the same
// instruction: whoever goes on would run over it.
func TestLimitFirst(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		l := endlessCode[r.name()]
		r.put(codeAt, l.count)
		r.Determine(1)
		between := codeAt + l.between
		for _, x := range []struct {
			l    Limit
			tail uint64
			want Kind
			at   uint64
		}{
			{Limit{Stops: []uint64{between}}, 1, KindBreak, between},
			{Limit{Stops: []uint64{codeAt}, Past: true}, 1, KindBreak, between},
			{Limit{Insns: 3}, 1, KindLimit, between},
			{Limit{Taken: true}, 0, KindTaken, codeAt},
		} {
			pc := r.start(between, dataAt, 0)
			r.SetSlice(1, x.tail, 0) // ends there
			st := r.run(pc, x.l)
			require.Equal(t, x.want, st.Kind, "%+v", x.l)
			require.EqualValues(t, x.at, st.PC, "%+v", x.l)
			require.EqualValues(t, x.tail, r.reg(r.g.value), "%+v", x.l)
		}
	})
}
