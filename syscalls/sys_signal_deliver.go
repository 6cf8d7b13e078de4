package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// userMem implements arch.UserMem: an access below a stack makes it grow.
type userMem struct{ p *Process }

func (m userMem) CopyIn(p []byte, addr uint64) error {
	s := m.p.P.Space
	err := s.CopyIn(p, addr)
	if err != nil && m.p.expandStack(addr) {
		err = s.CopyIn(p, addr)
	}
	return err
}

func (m userMem) CopyOut(p []byte, addr uint64) error {
	s := m.p.P.Space
	err := s.CopyOut(p, addr)
	if err != nil && m.p.expandStack(addr) {
		err = s.CopyOut(p, addr)
	}
	return err
}

// handle makes the task run the handler of d for a signal that has been taken
// (handle_signal).
func (k *Kernel) handle(t *emu.Task, si *sigInfo, d disposition) error {
	p, ts, a, cpu := t.Proc.OS.(*Process), stateOf(t), t.Proc.Arch, t.CPU()
	p.redo(t, &d)
	if d.flags&saResetHand != 0 {
		p.Sig.reset(si.No)
	}
	f := arch.SigFrame{
		No: int(si.No), Handler: d.handler, Siginfo: d.flags&saSiginfo != 0,
		SP: a.Addr(cpu.Reg(a.SP)), Info: si.image(a).Bytes(), Mask: uint64(ts.blocked), Alt: ts.alt.user(),
	}
	if d.flags&a.Const["SA_RESTORER"] != 0 {
		f.Restorer = d.restorer
	}
	if ts.masked {
		f.Mask = uint64(ts.saved)
	}
	f.Nested = ts.alt.on(f.SP)
	if d.flags&saOnStack != 0 && ts.alt.size != 0 && !f.Nested {
		f.Switch, f.SP = true, a.Addr(ts.alt.sp+ts.alt.size)
	}
	if err := a.ABI.Signals.Setup(cpu, userMem{p}, &f); err != nil {
		return k.badFrame(t, si.No)
	}
	ts.masked = false
	if ts.alt.flags&ssAutoDisarm != 0 {
		ts.alt = altStack{flags: ssDisable}
	}
	m := ts.blocked | d.mask
	if d.flags&saNoDefer == 0 {
		m |= sigs(si.No)
	}
	p.setMask(ts, m)
	t.ReportHandler(si.Signal)
	return nil
}

// badFrame is force_sigsegv: a handler's frame could not be set up. If it was
// SIGSEGV's the program has no way out.
func (k *Kernel) badFrame(t *emu.Task, no unix.Signal) error {
	if no == unix.SIGSEGV {
		t.Proc.OS.(*Process).Sig.reset(no)
	}
	return k.force(t, badAccess(t))
}

// badAccess is the fault of a frame that cannot be.
func badAccess(t *emu.Task) emu.Fault {
	return emu.Fault{Signal: emu.Signal{No: unix.SIGSEGV, Code: siKernel}, PC: t.CPU().Reg(t.Proc.Arch.PC)}
}

// force sends the task a signal that it cannot escape: if it is blocked or
// ignored it gets its default action (force_sig_info).
func (k *Kernel) force(t *emu.Task, f emu.Fault) error {
	p, ts := t.Proc.OS.(*Process), stateOf(t)
	if t.Controller() != nil {
		ts.forced = forcedSignal{true, f}
		ts.alarm.Store(true)
		return nil
	}
	if tr := t.Tracer(); tr != nil && !tr.Signal(t, &f.Signal) {
		return nil
	}
	si := sigInfo{Signal: f.Signal, fault: &f}
	if d := p.Sig.get(f.No); d.handler == sigIgn || ts.blocked.has(f.No) {
		p.Sig.reset(f.No)
		p.setMask(ts, ts.blocked&^sigs(f.No))
	}
	return k.act(t, si)
}

// sysReturn is sigreturn(2) in its two forms.
func sysReturn(rt bool) Handler {
	return func(c *Ctx) (uint64, error) {
		if !rt && c.A.Word == 8 {
			return 0, unix.ENOSYS
		}
		c.KeepRegs()
		ts := c.task()
		ts.restart = restart{}
		back, err := c.A.ABI.Signals.Return(c.T.CPU(), userMem{c.P}, rt)
		if err != nil {
			return 0, c.K.force(c.T, badAccess(c.T))
		}
		c.P.setMask(ts, sigset(back.Mask))
		if s := back.Alt; s != nil && !ts.alt.on(c.stackPointer()) {
			if alt, err := c.newAltStack(altStack{sp: s.SP, size: s.Size, flags: s.Flags}); err == nil {
				ts.alt = alt
			}
		}
		return 0, nil
	}
}

// reset gives a signal its default action.
func (s *Sighand) reset(no unix.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.act[no].handler = sigDfl
}

// user is the stack as a frame tells of it.
func (a *altStack) user() arch.SigStack {
	return arch.SigStack{SP: a.sp, Size: a.size, Flags: a.flags}
}

// sysSwapcontext is swapcontext(2) of PowerPC.
func sysSwapcontext(c *Ctx) (uint64, error) {
	swap := c.A.ABI.Signals.Swap
	if swap == nil {
		return 0, unix.ENOSYS
	}
	old, next, size, ts := c.Addr(), c.Addr(), c.Size(), c.task()
	back, taken, err := swap(c.T.CPU(), userMem{c.P}, old, next, size, uint64(ts.blocked))
	if !taken {
		return 0, err
	}
	c.KeepRegs()
	if err != nil {
		return 0, c.K.force(c.T, badAccess(c.T))
	}
	c.P.setMask(ts, sigset(back.Mask))
	return 0, nil
}
