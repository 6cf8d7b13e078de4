package strace

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// callCase is a call and how it is written. Architectures without it are left
// out.
type callCase struct {
	call string
	args func(g *guest) []any
	end  outcome
	want string
}

func none(*guest) []any { return nil }

// fileCalls are calls on files.
var fileCalls = map[string]callCase{
	"string": {"write", func(g *guest) []any { return []any{1, g.bytes([]byte("a\x00\x001\xff\"\n")), 7} }, outcome{value: 7},
		`write(1, "a\0\0001\377\"\n", 7)         = 7`},
	"long string": {"write", func(g *guest) []any { return []any{1, g.bytes(make([]byte, 40)), 40} }, outcome{value: 40},
		`write(1, "` + strings.Repeat(`\0`, 32) + `"..., 40) = 40`},
	"string that is not there": {"write", func(*guest) []any { return []any{1, uint64(0x10), 5} }, outcome{errno: 14},
		`write(1, 0x10, 5)                       = -1 EFAULT (Bad address)`},
	"filled in": {"read", func(g *guest) []any { return []any{3, g.str("data"), 100} }, outcome{value: 4}, `read(3, "data", 100)                    = 4`},
	"not filled in": {"read", func(g *guest) []any { return []any{-1, g.str("data"), 100} }, outcome{errno: 9},
		`read(-1, @1, 100)               = -1 EBADF (Bad file descriptor)`},
	"flags": {"openat", func(g *guest) []any {
		return []any{-100, g.str("f"), g.constant("oflags", "O_CREAT") | g.constant("oflags", "O_DIRECTORY") | g.constant("oflags", "O_LARGEFILE") | 2, 0o640}
	}, outcome{value: 3}, `openat(AT_FDCWD, "f", O_RDWR|O_CREAT|O_LARGEFILE|O_DIRECTORY, 0640) = 3`},
	"no mode": {"openat", func(g *guest) []any { return []any{4, g.str("f"), 0, 0o640} }, outcome{errno: 2},
		`openat(4, "f", O_RDONLY)                = -1 ENOENT (No such file or directory)`},
	"position":          {"pread64", func(g *guest) []any { return []any{3, g.str("xy"), 2, wide(0x123456789)} }, outcome{value: 2}, `pread64(3, "xy", 2, 4886718345)         = 2`},
	"negative position": {"pwrite64", func(g *guest) []any { return []any{3, g.str("xy"), 2, wide(1<<64 - 1)} }, outcome{errno: 22}, `pwrite64(3, "xy", 2, -1)                = -1 EINVAL (Invalid argument)`},
	"truncate64":        {"truncate64", func(g *guest) []any { return []any{g.str("f"), wide(1 << 33)} }, outcome{}, `truncate64("f", 8589934592)             = 0`},
	"ftruncate64":       {"ftruncate64", func(*guest) []any { return []any{3, wide(1<<33 + 1)} }, outcome{}, `ftruncate64(3, 8589934593)              = 0`},
	"fallocate":         {"fallocate", func(*guest) []any { return []any{3, 3, wide(1 << 32), wide(5)} }, outcome{}, `fallocate(3, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4294967296, 5) = 0`},
	"fadvise64":         {"fadvise64", func(*guest) []any { return []any{3, wide(1 << 32), 7, 3} }, outcome{}, `fadvise64(3, 4294967296, 7, POSIX_FADV_WILLNEED) = 0`},
	"readahead":         {"readahead", func(*guest) []any { return []any{3, wide(1<<32 + 2), 100} }, outcome{}, `readahead(3, 4294967298, 100)           = 0`},
	"_llseek": {"_llseek", func(g *guest) []any { return []any{3, 1, 2, g.bytes(g.number(1<<32+2, 8)), 0} }, outcome{},
		`_llseek(3, 4294967298, [4294967298], SEEK_SET) = 0`},
	"arm's fadvise": {"arm_fadvise64_64", func(*guest) []any { return []any{3, 4, wide(1 << 32), wide(2)} }, outcome{},
		`arm_fadvise64_64(3, POSIX_FADV_DONTNEED, 4294967296, 2) = 0`},
	"sync_file_range2": {"sync_file_range2", func(*guest) []any { return []any{3, 5, wide(1 << 32), wide(2)} }, outcome{},
		`sync_file_range2(3, SYNC_FILE_RANGE_WAIT_BEFORE|SYNC_FILE_RANGE_WAIT_AFTER, 4294967296, 2) = 0`},
	"vectors": {"writev", func(g *guest) []any { return []any{1, g.words(g.str("one"), 3, 0x10, 4), 2} }, outcome{value: 3},
		`writev(1, [{iov_base="one", iov_len=3}, {iov_base=0x10, iov_len=4}], 2) = 3`},
	"vectors filled in": {"readv", func(g *guest) []any { return []any{0, g.words(g.str("one"), 3, g.str("two"), 3), 2} }, outcome{value: 4},
		`readv(0, [{iov_base="one", iov_len=3}, {iov_base="t", iov_len=3}], 2) = 4`},
	"stat64": {"stat64", func(g *guest) []any {
		return []any{g.str("f"), g.layout("stat64", fields{"st_mode": 0o100644, "st_size": 1 << 33})}
	}, outcome{}, `stat64("f", {st_mode=S_IFREG|0644, st_size=8589934592, ...}) = 0`},
	"device": {"newfstatat", func(g *guest) []any {
		return []any{-100, g.str("n"), g.layout("stat", fields{"st_mode": 0o20666, "st_rdev": 0x103}), 0}
	}, outcome{}, `newfstatat(AT_FDCWD, "n", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, 0) = 0`},
	"lock": {"fcntl64", func(g *guest) []any {
		return []any{3, g.constant("fcntl", "F_SETLK64"), g.layout("flock64", fields{"l_type": 1, "l_start": 1 << 32, "l_len": 2})}
	}, outcome{errno: 11}, `fcntl64(3, F_SETLK64, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=4294967296, l_len=2}) = -1 EAGAIN (Resource temporarily unavailable)`},
	"F_GETFL": {"fcntl64", func(*guest) []any { return []any{3, 3, 0} }, outcome{value: 1}, `fcntl64(3, F_GETFL)                     = 0x1 (flags O_WRONLY)`},
	"window size": {"ioctl", func(g *guest) []any {
		return []any{0, g.a.Const["TIOCGWINSZ"], g.layout("winsize", fields{"ws_row": 24, "ws_col": 80})}
	}, outcome{}, `ioctl(0, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0`},
	"not a terminal": {"ioctl", func(g *guest) []any { return []any{1, g.a.Const["TCGETS"], g.str("")} }, outcome{errno: 25},
		`ioctl(1, TCGETS, @2)            = -1 ENOTTY (Inappropriate ioctl for device)`},
	"interface": {"ioctl", func(g *guest) []any {
		b := make([]byte, 40)
		copy(b, "lo")
		copy(b[16:], g.number(0x49, 2))
		return []any{3, g.a.Const["SIOCGIFFLAGS"], g.bytes(b)}
	}, outcome{}, `ioctl(3, SIOCGIFFLAGS, {ifr_name="lo", ifr_flags=IFF_UP|IFF_LOOPBACK|IFF_RUNNING}) = 0`},
	"sendfile": {"sendfile64", func(g *guest) []any { return []any{1, 3, g.bytes(g.number(5, 8)), 20} },
		outcome{value: 20, does: func(g *guest) {
			c := &call{p: g.p, t: g.k, a: g.a}
			_, ok := c.uint(g.brk-16, 8)
			require.True(g.t, ok)
			require.NoError(g.t, g.k.Proc.Space.CopyOut(g.number(25, 8), g.brk-16))
		}}, `sendfile64(1, 3, [5] => [25], 20)       = 20`},
	"mount": {"mount", func(g *guest) []any { return []any{g.str("a"), g.str("b"), g.str("c"), uint64(0x1020), g.str("d")} }, outcome{errno: 1},
		`mount("a", "b", @2, MS_REMOUNT|MS_BIND, @4) = -1 EPERM (Operation not permitted)`},
	"umask": {"umask", func(*guest) []any { return []any{0o22} }, outcome{value: 0o77}, `umask(022)                              = 077`},
}

