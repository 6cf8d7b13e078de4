package utemu_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/trace"
)

// scheduleTargets are the compilers whose programs the tests of schedules run.
var scheduleTargets = map[string]libcTarget{"ppc": libcTargetOf("ppc"), "thumb": libcTargetOf("thumb")}

// schedulePrograms are the programs, with arguments.
var schedulePrograms = map[string][]string{
	"counter": {"racy", "300"},
	"family":  {},
}

// scheduled makes a run of a program with a seed, traced if events are given,
// and returns its output with its status, and a digest of the trace.
func scheduled(t *testing.T, path string, args []string, seed uint64, out *os.File, events trace.Events) (string, [32]byte) {
	t.Helper()
	require.NoError(t, out.Truncate(0))
	_, err := out.Seek(0, io.SeekStart)
	require.NoError(t, err)
	m, err := utemu.Load(utemu.Config{
		Path: path, Args: append([]string{"program"}, args...), Env: libcEnv, Stock: stock,
		Stdin: strings.NewReader(""), Stdout: out, Deterministic: true, Seed: seed,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	var text bytes.Buffer
	if events != 0 {
		tr, err := trace.New(m.Process(), m.Symbols(), trace.Config{Events: events, Out: &text})
		require.NoError(t, err)
		defer func() { require.NoError(t, tr.Close()) }()
	}
	st, err := m.Run(t.Context())
	require.NoError(t, err)
	b, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return fmt.Sprintf("%sstatus %d signal %d\n", b, st.Code, st.Signal), sha256.Sum256(text.Bytes())
}

// busy keeps the machine busy until what it returns is called.
func busy() (end func()) {
	done := make(chan struct{})
	for range 2 {
		go func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if n%1000 == 0 {
					time.Sleep(time.Microsecond)
				}
			}
		}()
	}
	return func() { close(done) }
}

// TestDeterministic: runs with one seed are alike to the last instruction,
// register and byte of memory, on a busy machine too, and whether they are
// traced or not; others are not.
func TestDeterministic(t *testing.T) {
	const seeds = 4
	for name, target := range scheduleTargets {
		for program, args := range schedulePrograms {
			t.Run(program+"/"+name, func(t *testing.T) {
				path := libcCompile(t, "../schedule/"+program+".c", target, []string{"-O1", "-static", "-pthread"})
				f, err := os.Create(filepath.Join(t.TempDir(), "out"))
				require.NoError(t, err)
				defer f.Close()
				traces := map[[32]byte]bool{}
				outs := map[string]bool{}
				for seed := range uint64(seeds) {
					events := trace.Insn
					if seed == 0 {
						events |= trace.Reg | trace.Mem
					}
					out, digest := scheduled(t, path, args, seed, f, events)
					end := busy()
					again, same := scheduled(t, path, args, seed, f, events)
					end()
					require.Equal(t, out, again)
					require.Equal(t, digest, same, "seed %d", seed)
					plain, _ := scheduled(t, path, args, seed, f, 0)
					require.Equal(t, out, plain, "seed %d", seed)
					traces[digest], outs[out] = true, true
				}
				require.Len(t, traces, seeds)
				require.Greater(t, len(outs), 1)
			})
		}
	}
}

// TestDeterministicLibc runs programs that do much with threads, processes,
// signals and waits in schedules: they print what they print natively.
func TestDeterministicLibc(t *testing.T) {
	for i, src := range []string{
		"children.c", "clock.c", "futexes.c", "ipc.c", "jobs.c", "poll.c", "process.c", "sigbasic.c", "sigblock.c",
		"sigstack.c", "sockets.c", "stat.c", "stdio.c", "terminal.c",
	} {
		target := libcTargets[(6+i)%len(libcTargets)]
		t.Run(src+"/"+target.name, func(t *testing.T) {
			t.Parallel()
			path := libcBuild(t, src, target, libcLinks[4])
			got := libcRun(t, utemu.Config{Path: path, Args: []string{path, t.TempDir()}, Env: libcEnv, Deterministic: true, Seed: uint64(i)})
			require.Equal(t, libcNative(t, src), got)
		})
	}
}
