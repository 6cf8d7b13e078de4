package syscalls

import (
	"math"

	"golang.org/x/sys/unix"
)

// sysFcntl is fcntl: of a 32-bit program it has only locks of its own width.
func sysFcntl(c *Ctx) (uint64, error) { return fcntl(c, c.A.Word == 8) }

func sysFcntl64(c *Ctx) (uint64, error) { return fcntl(c, true) }

func fcntl(c *Ctx, all bool) (uint64, error) {
	fd := c.Int()
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	guest := uint64(c.Uint())
	arg := c.Size()
	cmd, ok := FcntlCommands.Host(c.A, guest)
	if !ok {
		return 0, unix.EINVAL
	}
	switch cmd {
	case unix.F_DUPFD, unix.F_DUPFD_CLOEXEC:
		return c.dupFrom(f, int(int32(arg)), cmd == unix.F_DUPFD_CLOEXEC)
	case unix.F_GETFD:
		on, err := c.P.Files.Cloexec(fd)
		if on {
			return unix.FD_CLOEXEC, err
		}
		return 0, err
	case unix.F_SETFD:
		return 0, c.P.Files.SetCloexec(fd, arg&unix.FD_CLOEXEC != 0)
	case unix.F_GETFL:
		return c.getStatusFlags(f)
	case unix.F_SETFL:
		return 0, c.setStatusFlags(f, fd, arg)
	case cmdGetlk, cmdSetlk, cmdSetlkw:
		return 0, c.lock(f, "flock", cmd, arg)
	case cmdGetlk64, cmdSetlk64, cmdSetlkw64:
		if !all {
			return 0, unix.EINVAL
		}
		return 0, c.lock(f, "flock64", cmd, arg)
	case unix.F_OFD_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW:
		if !all {
			return 0, unix.EINVAL
		}
		name := "flock"
		if c.A.Word == 4 {
			name = "flock64"
		}
		return 0, c.lock(f, name, cmd, arg)
	}
	return c.fcntlOwner(f, fd, cmd, arg)
}

// dupFrom is F_DUPFD.
func (c *Ctx) dupFrom(f *File, from int, cloexec bool) (uint64, error) {
	limit := c.P.Limits[unix.RLIMIT_NOFILE].Cur
	if from < 0 || uint64(from) >= limit {
		return 0, unix.EINVAL
	}
	fd, err := c.P.Files.Add(f, from, limit, cloexec)
	return uint64(fd), err
}

func (c *Ctx) getStatusFlags(f *File) (uint64, error) {
	fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil {
		return 0, err
	}
	host := uint64(fl) &^ unix.O_CLOEXEC
	v := OpenFlags.Guest(c.A, host) | host&unix.O_ACCMODE
	if f.large {
		v |= c.A.Const["O_LARGEFILE"]
	}
	if f.mem != nil {
		v |= f.mem.flags & unix.O_ACCMODE
	}
	return v, nil
}

// setFlags are the flags that F_SETFL changes.
const setFlags = unix.O_APPEND | unix.O_NONBLOCK | unix.O_DIRECT | unix.O_NOATIME | unix.O_ASYNC

func (c *Ctx) setStatusFlags(f *File, fd int, guest uint64) error {
	host, _ := OpenFlags.Host(c.A, guest)
	if host&unix.O_ASYNC != 0 {
		if err := c.setAsync(f, fd); err != nil {
			return err
		}
	}
	_, err := unix.FcntlInt(uintptr(f.Host), unix.F_SETFL, int(host&setFlags))
	return err
}

// fcntlOwner serves the commands around SIGIO, and those that the host
// answers with a plain number.
func (c *Ctx) fcntlOwner(f *File, fd int, cmd, arg uint64) (uint64, error) {
	own := f.ownedBy()
	switch cmd {
	case unix.F_GETOWN:
		if !c.K.isOwner(own.kind, int(own.id)) {
			return 0, nil
		}
		if own.kind == ownerPgrp {
			return uint64(-int64(own.id)), nil
		}
		return uint64(own.id), nil
	case unix.F_SETOWN:
		switch id := int32(arg); {
		case id == math.MinInt32:
			return 0, unix.EINVAL
		case id < 0:
			return 0, c.setOwner(f, ownerPgrp, -id)
		default:
			return 0, c.setOwner(f, ownerPID, id)
		}
	case unix.F_GETOWN_EX:
		s := c.NewStruct("f_owner_ex")
		s.Set("type", own.kind)
		s.Set("pid", uint64(own.id))
		return 0, s.Store(c, arg)
	case unix.F_SETOWN_EX:
		s, err := c.LoadStruct("f_owner_ex", arg)
		if err != nil {
			return 0, err
		}
		if s.Uint("type") > ownerPgrp {
			return 0, unix.EINVAL
		}
		return 0, c.setOwner(f, s.Uint("type"), int32(s.Int("pid")))
	case unix.F_GETSIG:
		return own.sig, nil
	case unix.F_SETSIG:
		if arg > nsig {
			return 0, unix.EINVAL
		}
		f.ownMu.Lock()
		defer f.ownMu.Unlock()
		f.owner.sig = arg
		return 0, nil
	case cmdGetownerUIDs:
		uid := [2]uint32{uint32(own.real), uint32(own.eff)}
		if err := c.writable(arg, 8); err != nil {
			return 0, err
		}
		_ = c.Write32(arg, uid[0]) // both are known to be writable
		return 0, c.Write32(arg+4, uid[1])
	case unix.F_GET_RW_HINT, unix.F_SET_RW_HINT, unix.F_GET_FILE_RW_HINT, unix.F_SET_FILE_RW_HINT:
		return 0, c.rwHint(f, cmd, arg)
	case unix.F_NOTIFY, unix.F_SETLEASE:
		if err := c.tellCaller(f, fd); err != nil {
			return 0, err
		}
	}
	v, err := unix.FcntlInt(uintptr(f.Host), int(cmd), int(int32(arg)))
	return uint64(v), err
}

// rwHint is F_GET_RW_HINT and its kin, whose argument points to a 64-bit
// number.
func (c *Ctx) rwHint(f *File, cmd, addr uint64) error {
	v, err := c.Read64(addr)
	if err != nil {
		return err
	}
	if err := fcntlPtr(f.Host, int(cmd), &v); err != nil {
		return err
	}
	if cmd == unix.F_SET_RW_HINT || cmd == unix.F_SET_FILE_RW_HINT {
		return nil
	}
	return c.Write64(addr, v)
}
