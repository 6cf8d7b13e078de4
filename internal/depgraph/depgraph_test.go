// Package depgraph keeps the import rules of the module by a test.
package depgraph

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/utemu/utemu"

//go:embed rules.txt
var rules string

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	CgoFiles                           []string
}

// parse returns the row of each package and those that may hold cgo.
func parse(text string) (rows map[string]int, cgo map[string]bool) {
	rows, cgo = map[string]int{}, map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "cgo" {
			for _, p := range f[1:] {
				cgo[p] = true
			}
			continue
		}
		for _, p := range f {
			rows[p] = i
		}
	}
	return rows, cgo
}

// local is a package's path inside the module, "" for another module's.
func local(p string) string {
	if p == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(p, module+"/"); ok {
		return rest
	}
	return ""
}

func list(t *testing.T) []pkg {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,CgoFiles", "./...")
	cmd.Dir = path.Join("..", "..")
	out, err := cmd.Output()
	require.NoError(t, err)
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
}

// violations are the imports of p that the rules do not allow.
func violations(p pkg, rows map[string]int, cgo map[string]bool) (bad []string) {
	name := local(p.ImportPath)
	row, ok := rows[name]
	if !ok {
		return []string{name + " is in no row of rules.txt"}
	}
	for _, imp := range p.Imports {
		if l := local(imp); l != "" {
			if r, ok := rows[l]; !ok || r >= row {
				bad = append(bad, name+" imports "+l)
			}
		}
	}
	if len(p.CgoFiles) > 0 && !cgo[name] {
		bad = append(bad, name+" holds cgo")
	}
	return bad
}

func TestImports(t *testing.T) {
	rows, cgo := parse(rules)
	pkgs := list(t)
	require.Greater(t, len(pkgs), 10)
	for _, p := range pkgs {
		require.Empty(t, violations(p, rows, cgo))
	}
}

// TestViolations shows that the check can fail.
func TestViolations(t *testing.T) {
	rows, cgo := parse(rules)
	for name, p := range map[string]pkg{
		"up":     {ImportPath: module + "/regset", Imports: []string{module + "/emu"}},
		"same":   {ImportPath: module + "/syscalls", Imports: []string{module + "/internal/symbolize"}},
		"no row": {ImportPath: module + "/nowhere"},
		"cgo":    {ImportPath: module + "/emu", CgoFiles: []string{"x.go"}},
	} {
		t.Run(name, func(t *testing.T) { require.NotEmpty(t, violations(p, rows, cgo)) })
	}
	require.Empty(t, violations(pkg{ImportPath: module + "/emu", Imports: []string{"fmt", module + "/stepper"}}, rows, cgo))
}
