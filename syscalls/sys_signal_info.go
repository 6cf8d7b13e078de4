package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// sigInfo is a signal on its way, with what siginfo tells of it.
type sigInfo struct {
	emu.Signal
	raw []byte // as the guest gave it to rt_sigqueueinfo

	timer *posixTimer // whose expiry this is
	fault *emu.Fault  // that it tells of
}

// siCodes of asm-generic/siginfo.h.
const (
	siUser   = 0
	siKernel = 0x80
	siQueue  = -1
	siTimer  = -2
	siMesgq  = -3
	siSigio  = -5
	siTkill  = -6
)

var faulting = sigs(unix.SIGILL, unix.SIGFPE, unix.SIGSEGV, unix.SIGBUS, unix.SIGTRAP)

// image is the signal as siginfo_t. Which fields it has depends on the signal
// and its code (siginfo_layout).
func (si *sigInfo) image(a *arch.Arch) *Struct {
	s := newStruct(a, "siginfo")
	if si.raw != nil {
		copy(s.b, si.raw)
		return s
	}
	s.Set("si_signo", uint64(si.No))
	s.Set("si_errno", uint64(si.Errno))
	s.Set("si_code", uint64(si.Code))
	event := si.Code > siUser && si.Code < siKernel
	switch {
	case si.Code == siTimer:
		s.Set("si_timerid", uint64(si.Timer))
		s.Set("si_overrun", uint64(si.Overrun))
		s.Set("si_value", si.Value)
	case event && faulting.has(si.No):
		s.Set("si_addr", si.Addr)
	case event && si.No == unix.SIGCHLD:
		s.Set("si_pid", uint64(si.PID))
		s.Set("si_uid", uint64(si.UID))
		s.Set("si_status", uint64(si.Status))
		s.Set("si_utime", si.UTime)
		s.Set("si_stime", si.STime)
	case event || si.Code == siSigio: // the conditions of poll(2)
		s.Set("si_band", si.Value)
		s.Set("si_fd", uint64(si.FD))
	default:
		s.Set("si_pid", uint64(si.PID))
		s.Set("si_uid", uint64(si.UID))
		if si.Code < 0 {
			s.Set("si_value", si.Value)
		}
	}
	return s
}

// Siginfo is what the guest sees of a signal: its siginfo_t.
func Siginfo(a *arch.Arch, s emu.Signal) []byte {
	si := sigInfo{Signal: s}
	return si.image(a).Bytes()
}

// store writes the signal as siginfo_t.
func (si *sigInfo) store(c *Ctx, addr uint64) error { return si.image(c.A).Store(c, addr) }
