package syscalls

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// archPPC is the architecture that differs most from the host.
func archPPC(t *testing.T) *arch.Arch {
	a, ok := archs.Lookup("ppc")
	require.True(t, ok)
	return a
}

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }

func atoi(t *testing.T, s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err)
	return v
}

func TestIdentity(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		require.EqualValues(t, os.Getpid(), g.ok("getpid"))
		require.EqualValues(t, os.Getpid(), g.ok("gettid"))
		require.EqualValues(t, os.Getppid(), g.ok("getppid"))
		require.EqualValues(t, os.Getuid(), g.ok("getuid"))
		r, e, s := g.room(8), g.room(8), g.room(8)
		g.ok("getresuid", r, e, s)
		want := uint64(os.Getuid())
		for _, at := range []uint64{r, e, s} {
			if g.shortIDs() {
				require.EqualValues(t, want, g.A.Order.Uint16(g.get(at, 2)))
				require.Zero(t, g.A.Order.Uint16(g.get(at+2, 2)), "16 bits and no more are written")
			} else {
				require.EqualValues(t, want, g.get32(at))
			}
		}
		n := g.ok("getgroups", 0, 0)
		if n > 0 {
			g.fails(unix.EINVAL, "getgroups", n-1+uint64(math.MaxUint32)*bit(n == 1), 0)
		}
		require.EqualValues(t, n, g.ok("getgroups", 65536, g.room(int(n)*4+4)))
		require.Equal(t, uint64(overflowID), map[bool]uint64{true: g.shortID(70000), false: overflowID}[g.shortIDs()])
		require.Equal(t, uint64(0xffffffff), map[bool]uint64{true: 0xffffffff, false: g.shortID(-1)}[g.shortIDs()])
	})
}

func TestCapget(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		h := g.ints(0x123, 0)
		g.fails(unix.EINVAL, "capget", h, g.room(24))
		require.EqualValues(t, unix.LINUX_CAPABILITY_VERSION_3, g.get32(h), "the version to use is told")
		data := g.room(24)
		g.ok("capget", h, data)
		var want [2]unix.CapUserData
		require.NoError(t, unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &want[0]))
		require.Equal(t, want[0].Effective, g.get32(data))
		require.Equal(t, want[1].Permitted, g.get32(data+12+4))
		g.ok("capset", h, g.ints(0, 0, 0, 0, 0, 0))
		g.ok("capget", h, data)
		require.Zero(t, g.get32(data))
		g.fails(unix.EPERM, "capset", h, g.ints(1, 1, 0, 0, 0, 0))
	})
}

func TestRlimit(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at := g.room(16)
		stack := g.flag("RLIMIT_STACK")
		g.P.Limits[unix.RLIMIT_STACK] = unix.Rlimit{Cur: 8 << 20, Max: unix.RLIM_INFINITY}
		g.ok("prlimit64", 0, stack, 0, at)
		s := g.load("rlimit64", at)
		require.EqualValues(t, 8<<20, s.Uint("rlim_cur"))
		require.Equal(t, ^uint64(0), s.Uint("rlim_max"))
		g.ok("setrlimit", stack, g.words(4<<20, ^uint64(0)))
		require.Equal(t, unix.Rlimit{Cur: 4 << 20, Max: unix.RLIM_INFINITY}, g.P.Limits[unix.RLIMIT_STACK])
		g.fails(unix.EINVAL, "setrlimit", stack, g.words(4<<20, 1<<20))
		g.fails(unix.EINVAL, "prlimit64", 0, 99, 0, at)
		var host unix.Rlimit
		require.NoError(t, unix.Getrlimit(unix.RLIMIT_STACK, &host))
		require.NotEqualValues(t, 4<<20, host.Cur, "the host keeps its own")
		if g.A.Word == 8 && g.P.table.oldRlimit {
			g.fails(unix.ENOSYS, "getrlimit", stack, at)
			return
		}
		g.ok("getrlimit", stack, at)
		s = g.load("rlimit", at)
		require.EqualValues(t, 4<<20, s.Uint("rlim_cur"))
		switch {
		case g.A.Word == 8:
			require.Equal(t, ^uint64(0), s.Uint("rlim_max"))
		case g.P.table.oldRlimit:
			require.EqualValues(t, 0x7fffffff, s.Uint("rlim_max"), "the old form is signed")
		default:
			require.EqualValues(t, 0xffffffff, s.Uint("rlim_max"))
		}
	})
}

