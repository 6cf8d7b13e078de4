package syscalls

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Process is the kernel's state of one guest process. Files, FS and Sig are
// behind pointers because clone can share them.
type Process struct {
	P     *emu.Process
	K     *Kernel
	Files *Files
	FS    *FS
	Sig   *Sighand

	Exe     string // the program as the guest sees it: absolute, for /proc/self/exe
	Image   ImageInfo
	Persona uint32 // personality(2)
	Limits  [16]unix.Rlimit
	Start   int64 // CLOCK_BOOTTIME nanoseconds at its making

	table  *table
	prctl  prctlState
	mem    memState
	timers timers
	undo   atomic.Pointer[semUndo]
	host   atomic.Pointer[hostProgram] // what the host runs in its place, nil for nothing
	leader *taskState                  // of the first task, also after it has ended

	// Guarded by family.mu.
	parent     *Process // nil for the first, and for those whose parent has ended
	first      bool     // it is not the child of a guest
	release    sync.Once
	forker     *taskState // the task of the parent that has made it
	tracees    []*Tracee  // of its tasks
	pgrp, sid  int
	tty        *tty           // the controlling terminal, nil for none
	pidfds     map[*File]bool // that become readable at its end
	execed     bool           // it runs another program than it was made with
	text       inode          // the program it executes
	halted     bool           // a stop is complete
	stopSignal unix.Signal    // of a stop that was not waited for, 0 for none
	continued  bool           // it has gone on, which was not waited for
	children   []*Process
	before     unix.Rusage   // what the host process had used at its making
	processor  processorTime // of its tasks together
	cpu        cpuLimit
	used       unix.Rusage   // what it and its children used, once it has ended
	reaped     unix.Rusage   // what its children used that were waited for
	exitSignal unix.Signal   // sent to the parent at the end
	zombie     bool          // it has ended and was not waited for
	wait       chan struct{} // closed when a child changes

	selfReaped atomic.Bool // its parent did not want to know

	// sigMu guards the signals of the process and of its tasks.
	sigMu    sync.Mutex
	shared   sigQueue
	closed   bool
	sigFiles []*File // signalfds that it has made

	stopping atomic.Pointer[groupStop] // nil while it runs; it changes under sigMu
}

// ImageInfo is what /proc/self tells of the program image.
type ImageInfo struct {
	ArgStart, ArgEnd, EnvStart, EnvEnd uint64
	CodeStart, CodeEnd                 uint64
	DataStart, DataEnd                 uint64
	StackStart                         uint64
	Auxv                               []byte // as on the stack
	ReadImpliesExec                    bool   // that bit of the personality
	Dev, Ino                           uint64 // of the file, 0 for one that the host runs
}

// FS is where a process is in the file tree (struct fs_struct).
type FS struct {
	users atomic.Int32 // processes that share it beyond the first

	mu    sync.Mutex
	cwd   int      // the host's descriptor of the current directory, AT_FDCWD for the host's own
	proc  procPath // File.proc of the current directory
	umask uint32
}

// NewProcess makes the kernel's state for a process that is about to start
// its first program, inheriting standard input, output and error, other
// descriptors that are not close-on-exec, the current directory and the umask
// of the host process. It sets p.OS.
//
// The umask of the host process is 0 from then on, since each guest process
// has its own.
func (k *Kernel) NewProcess(p *emu.Process) (*Process, error) {
	fs := &FS{cwd: unix.AT_FDCWD, umask: hostUmask()}
	q := &Process{P: p, K: k, FS: fs, Sig: &Sighand{}, table: k.table(p.Arch), exitSignal: unix.SIGCHLD,
		first: true, wait: make(chan struct{})}
	k.family.newFirst(q)
	q.leader = newTaskState(q)
	q.leader.sched = hostScheduling()
	q.Files = inherit(k.cfg.OwnStreams)
	q.Files.Open(func(_ int, f *File, _ bool) { k.inherited(f) })
	q.Sig.inherit()
	q.prctl.exec()
	for i := range q.Limits {
		if err := unix.Prlimit(0, i, nil, &q.Limits[i]); err != nil {
			q.Limits[i] = unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		}
	}
	q.Limits[unix.RLIMIT_NOFILE] = noFile()
	q.Start = k.bootTime()
	p.OS = q
	return q, nil
}

// Begin makes the first task of a process known; the caller runs it.
func (p *Process) Begin(t *emu.Task) {
	stateOf(t)
	p.K.register(p.leader)
}

// hostUmask takes the umask that the host process was started with.
var hostUmask = sync.OnceValue(func() uint32 { return uint32(unix.Umask(0)) })

// SetFile makes descriptor fd of the guest the file f of the host, which must
// stay open as long as the process lives.
func (p *Process) SetFile(fd int, f *os.File) error {
	if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
		return err
	}
	given := &File{Host: int(f.Fd()), keep: true, given: true}
	p.K.inherited(given)
	p.Files.Set(fd, given, false)
	return nil
}

