package syscalls

import (
	"bytes"
	"encoding/binary"
	"math"
	"path"

	"golang.org/x/sys/unix"
)

var dirRows = []Row{
	{Name: "getdents", Fn: func(c *Ctx) (uint64, error) { return getdents(c, putDirent) }, Level: Full},
	{Name: "getdents64", Fn: func(c *Ctx) (uint64, error) { return getdents(c, putDirent64) }, Level: Full},
	{Name: "readdir", Fn: sysReaddir, Level: Full},
	{Name: "getcwd", Fn: sysGetcwd, Level: Full},
	{Name: "chdir", Fn: sysChdir, Level: Full},
	{Name: "fchdir", Fn: sysFchdir, Level: Full},
	{Name: "chroot", Fn: sysChroot, Level: Partial, Note: "only to the root itself"},
	{Name: "umask", Fn: sysUmask, Level: Full},
	{Name: "mkdir", Fn: func(c *Ctx) (uint64, error) { return mkdirat(c, unix.AT_FDCWD) }, Level: Full},
	{Name: "mkdirat", Fn: func(c *Ctx) (uint64, error) { return mkdirat(c, c.Int()) }, Level: Full},
	{Name: "rmdir", Fn: func(c *Ctx) (uint64, error) { return unlinkat(c, unix.AT_FDCWD, c.Addr(), unix.AT_REMOVEDIR) }, Level: Full},
	{Name: "unlink", Fn: func(c *Ctx) (uint64, error) { return unlinkat(c, unix.AT_FDCWD, c.Addr(), 0) }, Level: Full},
	{Name: "unlinkat", Fn: sysUnlinkat, Level: Full},
	{Name: "mknod", Fn: func(c *Ctx) (uint64, error) { return mknodat(c, unix.AT_FDCWD) }, Level: Full},
	{Name: "mknodat", Fn: func(c *Ctx) (uint64, error) { return mknodat(c, c.Int()) }, Level: Full},
	{Name: "link", Fn: sysLink, Level: Full},
	{Name: "linkat", Fn: sysLinkat, Level: Full},
	{Name: "symlink", Fn: sysSymlink, Level: Full},
	{Name: "symlinkat", Fn: sysSymlinkat, Level: Full},
	{Name: "rename", Fn: sysRename, Level: Full},
	{Name: "renameat", Fn: func(c *Ctx) (uint64, error) { return renameat(c, false) }, Level: Full},
	{Name: "renameat2", Fn: func(c *Ctx) (uint64, error) { return renameat(c, true) }, Level: Full},
	{Name: "readlink", Fn: func(c *Ctx) (uint64, error) { return readlinkat(c, unix.AT_FDCWD) }, Level: Full},
	{Name: "readlinkat", Fn: func(c *Ctx) (uint64, error) { return readlinkat(c, c.Int()) }, Level: Full},
}

// dirPos is the reading position of a directory, where it is not just the
// host's.
type dirPos struct {
	// Positions of a 32-bit program: its telldir has 31 bits, and the host's
	// file systems give a 64-bit program more. far are the host's positions
	// that do not fit, and the guest sees farBase and the index instead.
	far   []int64
	index map[int64]int
	at    int64 // the guest's position

	// A directory whose entries are ours: the names, and the next of them.
	own  []procName
	next int
}

const farBase = 1 << 30

// guestPos is a position for the guest.
func (d *dirPos) guestPos(off int64) int64 {
	if off >= 0 && off < farBase {
		return off
	}
	i, ok := d.index[off]
	if !ok {
		i = len(d.far)
		d.far = append(d.far, off)
		if d.index == nil {
			d.index = map[int64]int{}
		}
		d.index[off] = i
	}
	return farBase + int64(i)
}

// hostPos undoes guestPos; a position the guest never got is its own.
func (d *dirPos) hostPos(pos int64) int64 {
	if i := pos - farBase; i >= 0 && i < int64(len(d.far)) {
		return d.far[i]
	}
	return pos
}

// dirent is one entry of a directory as the host has it.
type dirent struct {
	ino  uint64
	off  int64
	typ  uint8
	name []byte
}

// nextDirent takes an entry off what getdents64 of the host gave.
func nextDirent(b []byte) (e dirent, rest []byte, ok bool) {
	const head = 19 // struct linux_dirent64 before d_name
	if len(b) < head {
		return e, nil, false
	}
	n := int(binary.NativeEndian.Uint16(b[16:]))
	if n < head || n > len(b) {
		return e, nil, false
	}
	e = dirent{ino: binary.NativeEndian.Uint64(b), off: int64(binary.NativeEndian.Uint64(b[8:])), typ: b[18], name: b[head:n]}
	if i := bytes.IndexByte(e.name, 0); i >= 0 {
		e.name = e.name[:i]
	}
	return e, b[n:], true
}

