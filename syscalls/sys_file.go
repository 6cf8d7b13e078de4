package syscalls

import (
	"math"

	"golang.org/x/sys/unix"
)

var fileRows = []Row{
	{Name: "open", Fn: sysOpen, Level: Full},
	{Name: "openat", Fn: sysOpenat, Level: Full},
	{Name: "openat2", Fn: sysOpenat2, Level: Full},
	{Name: "creat", Fn: sysCreat, Level: Full},
	{Name: "close", Fn: sysClose, Level: Full},
	{Name: "close_range", Fn: sysCloseRange, Level: Full},
	{Name: "dup", Fn: sysDup, Level: Full},
	{Name: "dup2", Fn: sysDup2, Level: Full},
	{Name: "dup3", Fn: sysDup3, Level: Full},
	{Name: "fcntl", Fn: sysFcntl, Level: Full},
	{Name: "fcntl64", Fn: sysFcntl64, Level: Full},
	{Name: "flock", Fn: sysFlock, Level: Full},
	{Name: "pipe", Fn: func(c *Ctx) (uint64, error) { return pipe(c, c.Addr(), 0) }, Level: Full},
	{Name: "pipe2", Fn: func(c *Ctx) (uint64, error) { return pipe(c, c.Addr(), c.Uint()) }, Level: Full},

	{Name: "oldstat", Fn: func(c *Ctx) (uint64, error) { return statPath(c, 0, putOldStat) }, Level: Full},
	{Name: "oldlstat", Fn: func(c *Ctx) (uint64, error) { return statPath(c, unix.AT_SYMLINK_NOFOLLOW, putOldStat) }, Level: Full},
	{Name: "oldfstat", Fn: func(c *Ctx) (uint64, error) { return fstat(c, putOldStat) }, Level: Full},
	{Name: "stat", Fn: func(c *Ctx) (uint64, error) { return statPath(c, 0, putStat) }, Level: Full},
	{Name: "lstat", Fn: func(c *Ctx) (uint64, error) { return statPath(c, unix.AT_SYMLINK_NOFOLLOW, putStat) }, Level: Full},
	{Name: "fstat", Fn: func(c *Ctx) (uint64, error) { return fstat(c, putStat) }, Level: Full},
	{Name: "stat64", Fn: func(c *Ctx) (uint64, error) { return statPath(c, 0, putStat64) }, Level: Full},
	{Name: "lstat64", Fn: func(c *Ctx) (uint64, error) { return statPath(c, unix.AT_SYMLINK_NOFOLLOW, putStat64) }, Level: Full},
	{Name: "fstat64", Fn: func(c *Ctx) (uint64, error) { return fstat(c, putStat64) }, Level: Full},
	{Name: "newfstatat", Fn: func(c *Ctx) (uint64, error) { return fstatat(c, putStat) }, Level: Full},
	{Name: "fstatat64", Fn: func(c *Ctx) (uint64, error) { return fstatat(c, putStat64) }, Level: Full},
	{Name: "statx", Fn: sysStatx, Level: Full},
	{Name: "statfs", Fn: func(c *Ctx) (uint64, error) { return statfsPath(c, false) }, Level: Full},
	{Name: "fstatfs", Fn: func(c *Ctx) (uint64, error) { return fstatfs(c, false) }, Level: Full},
	{Name: "statfs64", Fn: func(c *Ctx) (uint64, error) { return statfsPath(c, true) }, Level: Full},
	{Name: "fstatfs64", Fn: func(c *Ctx) (uint64, error) { return fstatfs(c, true) }, Level: Full},

	{Name: "access", Fn: sysAccess, Level: Full},
	{Name: "faccessat", Fn: func(c *Ctx) (uint64, error) { return faccessat(c, false) }, Level: Full},
	{Name: "faccessat2", Fn: func(c *Ctx) (uint64, error) { return faccessat(c, true) }, Level: Full},
	{Name: "chmod", Fn: func(c *Ctx) (uint64, error) { return fchmodat(c, unix.AT_FDCWD) }, Level: Full},
	{Name: "fchmodat", Fn: func(c *Ctx) (uint64, error) { return fchmodat(c, c.Int()) }, Level: Full},
	{Name: "fchmod", Fn: sysFchmod, Level: Full},
	{Name: "chown", Fn: func(c *Ctx) (uint64, error) { return chownPath(c, 0, c.shortIDs()) }, Level: Full},
	{Name: "lchown", Fn: func(c *Ctx) (uint64, error) { return chownPath(c, unix.AT_SYMLINK_NOFOLLOW, c.shortIDs()) }, Level: Full},
	{Name: "fchown", Fn: func(c *Ctx) (uint64, error) { return fchown(c, c.shortIDs()) }, Level: Full},
	{Name: "chown32", Fn: func(c *Ctx) (uint64, error) { return chownPath(c, 0, false) }, Level: Full},
	{Name: "lchown32", Fn: func(c *Ctx) (uint64, error) { return chownPath(c, unix.AT_SYMLINK_NOFOLLOW, false) }, Level: Full},
	{Name: "fchown32", Fn: func(c *Ctx) (uint64, error) { return fchown(c, false) }, Level: Full},
	{Name: "fchownat", Fn: sysFchownat, Level: Full},
	{Name: "utime", Fn: sysUtime, Level: Full},
	{Name: "utimes", Fn: func(c *Ctx) (uint64, error) { return utimes(c, unix.AT_FDCWD) }, Level: Full},
	{Name: "futimesat", Fn: func(c *Ctx) (uint64, error) { return utimes(c, c.Int()) }, Level: Full},
	{Name: "utimensat", Fn: func(c *Ctx) (uint64, error) { return utimensat(c, false) }, Level: Full},
	{Name: "utimensat_time64", Fn: func(c *Ctx) (uint64, error) { return utimensat(c, true) }, Level: Full},

	{Name: "setxattr", Fn: func(c *Ctx) (uint64, error) { return setxattr(c, xattrPath) }, Level: Full},
	{Name: "lsetxattr", Fn: func(c *Ctx) (uint64, error) { return setxattr(c, xattrLink) }, Level: Full},
	{Name: "fsetxattr", Fn: func(c *Ctx) (uint64, error) { return setxattr(c, xattrFD) }, Level: Full},
	{Name: "getxattr", Fn: func(c *Ctx) (uint64, error) { return getxattr(c, xattrPath) }, Level: Full},
	{Name: "lgetxattr", Fn: func(c *Ctx) (uint64, error) { return getxattr(c, xattrLink) }, Level: Full},
	{Name: "fgetxattr", Fn: func(c *Ctx) (uint64, error) { return getxattr(c, xattrFD) }, Level: Full},
	{Name: "listxattr", Fn: func(c *Ctx) (uint64, error) { return listxattr(c, xattrPath) }, Level: Full},
	{Name: "llistxattr", Fn: func(c *Ctx) (uint64, error) { return listxattr(c, xattrLink) }, Level: Full},
	{Name: "flistxattr", Fn: func(c *Ctx) (uint64, error) { return listxattr(c, xattrFD) }, Level: Full},
	{Name: "removexattr", Fn: func(c *Ctx) (uint64, error) { return removexattr(c, xattrPath) }, Level: Full},
	{Name: "lremovexattr", Fn: func(c *Ctx) (uint64, error) { return removexattr(c, xattrLink) }, Level: Full},
	{Name: "fremovexattr", Fn: func(c *Ctx) (uint64, error) { return removexattr(c, xattrFD) }, Level: Full},

	{Name: "mount", Fn: sysMount, Level: Partial, Note: "EPERM"},
	{Name: "umount", Fn: sysMount, Level: Partial, Note: "EPERM"},
	{Name: "umount2", Fn: sysMount, Level: Partial, Note: "EPERM"},
	{Name: "pivot_root", Fn: sysMount, Level: Partial, Note: "EPERM"},
	{Name: "name_to_handle_at", Fn: sysNameToHandleAt, Level: Full},
	{Name: "open_by_handle_at", Fn: sysOpenByHandleAt, Level: Full},
	{Name: "memfd_create", Fn: sysMemfdCreate, Level: Full},
	{Name: "inotify_init", Fn: func(c *Ctx) (uint64, error) { return inotifyInit(c, 0) }, Level: Full},
	{Name: "inotify_init1", Fn: func(c *Ctx) (uint64, error) { return inotifyInit(c, c.Uint()) }, Level: Full},
	{Name: "inotify_add_watch", Fn: sysInotifyAddWatch, Level: Full},
	{Name: "inotify_rm_watch", Fn: sysInotifyRmWatch, Level: Full},
}

