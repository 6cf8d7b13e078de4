package uc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exported are the exported names that the files hold, methods with their
// type, and the types of their arguments and results.
func exported(t *testing.T, files ...string) map[string]bool {
	names := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			sig := strings.Join(types(fn.Recv), ",") + "." + fn.Name.Name + "(" +
				strings.Join(types(fn.Type.Params), ",") + ")" + strings.Join(types(fn.Type.Results), ",")
			names[sig] = true
		}
	}
	return names
}

func types(l *ast.FieldList) (out []string) {
	if l == nil {
		return nil
	}
	for _, f := range l.List {
		for range max(1, len(f.Names)) {
			out = append(out, text(f.Type))
		}
	}
	return out
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + text(e.X)
	case *ast.ArrayType:
		n := ""
		if l, ok := e.Len.(*ast.BasicLit); ok {
			n = l.Value
		}
		return "[" + n + "]" + text(e.Elt)
	}
	return "?"
}

// A build without cgo has the same functions.
func TestNoneHasAll(t *testing.T) {
	with, err := filepath.Glob("*_cgo.go")
	require.NoError(t, err)
	require.Equal(t, exported(t, with...), exported(t, "uc_none.go"))
}
