package syscalls

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

// Record locks of fcntl(2) belong to a process, which all guests share for the
// host. So a guest's are locks of an open file description (F_OFD_SETLK) that
// it has of each file for them, and closes with the first descriptor of the
// file that it closes.

// inode is which file a descriptor is of.
type inode struct{ dev, ino uint64 }

// inodeOf is the file of a descriptor of the host, and whether it is a regular
// one.
func inodeOf(host int) (n inode, regular bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(host, &st); err != nil {
		return inode{}, false, err
	}
	return inode{st.Dev, st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFREG, nil
}

// locker is the host's descriptor that has the process's record locks on a
// file.
func (t *Files) locker(f *File) (int, error) {
	n, regular, err := inodeOf(f.Host)
	if err != nil {
		return -1, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if fd, ok := t.lockers[n]; ok {
		return fd, nil
	}
	fd := -1
	err = unix.EACCES
	if regular { // to open others may do something
		if fd, err = unix.Open(hostFD(f.Host), unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			fd, err = unix.Open(hostFD(f.Host), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
	}
	if err != nil {
		// Then the locks are those of whoever has this description.
		if fd, err = unix.FcntlInt(uintptr(f.Host), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return -1, err
		}
	}
	if t.lockers == nil {
		t.lockers = map[inode]int{}
	}
	t.lockers[n] = fd
	return fd, nil
}

// unlock drops the record locks on a file of which a descriptor is closed;
// t.mu is held.
func (t *Files) unlock(f *File) {
	if len(t.lockers) == 0 {
		return
	}
	n, _, err := inodeOf(f.Host)
	if err != nil {
		return
	}
	if fd, ok := t.lockers[n]; ok {
		delete(t.lockers, n)
		unix.Close(fd)
	}
}

// lock makes the host's record lock of the structure at addr, of the named
// layout.
func (c *Ctx) lock(f *File, name string, cmd, addr uint64) error {
	s, err := c.LoadStruct(name, addr)
	if err != nil {
		return err
	}
	fl := unix.Flock_t{
		Type: int16(s.Int("l_type")), Whence: int16(s.Int("l_whence")),
		Start: s.Int("l_start"), Len: s.Int("l_len"), Pid: int32(s.Int("l_pid")),
	}
	host := map[uint64]int{
		cmdGetlk: unix.F_OFD_GETLK, cmdSetlk: unix.F_OFD_SETLK, cmdSetlkw: unix.F_OFD_SETLKW,
		cmdGetlk64: unix.F_OFD_GETLK, cmdSetlk64: unix.F_OFD_SETLK, cmdSetlkw64: unix.F_OFD_SETLKW,
		unix.F_OFD_GETLK: unix.F_OFD_GETLK, unix.F_OFD_SETLK: unix.F_OFD_SETLK, unix.F_OFD_SETLKW: unix.F_OFD_SETLKW,
	}[cmd]
	fd, own := f.Host, uint64(host) != cmd
	if own {
		if fd, err = c.ownLock(f, &fl, host); err != nil {
			return err
		}
	}
	if own && host == unix.F_OFD_SETLKW {
		leave, err := c.awaitRecord(fd, &fl)
		if err != nil {
			return err
		}
		defer leave()
	}
	err = c.retry(unix.EAGAIN, host != unix.F_OFD_SETLKW, func(wait bool) error {
		if !wait {
			host = unix.F_OFD_SETLK
		}
		return unix.FcntlFlock(uintptr(fd), host, &fl)
	})
	if err != nil {
		return err
	}
	if host != unix.F_OFD_GETLK {
		return nil
	}
	if own && fl.Type != unix.F_UNLCK && fl.Pid == -1 {
		fl.Pid = c.lockOwner(f, &fl)
	}
	s.Set("l_type", uint64(fl.Type))
	if fl.Type != unix.F_UNLCK {
		s.Set("l_whence", uint64(fl.Whence))
		s.Set("l_start", uint64(fl.Start))
		s.Set("l_len", uint64(fl.Len))
		s.Set("l_pid", uint64(int64(fl.Pid)))
	}
	if len(s.Field("l_start")) == 4 && (fl.Start > math.MaxInt32 || fl.Len > math.MaxInt32) {
		return unix.EOVERFLOW
	}
	return s.Store(c, addr)
}

// ownLock makes a lock of the process one of the description that has its
// locks, which it returns: that has a position of its own.
func (c *Ctx) ownLock(f *File, fl *unix.Flock_t, cmd int) (int, error) {
	fl.Pid = 0
	mode, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil {
		return -1, err
	}
	acc := mode & unix.O_ACCMODE
	if cmd != unix.F_OFD_GETLK && (fl.Type == unix.F_RDLCK && acc == unix.O_WRONLY || fl.Type == unix.F_WRLCK && acc == unix.O_RDONLY) || mode&unix.O_PATH != 0 {
		return -1, unix.EBADF
	}
	if fl.Whence == unix.SEEK_CUR {
		at, err := unix.Seek(f.Host, 0, unix.SEEK_CUR)
		if err != nil {
			at = 0 // of what has no position
		}
		if fl.Start > 0 && at > math.MaxInt64-fl.Start {
			return -1, unix.EOVERFLOW
		}
		fl.Whence, fl.Start = unix.SEEK_SET, fl.Start+at
	}
	return c.P.Files.locker(f)
}

// lockOwner is the guest that has the lock that stands in the way of another,
// -1 if none has.
func (c *Ctx) lockOwner(f *File, fl *unix.Flock_t) int32 {
	n, _, err := inodeOf(f.Host)
	if err != nil {
		return -1
	}
	want := recordLock{n: n, write: fl.Type == unix.F_WRLCK, start: fl.Start, end: math.MaxInt64}
	if fl.Len != 0 {
		want.end = fl.Start + fl.Len - 1
	}
	for _, p := range c.K.others(c.P) {
		if slices.Contains(p.Files.locks(n), want) {
			return int32(p.P.PID)
		}
	}
	return -1
}
