package syscalls

import (
	"golang.org/x/sys/unix"
)

func sysAccess(c *Ctx) (uint64, error) {
	addr, mode := c.Addr(), c.Uint()
	return access(c, unix.AT_FDCWD, addr, mode, 0)
}

func faccessat(c *Ctx, flagged bool) (uint64, error) {
	dirfd, addr, mode := c.Int(), c.Addr(), c.Uint()
	flags := 0
	if flagged {
		flags = c.Int()
	}
	return access(c, dirfd, addr, mode, flags)
}

func access(c *Ctx, dirfd int, addr uint64, mode uint32, flags int) (uint64, error) {
	if mode&^7 != 0 || flags&^(unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	p, err := c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err != nil {
		return 0, err
	}
	return 0, unix.Faccessat(p.dir, p.path, mode, p.flags(flags))
}

func fchmodat(c *Ctx, dirfd int) (uint64, error) {
	p, err := c.resolveAt(dirfd, c.Addr(), 0, true)
	if err != nil {
		return 0, err
	}
	return 0, unix.Fchmodat(p.dir, p.path, c.Uint()&0o7777, 0)
}

func sysFchmod(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	return 0, unix.Fchmod(f.Host, c.Uint()&0o7777)
}

func chownPath(c *Ctx, flags int, short bool) (uint64, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, flags == 0)
	if err != nil {
		return 0, err
	}
	uid, gid := c.takeID(short), c.takeID(short)
	return 0, unix.Fchownat(p.dir, p.path, uid, gid, flags)
}

func fchown(c *Ctx, short bool) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	uid, gid := c.takeID(short), c.takeID(short)
	return 0, unix.Fchown(f.Host, uid, gid)
}

func sysFchownat(c *Ctx) (uint64, error) {
	dirfd, addr, uid, gid, flags := c.Int(), c.Addr(), c.takeID(false), c.takeID(false), c.Int()
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	p, err := c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err != nil {
		return 0, err
	}
	return 0, unix.Fchownat(p.dir, p.path, uid, gid, p.flags(flags))
}

// setTimes sets a file's times; nil stands for now. A name that is a null
// pointer means the file dirfd.
func (c *Ctx) setTimes(dirfd int, addr uint64, ts []unix.Timespec, flags int) (uint64, error) {
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	var p place
	var err error
	if addr == 0 && dirfd != unix.AT_FDCWD {
		if flags != 0 {
			return 0, unix.EINVAL
		}
		p, err = c.descriptor(dirfd)
	} else {
		p, err = c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	}
	if err != nil {
		return 0, err
	}
	return 0, unix.UtimesNanoAt(p.dir, p.path, ts, p.flags(flags))
}

func sysUtime(c *Ctx) (uint64, error) {
	addr, at := c.Addr(), c.Addr()
	var ts []unix.Timespec
	if at != 0 {
		s, err := c.LoadStruct("utimbuf", at)
		if err != nil {
			return 0, err
		}
		ts = []unix.Timespec{{Sec: s.Int("actime")}, {Sec: s.Int("modtime")}}
	}
	return c.setTimes(unix.AT_FDCWD, addr, ts, 0)
}

func utimes(c *Ctx, dirfd int) (uint64, error) {
	addr, at := c.Addr(), c.Addr()
	var ts []unix.Timespec
	for i := 0; at != 0 && i < 2; i++ {
		tv, err := c.getTimeval(at + uint64(i*c.A.Layout["timeval"].Size))
		if err != nil {
			return 0, err
		}
		if tv.Usec < 0 || tv.Usec >= 1e6 {
			return 0, unix.EINVAL
		}
		ts = append(ts, unix.Timespec{Sec: tv.Sec, Nsec: tv.Usec * 1000})
	}
	return c.setTimes(dirfd, addr, ts, 0)
}

