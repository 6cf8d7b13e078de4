package syscalls

import (
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

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
