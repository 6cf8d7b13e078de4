package syscalls

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Who a file's signals go to (asm-generic/fcntl.h).
const (
	ownerTID  = 0 // F_OWNER_TID
	ownerPID  = 1 // F_OWNER_PID
	ownerPgrp = 2 // F_OWNER_PGRP
)

// owner is who is told what happens to a file (struct fown_struct): SIGIO, or
// the signal of F_SETSIG.
type owner struct {
	kind      uint64 // F_OWNER_PID, ...
	id        int32
	sig       uint64
	real, eff int // user ids of who has set it
	fd        int // the guest's descriptor that SIGIO was asked for with
}

// fileSignal is what the host sends for files of guests. It is one that
// neither the C library nor the Go runtime uses.
const fileSignal = unix.Signal(60)

// fileEvents has the host send signals for files to a thread of utemu's, for
// the guests.
type fileEvents struct {
	start sync.Once
	tid   int // of the thread; 0 if the host does not want it

	mu    sync.Mutex
	files map[int]watchedFile // by the host's descriptor
	some  atomic.Bool         // there are any

	turn sync.Mutex    // of those in settle
	mark chan struct{} // told that the signal of settle has come
}

type watchedFile struct {
	f *File
	k *Kernel
}

var asyncFiles = fileEvents{files: map[int]watchedFile{}, mark: make(chan struct{})}

// watch has the host tell of a file.
func (e *fileEvents) watch(k *Kernel, f *File) error {
	e.start.Do(func() {
		tid := make(chan int)
		go e.serve(tid)
		e.tid = <-tid
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.files[f.Host].f == f {
		return nil
	}
	own := struct{ kind, id int32 }{ownerTID, int32(e.tid)}
	if _, _, err := unix.Syscall(unix.SYS_FCNTL, uintptr(f.Host), unix.F_SETOWN_EX, uintptr(unsafe.Pointer(&own))); err != 0 {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(f.Host), unix.F_SETSIG, int(fileSignal)); err != nil {
		return err
	}
	e.files[f.Host] = watchedFile{f, k}
	e.some.Store(true)
	return nil
}

// settle returns when the guests have the signals that the host has sent so
// far: what a system call causes is there before it returns. The host keeps
// the order of signals of one number.
func (e *fileEvents) settle() {
	if !e.some.Load() {
		return
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	si := hostSigio{signo: int32(fileSignal), code: siQueue}
	_, _, err := unix.Syscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getpid()), uintptr(e.tid), uintptr(fileSignal), uintptr(unsafe.Pointer(&si)), 0, 0)
	if err == 0 { // else too many wait, and it is SIGIO that comes
		<-e.mark
	}
}

// forget is called before the host's descriptor of a file is closed.
func (e *fileEvents) forget(f *File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.files[f.Host].f == f {
		delete(e.files, f.Host)
		e.some.Store(len(e.files) > 0)
	}
}

// hostSigio is the host's siginfo of an event of a file (asm-generic/siginfo.h).
type hostSigio struct {
	signo, errno, code, _ int32
	band                  int64
	fd                    int32
	_                     [100]byte
}

// serve takes the signals, on a thread that blocks them. SIGIO comes in their
// place when too many wait, SIGURG for a socket: neither tells of which file.
func (e *fileEvents) serve(tid chan<- int) {
	runtime.LockOSThread()
	var set unix.Sigset_t
	set.Val[0] = uint64(sigs(fileSignal, unix.SIGIO, unix.SIGURG))
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		tid <- 0
		return
	}
	tid <- unix.Gettid()
	for {
		var si hostSigio
		_, _, errno := unix.Syscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), uintptr(unsafe.Pointer(&si)), 0, sigsetSize, 0, 0)
		if errno != 0 {
			continue
		}
		switch unix.Signal(si.signo) {
		case fileSignal:
			if si.code == siQueue {
				e.mark <- struct{}{}
				continue
			}
			e.mu.Lock()
			w := e.files[int(si.fd)]
			e.mu.Unlock()
			if w.f != nil {
				w.k.fileEvent(w.f, int(si.code), uint64(si.band))
			}
		case unix.SIGURG:
			if si.code == siKernel {
				e.urgent()
			}
		}
	}
}

// urgent sends SIGURG for the sockets that have urgent data.
func (e *fileEvents) urgent() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for fd, w := range e.files {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		if n, err := unix.Poll(p, 0); err == nil && n > 0 && p[0].Revents&unix.POLLPRI != 0 && w.f.isSocket() {
			own := w.f.ownedBy()
			go w.k.tellOwner(own, sigInfo{Signal: emu.Signal{No: unix.SIGURG, Code: siKernel}})
		}
	}
}

