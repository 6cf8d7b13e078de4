package utemu_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/internal/oracle"
	"github.com/utemu/utemu/stepper"
)

// oracleTargets are the oracle of each target, and the steps that the short
// form of TestOracle makes under it.
var oracleTargets = []struct {
	target string
	start  func(oracle.Program) (oracle.Process, error)
	steps  uint64
}{
	{"x86_64", oracle.StartNative, 20_000},
	{"i386", oracle.StartNative, 20_000},
	{"arm", oracle.StartQemu, 2_000},
	{"thumb", oracle.StartQemu, 2_000},
	{"aarch64", oracle.StartQemu, 2_000},
	{"ppc", oracle.StartQemu, 2_000},
	{"ppc64", oracle.StartQemu, 2_000},
}

// TestOracle steps programs on static glibc in the emulator and under somebody
// else, side by side. UTEMU_ORACLE is the number of steps that each target has
// to make; programs are stepped until they are made (make oracle).
func TestOracle(t *testing.T) {
	for _, o := range oracleTargets {
		t.Run(o.target, func(t *testing.T) {
			left := o.steps
			if s := os.Getenv("UTEMU_ORACLE"); s != "" {
				var err error
				left, err = strconv.ParseUint(s, 0, 64)
				require.NoError(t, err)
			}
			for _, target := range libcTargets {
				if target.name != o.target {
					continue
				}
				for _, src := range []string{"strings.c", "integer.c", "sorting.c", "stdio.c", "jumps.c", "heap.c", "digests.c"} {
					if left == 0 {
						break
					}
					rep := oracleRun(t, o.start, libcBuild(t, src, target, libcLinks[4]), left)
					left -= rep.Steps
				}
			}
			require.Zero(t, left, "the programs are too short")
		})
	}
}

// oracleRun compares a program, most steps at most.
func oracleRun(t *testing.T, start func(oracle.Program) (oracle.Process, error), path string, most uint64) oracle.Report {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := oracle.NewCapture(nil)
	require.NoError(t, err)
	defer ours.Release()
	args := []string{path, t.TempDir()}
	m, err := utemu.Load(utemu.Config{Path: path, Args: args, Env: libcEnv, Stdin: ours.Files[0], Stdout: ours.Files[1], Stderr: ours.Files[2], Stock: stock})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	p, err := start(oracle.Program{Arch: m.Process().Arch, Model: m.Process().Model.Name, Path: path, Args: args, Env: libcEnv})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	g, err := emu.NewTarget(m.Task())
	require.NoError(t, err)
	rep, d, err := oracle.Compare(t.Context(), g, p, oracle.Config{Strategy: stepper.Native{Split: true}, Max: most})
	require.NoError(t, err, "after %d steps", rep.Steps)
	require.Nil(t, d, "%s, explained %v", d, rep.Explained)
	require.Empty(t, rep.Ended)
	require.Positive(t, rep.Steps)
	t.Logf("%s: %d steps, %d bytes of memory, explained %v", path, rep.Steps, rep.Bytes, rep.Explained)
	return rep
}
