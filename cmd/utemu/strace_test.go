package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/syscalls/strace"
)

// straceOptions are the options that a command line makes.
func straceOptions(t *testing.T, args ...string) (*straceFlags, strace.Options, error) {
	t.Helper()
	f, fs := &straceFlags{}, pflag.NewFlagSet("strace", pflag.ContinueOnError)
	f.define(fs)
	require.NoError(t, fs.Parse(args))
	o, err := f.options()
	return f, o, err
}

// TestStraceOptions is of the options that strace has, in its notation.
func TestStraceOptions(t *testing.T) {
	for line, check := range map[string]func(t *testing.T, o strace.Options){
		"": func(t *testing.T, o strace.Options) {
			require.Equal(t, 32, o.Strings)
			require.Equal(t, 40, o.Align)
			require.True(t, o.Exits)
			require.True(t, o.Trace.Has("read"))
			require.True(t, o.Abbrev.Has("fstat"))
			require.Equal(t, strace.AllStatuses, o.Statuses)
			require.Nil(t, o.Summary)
		},
		"-f -tt -T -r -i -n": func(t *testing.T, o strace.Options) {
			require.True(t, o.Follow && o.Spent && o.Since && o.PC && o.Number)
			require.Equal(t, 2, o.Stamp)
			require.False(t, o.File)
		},
		"-ff -o x -tttt": func(t *testing.T, o strace.Options) {
			require.True(t, o.Follow && o.File)
			require.Equal(t, 3, o.Stamp)
		},
		"-s 8 -a 60 -xx -yy": func(t *testing.T, o strace.Options) {
			require.Equal(t, [4]int{8, 60, 2, 2}, [4]int{o.Strings, o.Align, o.Hex, o.Paths})
		},
		"-P /dev/null -P x": func(t *testing.T, o strace.Options) { require.Equal(t, []string{"/dev/null", "x"}, o.Files) },
		"-v":                func(t *testing.T, o strace.Options) { require.False(t, o.Abbrev.Has("fstat")) },
		"-X raw":            func(t *testing.T, o strace.Options) { require.Equal(t, strace.ConstsRaw, o.Consts) },
		"-X verbose":        func(t *testing.T, o strace.Options) { require.Equal(t, strace.ConstsVerbose, o.Consts) },
		"-z":                func(t *testing.T, o strace.Options) { require.Equal(t, strace.Successful, o.Statuses) },
		"-Z":                func(t *testing.T, o strace.Options) { require.Equal(t, strace.Failed, o.Statuses) },
		"-q":                func(t *testing.T, o strace.Options) { require.True(t, o.Exits && !o.Attached) },
		"-q -q":             func(t *testing.T, o strace.Options) { require.False(t, o.Exits) },
		"-e quiet=attach":   func(t *testing.T, o strace.Options) { require.True(t, o.Exits && !o.Attached) },
		"-e quiet=exit":     func(t *testing.T, o strace.Options) { require.False(t, o.Exits) },
		"-e trace=%file":    func(t *testing.T, o strace.Options) { require.True(t, o.Trace.Has("openat") && !o.Trace.Has("read")) },
		"-e openat,close":   func(t *testing.T, o strace.Options) { require.True(t, o.Trace.Has("close") && !o.Trace.Has("read")) },
		"-e trace=!write":   func(t *testing.T, o strace.Options) { require.True(t, o.Trace.Has("read") && !o.Trace.Has("write")) },
		"--trace=!write --status=failed": func(t *testing.T, o strace.Options) {
			require.True(t, o.Trace.Has("read") && !o.Trace.Has("write"))
			require.Equal(t, strace.Failed, o.Statuses)
		},
		"-qq -y -y --seccomp-bpf": func(t *testing.T, o strace.Options) { require.True(t, !o.Exits && o.Paths == 2) },
		"--quiet=exit":            func(t *testing.T, o strace.Options) { require.False(t, o.Exits) },
		"--decode-fds=path":       func(t *testing.T, o strace.Options) { require.Equal(t, 1, o.Paths) },
		"-e t=read":               func(t *testing.T, o strace.Options) { require.True(t, o.Trace.Has("read") && !o.Trace.Has("write")) },
		"-e raw=read":             func(t *testing.T, o strace.Options) { require.True(t, o.Raw.Has("read") && !o.Raw.Has("write")) },
		"-e verbose=none":         func(t *testing.T, o strace.Options) { require.False(t, o.Decode.Has("read")) },
		"-e signal=SIGINT,term":   func(t *testing.T, o strace.Options) { require.True(t, o.Signals[2] && o.Signals[15] && !o.Signals[11]) },
		"-e signal=!segv":         func(t *testing.T, o strace.Options) { require.True(t, o.Signals[2] && !o.Signals[11]) },
		"-e signal=none":          func(t *testing.T, o strace.Options) { require.False(t, o.Signals[2]) },
		"-e status=failed":        func(t *testing.T, o strace.Options) { require.Equal(t, strace.Failed, o.Statuses) },
		"-e read=0 -e write=1,2": func(t *testing.T, o strace.Options) {
			require.True(t, o.Read.Has(0) && o.Write.Has(2) && !o.Write.Has(0))
		},
		"-e decode-fds=path": func(t *testing.T, o strace.Options) { require.Equal(t, 1, o.Paths) },
		"-c": func(t *testing.T, o strace.Options) {
			require.True(t, o.Quiet)
			require.Equal(t, "time", o.Summary.SortBy)
		},
		"-C -w -S calls -U name,errors": func(t *testing.T, o strace.Options) {
			require.True(t, !o.Quiet && o.Wall)
			require.Equal(t, "calls", o.Summary.SortBy)
			require.Equal(t, []string{"name", "errors"}, o.Summary.Columns)
		},
	} {
		t.Run(line, func(t *testing.T) {
			_, o, err := straceOptions(t, strings.Fields(line)...)
			require.NoError(t, err)
			check(t, o)
		})
	}
}

