package syscalls

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// File is an open file description: what descriptors made by dup share.
type File struct {
	Host int    // the host's descriptor, close-on-exec
	Path string // as /proc/self/fd shows it, "" to ask the host

	refs atomic.Int32 // descriptors and calls in progress
	keep bool         // belongs to the host process: not closed with the last reference
	give bool         // a standard stream that the host process gives up when the guest closes it

	given   bool // the host process was started with it
	foreign bool // the other end is known not to be a guest

	kind  fileKind
	large bool     // opened with O_LARGEFILE, or by a 64-bit program
	proc  procPath // of a directory of ours in /proc
	like  string   // of a file of ours there: the host's, which has its mode and owner
	dir   *dirPos
	mem   *memFile
	sock  *sockInfo
	sigs  sigset      // of a signalFile
	guest *Process    // of a pidFile
	named *taskState  // whose /proc/PID/comm it is
	timer *clockTimer // of a timerfd in a schedule

	ownMu sync.Mutex
	owner owner

	watchMu  sync.Mutex
	watches  []watch      // by epoll instances
	watching atomic.Int32 // how many there are of others by this one

	backMu sync.Mutex
	backs  map[arch.Prot]*emu.Backing // what its last mappings have, which may be gone

	term   atomic.Pointer[terminal] // nil until somebody asked
	closed func()                   // called before it is closed, nil for nothing
}

// fileKind tells what reads and writes of a file mean beyond bytes.
type fileKind uint8

const (
	plainFile    fileKind = iota
	counterFile           // eventfd, timerfd: one 64-bit integer
	inotifyFile           // struct inotify_event
	signalFile            // struct signalfd_siginfo
	fanotifyFile          // struct fanotify_event_metadata
	procMem               // /proc/self/mem
	commFile              // /proc/PID/comm
	pidFile               // pidfd of a guest
	randomFile            // /dev/urandom, where random numbers do not come from the host
)

// Files is a table of open files (struct files_struct).
type Files struct {
	users atomic.Int32 // processes that share it beyond the first

	mu      sync.Mutex
	list    []slot
	lockers map[inode]int // the host's descriptors that have its record locks
}

type slot struct {
	f       *File
	cloexec bool
}

// inherit makes the table of a first process: the host process's descriptors
// that would survive an exec, under the same numbers. Standard streams stay
// open for the host process when the guest closes them; with own, standard
// input and output do not, so that who reads the output sees its end.
func inherit(own bool) *Files {
	t := &Files{}
	ents, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		for fd := range 3 {
			t.put(fd, &File{Host: fd, keep: true, given: true}, false)
		}
		return t
	}
	for _, e := range ents {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// An earlier process of this run has left its mark on the standard
		// streams: they are for all.
		if fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && (fl&unix.FD_CLOEXEC == 0 || fd <= 2) {
			unix.CloseOnExec(fd)
			t.put(fd, &File{Host: fd, keep: fd <= 2, given: true, give: own && fd <= 1, large: openedLarge(fd)}, false)
		}
	}
	return t
}

// openedLarge tells whether the host shows O_LARGEFILE for a descriptor, as
// it does for all that open made. The flag has no name in package unix.
func openedLarge(fd int) bool {
	fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && uint64(fl)&^(OpenFlags.host()|unix.O_ACCMODE) != 0
}

func (t *Files) put(fd int, f *File, cloexec bool) {
	for len(t.list) <= fd {
		t.list = append(t.list, slot{})
	}
	f.refs.Add(1)
	t.list[fd] = slot{f, cloexec}
}

// Get looks a descriptor up, EBADF if it is not open.
func (t *Files) Get(fd int) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.get(fd)
}

// hold is Get with a reference that drop gives back.
func (t *Files) hold(fd int) (*File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.get(fd)
	if err == nil {
		f.refs.Add(1)
	}
	return f, err
}

func (t *Files) get(fd int) (*File, error) {
	if fd < 0 || fd >= len(t.list) || t.list[fd].f == nil {
		return nil, unix.EBADF
	}
	return t.list[fd].f, nil
}

