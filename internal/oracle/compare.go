package oracle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// Config says how to compare.
type Config struct {
	Strategy stepper.Strategy
	Mode     stepper.Mode
	Max      uint64 // steps, 0 for no bound
	// HostPath is that of Program, for an oracle that knows of no sysroot.
	HostPath func(string) string
	// Seen gets the emulator's stops that were equal, if it is not nil.
	Seen func(n uint64, st stepper.Stop) error
}

// Report is what has been compared.
type Report struct {
	Steps uint64
	// Explained counts what differed and is known to: by what and why.
	Explained map[string]uint64
	// Ended says why the comparison could not go on, "" if it went to the end.
	Ended string
	// Bytes is how much memory was compared at the end.
	Bytes uint64
}

// Difference is where emulator and oracle part.
type Difference struct {
	stepper.Difference        // Stops[0] is the emulator's
	What               string // of what is neither stop nor register
}

// session is one comparison.
type session struct {
	cfg  Config
	g    *emu.Target
	p    Process
	rep  Report
	pids map[uint64]uint64 // the emulator's numbers of processes, theirs
	brk  bool              // the heap's start is theirs
	room uint64            // of the oracle's memory: a page for paths

	// Of the step that is under way.
	ctx   context.Context
	ran   []arch.Insn   // what the oracle has run
	last  Stop          // what that came to
	st    *stepper.Stop // what it came to in the emulator
	calls []made
	put   []saved // registers of the emulator to be put back
	diff  *Difference

	helped bool // the step was one over a helper of the kernel's
	err    error
}

// made is a system call that the oracle has made.
type made struct {
	name string
	call
	args   [6]uint64
	result uint64
}

// saved is a register's value.
type saved struct {
	k int // in Regs
	v uint64
}

// Compare steps a fresh program in the emulator and in p, side by side. It
// gives the first difference that no rule explains.
func Compare(ctx context.Context, g *emu.Target, p Process, cfg Config) (Report, *Difference, error) {
	s := &session{cfg: cfg, g: g, p: p, ctx: ctx, pids: map[uint64]uint64{}, rep: Report{Explained: map[string]uint64{}}}
	if !cfg.Strategy.Supports(g, cfg.Mode) {
		return s.rep, nil, fmt.Errorf("%s: %s: %w", cfg.Strategy.Name(), cfg.Mode, stepper.ErrNoStep)
	}
	theirs, err := adopt(g, p)
	if err != nil {
		return s.rep, nil, err
	}
	s.room = find(theirs, atPhdr) &^ (emu.PageSize - 1)
	if h, ok := p.(Holder); ok {
		release, err := hold(g.Task().Proc, h.Held())
		if err != nil {
			return s.rep, nil, err
		}
		defer release()
	}
	g.Task().UpdateTracer(func(old emu.Tracer) emu.Tracer { return entries{old, s} })
	for cfg.Max == 0 || s.rep.Steps < cfg.Max {
		st, err := s.step()
		if err != nil || s.diff != nil || s.rep.Ended != "" {
			return s.rep, s.diff, err
		}
		s.rep.Steps++
		if cfg.Seen != nil {
			if err := cfg.Seen(s.rep.Steps, st); err != nil {
				return s.rep, nil, err
			}
		}
		if st.Why == stepper.Exited {
			return s.rep, nil, nil
		}
	}
	err = s.memory(s.g.Regs().Reg(s.g.Arch().PC))
	return s.rep, s.diff, err
}

// entries hears of system calls of the emulator before they are made.
type entries struct {
	emu.Tracer
	s *session
}

// SyscallEntry implements emu.Tracer.
func (e entries) SyscallEntry(t *emu.Task) bool {
	abort := e.Tracer.SyscallEntry(t)
	if t == e.s.g.Task() && e.s.err == nil {
		e.s.err = e.s.entry()
	}
	return abort
}

// entry arranges a system call that the emulator is about to make: where the
// other side's choice counts, that makes it first.
func (s *session) entry() error {
	for { // a block step is under way, and the oracle behind
		i, err := s.insn()
		if err != nil || i.Is(arch.IsSyscall) {
			break
		}
		if err := s.single(&i, 0); err != nil || s.last != (Stop{}) {
			return err
		}
	}
	_, c := s.call()
	switch {
	case c.last:
		return s.memory(s.p.Regs().Reg(s.g.Arch().PC))
	case c.place == placeNone:
		return nil
	}
	args := s.args()
	if err := s.advance(0); err != nil || s.last != (Stop{}) {
		return err
	}
	s.place(c, args, s.p.Regs().Reg(s.g.Arch().ABI.Ret))
	return nil
}

