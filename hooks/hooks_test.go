package hooks_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
)

// The order of the answers is utrace's, turned round.
func TestStronger(t *testing.T) {
	all := []hooks.Resume{hooks.Run, hooks.BlockStep, hooks.SingleStep, hooks.Report, hooks.Interrupt, hooks.Stop}
	for i, a := range all {
		for j, b := range all {
			got := hooks.Stronger(a, b)
			require.Equal(t, all[max(i, j)], got)
			require.Equal(t, min(a.U10(), b.U10()), got.U10())
		}
		require.Equal(t, a, hooks.Stronger(a, hooks.Detach))
		require.Equal(t, a, hooks.Stronger(hooks.Detach, a))
	}
	var zero hooks.Resume
	require.Equal(t, hooks.Run, zero)
	require.EqualValues(t, 6, hooks.Detach.U10())
}

// The event bits have utrace's indexes.
func TestEvents(t *testing.T) {
	require.EqualValues(t, 1<<13, hooks.EventJctl)
	require.EqualValues(t, 1<<15-1, hooks.EventAll)
	require.EqualValues(t, 0x1f00, hooks.EventSignalAll)
	require.EqualValues(t, 0xc0, hooks.EventSyscall)
	require.Equal(t, "syscall_entry|syscall_exit", hooks.EventSyscall.String())
	require.Equal(t, "0", hooks.Event(0).String())
}

func TestErrors(t *testing.T) {
	for err, errno := range map[error]unix.Errno{
		hooks.ErrExist: unix.EEXIST, hooks.ErrNoEnt: unix.ENOENT, hooks.ErrGone: unix.ESRCH, hooks.ErrInvalid: unix.EINVAL,
		hooks.ErrAlready: unix.EALREADY, hooks.ErrInProgress: unix.EINPROGRESS, hooks.ErrAgain: unix.EAGAIN,
		hooks.ErrNoStep: unix.EOPNOTSUPP, hooks.ErrInterrupted: 512,
	} {
		require.ErrorIs(t, fmt.Errorf("x: %w", err), errno)
		require.NotErrorIs(t, err, unix.EPERM)
	}
}

// listener is a tracer that is no engine.
type listener struct {
	emu.NoTracer
	log []string
}

func (l *listener) SyscallEntry(*emu.Task) bool { l.log = append(l.log, "entry"); return false }
func (l *listener) SyscallExit(*emu.Task)       { l.log = append(l.log, "exit") }
func (l *listener) Death(*emu.Task)             { l.log = append(l.log, "death") }
func (l *listener) Signal(_ *emu.Task, s *emu.Signal) bool {
	l.log = append(l.log, unix.SignalName(s.No))
	return true
}

// A tracer that was there before hears of everything still.
func TestOtherTracer(t *testing.T) {
	for name, attached := range map[string]bool{"alone": false, "with an engine": true} {
		t.Run(name, func(t *testing.T) {
			m, err := utemu.Load(utemu.Config{Path: "../testdata/bins/ppc/fault", Args: []string{"fault", "term"}, Stdout: discard{}})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			l := &listener{}
			m.Task().SetTracer(l)
			// Looking for an engine does not change the task.
			_, err = hooks.Attach(m.Task(), 0, nil, nil)
			require.ErrorIs(t, err, unix.ENOENT)
			_, err = hooks.Attach(m.Task(), hooks.AttachCreate, nil, nil)
			require.ErrorIs(t, err, unix.EINVAL)
			require.Same(t, l, m.Task().Tracer())
			if attached {
				e, err := hooks.AttachPID(m.Kernel(), m.Task().TID, hooks.AttachCreate, neutral, nil)
				require.NoError(t, err)
				require.NoError(t, e.SetEvents(hooks.EventAll))
				require.Same(t, m.Task(), e.Task().Guest())
				_, err = hooks.AttachPID(m.Kernel(), -1, hooks.AttachCreate, neutral, nil)
				require.ErrorIs(t, err, unix.ESRCH)
			}
			st, err := m.Run(context.Background())
			require.NoError(t, err)
			require.Equal(t, unix.SIGTERM, st.Signal)
			require.Equal(t, []string{"entry", "exit", "entry", "exit", "entry", "exit", "SIGTERM", "death"}, l.log)
		})
	}
}

// What kills a guest is told the same way whether it is traced or not.
func TestFaultStatus(t *testing.T) {
	m, err := utemu.Load(utemu.Config{Path: "../testdata/bins/arm/fault", Args: []string{"fault", "write"}, Stdout: discard{}})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	var addr uint64 = 1
	e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{
		Signal: func(_ *hooks.Call, s *hooks.SignalReport) hooks.Action { addr = s.Info.Addr; return hooks.Action{} },
	}, nil)
	require.NoError(t, err)
	require.NoError(t, e.SetEvents(hooks.EventSignalCore))
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	require.EqualValues(t, 16, addr)
	require.Equal(t, unix.SIGSEGV, st.Signal)
	require.NotNil(t, st.Fault)
	require.EqualValues(t, 16, st.Fault.Addr)
}

// A task that is held ends with the context of the run.
func TestRunEnds(t *testing.T) {
	for name, program := range map[string][]string{"in a loop": {"forever"}, "in system calls": {"forever", "calls"}} {
		t.Run(name, func(t *testing.T) {
			m, err := utemu.Load(utemu.Config{Path: "../testdata/bins/x86_64/forever", Args: program, Stdout: discard{}})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{}, nil)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				_, err := m.Run(ctx)
				done <- err
			}()
			require.ErrorIs(t, e.Control(hooks.Stop), unix.EINPROGRESS)
			require.NoError(t, e.Task().WaitStop(ctx))
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
		})
	}
}

// A callback that ends the goroutine of the guest's first task, as a test's
// FailNow does, ends the machine.
func TestLost(t *testing.T) {
	for _, ev := range []hooks.Event{hooks.EventSyscallEntry, hooks.EventExit, hooks.EventDeath} {
		m, err := utemu.Load(utemu.Config{Path: "../testdata/bins/ppc/hello", Stdout: discard{}})
		require.NoError(t, err)
		e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{
			SyscallEntry: func(*hooks.Call, *hooks.Syscall) hooks.Action { runtime.Goexit(); return hooks.Action{} },
			Exit:         func(*hooks.Call, int, *int) hooks.Resume { runtime.Goexit(); return hooks.Run },
			Death:        func(*hooks.Call, bool, int) hooks.Resume { runtime.Goexit(); return hooks.Run },
		}, nil)
		require.NoError(t, err)
		e.Task().SetLog(func(string) {})
		require.NoError(t, e.SetEvents(ev))
		_, err = m.Run(context.Background())
		require.ErrorContains(t, err, "ended the goroutine")
		require.Zero(t, e.Task().Engines())
		require.NoError(t, m.Close())
	}
}