// Add gives f the lowest free descriptor from min on, EMFILE if that is not
// below limit (RLIMIT_NOFILE). On an error f is closed if nothing else holds it.
func (t *Files) Add(f *File, min int, limit uint64, cloexec bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fd := min
	for fd < len(t.list) && t.list[fd].f != nil {
		fd++
	}
	if uint64(fd) >= limit {
		f.refs.Add(1)
		_ = f.drop() // the error to tell is EMFILE
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
		t.unlock(old)
		_ = old.drop() // dup2 does not tell either
	}
}

// Close closes a descriptor; the host's error of the last one is returned.
func (t *Files) Close(fd int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.get(fd); err != nil {
		return err
	}
	return t.close(fd)
}

func (t *Files) close(fd int) error {
	f := t.list[fd].f
	t.list[fd] = slot{}
	t.unlock(f)
	return f.drop()
}

// CloseRange closes the descriptors first to last, or makes them
// close-on-exec.
func (t *Files) CloseRange(first, last uint64, cloexec bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for fd := first; fd <= last && fd < uint64(len(t.list)); fd++ {
		switch {
		case t.list[fd].f == nil:
		case cloexec:
			t.list[fd].cloexec = true
		default:
			_ = t.close(int(fd)) // close_range(2) does not tell
		}
	}
}

// closeOnExec closes the descriptors that an exec does not keep.
func (t *Files) closeOnExec() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for fd, s := range t.list {
		if s.f != nil && s.cloexec {
			_ = t.close(fd) // exec does not tell
		}
	}
}

// Release closes all descriptors; the process has ended.
func (t *Files) Release() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for fd, s := range t.list {
		if s.f != nil {
			errs = append(errs, t.close(fd))
		}
	}
	return errors.Join(errs...)
}

// keepStreams leaves the host process its standard streams, which it goes on with
// when its guest has ended.
func (t *Files) keepStreams() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.list {
		if s.f != nil && s.f.give {
			s.f.give, s.f.keep = false, true
		}
	}
}

// drop gives a reference back and closes the host's descriptor with the last.
func (f *File) drop() error {
	if f.refs.Add(-1) > 0 {
		return nil
	}
	f.unwatch()
	asyncFiles.forget(f)
	switch {
	case f.give:
		return giveUp(f.Host)
	case f.keep:
		return nil
	}
	if f.closed != nil {
		f.closed()
	}
	return unix.Close(f.Host)
}

// giveUp closes a standard stream of the host process. Its number stays
// taken, since code of the host goes on to use it.
func giveUp(fd int) error {
	none, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0) // anybody may
	if err != nil {
		return err
	}
	return errors.Join(unix.Dup3(none, fd, 0), unix.Close(none))
}

// Cloexec reads a descriptor's close-on-exec flag.
func (t *Files) Cloexec(fd int) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.get(fd); err != nil {
		return false, err
	}
	return t.list[fd].cloexec, nil
}

// SetCloexec changes a descriptor's close-on-exec flag.
func (t *Files) SetCloexec(fd int, on bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.get(fd); err != nil {
		return err
	}
	t.list[fd].cloexec = on
	return nil
}

// Open calls f for each open descriptor by rising number. f must not change
// the table.
func (t *Files) Open(f func(fd int, file *File, cloexec bool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for fd, s := range t.list {
		if s.f != nil {
			f(fd, s.f, s.cloexec)
		}
	}
}

// Name is the file's path as /proc/self/fd shows it.
func (f *File) Name() (string, error) {
	if f.Path != "" {
		return f.Path, nil
	}
	return os.Readlink(hostFD(f.Host))
}

// hostFD is a path of the host for one of its descriptors.
func hostFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// hostFDInfo is what the host tells of one of its descriptors. Another
// goroutine reads it, since the caller's thread may have a guest's credentials,
// to which the host shows no more than is its own.
func hostFDInfo(fd int) (b []byte, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, err = os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	}()
	<-done
	return b, err
}

// install gives a new file the lowest free descriptor of the caller.
func (c *Ctx) install(f *File, cloexec bool) (uint64, error) {
	fd, err := c.P.Files.Add(f, 0, c.P.Limits[unix.RLIMIT_NOFILE].Cur, cloexec)
	return uint64(fd), err
}

// installHost is install for a new descriptor of the host, with the error of
// the call that made it.
func (c *Ctx) installHost(host int, err error, kind fileKind, cloexec bool) (uint64, error) {
	if err != nil {
		return 0, err
	}
	return c.install(&File{Host: host, kind: kind}, cloexec)
}
