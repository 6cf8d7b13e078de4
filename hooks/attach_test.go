package hooks_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/regset"
)

// sleepers is a program whose tasks sleep in system calls of all kinds: in one
// that is made again as it was (read), in a futex, in one that goes on where it
// was (nanosleep), and in another process; and one that computes. None of the
// calls may fail, or end too soon.
const sleepers = `
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t all;
static sem_t sem;
static volatile int stop;

static void check(int ok, const char *what) { if (!ok) { perror(what); _exit(1); } }
static void *waits(void *p) { pthread_barrier_wait(&all); check(sem_wait(&sem) == 0, "sem_wait"); return p; }
static void *spins(void *p) { pthread_barrier_wait(&all); while (!stop) ; return p; }
static void *sleeps(void *p)
{
	pthread_barrier_wait(&all);
	while (!stop) {
		struct timespec d = {0, 100000000}, a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		check(nanosleep(&d, &d) == 0, "nanosleep");
		clock_gettime(CLOCK_MONOTONIC, &b);
		check((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 100000000, "too short");
	}
	return p;
}

int main(void)
{
	pthread_t t[3];
	int status;
	char c = 0;
	pid_t child = fork();
	if (child == 0) {
		read(9, &c, 1);
		for (;;)
			pause();
	}
	pthread_barrier_init(&all, 0, 4);
	sem_init(&sem, 0, 0);
	pthread_create(&t[0], 0, waits, 0);
	pthread_create(&t[1], 0, spins, 0);
	pthread_create(&t[2], 0, sleeps, 0);
	pthread_barrier_wait(&all);
	check(write(1, "ready\n", 6) == 6, "write");
	check(read(0, &c, 1) == 1 && c == 'x', "read");
	stop = 1;
	sem_post(&sem);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], 0);
	check(kill(child, SIGTERM) == 0, "kill");
	check(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM, "waitpid");
	check(write(1, "done\n", 5) == 5, "write");
	return 0;
}
`

// lines is the output of a guest, and tells of a line.
type lines struct {
	mu   sync.Mutex
	b    bytes.Buffer
	want string
	seen chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(p)
	if l.want != "" && bytes.Contains(l.b.Bytes(), []byte(l.want)) {
		l.want = ""
		close(l.seen)
	}
	return len(p), nil
}

// All tasks of a program can be attached to by their number while they sleep or
// run, stopped, looked at and let go, again and again, and the program does not
// notice.
func TestAttachPID(t *testing.T) {
	src := filepath.Join(t.TempDir(), "sleepers.c")
	require.NoError(t, os.WriteFile(src, []byte(sleepers), 0o600))
	for name, cc := range map[string][]string{
		"ppc": {"powerpc-linux-gnu-gcc"}, "ppc64": {"powerpc64-linux-gnu-gcc"}, "x86_64": {"gcc"}, "i386": {"i686-linux-gnu-gcc"},
		"aarch64": {"aarch64-linux-gnu-gcc"}, "arm": {"arm-linux-gnueabihf-gcc", "-marm"}, "thumb": {"arm-linux-gnueabihf-gcc", "-mthumb"},
	} {
		t.Run(name, func(t *testing.T) {
			prog := filepath.Join(t.TempDir(), "sleepers")
			out, err := exec.Command(cc[0], append(cc[1:], "-O1", "-static", "-pthread", "-Wno-unused-result", "-o", prog, src)...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			attachAll(t, prog)
		})
	}
}

func attachAll(t *testing.T, prog string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stdin, feed := io.Pipe()
	stdout := &lines{want: "ready\n", seen: make(chan struct{})}
	m, err := utemu.Load(utemu.Config{Path: prog, Stdin: stdin, Stdout: stdout})
	require.NoError(t, err)
	done, ended := make(chan error, 1), make(chan struct{})
	defer func() {
		cancel()
		<-ended
		require.NoError(t, m.Close())
	}()
	var code int
	go func() {
		defer close(ended)
		st, err := m.Run(ctx)
		code = st.Code
		done <- err
	}()
	select {
	case <-stdout.seen:
	case <-ctx.Done():
		t.Fatal("the program does not start")
	}
	var broken []string // the calls of the first task that were broken
	ops := &hooks.Ops{
		Name:   "debugger",
		Signal: func(*hooks.Call, *hooks.SignalReport) hooks.Action { return hooks.Action{Resume: hooks.Stop} },
		SyscallExit: func(c *hooks.Call, s *hooks.Syscall) hooks.Resume {
			if c.Task().Guest() == m.Task() {
				_, errno := s.Result()
				broken = append(broken, fmt.Sprint(s.Name(), s.Arg(0), s.Arg(2), int(errno)))
			}
			return hooks.Run
		},
	}
	var engines []*hooks.Engine
	for _, k := range m.Kernel().Tasks() {
		e, err := hooks.AttachPID(m.Kernel(), k.TID, hooks.AttachCreate, ops, nil)
		require.NoError(t, err)
		require.NoError(t, e.SetEvents(hooks.EventQuiesce|hooks.EventSyscallExit))
		engines = append(engines, e)
	}
	require.Len(t, engines, 5)
	_, err = hooks.AttachPID(m.Kernel(), 1<<30, hooks.AttachCreate, ops, nil)
	require.ErrorIs(t, err, unix.ESRCH)
	for i := 0; i < 3 || !slices.Contains(broken, "read0 1 512"); i++ {
		for _, e := range engines {
			require.NoError(t, e.Control(hooks.Interrupt))
		}
		for _, e := range engines {
			require.NoError(t, e.Task().WaitStop(ctx))
		}
		all := make([][]byte, len(engines))
		for range 2 {
			for i, e := range engines {
				require.NoError(t, e.Examine(func(x *hooks.Examiner) error { return standsStill(t, x, &all[i]) }))
			}
		}
		for _, e := range engines {
			require.NoError(t, e.Control(hooks.Run))
		}
	}
	for _, e := range engines {
		require.NoError(t, e.Control(hooks.Detach))
	}
	// The end of the call in which it was when the engine came is told too.
	broken = slices.DeleteFunc(broken, func(b string) bool { return b == "write1 6 0" })
	require.Equal(t, []string{"read0 1 512"}, slices.Compact(broken))
	_, err = feed.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.NoError(t, feed.Close())
	require.Equal(t, "ready\ndone\n", stdout.b.String())
	require.Zero(t, code)
}

// standsStill reads a task's general registers, which must be what they were.
func standsStill(t *testing.T, x *hooks.Examiner, was *[]byte) error {
	v := x.Arch().Views[0]
	now := make([]byte, v.Find(regset.NotePRStatus).Bytes())
	if _, err := v.Read(x.Regs(), regset.NotePRStatus, now); err != nil {
		return err
	}
	if *was != nil {
		require.Equal(t, *was, now)
	}
	*was = now
	_, err := x.Memory().ReadAt(make([]byte, 2), x.Regs().Reg(x.Arch().PC))
	return err
}
