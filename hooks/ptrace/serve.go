package ptrace

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
)

// requests are those to a task that is in a stop, the same on every architecture.
var requests = map[uint64]func(r *request) error{
	reqPeekText:   (*request).peek,
	reqPeekData:   (*request).peek,
	reqPokeText:   (*request).poke,
	reqPokeData:   (*request).poke,
	reqPeekUser:   (*request).peekUser,
	reqPokeUser:   (*request).pokeUser,
	reqCont:       func(r *request) error { return r.resume(plain, hooks.Run) },
	reqSyscall:    func(r *request) error { return r.resume(tracing, hooks.Run) },
	reqSingleStep: func(r *request) error { return r.resume(plain, hooks.SingleStep) },
	reqDetach:     (*request).detach,
	reqListen:     func(r *request) error { return r.t.listen() },
	reqSetOptions: (*request).setOptions,
	reqEventMsg:   (*request).eventMessage,
	reqGetInfo:    (*request).siginfo,
	reqSetInfo:    (*request).setSiginfo,
	reqGetSet:     (*request).getSet,
	reqPutSet:     (*request).putSet,
	reqGetMask:    (*request).mask,
	reqPutMask:    (*request).setMask,
}

// serve makes a request to a task that is in a stop.
func (r *request) serve() (uint64, error) {
	if r.nr == reqCall {
		return r.callInfo()
	}
	if f := requests[r.nr]; f != nil {
		return 0, f(r)
	}
	p := &r.T.Proc.Arch.Ptrace
	if s, ok := p.Sets[r.nr]; ok {
		return 0, r.wholeSet(s)
	}
	switch r.nr {
	case p.SingleBlock:
		return 0, r.resume(plain, hooks.BlockStep)
	case p.SysEmu:
		return 0, r.resume(emulating, hooks.Run)
	case p.SysEmuStep:
		return 0, r.resume(emulatingStep, hooks.SingleStep)
	case p.SetSyscall:
		return 0, r.setSyscall()
	}
	if p.Read != nil {
		return 0, r.readOther()
	}
	return 0, unix.EIO
}

// setOptions is PTRACE_SETOPTIONS.
func (r *request) setOptions() error {
	if r.data&^uint64(optKnown) != 0 {
		return unix.EINVAL
	}
	t := r.t
	t.mu.Lock()
	defer t.mu.Unlock()
	t.options = r.data
	if err := t.e.SetEvents(t.events()); err != nil && err != hooks.ErrInProgress {
		return unix.ESRCH
	}
	return nil
}

// eventMessage is PTRACE_GETEVENTMSG.
func (r *request) eventMessage() error {
	r.t.mu.Lock()
	v := r.t.message
	r.t.mu.Unlock()
	return r.WriteWord(r.data, v)
}

// siginfo is PTRACE_GETSIGINFO: other stops than for signals have one that is
// made up.
func (r *request) siginfo() error {
	t := r.t
	t.mu.Lock()
	s, was := t.info, t.stop
	t.mu.Unlock()
	switch {
	case was.kind == jobStop && !t.seized:
		return unix.EINVAL
	case was.kind != signalStop:
		s = emu.Signal{No: unix.Signal(was.word & 0x7f), Code: was.word, PID: t.task.TID, UID: t.k.UID(t.task)}
	}
	return r.PutSiginfo(s, r.data)
}

// setSiginfo is PTRACE_SETSIGINFO.
func (r *request) setSiginfo() error {
	s, err := r.Siginfo(r.data)
	if err != nil {
		return err
	}
	t := r.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stop.kind == jobStop && !t.seized:
		return unix.EINVAL
	case t.stop.kind == signalStop:
		t.info = s
	}
	return nil
}

// mask is PTRACE_GETSIGMASK.
func (r *request) mask() error {
	if r.addr != 8 {
		return unix.EINVAL
	}
	return r.WriteSigset(r.data, r.t.k.Blocked(r.t.task))
}

// setMask is PTRACE_SETSIGMASK.
func (r *request) setMask() error {
	if r.addr != 8 {
		return unix.EINVAL
	}
	m, err := r.ReadSigset(r.data)
	if err == nil {
		r.t.k.SetBlocked(r.t.task, m)
	}
	return err
}

// callInfo is PTRACE_GET_SYSCALL_INFO: struct ptrace_syscall_info.
func (r *request) callInfo() (uint64, error) {
	const opEntry, opExit = 1, 2
	t, a := r.t, r.t.task.Proc.Arch
	var pc, sp uint64
	err := r.examine(func(x *hooks.Examiner) error {
		pc, sp = a.Addr(x.Regs().Reg(a.PC)), a.Addr(x.Regs().Reg(a.SP))
		return nil
	})
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	call, was := t.call, t.stop.kind
	t.mu.Unlock()
	b := make([]byte, 8, 88)
	r.A.Order.PutUint32(b[4:], audit(a))
	b = r.append(b, pc, sp)
	switch was {
	case entryStop:
		b[0] = opEntry
		b = r.append(b, uint64(call.nr))
		b = r.append(b, call.args[:]...)
	case exitStop:
		b[0] = opExit
		if call.errno != 0 {
			b = append(r.append(b, -uint64(a.ABI.Guest(call.errno))), 1)
		} else {
			b = append(r.append(b, call.result), 0)
		}
	}
	n := min(uint64(len(b)), r.addr)
	return uint64(len(b)), r.Space().CopyOut(b[:n], r.data)
}

// append adds 64-bit numbers of the caller.
func (r *request) append(b []byte, l ...uint64) []byte {
	for _, v := range l {
		var w [8]byte
		r.A.Order.PutUint64(w[:], v)
		b = append(b, w[:]...)
	}
	return b
}

// audit is the AUDIT_ARCH of an architecture (linux/audit.h).
func audit(a *arch.Arch) uint32 {
	n := uint32(a.Machine)
	if a.Word == 8 {
		n |= 0x80000000
	}
	if a.Order.Uint16([]byte{1, 0}) == 1 {
		n |= 0x40000000
	}
	return n
}

// setSyscall is PTRACE_SET_SYSCALL.
func (r *request) setSyscall() error {
	return r.examine(func(x *hooks.Examiner) error {
		x.Regs().SetReg(x.Arch().ABI.Nr, r.data)
		return nil
	})
}
