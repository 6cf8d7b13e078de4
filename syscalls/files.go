package syscalls

import (
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// File is an open file description: what descriptors made by dup share.
type File struct {
	Host int    // the host's descriptor
	Path string // as /proc/self/fd shows it, "" to ask the host

	refs int
	keep bool // belongs to the host process: not closed with the last reference
}

// Files is a table of open files (struct files_struct).
type Files struct {
	mu   sync.Mutex
	list []slot
}

type slot struct {
	f       *File
	cloexec bool
}

// inherit makes the table of a first process: the host process's descriptors
// that would survive an exec, under the same numbers.
func inherit() *Files {
	t := &Files{}
	ents, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		for fd := range 3 {
			t.put(fd, &File{Host: fd, keep: true}, false)
		}
		return t
	}
	for _, e := range ents {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && fl&unix.FD_CLOEXEC == 0 {
			t.put(fd, &File{Host: fd, keep: true}, false)
		}
	}
	return t
}

func (t *Files) put(fd int, f *File, cloexec bool) {
	for len(t.list) <= fd {
		t.list = append(t.list, slot{})
	}
	f.refs++
	t.list[fd] = slot{f, cloexec}
}

// Get looks a descriptor up, EBADF if it is not open.
func (t *Files) Get(fd int) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fd < 0 || fd >= len(t.list) || t.list[fd].f == nil {
		return nil, unix.EBADF
	}
	return t.list[fd].f, nil
}

// Add gives f the lowest free descriptor from min on, EMFILE if that is not
// below limit (RLIMIT_NOFILE). On an error f is closed.
func (t *Files) Add(f *File, min int, limit uint64, cloexec bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fd := min
	for fd < len(t.list) && t.list[fd].f != nil {
		fd++
	}
	if uint64(fd) >= limit {
		f.drop()
		return -1, unix.EMFILE
	}
	t.put(fd, f, cloexec)
	return fd, nil
}

// Set puts f at descriptor fd and closes what was there (dup2).
func (t *Files) Set(fd int, f *File, cloexec bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var old *File
	if fd < len(t.list) {
		old = t.list[fd].f
	}
	t.put(fd, f, cloexec)
	if old != nil {
		old.refs--
		old.drop()
	}
}

// Close closes a descriptor; the host's error of the last one is returned.
func (t *Files) Close(fd int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fd < 0 || fd >= len(t.list) || t.list[fd].f == nil {
		return unix.EBADF
	}
	f := t.list[fd].f
	t.list[fd] = slot{}
	f.refs--
	return f.drop()
}

// drop closes the host's descriptor if nobody holds f.
func (f *File) drop() error {
	if f.refs > 0 || f.keep && f.Host <= 2 {
		return nil
	}
	return unix.Close(f.Host)
}

// Cloexec reads a descriptor's close-on-exec flag.
func (t *Files) Cloexec(fd int) (bool, error) {
	if _, err := t.Get(fd); err != nil {
		return false, err
	}
	return t.list[fd].cloexec, nil
}

// SetCloexec changes a descriptor's close-on-exec flag.
func (t *Files) SetCloexec(fd int, on bool) error {
	if _, err := t.Get(fd); err != nil {
		return err
	}
	t.list[fd].cloexec = on
	return nil
}

// Open calls f for each open descriptor by rising number.
func (t *Files) Open(f func(fd int, file *File, cloexec bool)) {
	for fd, s := range t.list {
		if s.f != nil {
			f(fd, s.f, s.cloexec)
		}
	}
}
