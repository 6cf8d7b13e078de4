package syscalls

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// setAction puts a struct sigaction into memory.
func (g *guest) setAction(layout string, d disposition) uint64 {
	s := g.NewStruct(layout)
	s.setDisposition(&d)
	return g.bytes(s.Bytes())
}

// maskAt puts a sigset_t into memory.
func (g *guest) maskAt(m sigset) uint64 {
	b := make([]byte, sigsetSize)
	putSigset(g.A, b, m)
	return g.bytes(b)
}

func (g *guest) getMask(at uint64) sigset { return getSigset(g.A, g.get(at, sigsetSize)) }

// goOn lets the kernel act on what is pending, as before user mode.
func (g *guest) goOn() *emu.Status {
	g.t.Helper()
	require.NoError(g.t, g.K.Pending(g.T))
	return g.T.Status()
}

func TestSigaction(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		d := disposition{handler: 0x1234, flags: saRestart | saSiginfo | 1<<20, mask: sigs(unix.SIGUSR2, unix.SIGKILL, 40)}
		act := g.setAction("sigaction", d)
		old := g.room(64)
		g.ok("rt_sigaction", uint64(unix.SIGUSR1), act, 0, 8)
		g.ok("rt_sigaction", uint64(unix.SIGUSR1), 0, old, 8)
		got := g.load("sigaction", old).disposition()
		require.Equal(t, &disposition{handler: 0x1234, flags: saRestart | saSiginfo, mask: sigs(unix.SIGUSR2, 40)}, got,
			"unknown flags and the unblockable signals are gone")
		g.fails(unix.EINVAL, "rt_sigaction", uint64(unix.SIGUSR1), act, 0, 4)
		g.fails(unix.EINVAL, "rt_sigaction", uint64(unix.SIGKILL), act, 0, 8)
		g.ok("rt_sigaction", uint64(unix.SIGKILL), 0, old, 8)
		g.fails(unix.EINVAL, "rt_sigaction", 65, act, 0, 8)
		g.fails(unix.EINVAL, "rt_sigaction", 0, act, 0, 8)
		g.fails(unix.EFAULT, "rt_sigaction", 1, 8, 0, 8)
		if !g.HasStruct("old_sigaction") {
			return
		}
		g.ok("sigaction", uint64(unix.SIGUSR1), 0, old)
		require.EqualValues(t, uint32(sigs(unix.SIGUSR2)), g.load("old_sigaction", old).Uint("sa_mask"))
		require.EqualValues(t, 0x1234, g.ok("signal", uint64(unix.SIGUSR1), sigIgn))
	})
}

func TestSigprocmask(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		old := g.room(8)
		g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(sigs(unix.SIGINT, unix.SIGKILL, 64)), 0, 8)
		g.ok("rt_sigprocmask", unix.SIG_BLOCK, g.maskAt(sigs(unix.SIGTERM)), old, 8)
		require.Equal(t, sigs(unix.SIGINT, 64), g.getMask(old))
		g.ok("rt_sigprocmask", unix.SIG_UNBLOCK, g.maskAt(sigs(unix.SIGINT)), old, 8)
		require.Equal(t, sigs(unix.SIGINT, unix.SIGTERM, 64), g.getMask(old))
		g.fails(unix.EINVAL, "rt_sigprocmask", 3, old, 0, 8)
		g.ok("rt_sigprocmask", 3, 0, old, 8)
		require.Equal(t, sigs(unix.SIGTERM, 64), g.getMask(old))
		if g.A.Word == 8 {
			g.fails(unix.ENOSYS, "sigprocmask", 0, 0, old)
			require.EqualValues(t, sigs(unix.SIGTERM, 64), g.ok("sgetmask"))
			require.EqualValues(t, sigs(unix.SIGTERM), g.ok("ssetmask", 0x80000002))
			require.Equal(t, ^sigset(1<<31-1)|sigs(unix.SIGINT), g.task().blocked, "the argument is an int")
			return
		}
		g.ok("sigprocmask", unix.SIG_SETMASK, g.ints(uint32(sigs(unix.SIGHUP))), old)
		require.Equal(t, uint32(sigs(unix.SIGTERM)), g.get32(old))
		require.Equal(t, sigs(unix.SIGHUP, 64), g.task().blocked, "signals beyond a long stay as they are")
		require.EqualValues(t, sigs(unix.SIGHUP), g.ok("ssetmask", 2))
		require.EqualValues(t, 2, g.ok("sgetmask"))
	})
}

