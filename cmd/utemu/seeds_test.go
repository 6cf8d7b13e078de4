package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/internal/testsig"
)

// TestMain makes the test's program the command that it tests for the runs
// that --seeds makes.
func TestMain(m *testing.M) {
	if os.Getenv("UTEMU_TEST_COMMAND") == "1" {
		os.Exit(run(context.Background(), os.Args[1:]))
	}
	testsig.Defaults()
	os.Exit(m.Run())
}

// seedsCommand runs a command line and returns what it prints and its status.
func seedsCommand(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	var st exitStatus
	if err != nil {
		require.ErrorAs(t, err, &st)
	}
	return out.String(), int(st)
}

// TestSeeds: lost updates of a counter without a lock are found and can be
// repeated; nothing is found where there is a lock.
func TestSeeds(t *testing.T) {
	t.Setenv("UTEMU_TEST_COMMAND", "1")
	bin := filepath.Join(t.TempDir(), "counter")
	text, err := exec.Command("powerpc-linux-gnu-gcc", "-O1", "-static", "-pthread", "-o", bin, "../../testdata/schedule/counter.c").CombinedOutput()
	require.NoError(t, err, "%s", text)

	out, st := seedsCommand(t, "run", "--seeds", "8", bin, "locked", "50")
	require.Equal(t, "8 seeds agree: exit status 0\n", out)
	require.Zero(t, st)

	// So few rounds that not all seeds lose the same number of updates.
	out, st = seedsCommand(t, "run", "--seeds=12", "-E", "A=b c", bin, "racy", "100")
	require.Equal(t, 1, st, out)
	require.Regexp(t, `^\d+ of 12 seeds agree: exit status [01]\n\nother with seed \d`, out)
	again := regexp.MustCompile(`(?s)\n  output, line 1:\n    - "(.*?)"\n    \+ "(.*?)"\n  again: utemu run (--deterministic=\d+) --env='A=b c'`).FindStringSubmatch(
		strings.ReplaceAll(out, `'--env=A=b c'`, `--env='A=b c'`))
	require.NotNil(t, again, out)
	require.NotEqual(t, again[1], again[2])
	self, err := os.Executable()
	require.NoError(t, err)
	got, err := exec.Command(self, "run", again[3], bin, "racy", "100").Output()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	require.Equal(t, again[2]+"\n", string(got))
}

// TestSeedFlag: what is no seed is a mistake.
func TestSeedFlag(t *testing.T) {
	bin, err := filepath.Abs("../../testdata/bins/arm/exitcode")
	require.NoError(t, err)
	for _, args := range [][]string{{"--deterministic=x"}, {"--deterministic=-1"}, {"--seeds", "0"}, {"--seeds", "many"}} {
		require.Equal(t, exitUsage, run(context.Background(), append(append([]string{"run"}, args...), bin, "0")), args)
	}
	require.Equal(t, 7, run(context.Background(), []string{"run", "--deterministic", bin, "7"}))
	require.Equal(t, 7, run(context.Background(), []string{"strace", "--deterministic=0x10", "-o", os.DevNull, bin, "7"}))
}
