package toy_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/toy"
)

// stops are the stops of a program by a strategy up to its end, as
// instruction numbers.
func stops(t *testing.T, c stepper.Target, s stepper.Strategy, m stepper.Mode) (l []string) {
	names := map[stepper.Why]string{stepper.Stepped: "", stepper.TakenBranch: "", stepper.Syscall: "R", stepper.Signal: "S", stepper.Handler: "H", stepper.Exited: "X"}
	for range 1000 {
		st, err := s.Step(context.Background(), c, m)
		require.NoError(t, err)
		name, ok := names[st.Why]
		require.True(t, ok, st.Why.String())
		l = append(l, name+string(rune('0'+(int(st.PC)-toy.CodeAt)/4)))
		if st.Why == stepper.Exited {
			return l
		}
	}
	t.Fatal("the program does not end")
	return nil
}

var programs = map[string]struct {
	code    [][4]byte
	handler uint64
	insn    []string
	block   []string
	any     []string
}{
	"plain": {
		code:  [][4]byte{toy.I(toy.Nop, 0, 0, 0), toy.I(toy.Addi, 0, 0, 3), toy.I(toy.Halt, 0, 0, 0)},
		insn:  []string{"1", "2", "X3"},
		block: []string{"X3"}, any: []string{"X3"},
	},
	"loop": {
		code:  [][4]byte{toy.I(toy.Addi, 0, 0, 2), toy.I(toy.Addi, 0, 0, -1), toy.I(toy.Jz, 0, 0, 2), toy.I(toy.Jmp, 0, 0, -2), toy.I(toy.Halt, 0, 0, 0)},
		insn:  []string{"1", "2", "3", "1", "2", "4", "X5"},
		block: []string{"1", "4", "X5"}, any: []string{"3", "1", "4", "X5"},
	},
	"taken to the next": {
		code:  [][4]byte{toy.I(toy.Jmp, 0, 0, 1), toy.I(toy.Halt, 0, 0, 0)},
		insn:  []string{"1", "X2"},
		block: []string{"1", "X2"}, any: []string{"1", "X2"},
	},
	"call": {
		code:  [][4]byte{toy.I(toy.Call, 0, 0, 3), toy.I(toy.Sys, 0, 0, 0), toy.I(toy.Halt, 0, 0, 0), toy.I(toy.Ret, 0, 0, 0)},
		insn:  []string{"3", "1", "R2", "X3"},
		block: []string{"3", "1", "R2", "X3"}, any: []string{"3", "1", "R2", "X3"},
	},
	"fault": {
		code:    [][4]byte{toy.I(toy.Load, 0, 1, 0), toy.I(toy.Halt, 0, 0, 0), toy.I(toy.Nop, 0, 0, 0), toy.I(toy.Halt, 0, 0, 0)},
		handler: toy.CodeAt + 8,
		insn:    []string{"S0", "H2", "3", "X4"},
		block:   []string{"S0", "H2", "X4"}, any: []string{"S0", "H2", "X4"},
	},
	"own breakpoint": {
		code:    [][4]byte{toy.I(toy.Nop, 0, 0, 0), toy.I(toy.Brk, 0, 0, 0), toy.I(toy.Nop, 0, 0, 0), toy.I(toy.Halt, 0, 0, 0)},
		handler: toy.CodeAt + 12,
		insn:    []string{"1", "S1", "H3", "X4"},
		block:   []string{"S1", "H3", "X4"}, any: []string{"S1", "H3", "X4"},
	},
	"to nowhere": {
		code:    [][4]byte{toy.I(toy.Jmp, 0, 0, -3), toy.I(toy.Halt, 0, 0, 0)},
		handler: toy.CodeAt + 4,
		insn:    []string{"-", "S-", "H1", "X2"},
		block:   []string{"-", "S-", "H1", "X2"}, any: []string{"-", "S-", "H1", "X2"},
	},
}

