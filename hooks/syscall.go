package hooks

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Syscall is a system call as an engine sees it (asm/syscall.h). It is valid
// during a callback of the call.
type Syscall struct {
	t     *Task
	valid bool // entry holds what the registers were at the entry
	nr    uint64
	args  [6]uint64
	ret   uint64
	orig  uint64 // ABI.OrigNr, if there is one
	set   bool   // the result was given at the entry
	skip  bool   // the number was made -1
}

func (s *Syscall) regs() regset.Regs { return s.t.target.Regs() }

func (s *Syscall) abi() *arch.ABI { return &s.t.target.Arch().ABI }

// Nr is the number of the call (syscall_get_nr). At the exit it is that of the
// entry, if the engine or another one had the entry reported.
func (s *Syscall) Nr() int64 {
	if s.skip {
		return -1
	}
	id := s.abi().Nr
	switch {
	case s.valid:
		return int64(s.nr)
	case s.abi().OrigNr != 0: // the result may be where the number was
		id = s.abi().OrigNr
	}
	return int64(s.regs().Reg(id))
}

// Name is the name of the call, "" if there is none of this number.
func (s *Syscall) Name() string {
	nr := s.Nr()
	for _, r := range s.t.target.Arch().Sysnum {
		if int64(r.Nr) == nr {
			return r.Name
		}
	}
	return ""
}

// SetNr makes it another call, at the entry. With -1 none is made, as with
// SysAbort: the result is what SetResult has given or gives, else ENOSYS.
func (s *Syscall) SetNr(nr int64) {
	s.skip = nr == -1
	r, abi := s.regs(), s.abi()
	if !s.skip {
		s.nr = uint64(nr)
		r.SetReg(abi.Nr, s.nr)
	}
	if abi.OrigNr != 0 {
		r.SetReg(abi.OrigNr, uint64(nr))
		s.orig = r.Reg(abi.OrigNr)
	}
}

// Arg is argument i, 0 to 5, as a word of the guest (syscall_get_arguments).
func (s *Syscall) Arg(i int) uint64 {
	id := s.abi().Args[i]
	switch {
	case s.valid:
		return s.args[i]
	case i == 0 && s.abi().OrigArg != 0:
		id = s.abi().OrigArg
	}
	return s.regs().Reg(id)
}

// SetArg changes an argument, at the entry (syscall_set_arguments).
func (s *Syscall) SetArg(i int, v uint64) {
	s.args[i] = v
	r, abi := s.regs(), s.abi()
	r.SetReg(abi.Args[i], v)
	if i == 0 && abi.OrigArg != 0 {
		r.SetReg(abi.OrigArg, v)
	}
}

// errnoMax is MAX_ERRNO of linux/err.h.
const errnoMax = 4095

// Result is the value of the call, or the errno with which it failed
// (syscall_get_error, syscall_get_return_value). At the exit that may be one
// which the guest never sees: ERESTARTSYS and its kin, 512 to 516.
func (s *Syscall) Result() (v uint64, errno unix.Errno) {
	v = s.regs().Reg(s.abi().Ret)
	n := int64(v)
	if s.t.target.Arch().Word == 4 {
		n = int64(int32(v))
	}
	if n < 0 {
		n = -n
	}
	if n == 0 || n > errnoMax {
		return v, 0
	}
	// It failed if storing the errno would change nothing.
	sh := shadow{Regs: s.regs(), mask: ^uint64(0) >> (64 - 8*s.t.target.Arch().Word)}
	s.abi().Result(&sh, 0, uint16(n))
	if sh.changed {
		return v, 0
	}
	return 0, s.host(uint16(n))
}

// host is the errno that the guest numbers n.
func (s *Syscall) host(n uint16) unix.Errno {
	for h, g := range s.abi().Errno {
		if g == n {
			return h
		}
	}
	return unix.Errno(n)
}

// SetResult changes the value, or the errno if that is not 0
// (syscall_set_return_value). At the entry it is the result of a call that is
// not made.
func (s *Syscall) SetResult(v uint64, errno unix.Errno) {
	s.set = true
	s.abi().Result(s.regs(), v, s.abi().Guest(errno))
}

