package syscalls

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

func TestReadWrite(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		g.ok("umask", 0o027)
		fd := g.open(path, "O_CREAT", "O_RDWR", "O_EXCL")
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o640), st.Mode(), "the umask is the guest's")
		g.fails(unix.EEXIST, "openat", cwd, g.str(path), g.flag("O_CREAT")|g.flag("O_EXCL"), 0)

		require.EqualValues(t, 5, g.ok("write", fd, g.bytes([]byte("hello")), 5))
		iov := g.words(g.bytes([]byte(", wor")), 5, g.bytes([]byte("ld")), 2, 0, 0)
		require.EqualValues(t, 7, g.ok("writev", fd, iov, 3))
		buf := g.room(64)
		require.EqualValues(t, 5, g.ok("pread64", append([]uint64{fd, buf, 5}, g.wide(3, 7)...)...))
		require.Equal(t, "world", string(g.get(buf, 5)))
		g.fails(unix.EINVAL, "pread64", append([]uint64{fd, buf, 5}, g.wide(3, -1)...)...)
		require.EqualValues(t, 1, g.ok("pwrite64", append([]uint64{fd, g.bytes([]byte("W")), 1}, g.wide(3, 7)...)...))

		require.EqualValues(t, 0, g.ok("lseek", fd, 0, unix.SEEK_SET))
		a, b := g.room(4), g.room(32)
		require.EqualValues(t, 12, g.ok("readv", fd, g.words(a, 4, b, 32), 2))
		require.Equal(t, "hello, World", string(g.get(a, 4))+string(g.get(b, 8)))

		// A position is two longs, the low one first, whatever the byte order.
		require.EqualValues(t, 12, g.ok("preadv", fd, g.words(a, 4, b, 32), 2, 0, 0))
		g.ok("pwritev", fd, g.words(a, 4), 1, 1<<20, 0)
		require.EqualValues(t, 1<<20+4, g.ok("lseek", fd, 0, unix.SEEK_END))
		g.ok("ftruncate", fd, 100)
		if g.A.Word == 4 {
			g.ok("ftruncate64", append([]uint64{fd}, g.wide(1, 3<<30)...)...)
			g.fails(unix.EOVERFLOW, "lseek", fd, 0, unix.SEEK_END)
			pos := g.room(8)
			g.ok("_llseek", fd, 0, 0, pos, unix.SEEK_END)
			require.EqualValues(t, 3<<30, g.A.Order.Uint64(g.get(pos, 8)))
			g.fails(unix.EOVERFLOW, "open", g.str(path), 0)
			g.fails(unix.EOVERFLOW, "stat", g.str(path), g.room(128))
			g.ok("open", g.str(path), g.flag("O_LARGEFILE"))
			g.ok("stat64", g.str(path), g.room(128))
		}
		g.ok("close", fd)
		g.fails(unix.EBADF, "close", fd)
		g.fails(unix.EBADF, "read", fd, buf, 1)
	})
}

func TestBadPointers(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		fd := g.open(path, "O_CREAT", "O_RDWR")
		end := uint64(guestMem + guestSize)
		require.EqualValues(t, 8, g.ok("write", fd, end-8, 100), "what is there is written")
		g.fails(unix.EFAULT, "write", fd, end, 1)
		g.fails(unix.EFAULT, "write", fd, 0, 1)
		require.EqualValues(t, 0, g.ok("write", fd, 0, 0))
		g.fails(unix.EFAULT, "pread64", append([]uint64{fd, end, 8}, g.wide(3, 0)...)...)
		require.EqualValues(t, 4, g.ok("pread64", append([]uint64{fd, end - 4, 8}, g.wide(3, 0)...)...))
		huge := g.A.Addr(^uint64(0))
		g.fails(unix.EINVAL, "read", fd, guestMem, huge)
		g.fails(unix.EFAULT, "read", fd, huge-10, 100)
		g.fails(unix.EFAULT, "openat", cwd, 0, 0)
		g.fails(unix.ENOENT, "openat", cwd, g.str(""), 0)
		g.fails(unix.ENAMETOOLONG, "openat", cwd, g.str(strings.Repeat("a", pathMax)), 0)
		g.fails(unix.EINVAL, "readv", fd, guestMem, maxIovecs+1)
		g.fails(unix.EINVAL, "writev", fd, g.words(guestMem, huge), 1)
		g.fails(unix.EFAULT, "writev", fd, g.words(end, 5), 1)
		require.EqualValues(t, 2, g.ok("writev", fd, g.words(guestMem, 2, end, 5, guestMem, 3), 3))

		require.NoError(t, g.Space().Map(emu.VMA{Addr: end, End: end + emu.PageSize, Prot: arch.Read}))
		require.EqualValues(t, 4, g.ok("pread64", append([]uint64{fd, end - 4, 8}, g.wide(3, 0)...)...), "a page that is only readable")
		require.EqualValues(t, 100, g.ok("write", fd, end-8, 100))
		g.fails(unix.EFAULT, "fstat", fd, end)
	})
}

