package conform

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// find is a case of an instruction set, with its architecture.
func find(t testing.TB, no int, name, isa string) (*steptest.Case, *arch.Arch) {
	for k := range steptest.Cases() {
		c := &steptest.Cases()[k]
		if c.No == no && c.Name == name && c.ISA == isa {
			return c, archs.All[slices.IndexFunc(archs.All, func(a *arch.Arch) bool { return a.Name == c.Arch() })]
		}
	}
	t.Fatalf("no case %s/%d", isa, no)
	return nil, nil
}

var isas = []string{"i386", "x86_64", "arm", "thumb", "aarch64", "ppc", "ppc64"}

// bare makes a thread at code.
func bare(t *testing.T, isa string, code []byte) (stepper.Target, uint8) {
	_, a := find(t, 1, "plain3", isa)
	g, cleanup, err := Make(a, code)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cleanup()) })
	var state uint8
	if isa == "thumb" {
		r, _ := a.RegByName("cpsr")
		g.Regs().SetReg(r.ID, 0x30)
		state = a.State(g.Regs())
	}
	g.Regs().SetReg(a.PC, steptest.CodeAt)
	return g, state
}

// TestBreakpoints: where breakpoints can be, where not, and that they are hit
// once each time.
func TestBreakpoints(t *testing.T) {
	for _, isa := range isas {
		nops, _ := find(t, 1, "plain3", isa)
		unit := uint64(len(nops.Code) / 4)
		for _, s := range stepper.Strategies {
			t.Run(isa+"/"+s.Name(), func(t *testing.T) {
				ctx := context.Background()
				g, state := bare(t, isa, bytes.Repeat(nops.Code[:unit], steptest.Size/int(unit)))
				b := stepper.NewBreakpoints(g)
				require.ErrorIs(t, b.Insert(1, 0x8000, state), stepper.ErrUnmapped)
				if unit > 1 {
					require.ErrorIs(t, b.Insert(1, steptest.CodeAt+1, state), stepper.ErrMisaligned)
				}
				last := uint64(steptest.CodeAt + steptest.Size)
				last -= max(unit, uint64(len(g.Arch().Break(state))))
				for _, at := range []uint64{steptest.CodeAt, steptest.CodeAt + 8*unit, last} {
					require.NoError(t, b.Insert(1, at, state))
				}
				for _, at := range []uint64{steptest.CodeAt + 8*unit, last} {
					st, err := b.Continue(ctx, s)
					require.NoError(t, err)
					require.Equal(t, stepper.Stop{Why: stepper.Breakpoint, PC: at}, st)
				}
				// Its memory goes: it is forgotten.
				space := g.(*emu.Target).Task().Proc.Space
				_, err := s.Step(ctx, b, stepper.Insn)
				require.NoError(t, err)
				require.NoError(t, space.Unmap(steptest.CodeAt, steptest.Size))
				require.NoError(t, b.Clear())
				v := emu.VMA{Addr: steptest.CodeAt, End: steptest.CodeAt + steptest.Size, Prot: arch.Read | arch.Exec | arch.Write, Flags: emu.MapShared}
				require.NoError(t, space.Map(v))
				require.ErrorIs(t, b.Insert(1, steptest.CodeAt, state), stepper.ErrShared)
			})
		}
	}
}

// TestInside: a breakpoint in the middle of an instruction is refused where the
// decoder can tell.
func TestInside(t *testing.T) {
	for isa, code := range map[string][]byte{"x86_64": {0x90, 0xb8, 1, 0, 0, 0, 0x90}, "thumb": {0, 0xbf, 0x40, 0xf2, 1, 0, 0, 0xbf}} {
		t.Run(isa, func(t *testing.T) {
			g, state := bare(t, isa, code)
			b := stepper.NewBreakpoints(g)
			at := uint64(steptest.CodeAt + 4)
			require.ErrorIs(t, b.Insert(1, at, state), stepper.ErrInside)
			require.NoError(t, b.Insert(1, steptest.CodeAt+uint64(len(code))-uint64(g.Arch().MinInsn), state))
		})
	}
}