// memoryCalls are calls on memory.
var memoryCalls = map[string]callCase{
	"mmap2": {"mmap2", func(*guest) []any { return []any{0, 4096, 3, 0x22, -1, 3} }, outcome{value: 0x40000000},
		`mmap2(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x3000) = 0x40000000`},
	"huge pages": {"mmap2", func(*guest) []any { return []any{0, 4096, 0, uint64(0x40022 | 21<<26), -1, 0} }, outcome{errno: 12},
		`mmap2(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT, -1, 0) = -1 ENOMEM (Cannot allocate memory)`},
	"munmap":  {"munmap", func(*guest) []any { return []any{uint64(0x40000000), 4096} }, outcome{}, `munmap(0x40000000, 4096)                = 0`},
	"brk":     {"brk", func(*guest) []any { return []any{0} }, outcome{value: 0x20000}, `brk(NULL)                               = 0x20000`},
	"mremap":  {"mremap", func(*guest) []any { return []any{uint64(0x1000), 1, 2, 1, 9} }, outcome{value: 0x2000}, `mremap(0x1000, 1, 2, MREMAP_MAYMOVE)    = 0x2000`},
	"mincore": {"mincore", func(g *guest) []any { return []any{uint64(0x1000), 8192, g.bytes([]byte{1, 0})} }, outcome{}, `mincore(0x1000, 8192, [1, 0])           = 0`},
}