func TestDescriptors(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		fd := g.open("/dev/null", "O_RDWR")
		require.EqualValues(t, fd+1, g.ok("dup", fd))
		require.EqualValues(t, 50, g.ok("dup2", fd, 50))
		require.EqualValues(t, 50, g.ok("dup2", 50, 50))
		g.fails(unix.EINVAL, "dup3", fd, fd, 0)
		g.fails(unix.EINVAL, "dup3", fd, 51, 1)
		g.fails(unix.EBADF, "dup2", fd, ^uint64(0))
		require.EqualValues(t, 51, g.ok("dup3", fd, 51, g.flag("O_CLOEXEC")))
		require.EqualValues(t, 1, g.ok("fcntl", 51, g.flag("F_GETFD"), 0))
		require.EqualValues(t, 0, g.ok("fcntl", 50, g.flag("F_GETFD"), 0), "of each descriptor its own")
		require.EqualValues(t, 52, g.ok("fcntl", fd, g.flag("F_DUPFD_CLOEXEC"), 50))
		g.fails(unix.EINVAL, "fcntl", fd, g.flag("F_DUPFD"), ^uint64(0))
		g.fails(unix.EINVAL, "fcntl", fd, 12345, 0)

		g.ok("ioctl", 50, g.flag("FIOCLEX"), 0)
		require.EqualValues(t, 1, g.ok("fcntl", 50, g.flag("F_GETFD"), 0))
		g.ok("ioctl", 50, g.flag("FIONCLEX"), 0)
		require.EqualValues(t, 0, g.ok("fcntl", 50, g.flag("F_GETFD"), 0))
		g.P.Files.closeOnExec()
		g.fails(unix.EBADF, "fcntl", 51, g.flag("F_GETFD"), 0)
		g.ok("fcntl", 50, g.flag("F_GETFD"), 0)

		g.fails(unix.EINVAL, "close_range", 9, 8, 0)
		g.ok("close_range", 40, 0xffffffff, unix.CLOSE_RANGE_CLOEXEC)
		require.EqualValues(t, 1, g.ok("fcntl", 50, g.flag("F_GETFD"), 0))
		other := g.spawn(unix.CLONE_FILES)
		g.ok("close_range", 40, 0xffffffff, unix.CLOSE_RANGE_UNSHARE)
		g.fails(unix.EBADF, "close", 50)
		_, err := other.Files.Get(50)
		require.NoError(t, err)

		g.P.Limits[unix.RLIMIT_NOFILE].Cur = fd + 2
		g.fails(unix.EMFILE, "dup", fd)
		g.fails(unix.EMFILE, "openat", cwd, g.str("/dev/null"), 0)
		g.fails(unix.EBADF, "dup2", fd, fd+2)
		g.fails(unix.EMFILE, "pipe2", g.room(8), 0)
	})
}