func TestFutex(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		f := g.ints(5, 7)
		tid := uint32(g.T.TID)
		g.fails(unix.EAGAIN, "futex", f, futexWait|futexPrivate, 4, 0)
		g.fails(unix.ETIMEDOUT, "futex", f, futexWait, 5, g.words(0, 1000))
		g.fails(unix.ETIMEDOUT, "futex", f, futexWaitBitset|futexRealtime, 5, g.words(1, 0), 0, 1)
		g.fails(unix.EINVAL, "futex", f, futexWaitBitset, 5, 0, 0, 0)
		g.fails(unix.EINVAL, "futex", f, futexWait, 5, g.words(0, 1e9))
		g.fails(unix.EINVAL, "futex", f+1, futexWait, 5, 0)
		g.fails(unix.EFAULT, "futex", 8, futexWait, 5, 0)
		g.fails(unix.ENOSYS, "futex", f, 99, 5, 0)
		require.Zero(t, g.ok("futex", f, futexWake|futexPrivate, 1))
		g.fails(unix.EAGAIN, "futex", f, futexCmpRequeue, 1, 1, f+4, 6)
		require.Zero(t, g.ok("futex", f, futexCmpRequeue, 1, 1, f+4, 5))
		// FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 7)
		require.Zero(t, g.ok("futex", f, futexWakeOp, 1, 1, f+4, 1<<28|3<<12|7))
		require.EqualValues(t, 10, g.get32(f+4))
		lock := g.ints(0)
		g.ok("futex", lock, futexLockPI, 0, 0)
		require.Equal(t, tid, g.get32(lock))
		g.fails(unix.EDEADLK, "futex", lock, futexTrylockPI, 0, 0)
		g.ok("futex", lock, futexUnlockPI)
		require.Zero(t, g.get32(lock))
		g.fails(unix.EPERM, "futex", lock, futexUnlockPI)
		if g.A.Word == 4 {
			ts := g.NewStruct("__kernel_timespec")
			ts.Set("tv_nsec", 1000)
			g.fails(unix.ETIMEDOUT, "futex_time64", f, futexWait, 5, g.bytes(ts.Bytes()))
		}
	})
}

func TestPrctl(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		buf := g.room(16)
		g.ok("prctl", unix.PR_SET_NAME, g.str("a name that is too long"))
		g.ok("prctl", unix.PR_GET_NAME, buf)
		require.Equal(t, "a name that is ", g.text(buf))
		require.EqualValues(t, 1, g.ok("prctl", unix.PR_GET_DUMPABLE))
		g.ok("prctl", unix.PR_SET_DUMPABLE, 0)
		require.Zero(t, g.ok("prctl", unix.PR_GET_DUMPABLE))
		g.fails(unix.EINVAL, "prctl", unix.PR_SET_DUMPABLE, 2)
		g.fails(unix.EINVAL, "prctl", unix.PR_SET_NO_NEW_PRIVS, 2)
		g.ok("prctl", unix.PR_SET_NO_NEW_PRIVS, 1)
		require.EqualValues(t, 1, g.ok("prctl", unix.PR_GET_NO_NEW_PRIVS))
		g.ok("prctl", unix.PR_SET_PDEATHSIG, 9)
		g.ok("prctl", unix.PR_GET_PDEATHSIG, buf)
		require.EqualValues(t, 9, g.get32(buf))
		g.fails(unix.EINVAL, "prctl", 9999)
	})
}