// sysMount refuses what changes the whole machine: a guest has no say in it,
// even one that runs as root.
func sysMount(*Ctx) (uint64, error) { return 0, unix.EPERM }

func sysOpen(c *Ctx) (uint64, error) {
	addr, flags, mode := c.Addr(), c.Uint(), c.Uint()
	return openat(c, unix.AT_FDCWD, addr, uint64(flags), mode)
}

func sysOpenat(c *Ctx) (uint64, error) {
	dirfd, addr, flags, mode := c.Int(), c.Addr(), c.Uint(), c.Uint()
	return openat(c, dirfd, addr, uint64(flags), mode)
}

func sysCreat(c *Ctx) (uint64, error) {
	addr, mode := c.Addr(), c.Uint()
	k := c.A.Const
	return openat(c, unix.AT_FDCWD, addr, k["O_CREAT"]|k["O_WRONLY"]|k["O_TRUNC"], mode)
}

func openat(c *Ctx, dirfd int, addr, flags uint64, mode uint32) (uint64, error) {
	name, err := c.Path(addr)
	if err != nil {
		return 0, err
	}
	// Bits that are no flags are ignored, as VALID_OPEN_FLAGS says.
	host, _ := OpenFlags.Host(c.A, flags)
	how := unix.OpenHow{Flags: host | flags&unix.O_ACCMODE}
	if creates(how.Flags) {
		how.Mode = uint64(mode & 0o7777)
	}
	return c.open(dirfd, name, how, c.A.Word == 8 || flags&c.A.Const["O_LARGEFILE"] != 0)
}