func TestStatusFlags(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Symlink(path, path+".link"))
		fd := g.open(path, "O_RDWR", "O_APPEND", "O_NONBLOCK", "O_SYNC")
		want := g.flag("O_RDWR") | g.flag("O_APPEND") | g.flag("O_NONBLOCK") | g.flag("O_SYNC")
		if g.A.Word == 8 {
			want |= g.flag("O_LARGEFILE")
		}
		require.Equal(t, want, g.ok("fcntl", fd, g.flag("F_GETFL"), 0))
		g.ok("fcntl", fd, g.flag("F_SETFL"), g.flag("O_APPEND"))
		require.Equal(t, want&^g.flag("O_NONBLOCK"), g.ok("fcntl", fd, g.flag("F_GETFL"), 0))
		g.fails(unix.ENOTDIR, "openat", cwd, g.str(path), g.flag("O_DIRECTORY"), 0)
		g.fails(unix.ELOOP, "openat", cwd, g.str(path+".link"), g.flag("O_NOFOLLOW"), 0)
		g.open(dir, "O_DIRECTORY")
		g.open(dir, "O_TMPFILE", "O_RDWR")
		on := g.ints(1)
		g.ok("ioctl", fd, g.flag("FIONBIO"), on)
		require.Equal(t, want, g.ok("fcntl", fd, g.flag("F_GETFL"), 0))

		how := g.NewStruct("open_how")
		how.Set("flags", g.flag("O_DIRECTORY"))
		at := g.bytes(how.Bytes())
		g.fails(unix.ENOTDIR, "openat2", cwd, g.str(path), at, 24)
		g.ok("openat2", cwd, g.str(dir), at, 24)
		g.fails(unix.EINVAL, "openat2", cwd, g.str(dir), at, 23)
		how.Set("mode", 0o600)
		g.fails(unix.EINVAL, "openat2", cwd, g.str(dir), g.bytes(how.Bytes()), 24)
		how.Set("flags", 1<<40)
		g.fails(unix.EINVAL, "openat2", cwd, g.str(dir), g.bytes(how.Bytes()), 24)
		g.fails(unix.E2BIG, "openat2", cwd, g.str(dir), g.bytes(append(make([]byte, 24), 1)), 25)
	})
}

func TestLocks(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		fd := g.open(path, "O_CREAT", "O_RDWR")
		other, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(other)
		call, name := "fcntl", "flock"
		if g.A.Word == 4 {
			call, name = "fcntl64", "flock64"
		}
		s := g.NewStruct(name)
		s.Set("l_type", unix.F_WRLCK)
		s.Set("l_start", 10)
		s.Set("l_len", 1<<20)
		g.ok(call, fd, g.flag("F_OFD_SETLK"), g.bytes(s.Bytes()))
		fl := unix.Flock_t{Type: unix.F_RDLCK}
		require.NoError(t, unix.FcntlFlock(uintptr(other), unix.F_OFD_GETLK, &fl))
		require.Equal(t, unix.Flock_t{Type: unix.F_WRLCK, Start: 10, Len: 1 << 20, Pid: -1}, fl)

		fl = unix.Flock_t{Type: unix.F_WRLCK, Start: 2 << 20, Len: 7}
		require.NoError(t, unix.FcntlFlock(uintptr(other), unix.F_OFD_SETLK, &fl))
		s.Set("l_start", 2<<20+3)
		at := g.bytes(s.Bytes())
		g.ok(call, fd, g.flag("F_OFD_GETLK"), at)
		got := g.load(name, at)
		require.EqualValues(t, unix.F_WRLCK, got.Int("l_type"))
		require.EqualValues(t, 2<<20, got.Int("l_start"))
		require.EqualValues(t, 7, got.Int("l_len"))
		require.EqualValues(t, -1, got.Int("l_pid"))
		g.fails(unix.EAGAIN, call, fd, g.flag("F_OFD_SETLK"), g.bytes(s.Bytes()))
		g.fails(unix.EFAULT, call, fd, g.flag("F_GETLK"), 8)
		if g.A.Word == 4 {
			g.fails(unix.EINVAL, "fcntl", fd, g.flag("F_GETLK64"), at)
			g.ok("fcntl64", fd, g.flag("F_GETLK64"), at)
			old := g.NewStruct("flock")
			old.Set("l_type", unix.F_RDLCK)
			old.Set("l_start", 2<<20)
			at := g.bytes(old.Bytes())
			g.ok("fcntl", fd, g.flag("F_GETLK"), at)
			require.EqualValues(t, 7, g.load("flock", at).Int("l_len"))
		}
	})
}

