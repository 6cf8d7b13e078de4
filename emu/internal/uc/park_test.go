//go:build cgo

package uc

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// elsewhere calls f on a thread of its own.
func elsewhere(f func()) {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and let it end with the goroutine
		f()
		close(done)
	}()
	<-done
}

// A run that a limit stops goes on from where it is parked, in whatever thread,
// and does what a run in one does; so it does if it is ended in between.
func TestParked(t *testing.T) {
	const count = 20
	for _, every := range []int{0, 1, 3} {
		each(t, func(t *testing.T, r *rig) {
			r.put(codeAt, workCode[r.name()])
			clear(r.data)
			st := r.run(r.start(codeAt, dataAt, count), Limit{Insns: 1})
			parked := 0
			for n := 1; st.Kind == KindLimit; n++ {
				if !r.Parked() {
					st = r.run(r.next(st), Limit{Insns: 1})
					continue
				}
				parked++
				var err error
				if every != 0 && n%every == 0 {
					r.still()
					require.False(t, r.Parked())
					require.Equal(t, st.PC, r.Reg(pcreg(r.g)))
					elsewhere(func() { st, err = r.Run(r.at(st.PC), Limit{Insns: 1}) })
				} else {
					elsewhere(func() { st, err = r.ContinueFile(Limit{Insns: 1}, new(File)) })
				}
				require.NoError(t, err)
			}
			r.trap(st)
			require.Equal(t, work(count), r.reg(r.g.result))
			if stock, _ := r.Stock(); !stock {
				require.Greater(t, parked, count)
			}
		})
	}
}

// What changes the engine ends a parked run: code that is replaced is not run,
// and a request to stop is not lost.
func TestParkedChanges(t *testing.T) {
	const count = 20
	each(t, func(t *testing.T, r *rig) {
		if stock, _ := r.Stock(); stock {
			return // nothing is parked there
		}
		code := workCode[r.name()]
		r.put(codeAt, code)
		clear(r.data)
		st := r.run(r.start(codeAt, dataAt, count), Limit{Insns: 1})
		for !r.Parked() {
			st = r.run(r.next(st), Limit{Insns: 1})
		}
		r.Interrupt()
		st, err := r.ContinueFile(Limit{Insns: 1}, new(File))
		require.NoError(t, err)
		require.Equal(t, KindInterrupt, st.Kind)
		require.True(t, r.Parked())
		r.put(codeAt, code) // drops what is translated
		require.False(t, r.Parked())
		st = r.run(r.at(st.PC), Limit{})
		r.trap(st)
		require.Equal(t, work(count), r.reg(r.g.result))

		st = r.run(r.start(codeAt, dataAt, count), Limit{Insns: 1})
		require.Equal(t, KindLimit, st.Kind) // and it is closed as it is
	})
}

// A stop may come after an instruction instead of before it.
func TestPast(t *testing.T) {
	const count = 5
	each(t, func(t *testing.T, r *rig) {
		if r.g.thumb {
			return // see TestInsnLimitThumb
		}
		r.put(codeAt, workCode[r.name()])
		var path []uint64
		st := r.run(r.start(codeAt, dataAt, count), Limit{Insns: 1})
		for len(path) < 40 {
			path = append(path, st.PC)
			st = r.run(r.next(st), Limit{Insns: 1})
		}
		clear(r.data)
		pc := r.start(codeAt, dataAt, count)
		st = r.run(pc, Limit{Stops: []uint64{path[3]}, Past: true})
		require.Equal(t, KindBreak, st.Kind)
		require.Equal(t, path[4], st.PC)
		st = r.run(r.next(st), Limit{Stops: []uint64{path[4]}, Past: true})
		require.Equal(t, path[5], st.PC, "the first instruction counts")
	})
}

// A planted breakpoint stops a run before it each time and leaves what is
// translated alone, even what is translated while it is there; in memory it is
// as it was written, and made real it is run.
func TestPlant(t *testing.T) {
	const count = 5
	each(t, func(t *testing.T, r *rig) {
		if stock, _ := r.Stock(); stock {
			require.False(t, r.Plant(codeAt, r.code, []byte{0, 0}))
			return
		}
		if r.g.thumb {
			return // see TestInsnLimitThumb
		}
		r.put(codeAt, workCode[r.name()])
		before := bytes.Clone(r.code)
		var path []uint64
		st := r.run(r.start(codeAt, dataAt, count), Limit{Insns: 1})
		for len(path) < 40 {
			path = append(path, st.PC)
			st = r.run(r.next(st), Limit{Insns: 1})
		}
		at := path[30]
		first := slices.Index(path, at)
		bad := make([]byte, 4) // is run by none
		for i := range bad {
			bad[i] = 0xff
		}
		require.True(t, r.Plant(at, r.code[at-codeAt:], bad))
		require.True(t, r.Planted())
		require.Equal(t, bad, r.code[at-codeAt:][:4])
		clear(r.data)
		st = r.run(r.start(codeAt, dataAt, count), Limit{})
		require.Equal(t, KindPlanted, st.Kind)
		require.Equal(t, at, st.PC)
		r.Lift(at)
		require.Equal(t, before, r.code)
		st = r.run(r.next(st), Limit{Insns: 1})
		require.Equal(t, path[first+1], st.PC)
		r.trap(r.run(r.next(st), Limit{}))
		require.Equal(t, work(count), r.reg(r.g.result))

		require.True(t, r.Plant(at, r.code[at-codeAt:], bad))
		r.Real()
		require.NotEqual(t, KindPlanted, r.run(r.start(codeAt, dataAt, count), Limit{}).Kind)
	})
}
