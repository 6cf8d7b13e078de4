package syscalls

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where a path of the guest leads: what the host's *at calls take.
type place struct {
	dir  int    // the host's descriptor, or AT_FDCWD
	path string // relative to dir or absolute; never empty
	proc string // for what is in the caller's own /proc/self: the path below it, "." for itself
	link string // for a link of /proc/self that was not followed: where it leads
	open bool   // an open file itself; path is a link to it, which must be followed
}

// flags are a call's AT_ flags for the host, where the place is never an
// empty path.
func (p place) flags(flags int) int {
	if p.open {
		flags &^= unix.AT_SYMLINK_NOFOLLOW
	}
	return flags &^ unix.AT_EMPTY_PATH
}

// host is the place as one path, for calls that know no directory descriptor.
func (p place) host() string {
	if p.dir == unix.AT_FDCWD || p.path[0] == '/' {
		return p.path
	}
	return hostFD(p.dir) + "/" + p.path
}

// resolve finds the place of a path that is absolute or relative to the
// directory dirfd. follow tells whether a link at its end is followed by the
// call it is for. An empty path is ENOENT.
func (c *Ctx) resolve(dirfd int, name string, follow bool) (place, error) {
	if name == "" {
		return place{}, unix.ENOENT
	}
	if name[0] == '/' {
		return c.absolute(name, follow)
	}
	dir, proc := 0, ""
	if dirfd == unix.AT_FDCWD {
		dir, proc = c.P.FS.current()
	} else {
		f, err := c.file(dirfd)
		if err != nil {
			return place{}, err
		}
		dir, proc = f.Host, f.proc
	}
	if proc != "" {
		return c.absolute("/proc/self/"+proc+"/"+name, follow)
	}
	return place{dir: dir, path: name}, nil
}

// resolveAt reads a path and resolves it. With flag AT_EMPTY_PATH an empty one
// is the file dirfd itself.
func (c *Ctx) resolveAt(dirfd int, addr uint64, flags int, follow bool) (place, error) {
	name, err := c.Path(addr)
	if err != nil {
		return place{}, err
	}
	if name == "" && flags&unix.AT_EMPTY_PATH != 0 {
		return c.descriptor(dirfd)
	}
	return c.resolve(dirfd, name, follow)
}

// descriptor is the place of an open file itself.
func (c *Ctx) descriptor(fd int) (place, error) {
	if fd == unix.AT_FDCWD {
		dir, proc := c.P.FS.current()
		return place{dir: dir, path: ".", proc: proc}, nil
	}
	f, err := c.file(fd)
	if err != nil {
		return place{}, err
	}
	return place{dir: unix.AT_FDCWD, path: hostFD(f.Host), open: true}, nil
}

// current is the current directory for the host, with File.proc of it.
func (fs *FS) current() (dir int, proc string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.cwd, fs.proc
}

// absolute resolves a path that begins with a slash.
func (c *Ctx) absolute(name string, follow bool) (place, error) {
	if strings.Contains(name, "/proc/") || strings.Contains(name, "/dev/") {
		if rest, ok := c.ownProc(path.Clean(name)); ok {
			return c.magic(rest, follow || strings.HasSuffix(name, "/"))
		}
	}
	if p, ok := c.K.sysroot(name, follow); ok {
		name = p
	}
	return place{dir: unix.AT_FDCWD, path: name}, nil
}

// ownProc tells whether a clean absolute path lies in the caller's directory
// of /proc, and where below it: "." for itself.
func (c *Ctx) ownProc(name string) (string, bool) {
	switch name {
	case "/dev/stdin":
		return "fd/0", true
	case "/dev/stdout":
		return "fd/1", true
	case "/dev/stderr":
		return "fd/2", true
	}
	if rest, ok := strings.CutPrefix(name, "/dev/fd"); ok && (rest == "" || rest[0] == '/') {
		return "fd" + rest, true
	}
	rest, ok := strings.CutPrefix(name, "/proc/")
	if !ok {
		return "", false
	}
	who, rest, _ := strings.Cut(rest, "/")
	if who != "self" && who != "thread-self" && who != strconv.Itoa(c.P.P.PID) {
		return "", false
	}
	for strings.HasPrefix(rest, "task/") {
		tid, sub, _ := strings.Cut(rest[len("task/"):], "/")
		if !c.hasTask(tid) {
			break
		}
		rest = sub
	}
	if rest == "" {
		rest = "."
	}
	return rest, true
}

func (c *Ctx) hasTask(tid string) bool {
	for _, t := range c.P.P.Tasks() {
		if strconv.Itoa(t.TID) == tid {
			return true
		}
	}
	return false
}

