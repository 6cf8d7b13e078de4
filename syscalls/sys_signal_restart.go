package syscalls

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// What a system call that a signal ended returns inside of the kernel
// (linux/errno.h); tracers see it, programs do not.
const (
	erestartsys          = unix.Errno(512) // made again unless a handler without SA_RESTART ran
	erestartnointr       = unix.Errno(513) // made again
	erestartnohand       = unix.Errno(514) // made again unless a handler ran
	erestartRestartblock = unix.Errno(516) // the same, but as restart_syscall
)

// restart is a system call that failed with one of these errors and whose
// task has not gone on yet.
type restart struct {
	code unix.Errno // 0: there is none
	got  uint64     // the result register after the call
	// block makes the call again where it cannot just be made again, since it
	// counts from its start. It stays until the next sigreturn.
	block Handler
}

// restartCodes tells which calls do not fail with ERESTARTSYS: see signal(7).
var restartCodes = map[string]unix.Errno{
	"pause": erestartnohand, "sigsuspend": erestartnohand, "rt_sigsuspend": erestartnohand,
	"select": erestartnohand, "_newselect": erestartnohand, "old_select": erestartnohand,
	"pselect6": erestartnohand, "pselect6_time64": erestartnohand,
	"ppoll": erestartnohand, "ppoll_time64": erestartnohand, "poll": erestartRestartblock,
	"nanosleep": erestartRestartblock, "clock_nanosleep": erestartRestartblock,
	"clock_nanosleep_time64": erestartRestartblock, "restart_syscall": erestartRestartblock,
	"msgsnd": erestartnohand, "msgrcv": erestartnohand, "ipc": erestartnohand,
	"semop": unix.EINTR, "semtimedop": unix.EINTR, "semtimedop_time64": unix.EINTR,
	"epoll_wait": unix.EINTR, "epoll_pwait": unix.EINTR, "epoll_pwait2": unix.EINTR,
	"rt_sigtimedwait": unix.EINTR, "rt_sigtimedwait_time64": unix.EINTR,
	"io_getevents": unix.EINTR, "close": unix.EINTR,
}

// restartCode is what the kernel has for the EINTR of a call.
func (c *Ctx) restartCode(name string) unix.Errno {
	switch name {
	case "futex", "futex_time64":
		if c.A.Addr(c.w[3]) != 0 && futexTimed(c.w[1]) {
			return erestartnohand
		}
	case "socketcall", "recv", "recvfrom", "recvmsg", "recvmmsg", "accept", "accept4", "read", "readv",
		"send", "sendto", "sendmsg", "sendmmsg", "connect", "write", "writev":
		if c.socketTimes() {
			return unix.EINTR
		}
	}
	code, ok := restartCodes[name]
	if !ok {
		return erestartsys
	}
	if code == erestartRestartblock && c.task().restart.block == nil {
		return erestartnohand
	}
	return code
}

// futexTimed tells whether the fourth argument of a futex operation is a
// timeout.
func futexTimed(op uint64) bool {
	switch op &^ (futexPrivate | futexRealtime) & 0xff {
	case futexWait, futexWaitBitset, futexWaitRequeuePI:
		return true
	}
	return false
}

// socketTimes tells whether the descriptor of a call is a socket with a
// timeout, whose calls are not made again.
func (c *Ctx) socketTimes() bool {
	f, err := c.file(int(int32(c.w[0])))
	if err != nil {
		return false
	}
	for _, opt := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if tv, err := unix.GetsockoptTimeval(f.Host, unix.SOL_SOCKET, opt); err == nil && tv.Nano() != 0 {
			return true
		}
	}
	return false
}

// resumeAs says how a call that was interrupted goes on as restart_syscall.
func (c *Ctx) resumeAs(f Handler) { c.task().restart.block = f }

func sysRestartSyscall(c *Ctx) (uint64, error) {
	if f := c.task().restart.block; f != nil {
		return f(c)
	}
	return 0, unix.EINTR
}

// settle is the end of a system call: it makes the kernel's own error of an
// EINTR and puts back the signal mask that the call waited with, unless a
// signal is to be delivered under the call's.
func (c *Ctx) settle(name string, err error) error {
	ts := c.task()
	if err == nil {
		c.P.unsave(ts)
		return nil
	}
	var e unix.Errno
	if !errors.As(err, &e) || e != unix.EINTR && e < erestartsys {
		c.P.unsave(ts)
		return err
	}
	ts.alarm.Store(true)
	if e == unix.EINTR {
		if e = c.restartCode(name); e == unix.EINTR && c.P.broken(ts) {
			e = erestartnohand // the program is not to notice, unless a handler runs
		}
	}
	if e != unix.EINTR {
		ts.restart.code = e
	}
	return e
}

// saveMask puts m in the place of the task's mask until the call has ended
// and signals that came meanwhile are delivered (set_user_sigmask).
func (p *Process) saveMask(ts *taskState, m sigset) {
	old := p.setMask(ts, m)
	if !ts.masked {
		ts.masked, ts.saved = true, old
	}
}

// unsave puts the mask from before saveMask back; false if there is none.
func (p *Process) unsave(ts *taskState) bool {
	if !ts.masked {
		return false
	}
	ts.masked = false
	p.setMask(ts, ts.saved)
	return true
}

// redo decides what becomes of a system call that a signal ended, unless a
// tracer changed its result: d is the disposition of the handler that is going
// to run, nil if none is.
func (p *Process) redo(t *emu.Task, d *disposition) {
	r := &stateOf(t).restart
	code := r.code
	if code == 0 {
		return
	}
	r.code = 0
	cpu, abi := t.CPU(), &t.Proc.Arch.ABI
	if cpu.Reg(abi.Ret) != r.got {
		return
	}
	switch {
	case d == nil, code == erestartnointr, code == erestartsys && d.flags&saRestart != 0:
	default:
		abi.Result(cpu, 0, abi.Guest(unix.EINTR))
		return
	}
	nr, ok := p.table.number("restart_syscall")
	switch {
	case code != erestartRestartblock || !ok:
		abi.Rewind(cpu)
	case abi.Signals.Restart != nil:
		abi.Signals.Restart(cpu, nr)
	default:
		abi.Rewind(cpu)
		cpu.SetReg(abi.Nr, nr)
	}
}

// number finds a system call by its name.
func (t *table) number(name string) (uint64, bool) {
	for nr, n := range t.names {
		if n == name {
			return nr, true
		}
	}
	return 0, false
}
