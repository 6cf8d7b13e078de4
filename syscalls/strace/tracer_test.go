package strace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch/archs"
)

// TestSignatures holds the table of signatures to the calls that
// architectures have: none is written as a row of numbers.
func TestSignatures(t *testing.T) {
	for _, a := range archs.All {
		for _, s := range a.Sysnum {
			sig := signatureOf(a, s.Name)
			known := false
			for _, k := range signatures() {
				known = known || k == sig
			}
			require.True(t, known, "%s: %s has no signature", a.Name, s.Name)
		}
	}
}

// writes is a file that counts.
type writes struct {
	strings.Builder
	n int
}

func (w *writes) Write(b []byte) (int, error) { w.n++; return w.Builder.Write(b) }

// tracing makes a tracer of a 64-bit PowerPC guest, and does what a kernel does
// for a call.
func tracing(t *testing.T, set func(o *Options)) (*guest, *Tracer, *writes) {
	t.Helper()
	for _, a := range archs.All {
		if a.Name != "ppc64" {
			continue
		}
		g, w, o := newGuest(t, a), &writes{}, DefaultOptions()
		if set != nil {
			set(&o)
		}
		return g, NewTracer(o, NewOutput(w)), w
	}
	t.Fatal("no ppc64")
	return nil, nil, nil
}

// enter and leave are the two halves of a call of a task.
func (g *guest) enter(tr *Tracer, k *emu.Task, name string, args ...any) {
	g.registers(name, args)
	tr.SyscallEntry(k)
}

func (g *guest) leave(tr *Tracer, k *emu.Task, v uint64, errno uint16) {
	g.a.ABI.Result(g.k.CPU(), v, errno)
	tr.SyscallExit(k)
}

// TestLines: a line is one write, and a call that does not end shows all the
// same once the output is flushed.
func TestLines(t *testing.T) {
	g, tr, w := tracing(t, nil)
	g.enter(tr, g.k, "close", 3)
	require.Zero(t, w.n)
	g.leave(tr, g.k, 0, 0)
	require.Equal(t, 1, w.n)
	require.Equal(t, "close(3)                                = 0\n", w.String())

	w.Reset()
	g.enter(tr, g.k, "pause")
	tr.flush()
	require.Equal(t, "pause(", w.String())
	tr.Ended(g.k, emu.Status{Signal: unix.SIGTERM})
	tr.Ended(g.k, emu.Status{Code: 1})
	require.Equal(t, "pause()                                 = ?\n+++ killed by SIGTERM +++\n", w.String())
	require.NoError(t, tr.Close())
}