// magic resolves what lies in the caller's own /proc/self and is not the
// host's.
func (c *Ctx) magic(rest string, follow bool) (place, error) {
	p := place{dir: unix.AT_FDCWD, path: path.Join("/proc/self", rest), proc: rest}
	first, more, deeper := strings.Cut(rest, "/")
	follow = follow || deeper
	switch first {
	case "exe":
		if deeper {
			return p, unix.ENOTDIR
		}
		return c.magicLink(p, c.P.Exe, follow)
	case "root":
		if deeper {
			return c.absolute("/"+more, follow)
		}
		p.link = "/"
	case "cwd":
		dir, proc := c.P.FS.current()
		switch {
		case follow && proc != "":
			return c.magic(path.Join(proc, more), true)
		case follow:
			return place{dir: dir, path: path.Join(".", more)}, nil
		}
		var err error
		p.link, err = c.P.Cwd()
		return p, err
	case "fd", "fdinfo":
		if !deeper {
			return p, nil
		}
		return c.magicFD(p, first, more, follow)
	case "task":
		if deeper {
			return p, unix.ENOENT // a task of the host, or none at all
		}
	}
	return p, nil
}

// magicLink is a link to a path.
func (c *Ctx) magicLink(p place, to string, follow bool) (place, error) {
	if !follow {
		p.link = to
		return p, nil
	}
	if to == "" || to[0] != '/' {
		return place{}, unix.ENOENT
	}
	if q, ok := c.K.sysroot(to, true); ok {
		to = q
	}
	return place{dir: unix.AT_FDCWD, path: to}, nil
}

// magicFD is what a descriptor's number in /proc/self/fd or fdinfo stands for.
func (c *Ctx) magicFD(p place, dir, rest string, follow bool) (place, error) {
	num, more, deeper := strings.Cut(rest, "/")
	fd, err := strconv.Atoi(num)
	if err != nil || strconv.Itoa(fd) != num {
		return place{}, unix.ENOENT
	}
	f, err := c.file(fd)
	if err != nil {
		return place{}, unix.ENOENT
	}
	p = place{dir: unix.AT_FDCWD, path: path.Join("/proc/self", dir, strconv.Itoa(f.Host))}
	switch {
	case dir == "fdinfo":
	case deeper:
		if f.proc != "" {
			return c.magic(path.Join(f.proc, more), follow)
		}
		return place{dir: f.Host, path: more}, nil
	case follow && f.proc != "":
		return c.magic(f.proc, true)
	case !follow:
		p.link, err = f.Name()
	}
	return p, err
}

// Cwd is the path of the current directory, ENOENT if it has been removed.
func (p *Process) Cwd() (string, error) {
	dir, proc := p.FS.current()
	if proc != "" {
		return path.Join("/proc", strconv.Itoa(p.P.PID), proc), nil
	}
	if dir == unix.AT_FDCWD {
		return unix.Getwd()
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return "", err
	}
	if st.Nlink == 0 {
		return "", unix.ENOENT
	}
	return os.Readlink(hostFD(dir))
}

// HostPath is the file of the host that the guest's path name leads to, links
// followed, for opening it outside of a system call.
func (p *Process) HostPath(name string) (string, error) {
	c := &Ctx{K: p.K, P: p, A: p.P.Arch}
	pl, err := c.resolve(unix.AT_FDCWD, name, true)
	if err != nil {
		return "", err
	}
	return pl.host(), nil
}

// Release closes what the process holds of the host: all descriptors, the
// current directory and timers. The process must have ended, its engine must
// still be there.
func (p *Process) Release() error {
	p.shut()
	var err error
	if p.Files.users.Add(-1) < 0 {
		err = p.Files.Release()
	}
	if dir, _ := p.FS.current(); p.FS.users.Add(-1) < 0 && dir >= 0 {
		err = errors.Join(err, unix.Close(dir))
	}
	return err
}

// HostPath is the file of the host that an absolute path names before there is
// a process: that under the sysroot, if there is one.
func (k *Kernel) HostPath(name string) string {
	if path.IsAbs(name) {
		if p, ok := k.sysroot(name, true); ok {
			return p
		}
	}
	return name
}

// hostOnly are folders that a sysroot may have as empty mount points; those
// of the host are meant.
var hostOnly = map[string]bool{"/proc": true, "/sys": true, "/dev": true, "/run": true, "/tmp": true}

// sysroot looks an absolute path up under the sysroot, whose links lead to
// places under it as well. It returns the path of the host, and false if there
// is nothing.
func (k *Kernel) sysroot(name string, follow bool) (string, bool) {
	root := k.cfg.Sysroot
	if root == "" || root == "/" || hostOnly[name] {
		return "", false
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat2(dir, name, &how)
	for range 8 { // EAGAIN: something was renamed meanwhile
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
		fd, err = unix.Openat2(dir, name, &how)
	}
	if err == unix.ENOSYS || err == unix.EPERM {
		// Before Linux 5.6: links are taken as they are.
		p := root + name
		return p, unix.Faccessat(unix.AT_FDCWD, p, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
	}
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	p, err := os.Readlink(hostFD(fd))
	return p, err == nil
}