// putDirent appends e in the form of getdents: d_type sits in the last byte.
func putDirent(c *Ctx, out []byte, e dirent) ([]byte, error) {
	l := c.A.Layout["linux_dirent"]
	name := l.Fields["d_name"].Off
	n := align(name+len(e.name)+2, c.A.Word)
	if c.A.Word == 4 && e.ino > math.MaxUint32 {
		return nil, unix.EOVERFLOW
	}
	at := len(out)
	out = append(out, make([]byte, n)...)
	s := &Struct{b: out[at:], l: l, a: c.A}
	s.Set("d_ino", e.ino)
	s.Set("d_off", uint64(e.off))
	s.Set("d_reclen", uint64(n))
	copy(s.b[name:], e.name)
	s.b[n-1] = e.typ
	return out, nil
}

// putDirent64 appends e in the form of getdents64.
func putDirent64(c *Ctx, out []byte, e dirent) ([]byte, error) {
	l := c.A.Layout["linux_dirent64"]
	name := l.Fields["d_name"].Off
	n := align(name+len(e.name)+1, 8)
	at := len(out)
	out = append(out, make([]byte, n)...)
	s := &Struct{b: out[at:], l: l, a: c.A}
	s.Set("d_ino", e.ino)
	s.Set("d_off", uint64(e.off))
	s.Set("d_reclen", uint64(n))
	s.Set("d_type", uint64(e.typ))
	copy(s.b[name:], e.name)
	return out, nil
}

func align(n, to int) int { return (n + to - 1) &^ (to - 1) }

// direntsMax bounds what one call of getdents gives.
const direntsMax = 64 << 10

func getdents(c *Ctx, put func(*Ctx, []byte, dirent) ([]byte, error)) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, size := c.Addr(), int(min(c.Uint(), direntsMax))
	out, last, err := c.dirents(f, size, put)
	if len(out) == 0 {
		return 0, err
	}
	if err := c.Space().CopyOut(out, addr); err != nil {
		return 0, err
	}
	if f.dir != nil {
		f.dir.at = last
	}
	return uint64(len(out)), nil
}

// dirents reads entries that take at most size bytes for the guest, and
// leaves the host's position after the last of them. EINVAL if not even one
// fits.
func (c *Ctx) dirents(f *File, size int, put func(*Ctx, []byte, dirent) ([]byte, error)) (out []byte, last int64, err error) {
	if f.proc.listed() {
		return c.ownDirents(f, size, put)
	}
	if c.A.Word == 4 && f.dir == nil {
		f.dir = &dirPos{}
	}
	// The host's entries are those of a 64-bit program; smaller ones may fit
	// where they do not.
	buf := make([]byte, size)
	if c.A.Word == 4 {
		buf = make([]byte, max(size, 512))
	}
	var n int
	if err := c.restart(func() error { n, err = unix.Getdents(f.Host, buf); return err }); err != nil {
		return nil, 0, err
	}
	next := int64(-1) // the host's position after what is in out
	for b := buf[:n]; ; {
		e, rest, ok := nextDirent(b)
		if !ok {
			return out, last, nil
		}
		host := e.off
		if c.A.Word == 4 {
			e.off = f.dir.guestPos(e.off)
		}
		longer, perr := put(c, out, e)
		if perr == nil && len(longer) > size {
			perr = unix.EINVAL
		}
		if perr != nil {
			return out, last, c.rewindDir(f, next, n, buf, perr)
		}
		out, last, next, b = longer, e.off, host, rest
	}
}

// rewindDir goes back to the entry that could not be given: to position next,
// or if it was the first of all, to where the call began.
func (c *Ctx) rewindDir(f *File, next int64, n int, buf []byte, cause error) error {
	if next < 0 {
		next = 0
		if f.dir != nil {
			next = f.dir.hostPos(f.dir.at)
		}
	}
	if _, err := unix.Seek(f.Host, next, unix.SEEK_SET); err != nil {
		return err
	}
	return cause
}

// ownDirents reads a directory of /proc that is not the host's.
func (c *Ctx) ownDirents(f *File, size int, put func(*Ctx, []byte, dirent) ([]byte, error)) (out []byte, last int64, err error) {
	d := f.dir
	if d == nil {
		d = &dirPos{}
		f.dir = d
	}
	if d.next == 0 {
		d.own = c.ownNames(f.proc)
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.Host, &st); err != nil {
		return nil, 0, err
	}
	for d.next < len(d.own) {
		own := d.own[d.next]
		e := dirent{ino: st.Ino + uint64(d.next), off: int64(d.next + 1), typ: own.typ, name: []byte(own.name)}
		longer, err := put(c, out, e)
		if err == nil && len(longer) > size {
			err = unix.EINVAL
		}
		if err != nil {
			return out, last, err
		}
		d.next++
		out, last = longer, int64(d.next)
	}
	return out, last, nil
}