// taskCalls are calls on processes, signals and time.
var taskCalls = map[string]callCase{
	"no arguments": {"getpid", none, outcome{value: 77}, `getpid()                                = 77`},
	"wait": {"wait4", func(g *guest) []any { return []any{-1, g.ints(0x300), 1, 0} }, outcome{value: 5},
		`wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG, NULL) = 5`},
	"wait, killed": {"wait4", func(g *guest) []any { return []any{-1, g.ints(0x8b), 2, 0} }, outcome{value: 5},
		`wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], WSTOPPED, NULL) = 5`},
	"limits": {"prlimit64", func(g *guest) []any {
		return []any{0, 3, 0, g.layout("rlimit64", fields{"rlim_cur": 8 << 20, "rlim_max": 1<<64 - 1})}
	}, outcome{}, `prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0`},
	"mask": {"rt_sigprocmask", func(g *guest) []any {
		m := uint64(1<<1 | 1<<34) // SIGINT and a real-time signal
		at := g.words(m)
		if g.a.Word == 4 {
			at = g.words(m&0xffffffff, m>>32)
		}
		return []any{g.constant("sigmask", "SIG_SETMASK"), at, 0, 8}
	}, outcome{}, `rt_sigprocmask(SIG_SETMASK, [INT RT_3], NULL, 8) = 0`},
	"kill": {"kill", func(*guest) []any { return []any{-1, 9} }, outcome{errno: 3}, `kill(-1, SIGKILL)                       = -1 ESRCH (No such process)`},
	"execve": {"execve", func(g *guest) []any {
		return []any{g.str("p"), g.words(g.str("p"), g.str("x\n"), 0), g.words(g.str("A=b"), 0)}
	}, outcome{errno: 2}, `execve("p", ["p", "x\n"], @2 /* 1 var */) = -1 ENOENT (No such file or directory)`},
	"exit":     {"exit_group", func(*guest) []any { return []any{3} }, outcome{}, `exit_group(3)                           = ?`},
	"futex":    {"futex", func(g *guest) []any { return []any{g.ints(0), 0x81, 5} }, outcome{value: 1}, `futex(@0, FUTEX_WAKE_PRIVATE, 5) = 1`},
	"affinity": {"sched_setaffinity", func(g *guest) []any { return []any{0, g.a.Word, g.words(0x102)} }, outcome{}, ""},
	"name":     {"prctl", func(g *guest) []any { return []any{15, g.str("me")} }, outcome{}, `prctl(PR_SET_NAME, "me")                = 0`},
	"sleep cut": {"nanosleep", func(g *guest) []any {
		return []any{g.layout("timespec", fields{"tv_sec": 5}), g.layout("timespec", fields{"tv_nsec": 7})}
	}, outcome{errno: 4}, `nanosleep({tv_sec=5, tv_nsec=0}, {tv_sec=0, tv_nsec=7}) = -1 EINTR (Interrupted system call)`},
	"restart": {"pause", none, outcome{errno: 514}, `pause()                                 = ? ERESTARTNOHAND (To be restarted if no handler)`},
	"clock": {"clock_gettime", func(g *guest) []any {
		return []any{1, g.layout("timespec", fields{"tv_sec": 5, "tv_nsec": 999})}
	}, outcome{}, `clock_gettime(CLOCK_MONOTONIC, {tv_sec=5, tv_nsec=999}) = 0`},
	"clock with 64 bits": {"clock_gettime64", func(g *guest) []any {
		return []any{0, g.layout("__kernel_timespec", fields{"tv_sec": 1 << 33, "tv_nsec": 999})}
	}, outcome{}, `clock_gettime64(CLOCK_REALTIME, {tv_sec=8589934592, tv_nsec=999}) = 0`},
	"capabilities": {"capget", func(g *guest) []any {
		return []any{g.layout("cap_user_header", fields{"version": 0x20080522}), g.ints(1, 2, 0, 0, 0x100, 0)}
	}, outcome{}, `capget({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN, permitted=1<<CAP_DAC_OVERRIDE|1<<CAP_CHECKPOINT_RESTORE, inheritable=0}) = 0`},
	"thread area": {"set_thread_area", func(g *guest) []any {
		return []any{g.layout("user_desc", fields{"entry_number": 0xffffffff, "base_addr": 0x1234, "limit": 0xfffff, "flags": 0x51})}
	}, outcome{does: func(g *guest) { require.NoError(g.t, g.k.Proc.Space.CopyOut(g.number(12, 4), g.brk-16)) }}, ""},
}

