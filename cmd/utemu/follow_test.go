package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tasks of testdata/follow.c in a machine with a schedule: the program, its
// thread, the child of the fork, and that of the vfork.
const firstPID = 4194304

var followed = [][2]int{{firstPID, firstPID}, {firstPID, firstPID + 1}, {firstPID + 2, firstPID + 2}, {firstPID + 3, firstPID + 3}}

// follow traces a program with -f and a schedule.
func follow(t *testing.T, format, events, exe string, flags ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	o := finished(t, tracer(t, append(flags, "-f", "--deterministic", "--format", format, "-e", events, "-o", out, exe)...))
	require.Equal(t, outcome{"thread\nfork\nprogram\n", "", 0}, o)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	return b
}

// byTask are the lines of each task without their first two columns.
func byTask(t *testing.T, b []byte) map[[2]int][]string {
	tasks := map[[2]int][]string{}
	for line := range strings.Lines(string(b)) {
		var k [2]int
		_, err := fmt.Sscanf(line, "%d\t%d\t", &k[0], &k[1])
		require.NoError(t, err, line)
		tasks[k] = append(tasks[k], strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)[2])
	}
	return tasks
}

// TestTraceFollow follows threads, a fork, a vfork and an exec: each task has its
// own events, in an order that what happens between them demands, the same in
// all formats and in every run.
func TestTraceFollow(t *testing.T) {
	for arch, cc := range map[string]string{"ppc": "powerpc-linux-gnu-gcc", "x86_64": "x86_64-linux-gnu-gcc", "arm": "arm-linux-gnueabihf-gcc"} {
		t.Run(arch, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "follow")
			out, err := exec.Command(cc, "-O1", "-static", "-pthread", "-o", exe, "testdata/follow.c").CombinedOutput()
			require.NoError(t, err, "%s", out)
			followCalls(t, arch, exe)
			followInsns(t, arch, exe)
			followRegs(t, exe)
		})
	}
}

func followCalls(t *testing.T, arch, exe string) {
	b := follow(t, "text", "syscall,signal", exe)
	require.Equal(t, b, follow(t, "text", "syscall,signal", exe))
	tasks := byTask(t, b)
	require.Len(t, tasks, len(followed))
	for i, want := range [][2]string{{`^(brk|set_tid_address|arch_prctl|ARM_set_tls)\(`, `^\+\+\+ exited with 0 \+\+\+$`},
		{`^(rseq|set_robust_list|rt_sigprocmask)\(`, `^\+\+\+ exited with 0 \+\+\+$`},
		{`^(set_robust_list|rt_sigprocmask|gettid|getpid)\(`, `^\+\+\+ exited with 7 \+\+\+$`},
		{`^exec\t` + arch + `$`, `^\+\+\+ exited with 3 \+\+\+$`}} {
		l := tasks[followed[i]]
		require.Regexp(t, want[0], l[0])
		require.Regexp(t, want[1], l[len(l)-1])
	}
	require.Regexp(t, `^execve\("/proc/self/exe", \["follow", "again"\], .*\) = 0$`, tasks[followed[3]][1])
	inOrder(t, string(b), `clone.* = 4194306`, `write\(1, "fork\\n", 5\)`, `exited with 7`, `wait4.* = 4194306`,
		`write\(1, "program\\n", 8\)`, `exited with 3`, `wait4.* = 4194307`, `exited with 0`)
	for line := range bytes.Lines(follow(t, "jsonl", "syscall,signal", exe)) {
		var e struct {
			PID, TID    int
			Event, Text string
		}
		require.NoError(t, json.Unmarshal(line, &e))
		require.Contains(t, followed, [2]int{e.PID, e.TID})
		require.NotEmpty(t, e.Event)
	}
}

// inOrder requires that what matches comes one after the other.
func inOrder(t *testing.T, s string, exprs ...string) {
	for _, e := range exprs {
		at := regexp.MustCompile(e).FindStringIndex(s)
		require.NotNil(t, at, e)
		s = s[at[1]:]
	}
}

func followInsns(t *testing.T, arch, exe string) {
	text := string(follow(t, "text", "insn", exe))
	var want strings.Builder
	for line := range strings.Lines(text) {
		if f := strings.Split(line, "\t"); f[2] != "exec" {
			var pc uint64
			_, err := fmt.Sscanf(f[2], "0x%x", &pc)
			require.NoError(t, err)
			fmt.Fprintf(&want, "%s\t%s\t%#x\n", f[0], f[1], pc)
		}
	}
	bin := filepath.Join(t.TempDir(), "bin")
	require.NoError(t, os.WriteFile(bin, follow(t, "bin", "insn", exe), 0o666))
	var got bytes.Buffer
	require.NoError(t, decodeTrace(bin, &got))
	require.True(t, want.String() == got.String())

	// The program of the vfork's child starts as the first one does.
	tasks := byTask(t, []byte(text))
	first, again := tasks[followed[0]], tasks[followed[3]]
	n := 0
	for again[n] != "exec\t"+arch {
		n++
	}
	require.Equal(t, first[:50], again[n+1:n+51])

	require.Equal(t, 5000, bytes.Count(follow(t, "text", "insn", exe, "--max", "5000"), []byte("\n")))
}

// followRegs requires each task to begin with its registers, and what others
// have done not to show in it.
func followRegs(t *testing.T, exe string) {
	tasks := byTask(t, follow(t, "text", "insn,reg", exe))
	for _, k := range followed {
		require.True(t, strings.HasPrefix(tasks[k][0], "regs\t"), "%v %s", k, tasks[k][0])
	}
	require.Greater(t, strings.Count(tasks[followed[1]][0], "="), 5)
}
