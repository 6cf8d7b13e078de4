package syscalls

import (
	"math"

	"golang.org/x/sys/unix"
)

// putter writes what the host told of a file in one of the guest's forms.
type putter func(c *Ctx, addr uint64, st *unix.Stat_t) error

func statPath(c *Ctx, flags int, put putter) (uint64, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(p.dir, p.path, &st, flags); err != nil {
		return 0, err
	}
	c.K.steady(&st)
	return 0, put(c, c.Addr(), &st)
}

func fstat(c *Ctx, put putter) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if f.like != "" {
		err = unix.Stat(f.like, &st)
	} else {
		err = unix.Fstat(f.Host, &st)
	}
	if err != nil {
		return 0, err
	}
	c.K.steady(&st)
	return 0, put(c, c.Addr(), &st)
}

func fstatat(c *Ctx, put putter) (uint64, error) {
	dirfd, addr, buf, flags := c.Int(), c.Addr(), c.Addr(), c.Int()
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT|unix.AT_EMPTY_PATH) != 0 {
		return 0, unix.EINVAL
	}
	p, err := c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(p.dir, p.path, &st, p.flags(flags)); err != nil {
		return 0, err
	}
	c.K.steady(&st)
	return 0, put(c, buf, &st)
}

// setLow puts the low bits of v into a field.
func (s *Struct) setLow(field string, v uint64) {
	if b := s.Field(field); b != nil {
		putUint(s.a, b, v)
	}
}

// setID puts a user or group number into a field, as the kernel's
// high2lowuid does for those of 16 bits.
func (s *Struct) setID(field string, id uint32) {
	if len(s.Field(field)) == 2 && id > math.MaxUint16 {
		id = overflowID
	}
	s.setLow(field, uint64(id))
}

// putStat writes struct stat as cp_new_stat of fs/stat.c does: EOVERFLOW for
// what programs must not mistake, the low bits of the rest.
func putStat(c *Ctx, addr uint64, st *unix.Stat_t) error {
	s := c.NewStruct("stat")
	s.Set("st_ino", st.Ino)
	s.Set("st_nlink", uint64(st.Nlink))
	for _, dev := range []string{"st_dev", "st_rdev"} {
		v := uint64(st.Dev)
		if dev == "st_rdev" {
			v = uint64(st.Rdev)
		}
		if len(s.Field(dev)) < 4 && v > math.MaxUint16 {
			return unix.EOVERFLOW
		}
		s.setLow(dev, v)
	}
	if c.A.Word == 4 && st.Size > maxNonLargeFile {
		return unix.EOVERFLOW
	}
	s.common(st)
	if err := s.Overflow(); err != nil {
		return err
	}
	return s.Store(c, addr)
}

// putStat64 writes struct stat64, whose times are still 32 bits wide.
func putStat64(c *Ctx, addr uint64, st *unix.Stat_t) error {
	s := c.NewStruct("stat64")
	s.setLow("st_dev", uint64(st.Dev))
	s.setLow("st_rdev", uint64(st.Rdev))
	s.setLow("st_ino", st.Ino)
	s.setLow("__st_ino", st.Ino)
	s.setLow("st_nlink", uint64(st.Nlink))
	s.common(st)
	return s.Store(c, addr)
}

// putOldStat writes the structure of Linux 0.9, with 16-bit fields.
func putOldStat(c *Ctx, addr uint64, st *unix.Stat_t) error {
	if !c.HasStruct("__old_kernel_stat") {
		return unix.ENOSYS
	}
	s := c.NewStruct("__old_kernel_stat")
	if st.Dev > math.MaxUint16 || st.Rdev > math.MaxUint16 || st.Nlink > math.MaxUint16 || st.Size > maxNonLargeFile {
		return unix.EOVERFLOW
	}
	s.Set("st_ino", st.Ino)
	s.setLow("st_dev", uint64(st.Dev))
	s.setLow("st_rdev", uint64(st.Rdev))
	s.setLow("st_nlink", uint64(st.Nlink))
	s.common(st)
	if err := s.Overflow(); err != nil {
		return err
	}
	return s.Store(c, addr)
}

// common fills the fields that all forms treat alike.
func (s *Struct) common(st *unix.Stat_t) {
	s.setLow("st_mode", uint64(st.Mode))
	s.setID("st_uid", st.Uid)
	s.setID("st_gid", st.Gid)
	s.setLow("st_size", uint64(st.Size))
	s.setLow("st_blksize", uint64(st.Blksize))
	s.setLow("st_blocks", uint64(st.Blocks))
	for name, ts := range map[string]unix.Timespec{"st_atime": st.Atim, "st_mtime": st.Mtim, "st_ctime": st.Ctim} {
		s.setLow(name, uint64(ts.Sec))
		s.setLow(name+"_nsec", uint64(ts.Nsec))
	}
}