func TestStat(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, []byte("12345"), 0o640))
		require.NoError(t, os.Symlink("f", path+"l"))
		require.NoError(t, unix.UtimesNano(path, []unix.Timespec{{Sec: 1000, Nsec: 111}, {Sec: 2000, Nsec: 222}}))
		require.NoError(t, os.Chown(path, 70000, 1234))
		var want unix.Stat_t
		require.NoError(t, unix.Stat(path, &want))
		check := func(s *Struct) {
			t.Helper()
			uid := uint64(70000)
			if len(s.Field("st_uid")) == 2 {
				uid = overflowID
			}
			require.EqualValues(t, want.Ino, s.Uint("st_ino"))
			require.EqualValues(t, want.Dev, s.Uint("st_dev"))
			require.EqualValues(t, unix.S_IFREG|0o640, s.Uint("st_mode"))
			require.EqualValues(t, uid, s.Uint("st_uid"))
			require.EqualValues(t, 1234, s.Uint("st_gid"))
			require.EqualValues(t, 5, s.Uint("st_size"))
			require.EqualValues(t, 1, s.Uint("st_nlink"))
			require.EqualValues(t, 1000, s.Uint("st_atime"))
			require.EqualValues(t, 222, s.Uint("st_mtime_nsec"))
			require.EqualValues(t, want.Blocks, s.Uint("st_blocks"))
		}
		at := g.room(256)
		g.ok("stat", g.str(path), at)
		check(g.load("stat", at))
		g.ok("fstat", g.open(path), at)
		check(g.load("stat", at))
		g.ok("lstat", g.str(path+"l"), at)
		require.EqualValues(t, unix.S_IFLNK, g.load("stat", at).Uint("st_mode")&unix.S_IFMT)
		fstatat, name := "newfstatat", "stat"
		if g.HasStruct("stat64") {
			fstatat, name = "fstatat64", "stat64"
			if want.Ino > 0xffff {
				g.fails(unix.EOVERFLOW, "oldstat", g.str(path), at)
			} else {
				g.ok("oldstat", g.str(path), at)
				require.EqualValues(t, 5, g.load("__old_kernel_stat", at).Uint("st_size"))
			}
		}
		g.ok(fstatat, cwd, g.str(path+"l"), at, 0)
		check(g.load(name, at))
		g.ok(fstatat, g.open(path), g.str(""), at, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
		check(g.load(name, at))
		g.fails(unix.ENOENT, fstatat, g.open(path), g.str(""), at, 0)
		g.fails(unix.EINVAL, fstatat, cwd, g.str(path), at, 1)

		g.ok("statx", cwd, g.str(path), 0, unix.STATX_BASIC_STATS, at)
		x := g.load("statx", at)
		require.EqualValues(t, 70000, x.Uint("stx_uid"))
		require.EqualValues(t, 1000, x.Uint("stx_atime.tv_sec"))
		require.EqualValues(t, want.Ino, x.Uint("stx_ino"))
		require.EqualValues(t, unix.Major(want.Dev), x.Uint("stx_dev_major"))

		var fs unix.Statfs_t
		require.NoError(t, unix.Statfs(path, &fs))
		g.ok("statfs64", g.str(path), uint64(g.A.Layout["statfs64"].Size), at)
		require.EqualValues(t, fs.Blocks, g.load("statfs64", at).Uint("f_blocks"))
		require.EqualValues(t, uint32(fs.Type), uint32(g.load("statfs64", at).Uint("f_type")))
		g.fails(unix.EINVAL, "statfs64", g.str(path), 4, at)
	})
}