// Rollback puts number and arguments back to what they were at the entry, and
// the result with them (syscall_rollback). It is for calls that were not made.
func (s *Syscall) Rollback() {
	r, abi := s.regs(), s.abi()
	r.SetReg(abi.Ret, s.ret)
	for i, id := range abi.Args {
		r.SetReg(id, s.args[i])
	}
	if abi.Ret != abi.Nr {
		r.SetReg(abi.Nr, s.nr)
	}
}

// enter notes what the registers are at the entry.
func (s *Syscall) enter(t *Task) {
	*s = Syscall{t: t, valid: true}
	r, abi := s.regs(), s.abi()
	s.ret = r.Reg(abi.Ret)
	if abi.OrigNr != 0 {
		s.orig = r.Reg(abi.OrigNr)
	}
	s.look(r, abi)
}

// follow makes of the registers that a debugger has changed by itself what
// SetNr would have made of them.
func (s *Syscall) follow(r regset.Regs, abi *arch.ABI) {
	if abi.OrigNr == 0 {
		return
	}
	bits := 64 - 8*s.t.target.Arch().Word
	switch orig, nr := r.Reg(abi.OrigNr), r.Reg(abi.Nr); {
	case orig != s.orig:
		s.skip = int64(orig<<bits) == -1<<bits
		if !s.skip {
			r.SetReg(abi.Nr, orig)
		}
	case nr != s.nr && !s.skip:
		r.SetReg(abi.OrigNr, nr)
	}
}

// look reads number and arguments.
func (s *Syscall) look(r regset.Regs, abi *arch.ABI) {
	s.nr = r.Reg(abi.Nr)
	for i, id := range abi.Args {
		s.args[i] = r.Reg(id)
	}
}

// shadow sees whether a write changes something.
type shadow struct {
	regset.Regs
	mask    uint64 // of the bits that a register has
	changed bool
}

func (s *shadow) SetReg(id regset.ID, v uint64) {
	s.changed = s.changed || (s.Reg(id)^v)&s.mask != 0
}

// SyscallEntry is tracehook_report_syscall_entry: the task stands after a
// system call instruction whose number and arguments have not been looked at.
// abort tells that the call is not to be made; its result is in place. Where
// an engine says so the task stops here.
func (t *Task) SyscallEntry() (abort bool) {
	if !t.wants(EventSyscall) {
		t.sys.valid = false
		return false
	}
	t.sys.enter(t)
	if !t.wants(EventSyscallEntry) {
		return false
	}
	result, resumed := SysRun, false
	for {
		p := t.begin()
		for i := len(p.engines) - 1; i >= 0; i-- {
			e := p.engines[i]
			p.syscall = &t.sys
			p.now = Action{Syscall: result, Resumed: resumed}
			t.report(&p, e, true, EventSyscallEntry, EventSyscallEntry, func(c *Call) Action {
				if e.ops.SyscallEntry == nil {
					return Action{}
				}
				a := e.ops.SyscallEntry(c, &t.sys)
				if a.Syscall != SysPass {
					result = a.Syscall
					p.now.Syscall = result
				}
				return a
			})
		}
		if p.action != Stop {
			t.end(&p, false)
			break
		}
		t.hold(p.resume)
		if t.over() {
			result = SysAbort
			break
		}
		t.mu.Lock()
		resumed = t.pending >= Report
		t.mu.Unlock()
		if !resumed {
			break
		}
	}
	return t.sys.decide(result)
}

// decide tells whether the call is left out, and then sees to its result.
func (s *Syscall) decide(a SyscallAction) (abort bool) {
	r, abi := s.regs(), s.abi()
	if a != SysAbort {
		s.follow(r, abi)
	}
	if a != SysAbort && !s.skip {
		// Registers may have been changed without SetNr and SetArg.
		s.look(r, abi)
		return false
	}
	if !s.set && r.Reg(abi.Ret) == s.ret {
		abi.Result(r, 0, abi.Guest(unix.ENOSYS))
	}
	return true
}

// SyscallExit is tracehook_report_syscall_exit: the result is in the
// registers, as the kernel has it before signals are looked at.
func (t *Task) SyscallExit() {
	if !t.wants(EventSyscallExit) {
		return
	}
	t.sys.t = t
	p := t.begin()
	p.syscall = &t.sys
	t.each(&p, EventSyscallExit, func(c *Call) Resume {
		if c.e.ops.SyscallExit == nil {
			return Run
		}
		return c.e.ops.SyscallExit(c, &t.sys)
	})
	t.end(&p, false)
}
