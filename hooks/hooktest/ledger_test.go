package hooktest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every numbered behaviour has a case or a reason, and none has both; what the
// reasons rest on is there.
func TestLedger(t *testing.T) {
	cases := map[int]bool{}
	last := 0
	for _, c := range Cases {
		require.GreaterOrEqual(t, c.N, last, "the cases are not in order")
		last = c.N
		cases[c.N] = true
	}
	for n := 1; n <= behaviours; n++ {
		require.NotEqual(t, cases[n], Ledger[n].Why != "", "behaviour %d: a case, or a reason in the ledger", n)
	}
	for n, a := range Ledger {
		require.True(t, n >= 1 && n <= behaviours && a.Why != "", "ledger row %d", n)
		require.NotEmpty(t, a.Tests, "ledger row %d", n)
		for _, test := range a.Tests {
			file, name, _ := strings.Cut(test, ":")
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(name, "Test") && slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
				fn, ok := d.(*ast.FuncDecl)
				return ok && fn.Name.Name == name
			}), "ledger row %d: %s", n, test)
		}
	}
}
