package conform

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// words are the instructions of an instruction set's cases, as bytes.
func words(t testing.TB, isa string) (l [][]byte, a *arch.Arch) {
	c, a := find(t, 1, "plain3", isa)
	g, cleanup, err := Make(a, c.Code)
	require.NoError(t, err)
	defer func() { require.NoError(t, cleanup()) }()
	if isa == "thumb" {
		r, _ := a.RegByName("cpsr")
		g.Regs().SetReg(r.ID, 0x30)
	}
	for k := range steptest.Cases() {
		c := &steptest.Cases()[k]
		if c.ISA != isa || c.Args != nil || c.SMC || len(c.Code) > steptest.Size/2 {
			continue
		}
		_, err := g.Mem().WriteAt(append(bytes.Clone(c.Code), make([]byte, 16)...), steptest.CodeAt)
		require.NoError(t, err)
		for at := uint64(steptest.CodeAt); at < steptest.CodeAt+uint64(len(c.Code)); {
			i, err := a.Decode(g.Regs(), g.Mem(), at)
			if err != nil {
				break
			}
			if !i.Is(arch.IsTime) {
				l = append(l, bytes.Clone(i.Bytes()))
			}
			at = i.End()
		}
	}
	return l, a
}

// contest steps the same code by all strategies and compares stops, registers
// and memory.
func contest(t testing.TB, isa string, a *arch.Arch, code []byte, m stepper.Mode) {
	var cs []stepper.Contestant
	for _, s := range stepper.Strategies {
		g, cleanup, err := Make(a, code)
		require.NoError(t, err)
		defer func() { require.NoError(t, cleanup()) }()
		g.Regs().SetReg(a.PC, steptest.CodeAt)
		if isa == "thumb" {
			r, _ := a.RegByName("cpsr")
			g.Regs().SetReg(r.ID, 0x30)
		}
		cs = append(cs, stepper.Contestant{Name: s.Name(), Target: g, Strategy: s})
	}
	_, d, err := stepper.Compare(context.Background(), m, 40, cs, nil, nil)
	require.NoError(t, err)
	require.Nil(t, d, "%s % x", isa, code)
	for at, size := range map[uint64]int{steptest.CodeAt: steptest.Size, steptest.DataAt: steptest.Size, steptest.StackAt: steptest.Size} {
		want, now := make([]byte, size), make([]byte, size)
		_, err := cs[0].Target.Mem().ReadAt(want, at)
		require.NoError(t, err)
		for _, c := range cs[1:] {
			_, err := c.Target.Mem().ReadAt(now, at)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, now), "%s by %s: memory at %#x", isa, c.Name, at)
		}
	}
}

// FuzzAgree: short programs of random instructions make the same stops, and
// leave the same registers and memory, by all strategies.
func FuzzAgree(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	pool, arches := map[string][][]byte{}, map[string]*arch.Arch{}
	for _, isa := range isas {
		pool[isa], arches[isa] = words(f, isa)
		require.Greater(f, len(pool[isa]), 50)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, isa := range isas {
			var code []byte
			for range 3 + r.IntN(12) {
				code = append(code, pool[isa][r.IntN(len(pool[isa]))]...)
			}
			contest(t, isa, arches[isa], code, stepper.Mode(seed%3))
		}
	})
}

// goldens are programs whose stops are in files: those of the suite by the
// number of their scenario, and with 0 those of testdata/bins, which have no
// Thumb.
var goldens = []struct {
	no   int
	name string
}{
	{72, "exec"}, {80, "pending"}, {82, "longjmp"}, {83, "nested"}, {84, "alternate-stack"}, {85, "repaired"}, {90, "unmapped"},
	{0, "hello"}, {0, "exitcode"},
}

// TestGolden: the stops of programs are those of the files, whatever the
// strategy. With UTEMU_UPDATE=1 the files are written, by the native one.
func TestGolden(t *testing.T) {
	update := os.Getenv("UTEMU_UPDATE") == "1"
	for _, isa := range isas {
		for _, p := range goldens {
			if p.no == 0 && isa == "thumb" {
				continue
			}
			for m := stepper.Insn; m <= stepper.Block; m++ {
				file := filepath.Join("../../testdata/traces", isa, p.name+"."+m.String()+".trace")
				for k, s := range stepper.Strategies {
					t.Run(isa+"/"+p.name+"/"+m.String()+"/"+s.Name(), func(t *testing.T) {
						got := golden(t, isa, p.no, p.name, s, m)
						if update && k == 0 {
							require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
							require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
						}
						want, err := os.ReadFile(file)
						require.NoError(t, err)
						if got != string(want) {
							t.Error(firstDifference(string(want), got))
						}
					})
				}
			}
		}
	}
}

// firstDifference are the first lines that differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for k := range w {
		if k >= len(g) || w[k] != g[k] {
			return fmt.Sprintf("line %d: want %q, got %q", k+1, w[k], strings.Join(g[min(k, len(g)):min(k+1, len(g))], ""))
		}
	}
	return fmt.Sprintf("%d lines too many", len(g)-len(w))
}

// golden is the trace of a case that is a program, a line for a stop: where it
// is, and why unless it is the end of a step.
func golden(t *testing.T, isa string, no int, name string, s stepper.Strategy, m stepper.Mode) string {
	if no == 0 {
		return goldenBin(t, isa, name, s, m)
	}
	c, a := find(t, no, name, isa)
	return traced(t, c, a, name, s, m)
}

// goldenBin is golden for a program of testdata/bins.
func goldenBin(t *testing.T, isa, name string, s stepper.Strategy, m stepper.Mode) string {
	image, err := os.ReadFile(filepath.Join("../../testdata/bins", isa, name))
	require.NoError(t, err)
	_, a := find(t, 1, "plain3", isa)
	return traced(t, &steptest.Case{ISA: isa, Code: image, Events: "X0"}, a, name, s, m)
}

// traced steps a program and writes its trace.
func traced(t *testing.T, c *steptest.Case, a *arch.Arch, name string, s stepper.Strategy, m stepper.Mode) string {
	g, cleanup, err := Make(a, c.Code, c.Args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, cleanup()) }()
	var b strings.Builder
	fmt.Fprintf(&b, "utemu-trace 1 %s %s %s\n", c.ISA, name, m)
	_, err = c.Trace(context.Background(), g, s, m, func(st stepper.Stop) {
		b.WriteString(c.Where(st.PC))
		if st.Why != stepper.Stepped && st.Why != stepper.TakenBranch {
			b.WriteString(" " + st.Why.String())
		}
		if st.Signo != 0 {
			fmt.Fprintf(&b, " %d", st.Signo)
		}
		b.WriteString("\n")
	})
	require.NoError(t, err)
	return b.String()
}