// networkCalls are calls on sockets, waiting and IPC.
var networkCalls = map[string]callCase{
	"socket": {"socket", func(*guest) []any { return []any{10, 0x80801, 6} }, outcome{value: 3},
		`socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_TCP) = 3`},
	"IPv4": {"connect", func(g *guest) []any {
		return []any{3, g.bytes(append(g.number(2, 2), 0, 80, 127, 0, 0, 1)), 8}
	}, outcome{errno: 111}, ""},
	"unix": {"connect", func(g *guest) []any { return []any{3, g.bytes(append(g.number(1, 2), "/s\x00"...)), 5} }, outcome{},
		`connect(3, {sa_family=AF_UNIX, sun_path="/s"}, 5) = 0`},
	"abstract": {"bind", func(g *guest) []any { return []any{3, g.bytes(append(g.number(1, 2), "\x00s\x00t"...)), 6} }, outcome{},
		`bind(3, {sa_family=AF_UNIX, sun_path=@"s\0t"}, 6) = 0`},
	"peer": {"accept4", func(g *guest) []any {
		return []any{3, g.bytes(append(g.number(2, 2), 4, 210, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0)), g.ints(16), 0x80000}
	}, outcome{value: 4}, `accept4(3, {sa_family=AF_INET, sin_port=htons(1234), sin_addr=inet_addr("10.0.0.9")}, [16], SOCK_CLOEXEC) = 4`},
	"no peer": {"accept4", func(g *guest) []any { return []any{3, g.str("x"), g.ints(16), 0} }, outcome{errno: 11},
		`accept4(3, @1, [16], 0)         = -1 EAGAIN (Resource temporarily unavailable)`},
	"option": {"setsockopt", func(g *guest) []any { return []any{3, 1, g.constant("so", "SO_KEEPALIVE"), g.ints(1), 4} }, outcome{},
		`setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0`},
	"option's length": {"getsockopt", func(g *guest) []any { return []any{3, 6, 2, g.ints(536), g.ints(8)} },
		outcome{does: func(g *guest) { require.NoError(g.t, g.k.Proc.Space.CopyOut(g.number(4, 4), g.brk-16)) }},
		`getsockopt(3, SOL_TCP, TCP_MAXSEG, [536], [8 => 4]) = 0`},
	"message": {"sendmsg", func(g *guest) []any {
		iov := g.words(g.str("ab"), 2)
		return []any{3, g.layout("msghdr", fields{"msg_iov": iov, "msg_iovlen": 1}), 0x4000}
	}, outcome{value: 2}, `sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="ab", iov_len=2}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, MSG_NOSIGNAL) = 2`},
	"no message": {"recvmsg", func(g *guest) []any { return []any{3, g.layout("msghdr", fields{"msg_namelen": 5}), 0} }, outcome{errno: 11},
		`recvmsg(3, {msg_namelen=5}, 0)          = -1 EAGAIN (Resource temporarily unavailable)`},
	"poll": {"poll", func(g *guest) []any {
		b := append(g.number(3, 4), append(g.number(1, 2), g.number(1, 2)...)...)
		return []any{g.bytes(append(b, append(g.number(1<<32-1, 4), 0, 0, 0, 0)...)), 2, -1}
	}, outcome{value: 1}, `poll([{fd=3, events=POLLIN}, {fd=-1}], 2, -1) = 1 ([{fd=3, revents=POLLIN}])`},
	"poll, late": {"poll", func(g *guest) []any { return []any{0, 0, 10} }, outcome{}, `poll(NULL, 0, 10)                       = 0 (Timeout)`},
	"epoll": {"epoll_wait", func(g *guest) []any {
		return []any{3, g.layout("epoll_event", fields{"events": 4, "data": 7<<32 | 7}), 4, 0}
	}, outcome{value: 1},
		`epoll_wait(3, [{events=EPOLLOUT, data={u32=7, u64=30064771079}}], 4, 0) = 1`},
	"select": {"_newselect", func(g *guest) []any { return []any{40, g.words(0x8, 0x2), 0, 0, 0} }, outcome{value: 1}, ""},
	"socketcall": {"socketcall", func(g *guest) []any { return []any{2, g.words(3, g.bytes(append(g.number(1, 2), "/s\x00"...)), 5)} }, outcome{errno: 13},
		`bind(3, {sa_family=AF_UNIX, sun_path="/s"}, 5) = -1 EACCES (Permission denied)`},
	"ipc": {"ipc", func(g *guest) []any { return []any{23, 0, 4096, 0o1600} }, outcome{value: 9}, `shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600) = 9`},
	"ipc, semctl": {"ipc", func(g *guest) []any { return []any{3, 5, 1, 0x110, g.words(7)} }, outcome{},
		`semctl(5, 1, IPC_64|SETVAL, [0x7])      = 0`},
	"status": {"msgctl", func(g *guest) []any {
		return []any{5, 2, g.layout("msqid64_ds", fields{"msg_perm.uid": 3, "msg_perm.mode": 0o600, "msg_qnum": 2, "msg_qbytes": 99})}
	}, outcome{}, `msgctl(5, IPC_STAT, {msg_perm={uid=3, gid=0, mode=0600, key=0, cuid=0, cgid=0}, msg_stime=0, msg_rtime=0, msg_ctime=0, msg_qnum=2, msg_qbytes=99, msg_lspid=0, msg_lrpid=0}) = 0`},
}

