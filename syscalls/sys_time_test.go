package syscalls

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

func TestClocks(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at := g.room(32)
		for _, clock := range []uint64{unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC, unix.CLOCK_THREAD_CPUTIME_ID, unix.CLOCK_BOOTTIME} {
			host := clock
			if host == unix.CLOCK_THREAD_CPUTIME_ID {
				host = unix.CLOCK_PROCESS_CPUTIME_ID
			}
			hostTime := func() time.Duration {
				var ts unix.Timespec
				require.NoError(t, unix.ClockGettime(int32(host), &ts))
				return duration(ts)
			}
			read := func(call string, wide bool) {
				before := hostTime()
				g.ok(call, clock, at)
				ts, err := g.getTimespec(at, wide)
				require.NoError(t, err)
				if host == clock {
					require.GreaterOrEqual(t, duration(ts), before)
				}
				require.LessOrEqual(t, duration(ts), hostTime())
			}
			read("clock_gettime", false)
			if g.A.Word == 4 {
				read("clock_gettime64", true)
			}
		}
		if g.A.Word == 4 {
			g.ok("clock_getres_time64", unix.CLOCK_MONOTONIC, at)
		}
		g.ok("clock_getres", unix.CLOCK_REALTIME, at)
		require.Positive(t, g.load("timespec", at).Uint("tv_nsec"))
		g.ok("clock_getres", unix.CLOCK_REALTIME, 0)
		g.fails(unix.EFAULT, "clock_gettime", unix.CLOCK_REALTIME, 0)
		g.fails(unix.EINVAL, "clock_gettime", 99, at)
		g.ok("gettimeofday", at, at+16)
		require.InDelta(t, time.Now().Unix(), g.load("timeval", at).Int("tv_sec"), 60)
		// The clock of a process by its number (MAKE_PROCESS_CPUCLOCK).
		g.ok("clock_gettime", uint64(uint32(^os.Getpid()<<3|2)), at)
		g.ok("clock_gettime", uint64(uint32(^os.Getpid()<<3|2|clockPerThread)), at)
		g.fails(unix.EPERM, "clock_settime", unix.CLOCK_REALTIME, g.words(1, 1))
		g.fails(unix.EINVAL, "clock_settime", unix.CLOCK_MONOTONIC, g.words(1, 1))
		g.ok("times", at)
		tx := g.bytes(g.NewStruct("timex").Bytes())
		g.ok("adjtimex", tx)
		require.Positive(t, g.load("timex", tx).Int("tick"))
		require.NoError(t, g.Write32(tx, 2))
		g.fails(unix.EPERM, "adjtimex", tx)
	})
}

func TestNanosleep(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.ok("nanosleep", g.words(0, 1000), 0)
		g.fails(unix.EINVAL, "nanosleep", g.words(0, 1e9), 0)
		g.fails(unix.EFAULT, "nanosleep", 8, 0)
		g.ok("clock_nanosleep", unix.CLOCK_MONOTONIC, 1, g.words(1, 0), 0)
		g.fails(unix.EOPNOTSUPP, "clock_nanosleep", unix.CLOCK_MONOTONIC_COARSE, 0, g.words(0, 1), 0)
		g.fails(unix.EINVAL, "clock_nanosleep", 99, 0, g.words(0, 1), 0)
		// An alarm ends the sleep, and the rest is told.
		s := g.NewStruct("itimerval")
		s.Set("it_value.tv_usec", 5000)
		rem := g.room(16)
		g.ok("setitimer", unix.ITIMER_REAL, g.bytes(s.Bytes()), 0)
		g.fails(unix.EINTR, "nanosleep", g.words(100, 0), rem)
		left, err := g.getTimespec(rem, false)
		require.NoError(t, err)
		require.InDelta(t, 100*time.Second, duration(left), float64(50*time.Second))
		require.Less(t, duration(left), 100*time.Second)
		require.Equal(t, &emu.Status{Signal: unix.SIGALRM}, g.goOn())
	})
}

func TestItimers(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		old := g.room(32)
		set := func(sec, usec, every uint64) uint64 {
			s := g.NewStruct("itimerval")
			s.Set("it_value.tv_sec", sec)
			s.Set("it_value.tv_usec", usec)
			s.Set("it_interval.tv_sec", every)
			return g.bytes(s.Bytes())
		}
		g.fails(unix.EINVAL, "setitimer", 3, set(1, 0, 0), 0)
		g.fails(unix.EINVAL, "setitimer", 0, set(0, 1e6, 0), 0)
		g.ok("setitimer", unix.ITIMER_PROF, set(1000, 0, 7), 0)
		g.ok("getitimer", unix.ITIMER_PROF, old)
		s := g.load("itimerval", old)
		require.InDelta(t, 1000, s.Int("it_value.tv_sec"), 10)
		require.EqualValues(t, 7, s.Int("it_interval.tv_sec"))
		require.Zero(t, g.ok("alarm", 100))
		require.EqualValues(t, 100, g.ok("alarm", 0))
		g.ok("getitimer", unix.ITIMER_REAL, old)
		require.Zero(t, g.load("itimerval", old).Int("it_value.tv_sec"))
	})
}

func TestPosixTimers(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		id, old := g.room(4), g.room(32)
		event := func(notify, no int) uint64 {
			s := g.NewStruct("sigevent")
			s.Set("sigev_notify", uint64(notify))
			s.Set("sigev_signo", uint64(no))
			s.Set("sigev_value", 0xabcd)
			return g.bytes(s.Bytes())
		}
		spec := func(nsec, every uint64) uint64 {
			s := g.NewStruct("itimerspec")
			s.Set("it_value.tv_nsec", nsec)
			s.Set("it_interval.tv_nsec", every)
			return g.bytes(s.Bytes())
		}
		g.fails(unix.EINVAL, "timer_create", 99, 0, id)
		g.fails(unix.EINVAL, "timer_create", 0, event(sigevSignal, 65), id)
		g.fails(unix.EINVAL, "timer_create", 0, event(9, 1), id)
		g.ok("timer_create", unix.CLOCK_MONOTONIC, event(sigevSignal, 40), id)
		n := uint64(g.get32(id))
		set := g.maskAt(sigs(40))
		g.ok("rt_sigprocmask", unix.SIG_BLOCK, set, 0, 8)
		g.fails(unix.EINVAL, "timer_settime", n, 0, spec(1e9, 0), 0)
		g.fails(unix.EINVAL, "timer_settime", n+1, 0, spec(1, 0), 0)
		g.ok("timer_settime", n, 0, spec(1e6, 1e6), 0)
		info := g.room(128)
		require.EqualValues(t, 40, g.ok("rt_sigtimedwait", set, info, 0, 8))
		s := g.load("siginfo", info)
		code := s.Int("si_code")
		require.EqualValues(t, siTimer, code)
		require.Equal(t, n, s.Uint("si_timerid"))
		require.EqualValues(t, 0xabcd, s.Uint("si_value"))
		require.Equal(t, s.Uint("si_overrun"), g.ok("timer_getoverrun", n))
		g.ok("timer_settime", n, 0, spec(0, 0), old)
		require.EqualValues(t, 1e6, g.load("itimerspec", old).Int("it_interval.tv_nsec"))
		g.ok("timer_gettime", n, old)
		require.Zero(t, g.load("itimerspec", old).Int("it_value.tv_nsec"))
		g.ok("timer_delete", n)
		g.fails(unix.EINVAL, "timer_delete", n)
	})
}
