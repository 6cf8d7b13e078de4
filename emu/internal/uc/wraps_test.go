//go:build cgo

package uc

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWraps holds the list of functions that a static library has replaced to
// those that the shim replaces.
func TestWraps(t *testing.T) {
	run := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, "%s %v\n%s", name, args, out)
		return string(out)
	}
	flags := strings.Fields(run("pkg-config", "--cflags", "unicorn"))
	dir := t.TempDir()
	var objects []string
	for _, name := range []string{"shim", "float", "floatx86", "textx86", "vexx86"} {
		o := filepath.Join(dir, name+".o")
		run("gcc", slices.Concat(flags, []string{"-c", "-DUTEMU_STATIC", "-o", o, name + ".c"})...)
		objects = append(objects, o)
	}
	names := func(re, text string) (l []string) {
		for _, m := range regexp.MustCompile(re).FindAllStringSubmatch(text, -1) {
			l = append(l, m[1])
		}
		slices.Sort(l)
		return l
	}
	list, err := os.ReadFile("static_cgo.go")
	require.NoError(t, err)
	want := names(`(?m) T __wrap_(\w+)$`, run("nm", objects...))
	require.Greater(t, len(want), 100)
	require.Equal(t, want, names(`--wrap=(\w+)`, string(list)))
}
