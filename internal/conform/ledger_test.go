package conform

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper/steptest"
	"github.com/utemu/utemu/syscalls"
)

// cased are the scenarios that have cases, with the instruction sets of those.
func cased() map[int][]string {
	have := map[int][]string{}
	for _, c := range steptest.Cases() {
		for _, no := range append([]int{c.No}, c.Also...) {
			if !slices.Contains(have[no], c.ISA) {
				have[no] = append(have[no], c.ISA)
			}
		}
	}
	return have
}

// TestLedger: every scenario of the catalogue has a case or a reason why not,
// and not both; what the reasons rest on is there.
func TestLedger(t *testing.T) {
	have := cased()
	for _, s := range steptest.Skips {
		require.Empty(t, have[s.No], "scenario %d has a case: its skip is stale", s.No)
		require.Equal(t, steptest.Names[s.No-1], s.Name)
		require.NotEmpty(t, s.Reason, "scenario %d", s.No)
		require.NotEmpty(t, s.Tests, "scenario %d", s.No)
		for _, test := range s.Tests {
			file, name, _ := strings.Cut(test, ":")
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
				fn, ok := d.(*ast.FuncDecl)
				return ok && fn.Name.Name == name
			}), "scenario %d: %s", s.No, test)
		}
		have[s.No] = []string{"skipped"}
	}
	for no := 1; no <= len(steptest.Names); no++ {
		require.NotEmpty(t, have[no], "scenario %d has neither case nor skip", no)
	}
	require.Len(t, have, len(steptest.Names))
}

// TestCatalogue: the catalogue of docs/semantics.md has the suite's numbers and
// names, and every case is one of its scenarios.
func TestCatalogue(t *testing.T) {
	b, err := os.ReadFile("../../docs/semantics.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(b), "\n## Catalogue\n")
	require.True(t, ok)
	var names []string
	for l := range strings.Lines(table) {
		f := strings.Split(l, "|")
		if no, err := strconv.Atoi(strings.TrimSpace(f[min(1, len(f)-1)])); err == nil {
			require.Equal(t, len(names)+1, no)
			require.Len(t, f, 5, l)
			names = append(names, strings.TrimSpace(f[2]))
		}
	}
	require.Equal(t, steptest.Names[:], names)
	for _, c := range steptest.Cases() {
		for _, no := range append([]int{c.No}, c.Also...) {
			require.True(t, 1 <= no && no <= len(names), c.ID())
		}
	}
}

// TestAbsent: what the ledger says is not here is not.
func TestAbsent(t *testing.T) {
	for _, a := range archs.All {
		for _, r := range a.Regs[:a.Core] {
			require.True(t, a.Word == 8 || r.Bits <= 32, "30: %s of %s", r.Name, a.Name)
		}
		require.NotContains(t, []int{8, 243}, int(a.Machine), "32, 104: MIPS and RISC-V")
		for _, e := range syscalls.List(a) {
			require.True(t, e.Name != "rseq" || e.Level == syscalls.None, "54: rseq of %s", a.Name)
		}
	}
}

// TestStatus: docs/status.md is what the suite has. With UTEMU_UPDATE=1 it is
// written.
func TestStatus(t *testing.T) {
	const file = "../../docs/status.md"
	if os.Getenv("UTEMU_UPDATE") == "1" {
		require.NoError(t, os.WriteFile(file, []byte(status()), 0o644))
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, status(), string(b), "make status writes it anew")
}

func status() string {
	var b strings.Builder
	b.WriteString("# State of stepping\n\nThe scenarios of [semantics.md](semantics.md) by instruction set. Each x is a case that all four strategies pass\n" +
		"in all modes that it has stops for. The file is written by `make status`.\n\n")
	isas := []string{"i386", "x86_64", "arm", "thumb", "aarch64", "ppc", "ppc64"}
	fmt.Fprintf(&b, "| no. | scenario | %s |\n|---|---|%s\n", strings.Join(isas, " | "), strings.Repeat("---|", len(isas)))
	have := cased()
	for no := 1; no <= len(steptest.Names); no++ {
		if have[no] == nil {
			continue
		}
		fmt.Fprintf(&b, "| %d | %s |", no, steptest.Names[no-1])
		for _, i := range isas {
			mark := " |"
			if slices.Contains(have[no], i) {
				mark = " x |"
			}
			b.WriteString(mark)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nScenarios without a case of the suite:\n\n| no. | scenario | why | tests |\n|---|---|---|---|\n")
	for _, s := range steptest.Skips {
		var tests []string
		for _, t := range s.Tests {
			_, name, _ := strings.Cut(t, ":")
			tests = append(tests, name)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", s.No, s.Name, s.Reason, strings.Join(tests, ", "))
	}
	return b.String()
}