func sysStatx(c *Ctx) (uint64, error) {
	dirfd, addr, flags, mask, buf := c.Int(), c.Addr(), c.Int(), c.Uint(), c.Addr()
	p, err := c.resolveAt(dirfd, addr, flags, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if err != nil {
		return 0, err
	}
	var st unix.Statx_t
	if err := unix.Statx(p.dir, p.path, p.flags(flags), int(mask), &st); err != nil {
		return 0, err
	}
	c.K.steadyx(&st)
	s := c.NewStruct("statx")
	for name, v := range map[string]uint64{
		"stx_mask": uint64(st.Mask), "stx_blksize": uint64(st.Blksize), "stx_attributes": st.Attributes,
		"stx_nlink": uint64(st.Nlink), "stx_uid": uint64(st.Uid), "stx_gid": uint64(st.Gid),
		"stx_mode": uint64(st.Mode), "stx_ino": st.Ino, "stx_size": st.Size, "stx_blocks": st.Blocks,
		"stx_attributes_mask": st.Attributes_mask, "stx_rdev_major": uint64(st.Rdev_major),
		"stx_rdev_minor": uint64(st.Rdev_minor), "stx_dev_major": uint64(st.Dev_major),
		"stx_dev_minor": uint64(st.Dev_minor), "stx_mnt_id": st.Mnt_id,
		"stx_dio_mem_align": uint64(st.Dio_mem_align), "stx_dio_offset_align": uint64(st.Dio_offset_align),
	} {
		s.Set(name, v)
	}
	for name, ts := range map[string]unix.StatxTimestamp{
		"stx_atime": st.Atime, "stx_btime": st.Btime, "stx_ctime": st.Ctime, "stx_mtime": st.Mtime,
	} {
		s.Set(name+".tv_sec", uint64(ts.Sec))
		s.Set(name+".tv_nsec", uint64(ts.Nsec))
	}
	return 0, s.Store(c, buf)
}

// statfsArgs are the arguments after the file: of the 64-bit form the size of
// the structure comes first. That of ARM is 84 bytes, and its C library says
// 88; the kernel there takes both.
func statfsArgs(c *Ctx, wide bool) (name string, addr uint64, err error) {
	if !wide {
		return "statfs", c.Addr(), nil
	}
	size := c.Size()
	if l := c.A.Layout["statfs64"]; size != uint64(l.Size) && size != uint64(align(l.Size, 8)) {
		return "", 0, unix.EINVAL
	}
	return "statfs64", c.Addr(), nil
}

func statfsPath(c *Ctx, wide bool) (uint64, error) {
	p, err := c.resolveAt(unix.AT_FDCWD, c.Addr(), 0, true)
	if err != nil {
		return 0, err
	}
	name, addr, err := statfsArgs(c, wide)
	if err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	if err := c.restart(func() error { return unix.Statfs(p.host(), &st) }); err != nil {
		return 0, err
	}
	return 0, putStatfs(c, name, addr, &st)
}

func fstatfs(c *Ctx, wide bool) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	name, addr, err := statfsArgs(c, wide)
	if err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	if err := c.restart(func() error { return unix.Fstatfs(f.Host, &st) }); err != nil {
		return 0, err
	}
	return 0, putStatfs(c, name, addr, &st)
}

// putStatfs writes struct statfs or statfs64 as fs/statfs.c does.
func putStatfs(c *Ctx, name string, addr uint64, st *unix.Statfs_t) error {
	s := c.NewStruct(name)
	s.Set("f_blocks", st.Blocks)
	s.Set("f_bfree", st.Bfree)
	s.Set("f_bavail", st.Bavail)
	s.Set("f_bsize", uint64(st.Bsize))
	s.Set("f_frsize", uint64(st.Frsize))
	s.Set("f_files", st.Files) // -1, "not known", fits as it is
	s.Set("f_ffree", st.Ffree)
	if err := s.Overflow(); err != nil {
		return err
	}
	s.setLow("f_type", uint64(st.Type))
	s.setLow("f_namelen", uint64(st.Namelen))
	s.setLow("f_flags", uint64(st.Flags))
	if b := s.Field("f_fsid"); len(b) == 8 {
		putUint(c.A, b[:4], uint64(uint32(st.Fsid.Val[0])))
		putUint(c.A, b[4:], uint64(uint32(st.Fsid.Val[1])))
	}
	return s.Store(c, addr)
}