// TestTasks: the calls of two tasks that overlap.
func TestTasks(t *testing.T) {
	other := func(g *guest) *emu.Task { return g.k.Proc.NewTask(g.k.TID+1, nil) }
	run := func(g *guest, tr *Tracer) {
		k := other(g)
		tr.Clone(g.k, k)
		g.enter(tr, g.k, "close", 3)
		g.enter(tr, k, "close", 4)
		g.leave(tr, k, 0, 0)
		g.leave(tr, g.k, 0, 9)
		tr.Ended(k, emu.Status{Code: 2})
	}
	g, tr, w := tracing(t, func(o *Options) { o.Follow, o.File, o.Align = true, true, 0 })
	g.k.TID = 77
	run(g, tr)
	require.Equal(t, "77    close(3 <unfinished ...>\n78    close(4) = 0\n77    <... close resumed>) = -1 EBADF (Bad file descriptor)\n"+
		"78    +++ exited with 2 +++\n", w.String())

	g, tr, w = tracing(t, func(o *Options) { o.Follow, o.Align = true, 0 })
	g.k.TID = 77
	run(g, tr)
	require.Contains(t, w.String(), "strace: Process 78 attached\n")
	require.Contains(t, w.String(), "[pid    78] close(4) = 0\n")

	// A file for each task.
	name := filepath.Join(t.TempDir(), "f")
	out, err := OpenOutput(name, true, false)
	require.NoError(t, err)
	o := DefaultOptions()
	o.Follow, o.File, o.Align = true, true, 0
	tr = NewTracer(o, out)
	run(g, tr)
	require.NoError(t, tr.Close())
	for tid, want := range map[string]string{"77": "close(3) = -1 EBADF (Bad file descriptor)\n", "78": "close(4) = 0\n+++ exited with 2 +++\n"} {
		b, err := os.ReadFile(name + "." + tid)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}

// TestFilters: calls, results and signals that are not to be shown.
func TestFilters(t *testing.T) {
	set, err := ParseSet("%desc")
	require.NoError(t, err)
	run := func(change func(o *Options)) string {
		g, tr, w := tracing(t, func(o *Options) { o.Align = 0; change(o) })
		tr.Started(g.k, "/p", []string{"p", "a"}, 2)
		g.enter(tr, g.k, "close", 3)
		g.leave(tr, g.k, 0, 9)
		g.enter(tr, g.k, "getpid")
		g.leave(tr, g.k, 5, 0)
		require.True(t, tr.Signal(g.k, &emu.Signal{No: unix.SIGSEGV, Code: 1, Addr: 0x10}))
		tr.Ended(g.k, emu.Status{Code: 1})
		require.NoError(t, tr.Close())
		return w.String()
	}
	const closed, pid, sig, end = "close(3) = -1 EBADF (Bad file descriptor)\n", "getpid() = 5\n",
		"--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---\n", "+++ exited with 1 +++\n"
	all := run(func(*Options) {})
	require.True(t, strings.HasPrefix(all, `execve("/p", ["p", "a"], 0x`), all)
	require.True(t, strings.HasSuffix(all, " /* 2 vars */) = 0\n"+closed+pid+sig+end), all)
	require.Equal(t, closed+sig+end, run(func(o *Options) { o.Trace = set }))
	require.Equal(t, closed+sig+end, run(func(o *Options) { o.Statuses = Failed }))
	require.Equal(t, sig+end, run(func(o *Options) { o.Files = []string{"/other"} }))
	require.True(t, strings.HasSuffix(run(func(o *Options) { o.Files = []string{"/p"} }), ") = 0\n"+sig+end))
	require.Equal(t, closed+pid, strings.SplitAfterN(run(func(o *Options) { o.Exits, o.Signals = false, nil }), "\n", 2)[1])
	number := run(func(o *Options) { o.Number, o.Trace = true, set })
	require.Contains(t, number, "[   6] "+closed)
	require.Contains(t, number, "[  20] "+end)
	require.Contains(t, run(func(o *Options) { o.PC = true }), "[????????????????] "+end)
	quiet := run(func(o *Options) { o.Quiet, o.Summary = true, &Summary{} })
	require.NotContains(t, quiet, "EBADF")
	require.Regexp(t, `(?m)^ *[0-9.]+ +[0-9.]+ +\d+ +1 +1 close$`, quiet)
	require.Regexp(t, `(?m)^100.00 +[0-9.]+ +\d+ +3 +1 total$`, quiet)
}

// TestTimes is of the shape of the options that tell times.
func TestTimes(t *testing.T) {
	for want, set := range map[string]func(o *Options){
		`^\d\d:\d\d:\d\d close\(3\) = 0\n$`:                                 func(o *Options) { o.Stamp = 1 },
		`^\d\d:\d\d:\d\d\.\d{6} close\(3\) = 0\n$`:                          func(o *Options) { o.Stamp = 2 },
		`^\d{10}\.\d{6} close\(3\) = 0\n$`:                                  func(o *Options) { o.Stamp = 3 },
		`^ {5}0\.000000 close\(3\) = 0\n$`:                                  func(o *Options) { o.Since = true },
		`^\d\d:\d\d:\d\d \(\+ {5}0\.000000\) close\(3\) = 0 <\d\.\d{6}>\n$`: func(o *Options) { o.Since, o.Stamp, o.Spent = true, 1, true },
	} {
		g, tr, w := tracing(t, func(o *Options) { o.Align = 0; set(o) })
		g.enter(tr, g.k, "close", 3)
		g.leave(tr, g.k, 0, 0)
		require.Regexp(t, want, w.String())
		require.NoError(t, tr.Close())
	}
}

// TestDump is of -e write=: the data in hexadecimal.
func TestDump(t *testing.T) {
	set, err := ParseNumbers("1")
	require.NoError(t, err)
	g, tr, w := tracing(t, func(o *Options) { o.Write = set })
	g.enter(tr, g.k, "write", 1, g.str("0123456789abcdef\n"), 17)
	g.leave(tr, g.k, 17, 0)
	_, dump, _ := strings.Cut(w.String(), "\n")
	require.Equal(t, " | 00000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef |\n"+
		" | 00010  0a                                                .                |\n", dump)
}

// failing is a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, unix.ENOSPC }

func TestOutputErrors(t *testing.T) {
	o := NewOutput(failing{})
	o.write(1, "a\n")
	o.write(1, "b\n")
	require.ErrorIs(t, o.Close(), unix.ENOSPC)

	_, err := OpenOutput("|cat", true, false)
	require.Error(t, err)
	_, err = OpenOutput(filepath.Join(t.TempDir(), "no", "file"), false, false)
	require.True(t, errors.Is(err, os.ErrNotExist))

	// A command gets all of it before Close returns.
	name := filepath.Join(t.TempDir(), "f")
	o, err = OpenOutput("|cat >"+name, false, false)
	require.NoError(t, err)
	o.write(1, "begun")
	require.NoError(t, o.Close())
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "begun", string(b))

	// -A adds.
	for _, add := range []bool{false, true} {
		o, err = OpenOutput(name, false, add)
		require.NoError(t, err)
		o.write(1, "line\n")
		require.NoError(t, o.Close())
	}
	b, err = os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "line\nline\n", string(b))
}