func TestSched(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		buf := g.room(1024)
		var want unix.CPUSet
		require.NoError(t, unix.SchedGetaffinity(os.Getpid(), &want))
		n := g.ok("sched_getaffinity", 0, 1024, buf)
		require.Zero(t, n%uint64(g.A.Word))
		for cpu := range int(n) * 8 {
			w := g.A.Word * 8
			v := getUint(g.A, g.get(buf+uint64(cpu/w*g.A.Word), g.A.Word))
			require.Equal(t, want.IsSet(cpu), v>>(cpu%w)&1 != 0, "processor %d", cpu)
		}
		g.ok("sched_setaffinity", 0, n, buf)
		g.fails(unix.EINVAL, "sched_getaffinity", 0, 3, buf)
		require.Zero(t, g.ok("sched_getscheduler", 0))
		g.ok("sched_getattr", 0, buf, 56, 0)
		require.EqualValues(t, 56, g.load("sched_attr", buf).Uint("size"))
		nice := 20 - int64(g.ok("getpriority", 0, 0))
		require.EqualValues(t, nice, g.load("sched_attr", buf).Int("sched_nice"))
	})
}

func TestExec(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		type run struct {
			path      string
			argv, env []string
		}
		var got run
		g.K.cfg.Exec = func(_ *emu.Task, path string, argv, env []string) error {
			got = run{path, argv, env}
			if path == "/bad" {
				return unix.ENOEXEC
			}
			return nil
		}
		argv := g.words(g.str("prog"), g.str(""), 0)
		g.ok("execve", g.str("/bin/prog"), argv, g.words(g.str("A=b"), 0))
		require.True(t, g.noResult)
		require.Equal(t, run{"/bin/prog", []string{"prog", ""}, []string{"A=b"}}, got)
		g.ok("execve", g.str("/bin/prog"), 0, 0)
		require.Equal(t, []string{""}, got.argv)
		g.fails(unix.ENOEXEC, "execve", g.str("/bad"), argv, 0)
		g.fails(unix.ENOENT, "execve", g.str(""), argv, 0)
		g.fails(unix.EFAULT, "execve", g.str("/x"), g.words(8, 0), 0)
		long := make([]byte, maxArgLen+1)
		for i := range long {
			long[i] = 'a'
		}
		g.fails(unix.E2BIG, "execve", g.str("/x"), g.words(g.bytes(long), 0), 0)
		exe := g.open("/bin/true")
		g.ok("execveat", exe, g.str(""), argv, 0, unix.AT_EMPTY_PATH)
		require.Equal(t, fmt.Sprintf("/dev/fd/%d", exe), got.path)
		g.fails(unix.ENOENT, "execveat", exe, g.str(""), argv, 0, 0)
		g.fails(unix.EINVAL, "execveat", exe, g.str(""), argv, 0, 1)
	})
}

func TestWait(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.fails(unix.ECHILD, "wait4", math.MaxUint64, 0, 0, 0)
		g.fails(unix.EINVAL, "wait4", math.MaxUint64, 0, 0x10000, 0)
		g.fails(unix.ECHILD, "waitid", unix.P_ALL, 0, 0, unix.WEXITED, 0)
		g.fails(unix.EINVAL, "waitid", unix.P_ALL, 0, 0, unix.WNOHANG, 0)
		clear := g.ints(77)
		require.EqualValues(t, g.T.TID, g.ok("set_tid_address", clear))
		g.ok("exit_group", 0x1ff)
		require.Equal(t, &emu.Status{Code: 0xff}, g.T.Status())
		require.EqualValues(t, 77, g.get32(clear), "it has not gone yet")
		g.K.Exit(g.T, true)
		require.Zero(t, g.get32(clear))
	})
}

func TestUnameSysinfo(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at := g.room(400)
		g.ok("uname", at)
		require.Equal(t, "Linux", g.text(at))
		require.Equal(t, g.A.ABI.Machine, g.text(at+4*65))
		g.ok("sysinfo", at)
		var want unix.Sysinfo_t
		require.NoError(t, unix.Sysinfo(&want))
		s := g.load("sysinfo", at)
		require.Equal(t, want.Totalram*uint64(want.Unit)/page, s.Uint("totalram")*s.Uint("mem_unit")/page)
		require.EqualValues(t, 10, g.ok("getrandom", at, 10, 0))
		g.fails(unix.EINVAL, "getrandom", at, 10, 8)
		require.EqualValues(t, 5, g.ok("getrandom", guestMem+guestSize-5, 10, 0), "what is there")
	})
}

