package hooks_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/hooks/hooktest/toy"
)

// run runs a guest once, with n engines.
func run(b *testing.B, kind string, count, n int, ev hooks.Event) {
	m, err := utemu.Load(utemu.Config{Path: "../testdata/bins/x86_64/work", Args: []string{"work", kind, strconv.Itoa(count)}, Stdout: discard{}})
	require.NoError(b, err)
	for range n {
		e, err := hooks.Attach(m.Task(), hooks.AttachCreate, neutral, nil)
		require.NoError(b, err)
		require.NoError(b, e.SetEvents(ev))
	}
	b.StartTimer()
	_, err = m.Run(context.Background())
	b.StopTimer()
	require.NoError(b, err)
	require.NoError(b, m.Close())
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// neutral hears of everything and changes nothing.
var neutral = &hooks.Ops{
	Name:         "neutral",
	Quiesce:      func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.Run },
	SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action { return hooks.Action{} },
	SyscallExit:  func(*hooks.Call, *hooks.Syscall) hooks.Resume { return hooks.Run },
}

// BenchmarkGuest is a guest that computes, and one that does nothing but make
// system calls: untraced, with an engine that hears of nothing, and with ones
// that hear of system calls. internal/bench compares them, and with a build
// that has no tracehook points.
func BenchmarkGuest(b *testing.B) {
	for _, g := range []struct {
		kind  string
		count int
	}{{"cpu", 100_000_000}, {"sys", 200_000}} {
		for _, c := range []struct {
			name string
			n    int
			ev   hooks.Event
		}{{"untraced", 0, 0}, {"attached", 1, 0}, {"engines=1", 1, hooks.EventSyscall}, {"engines=8", 8, hooks.EventSyscall}, {"engines=32", 32, hooks.EventSyscall}} {
			b.Run(g.kind+"/"+c.name, func(b *testing.B) {
				b.StopTimer()
				for range b.N {
					run(b, g.kind, g.count, c.n, c.ev)
				}
			})
		}
	}
}

// calls is a loop of system calls on the toy, which costs nothing else.
func calls(n int) []toy.Insn {
	var code []toy.Insn
	for range n {
		code = append(code, toy.Insn{Kind: toy.Set, A: uint64(toy.R7), B: toy.NrPid}, toy.Insn{Kind: toy.Sys})
	}
	return append(code, toy.Insn{Kind: toy.Set, A: uint64(toy.R7), B: toy.NrExit}, toy.Insn{Kind: toy.Sys})
}

// BenchmarkSyscall is one system call of the toy, with engines that hear of
// its entry and exit: the cost is linear in their number.
func BenchmarkSyscall(b *testing.B) {
	for _, n := range []int{0, 1, 2, 4, 8, 16, 32} {
		b.Run(fmt.Sprintf("engines=%d", n), func(b *testing.B) {
			t := toy.New(context.Background(), calls(b.N))
			for range n {
				e, err := t.Hooks.Attach(hooks.AttachCreate, neutral, nil)
				require.NoError(b, err)
				require.NoError(b, e.SetEvents(hooks.EventSyscall))
			}
			b.ResetTimer()
			_, err := t.Run()
			require.NoError(b, err)
		})
	}
}

// BenchmarkPoint is a tracehook point by itself: a load and a branch where no
// engine is attached.
func BenchmarkPoint(b *testing.B) {
	b.Run("untraced task", func(b *testing.B) {
		t := (&emu.Process{}).NewTask(1, nil)
		for range b.N {
			t.ReportExec()
		}
	})
	b.Run("no engine", func(b *testing.B) {
		t := toy.New(context.Background(), nil).Hooks
		for range b.N {
			t.SyscallExit()
		}
	})
	b.Run("resume", func(b *testing.B) {
		t := toy.New(context.Background(), nil).Hooks
		for range b.N {
			t.Resume()
		}
	})
}