// place makes the emulator choose the address that the other side has chosen.
func (s *session) place(c call, args [6]uint64, at uint64) {
	a := s.g.Arch()
	if a.Addr(at) > a.Addr(^uint64(4095)) { // an error
		return
	}
	fixed, noReplace := a.Const["MAP_FIXED"], a.Const["MAP_FIXED_NOREPLACE"]
	switch c.place {
	case placeMmap:
		if args[3]&(fixed|noReplace) == 0 {
			s.lend(0, at)
			s.lend(3, args[3]|noReplace)
		}
	case placeBrk:
		if !s.brk {
			s.brk = true
			s.g.Task().Proc.Space.SetBrk(at)
		}
	case placeMremap:
		const mayMove, mustFix = 1, 2
		if args[3]&mustFix == 0 && at != args[0] {
			s.lend(3, args[3]|mayMove|mustFix)
			s.lend(4, at)
		}
	}
}

// lend gives the emulator's call another argument, for as long as it lasts.
func (s *session) lend(n int, v uint64) {
	id := s.g.Arch().ABI.Args[n]
	s.put = append(s.put, saved{n, s.g.Regs().Reg(id)})
	s.g.Regs().SetReg(id, v)
}

// call is the row of the call that the oracle is about to make.
func (s *session) call() (string, call) {
	a := s.g.Arch()
	nr := s.p.Regs().Reg(a.ABI.Nr)
	for _, n := range a.Sysnum {
		if uint64(n.Nr) == nr {
			return n.Name, calls[n.Name]
		}
	}
	return fmt.Sprintf("system call %d", nr), call{}
}

func (s *session) args() (args [6]uint64) {
	for k, id := range s.g.Arch().ABI.Args {
		args[k] = s.p.Regs().Reg(id)
	}
	return args
}

// insn is the instruction that the oracle is about to run. The emulator's
// memory has it, which is quicker to read.
func (s *session) insn() (arch.Insn, error) { return s.g.Arch().Insn(s.p.Regs(), s.g.Mem()) }

// advance has the oracle run an instruction; to is where the emulator is.
func (s *session) advance(to uint64) error {
	i, err := s.insn()
	if err != nil { // the fetch will fault there too
		i = arch.Insn{PC: s.p.Regs().Reg(s.g.Arch().PC)}
	}
	if b, ok := s.p.(Blocker); ok && s.cfg.Mode == stepper.Block && !i.Is(arch.IsSyscall) && s.plain(i) {
		if s.last, err = b.StepBlock(s.ctx, &i); err == nil {
			s.straight(i)
		}
		return err
	}
	return s.single(&i, to)
}

// single has the oracle run i.
func (s *session) single(i *arch.Insn, to uint64) (err error) {
	s.ran = append(s.ran, *i)
	if i.Is(arch.IsSyscall) {
		return s.syscall(i, to)
	}
	if s.cfg.Mode != stepper.Insn && s.st != nil && reads[s.mnemonic(i)] != "" {
		before := slices.Clone(s.p.Regs().vals)
		if s.last, err = s.p.Step(s.ctx, i, to); err == nil && s.last == (Stop{}) {
			err = s.mimic(before)
		}
		return err
	}
	if s.last, err = s.p.Step(s.ctx, i, to); err != nil {
		return err
	}
	return s.refused(i)
}

// mimic gives the oracle the emulator's result of an instruction in the middle
// of a block: the emulator, which has run it before, runs it once more, from
// the registers that the oracle had.
func (s *session) mimic(before []uint64) error {
	if s.st.Why == stepper.Exited || s.st.Why == stepper.Signal {
		return nil
	}
	a := s.g.Arch()
	r := s.g.Regs()
	ours := make([]uint64, len(before))
	for k, reg := range a.Regs[:a.Core] {
		ours[k] = r.Reg(reg.ID)
		r.SetReg(reg.ID, before[k]&maskOf(reg)|ours[k]&^maskOf(reg))
	}
	_, err := s.g.Resume(s.ctx, stepper.Limit{Insns: 1, Hold: true})
	s.copyRegs()
	for k, reg := range a.Regs[:a.Core] {
		r.SetReg(reg.ID, ours[k])
	}
	return err
}

// maskOf are the bits of a register that count.
func maskOf(r arch.Reg) uint64 {
	mask := r.Mask
	if mask == 0 {
		mask = ^uint64(0)
	}
	if r.Bits < 64 {
		mask &= 1<<r.Bits - 1
	}
	return mask
}

// plain tells whether the straight code from i on has no instruction whose
// result is the machine's.
func (s *session) plain(i arch.Insn) bool {
	for range 512 {
		if reads[s.mnemonic(&i)] != "" {
			return false
		}
		if i.Is(arch.IsBranch) && !i.Is(arch.IsCond) {
			return true
		}
		f, err := s.g.Arch().Follow(i, s.g.Mem())
		if err != nil {
			return true
		}
		i = f
	}
	return false
}

