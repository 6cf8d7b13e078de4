package utemu_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// stepTarget loads a program as a target for steps.
func stepTarget(t testing.TB, path string, args ...string) (*emu.Target, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	m, err := utemu.Load(utemu.Config{Path: path, Args: append([]string{path}, args...), Env: libcEnv,
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Stock: stock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	g, err := emu.NewTarget(m.Task())
	require.NoError(t, err)
	return g, &out
}

// TestNextPC holds what Next predicts against what the CPU does, instruction
// by instruction over programs on glibc.
func TestNextPC(t *testing.T) {
	steps := 1_000_000
	if testing.Short() {
		steps = 100_000
	}
	for _, target := range libcTargets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			left := steps
			for _, src := range []string{"strings.c", "sorting.c", "jumps.c", "locale.c", "stdio.c"} {
				g, _ := stepTarget(t, libcBuild(t, src, target, libcLinks[4]), t.TempDir())
				left -= predictions(t, g, left)
				if left <= 0 {
					return
				}
			}
			t.Errorf("the programs are too short by %d instructions", left)
		})
	}
}

// predictions steps a program and checks each prediction; it returns how many.
func predictions(t *testing.T, g *emu.Target, most int) (n int) {
	a := g.Arch()
	ctx := context.Background()
	var dst []arch.Dest
	for n < most {
		i, err := a.Insn(g.Regs(), g.Mem())
		if err == nil {
			dst, err = a.Next(i, g.Regs(), g.Mem(), dst[:0])
		}
		if err != nil || len(dst) > 2 {
			t.Fatalf("%d: %#x: % x: %+v, %v", n, i.PC, i.Bytes(), dst, err)
		}
		st, err := stepper.Native{Split: true}.Step(ctx, g, stepper.Insn)
		require.NoError(t, err)
		if st.Why == stepper.Exited {
			return n
		}
		if st.Why != stepper.Stepped {
			require.NotZero(t, i.Class&(arch.IsSyscall|arch.IsTrap)|arch.Class(st.Signo), "%v", st)
			continue
		}
		n++
		if !slices.ContainsFunc(dst, func(d arch.Dest) bool { return d.PC == st.PC && (a.State == nil || d.State == a.State(g.Regs())) }) {
			t.Fatalf("%d: %#x: % x leads to %#x, predicted %+v", n, i.PC, i.Bytes(), st.PC, dst)
		}
	}
	return n
}

// TestCacheHolds: what a target's cache has of the next instruction is what
// decoding it anew gives, in programs that change their code, and where we do.
func TestCacheHolds(t *testing.T) {
	for _, a := range utemu.Arches() {
		for _, name := range []string{"selfmod", "smc", "selfmod-thumb", "loops", "loops-thumb"} {
			path := filepath.Join("testdata/bins", a.Name, name)
			if _, err := os.Stat(path); err != nil && strings.HasSuffix(name, "-thumb") && a.BreakIT == nil {
				continue
			}
			t.Run(a.Name+"/"+name, func(t *testing.T) {
				g, _ := stepTarget(t, path)
				same := func() {
					want, err := a.Insn(g.Regs(), g.Mem())
					if err != nil {
						return
					}
					got, err := g.Cache().Here(g)
					require.NoError(t, err)
					require.Equal(t, want, *got)
				}
				known := 0
				for n := range 3000 {
					same()
					if g.Cache().Code != 0 {
						known++
					}
					if at := g.Regs().Reg(a.PC); n%97 == 96 {
						code := a.Break(0)
						old := make([]byte, len(code))
						_, err := g.Mem().ReadAt(old, at)
						require.NoError(t, err)
						for _, b := range [][]byte{code, old} {
							_, err = g.Mem().WriteAt(b, at)
							require.NoError(t, err)
							same()
						}
					}
					st, err := stepper.Native{Split: true}.Step(t.Context(), g, stepper.Insn)
					require.NoError(t, err)
					if st.Why == stepper.Exited {
						break
					}
				}
				require.Equal(t, !stock, known != 0)
			})
		}
	}
}
