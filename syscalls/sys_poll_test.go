package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pipe makes a pipe with one byte in it.
func (g *guest) pipe() (r, w uint64) {
	g.t.Helper()
	at := g.room(8)
	g.ok("pipe2", at, g.flag("O_NONBLOCK"))
	r, w = uint64(g.get32(at)), uint64(g.get32(at+4))
	g.ok("write", w, g.str("x"), 1)
	return r, w
}

func TestPoll(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		r, w := g.pipe()
		at := g.room(4 * 8)
		for i, e := range []struct {
			fd     uint64
			events uint16
		}{{r, 1}, {w, 1 | 4}, {99, 1}, {1<<32 - 1, 1}} {
			require.NoError(t, g.Write32(at+uint64(8*i), uint32(e.fd)))
			b := make([]byte, 4)
			g.A.Order.PutUint16(b, e.events)
			require.NoError(t, g.Space().CopyOut(b, at+uint64(8*i+4)))
		}
		revents := func() (out []uint16) {
			for i := range 4 {
				out = append(out, g.A.Order.Uint16(g.get(at+uint64(8*i+6), 2)))
			}
			return out
		}
		require.EqualValues(t, 3, g.ok("poll", at, 4, ^uint64(0)))
		require.Equal(t, []uint16{1, 4, 32, 0}, revents())
		require.EqualValues(t, 2, g.ok("poll", at, 2, ^uint64(0)))
		ts := g.words(5, 0)
		require.EqualValues(t, 3, g.ok("ppoll", at, 4, ts, 0, 0))
		require.EqualValues(t, 4, g.load("timespec", ts).Int("tv_sec"), "what is left")
		g.fails(unix.EINVAL, "ppoll", at, 4, g.words(0, 1e9), 0, 0)
		g.fails(unix.EINVAL, "ppoll", at, 4, ts, at, 3)
		g.fails(unix.EINVAL, "poll", at, 1<<31, 0)
		g.fails(unix.EFAULT, "poll", guestMem+guestSize, 1, 0)
		g.ok("read", r, at, 1)
		require.EqualValues(t, 0, g.ok("poll", g.ints(uint32(r), 1<<16|1), 1, 0))
	})
}

func TestSelect(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		r, w := g.pipe()
		for _, fd := range []uint64{70, 71, 72} { // beyond the first word
			g.ok("dup2", map[uint64]uint64{70: r, 71: w, 72: w}[fd], fd)
		}
		bits := 8 * g.A.Word
		set := func(fds ...int) uint64 {
			w := make([]uint64, 128/g.A.Word)
			for _, fd := range fds {
				w[fd/bits] |= 1 << (fd % bits)
			}
			return g.words(w...)
		}
		has := func(at uint64, fd int) bool {
			v, err := g.ReadWord(at + uint64(fd/bits*g.A.Word))
			require.NoError(t, err)
			return v>>(fd%bits)&1 != 0
		}
		in, out := set(70, 71), set(70, 71, 72)
		tv := g.words(5, 0)
		call := "select"
		require.EqualValues(t, 3, g.ok(call, 80, in, out, 0, tv))
		require.True(t, has(in, 70))
		require.False(t, has(in, 71))
		require.False(t, has(out, 70))
		require.True(t, has(out, 71) && has(out, 72))
		require.EqualValues(t, 4, g.load("timeval", tv).Int("tv_sec"))
		require.EqualValues(t, 2, g.ok("pselect6", 80, 0, out, 0, 0, g.words(0, 8)))
		for _, name := range []string{"old_select", "guess_select"} {
			require.EqualValues(t, 1, g.ok(name, g.words(71, set(70), 0, 0, 0)))
		}
		require.EqualValues(t, 1, g.ok("guess_select", 71, set(70), 0, 0, 0))
		g.ok("personality", stickyTimeouts)
		tv = g.words(6, 7)
		ts := g.words(6, 7)
		require.EqualValues(t, 1, g.ok(call, 72, 0, set(71), 0, tv))
		require.EqualValues(t, 1, g.ok("pselect6", 72, 0, set(71), 0, ts, g.words(0, 8)))
		require.EqualValues(t, []int64{6, 7}, []int64{g.load("timeval", tv).Int("tv_sec"), g.load("timeval", tv).Int("tv_usec")})
		require.EqualValues(t, []int64{6, 7}, []int64{g.load("timespec", ts).Int("tv_sec"), g.load("timespec", ts).Int("tv_nsec")})
		g.ok("personality", 0)
		g.fails(unix.EBADF, call, 100, set(90), 0, 0, 0)
		g.fails(unix.EINVAL, call, ^uint64(0), 0, 0, 0, 0)
		require.EqualValues(t, 0, g.ok(call, 0x7fffffff, 0, 0, 0, g.words(0, 0)), "a huge count is cut")
		g.fails(unix.EFAULT, call, 64, 8, 0, 0, 0)
	})
}