// creates tells whether an open looks at its mode.
func creates(flags uint64) bool {
	return flags&unix.O_CREAT != 0 || flags&unix.O_TMPFILE == unix.O_TMPFILE
}

// openHowMax bounds the size that openat2's structure may claim (PAGE_SIZE).
const openHowMax = 4096

func sysOpenat2(c *Ctx) (uint64, error) {
	dirfd, addr, at, size := c.Int(), c.Addr(), c.Addr(), c.Size()
	s := c.NewStruct("open_how")
	if size < uint64(s.Size()) {
		return 0, unix.EINVAL
	}
	if size > openHowMax {
		return 0, unix.E2BIG
	}
	b := make([]byte, size)
	if err := c.Space().CopyIn(b, at); err != nil {
		return 0, err
	}
	copy(s.Bytes(), b)
	for _, v := range b[s.Size():] {
		if v != 0 {
			return 0, unix.E2BIG
		}
	}
	flags := s.Uint("flags")
	host, rest := OpenFlags.Host(c.A, flags)
	large := c.A.Const["O_LARGEFILE"]
	if rest&^(unix.O_ACCMODE|large) != 0 {
		return 0, unix.EINVAL
	}
	how := unix.OpenHow{Flags: host | flags&unix.O_ACCMODE, Mode: s.Uint("mode"), Resolve: s.Uint("resolve")}
	if how.Mode != 0 && !creates(how.Flags) || how.Mode&^0o7777 != 0 {
		return 0, unix.EINVAL
	}
	name, err := c.Path(addr)
	if err != nil {
		return 0, err
	}
	return c.open(dirfd, name, how, c.A.Word == 8 || flags&large != 0)
}

// maxNonLargeFile is the largest file that an open without O_LARGEFILE takes
// (MAX_NON_LFS).
const maxNonLargeFile = math.MaxInt32

