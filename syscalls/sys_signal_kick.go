package syscalls

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// KickSignal interrupts system calls of the host. It is one that neither the
// C library nor the Go runtime uses.
const KickSignal = unix.Signal(61)

// hostSigaction is the host kernel's struct sigaction.
type hostSigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// kicker prepares KickSignal, once: the Go runtime's own handler takes it,
// but without SA_RESTART, so that calls fail with EINTR.
var kicker = sync.OnceValue(func() error {
	// The channel is never read: what counts is that the handler is there.
	signal.Notify(make(chan os.Signal, 1), KickSignal)
	var sa hostSigaction
	if err := hostAction(KickSignal, nil, &sa); err != nil {
		return err
	}
	sa.flags &^= saRestart
	return hostAction(KickSignal, &sa, nil)
})

func hostAction(no unix.Signal, act, old *hostSigaction) error {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(no),
		uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), sigsetSize, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// stopHost stops this process as the default action of one of the stop signals
// does, and returns when it has been continued, or at once if the kernel does
// not stop it because its process group is orphaned.
func stopHost(no unix.Signal) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if no != unix.SIGSTOP {
		var old, dfl hostSigaction
		if err := hostAction(no, &dfl, &old); err != nil {
			return err
		}
		defer func() { _ = hostAction(no, &old, nil) }()
	}
	// The signal is this thread's, so that it acts before the call returns.
	return unix.Tgkill(os.Getpid(), unix.Gettid(), no)
}

// masked calls f with a signal blocked in the host's thread.
func masked(no unix.Signal, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.Sigset_t
	set.Val[0] = uint64(sigs(no))
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		return err
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil) }()
	return f()
}

// kick interrupts the blocking call of the host that the task is in. A signal
// that comes just before the call blocks is lost, so it is sent again until
// the task is out.
func (ts *taskState) kick() {
	if kicker() != nil {
		return
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		tid := ts.blocking.Load()
		if tid <= 0 || !ts.alarm.Load() {
			return
		}
		// It may be out of the call already, and even gone: no harm.
		_ = unix.Tgkill(os.Getpid(), int(tid), KickSignal)
		time.Sleep(wait)
	}
}

// eachThread calls f for the threads of the host process; it returns the
// first error, except that of a thread that has just ended.
func eachThread(f func(tid int) error) error {
	ents, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, e := range ents {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if err := f(tid); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}
