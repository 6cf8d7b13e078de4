package strace

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/internal/gen/cross"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// program is a case of testdata/bins/CASES.
type program struct {
	name, arches string
	args         []string // with the program first
}

func programs(t *testing.T) (list []program) {
	b, err := os.ReadFile(filepath.Join(bins, "CASES"))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if line[0] == '#' || len(f) < 3 {
			continue
		}
		list = append(list, program{f[0], f[1], f[2:]})
	}
	require.NotEmpty(t, list)
	return list
}

// trace runs a guest program under a Tracer, in an empty folder.
func trace(t *testing.T, path string, args []string, set func(o *Options)) string {
	t.Helper()
	t.Chdir(t.TempDir())
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	m, err := utemu.Load(utemu.Config{Path: path, Args: args, Env: []string{"K=V"}, Stdin: null, Stdout: null, Stderr: null})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	o, w := DefaultOptions(), &writes{}
	if set != nil {
		set(&o)
	}
	tr := NewTracer(o, NewOutput(w))
	k := m.Task()
	k.SetTracer(tr)
	tr.Started(k, path, args, 1)
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	tr.Ended(k, st)
	require.NoError(t, tr.Close())
	return w.String()
}

// native runs a program under the host's strace, in an empty folder.
func native(t *testing.T, path string, args []string, options ...string) string {
	t.Helper()
	tool, err := exec.LookPath("strace")
	require.NoError(t, err, "strace is one of the packages that internal/setup/setup.sh installs for tests")
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(tool, append(append([]string{"-o", out}, options...), append([]string{path}, args[1:]...)...)...)
	cmd.Dir, cmd.Env = dir, []string{"K=V"}
	msg, err := cmd.CombinedOutput()
	require.NotContains(t, string(msg), "ptrace", "strace cannot trace here: the machine or its container forbids ptrace(2), which this test needs")
	b, err2 := os.ReadFile(out)
	require.NoError(t, err2, "%v: %s", err, msg)
	require.NotEmpty(t, b, "%v: %s", err, msg)
	return string(b)
}

// volatile is what differs from one run of a program to the next.
var volatile = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`0x[0-9a-f]{5,16}\b`), "ADDRESS"},
	{regexp.MustCompile(`^(getp?pid|gettid|set_tid_address)\(.*`), "$1"},
	{regexp.MustCompile(`\b((?:t?g?kill)\()\d+(, \d+)?`), "${1}PID"},
	{regexp.MustCompile(`\b(rt_sigqueueinfo\()\d+`), "${1}PID"},
	{regexp.MustCompile(`^((?:clone|wait4)\(.* = )\d+$`), "${1}PID"},
	{regexp.MustCompile(`si_pid=\d+`), "si_pid=PID"},
	{regexp.MustCompile(`tv_(sec|usec|nsec)=\d+`), "tv_$1=TIME"},
	{regexp.MustCompile(`(st_[amc]time(?:_nsec)?)=\d+`), "$1=TIME"},
	{regexp.MustCompile(` /\* \d{4}-[^*]*\*/`), ""},
	{regexp.MustCompile(`(stx?_ino|st_dev|d_ino|d_off)=(\d+|makedev\([^)]*\))`), "$1=NUMBER"},
	{regexp.MustCompile(`\|STATX_MNT_ID`), ""}, // since Linux 5.8
	{regexp.MustCompile(`^(time\(.*\) += ).*`), "$1"},
	{regexp.MustCompile(`(SIG\w+) \(core dumped\)`), "$1"}, // as the machine is set up
	{regexp.MustCompile(`(^statx.*, ), `), "${1}0, "},      // strace 6.1 with -X raw
	{regexp.MustCompile(`^\[ *\d+\] execve`), "execve"},    // strace's own, which is of the host
	{regexp.MustCompile(`\) +=`), ") ="},
}

