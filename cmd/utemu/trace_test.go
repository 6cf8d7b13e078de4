package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/trace"
)

// asCommand makes this test binary, run again, the utemu command.
const asCommand = "UTEMU_TEST_TRACE_COMMAND"

func TestTraceCommandItself(*testing.T) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Args[2:]))
	}
}

// tracer is a command that traces, its file not yet given.
func tracer(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, append([]string{"-test.run=^TestTraceCommandItself$", "trace"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// outcome is what a command did.
type outcome struct {
	stdout, stderr string
	status         int
}

func finished(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, cmd.ProcessState.ExitCode(), 0, "%v\n%s", err, diag.String())
	return outcome{out.String(), diag.String(), cmd.ProcessState.ExitCode()}
}

// traceOf traces a program to its end into a file and returns that.
func traceOf(t *testing.T, format, events string, guest ...string) ([]byte, outcome) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	o := finished(t, tracer(t, append([]string{"-e", events, "--format", format, "-o", file}, guest...)...))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b, o
}

// guests calls f for the binary of a program for each architecture, and Thumb.
func guests(t *testing.T, program string, f func(t *testing.T, path string)) {
	t.Helper()
	for _, a := range archs.All {
		for _, variant := range []string{"", "-thumb"} {
			path, err := filepath.Abs(filepath.Join("../../testdata/bins", a.Name, program+variant))
			require.NoError(t, err)
			if _, err := os.Stat(path); variant != "" && err != nil {
				continue
			}
			t.Run(a.Name+variant, func(t *testing.T) { f(t, path) })
		}
	}
}

// some calls f for a little-endian, a big-endian and a Thumb guest: enough
// where nothing depends on the architecture.
func some(t *testing.T, program string, f func(t *testing.T, path string)) {
	t.Helper()
	for _, name := range []string{"x86_64/" + program, "ppc/" + program, "arm/" + program + "-thumb"} {
		path, err := filepath.Abs(filepath.Join("../../testdata/bins", name))
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) { f(t, path) })
	}
}

// addresses are those in a binary trace, and how the reading ended.
func addresses(b []byte) (l []uint64, err error) {
	err = trace.ReadPCs(bytes.NewReader(b), func(_ trace.Task, pcs []uint64) error {
		l = append(l, pcs...)
		return nil
	})
	return l, err
}

// TestTraceFullDisk cuts a trace by the size of its file: it ends with a whole
// event, and all before it is there.
func TestTraceFullDisk(t *testing.T) {
	const limit = 300 << 10 // more than one write of the tracer
	some(t, "work", func(t *testing.T, path string) {
		for format, count := range map[string]string{"text": "3000", "jsonl": "3000", "bin": "400000"} {
			t.Run(format, func(t *testing.T) {
				whole, o := traceOf(t, format, "insn", path, "cpu", count)
				require.Zero(t, o.status, o.stderr)
				require.Greater(t, len(whole), limit)
				file := filepath.Join(t.TempDir(), "trace")
				cmd := tracer(t, "-e", "insn", "--format", format, "-o", file, path, "cpu", count)
				// The shell sets the limit, in units of 512 bytes, and becomes utemu.
				cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$@"`, limit/512), "sh", cmd.Path}, cmd.Args[1:]...)
				cmd.Path = "/bin/sh"
				o = finished(t, cmd)
				require.Equal(t, exitFailed, o.status, o.stderr)
				require.Regexp(t, `^utemu: trace: write .*: file too large\n$`, o.stderr)
				got, err := os.ReadFile(file)
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(whole, got))
				require.Greater(t, len(got), limit-1000)
				if format == "bin" {
					all, err := addresses(whole)
					require.NoError(t, err)
					some, err := addresses(got)
					require.ErrorIs(t, err, trace.ErrCut)
					require.Equal(t, all[:len(some)], some)
					require.Greater(t, len(some), limit/2)
				} else {
					require.Equal(t, byte('\n'), got[len(got)-1])
				}
			})
		}
	})
	t.Run("device", func(t *testing.T) {
		path, err := filepath.Abs("../../testdata/bins/ppc/hello")
		require.NoError(t, err)
		o := finished(t, tracer(t, "-e", "insn", "-o", "/dev/full", path))
		require.Equal(t, exitFailed, o.status)
		require.Equal(t, "utemu: trace: write /dev/full: no space left on device\n", o.stderr)
	})
}

