//go:build cgo

package uc

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// slices runs workCode with runs of at most n instructions and gives the sum
// and the number of instructions.
func (r *rig) slices(count uint32, n uint64) (sum uint32, insns uint64) {
	clear(r.data)
	pc := r.start(codeAt, dataAt, uint64(count))
	for {
		st := r.run(pc, Limit{Insns: n})
		insns += st.Insns
		if st.Kind != KindLimit {
			r.trap(st)
			return r.reg(r.g.result), insns
		}
		require.Equal(r.t, n, st.Insns)
		pc = r.next(st)
	}
}

// next is where a run that was stopped goes on.
func (r *rig) next(st Stop) uint64 { return r.at(st.PC) }

// A run in slices does what a run in one does, in as many instructions.
func TestInsnLimit(t *testing.T) {
	const count = 100
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		sum, all := r.slices(count, 1<<40)
		require.Equal(t, work(count), sum)
		require.Greater(t, all, uint64(count*15))
		for _, n := range []uint64{1, 2, 3, 5, 7, 16, 100, 1000} {
			// In an IT block of Thumb the library cannot stop: the count then is
			// beyond the limit.
			if r.g.thumb {
				continue
			}
			sum, insns := r.slices(count, n)
			require.Equal(t, work(count), sum, "slices of %d", n)
			require.Equal(t, all, insns, "slices of %d", n)
		}
	})
}

// Slices of Thumb code end where they can, at the end of an IT block if need
// be, and give the right result.
func TestInsnLimitThumb(t *testing.T) {
	const count = 100
	for _, stock := range []bool{false, true} {
		r := newRig(t, guests["thumb"], stock)
		r.put(codeAt, workCode["thumb"])
		for _, n := range []uint64{1, 2, 3, 5, 7, 16, 100, 1000} {
			clear(r.data)
			pc := r.start(codeAt, dataAt, count)
			for {
				st := r.run(pc, Limit{Insns: n})
				if st.Kind != KindLimit {
					r.trap(st)
					break
				}
				require.Equal(t, n, st.Insns)
				pc = r.next(st)
			}
			require.Equal(t, work(count), r.reg(r.g.result), "slices of %d", n)
		}
	}
}

// A run stops before the addresses it is given, but not at once.
func TestStops(t *testing.T) {
	const count = 20
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		// The addresses of the function and of what comes after its call are
		// learnt by looking at what branches to where.
		pc := r.start(codeAt, dataAt, count)
		var call, back uint64
		for call == 0 || back == 0 {
			st := r.run(pc, Limit{Taken: true})
			require.Equal(t, KindTaken, st.Kind)
			if call == 0 && st.PC > codeAt+0x34 {
				call = st.PC
			} else if call != 0 && back == 0 {
				back = st.PC
			}
			pc = r.next(st)
		}
		clear(r.data)
		stops := []uint64{back, call}
		if call < back {
			stops = []uint64{call, back}
		}
		pc = r.start(codeAt, dataAt, count)
		for i := range 2 * count {
			st := r.run(pc, Limit{Stops: stops})
			require.Equal(t, KindBreak, st.Kind)
			require.Equal(t, []uint64{call, back}[i%2], st.PC)
			require.Equal(t, st.PC, r.Reg(pcreg(r.g)))
			pc = r.next(st)
		}
		r.trap(r.run(pc, Limit{Stops: stops}))
		require.Equal(t, work(count), r.reg(r.g.result))
	})
}

func pcreg(g guest) int {
	switch {
	case g.Arch == ucnum.ARCH_X86 && g.Mode == ucnum.MODE_64:
		return ucnum.X86_REG_RIP
	case g.Arch == ucnum.ARCH_X86:
		return ucnum.X86_REG_EIP
	case g.Arch == ucnum.ARCH_ARM:
		return ucnum.ARM_REG_PC
	case g.Arch == ucnum.ARCH_ARM64:
		return ucnum.ARM64_REG_PC
	}
	return ucnum.PPC_REG_PC
}

// A request to stop that comes before a run ends it at once, and only that
// one.
func TestInterruptBefore(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		for range 3 {
			clear(r.data)
			pc := r.start(codeAt, dataAt, 10)
			r.Interrupt()
			r.Interrupt()
			st := r.run(pc, Limit{})
			require.Equal(t, KindInterrupt, st.Kind)
			require.EqualValues(t, codeAt, st.PC)
			r.trap(r.run(pc, Limit{}))
			require.Equal(t, work(10), r.reg(r.g.result))
		}
	})
}

