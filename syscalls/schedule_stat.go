package syscalls

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// steady takes out of what the host tells of a file what differs from run to
// run of a machine with a schedule: times after its start, and those of its
// standard streams, show that; no file was read after it was written; what has
// no name has no past.
func (k *Kernel) steady(st *unix.Stat_t) {
	if k.cfg.Schedule == nil {
		return
	}
	named := !k.streams[[2]uint64{st.Dev, st.Ino}]
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFBLK:
	case unix.S_IFCHR:
		named = false
	default:
		named = false
		st.Ino = k.number(st.Dev, st.Ino)
	}
	for _, ts := range []*unix.Timespec{&st.Mtim, &st.Ctim} {
		if !named || time.Unix(ts.Unix()).After(k.began) {
			*ts = timespec(epoch)
		}
	}
	if at, mt := time.Unix(st.Atim.Unix()), time.Unix(st.Mtim.Unix()); !named || at.After(mt) {
		st.Atim = st.Mtim
	}
}

// guestID is the number of the process that the host's stands for, where the
// host has told it: of those that are not the host's it knows no other.
func (k *Kernel) guestID(pid int) int {
	if k.cfg.Schedule != nil && pid == os.Getpid() {
		return FirstPID
	}
	return pid
}

// inherited notes a file that the machine is started with.
func (k *Kernel) inherited(f *File) {
	var st unix.Stat_t
	if k.cfg.Schedule == nil || unix.Fstat(f.Host, &st) != nil {
		return
	}
	if k.streams == nil {
		k.streams = map[[2]uint64]bool{}
	}
	k.streams[[2]uint64{st.Dev, st.Ino}] = true
}

// number replaces the number of a pipe or socket by its place among those that
// were looked at.
func (k *Kernel) number(dev, ino uint64) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.numbers == nil {
		k.numbers = map[[2]uint64]uint64{}
	}
	key := [2]uint64{dev, ino}
	if k.numbers[key] == 0 {
		k.numbers[key] = uint64(len(k.numbers)) + 1
	}
	return k.numbers[key]
}

// steadyx is steady for statx(2).
func (k *Kernel) steadyx(x *unix.Statx_t) {
	spec := func(t unix.StatxTimestamp) unix.Timespec { return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)} }
	stamp := func(t unix.Timespec) unix.StatxTimestamp {
		return unix.StatxTimestamp{Sec: t.Sec, Nsec: uint32(t.Nsec)}
	}
	st := unix.Stat_t{
		Dev: unix.Mkdev(x.Dev_major, x.Dev_minor), Ino: x.Ino, Mode: uint32(x.Mode),
		Mtim: spec(x.Mtime), Ctim: spec(x.Ctime), Atim: spec(x.Atime),
	}
	k.steady(&st)
	x.Ino, x.Mtime, x.Ctime, x.Atime = st.Ino, stamp(st.Mtim), stamp(st.Ctim), stamp(st.Atim)
	if k.cfg.Schedule != nil {
		x.Btime = x.Ctime
	}
}

// steadyStat takes out of a line of /proc/PID/stat, from field 3 on, what differs
// from run to run of a machine with a schedule.
func (p *Process) steadyStat(f []string) {
	if p.K.cfg.Schedule == nil || len(f) < 50 {
		return
	}
	for _, n := range []int{10, 11, 12, 13, 39, 42, 43, 44} {
		f[n-3] = "0"
	}
}