// SetProgram tells what the process runs from now on: the program's path as
// the guest sees it, where its image lies, the name for /proc/PID/comm, and who
// runs it. Descriptors that are close-on-exec are closed, caught signals get
// their default action, and timers of timer_create(2) are gone.
func (p *Process) SetProgram(exe string, im ImageInfo, comm string, cr ExecCred) {
	if exe != "/proc/self/exe" && exe != "/proc/"+strconv.Itoa(p.P.PID)+"/exe" { // else the program again
		p.Exe = exe
	}
	p.Image = im
	p.leader.comm = comm[:min(len(comm), commLen-1)]
	p.table = p.K.table(p.P.Arch)
	p.Persona &^= readImpliesExec
	if im.ReadImpliesExec {
		p.Persona = readImpliesExec
	}
	p.unshare()
	p.Files.closeOnExec()
	p.Sig.exec()
	p.leader.exec()
	p.timers.exec()
	cr.start(p)
	if p.leader.vfork == nil {
		for _, at := range p.mem.shm {
			p.detached(at)
		}
	}
	p.mem = memState{}
	p.leader.leaveVfork()
	p.setExeced(true)
	p.setText(inode{im.Dev, im.Ino})
}

// setExeced notes whether the process runs another program than it was made
// with, and returns what was so before.
func (p *Process) setExeced(v bool) (old bool) {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	old, p.execed = p.execed, v && p.P.PID != p.K.family.first
	return old
}

// unshare gives the process tables of its own where it shared them.
func (p *Process) unshare() {
	p.unshareFiles()
	p.Sig = p.Sig.copy(false)
}

func (p *Process) unshareFiles() {
	if p.Files.users.Load() == 0 {
		return
	}
	old := p.Files
	p.Files = old.copy()
	if old.users.Add(-1) < 0 {
		_ = old.Release() // who shared it has ended meanwhile; nobody is told
	}
}

func (p *Process) unshareFS() {
	if p.FS.users.Load() == 0 {
		return
	}
	old := p.FS
	p.FS = old.copy()
	_ = old.leave() // nobody is told
}

// dirs is what the task has of unshare(2)'s CLONE_FS.
func (ts *taskState) dirs() *FS {
	if ts.fs != nil {
		return ts.fs
	}
	return ts.p.FS
}

// fs is that of the calling task, or of the process if there is none.
func (c *Ctx) fs() *FS {
	if c.T == nil {
		return c.P.FS
	}
	return c.task().dirs()
}

// unshareFS gives the task an FS that no other has.
func (ts *taskState) unshareFS() {
	old := ts.fs
	switch {
	case old == nil && len(ts.p.P.Tasks()) == 1:
		ts.p.unshareFS()
		return
	case old != nil && old.users.Load() == 0:
		return
	}
	ts.fs = ts.dirs().copy()
	if old != nil {
		_ = old.leave() // nobody is told
	}
}

// leaveFS ends the task's use of an FS of its own.
func (ts *taskState) leaveFS() {
	if ts.fs != nil {
		_ = ts.fs.leave() // nobody is told
		ts.fs = nil
	}
}

// leave ends the sharing of fs by one process or task, the last of which closes it.
func (fs *FS) leave() error {
	if dir, _ := fs.current(); fs.users.Add(-1) < 0 && dir >= 0 {
		return unix.Close(dir)
	}
	return nil
}

// Alone ends all tasks of the process but t, which becomes its first, and does
// what is done at the end of an address space (de_thread, mm_release). The
// task's goroutine calls it before a program replaces the process's own.
func (p *Process) Alone(t *emu.Task) {
	ts := stateOf(t)
	if len(p.P.Tasks()) > 1 {
		t.EndOthers()
		p.wakeAll(t)
		c := p.ctx(p.K, t)
		alone := func() bool { return len(p.P.Tasks()) <= 1 || p.P.Group() != nil }
		if t.Schedule() != nil {
			t.Await(emu.Wait{Until: emu.Never, Ready: func(bool) bool { return alone() }})
		} else {
			c.Block(func() {
				for !alone() {
					<-ts.wake
				}
			})
		}
	}
	p.K.robustExit(t, ts)
	p.K.clearTID(t, ts)
	if ts.fs != nil {
		_ = p.FS.leave() // nobody is told
		p.FS, ts.fs = ts.fs, nil
	}
	if ts == p.leader {
		return
	}
	p.K.unregister(ts)
	p.K.family.mu.Lock()
	if tr := p.leader.tracee; tr != nil {
		tr.unlink()
	}
	p.K.family.mu.Unlock()
	old := p.leader.task
	ts.vfork = p.leader.vfork
	t.TID, p.leader = p.P.PID, ts
	p.K.register(ts)
	old.Reap()
}

// shut ends what the process has going on beside its task: timers. Afterwards
// no signal reaches it.
func (p *Process) shut() {
	p.timers.stop()
	p.endCPU()
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	p.closed = true
}
