package syscalls

import (
	"os"

	"golang.org/x/sys/unix"
)

// A file is not executed while it is open for writing, nor opened for writing
// while it is executed (ETXTBSY). The host does not see that a guest executes
// one, and its own count of writers has forked processes that are about to
// execute something: guests are told of each other only.

// noteWriter notes that a file is open for writing, until it is closed, if it
// is a regular one.
func (k *Kernel) noteWriter(f *File) {
	mode, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil || mode&unix.O_PATH != 0 || mode&unix.O_ACCMODE == unix.O_RDONLY {
		return
	}
	if n, regular, err := inodeOf(f.Host); err == nil && regular {
		k.written(f, n)
	}
}

// written is noteWriter for a regular file that is known to be written.
func (k *Kernel) written(f *File, n inode) {
	count := func(by int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.writers[n] += by; k.writers[n] == 0 {
			delete(k.writers, n)
		}
	}
	count(1)
	f.closed = func() { count(-1) }
}

// Written tells whether a guest has a file open for writing.
func (k *Kernel) Written(f *os.File) bool {
	n, _, err := inodeOf(int(f.Fd()))
	k.mu.Lock()
	defer k.mu.Unlock()
	return err == nil && k.writers[n] > 0
}

// setText notes which file the process executes.
func (p *Process) setText(n inode) {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	p.text = n
}

// executed tells whether a guest executes the file at a place.
func (k *Kernel) executed(p place) bool {
	var st unix.Stat_t
	if unix.Fstatat(p.dir, p.path, &st, 0) != nil {
		return false
	}
	n := inode{st.Dev, st.Ino}
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	for _, q := range k.family.procs {
		if q.text == n && !q.zombie {
			return true
		}
	}
	return false
}

// mayWrite is ETXTBSY if an open of the host's flags would write a program that
// runs, unless there is another reason to refuse it, which comes first.
func (c *Ctx) mayWrite(p place, how unix.OpenHow) error {
	const create = unix.O_CREAT | unix.O_EXCL
	if how.Flags&unix.O_PATH != 0 || how.Flags&create == create || how.Flags&(unix.O_ACCMODE|unix.O_TRUNC) == 0 || !c.K.executed(p) {
		return nil
	}
	how.Flags &^= unix.O_CREAT | unix.O_TRUNC
	how.Mode = 0
	fd, err := c.hostOpen(p, how)
	if err != nil {
		return err
	}
	unix.Close(fd)
	return unix.ETXTBSY
}