func TestKillSelf(t *testing.T) {
	pid := uint64(os.Getpid())
	for name, c := range map[string]struct {
		no   unix.Signal
		act  uint64
		want *emu.Status
	}{
		"terminate": {unix.SIGTERM, sigDfl, &emu.Status{Signal: unix.SIGTERM}},
		"core":      {unix.SIGABRT, sigDfl, &emu.Status{Signal: unix.SIGABRT}},
		"real time": {40, sigDfl, &emu.Status{Signal: 40}},
		"ignored":   {unix.SIGTERM, sigIgn, nil},
		"harmless":  {unix.SIGCHLD, sigDfl, nil},
		"nothing":   {0, sigDfl, nil},
		"kill":      {unix.SIGKILL, sigDfl, &emu.Status{Signal: unix.SIGKILL}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, g *guest) {
				if c.act != sigDfl {
					g.ok("rt_sigaction", uint64(c.no), g.setAction("sigaction", disposition{handler: c.act}), 0, 8)
				}
				g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(^sigset(0)), 0, 8)
				g.ok("tgkill", pid, pid, uint64(c.no))
				g.ok("kill", pid, uint64(c.no))
				if c.no != unix.SIGKILL {
					require.Nil(t, g.goOn(), "it is blocked")
				}
				pend := g.room(8)
				g.ok("rt_sigpending", pend, 8)
				if c.no != 0 && c.no != unix.SIGKILL {
					require.Equal(t, sigs(c.no), g.getMask(pend))
				}
				g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(0), 0, 8)
				require.Equal(t, c.want, g.goOn())
			})
		})
	}
}

func TestKillErrors(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		pid := uint64(os.Getpid())
		g.fails(unix.EINVAL, "kill", pid, 65)
		g.fails(unix.ESRCH, "kill", 0x3fffffff, 0)
		g.fails(unix.EINVAL, "tgkill", 0, pid, 0)
		g.fails(unix.ESRCH, "tgkill", 1, pid, 0)
		g.fails(unix.ESRCH, "tkill", 0x3fffffff, 0)
		ents, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		for _, e := range ents {
			if e.Name() != "" && e.Name() != itoa(pid) {
				g.fails(unix.ESRCH, "tkill", atoi(t, e.Name()), 0)
			}
		}
	})
}

func TestSigtimedwait(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		pid := uint64(os.Getpid())
		set, info, zero := g.maskAt(sigs(unix.SIGUSR1, 40)), g.room(128), g.words(0, 0)
		g.ok("rt_sigprocmask", unix.SIG_SETMASK, set, 0, 8)
		g.fails(unix.EAGAIN, "rt_sigtimedwait", set, info, zero, 8)
		g.fails(unix.EINVAL, "rt_sigtimedwait", set, info, g.words(0, 1e9), 8)
		g.fails(unix.EAGAIN, "rt_sigtimedwait", set, info, g.words(0, 1e6), 8)

		s := g.NewStruct("siginfo")
		code := int64(siQueue)
		s.Set("si_code", uint64(code))
		s.Set("si_value", 0x1234)
		for range 2 {
			g.ok("rt_sigqueueinfo", pid, 40, g.bytes(s.Bytes()))
		}
		g.ok("kill", pid, uint64(unix.SIGUSR1))
		require.EqualValues(t, unix.SIGUSR1, g.ok("rt_sigtimedwait", set, info, 0, 8), "the lowest first")
		got := g.load("siginfo", info)
		require.EqualValues(t, siUser, got.Int("si_code"))
		require.EqualValues(t, pid, got.Uint("si_pid"))
		require.EqualValues(t, unix.Getuid(), got.Uint("si_uid"))
		for range 2 {
			require.EqualValues(t, 40, g.ok("rt_sigtimedwait", set, info, 0, 8), "real-time signals are queued")
			got = g.load("siginfo", info)
			require.EqualValues(t, siQueue, got.Int("si_code"))
			require.EqualValues(t, 0x1234, got.Uint("si_value"))
		}
		g.fails(unix.EAGAIN, "rt_sigtimedwait", set, info, zero, 8)
		s.Set("si_code", 0)
		g.fails(unix.EPERM, "rt_sigqueueinfo", 1, 40, g.bytes(s.Bytes()))
	})
}

func TestSuspend(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		pid := uint64(os.Getpid())
		g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(^sigset(0)), 0, 8)
		wait := sigs(unix.SIGTERM)
		g.ok("kill", pid, uint64(unix.SIGTERM))
		g.fails(unix.EINTR, "rt_sigsuspend", g.maskAt(^wait), 8)
		require.Equal(t, ^wait&^unblockable, g.task().blocked, "the signal comes with this mask in place")
		require.True(t, g.P.unsave(g.task()))
		require.Equal(t, ^sigset(0)&^unblockable, g.task().blocked)
		require.Nil(t, g.goOn(), "it is blocked again")
		if g.A.Word == 4 {
			args := []uint64{uint64(^uint32(wait))}
			if g.A.ABI.SuspendThird {
				args = []uint64{0, 0, args[0]}
			}
			g.fails(unix.EINTR, "sigsuspend", args...)
		} else {
			g.fails(unix.EINTR, "rt_sigsuspend", g.maskAt(^wait), 8)
		}
		require.Equal(t, &emu.Status{Signal: unix.SIGTERM}, g.goOn())
	})
}

