package syscalls

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// Limits of execve(2) (linux/binfmts.h, fs/exec.c).
const (
	maxArgLen = 131072 // MAX_ARG_STRLEN
)

// argRoom is how much memory the strings and their pointers may take: a
// quarter of the stack limit, at most three quarters of the default one, at
// least ARG_MAX.
func (c *Ctx) argRoom() uint64 {
	const argMax, stackLimit = 131072, 8 << 20
	room := min(c.P.Limits[unix.RLIMIT_STACK].Cur/4, stackLimit/4*3)
	return max(room, argMax)
}

// argv reads an array of strings and takes what it needs off room: E2BIG if
// that does not do.
func (c *Ctx) argv(addr uint64, room *uint64) ([]string, error) {
	var out []string
	if addr == 0 {
		return out, nil
	}
	for {
		p, err := c.ReadWord(addr)
		if err != nil {
			return nil, err
		}
		if p == 0 {
			return out, nil
		}
		s, err := c.CString(p, int(min(maxArgLen, *room)))
		if err != nil {
			return nil, err
		}
		need := uint64(len(s) + 1 + c.A.Word)
		if need > *room {
			return nil, unix.E2BIG
		}
		*room -= need
		out = append(out, s)
		addr = c.A.Addr(addr + uint64(c.A.Word))
	}
}

func sysExecve(c *Ctx) (uint64, error) {
	path, err := c.Path(c.Addr())
	if err != nil {
		return 0, err
	}
	if path == "" {
		return 0, unix.ENOENT
	}
	return c.exec(path, c.Addr(), c.Addr())
}

// exec starts the program at path in the caller's process.
func (c *Ctx) exec(path string, argvp, envp uint64) (uint64, error) {
	room := c.argRoom()
	argv, err := c.argv(argvp, &room)
	if err != nil {
		return 0, err
	}
	env, err := c.argv(envp, &room)
	if err != nil {
		return 0, err
	}
	if len(argv) == 0 {
		argv = []string{""} // as the kernel has it since 5.18
	}
	if c.K.cfg.Exec == nil {
		return 0, unix.ENOSYS
	}
	if err := c.K.cfg.Exec(c.T, path, argv, env); err != nil {
		var e unix.Errno
		if errors.As(err, &e) {
			return 0, e
		}
		return 0, err
	}
	// The registers are the new program's.
	c.KeepRegs()
	return 0, nil
}

func sysExecveat(c *Ctx) (uint64, error) {
	dirfd, addr, argvp, envp, flags := c.Int(), c.Addr(), c.Addr(), c.Addr(), c.Int()
	if flags&^(unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW) != 0 {
		return 0, unix.EINVAL
	}
	name, err := c.Path(addr)
	if err != nil {
		return 0, err
	}
	switch {
	case name == "" && flags&unix.AT_EMPTY_PATH == 0:
		return 0, unix.ENOENT
	case name != "" && (name[0] == '/' || dirfd == unix.AT_FDCWD) && flags&unix.AT_SYMLINK_NOFOLLOW == 0:
		return c.exec(name, argvp, envp)
	}
	path, err := c.execPath(dirfd, name, flags)
	if err != nil {
		return 0, err
	}
	return c.exec(path, argvp, envp)
}

// execPath is a path for a program that a descriptor leads to, of the form
// the kernel gives scripts: /dev/fd/N or /dev/fd/N/name.
func (c *Ctx) execPath(dirfd int, name string, flags int) (string, error) {
	pl, err := c.resolveAtName(dirfd, name, flags)
	if err != nil {
		return "", err
	}
	if flags&unix.AT_SYMLINK_NOFOLLOW != 0 && name != "" {
		var st unix.Stat_t
		if err := unix.Fstatat(pl.dir, pl.path, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return "", err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return "", unix.ELOOP
		}
	}
	if name != "" && (name[0] == '/' || dirfd == unix.AT_FDCWD) {
		return name, nil
	}
	path := "/dev/fd/" + strconv.Itoa(dirfd)
	if name != "" {
		path += "/" + name
	}
	return path, nil
}

// resolveAtName is resolveAt for a name that has been read.
func (c *Ctx) resolveAtName(dirfd int, name string, flags int) (place, error) {
	if name == "" {
		return c.descriptor(dirfd)
	}
	return c.resolve(dirfd, name, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
}