// sysReaddir is the call of before getdents: one entry, whose d_reclen is the
// length of its name.
func sysReaddir(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr := c.Addr()
	var one dirent
	got := false
	_, last, err := c.dirents(f, direntsMax, func(_ *Ctx, out []byte, e dirent) ([]byte, error) {
		if got {
			return nil, unix.EINVAL
		}
		one, got = e, true
		return append(out, 0), nil
	})
	if !got {
		return 0, err
	}
	if f.dir != nil {
		f.dir.at = last
	}
	if c.A.Word == 4 && one.ino > math.MaxUint32 {
		return 0, unix.EOVERFLOW
	}
	s := c.NewStruct("old_linux_dirent")
	s.Set("d_ino", one.ino)
	s.Set("d_offset", uint64(one.off))
	s.Set("d_namlen", uint64(len(one.name)))
	b := append(s.Bytes()[:c.A.Layout["old_linux_dirent"].Fields["d_name"].Off], one.name...)
	return 1, c.Space().CopyOut(append(b, 0), addr)
}

// seekDir moves the position of a directory that has one of its own.
func (c *Ctx) seekDir(f *File, off int64, whence int) (int64, error) {
	d := f.dir
	switch whence {
	case unix.SEEK_SET:
	case unix.SEEK_CUR:
		off += d.at
	default:
		return 0, unix.EINVAL
	}
	if off < 0 {
		return 0, unix.EINVAL
	}
	if f.proc.listed() {
		d.next = int(min(off, int64(len(d.own))))
	} else if _, err := unix.Seek(f.Host, d.hostPos(off), unix.SEEK_SET); err != nil {
		return 0, err
	}
	d.at = off
	if off == 0 {
		d.far, d.index = nil, nil
	}
	return off, nil
}

func sysGetcwd(c *Ctx) (uint64, error) {
	addr, size := c.Addr(), c.Size()
	cwd, err := c.fs().path()
	if err != nil {
		return 0, err
	}
	if size < uint64(len(cwd)+1) {
		return 0, unix.ERANGE
	}
	return uint64(len(cwd) + 1), c.Space().CopyOut(append([]byte(cwd), 0), addr)
}

func sysChdir(c *Ctx) (uint64, error) {
	name, err := c.Path(c.Addr())
	if err != nil {
		return 0, err
	}
	// The host's directory comes first, as in qemu-user: what a program makes
	// in it must be found there.
	if name != "" && name[0] == '/' {
		if !c.procPath(path.Clean(name)).ours() {
			err := c.chdir(place{dir: unix.AT_FDCWD, path: name})
			if err != unix.ENOENT && err != unix.ENOTDIR {
				return 0, err
			}
		}
	}
	p, err := c.resolve(unix.AT_FDCWD, name, true)
	if err != nil {
		return 0, err
	}
	return 0, c.chdir(p)
}

func sysFchdir(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	return 0, c.chdir(place{dir: f.Host, path: ".", proc: f.proc})
}

// chdir makes a place the current directory.
func (c *Ctx) chdir(p place) error {
	fd, err := unix.Openat(p.dir, p.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Faccessat(fd, ".", unix.X_OK, unix.AT_EACCESS); err != nil {
		unix.Close(fd)
		return err
	}
	fs := c.fs()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.cwd >= 0 {
		unix.Close(fs.cwd)
	}
	fs.cwd, fs.proc = fd, p.proc
	return nil
}

// sysChroot can only stay where it is: the host process has one root.
func sysChroot(c *Ctx) (uint64, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, true)
	if err != nil {
		return 0, err
	}
	var to, root unix.Stat_t
	if err := unix.Fstatat(p.dir, p.path, &to, 0); err != nil {
		return 0, err
	}
	if to.Mode&unix.S_IFMT != unix.S_IFDIR {
		return 0, unix.ENOTDIR
	}
	if err := unix.Stat("/", &root); err != nil {
		return 0, err
	}
	if !c.capable(unix.CAP_SYS_CHROOT) || to.Dev != root.Dev || to.Ino != root.Ino {
		return 0, unix.EPERM
	}
	return 0, nil
}

func sysUmask(c *Ctx) (uint64, error) {
	fs := c.fs()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	old := fs.umask
	fs.umask = c.Uint() & 0o777
	return uint64(old), nil
}

// mode is a mode for a new file with the umask taken off.
func (c *Ctx) mode(m uint32) uint32 {
	return m &^ uint32(c.fs().Mask())
}

func mkdirat(c *Ctx, dirfd int) (uint64, error) {
	p, err := c.resolveAt(dirfd, c.Addr(), 0, false)
	if err != nil {
		return 0, err
	}
	return 0, unix.Mkdirat(p.dir, p.path, c.mode(c.Uint()&0o7777))
}