func utimensat(c *Ctx, wide bool) (uint64, error) {
	dirfd, addr, at, flags := c.Int(), c.Addr(), c.Addr(), c.Int()
	var ts []unix.Timespec
	for i := 0; at != 0 && i < 2; i++ {
		t, err := c.getTimespec(at+uint64(i*c.A.Layout[timespecName(wide)].Size), wide)
		if err != nil {
			return 0, err
		}
		ts = append(ts, t)
	}
	if ts != nil && ts[0].Nsec == unix.UTIME_OMIT && ts[1].Nsec == unix.UTIME_OMIT {
		return 0, nil // nothing to do, and the file is not looked at
	}
	return c.setTimes(dirfd, addr, ts, flags)
}

// The kernel's limits of extended attributes, linux/limits.h.
const (
	xattrNameMax = 255
	xattrSizeMax = 65536
	xattrListMax = 65536
)

// xattrTarget finds the file of an extended attribute call and returns its
// path of the host, and whether a link at its end is meant itself.
type xattrTarget func(c *Ctx) (path string, link bool, err error)

func xattrPath(c *Ctx) (string, bool, error) { return xattrAt(c, false) }
func xattrLink(c *Ctx) (string, bool, error) { return xattrAt(c, true) }

func xattrAt(c *Ctx, link bool) (string, bool, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, !link)
	if err != nil {
		return "", link, err
	}
	return p.host(), link, nil
}

func xattrFD(c *Ctx) (string, bool, error) {
	f, err := c.FD()
	if err != nil {
		return "", false, err
	}
	return hostFD(f.Host), false, nil
}

// xattrName reads the name of an attribute.
func (c *Ctx) xattrName(addr uint64) (string, error) {
	name, err := c.CString(addr, xattrNameMax+1)
	if err == unix.E2BIG || err == nil && name == "" {
		return "", unix.ERANGE
	}
	return name, err
}

func setxattr(c *Ctx, target xattrTarget) (uint64, error) {
	path, link, err := target(c)
	if err != nil {
		return 0, err
	}
	nameAt, addr, size, flags := c.Addr(), c.Addr(), c.Size(), c.Int()
	name, err := c.xattrName(nameAt)
	if err != nil {
		return 0, err
	}
	if size > xattrSizeMax {
		return 0, unix.E2BIG
	}
	data := make([]byte, size)
	if err := c.Space().CopyIn(data, addr); err != nil {
		return 0, err
	}
	if link {
		return 0, unix.Lsetxattr(path, name, data, flags)
	}
	return 0, unix.Setxattr(path, name, data, flags)
}

func getxattr(c *Ctx, target xattrTarget) (uint64, error) {
	path, link, err := target(c)
	if err != nil {
		return 0, err
	}
	nameAt, addr, size := c.Addr(), c.Addr(), c.Size()
	name, err := c.xattrName(nameAt)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, min(size, xattrSizeMax))
	get := unix.Getxattr
	if link {
		get = unix.Lgetxattr
	}
	n, err := get(path, name, buf)
	return c.xattrOut(addr, buf, n, err)
}

// xattrOut gives the guest what a call filled its buffer with; an empty buffer
// asks only for the size.
func (c *Ctx) xattrOut(addr uint64, buf []byte, n int, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	if len(buf) == 0 {
		return uint64(n), nil
	}
	return uint64(n), c.Space().CopyOut(buf[:n], addr)
}

func listxattr(c *Ctx, target xattrTarget) (uint64, error) {
	path, link, err := target(c)
	if err != nil {
		return 0, err
	}
	addr, size := c.Addr(), c.Size()
	buf := make([]byte, min(size, xattrListMax))
	list := unix.Listxattr
	if link {
		list = unix.Llistxattr
	}
	n, err := list(path, buf)
	return c.xattrOut(addr, buf, n, err)
}

func removexattr(c *Ctx, target xattrTarget) (uint64, error) {
	path, link, err := target(c)
	if err != nil {
		return 0, err
	}
	name, err := c.xattrName(c.Addr())
	if err != nil {
		return 0, err
	}
	if link {
		return 0, unix.Lremovexattr(path, name)
	}
	return 0, unix.Removexattr(path, name)
}

