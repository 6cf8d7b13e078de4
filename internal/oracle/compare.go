package oracle

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/stepper"
)

// Config says how to compare.
type Config struct {
	Strategy stepper.Strategy
	Mode     stepper.Mode
	Max      uint64 // steps, 0 for no bound
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

	// Of the step that is under way.
	ctx   context.Context
	ran   []arch.Insn // what the oracle has run
	last  Stop        // what that came to
	calls []made
	put   []saved // registers of the emulator to be put back
	diff  *Difference
	err   error
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
	if err := adopt(g, p); err != nil {
		return s.rep, nil, err
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
	err := s.memory(s.g.Regs().Reg(s.g.Arch().PC))
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
	if b, ok := s.p.(Blocker); ok && s.cfg.Mode == stepper.Block && !i.Is(arch.IsSyscall) {
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
	s.last, err = s.p.Step(s.ctx, i, to)
	return err
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
	nr := r.Reg(a.ABI.Nr)
	if c.absent {
		r.SetReg(a.ABI.Nr, 0xffff)
	}
	if to == 0 || !strings.HasSuffix(name, "sigreturn") {
		to = a.After(*i).PC
	}
	var err error
	if s.last, err = s.p.Step(s.ctx, i, to); err != nil || s.last.Exited {
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
	s.ran, s.calls, s.put, s.last = s.ran[:0], s.calls[:0], s.put[:0], Stop{}
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
	if err := s.follow(st); err != nil {
		return st, err
	}
	if err := s.outputs(); err != nil {
		return st, err
	}
	if st.Why == stepper.Handler && s.last == (Stop{}) && s.p.Regs().Reg(a.PC) == st.PC {
		return st, s.frame(st, sp)
	}
	s.diff = s.differ(st, from)
	return st, nil
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

// copyRegs gives the oracle the emulator's registers.
func (s *session) copyRegs() {
	a := s.g.Arch()
	for _, r := range a.Regs[:a.Core] {
		if r.Mask == 0 {
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
		if m.call.result && a.Addr(m.result) != a.Addr(ours) {
			s.pids[ours] = m.result
			s.p.Regs().SetReg(a.ABI.Ret, ours)
			s.rep.Explained[m.name+": "+m.why]++
		}
		for _, o := range m.out {
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

// differ compares stops and registers.
func (s *session) differ(st stepper.Stop, from uint64) *Difference {
	a := s.g.Arch()
	d := &Difference{Difference: stepper.Difference{Step: s.rep.Steps + 1, From: from, Stops: []stepper.Stop{st, s.theirs()}}}
	theirs := d.Stops[1]
	if st.Why == stepper.Exited || theirs.Why == stepper.Exited {
		if st.Why == theirs.Why && st.Code == theirs.Code {
			return nil
		}
		return d
	}
	same := a.Addr(st.PC) == a.Addr(theirs.PC) && (st.Why == stepper.Signal) == (theirs.Why == stepper.Signal) && (st.Why != stepper.Signal || st.Signo == theirs.Signo)
	for _, r := range a.Regs[:a.Core] {
		mask := r.Mask
		if mask == 0 {
			mask = ^uint64(0)
		}
		if r.Bits < 64 {
			mask &= 1<<r.Bits - 1
		}
		x, y := s.g.Regs().Reg(r.ID), s.p.Regs().Reg(r.ID)
		if (x^y)&mask != 0 {
			d.Regs = append(d.Regs, stepper.RegDifference{Name: r.Name, Values: []uint64{x, y}})
		}
	}
	if same && (d.Regs == nil || s.explain(d)) {
		return nil
	}
	return d
}

// theirs is the oracle's stop as one of package stepper.
func (s *session) theirs() stepper.Stop {
	o := stepper.Stop{Why: stepper.Stepped, PC: s.p.Regs().Reg(s.g.Arch().PC)}
	switch {
	case s.last.Exited:
		o = stepper.Stop{Why: stepper.Exited, Code: s.last.Status}
	case s.last.Signo != 0:
		o.Why, o.Signo = stepper.Signal, s.last.Signo
	}
	return o
}

// explain tells whether the registers that differ may, after what has run. The
// oracle then takes the emulator's.
func (s *session) explain(d *Difference) bool {
	var why string
	var flags uint64
	for k := range s.ran {
		i := &s.ran[k]
		name := s.mnemonic(i)
		if i.Is(arch.IsTime) {
			why = name + ": " + whyTime
		} else if r, ok := reads[name]; ok {
			why = name + ": " + r
		}
		flags |= undefinedBy(name)
	}
	if why == "" {
		for _, r := range d.Regs {
			if r.Name != "eflags" || (r.Values[0]^r.Values[1])&^flags&0xcd5 != 0 {
				return false
			}
		}
		why = "flags that instructions leave undefined"
	}
	a := s.g.Arch()
	for _, r := range d.Regs {
		reg, _ := a.RegByName(r.Name)
		v := r.Values[0]
		if reg.Mask != 0 {
			v = r.Values[0]&reg.Mask | r.Values[1]&^reg.Mask
		}
		s.p.Regs().SetReg(reg.ID, v)
	}
	s.rep.Explained[why]++
	return true
}

// mnemonic is the name of an instruction.
func (s *session) mnemonic(i *arch.Insn) string {
	text := disasm.DecodeIT(disasm.ISA(s.g.Arch().ISA(i.State)), i.PC, i.Bytes(), i.IT, nil).Text
	for {
		name, rest, _ := strings.Cut(text, " ")
		switch name {
		case "lock", "rep", "repz", "repnz", "data16", "bnd", "notrack":
			text = rest
			continue
		}
		return name
	}
}

// undefinedBy are the flags that the instruction of a name leaves undefined.
func undefinedBy(name string) uint64 {
	if f, ok := undefined[name]; ok || name == "" {
		return f
	}
	if strings.ContainsAny(name[len(name)-1:], "bwlq") {
		return undefined[name[:len(name)-1]]
	}
	return 0
}

// memory compares all memory that the program may write, but what lies below
// the stack pointer.
func (s *session) memory(from uint64) error {
	sp := s.g.Regs().Reg(s.g.Arch().SP)
	var l []emu.VMA
	s.g.Task().Proc.Space.VMAs(func(v *emu.VMA) bool {
		if v.Prot&(arch.Read|arch.Write) == arch.Read|arch.Write && v.Flags&emu.MapShared == 0 {
			l = append(l, *v)
		}
		return true
	})
	const piece = 1 << 16
	x, y := make([]byte, piece), make([]byte, piece)
	for _, v := range l {
		at := v.Addr
		if v.Addr <= sp && sp < v.End {
			at = sp
		}
		for ; at < v.End; at += piece {
			n := min(piece, int(v.End-at))
			if _, err := s.g.Mem().ReadAt(x[:n], at); err != nil {
				return err
			}
			if err := s.read(y[:n], at); err != nil {
				return err
			}
			s.rep.Bytes += uint64(n)
			if !bytes.Equal(x[:n], y[:n]) {
				s.diff = memoryDifference(x[:n], y[:n], at)
				s.diff.Step, s.diff.From = s.rep.Steps, from
				return nil
			}
		}
	}
	return nil
}

// read reads the oracle's memory; what is not there is zero, as a page that
// nobody has touched.
func (s *session) read(p []byte, at uint64) error {
	if _, err := s.p.ReadAt(p, at); err == nil {
		return nil
	}
	for n := 0; n < len(p); {
		k := min(len(p)-n, int(emu.PageSize-(at+uint64(n))%emu.PageSize))
		if _, err := s.p.ReadAt(p[n:n+k], at+uint64(n)); err != nil {
			clear(p[n : n+k])
		}
		n += k
	}
	return s.ctx.Err()
}

// memoryDifference tells of the first byte that differs.
func memoryDifference(x, y []byte, at uint64) *Difference {
	k := 0
	for x[k] == y[k] {
		k++
	}
	end := min(len(x), k+16)
	return &Difference{What: fmt.Sprintf("memory at %#x: emulator % x, oracle % x", at+uint64(k), x[k:end], y[k:end])}
}

// String says where they part, in one line.
func (d *Difference) String() string {
	if d.What != "" {
		return fmt.Sprintf("after step %d, at %#x: %s", d.Step, d.From, d.What)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "step %d from %#x: emulator %s at %#x, oracle %s at %#x", d.Step, d.From, d.Stops[0].Why, d.Stops[0].PC, d.Stops[1].Why, d.Stops[1].PC)
	for _, st := range d.Stops {
		if st.Signo != 0 {
			fmt.Fprintf(&b, ", signal %d", st.Signo)
		}
	}
	for _, r := range d.Regs {
		fmt.Fprintf(&b, "; %s %#x and %#x", r.Name, r.Values[0], r.Values[1])
	}
	return b.String()
}
