package syscalls

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where a path of the guest leads: what the host's *at calls take.
type place struct {
	dir  int      // the host's descriptor, or AT_FDCWD
	path string   // relative to dir or absolute; never empty
	proc procPath // for what is in /proc and a guest's
	link string   // for a link in there that was not followed: where it leads
	open bool     // an open file itself; path is a link to it, which must be followed
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
	dir, proc := 0, procPath{}
	if dirfd == unix.AT_FDCWD {
		dir, proc = c.fs().current()
	} else {
		f, err := c.file(dirfd)
		if err != nil {
			return place{}, err
		}
		dir, proc = f.Host, f.proc
	}
	if proc.ours() {
		return c.absolute(proc.name()+"/"+name, follow)
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
		dir, proc := c.fs().current()
		return place{dir: dir, path: ".", proc: proc}, nil
	}
	f, err := c.file(fd)
	if err != nil {
		return place{}, err
	}
	if f.like != "" {
		return place{dir: unix.AT_FDCWD, path: f.like}, nil
	}
	return place{dir: unix.AT_FDCWD, path: hostFD(f.Host), open: true}, nil
}

// current is the current directory for the host, with File.proc of it.
func (fs *FS) current() (dir int, proc procPath) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.cwd, fs.proc
}

// absolute resolves a path that begins with a slash.
func (c *Ctx) absolute(name string, follow bool) (place, error) {
	if strings.Contains(name, "/proc") || strings.Contains(name, "/dev/") {
		if pp := c.procPath(path.Clean(name)); pp.ours() {
			// A link at the end is followed where the path goes on behind it.
			end := name[strings.LastIndexByte(name, '/')+1:]
			return c.magic(pp, follow || end == "" || end == "." || end == "..")
		}
	}
	if p, ok := c.K.sysroot(name, follow); ok {
		name = p
	}
	return place{dir: unix.AT_FDCWD, path: name}, nil
}

// path is the path of the current directory, ENOENT if it has been removed.
func (fs *FS) path() (string, error) {
	dir, proc := fs.current()
	if proc.ours() {
		return proc.name(), nil
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
// current directory and timers, and ends the program that the host runs for it.
// The process must have ended, its engine must still be there. Only the first
// call does something.
func (p *Process) Release() (err error) {
	p.release.Do(func() { err = p.releaseAll() })
	return err
}

func (p *Process) releaseAll() error {
	p.shut()
	if h := p.host.Load(); h != nil {
		h.end()
	}
	var err error
	if p.Files.users.Add(-1) < 0 {
		err = p.Files.Release()
	}
	return errors.Join(err, p.FS.leave())
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
