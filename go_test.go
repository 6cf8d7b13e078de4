package utemu_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
)

// TestGo: a program on the runtime of Go prints what it prints natively.
func TestGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := func(goarch, goarm string) string {
		prog := filepath.Join(dir, goarch+goarm)
		cmd := exec.Command("go", "build", "-o", prog, "testdata/go/main.go")
		cmd.Env = append(os.Environ(), "GOARCH="+goarch, "GOARM="+goarm, "CGO_ENABLED=0", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return prog
	}
	want, err := exec.Command(build("amd64", "")).Output()
	require.NoError(t, err)
	for _, target := range []string{"386", "amd64", "arm 5", "arm 7", "arm64", "ppc64"} {
		t.Run(target, func(t *testing.T) {
			goarch, goarm, _ := strings.Cut(target, " ")
			require.Equal(t, string(want)+"status 0\n", libcRun(t, utemu.Config{Path: build(goarch, goarm)}))
		})
	}
}