// varying are the cases whose text depends on the architecture.
var varying = map[string]func(g *guest) string{
	"affinity": func(g *guest) string {
		if g.a.Word == 4 {
			return `sched_setaffinity(0, 4, [1 8])          = 0`
		}
		return `sched_setaffinity(0, 8, [1 8])          = 0`
	},
	"IPv4": func(*guest) string {
		return `connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 8) = -1 ECONNREFUSED (Connection refused)`
	},
	"select": func(g *guest) string {
		if g.a.Word == 4 {
			return `_newselect(40, [3 33], NULL, NULL, NULL) = 1 (in [3 33])`
		}
		return `_newselect(40, [3], NULL, NULL, NULL)   = 1 (in [3])`
	},
	"thread area": func(g *guest) string {
		more := ""
		if g.a.Word == 8 {
			more = ", lm=0"
		}
		return `set_thread_area({entry_number=-1, base_addr=0x001234, limit=0xfffff, seg_32bit=1, contents=0, read_exec_only=0, limit_in_pages=1, seg_not_present=0, useable=1` + more + `}) = 0 (entry_number=12)`
	},
}

// TestCalls holds the text of calls on every architecture to strace's: 64-bit
// arguments in pairs of registers, structures of both byte orders and word
// sizes, numbers of constants.
func TestCalls(t *testing.T) {
	seen := map[string]bool{}
	each(t, func(t *testing.T, g *guest) {
		for _, group := range []map[string]callCase{fileCalls, memoryCalls, taskCalls, networkCalls} {
			for name, c := range group {
				if !g.has(c.call) || !c.fits(g) {
					continue
				}
				seen[name] = true
				t.Run(name, func(t *testing.T) {
					g.t, g.brk = t, guestMem
					want := c.want
					if f := varying[name]; f != nil {
						want = f(g)
					}
					require.Equal(t, want, g.call(c.call, c.args(g), c.end))
				})
			}
		}
	})
	for _, group := range []map[string]callCase{fileCalls, memoryCalls, taskCalls, networkCalls} {
		for name := range group {
			require.True(t, seen[name], "no architecture has the call of %q", name)
		}
	}
}

