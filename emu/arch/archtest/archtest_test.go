package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDropped(t *testing.T) {
	for name, want := range map[string]bool{
		"regs.go": false, "regs_arm.go": true, "regs_arm_test.go": true, "arm.go": false, "x_linux.go": true,
		"decode_ppc64.go": true, "arch_test.go": false, "linux_arm64.go": true, "step_hw.go": false, "a_386.go": true,
	} {
		require.Equal(t, want, Dropped(name), name)
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	m.Map(0x1000, make([]byte, 8))
	n, err := m.WriteAt([]byte{1, 2, 3}, 0x1004)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	var b [4]byte
	n, err = m.ReadAt(b[:], 0x1006)
	require.Error(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, [4]byte{3}, b)
}

// The commands that the guide for porters gives have something to run.
func TestPortingGuide(t *testing.T) {
	const root = "../../.."
	guide, err := os.ReadFile(filepath.Join(root, "docs/porting.md"))
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^    .*go test (\./?\S*)(?: -run '?([^'\n]+))?`).FindAllStringSubmatch(string(guide), -1)
	require.Greater(t, len(commands), 10)
	for _, c := range commands {
		dir := filepath.Join(root, strings.ReplaceAll(c[1], "FAMILY", "arm64"))
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		var tests strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			tests.Write(b)
		}
		require.NotZero(t, tests.Len(), c[0])
		name, _, _ := strings.Cut(c[2], "/")
		for _, n := range strings.Split(name, "|") {
			if n == "" {
				n = "Test"
			}
			require.Regexp(t, `(?m)^func `+n, tests.String(), c[0])
		}
	}
}