func mknodat(c *Ctx, dirfd int) (uint64, error) {
	p, err := c.resolveAt(dirfd, c.Addr(), 0, false)
	if err != nil {
		return 0, err
	}
	mode, dev := c.Uint(), c.Uint()
	return 0, unix.Mknodat(p.dir, p.path, mode&unix.S_IFMT|c.mode(mode&0o7777), int(dev))
}

func unlinkat(c *Ctx, dirfd int, addr uint64, flags int) (uint64, error) {
	p, err := c.resolveAt(dirfd, addr, 0, false)
	if err != nil {
		return 0, err
	}
	return 0, unix.Unlinkat(p.dir, p.path, flags)
}

func sysUnlinkat(c *Ctx) (uint64, error) {
	dirfd, addr, flags := c.Int(), c.Addr(), c.Int()
	return unlinkat(c, dirfd, addr, flags)
}

func sysLink(c *Ctx) (uint64, error) {
	return linkat(c, unix.AT_FDCWD, c.Addr(), unix.AT_FDCWD, c.Addr(), 0)
}

func sysLinkat(c *Ctx) (uint64, error) {
	olddir, old, newdir, new, flags := c.Int(), c.Addr(), c.Int(), c.Addr(), c.Int()
	return linkat(c, olddir, old, newdir, new, flags)
}

func linkat(c *Ctx, olddir int, old uint64, newdir int, new uint64, flags int) (uint64, error) {
	if flags&^(unix.AT_SYMLINK_FOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	follow := flags&unix.AT_SYMLINK_FOLLOW != 0
	from, err := c.resolveAt(olddir, old, flags, follow)
	if err != nil {
		return 0, err
	}
	to, err := c.resolveAt(newdir, new, 0, false)
	if err != nil {
		return 0, err
	}
	flags = 0
	if follow || from.open {
		flags = unix.AT_SYMLINK_FOLLOW
	}
	return 0, unix.Linkat(from.dir, from.path, to.dir, to.path, flags)
}

func sysSymlink(c *Ctx) (uint64, error) { return symlinkat(c, c.Addr(), unix.AT_FDCWD, c.Addr()) }

func sysSymlinkat(c *Ctx) (uint64, error) {
	target, dirfd, addr := c.Addr(), c.Int(), c.Addr()
	return symlinkat(c, target, dirfd, addr)
}

func symlinkat(c *Ctx, target uint64, dirfd int, addr uint64) (uint64, error) {
	to, err := c.Path(target)
	if err != nil {
		return 0, err
	}
	if to == "" {
		return 0, unix.ENOENT
	}
	p, err := c.resolveAt(dirfd, addr, 0, false)
	if err != nil {
		return 0, err
	}
	return 0, unix.Symlinkat(to, p.dir, p.path)
}

func sysRename(c *Ctx) (uint64, error) {
	return rename(c, unix.AT_FDCWD, c.Addr(), unix.AT_FDCWD, c.Addr(), 0)
}

func renameat(c *Ctx, flagged bool) (uint64, error) {
	olddir, old, newdir, new := c.Int(), c.Addr(), c.Int(), c.Addr()
	var flags uint
	if flagged {
		flags = uint(c.Uint())
	}
	return rename(c, olddir, old, newdir, new, flags)
}

func rename(c *Ctx, olddir int, old uint64, newdir int, new uint64, flags uint) (uint64, error) {
	from, err := c.resolveAt(olddir, old, 0, false)
	if err != nil {
		return 0, err
	}
	to, err := c.resolveAt(newdir, new, 0, false)
	if err != nil {
		return 0, err
	}
	return 0, unix.Renameat2(from.dir, from.path, to.dir, to.path, flags)
}

func readlinkat(c *Ctx, dirfd int) (uint64, error) {
	name, err := c.Path(c.Addr())
	if err != nil {
		return 0, err
	}
	addr, size := c.Addr(), c.Int()
	if size <= 0 {
		return 0, unix.EINVAL
	}
	buf := make([]byte, min(size, pathMax))
	n := 0
	if name == "" && dirfd != unix.AT_FDCWD {
		f, err := c.file(dirfd)
		if err != nil {
			return 0, err
		}
		n, err = unix.Readlinkat(f.Host, "", buf)
		if err != nil {
			return 0, err
		}
		return uint64(n), c.Space().CopyOut(buf[:n], addr)
	}
	p, err := c.resolve(dirfd, name, false)
	if err != nil {
		return 0, err
	}
	if p.link != "" {
		n = copy(buf, p.link)
	} else if n, err = unix.Readlinkat(p.dir, p.path, buf); err != nil {
		return 0, err
	}
	return uint64(n), c.Space().CopyOut(buf[:n], addr)
}