// TestTraceMax ends traces after so many events; the program runs on.
func TestTraceMax(t *testing.T) {
	guests(t, "branches", func(t *testing.T, path string) {
		want, o := traceOf(t, "text", "all", path)
		require.Zero(t, o.status, o.stderr)
		lines := bytes.SplitAfter(want, []byte("\n"))
		for _, n := range []int{2, 77} {
			got, cut := traceOf(t, "text", "all", "--max", fmt.Sprint(n), path)
			require.Equal(t, o, cut)
			require.Equal(t, string(bytes.Join(lines[:n], nil)), string(got))
		}
		all, _ := traceOf(t, "bin", "insn", path)
		whole, err := addresses(all)
		require.NoError(t, err)
		some, cut := traceOf(t, "bin", "insn", "--max", "100", path)
		require.Equal(t, o, cut)
		got, err := addresses(some)
		require.NoError(t, err)
		require.Equal(t, whole[:100], got)
	})
}

// TestTraceKilled ends programs by signals of their own making.
func TestTraceKilled(t *testing.T) {
	guests(t, "fault", func(t *testing.T, path string) { killed(t, path, "kill", "SIGKILL", "insn,signal") })
	for how, sig := range map[string]string{"kill": "SIGKILL", "abort": "SIGABRT", "read": "SIGSEGV"} {
		some(t, "fault", func(t *testing.T, path string) { killed(t, path, how, sig, "insn,mem,reg,signal") })
	}
}

func killed(t *testing.T, path, how, sig, events string) {
	b, o := traceOf(t, "text", events, path, how)
	require.Equal(t, 128+int(unix.SignalNum(sig)), o.status, o.stderr)
	require.Equal(t, "before\n", o.stdout)
	text := strings.TrimSuffix(string(b), "\n")
	require.Regexp(t, `\n\+\+\+ killed by `+sig+`( \(core dumped\))? \+\+\+$`, text)
	last := lastInsn(text)
	if how == "read" {
		require.Equal(t, "die", strings.Split(strings.Split(last, "\t")[1], "+")[0])
	} else {
		require.Regexp(t, calls, last)
	}
}

// calls are the instructions of system calls, in a line of text.
var calls = regexp.MustCompile(`\t(int \$0x80|syscall|svc (#0x0|0x00000000|0)|sc)(\t.*)?$`)

// TestTraceStopped ends a trace by a signal to utemu: SIGINT and SIGTERM leave
// it complete, SIGKILL good as far as it goes.
func TestTraceStopped(t *testing.T) {
	some(t, "forever", func(t *testing.T, path string) { stopped(t, unix.SIGINT, path, "insn,reg") })
	some(t, "forever", func(t *testing.T, path string) { stopped(t, unix.SIGTERM, path, "insn,reg") })
	path, err := filepath.Abs("../../testdata/bins/arm/forever")
	require.NoError(t, err)
	stopped(t, unix.SIGTERM, path, "insn")
	stopped(t, unix.SIGKILL, path, "insn")
}

func stopped(t *testing.T, sig unix.Signal, path, events string) {
	file := filepath.Join(t.TempDir(), "trace")
	cmd := tracer(t, "-e", events+",signal", "-o", file, path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	hello := make([]byte, len("running\n"))
	_, err = io.ReadFull(out, hello)
	require.NoError(t, err)
	if sig == unix.SIGKILL {
		// Let it write something.
		require.Eventually(t, func() bool {
			st, err := os.Stat(file)
			return err == nil && st.Size() > 0
		}, 60*1e9, 1e6)
	}
	require.NoError(t, cmd.Process.Signal(sig))
	err = cmd.Wait()
	got, e := os.ReadFile(file)
	require.NoError(t, e)
	n := bytes.Count(got, []byte("\n"))
	if sig == unix.SIGKILL {
		// The kernel gives up a write in its middle.
		require.EqualError(t, err, "signal: killed")
		got = got[:bytes.LastIndexByte(got, '\n')+1]
	} else {
		require.EqualError(t, err, fmt.Sprintf("exit status %d", 128+int(sig)))
		end := "+++ killed by " + unix.SignalName(sig) + " +++\n"
		require.True(t, bytes.HasSuffix(got, []byte(end)), "%s", got[max(0, len(got)-200):])
		got, n = got[:len(got)-len(end)], n-1
	}
	require.True(t, bytes.Equal(prefix(t, path, events, n), got))
}

// prefix is the first n lines of the trace of a program that never ends.
func prefix(t *testing.T, path, events string, n int) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prefix")
	cmd := tracer(t, "-e", events, "--max", fmt.Sprint(n), "-o", file, path)
	require.NoError(t, cmd.Start())
	// The trace ends and the program goes on.
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(file)
		return err == nil && bytes.Count(b, []byte("\n")) >= n
	}, 60*1e9, 5*1e6)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return b
}