func TestTimesAndOwners(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		fd := g.open(path, "O_CREAT", "O_RDWR")
		times := func() (a, m unix.Timespec) {
			var st unix.Stat_t
			require.NoError(t, unix.Stat(path, &st))
			return st.Atim, st.Mtim
		}
		g.ok("utimensat", cwd, g.str(path), g.words(11, 12, 13, 14), 0)
		a, m := times()
		require.Equal(t, []unix.Timespec{{Sec: 11, Nsec: 12}, {Sec: 13, Nsec: 14}}, []unix.Timespec{a, m})
		g.ok("utimensat", fd, 0, g.words(21, 22, 0, unix.UTIME_OMIT), 0)
		a, m = times()
		require.Equal(t, []unix.Timespec{{Sec: 21, Nsec: 22}, {Sec: 13, Nsec: 14}}, []unix.Timespec{a, m})
		g.fails(unix.EINVAL, "utimensat", cwd, g.str(path), g.words(0, 1e9, 0, 0), 0)
		g.ok("utimes", g.str(path), g.words(31, 32, 33, 34))
		a, m = times()
		require.Equal(t, []unix.Timespec{{Sec: 31, Nsec: 32000}, {Sec: 33, Nsec: 34000}}, []unix.Timespec{a, m})
		g.fails(unix.EINVAL, "utimes", g.str(path), g.words(0, 1e6, 0, 0))
		g.ok("utime", g.str(path), g.words(41, 42))
		_, m = times()
		require.Equal(t, unix.Timespec{Sec: 42}, m)
		if g.A.Word == 4 {
			at := g.room(32)
			for i, v := range []uint64{1 << 33, 5, 1<<33 + 1, 0xdead<<32 | 6} {
				require.NoError(t, g.Write64(at+uint64(i)*8, v))
			}
			g.ok("utimensat_time64", cwd, g.str(path), at, 0)
			a, m = times()
			require.Equal(t, []unix.Timespec{{Sec: 1 << 33, Nsec: 5}, {Sec: 1<<33 + 1, Nsec: 6}}, []unix.Timespec{a, m})
		}
		g.ok("fchmod", fd, 0o751)
		g.ok("fchown", fd, 5, 0xffff|uint64(map[bool]uint64{true: 0, false: 0xffff0000}[g.shortIDs()]))
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st))
		require.Equal(t, []uint32{5, 0, unix.S_IFREG | 0o751}, []uint32{st.Uid, st.Gid, st.Mode})
		g.ok("faccessat", cwd, g.str(path), 4)
		g.fails(unix.EINVAL, "access", g.str(path), 8)
		g.fails(unix.ENOENT, "access", g.str(path+"x"), 0)
	})
}

// TestOwnProcStat: files of ours look as those of the kernel.
func TestOwnProcStat(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		buf := g.room(256)
		for name, mode := range map[string]uint64{"maps": 0o444, "comm": 0o644, "auxv": 0o400, "mem": 0o600} {
			fd := g.open("/proc/self/" + name)
			g.ok("statx", fd, g.str(""), unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, buf)
			s, err := g.LoadStruct("statx", buf)
			require.NoError(t, err)
			require.Equal(t, unix.S_IFREG|mode, s.Uint("stx_mode"), name)
			require.Zero(t, s.Uint("stx_size"), name)
			require.Zero(t, s.Uint("stx_dev_major"), name)
			call, layout := "fstat64", "stat64"
			if g.A.Word == 8 {
				call, layout = "fstat", "stat"
			}
			g.ok(call, fd, buf)
			s, err = g.LoadStruct(layout, buf)
			require.NoError(t, err)
			require.Equal(t, unix.S_IFREG|mode, s.Uint("st_mode"), name)
			require.Zero(t, s.Uint("st_size"), name)
		}
	})
}

