package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program of one task: each report has the engine, the callback, its answer
// and what all answers come to.
func TestTraceUtrace(t *testing.T) {
	guests(t, "hello", func(t *testing.T, path string) {
		b, o := traceOf(t, "text", "utrace", path)
		require.Equal(t, outcome{stdout: "hello, world\n"}, o)
		var calls []string
		for l := range strings.Lines(string(b)) {
			if !strings.Contains(l, "quiesce") {
				calls = append(calls, strings.TrimSpace(l))
			}
		}
		require.Equal(t, []string{
			"utrace\ttrace\tsyscall_entry write\trun\trun", "utrace\ttrace\tsyscall_exit write\trun\trun",
			"utrace\ttrace\tsyscall_entry exit_group\trun\trun", "utrace\ttrace\texit 0x0\trun\trun", "utrace\ttrace\tdeath group SIGCHLD\trun\trun", "utrace\ttrace\treap\trun\trun",
		}, calls)
	})
}

const utraceGuest = `
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void *thread(void *p) { getppid(); return p; }
int main(int argc, char **argv)
{
	pthread_t t;
	if (argc > 1)
		return 5;
	setpgid(0, 0);
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	if (fork() == 0) {
		raise(SIGSTOP);
		execl("/proc/self/exe", argv[0], "again", (char *)0);
	}
	waitpid(-1, 0, WUNTRACED);
	kill(0, SIGCONT);
	wait(0);
	return 0;
}
`

// With threads and processes each line tells which.
func TestTraceUtraceTasks(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "guest.c")
	require.NoError(t, os.WriteFile(src, []byte(utraceGuest), 0o600))
	for _, cc := range []string{"powerpc-linux-gnu-gcc", "aarch64-linux-gnu-gcc"} {
		t.Run(cc, func(t *testing.T) {
			guest := filepath.Join(t.TempDir(), "guest")
			out, err := exec.Command(cc, "-static", "-pthread", "-o", guest, src).CombinedOutput()
			require.NoError(t, err, "%s", out)
			b, o := traceOf(t, "text", "utrace", guest)
			require.Equal(t, outcome{}, o)
			// What each task has reported, but for quiesce, by the order of their
			// first lines.
			var tasks []string
			reports := map[string][]string{}
			for l := range strings.Lines(string(b)) {
				who, what, ok := strings.Cut(strings.TrimSpace(l), "utrace\ttrace\t")
				require.True(t, ok, l)
				if who == "" { // nobody else was there
					continue
				}
				if _, seen := reports[who]; !seen {
					tasks = append(tasks, who)
					reports[who] = nil
				}
				if what = strings.ReplaceAll(what, "\t", " "); !strings.HasPrefix(what, "quiesce") {
					reports[who] = append(reports[who], what)
				}
			}
			require.Len(t, tasks, 3)
			for _, who := range tasks {
				require.Regexp(t, `^\[pid +\d+\] $`, who)
			}
			require.Contains(t, reports[tasks[0]], "syscall_exit clone run run")
			require.Contains(t, reports[tasks[0]], "signal_ign SIGCHLD run run ign")
			require.Contains(t, reports[tasks[1]], "syscall_entry getppid run run")
			require.Contains(t, reports[tasks[2]], "exec run run")
			number := func(task int) string { return strings.Trim(tasks[task], "[pid] ") }
			require.Contains(t, reports[tasks[0]], "clone "+number(1)+" run run")
			require.Contains(t, reports[tasks[0]], "clone "+number(2)+" run run")
			require.Contains(t, reports[tasks[2]], "jctl CLD_STOPPED run run")
			require.Contains(t, reports[tasks[2]], "jctl CLD_CONTINUED run run")
			for k, end := range [][]string{
				{"exit 0x0 run run", "death group SIGCHLD run run", "reap run run"},
				{"exit 0x0 run run", "death run run", "reap run run"},
				{"exit 0x500 run run", "death group SIGCHLD run run", "reap run run"},
			} {
				require.Equal(t, end, reports[tasks[k]][len(reports[tasks[k]])-3:], tasks[k])
			}
		})
	}
}