// hostOpen opens a path of the host.
func (c *Ctx) hostOpen(p place, how unix.OpenHow) (fd int, err error) {
	open := func(more uint64) (int, error) {
		how := how
		how.Flags |= more
		if how.Resolve != 0 {
			return unix.Openat2(p.dir, p.path, &how)
		}
		return unix.Openat(p.dir, p.path, int(how.Flags), uint32(how.Mode))
	}
	if c.T.Schedule() != nil && how.Flags&(unix.O_NONBLOCK|unix.O_PATH) == 0 && how.Flags&unix.O_ACCMODE != unix.O_RDWR {
		var st unix.Stat_t
		if unix.Fstatat(p.dir, p.path, &st, 0) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			return c.openFIFO(how.Flags, open)
		}
	}
	err = c.restart(func() error {
		fd, err = open(0)
		return err
	})
	return fd, err
}

// open opens a path. how has the host's flags.
func (c *Ctx) open(dirfd int, name string, how unix.OpenHow, large bool) (uint64, error) {
	follow := how.Flags&unix.O_NOFOLLOW == 0 && how.Flags&(unix.O_CREAT|unix.O_EXCL) != unix.O_CREAT|unix.O_EXCL
	p, err := c.resolve(dirfd, name, follow)
	if err != nil {
		return 0, err
	}
	cloexec := how.Flags&unix.O_CLOEXEC != 0
	if (p.proc.ours() || machineFiles[p.path] != nil) && how.Flags&unix.O_PATH == 0 {
		if f, ok, err := c.openProc(p, how.Flags); ok || err != nil {
			if err != nil {
				return 0, err
			}
			return c.install(f, cloexec)
		}
	}
	if p, err = c.ownTTY(p); err != nil {
		return 0, err
	}
	flags := how.Flags
	how.Flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 {
		how.Flags |= unix.O_NOCTTY // not the host process's
	}
	how.Mode = uint64(c.mode(uint32(how.Mode)))
	if err := c.mayWrite(p, how); err != nil {
		return 0, err
	}
	fd, err := c.hostOpen(p, how)
	if err != nil {
		return 0, err
	}
	f := &File{Host: fd, large: large, proc: p.proc.dir()}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err == nil && flags&unix.O_PATH == 0 {
		if !large && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > maxNonLargeFile {
			unix.Close(fd)
			return 0, unix.EOVERFLOW
		}
		c.opened(f, &st, flags)
		if st.Mode&unix.S_IFMT == unix.S_IFREG && flags&unix.O_ACCMODE != unix.O_RDONLY {
			c.K.written(f, inode{st.Dev, st.Ino})
		}
		if c.K.cfg.Random != nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && (st.Rdev == unix.Mkdev(1, 8) || st.Rdev == unix.Mkdev(1, 9)) {
			f.kind = randomFile // /dev/random, /dev/urandom
		}
	}
	return c.install(f, cloexec)
}

// openProc opens a file of /proc whose content is ours; ok is false if the
// host's is meant.
func (c *Ctx) openProc(p place, flags uint64) (f *File, ok bool, err error) {
	if q := p.proc.p; q != nil && p.proc.path == "mem" {
		if !c.MayTrace(q.leader.task) {
			return nil, false, unix.EACCES
		}
		fd, err := contentFile("mem", nil, int(flags)&unix.O_ACCMODE)
		if err != nil {
			return nil, false, err
		}
		return &File{Host: fd, Path: "/proc/self/mem", kind: procMem, mem: &memFile{p: q, space: q.P.Space, flags: flags}, large: true, like: "/proc/self/mem"}, true, nil
	}
	like := p.proc.host()
	data, ok, err := c.procFile(p.proc)
	if f := machineFiles[p.path]; f != nil {
		like = p.path
		data, err = f(c.P)
		ok = len(data) > 0
	}
	if !ok || err != nil {
		return nil, false, err
	}
	access, comm := int(flags)&unix.O_ACCMODE, p.proc.path == "comm"
	switch {
	case flags&unix.O_DIRECTORY != 0:
		return nil, false, unix.ENOTDIR
	case access != unix.O_RDONLY && !comm:
		return nil, false, unix.EACCES
	}
	fd, err := contentFile(p.path, data, access)
	if err != nil {
		return nil, false, err
	}
	f = &File{Host: fd, Path: p.path, large: true, like: like}
	if comm {
		f.kind, f.named = commFile, p.proc.task()
	}
	return f, true, nil
}