func TestSigaltstack(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		set := func(sp, flags, size uint64) uint64 {
			s := g.NewStruct("stack_t")
			s.Set("ss_sp", sp)
			s.Set("ss_flags", flags)
			s.Set("ss_size", size)
			return g.bytes(s.Bytes())
		}
		old := g.room(32)
		g.ok("sigaltstack", 0, old)
		require.EqualValues(t, ssDisable, g.load("stack_t", old).Uint("ss_flags"))
		g.fails(unix.ENOMEM, "sigaltstack", set(0x1000, 0, g.flag("MINSIGSTKSZ")-1), 0)
		g.fails(unix.EINVAL, "sigaltstack", set(0x1000, 8, 0x10000), 0)
		g.ok("sigaltstack", set(0x1000, ssAutoDisarm, 0x10000), old)
		g.ok("sigaltstack", set(0, ssDisable, 0), old)
		s := g.load("stack_t", old)
		require.Equal(t, []uint64{0x1000, ssAutoDisarm, 0x10000}, []uint64{s.Uint("ss_sp"), s.Uint("ss_flags"), s.Uint("ss_size")})
	})
}

// TestFaultForced: a fault that is blocked, ignored or caught ends the program
// all the same.
func TestFaultForced(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.ok("rt_sigaction", uint64(unix.SIGILL), g.setAction("sigaction", disposition{handler: sigIgn}), 0, 8)
		g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(^sigset(0)), 0, 8)
		f := emu.Fault{Signal: emu.Signal{No: unix.SIGILL, Code: 1, Addr: 0x4000}, PC: 0x4000}
		require.NoError(t, g.K.Fault(g.T, f))
		require.Equal(t, &emu.Status{Signal: unix.SIGILL, Fault: &f}, g.T.Status())
	})
}

func TestHostSignal(t *testing.T) {
	g := newGuest(t, archPPC(t))
	require.False(t, g.K.HostSignal(g.T, unix.SIGTERM), "by default it ends the program")
	require.True(t, g.K.HostSignal(g.T, unix.SIGCHLD))
	g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(sigs(unix.SIGTERM)), 0, 8)
	require.True(t, g.K.HostSignal(g.T, unix.SIGTERM), "it is blocked")
	g.ok("rt_sigprocmask", unix.SIG_SETMASK, g.maskAt(0), 0, 8)
	require.Equal(t, &emu.Status{Signal: unix.SIGTERM}, g.goOn())
	g.ok("rt_sigaction", uint64(unix.SIGINT), g.setAction("sigaction", disposition{handler: sigIgn}), 0, 8)
	require.True(t, g.K.HostSignal(g.T, unix.SIGINT))
}

// TestInterruptRead: a signal that ends the program gets it out of a system
// call of the host that blocks.
func TestInterruptRead(t *testing.T) {
	g := newGuest(t, archPPC(t))
	var fd [2]int
	require.NoError(t, unix.Pipe2(fd[:], unix.O_CLOEXEC))
	defer unix.Close(fd[1])
	n, err := g.install(&File{Host: fd[0]}, false)
	require.NoError(t, err)
	s := g.NewStruct("itimerval")
	s.Set("it_value.tv_usec", 20000)
	start := time.Now()
	g.ok("setitimer", unix.ITIMER_REAL, g.bytes(s.Bytes()), 0)
	g.fails(unix.EINTR, "read", n, g.room(8), 8)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	require.Equal(t, &emu.Status{Signal: unix.SIGALRM}, g.goOn())
}

// TestExecSignals: a new program finds no handlers, but what was ignored.
func TestExecSignals(t *testing.T) {
	g := newGuest(t, archPPC(t))
	g.ok("rt_sigaction", uint64(unix.SIGUSR1), g.setAction("sigaction", disposition{handler: 0x1000, mask: 5}), 0, 8)
	g.ok("rt_sigaction", uint64(unix.SIGUSR2), g.setAction("sigaction", disposition{handler: sigIgn}), 0, 8)
	g.P.SetProgram("/bin/x", ImageInfo{}, "a-name-longer-than-it-may-be", ExecCred{cr: g.K.hostCred})
	require.Equal(t, disposition{}, g.P.Sig.get(unix.SIGUSR1))
	require.Equal(t, disposition{handler: sigIgn}, g.P.Sig.get(unix.SIGUSR2))
	require.Equal(t, "a-name-longer-t", g.P.leader.comm)
}

// TestQueueFull sends realtime signals beyond the limit: only kill does not
// tell.
func TestQueueFull(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		pid, no := uint64(g.P.P.PID), uint64(40)
		g.task().blocked = sigs(unix.Signal(no))
		g.P.Limits[unix.RLIMIT_SIGPENDING].Cur = 0
		g.fails(unix.EAGAIN, "tgkill", pid, pid, no)
		g.ok("kill", pid, no)
		g.ok("tgkill", pid, pid, uint64(unix.SIGURG))
	})
}

// TestKillThread signals a process by the number of one of its tasks.
func TestKillThread(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.task().blocked = sigs(unix.SIGTERM)
		ts := newTaskState(g.P)
		ts.blocked = sigs(unix.SIGTERM)
		ts.task = g.P.P.NewTask(g.K.newID(), g.K)
		ts.task.OS = ts
		g.K.register(ts)
		g.ok("kill", uint64(ts.task.TID), uint64(unix.SIGTERM))
		g.P.sigMu.Lock()
		defer g.P.sigMu.Unlock()
		require.True(t, g.P.shared.set.has(unix.SIGTERM))
	})
}