// TestPersonality: a program that wants to be taken for a 32-bit one is, and
// its successor too.
func TestPersonality(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		machine := func() string {
			buf := g.room(400)
			g.ok("uname", buf)
			return g.text(buf + 4*65)
		}
		own := machine()
		require.EqualValues(t, 0, g.ok("personality", perLinux32|readImpliesExec))
		want := g.A.ABI.Machine32
		if want == "" {
			want = own
		}
		require.Equal(t, want, machine())
		require.Equal(t, g.A.Word == 8, want != own)
		g.P.SetProgram("/bin/prog", ImageInfo{}, "prog", ExecCred{cr: g.K.hostCred})
		require.EqualValues(t, perLinux32, g.ok("personality", uint64(0xffffffff)))
	})
}

// TestCPUInfo: the CPUs are the host's in number and the model's in kind.
func TestCPUInfo(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.P.P.Model = &g.A.Engine.Models[0]
		buf := g.room(1 << 14)
		n := g.ok("read", g.open("/proc/cpuinfo"), buf, 1<<14)
		host, err := os.ReadFile("/proc/cpuinfo")
		require.NoError(t, err)
		first, _, _ := strings.Cut(g.P.P.Model.CPUInfo, "\n\n")
		text := string(g.get(buf, int(n)))
		require.Equal(t, strings.Count(string(host), "processor\t:"), strings.Count(text, "processor\t: "))
		require.True(t, strings.HasPrefix(text, first), text)
	})
}

var mapsLine = regexp.MustCompile(`^([0-9a-f]{8,})-([0-9a-f]{8,}) [r-][w-][x-][ps] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} \d+ `)

func TestProcFiles(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		read := func(name string) string {
			b, ok, err := g.procFile(procPath{p: g.P, path: name})
			require.True(t, ok, name)
			require.NoError(t, err, name)
			return string(b)
		}
		args := g.bytes([]byte("prog\x00-x\x00"))
		env := g.bytes([]byte("A=b\x00"))
		g.P.SetProgram("/bin/prog", ImageInfo{ArgStart: args, ArgEnd: args + 8, EnvStart: env, EnvEnd: env + 4, Auxv: []byte{1, 2}}, "pr)og", ExecCred{cr: g.K.hostCred})
		fd := g.open("/bin/true")
		_, err := g.mmap(0x40000000, page, unix.PROT_READ, unix.MAP_PRIVATE, fd, 0)
		require.NoError(t, err)
		_, err = g.mmap(0x40001000, page, unix.PROT_READ, unix.MAP_PRIVATE, fd, page)
		require.NoError(t, err)
		_, err = g.mmap(0x50000000, page, rw, unix.MAP_SHARED|unix.MAP_ANONYMOUS, none, 0)
		require.NoError(t, err)

		require.Equal(t, "prog\x00-x\x00", read("cmdline"))
		require.Equal(t, "A=b\x00", read("environ"))
		require.Equal(t, "\x01\x02", read("auxv"))
		require.Equal(t, "pr)og\n", read("comm"))
		maps := read("maps")
		for line := range strings.Lines(maps) {
			require.Regexp(t, mapsLine, line)
		}
		require.Contains(t, maps, fmt.Sprintf("%08x-%08x rw-p 00000000 00:00 0 \n", guestMem, guestMem+guestSize))
		exe, err := os.Readlink("/bin/true")
		if err != nil {
			exe = "true"
		}
		require.Regexp(t, `(?m)^40000000-40002000 r--p 00000000 .*\S/`+exe[strings.LastIndex(exe, "/")+1:]+`$`, maps, "two calls, one line")
		require.Regexp(t, `(?m)^50000000-50001000 rw-s 00000000 00:01 \d+ +/dev/zero \(deleted\)$`, maps)
		name := strings.Index(maps[strings.Index(maps, "50000000-"):], "/dev/zero")
		require.Equal(t, 25+6*g.A.Word, name, "the column of names")

		require.Contains(t, read("status"), "Name:\tpr)og\n")
		require.Regexp(t, fmt.Sprintf(`^%d \(pr\)og\) R \d+`, os.Getpid()), read("stat"))
		require.Len(t, strings.Fields(read("statm")), 7)
		require.Contains(t, read("limits"), "Max open files")
		require.Contains(t, read("smaps"), "Rss:")
		require.Contains(t, read("smaps_rollup"), "[rollup]")
		_, ok, err := g.procFile(procPath{p: g.P, path: "cgroup"})
		require.False(t, ok, "what is the host's")
		require.NoError(t, err)
	})
}