// TestStraceMistakes: what is wrong is named.
func TestStraceMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"-s -1":                "-s",
		"-X some":              `"some"`,
		"-z -Z":                "-z and -Z",
		"-c -C":                "-c and -C",
		"-c -S size":           "size",
		"-c -U size":           "size",
		"-e trace=nosuchcall":  "nosuchcall",
		"-e trace=%nosuch":     "nosuch",
		"-e nosuch=read":       `"nosuch"`,
		"-e signal=SIGNOTHING": "SIGNOTHING",
		"-e status=some":       "some",
		"-e quiet=some":        "some",
		"-e decode-fds=some":   "some",
		"-e read=x":            "x",
	} {
		_, _, err := straceOptions(t, strings.Fields(line)...)
		require.ErrorContains(t, err, want, line)
	}
}

// TestStraceEnvironment: -E sets and removes.
func TestStraceEnvironment(t *testing.T) {
	t.Setenv("GONE", "1")
	f, _, err := straceOptions(t, "-E", "A=b", "-E", "GONE")
	require.NoError(t, err)
	f.environment()
	env := strings.Join(f.environ(), "\n")
	require.Contains(t, env, "A=b")
	require.NotContains(t, env, "GONE")
}

// TestStraceCommand runs the command: the trace is in the file, and our status
// is the program's.
func TestStraceCommand(t *testing.T) {
	bin, err := filepath.Abs("../../testdata/bins/arm/exitcode")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "trace")
	require.Equal(t, 7, run(context.Background(), []string{"strace", "-o", file, bin, "7"}))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(b), "= ?\n+++ exited with 7 +++\n"), string(b))

	require.Equal(t, 128+11, run(context.Background(), []string{"strace", "-A", "-o", file, filepath.Join(filepath.Dir(bin), "fault"), "read"}))
	b, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(b), "+++ exited with 7 +++\nexecve(")
	require.Contains(t, string(b), "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---\n+++ killed by SIGSEGV +++\n")

	for _, args := range [][]string{{"strace"}, {"strace", "-z", "-Z", bin}, {"strace", "--nosuch", bin}, {"arch", "arm", "ppc"}, {"syscalls", "arm"}} {
		require.Equal(t, exitUsage, run(context.Background(), args), args)
	}
	require.Equal(t, exitFailed, run(context.Background(), []string{"strace", "-ff", "-o", "|cat", bin}))
}