func sysMemfdCreate(c *Ctx) (uint64, error) {
	addr, flags := c.Addr(), c.Uint()
	const nameMax = 249 // MFD_NAME_MAX_LEN
	name, err := c.CString(addr, nameMax+1)
	if err == unix.E2BIG {
		err = unix.EINVAL
	}
	if err != nil {
		return 0, err
	}
	fd, err := unix.MemfdCreate(name, int(flags)|unix.MFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	return c.install(&File{Host: fd, large: true}, flags&unix.MFD_CLOEXEC != 0)
}

func inotifyInit(c *Ctx, flags uint32) (uint64, error) {
	host, rest := OpenFlags.Host(c.A, uint64(flags))
	if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
		return 0, unix.EINVAL
	}
	fd, err := unix.InotifyInit1(int(host) | unix.IN_CLOEXEC)
	return c.installHost(fd, err, inotifyFile, host&unix.O_CLOEXEC != 0)
}

func sysInotifyAddWatch(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, mask := c.Addr(), c.Uint()
	p, err := c.resolveAt(unix.AT_FDCWD, addr, 0, mask&unix.IN_DONT_FOLLOW == 0)
	if err != nil {
		return 0, err
	}
	wd, err := unix.InotifyAddWatch(f.Host, p.host(), mask)
	return uint64(wd), err
}

func sysInotifyRmWatch(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	_, err = unix.InotifyRmWatch(f.Host, c.Uint())
	return 0, err
}

// maxHandle is MAX_HANDLE_SZ of linux/exportfs.h.
const maxHandle = 128

func sysNameToHandleAt(c *Ctx) (uint64, error) {
	dirfd, addr, at, mountAt, flags := c.Int(), c.Addr(), c.Addr(), c.Addr(), c.Int()
	if flags&^(unix.AT_SYMLINK_FOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	s, err := c.LoadStruct("file_handle", at)
	if err != nil {
		return 0, err
	}
	room := s.Uint("handle_bytes")
	if room > maxHandle {
		return 0, unix.EINVAL
	}
	p, err := c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_FOLLOW != 0)
	if err != nil {
		return 0, err
	}
	flags = p.flags(flags)
	if p.open {
		flags |= unix.AT_SYMLINK_FOLLOW
	}
	h, mount, err := unix.NameToHandleAt(p.dir, p.path, flags)
	if err != nil {
		return 0, err
	}
	s.Set("handle_bytes", uint64(h.Size()))
	if uint64(h.Size()) > room {
		if err := s.Store(c, at); err != nil {
			return 0, err
		}
		return 0, unix.EOVERFLOW
	}
	s.Set("handle_type", uint64(uint32(h.Type())))
	if err := c.Space().CopyOut(append(s.Bytes(), h.Bytes()...), at); err != nil {
		return 0, err
	}
	return 0, c.Write32(mountAt, uint32(mount))
}

func sysOpenByHandleAt(c *Ctx) (uint64, error) {
	mountFD, at, flags := c.Int(), c.Addr(), uint64(c.Uint())
	s, err := c.LoadStruct("file_handle", at)
	if err != nil {
		return 0, err
	}
	n := s.Uint("handle_bytes")
	if n == 0 || n > maxHandle {
		return 0, unix.EINVAL
	}
	data := make([]byte, n)
	if err := c.Space().CopyIn(data, at+uint64(s.Size())); err != nil {
		return 0, err
	}
	p, err := c.descriptor(mountFD)
	if err != nil {
		return 0, err
	}
	mount, err := unix.Openat(p.dir, p.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(mount)
	host, _ := OpenFlags.Host(c.A, flags)
	fd, err := unix.OpenByHandleAt(mount, unix.NewFileHandle(int32(s.Int("handle_type")), data), int(host|flags&unix.O_ACCMODE)|unix.O_CLOEXEC)
	if err != nil {
		return 0, err
	}
	return c.install(&File{Host: fd, large: true}, host&unix.O_CLOEXEC != 0)
}