// TestParseSet is of the sets of -e trace.
func TestParseSet(t *testing.T) {
	for text, want := range map[string]struct{ in, out []string }{
		"all":              {[]string{"read", "x"}, nil},
		"none":             {nil, []string{"read"}},
		"read,write":       {[]string{"read", "write"}, []string{"open"}},
		"!read":            {[]string{"write"}, []string{"read"}},
		"%file":            {[]string{"openat", "execve", "stat64"}, []string{"read", "close"}},
		"%net":             {[]string{"bind", "socketcall"}, []string{"read"}},
		"%%stat":           {[]string{"statx", "fstat64"}, []string{"statfs"}},
		"/^sched":          {[]string{"sched_yield"}, []string{"read"}},
		"?nosuchcall,read": {[]string{"read"}, []string{"write"}},
	} {
		s, err := ParseSet(text)
		require.NoError(t, err, text)
		for _, n := range want.in {
			require.True(t, s.Has(n), "%s: %s", text, n)
		}
		for _, n := range want.out {
			require.False(t, s.Has(n), "%s: %s", text, n)
		}
	}
	for _, text := range []string{"nosuchcall", "%nosuchclass", "/[", ""} {
		_, err := ParseSet(text)
		require.Error(t, err, text)
	}
}

// wildGuests are guests of all architectures whose memory is full of pointers
// into itself.
func wildGuests(t testing.TB) (list []*guest) {
	for _, a := range archs.All {
		g := newGuest(t, a)
		for i := range guestSize / 64 {
			at := uint64(guestMem + 64*i)
			require.NoError(t, g.k.Proc.Space.CopyOut(g.number(at^64, a.Word), at))
		}
		list = append(list, g)
	}
	return list
}

// wild writes a call of any number with any registers: what a guest can make
// of it is text of bounded length.
func (g *guest) wild(t testing.TB, nr uint64, args [6]uint64, ret uint64, errno uint16, style byte) {
	g.p.Style = DefaultStyle()
	if style&1 != 0 {
		g.p.Abbrev = Set{}
	}
	g.p.Consts, g.p.Hex, g.p.Paths = Consts(style>>1&3%3), int(style>>3&3%3), int(style>>5&3%3)
	cpu := g.k.CPU()
	cpu.SetReg(g.a.ABI.Nr, nr)
	for i, v := range args {
		cpu.SetReg(g.a.ABI.Args[i], v)
	}
	s := g.p.Entry(g.k)
	g.a.ABI.Result(cpu, g.a.Addr(ret), errno%4096)
	s += g.p.Exit(g.k)
	require.Less(t, len(s), 32<<20)
	require.Contains(t, s, "(")
}

// wildArgs are registers that have been trouble: pointers to pointers, huge
// counts, the end of memory.
var wildArgs = [][6]uint64{
	{guestMem, guestMem, guestMem, guestMem, guestMem, guestMem},
	{1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1},
	{3, guestMem, 1<<63 - 1, guestMem, guestMem + guestSize - 1, guestMem},
	{guestMem, 1<<31 - 1, guestMem + 64, 1 << 31, guestMem, 0},
}

func TestWildCalls(t *testing.T) {
	for _, g := range wildGuests(t) {
		for _, s := range g.a.Sysnum {
			for i, args := range wildArgs {
				g.wild(t, uint64(s.Nr), args, 1<<(13*i), uint16(4*(i&1)), byte(i))
			}
		}
	}
}

func FuzzCall(f *testing.F) {
	guests := wildGuests(f)
	for i, args := range wildArgs {
		for which, g := range guests {
			for n := 0; n < len(g.a.Sysnum); n += 16 {
				f.Add(byte(which), uint64(g.a.Sysnum[n].Nr), args[0], args[1], args[2], args[3], args[4], args[5], uint64(i), uint16(0), byte(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, nr, a0, a1, a2, a3, a4, a5, ret uint64, errno uint16, style byte) {
		guests[int(which)%len(guests)].wild(t, nr, [6]uint64{a0, a1, a2, a3, a4, a5}, ret, errno, style)
	})
}