// TestStrategies: every strategy makes the same stops, and leaves the same
// memory.
func TestStrategies(t *testing.T) {
	for name, p := range programs {
		for _, s := range stepper.Strategies {
			for m, want := range map[stepper.Mode][]string{stepper.Insn: p.insn, stepper.Block: p.block, stepper.BlockAny: p.any} {
				t.Run(name+"/"+m.String()+"/"+s.Name(), func(t *testing.T) {
					c := toy.New(p.code...)
					c.Handler = p.handler
					got := stops(t, c, s, m)
					for k := range want {
						if want[k] == "-" || want[k] == "S-" { // three before the start
							want[k] = want[k][:len(want[k])-1] + "-"
						}
					}
					for k := range got {
						if n := len(got[k]); got[k][n-1] == '0'-3 {
							got[k] = got[k][:n-1] + "-"
						}
					}
					require.Equal(t, want, got)
					fresh := toy.New(p.code...)
					var a, b [0xf00]byte
					_, err := c.ReadAt(a[:], toy.CodeAt)
					require.NoError(t, err)
					_, err = fresh.ReadAt(b[:], toy.CodeAt)
					require.NoError(t, err)
					require.Equal(t, b, a, "a breakpoint is left")
				})
			}
		}
	}
}

// TestSelfBranch: a branch to itself stops after each pass, whatever the
// strategy.
func TestSelfBranch(t *testing.T) {
	for _, s := range stepper.Strategies {
		t.Run(s.Name(), func(t *testing.T) {
			c := toy.New(toy.I(toy.Jmp, 0, 0, 0))
			for range 3 {
				st, err := s.Step(context.Background(), c, stepper.Insn)
				require.NoError(t, err)
				require.Equal(t, stepper.Stop{Why: stepper.Stepped, PC: toy.CodeAt, Taken: st.Taken}, st)
			}
		})
	}
}

// TestNoStep: a strategy that the target cannot carry out is refused, and
// nothing runs.
func TestNoStep(t *testing.T) {
	for _, s := range stepper.Strategies {
		c := toy.New(toy.I(toy.Nop, 0, 0, 0))
		c.Without = stepper.CanInsns | stepper.CanStops | stepper.CanEvents | stepper.CanSlots
		require.False(t, s.Supports(c, stepper.Insn))
		_, err := s.Step(context.Background(), c, stepper.Insn)
		require.ErrorIs(t, err, stepper.ErrNoStep)
		require.Zero(t, c.Ran)
		require.EqualValues(t, toy.CodeAt, c.Reg(toy.PC))
	}
}

func TestBreakpoints(t *testing.T) {
	const at = toy.CodeAt + 8
	program := [][4]byte{toy.I(toy.Addi, 0, 0, 1), toy.I(toy.Nop, 0, 0, 0), toy.I(toy.Addi, 1, 1, 1), toy.I(toy.Jmp, 0, 0, -3)}
	for _, s := range stepper.Strategies {
		t.Run(s.Name(), func(t *testing.T) {
			ctx := context.Background()
			c := toy.New(program...)
			b := stepper.NewBreakpoints(c)
			require.ErrorIs(t, b.Insert("a", at+2, 0), stepper.ErrMisaligned)
			require.ErrorIs(t, b.Insert("a", 0x2000, 0), stepper.ErrUnmapped)
			require.NoError(t, b.Insert("a", at, 0))
			require.NoError(t, b.Insert("b", at, 0))
			var seen, real [4]byte
			_, err := b.Mem().ReadAt(seen[:], at)
			require.NoError(t, err)
			require.Equal(t, program[2], seen, "the owner sees a breakpoint")
			for n := range uint64(3) {
				st, err := b.Continue(ctx, s)
				require.NoError(t, err)
				require.Equal(t, stepper.Stop{Why: stepper.Breakpoint, PC: at}, st)
				require.Equal(t, n, c.Reg(toy.R0+1), "the instruction has run")
			}
			// Onto it, and off it: no hit.
			for k, want := range []uint64{at + 4, toy.CodeAt, toy.CodeAt + 4, at, at + 4} {
				st, err := s.Step(ctx, b, stepper.Insn)
				require.NoError(t, err)
				require.Equal(t, want, st.PC, "step %d", k)
				require.Equal(t, stepper.Stepped, st.Why)
			}
			require.NoError(t, b.Remove("a", at))
			require.ErrorIs(t, b.Remove("a", at), stepper.ErrNotThere)
			st, err := b.Continue(ctx, s)
			require.NoError(t, err)
			require.Equal(t, stepper.Breakpoint, st.Why)
			// Overwritten by the program: its bytes stay.
			_, err = c.WriteAt([]byte{toy.Nop, 0, 0, 0}, at)
			require.NoError(t, err)
			require.NoError(t, b.Remove("b", at))
			_, err = c.ReadAt(real[:], at)
			require.NoError(t, err)
			require.Equal(t, [4]byte{}, real)
		})
	}
}