// execs is a program that becomes its first argument.
const execs = `#include "utemu.h"
int program(word *sp)
{
	char **argv = (char **)(sp + 2), *envp[] = {0};
	sc(__NR_execve, argv[0], argv, envp);
	return 9;
}
`

// TestTraceExec follows programs into programs of other architectures: what
// comes after the event is the trace of the second program alone.
func TestTraceExec(t *testing.T) {
	src, err := filepath.Abs("../../testdata/bins/src")
	require.NoError(t, err)
	for _, c := range []struct{ cc, arch, next string }{
		{"x86_64-linux-gnu-gcc", "x86_64", "ppc"},
		{"powerpc-linux-gnu-gcc", "ppc", "arm"},
		{"arm-linux-gnueabihf-gcc", "arm", "arm"},
		{"aarch64-linux-gnu-gcc", "aarch64", "i386"},
	} {
		t.Run(c.arch+" to "+c.next, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "execs")
			require.NoError(t, os.WriteFile(exe+".c", []byte(execs), 0o666))
			out, err := exec.Command(c.cc, "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie",
				"-fno-stack-protector", "-I", src, "-o", exe, exe+".c").CombinedOutput()
			require.NoError(t, err, "%s", out)
			next, err := filepath.Abs(filepath.Join("../../testdata/bins", c.next, "branches"))
			require.NoError(t, err)
			for _, events := range []string{"insn", "insn,mem,reg,signal"} {
				got, o := traceOf(t, "text", events, exe, next)
				want, alone := traceOf(t, "text", events, next)
				require.Equal(t, alone, o)
				before, after, found := strings.Cut(string(got), "\nexec\t"+c.next+"\n")
				require.True(t, found)
				require.Regexp(t, calls, lastInsn(before))
				require.Equal(t, instructions(string(want)), instructions(after))
			}
			b, _ := traceOf(t, "bin", "insn", exe, next)
			both, err := addresses(b)
			require.NoError(t, err)
			b, _ = traceOf(t, "bin", "insn", next)
			second, err := addresses(b)
			require.NoError(t, err)
			require.Equal(t, second, both[len(both)-len(second):])
		})
	}
}

// instructions are the lines of instructions without the registers, which
// depend on where the stack is.
func instructions(s string) (l []string) {
	for _, line := range strings.Split(s, "\n") {
		if strings.HasPrefix(line, "0x") {
			f := strings.Split(line, "\t")
			l = append(l, strings.Join(f[:min(len(f), 4)], "\t"))
		}
	}
	return l
}

func lastInsn(s string) string {
	l := instructions(s)
	return l[len(l)-1]
}

// TestTraceJSON holds JSON lines to be one object a line with the fields that
// docs/trace.md names.
func TestTraceJSON(t *testing.T) {
	guests(t, "branches", func(t *testing.T, path string) {
		b, o := traceOf(t, "jsonl", "all", path)
		require.Zero(t, o.status, o.stderr)
		seen := map[string]int{}
		for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			d := json.NewDecoder(strings.NewReader(line))
			d.DisallowUnknownFields()
			var e struct {
				Event, PC, Symbol, File, Bytes, Text, Addr, Value, Arch string
				Offset                                                  uint64
				Size                                                    int
				Regs                                                    map[string]string
			}
			require.NoError(t, d.Decode(&e), "%s", line)
			require.Equal(t, int64(len(line)), d.InputOffset(), "%s", line)
			seen[e.Event]++
			if e.Event == "insn" {
				require.NotEmpty(t, e.Text)
				require.NotEmpty(t, e.Bytes)
				require.Equal(t, path, e.File)
			}
		}
		for _, kind := range []string{"insn", "block", "read", "write", "syscall", "signal"} {
			require.NotZero(t, seen[kind], kind)
		}
		require.Equal(t, 1, seen["signal"])
	})
}