func TestOwnProc(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		path := filepath.Join(dir, "f")
		require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
		g.P.Exe = path
		buf := g.room(4096)
		link := func(name string) string {
			t.Helper()
			return string(g.get(buf, int(g.ok("readlinkat", cwd, g.str(name), buf, 4096))))
		}
		fd := g.open(path)
		self := "/proc/" + strconv.Itoa(os.Getpid())
		n := strconv.Itoa(int(fd))
		for _, name := range []string{"/proc/self/exe", self + "/exe", "/proc/thread-self/exe", "/proc/self/fd/" + n, "/dev/fd/" + n, "/proc//self/../self/exe"} {
			require.Equal(t, path, link(name), name)
		}
		require.Equal(t, "/", link("/proc/self/root"))
		got, err := os.Getwd()
		require.NoError(t, err)
		require.Equal(t, got, link("/proc/self/cwd"))
		g.fails(unix.ENOENT, "readlinkat", cwd, g.str("/proc/self/fd/999"), buf, 4096)
		require.EqualValues(t, 3, g.ok("readlinkat", cwd, g.str("/proc/self/exe"), buf, 3), "cut")
		g.fails(unix.EINVAL, "readlinkat", cwd, g.str("/proc/self/exe"), buf, 0)

		for _, name := range []string{"/proc/self/exe", "/dev/fd/" + n} {
			require.EqualValues(t, 7, g.ok("read", g.open(name), buf, 100), name)
			require.Equal(t, "content", string(g.get(buf, 7)))
		}
		names := g.list(g.open("/proc/self/fd", "O_DIRECTORY"))
		require.Contains(t, names, n)
		require.NotContains(t, names, "999")
		fds := g.open("/proc/self/fd", "O_DIRECTORY")
		require.Equal(t, self+"/fd", link("/proc/self/fd/"+strconv.Itoa(int(fds))), "a directory of ours")
		for _, name := range []string{"/proc/self/fd/..", "/proc/self/", "/proc/self/."} {
			g.fails(unix.EINVAL, "readlinkat", cwd, g.str(name), buf, 4096)
		}
		dirfd := g.open("/proc/self", "O_DIRECTORY")
		require.EqualValues(t, len(path), g.ok("readlinkat", dirfd, g.str("exe"), buf, 4096))
		g.ok("fchdir", dirfd)
		require.Equal(t, path, link("exe"))
		require.Equal(t, path, link("fd/"+n))
		g.ok("getcwd", buf, 4096)
		require.Equal(t, self, g.text(buf))

		secret := g.bytes([]byte("in memory"))
		mem := g.open("/proc/self/mem", "O_RDWR")
		g.ok("pread64", append([]uint64{mem, buf, 9}, g.wide(3, int64(secret))...)...)
		require.Equal(t, "in memory", string(g.get(buf, 9)))
		g.ok("pwrite64", append([]uint64{mem, g.str("IN"), 2}, g.wide(3, int64(secret))...)...)
		require.Equal(t, "IN memory", string(g.get(secret, 9)))
		g.fails(unix.EIO, "pread64", append([]uint64{mem, buf, 9}, g.wide(3, 0x10)...)...)
		var before, after unix.Stat_t
		require.NoError(t, unix.Stat("/dev/null", &before))
		_, _ = g.call("fchmod", mem, 0)
		require.NoError(t, unix.Stat("/dev/null", &after))
		require.Equal(t, before.Mode, after.Mode, "no file of the host stands for it")
		require.EqualValues(t, unix.O_RDONLY, g.ok("fcntl", g.open("/proc/self/mem"), unix.F_GETFL)&unix.O_ACCMODE)
		require.EqualValues(t, unix.O_WRONLY, g.ok("fcntl", g.open("/proc/self/mem", "O_WRONLY"), unix.F_GETFL)&unix.O_ACCMODE)
	})
}