// TestProcOthers looks at another guest in /proc, and at tasks of its own.
func TestProcOthers(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		q := g.spawn(0)
		q.Exe, q.leader.comm = "/bin/other", "other"
		dir := "/proc/" + strconv.Itoa(q.P.PID)
		read := func(name string) string {
			fd := g.open(name)
			buf := g.room(4096)
			b := string(g.get(buf, int(g.ok("read", fd, buf, 4096))))
			g.ok("close", fd)
			return b
		}
		stat := strings.Fields(read(dir + "/stat"))
		require.Equal(t, []string{strconv.Itoa(q.P.PID), "(other)", "R", strconv.Itoa(g.P.P.PID)}, stat[:4])
		require.Equal(t, strconv.Itoa(q.pgrp), stat[4])
		require.Greater(t, len(stat), 50)
		status := read(dir + "/status")
		require.Contains(t, status, fmt.Sprintf("\nTgid:\t%d\n", q.P.PID))
		require.Contains(t, status, fmt.Sprintf("\nPPid:\t%d\n", g.P.P.PID))
		require.Contains(t, read(dir+"/maps"), fmt.Sprintf("%08x-%08x rw-p", guestMem, guestMem+emu.PageSize))
		buf := g.room(256)
		n := int(g.ok("readlinkat", cwd, g.str(dir+"/exe"), buf, 256))
		require.Equal(t, "/bin/other", string(g.get(buf, n)))

		fd := g.open("/dev/null")
		require.NotContains(t, g.list(g.open(dir+"/fd", "O_DIRECTORY")), itoa(fd), "the tables are two")
		require.Contains(t, g.list(g.open("/proc/self/fd", "O_DIRECTORY")), itoa(fd))
		require.Equal(t, []string{".", "..", strconv.Itoa(q.P.PID)}, g.list(g.open(dir+"/task", "O_DIRECTORY")))
		g.ok("close", fd)

		root := g.open("/proc", "O_DIRECTORY")
		names := g.list(root)
		require.Contains(t, names, strconv.Itoa(q.P.PID))
		require.Contains(t, names, "meminfo")
		in := g.ok("openat", root, g.str(strconv.Itoa(q.P.PID)+"/comm"), 0, 0)
		require.EqualValues(t, 6, g.ok("read", in, buf, 256))
		g.ok("chdir", g.str(dir))
		require.Equal(t, "other\n", read("comm"))

		g.ok("prlimit64", uint64(q.P.PID), g.A.Const["RLIMIT_NOFILE"], g.bytes(append(binary.NativeEndian.AppendUint64(nil, 0), make([]byte, 8)...)), buf)
		require.Zero(t, q.Limits[unix.RLIMIT_NOFILE].Cur)
		require.NotZero(t, g.P.Limits[unix.RLIMIT_NOFILE].Cur)

		g.K.family.mu.Lock()
		q.zombie = true
		g.K.family.mu.Unlock()
		require.Equal(t, "Z", strings.Fields(read(dir + "/stat"))[2])
		require.Contains(t, read(dir+"/status"), "State:\tZ (zombie)\n")
		require.Empty(t, read(dir+"/maps"))
		g.fails(unix.ENOENT, "readlinkat", cwd, g.str(dir+"/exe"), buf, 256)
		g.fails(unix.ENOENT, "openat", cwd, g.str("/proc/"+strconv.Itoa(firstID+1000)+"/stat"), 0, 0)
	})
}