// TestTraceCalls holds each line of a system call to stand behind the
// instruction that made it, and the lines to be those of utemu strace.
func TestTraceCalls(t *testing.T) {
	guests(t, "files", func(t *testing.T, path string) {
		t.Chdir(t.TempDir())
		b, o := traceOf(t, "text", "insn,syscall", path)
		require.Zero(t, o.status, o.stderr)
		var last string
		n := 0
		for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			if strings.HasPrefix(line, "0x") {
				last = line
				continue
			}
			n++
			require.Regexp(t, `^[a-z_0-9]+\(.*\) += (-?\d+|0x[0-9a-f]+|\?)( .*)?$`, line)
			require.Regexp(t, calls, last, line)
		}
		require.Greater(t, n, 10)
		only, _ := traceOf(t, "text", "syscall", path)
		require.Equal(t, n, bytes.Count(only, []byte("\n")))
	})
}

// TestTraceDecode reads traces back, and what is none.
func TestTraceDecode(t *testing.T) {
	path, err := filepath.Abs("../../testdata/bins/ppc/hello")
	require.NoError(t, err)
	dir := t.TempDir()
	text, _ := traceOf(t, "text", "insn", path)
	var want strings.Builder
	for _, l := range instructions(string(text)) {
		pc, _, _ := strings.Cut(l, "\t")
		want.WriteString("0x" + strings.TrimLeft(pc[2:], "0") + "\n")
	}
	whole, _ := traceOf(t, "bin", "insn", path)
	for name, c := range map[string]struct {
		content []byte
		status  int
		stderr  string
	}{
		"whole":   {whole, 0, ""},
		"cut":     {whole[:len(whole)-3], exitFailed, "FILE: trace: the end is missing"},
		"begun":   {whole[:5], exitFailed, "FILE: trace: not a binary trace"},
		"empty":   {nil, exitFailed, "FILE: trace: not a binary trace"},
		"foreign": {text, exitFailed, "FILE: trace: not a binary trace"},
		"damaged": {append(whole[:len(trace.Magic):len(trace.Magic)], 12), exitFailed, "FILE: trace: not a binary trace: token 12"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(file, c.content, 0o666))
			o := finished(t, tracer(t, "--decode", file))
			require.Equal(t, c.status, o.status)
			require.Equal(t, c.stderr, strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(o.stderr, "utemu: "), file, "FILE")))
			require.True(t, strings.HasPrefix(want.String(), o.stdout))
			if name == "whole" {
				require.Equal(t, want.String(), o.stdout)
			}
		})
	}
	for _, file := range []string{dir, filepath.Join(dir, "none")} {
		o := finished(t, tracer(t, "--decode", file))
		require.Equal(t, exitFailed, o.status)
		require.Equal(t, 1, strings.Count(o.stderr, "\n"), o.stderr)
	}
}

// TestTraceUsage holds wrong flags to one clear line.
func TestTraceUsage(t *testing.T) {
	path, err := filepath.Abs("../../testdata/bins/arm/hello")
	require.NoError(t, err)
	for args, want := range map[string]string{
		"-e insns":                   `unknown event "insns"`,
		"--format xml":               `"xml" is none of text, jsonl and bin`,
		"--format bin":               "needs a file",
		"--from 0xzz":                "neither an address nor a symbol",
		"--only 0x20-0x10":           "no address range",
		"--max -1":                   "invalid argument",
		"-o " + t.TempDir() + "/a/b": "no such file or directory",
	} {
		o := finished(t, tracer(t, append(strings.Fields(args), path)...))
		require.NotZero(t, o.status, args)
		require.Contains(t, o.stderr, want)
		require.Equal(t, 1, strings.Count(o.stderr, "\n"), o.stderr)
		require.Empty(t, o.stdout)
	}
	o := finished(t, tracer(t, "-e", "insn", "--from", "nowhere", path))
	require.Zero(t, o.status)
	require.Equal(t, "utemu: no code was found for nowhere\n", o.stderr)
}