func TestSysroot(t *testing.T) {
	g := newGuest(t, powerpc())
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(root+"/etc/sub", 0o755))
	require.NoError(t, os.Mkdir(root+"/tmp", 0o755))
	require.NoError(t, os.WriteFile(root+"/etc/passwd", []byte("root"), 0o644))
	require.NoError(t, os.Symlink("/etc/passwd", root+"/etc/abs"))
	require.NoError(t, os.Symlink("/nowhere/x", root+"/etc/dangling"))
	g.K.SetSysroot(root)
	read := func(name string) string {
		t.Helper()
		buf := g.room(64)
		return string(g.get(buf, int(g.ok("read", g.open(name), buf, 64))))
	}
	require.Equal(t, "root", read("/etc/passwd"))
	require.Equal(t, "root", read("/etc/abs"), "an absolute link leads into the sysroot")
	require.Equal(t, "root", read("/etc/../../etc/sub/../passwd"), "and nothing leads out of it")
	buf := g.room(256)
	n := g.ok("readlink", g.str("/etc/abs"), buf, 100)
	require.Equal(t, "/etc/passwd", string(g.get(buf, int(n))))
	n = g.ok("readlink", g.str("/etc/dangling"), buf, 100)
	require.Equal(t, "/nowhere/x", string(g.get(buf, int(n))))
	g.open("/dev/null")
	own := t.TempDir()
	require.NoError(t, os.WriteFile(own+"/f", []byte("host"), 0o600))
	require.Equal(t, "host", read(own+"/f"), "what the sysroot lacks is the host's")
	g.ok("chdir", g.str("/etc/sub"))
	g.ok("getcwd", buf, 256)
	require.True(t, strings.HasSuffix(g.text(buf), "/etc/sub"), "only the sysroot has it")
	require.Equal(t, "root", read("../passwd"))
}

// TestRecordLocks shows that the locks of fcntl are a process's: of two guests
// one waits for the other, one process has no conflict with itself, and to
// close any descriptor of the file drops them.
func TestRecordLocks(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		file := t.TempDir() + "/db"
		a, b := g.open(file, "O_CREAT", "O_RDWR"), g.open(file, "O_RDWR")
		q := g.spawn(0)
		child := &guest{t, &Ctx{K: g.K, T: q.leader.task, P: q, A: g.A}, guestMem}
		lock := func(g *guest, typ, whence, start, n uint64) uint64 {
			s := g.NewStruct("flock")
			s.Set("l_type", typ)
			s.Set("l_whence", whence)
			s.Set("l_start", start)
			s.Set("l_len", n)
			return g.bytes(s.Bytes())
		}
		g.ok("ftruncate", a, 100)
		g.ok("lseek", a, 10, unix.SEEK_CUR)
		g.ok("fcntl", a, g.flag("F_SETLK"), lock(g, unix.F_WRLCK, unix.SEEK_CUR, 0, 5))
		g.ok("fcntl", b, g.flag("F_SETLK"), lock(g, unix.F_RDLCK, unix.SEEK_SET, 14, 1))
		child.fails(unix.EAGAIN, "fcntl", a, g.flag("F_SETLK"), lock(child, unix.F_RDLCK, unix.SEEK_SET, 12, 9))
		at := lock(child, unix.F_WRLCK, unix.SEEK_SET, 0, 0)
		child.ok("fcntl", b, g.flag("F_GETLK"), at)
		got := child.load("flock", at)
		require.Equal(t, []int64{unix.F_WRLCK, 10, 4, int64(g.P.P.PID)}, []int64{got.Int("l_type"), got.Int("l_start"), got.Int("l_len"), got.Int("l_pid")})
		child.ok("fcntl", a, g.flag("F_SETLK"), lock(child, unix.F_WRLCK, unix.SEEK_SET, 20, 0))
		g.fails(unix.EAGAIN, "fcntl", b, g.flag("F_SETLK"), lock(g, unix.F_WRLCK, unix.SEEK_SET, 0, 0))
		ro := g.open(file)
		g.fails(unix.EBADF, "fcntl", ro, g.flag("F_SETLK"), lock(g, unix.F_WRLCK, unix.SEEK_SET, 0, 1))

		g.ok("close", ro)
		child.ok("fcntl", a, g.flag("F_SETLK"), lock(child, unix.F_WRLCK, unix.SEEK_SET, 0, 0))
		require.NoError(t, q.Files.Release())
		g.ok("fcntl", b, g.flag("F_SETLK"), lock(g, unix.F_WRLCK, unix.SEEK_SET, 0, 0))
	})
}