// contentFile makes a descriptor of the host, of an access mode, that has data.
func contentFile(name string, data []byte, access int) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	for off := 0; off < len(data); {
		n, err := unix.Pwrite(fd, data[off:], int64(off))
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		off += n
	}
	// Opened anew so that it can be used as the file it stands for.
	defer unix.Close(fd)
	return unix.Open(hostFD(fd), access|unix.O_CLOEXEC, 0)
}

func sysClose(c *Ctx) (uint64, error) { return 0, c.P.Files.Close(c.Int()) }

func sysCloseRange(c *Ctx) (uint64, error) {
	first, last, flags := c.Uint(), c.Uint(), c.Uint()
	if flags&^(unix.CLOSE_RANGE_UNSHARE|unix.CLOSE_RANGE_CLOEXEC) != 0 || first > last {
		return 0, unix.EINVAL
	}
	if flags&unix.CLOSE_RANGE_UNSHARE != 0 {
		c.P.unshareFiles()
	}
	c.P.Files.CloseRange(uint64(first), uint64(last), flags&unix.CLOSE_RANGE_CLOEXEC != 0)
	return 0, nil
}

func sysDup(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	return c.install(f, false)
}

func sysDup2(c *Ctx) (uint64, error) {
	old, new := c.Int(), c.Int()
	if old == new {
		_, err := c.file(old)
		return uint64(new), err
	}
	return c.dup3(old, new, false)
}

func sysDup3(c *Ctx) (uint64, error) {
	old, new, flags := c.Int(), c.Int(), uint64(c.Uint())
	cloexec := c.A.Const["O_CLOEXEC"]
	if flags&^cloexec != 0 || old == new {
		return 0, unix.EINVAL
	}
	return c.dup3(old, new, flags != 0)
}

func (c *Ctx) dup3(old, new int, cloexec bool) (uint64, error) {
	if new < 0 || uint64(new) >= min(c.P.Limits[unix.RLIMIT_NOFILE].Cur, math.MaxInt32) {
		return 0, unix.EBADF
	}
	f, err := c.file(old)
	if err != nil {
		return 0, err
	}
	c.P.Files.Set(new, f, cloexec)
	return uint64(new), nil
}

func sysFlock(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	how := c.Int()
	return 0, c.retry(unix.EWOULDBLOCK, how&unix.LOCK_NB != 0, func(wait bool) error {
		if !wait {
			return unix.Flock(f.Host, how|unix.LOCK_NB)
		}
		return unix.Flock(f.Host, how)
	})
}

func pipe(c *Ctx, addr uint64, flags uint32) (uint64, error) {
	host, rest := OpenFlags.Host(c.A, uint64(flags))
	if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_DIRECT) != 0 {
		return 0, unix.EINVAL
	}
	if err := c.writable(addr, 8); err != nil {
		return 0, err
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], int(host)|unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	return 0, c.installPair(fds, addr, host&unix.O_CLOEXEC != 0, func(fd int) *File { return &File{Host: fd} })
}

// installPair gives the guest two new descriptors and writes their numbers as
// two ints to addr, which is known to be writable.
func (c *Ctx) installPair(host [2]int, addr uint64, cloexec bool, file func(host int) *File) error {
	a, err := c.install(file(host[0]), cloexec)
	if err != nil {
		unix.Close(host[1])
		return err
	}
	b, err := c.install(file(host[1]), cloexec)
	if err != nil {
		_ = c.P.Files.Close(int(a)) // EMFILE is the error to tell
		return err
	}
	if err := c.Write32(addr, uint32(a)); err != nil {
		return err
	}
	return c.Write32(addr+4, uint32(b))
}
