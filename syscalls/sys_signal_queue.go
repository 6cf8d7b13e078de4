package syscalls

import (
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// nsig is the number of signals (_NSIG of asm-generic/signal.h); those from
// rtMin on are queued one by one.
const (
	nsig  = 64
	rtMin = 32
)

// sigset is a set of signals: bit s-1 stands for signal s.
type sigset uint64

func sigs(list ...unix.Signal) (m sigset) {
	for _, s := range list {
		m |= 1 << (s - 1)
	}
	return m
}

func (m sigset) has(s unix.Signal) bool { return m&sigs(s) != 0 }

var (
	unblockable = sigs(unix.SIGKILL, unix.SIGSTOP)
	// synchronous signals are taken before all others (SYNCHRONOUS_MASK).
	synchronous = sigs(unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGTRAP, unix.SIGFPE, unix.SIGSYS)
	stopping    = sigs(unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	coring      = synchronous | sigs(unix.SIGQUIT, unix.SIGABRT, unix.SIGXCPU, unix.SIGXFSZ)
	harmless    = sigs(unix.SIGCONT, unix.SIGCHLD, unix.SIGWINCH, unix.SIGURG)
)

// sigset in guest memory is an array of longs, the first with the first
// signals, whatever the byte order.
func getSigset(a *arch.Arch, b []byte) sigset {
	if a.Word == 8 {
		return sigset(a.Order.Uint64(b))
	}
	return sigset(a.Order.Uint32(b)) | sigset(a.Order.Uint32(b[4:]))<<32
}

func putSigset(a *arch.Arch, b []byte, m sigset) {
	if a.Word == 8 {
		a.Order.PutUint64(b, uint64(m))
		return
	}
	a.Order.PutUint32(b, uint32(m))
	a.Order.PutUint32(b[4:], uint32(m>>32))
}

// sigsetSize is sizeof(sigset_t) of the kernel on every architecture here.
const sigsetSize = 8

// readSigset reads a sigset_t whose size the caller was told, EINVAL if that
// is not the kernel's.
func (c *Ctx) readSigset(addr, size uint64) (sigset, error) {
	if size != sigsetSize {
		return 0, unix.EINVAL
	}
	var b [sigsetSize]byte
	if err := c.Space().CopyIn(b[:], addr); err != nil {
		return 0, err
	}
	return getSigset(c.A, b[:]), nil
}

// writeSigset writes the first size bytes of a set.
func (c *Ctx) writeSigset(addr uint64, m sigset, size uint64) error {
	var b [sigsetSize]byte
	putSigset(c.A, b[:], m)
	return c.Space().CopyOut(b[:min(size, sigsetSize)], addr)
}

// sigInfo is a signal on its way, with what siginfo tells of it.
type sigInfo struct {
	emu.Signal
	Errno          int
	PID, UID       int    // of a signal that was sent
	Value          uint64 // sigval_t, by sigqueue and timers
	Timer, Overrun int
	raw            []byte // as the guest gave it to rt_sigqueueinfo

	timer *posixTimer // whose expiry this is
}

// siCodes of asm-generic/siginfo.h.
const (
	siUser   = 0
	siKernel = 0x80
	siQueue  = -1
	siTimer  = -2
	siTkill  = -6
)

// store writes the signal as siginfo_t.
func (si *sigInfo) store(c *Ctx, addr uint64) error {
	s := c.NewStruct("siginfo")
	if si.raw != nil {
		copy(s.b, si.raw)
		return s.Store(c, addr)
	}
	s.Set("si_signo", uint64(si.No))
	s.Set("si_errno", uint64(si.Errno))
	s.Set("si_code", uint64(si.Code))
	switch {
	case si.Code == siTimer:
		s.Set("si_timerid", uint64(si.Timer))
		s.Set("si_overrun", uint64(si.Overrun))
		s.Set("si_value", si.Value)
	case si.Code > 0 && si.Code != siKernel:
		s.Set("si_addr", si.Addr)
	default:
		s.Set("si_pid", uint64(si.PID))
		s.Set("si_uid", uint64(si.UID))
		if si.Code == siQueue {
			s.Set("si_value", si.Value)
		}
	}
	return s.Store(c, addr)
}

// sigQueue are pending signals: of a task, or of a process for whichever task
// takes them (struct sigpending).
type sigQueue struct {
	set  sigset
	list []sigInfo
}

// add queues a signal. One below the real-time signals waits once at most;
// more than limit real-time ones are refused.
func (q *sigQueue) add(si sigInfo, limit uint64) error {
	if si.No < rtMin && q.set.has(si.No) {
		return nil
	}
	if si.No >= rtMin && uint64(len(q.list)) >= limit {
		return unix.EAGAIN
	}
	q.set |= sigs(si.No)
	q.list = append(q.list, si)
	return nil
}

// next is the signal of mask that is to be taken first, 0 if there is none.
func (q *sigQueue) next(mask sigset) unix.Signal {
	m := q.set & mask
	if m == 0 {
		return 0
	}
	if s := m & synchronous; s != 0 {
		m = s
	}
	return unix.Signal(bits.TrailingZeros64(uint64(m)) + 1)
}

// take removes the oldest instance of a signal.
func (q *sigQueue) take(s unix.Signal) sigInfo {
	i := slices.IndexFunc(q.list, func(si sigInfo) bool { return si.No == s })
	si := q.list[i]
	q.list = slices.Delete(q.list, i, i+1)
	if !slices.ContainsFunc(q.list, func(si sigInfo) bool { return si.No == s }) {
		q.set &^= sigs(s)
	}
	return si
}

// flush removes all signals of a set.
func (q *sigQueue) flush(m sigset) {
	if q.set&m == 0 {
		return
	}
	q.set &^= m
	q.list = slices.DeleteFunc(q.list, func(si sigInfo) bool { return m.has(si.No) })
}