// interrupts calls Interrupt at short intervals until the function it gives
// is called. The intervals are spent in a loop, since a timer of the host
// would make them too long.
func (r *rig) interrupts() (stop func() (sent int)) {
	var end atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for ; !end.Load(); n++ {
			for start := time.Now(); time.Since(start) < 20*time.Microsecond && !end.Load(); {
			}
			r.Interrupt()
		}
		done <- n
	}()
	return func() int { end.Store(true); return <-done }
}

// Interrupts at any time change nothing of what the guest computes.
func TestInterrupts(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		count := uint32(300_000)
		if stock, _ := r.Stock(); stock {
			count /= 10
		}
		want := work(count)
		r.put(codeAt, workCode[r.name()])
		stop := r.interrupts()
		n := 0
		for rounds := 0; n <= 20 && rounds < 1000; rounds++ {
			clear(r.data)
			pc := r.start(codeAt, dataAt, uint64(count))
			var st Stop
			for st = r.run(pc, Limit{}); st.Kind == KindInterrupt; st = r.run(pc, Limit{}) {
				n++
				pc = r.next(st)
			}
			r.trap(st)
			require.Equal(t, want, r.reg(r.g.result))
		}
		sent := stop()
		require.Greater(t, n, 20, "of %d sent", sent)
	})
}

// After a run with a hook on each instruction, one without is as fast as
// before: the library would go on translating for the hook. And it can be
// interrupted exactly, which the library's stop is not where it thinks that
// there is a hook.
func TestHookGoes(t *testing.T) {
	const count = 300_000
	want := work(count)
	for name, g := range guests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, g, false)
			r.put(codeAt, workCode[name])
			for range 3 {
				clear(r.data)
				pc := r.start(codeAt, dataAt, count)
				st := r.run(pc, Limit{Insns: 1000})
				if st.Kind == KindInterrupt { // the last of the round before
					st = r.run(r.next(st), Limit{Insns: 1000})
				}
				require.Equal(t, KindLimit, st.Kind)
				stop := r.interrupts()
				for st.Kind == KindLimit || st.Kind == KindInterrupt {
					st = r.run(r.next(st), Limit{})
				}
				stop()
				r.trap(st)
				require.Equal(t, want, r.reg(r.g.result))
			}
		})
	}
}

// A limit holds in A32 code that a Thumb IT block ends with a branch to: the
// library itself forgets to look for stops there.
func TestInsnLimitAfterIT(t *testing.T) {
	r := newRig(t, guests["thumb"], false)
	r.put(codeAt, "\x08\xbf\x70\x47")                                                       // it eq; bxeq lr
	r.put(codeAt+0x100, "\x01\x00\x80\xe2\x01\x00\x80\xe2\x01\x00\x80\xe2\xfe\xff\xff\xea") // add r0, r0, #1 three times; b .
	pc := r.start(codeAt, dataAt, 0)
	r.set(ucnum.ARM_REG_LR, codeAt+0x100)
	st := r.run(pc, Limit{Stops: []uint64{codeAt + 0x100}})
	require.Equal(t, KindBreak, st.Kind)
	for n := range uint64(3) {
		st = r.run(codeAt+0x100+4*n, Limit{Insns: 1})
		require.Equal(t, KindLimit, st.Kind)
		require.EqualValues(t, codeAt+0x104+4*n, st.PC)
	}
}

// An instruction that changes its own block counts once.
func TestInsnLimitOwnCode(t *testing.T) {
	r := newRig(t, guests["x86_64"], false)
	r.put(codeAt, "\x89\x3e\x90\x90\xeb\xfe") // mov %edi,(%rsi); nop; nop; jmp .
	pc := r.start(codeAt, dataAt, 0)
	r.set(ucnum.X86_REG_RSI, codeAt+2)
	r.set(ucnum.X86_REG_RDI, 0xfeeb9090)
	for _, want := range []uint64{2, 3, 4, 4} {
		st := r.run(pc, Limit{Insns: 1})
		require.Equal(t, KindLimit, st.Kind)
		require.EqualValues(t, codeAt+want, st.PC)
		pc = st.PC
	}
}