// straight notes what a block has run, from i on.
func (s *session) straight(i arch.Insn) {
	a := s.g.Arch()
	at := s.p.Regs().Reg(a.PC)
	for n := 0; n < maxBlock; n++ {
		s.ran = append(s.ran, i)
		d, direct := a.Target(i)
		if i.Is(arch.IsBranch) && (!direct || d.PC == at) {
			return
		}
		f, err := a.Follow(i, s.g.Mem())
		if err != nil || f.PC == at {
			return
		}
		i = f
	}
}

// syscall has the oracle make a system call.
func (s *session) syscall(i *arch.Insn, to uint64) error {
	a, r := s.g.Arch(), s.p.Regs()
	name, c := s.call()
	m := made{name: name, call: c, args: s.args()}
	var back []saved
	own := func(n int, v uint64) {
		if id := a.ABI.Args[n]; id != a.ABI.Ret {
			back = append(back, saved{n, r.Reg(id)})
		}
		r.SetReg(a.ABI.Args[n], v)
	}
	for _, n := range c.pids {
		if v, ok := s.pids[m.args[n]]; ok {
			own(n, v)
		}
	}
	restore, err := s.lookups(c, m.args, own)
	if err != nil {
		return err
	}
	nr := r.Reg(a.ABI.Nr)
	if c.absent {
		r.SetReg(a.ABI.Nr, 0xffff)
	}
	if to == 0 || !strings.HasSuffix(name, "sigreturn") {
		to = a.After(*i).PC
	}
	if s.last, err = s.p.Step(s.ctx, i, to); err != nil || s.last.Exited {
		return err
	}
	if err := restore(); err != nil {
		return err
	}
	for _, b := range back {
		r.SetReg(a.ABI.Args[b.k], b.v)
	}
	if c.absent && a.ABI.Nr != a.ABI.Ret {
		r.SetReg(a.ABI.Nr, nr)
	}
	m.result = r.Reg(a.ABI.Ret)
	s.calls = append(s.calls, m)
	return nil
}

// step makes a step on both sides and compares.
func (s *session) step() (stepper.Stop, error) {
	a := s.g.Arch()
	s.ran, s.calls, s.put, s.last, s.st = s.ran[:0], s.calls[:0], s.put[:0], Stop{}, nil
	from := s.g.Regs().Reg(a.PC)
	sp := s.g.Regs().Reg(a.SP)
	st, err := s.cfg.Strategy.Step(s.ctx, s.g, s.cfg.Mode)
	if err == nil {
		err = s.err
	}
	if err != nil || s.diff != nil {
		return st, err
	}
	for _, l := range s.put {
		if id := a.ABI.Args[l.k]; id != a.ABI.Ret {
			s.g.Regs().SetReg(id, l.v)
		}
	}
	if st.Why == stepper.Exec {
		s.rep.Ended = "the program has called execve"
		return st, nil
	}
	if st, err = s.helper(from, st); err != nil {
		return st, err
	}
	s.st = &st
	if err := s.follow(st); err != nil {
		return st, err
	}
	if err := errors.Join(s.outputs(), s.cleared(), s.environment()); err != nil {
		return st, err
	}
	if err := s.ctx.Err(); err != nil { // it may have been killed for that
		return st, err
	}
	if st.Why == stepper.Handler && s.last == (Stop{}) && s.p.Regs().Reg(a.PC) == st.PC {
		return st, s.frame(st, sp)
	}
	s.diff = s.differ(st, from)
	return st, nil
}

// helper goes on to the end of a function in a page that every process has,
// which qemu-user runs as a whole.
func (s *session) helper(from uint64, st stepper.Stop) (_ stepper.Stop, err error) {
	a := s.g.Arch()
	s.helped = s.p.Qemu() && provided(a, from)
	for s.helped && st.Why == stepper.Stepped && provided(a, st.PC) {
		if st, err = s.cfg.Strategy.Step(s.ctx, s.g, s.cfg.Mode); err != nil {
			return st, err
		}
	}
	return st, nil
}

// provided tells whether an address is in a page that every process has.
func provided(a *arch.Arch, at uint64) bool {
	for _, p := range a.Start.Pages {
		if at-p.Addr < emu.PageSize {
			return true
		}
	}
	return false
}

