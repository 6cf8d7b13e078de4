//go:build cgo

package uc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// numbers are the constants of package ucnum.
func numbers(t *testing.T) map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), "../ucnum/zucnum.go", nil, 0)
	require.NoError(t, err)
	m := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			m[v.Names[0].Name] = v.Values[0].(*ast.BasicLit).Value
		}
		return true
	})
	return m
}

// Package ucnum has the numbers of the headers that this package is built
// with. The newer library may have added to its list of names, so the last
// number of each is left out.
func TestNumbers(t *testing.T) {
	nums := numbers(t)
	require.Greater(t, len(nums), 1000)
	var b strings.Builder
	b.WriteString("#include <unicorn/unicorn.h>\n")
	for name, v := range nums {
		if strings.HasSuffix(name, "_ENDING") || strings.HasSuffix(name, "_MAX") && strings.HasPrefix(name, "ARCH") {
			continue
		}
		fmt.Fprintf(&b, "_Static_assert((unsigned)UC_%s == %su, \"%s\");\n", name, v, name)
	}
	src := filepath.Join(t.TempDir(), "numbers.c")
	require.NoError(t, os.WriteFile(src, []byte(b.String()), 0o666))
	flags, err := exec.Command("pkg-config", "--cflags", "unicorn").Output()
	require.NoError(t, err)
	args := append([]string{"-fsyntax-only"}, strings.Fields(string(flags))...)
	out, err := exec.Command("gcc", append(args, src)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