func stable(trace string) string {
	var out []string
	for line := range strings.Lines(trace) {
		line = strings.TrimRight(line, "\n")
		for _, v := range volatile {
			line = v.re.ReplaceAllString(line, v.to)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\n"
}

// differing are the programs whose traces cannot be equal, and why.
var differing = map[string]string{
	"auxv":                  "tells of the machine",
	"time":                  "has the times of this process and its children",
	"work-usage":            "has the times of this process",
	"fault-align":           "the engine does not check alignment",
	"fault-alignment-check": "the engine does not check alignment",
}

// TestNative holds the traces of the freestanding programs to those of the
// host's strace.
func TestNative(t *testing.T) {
	for _, arch := range []string{"x86_64", "i386"} {
		for _, p := range programs(t) {
			if p.arches != "*" && !strings.Contains(p.arches, arch) || differing[p.name] != "" {
				continue
			}
			path, err := filepath.Abs(filepath.Join(bins, arch, p.args[0]))
			require.NoError(t, err)
			args := append([]string{path}, p.args[1:]...)
			t.Run(arch+"/"+p.name, func(t *testing.T) {
				require.Equal(t, stable(native(t, path, args)), stable(trace(t, path, args, nil)))
			})
			if p.name != "files" {
				continue
			}
			for option, set := range map[string]func(o *Options){
				"-v":           func(o *Options) { o.Abbrev = Set{} },
				"-xx":          func(o *Options) { o.Hex = 2 },
				"-Xraw":        func(o *Options) { o.Consts = ConstsRaw },
				"-Xverbose":    func(o *Options) { o.Consts = ConstsVerbose },
				"-s5":          func(o *Options) { o.Strings = 5 },
				"-n":           func(o *Options) { o.Number = true },
				"-Z":           func(o *Options) { o.Statuses = Failed },
				"-eraw=all":    func(o *Options) { o.Raw = All() },
				"-ewrite=1":    func(o *Options) { o.Write, err = ParseNumbers("1") },
				"-Putemu-file": func(o *Options) { o.Files = []string{"utemu-file"} },
				"-e%file":      func(o *Options) { o.Trace, err = ParseSet("%file") },
			} {
				t.Run(arch+"/"+p.name+option, func(t *testing.T) {
					require.Equal(t, stable(native(t, path, args, option)), stable(trace(t, path, args, set)))
				})
			}
		}
	}
}

// TestGolden holds traces of guests that the host cannot run to files that were
// looked over.
func TestGolden(t *testing.T) {
	here, err := filepath.Abs("testdata")
	require.NoError(t, err)
	for _, arch := range []string{"ppc", "arm"} {
		for _, p := range programs(t) {
			switch p.name {
			case "files", "poll", "tls", "fault-segv":
			default:
				continue
			}
			path, err := filepath.Abs(filepath.Join(bins, arch, p.args[0]))
			require.NoError(t, err)
			t.Run(arch+"/"+p.name, func(t *testing.T) {
				file := filepath.Join(here, arch+"-"+p.name+".strace")
				got := stable(strings.ReplaceAll(trace(t, path, append([]string{p.args[0]}, p.args[1:]...), nil), path, p.args[0]))
				if *update {
					require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, string(want), got)
			})
		}
	}
}

// signalTrace is the trace that run makes of testdata/signals.c, built with a
// compiler.
func signalTrace(t *testing.T, source, compiler string, run func(path string) string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "signals")
	out, err := exec.Command(compiler, "-O1", "-static", "-o", exe, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	_, text, ok := strings.Cut(stable(run(exe)), "rt_sigaction(")
	require.True(t, ok)
	return text
}

// restorer is what libc puts into struct sigaction where it finds no vDSO.
var restorer = regexp.MustCompile(`(sa_flags=)(?:SA_RESTORER\|?|0)|, sa_restorer=ADDRESS`)

// TestSignals is of signals, sigreturn and calls that signals cut: as the
// host's strace tells of them, and nearly the same on every architecture.
func TestSignals(t *testing.T) {
	source, err := filepath.Abs("testdata/signals.c")
	require.NoError(t, err)
	for _, target := range cross.Targets {
		t.Run(target.Var, func(t *testing.T) {
			ours := signalTrace(t, source, target.Compiler, func(p string) string { return trace(t, p, []string{p}, nil) })
			if target.Family == "x86" {
				for option, style := range map[string]Consts{"-Xraw": ConstsRaw, "-Xverbose": ConstsVerbose} {
					if target.Var == "I386" {
						break // libc's SA_RESTORER is hidden in numbers
					}
					theirs := signalTrace(t, source, target.Compiler, func(p string) string { return native(t, p, []string{p}, option) })
					ours := signalTrace(t, source, target.Compiler, func(p string) string {
						return trace(t, p, []string{p}, func(o *Options) { o.Consts = style })
					})
					require.Equal(t, restorer.ReplaceAllString(theirs, "$1"), restorer.ReplaceAllString(ours, "$1"))
				}
				theirs := signalTrace(t, source, target.Compiler, func(p string) string { return native(t, p, []string{p}) })
				require.Equal(t, restorer.ReplaceAllString(theirs, "$1"), restorer.ReplaceAllString(ours, "$1"))
			}
			for _, want := range []string{
				"--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=PID, si_uid=",
				"si_code=SI_QUEUE, si_pid=PID, si_uid=",
				", si_status=3, si_utime=", ", si_status=SIGTERM, si_utime=",
				"= ? ERESTARTNOHAND (To be restarted if no handler)",
				"si_code=SI_TIMER, si_timerid=0, si_overrun=0, si_int=7, ",
			} {
				require.Contains(t, ours, want)
			}
			require.Equal(t, 5, strings.Count(ours, "sigreturn({mask=[QUIT]}) = "), ours)
			require.Equal(t, 2, strings.Count(ours, "sigreturn({mask=[QUIT USR2 ALRM]}) = -1 EINTR"), ours)
		})
	}
}