// TestAdjacent: breakpoints at neighbouring instructions of a byte are hit one
// after the other, and the PC never goes back to the one before.
func TestAdjacent(t *testing.T) {
	for _, s := range stepper.Strategies {
		t.Run(s.Name(), func(t *testing.T) {
			g, _ := bare(t, "x86_64", bytes.Repeat([]byte{0x90}, 8))
			b := stepper.NewBreakpoints(g)
			for at := uint64(1); at < 5; at++ {
				require.NoError(t, b.Insert(1, steptest.CodeAt+at, 0))
			}
			for at := uint64(1); at < 5; at++ {
				st, err := b.Continue(context.Background(), s)
				require.NoError(t, err)
				require.Equal(t, stepper.Stop{Why: stepper.Breakpoint, PC: steptest.CodeAt + at}, st)
			}
			require.NoError(t, b.Clear())
			now := make([]byte, 8)
			_, err := g.Mem().ReadAt(now, steptest.CodeAt)
			require.NoError(t, err)
			require.Equal(t, bytes.Repeat([]byte{0x90}, 8), now)
		})
	}
}

// TestLongBlock: a block longer than what one look for its end goes over.
func TestLongBlock(t *testing.T) {
	const at, size = 0x100000, 0x18000
	for _, isa := range isas {
		nops, _ := find(t, 1, "plain3", isa)
		jump, _ := find(t, 3, "jump", isa)
		unit := len(nops.Code) / 4
		code := bytes.Repeat(nops.Code[:unit], (size-0x1000)/unit)
		for _, s := range stepper.Strategies {
			t.Run(isa+"/"+s.Name(), func(t *testing.T) {
				g, _ := bare(t, isa, nil)
				space := g.(*emu.Target).Task().Proc.Space
				require.NoError(t, space.Map(emu.VMA{Addr: at, End: at + size, Prot: arch.Read | arch.Write | arch.Exec}))
				_, err := g.Mem().WriteAt(slices.Concat(code, jump.Code), at)
				require.NoError(t, err)
				g.Regs().SetReg(g.Arch().PC, at)
				st, err := s.Step(context.Background(), g, stepper.Block)
				require.NoError(t, err)
				require.Equal(t, stepper.TakenBranch, st.Why)
				require.Greater(t, st.PC, uint64(at+len(code)))
			})
		}
	}
}

// TestSteppingOff: three threads go through a breakpoint at the same time, and
// each hits it each time.
func TestSteppingOff(t *testing.T) {
	for _, isa := range isas {
		for _, s := range stepper.Strategies {
			t.Run(isa+"/"+s.Name(), func(t *testing.T) {
				c, a := find(t, 95, "both-step", isa)
				g, cleanup, err := Make(a, c.Code, c.Args...)
				require.NoError(t, err)
				defer func() { require.NoError(t, cleanup()) }()
				at, ok := c.Symbol("work")
				require.True(t, ok)
				b := stepper.NewBreakpoints(g)
				var state uint8
				if isa == "thumb" {
					state = 1
				}
				require.NoError(t, b.Insert(1, at, state))
				hits := func(ctx context.Context, b *stepper.Breakpoints) (n int, err error) {
					for {
						st, err := b.Continue(ctx, s)
						if err != nil || st.Why == stepper.Exited {
							return n, err
						}
						if st.Why == stepper.Breakpoint && st.PC == at {
							n++
						}
					}
				}
				kids := make(chan int, 2)
				p := g.(steptest.Process)
				p.Follow(func(ctx context.Context, child stepper.Target) error {
					n, err := hits(ctx, b.Thread(child))
					kids <- n
					return err
				})
				n, err := hits(context.Background(), b)
				require.NoError(t, err)
				require.NoError(t, p.Wait())
				require.Equal(t, []int{20, 20, 20}, []int{n, <-kids, <-kids})
			})
		}
	}
}

// TestFaithful: an atomic sequence that is stepped inside succeeds, and fails if
// each stop drops the reservation.
func TestFaithful(t *testing.T) {
	for _, isa := range []string{"arm", "thumb", "aarch64", "ppc", "ppc64"} {
		for _, n := range []stepper.Native{{Split: true}, {Faithful: true}} {
			t.Run(fmt.Sprintf("%s/%v", isa, n.Faithful), func(t *testing.T) {
				c, _ := find(t, 44, "llsc", isa)
				g, _ := bare(t, isa, c.Code)
				for _, v := range c.Set {
					r, _ := g.Arch().RegByName(v.Reg)
					g.Regs().SetReg(r.ID, v.V)
				}
				end := c.Stops[stepper.Block][0] // behind the loop
				rounds := 0
				for range 40 {
					st, err := n.Step(context.Background(), g, stepper.Insn)
					require.NoError(t, err)
					require.Equal(t, stepper.Stepped, st.Why)
					if st.PC == steptest.CodeAt {
						rounds++
					}
					if end == fmt.Sprintf("+%x", st.PC-steptest.CodeAt) {
						break
					}
				}
				require.Equal(t, n.Faithful, rounds > 3, "%d rounds", rounds)
			})
		}
	}
}