// follow brings the oracle to where the emulator is.
func (s *session) follow(st stepper.Stop) error {
	a := s.g.Arch()
	for {
		if n := len(s.ran); n > 0 && s.arrived(st, n) {
			return nil
		}
		before := s.p.Regs().Reg(a.PC)
		next, err := s.taken()
		if err != nil {
			return err
		}
		if err := s.advance(st.PC); err != nil {
			return err
		}
		if s.last != (Stop{}) || len(s.ran) > maxBlock {
			return nil
		}
		i := &s.ran[len(s.ran)-1]
		if s.cfg.Mode == stepper.Insn || i.Is(arch.IsSyscall) {
			continue
		}
		now := s.p.Regs().Reg(a.PC)
		if next(now) || s.cfg.Mode == stepper.BlockAny && i.Is(arch.IsBranch) || now != a.Addr(i.End()) && now != before {
			return nil
		}
	}
}

// maxBlock bounds what a block may have, and an atomic sequence.
const maxBlock = 1 << 20

// taken tells of the instruction that the oracle is about to run whether an
// address that it leads to means that it has branched.
func (s *session) taken() (func(pc uint64) bool, error) {
	if s.cfg.Mode == stepper.Insn {
		return func(uint64) bool { return false }, nil
	}
	a := s.g.Arch()
	i, err := s.insn()
	if err != nil {
		return func(uint64) bool { return true }, nil
	}
	// Only what the instruction reads of memory counts, and the emulator may
	// have changed that since.
	d, err := a.Next(i, s.p.Regs(), s.p, nil)
	if err != nil {
		return func(uint64) bool { return true }, nil
	}
	return func(pc uint64) bool {
		for _, x := range d {
			if x.PC == pc {
				return x.Taken
			}
		}
		return false
	}, nil
}

// arrived tells whether the oracle, which has run n instructions, need not run
// on to be where the emulator is.
func (s *session) arrived(st stepper.Stop, n int) bool {
	last := &s.ran[n-1]
	if s.last != (Stop{}) || last.Is(arch.IsSyscall) {
		return true
	}
	if s.cfg.Mode != stepper.Insn {
		return false
	}
	// A strategy that takes an atomic sequence as one step is ahead.
	return !s.ran[0].Is(arch.IsLoadLink) || s.p.Regs().Reg(s.g.Arch().PC) == st.PC || n > 64
}

// frame takes the frame of a signal handler, which the emulator has made, over.
func (s *session) frame(st stepper.Stop, sp uint64) error {
	if !s.p.Frames() {
		s.rep.Ended = fmt.Sprintf("handler of %s: the frames differ", unix.SignalName(unix.Signal(st.Signo)))
		return nil
	}
	a := s.g.Arch()
	low := s.g.Regs().Reg(a.SP)
	if low < sp && sp-low < 1<<16 {
		b := make([]byte, sp-low)
		if _, err := s.g.Mem().ReadAt(b, low); err != nil {
			return err
		}
		if _, err := s.p.WriteAt(b, low); err != nil {
			return err
		}
	}
	s.copyRegs()
	s.rep.Explained["frames of signal handlers"]++
	return nil
}

// copyRegs gives the oracle the emulator's registers but the PC.
func (s *session) copyRegs() {
	a := s.g.Arch()
	for _, r := range a.Regs[:a.Core] {
		if r.Mask == 0 && r.ID != a.PC {
			s.p.Regs().SetReg(r.ID, s.g.Regs().Reg(r.ID))
		}
	}
}

// outputs makes what system calls have written and returned the same, where it
// may differ.
func (s *session) outputs() error {
	a := s.g.Arch()
	for _, m := range s.calls {
		if s.last.Exited {
			return nil
		}
		ours := s.g.Regs().Reg(a.ABI.Ret)
		if (m.call.result || m.lacking && s.p.Qemu()) && a.Addr(m.result) != a.Addr(ours) {
			if m.why == whyPID {
				s.pids[ours] = m.result
			}
			s.copyRegs() // with the flag for errors, where there is one
			s.rep.Explained[m.name+": "+m.why]++
		}
		for _, o := range m.out {
			if o.random && !s.random(m.args[0]) {
				continue
			}
			if err := s.output(m, o, o.bytes(a, ours)); err != nil {
				return err
			}
		}
	}
	return nil
}

// output copies what a call has written in the emulator.
func (s *session) output(m made, o output, size int) error {
	at := m.args[o.arg]
	if at == 0 || size == 0 {
		return nil
	}
	x, y := make([]byte, size), make([]byte, size)
	if _, err := s.g.Mem().ReadAt(x, at); err != nil {
		return nil // both have answered EFAULT, or the results differ
	}
	if _, err := s.p.ReadAt(y, at); err != nil || bytes.Equal(x, y) {
		return err
	}
	s.rep.Explained[m.name+": "+m.why]++
	_, err := s.p.WriteAt(x, at)
	return err
}