// fits tells whether an architecture has the form of the call that is meant.
func (c callCase) fits(g *guest) bool {
	switch c.call {
	case "set_thread_area":
		return g.a.Layout["user_desc"].Size > 0
	case "newfstatat":
		return g.a.Word == 8
	}
	return true
}

// TestUnknown is of numbers that no call has, and of calls that have failed in
// odd ways.
func TestUnknown(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.registers("getpid", []any{1, 2, 3, 4, 5, 6})
		g.k.CPU().SetReg(g.a.ABI.Nr, 0xabcdef)
		entry := g.p.Entry(g.k)
		require.Equal(t, "syscall_0xabcdef(0x1, 0x2, 0x3, 0x4, 0x5, 0x6", entry)
		g.a.ABI.Result(g.k.CPU(), 0, 38)
		require.Equal(t, ") = -1 ENOSYS (Function not implemented)", g.p.Exit(g.k))
		require.Empty(t, g.p.Exit(g.k), "an exit without an entry")

		g.registers("exit", []any{7})
		require.Equal(t, "exit(7", g.p.Entry(g.k))
		require.Equal(t, ")                                 = ?", g.p.Forget(g.k))
		g.registers("read", []any{7})
		require.Equal(t, "read(7, ", g.p.Entry(g.k))
		require.Equal(t, ` <unfinished ...>)              = ?`, g.p.Forget(g.k))
	})
}

// TestStyles is of the options that change how arguments are written.
func TestStyles(t *testing.T) {
	open := func(g *guest) []any { return []any{-100, g.str("f\x01"), 1, 0} }
	read := func(g *guest) []any { return []any{0, g.str("0123456789"), 10} }
	for name, c := range map[string]struct {
		set  func(s *Style)
		call string
		args func(g *guest) []any
		want string
	}{
		"raw constants":  {func(s *Style) { s.Consts = ConstsRaw }, "openat", open, `openat(-100, "f\1", 0x1)                = 3`},
		"both":           {func(s *Style) { s.Consts = ConstsVerbose }, "openat", open, `openat(-100 /* AT_FDCWD */, "f\1", 0x1 /* O_WRONLY */) = 3`},
		"hex if needed":  {func(s *Style) { s.Hex = 1 }, "openat", open, `openat(AT_FDCWD, "\x66\x01", O_WRONLY)  = 3`},
		"hex not needed": {func(s *Style) { s.Hex = 1 }, "read", read, `read(0, "012", 10)                      = 3`},
		"all hex":        {func(s *Style) { s.Hex = 2 }, "read", read, `read(0, "\x30\x31\x32", 10)             = 3`},
		"short strings":  {func(s *Style) { s.Strings = 2 }, "read", read, `read(0, "01"..., 10)                    = 3`},
		"raw":            {func(s *Style) { s.Raw = All() }, "read", read, `read(0, @1, 0xa)                = 0x3`},
		"column":         {func(s *Style) { s.Align = 0 }, "read", read, `read(0, "012", 10) = 3`},
		"paths":          {func(s *Style) { s.Paths = 1; s.Align = 0 }, "close", func(*guest) []any { return []any{99} }, `close(99) = 3`},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, g *guest) {
				c.set(&g.p.Style)
				require.Equal(t, c.want, g.call(c.call, c.args(g), outcome{value: 3}))
			})
		})
	}
}

// TestRawWidths is of the number of words that calls have with -e raw.
func TestRawWidths(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.p.Raw = All()
		for name, want := range map[string]int{"futex": 6, "ioctl": 3, "getpid": 0, "prctl": 5, "clone": 5, "getsockopt": 5, "openat": 4} {
			s := g.call(name, nil, outcome{})
			inner, _, _ := strings.Cut(s[len(name)+1:], ")")
			n := 0
			if inner != "" {
				n = strings.Count(inner, ",") + 1
			}
			require.Equal(t, want, n, s)
		}
	})
}