func TestEpoll(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		r, w := g.pipe()
		ep := g.ok("epoll_create1", g.flag("O_CLOEXEC"))
		ev := g.NewStruct("epoll_event")
		ev.Set("events", unix.EPOLLIN)
		ev.Set("data", 0x1122334455667788)
		at := g.bytes(ev.Bytes())
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_ADD, r, at)
		g.fails(unix.EEXIST, "epoll_ctl", ep, unix.EPOLL_CTL_ADD, r, at)
		g.fails(unix.EBADF, "epoll_ctl", ep, unix.EPOLL_CTL_ADD, 99, at)
		g.fails(unix.EINVAL, "epoll_ctl", ep, unix.EPOLL_CTL_ADD, ep, at)
		ev.Set("events", unix.EPOLLOUT)
		ev.Set("data", 7)
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_ADD, w, g.bytes(ev.Bytes()))
		size := uint64(g.A.Layout["epoll_event"].Size)
		buf := g.room(int(4 * size))
		require.EqualValues(t, 2, g.ok("epoll_wait", ep, buf, 4, ^uint64(0)))
		got := map[uint64]uint64{}
		for i := range uint64(2) {
			e := g.load("epoll_event", buf+i*size)
			got[e.Uint("data")] = e.Uint("events")
		}
		require.Equal(t, map[uint64]uint64{0x1122334455667788: unix.EPOLLIN, 7: unix.EPOLLOUT}, got)
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_DEL, w, 0)
		g.ok("read", r, buf, 1)
		require.EqualValues(t, 0, g.ok("epoll_pwait", ep, buf, 4, 1, 0, 0))
		g.fails(unix.EINVAL, "epoll_wait", ep, buf, 0, 0)
		g.fails(unix.EFAULT, "epoll_wait", ep, 8, 1, 0)
	})
}

// TestEpollDup shows that descriptors made by dup are several to an epoll
// instance, which goes on with the others when one is closed.
func TestEpollDup(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		fds := g.room(8)
		g.ok("pipe2", fds, 0)
		r, w := uint64(g.get32(fds)), uint64(g.get32(fds+4))
		again := g.ok("dup", r)
		ep := g.ok("epoll_create1", 0)
		event := func(data uint64) uint64 {
			ev := g.NewStruct("epoll_event")
			ev.Set("events", unix.EPOLLIN)
			ev.Set("data", data)
			return g.bytes(ev.Bytes())
		}
		size := uint64(g.A.Layout["epoll_event"].Size)
		buf := g.room(int(4 * size))
		ready := func() (data []uint64) {
			for i := range g.ok("epoll_wait", ep, buf, 4, 0) {
				data = append(data, g.load("epoll_event", buf+i*size).Uint("data"))
			}
			return data
		}
		g.ok("write", w, g.str("x"), 1)
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_ADD, r, event(1))
		g.fails(unix.ENOENT, "epoll_ctl", ep, unix.EPOLL_CTL_MOD, again, event(2))
		g.fails(unix.ENOENT, "epoll_ctl", ep, unix.EPOLL_CTL_DEL, again, 0)
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_ADD, again, event(2))
		g.fails(unix.EEXIST, "epoll_ctl", ep, unix.EPOLL_CTL_ADD, again, event(2))
		require.ElementsMatch(t, []uint64{1, 2}, ready())
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_MOD, again, event(3))
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_DEL, r, 0)
		require.Equal(t, []uint64{3}, ready())
		g.ok("epoll_ctl", ep, unix.EPOLL_CTL_ADD, r, event(4))
		require.ElementsMatch(t, []uint64{3, 4}, ready())
		g.ok("close", again)
		require.ElementsMatch(t, []uint64{3, 4}, ready(), "the file is still open")
		g.ok("close", r)
		require.Empty(t, ready())
		g.fails(unix.EPERM, "epoll_ctl", ep, unix.EPOLL_CTL_ADD, g.open(t.TempDir(), "O_DIRECTORY"), event(1))
	})
}

func TestEventFiles(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		ev := g.ok("eventfd2", 3, g.flag("O_NONBLOCK"))
		buf := g.room(256)
		require.NoError(t, g.Write64(buf, 5))
		require.EqualValues(t, 8, g.ok("write", ev, buf, 8))
		require.EqualValues(t, 8, g.ok("read", ev, buf, 8))
		require.EqualValues(t, 8, g.A.Order.Uint64(g.get(buf, 8)), "in the guest's byte order")
		g.fails(unix.EAGAIN, "read", ev, buf, 8)
		g.fails(unix.EINVAL, "eventfd2", 3, 0x40000000)

		tfd := g.ok("timerfd_create", unix.CLOCK_MONOTONIC, 0)
		g.ok("timerfd_settime", tfd, 0, g.words(0, 0, 1000, 0), 0)
		g.ok("timerfd_settime", tfd, 0, g.words(0, 0, 0, 1), buf)
		left := g.load("itimerspec", buf)
		require.EqualValues(t, 999, left.Int("it_value.tv_sec"))
		require.EqualValues(t, 8, g.ok("read", tfd, buf, 8))
		require.EqualValues(t, 1, g.A.Order.Uint64(g.get(buf, 8)))

		in := g.ok("inotify_init1", 0)
		dir := t.TempDir()
		wd := g.ok("inotify_add_watch", in, g.str(dir), unix.IN_CREATE)
		g.open(dir+"/new", "O_CREAT", "O_RDWR")
		require.EqualValues(t, 32, g.ok("read", in, buf, 256))
		e := g.load("inotify_event", buf)
		require.Equal(t, wd, e.Uint("wd"))
		require.EqualValues(t, unix.IN_CREATE, e.Uint("mask"))
		require.Equal(t, "new", g.text(buf+16))
	})
}