func (f *File) isSocket() bool {
	var st unix.Stat_t
	return unix.Fstat(f.Host, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// specific are the signals whose codes mean something of their own
// (SIG_SPECIFIC_SICODES_MASK), and are thus not those of SIGIO.
var specific = sigs(unix.SIGILL, unix.SIGFPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGTRAP, unix.SIGCHLD, unix.SIGSYS)

// fileEvent tells the owner of a file of an event (send_sigio).
func (k *Kernel) fileEvent(f *File, code int, band uint64) {
	own := f.ownedBy()
	si := sigInfo{Signal: emu.Signal{No: unix.SIGIO, Code: siKernel}}
	if own.sig != 0 {
		si.Signal = emu.Signal{No: unix.Signal(own.sig), Code: code, Value: band, FD: own.fd}
		if specific.has(si.No) {
			si.Code = siSigio
		}
	}
	k.tellOwner(own, si)
}

// tellOwner sends a file's signal to those of its owner that may have it
// (sigio_perm); SIGIO if there is no room for it.
func (k *Kernel) tellOwner(own owner, si sigInfo) {
	tell := func(ts *taskState, shared bool) {
		if !own.mayTell(ts.cred) {
			return
		}
		if ts.p.post(ts, si, shared) != nil {
			_ = ts.p.post(ts, sigInfo{Signal: emu.Signal{No: unix.SIGIO, Code: siKernel}}, shared) // never refused
		}
	}
	switch own.kind {
	case ownerTID:
		if ts := k.find(int(own.id)); ts != nil {
			tell(ts, false)
		}
	case ownerPID:
		if p := k.process(int(own.id)); p != nil && !p.isZombie() {
			tell(p.leader, true)
		}
	case ownerPgrp:
		for _, p := range k.members(int(own.id)) {
			tell(p.leader, true)
		}
	}
}

func (o *owner) mayTell(cr *cred) bool {
	return o.eff == 0 || o.eff == cr.uid.saved || o.eff == cr.uid.real || o.real == cr.uid.saved || o.real == cr.uid.real
}

// ownedBy is a copy of the file's owner.
func (f *File) ownedBy() owner {
	f.ownMu.Lock()
	defer f.ownMu.Unlock()
	return f.owner
}

// setOwner changes who a file's signals go to (f_setown, f_setown_ex).
func (c *Ctx) setOwner(f *File, kind uint64, id int32) error {
	if !c.K.isOwner(kind, int(id)) {
		return unix.ESRCH
	}
	f.ownMu.Lock()
	cr := c.task().cred
	f.owner.kind, f.owner.id, f.owner.real, f.owner.eff = kind, id, cr.uid.real, cr.uid.eff
	f.ownMu.Unlock()
	if f.isSocket() {
		return asyncFiles.watch(c.K, f) // it may get urgent data
	}
	return nil
}

// isOwner tells whether there is somebody of that number, 0 for nobody.
func (k *Kernel) isOwner(kind uint64, id int) bool {
	switch {
	case id == 0:
		return true
	case id < 0:
		return false
	case kind == ownerPgrp && len(k.members(id)) > 0, kind == ownerPID && k.process(id) != nil, kind != ownerPgrp && k.find(id) != nil:
		return true
	}
	if kind == ownerPgrp {
		id = -id
	}
	return unix.Kill(id, 0) != unix.ESRCH
}

// tellCaller makes the caller's process the owner of a file that has none, and
// has the host tell of the file (the __f_setown of leases and dnotify).
func (c *Ctx) tellCaller(f *File, fd int) error {
	f.ownMu.Lock()
	f.owner.fd = fd
	if cr := c.task().cred; f.owner.id == 0 {
		f.owner.kind, f.owner.id, f.owner.real, f.owner.eff = ownerPID, int32(c.P.P.PID), cr.uid.real, cr.uid.eff
	}
	f.ownMu.Unlock()
	return asyncFiles.watch(c.K, f)
}

// setAsync is FASYNC of fcntl's F_SETFL and FIOASYNC; the host refuses it for
// files that cannot signal.
func (c *Ctx) setAsync(f *File, fd int) error {
	f.ownMu.Lock()
	f.owner.fd = fd
	f.ownMu.Unlock()
	return asyncFiles.watch(c.K, f)
}
