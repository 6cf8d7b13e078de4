package emu

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
	"github.com/utemu/utemu/stepper"
)

// Target is a task as stepper.Target: it takes the place of Task.Run. Its
// methods are for the goroutine that would run the task.
//
// It is a tracer of the task and stands before its kernel: signals of faults
// and traps come to it first. While the task is stopped it keeps the turn, so
// that the other threads of the process stand still; they have theirs while it
// is in a system call that blocks, and between steps if its slice is over.
type Target struct {
	t     *Task
	inner Kernel

	events  bool          // of the resume that is under way
	stop    *stepper.Stop // what it has to tell
	told    stepper.Stop  // where stop points to
	fault   *Fault        // the signal that the last stop told of
	held    bool          // the task has the turn
	ended   bool
	slots   []uint64
	cache   stepper.Cache
	plants  []uint64        // breakpoints of Plant
	ctx     context.Context // of the last resume
	unwatch func() bool     // ends that its end wakes the task

	rest stepper.Stop // what the next resume tells at once, if come
	come bool

	follow func(context.Context, *Target) error
}

var (
	_ stepper.Slotter  = (*Target)(nil)
	_ stepper.Cacher   = (*Target)(nil)
	_ stepper.Planter  = (*Target)(nil)
	_ stepper.Plain    = (*Target)(nil)
	_ stepper.Reserver = (*Target)(nil)
)

// NewTarget makes a target of a task that does not run. It fails if something
// else holds the task already.
func NewTarget(t *Task) (*Target, error) {
	if t.Controller() != nil {
		return nil, errors.New("emu: the task is traced already")
	}
	g := &Target{t: t, inner: t.kernel}
	t.kernel = targetKernel{t.kernel, g}
	t.UpdateTracer(func(old Tracer) Tracer {
		if old == nil {
			old = NoTracer{}
		}
		return targetTracer{old, g}
	})
	return g, nil
}

// targetKernel is the task's kernel behind a target.
type targetKernel struct {
	Kernel
	g *Target
}

// Fault implements Kernel.
func (k targetKernel) Fault(t *Task, f Fault) error {
	if t != k.g.t {
		return k.Kernel.Fault(t, f)
	}
	k.g.faulted(f)
	return nil
}

// targetTracer hears of what ends a resume with Limit.Events.
type targetTracer struct {
	Tracer
	g *Target
}

// SyscallExit implements Tracer.
func (r targetTracer) SyscallExit(t *Task) {
	r.Tracer.SyscallExit(t)
	if t == r.g.t {
		r.g.event(stepper.Stop{Why: stepper.Syscall})
	}
}

// Handler implements Tracer.
func (r targetTracer) Handler(t *Task, s Signal) {
	r.Tracer.Handler(t, s)
	if t == r.g.t {
		r.g.event(stepper.Stop{Why: stepper.Handler, Signo: int(s.No)})
	}
}

// Exec implements Tracer.
func (r targetTracer) Exec(t *Task) {
	r.Tracer.Exec(t)
	if t == r.g.t {
		r.g.slots, r.g.plants = nil, nil
		r.g.cache = stepper.Cache{} // its Code was the old engine's
		r.g.event(stepper.Stop{Why: stepper.Exec})
	}
}

// Clone implements Tracer.
func (r targetTracer) Clone(parent, child *Task) {
	r.Tracer.Clone(parent, child)
	if parent == r.g.t && r.g.follow != nil {
		r.g.adopt(child)
	}
}

// Follow has f run the tasks that the target's makes from now on, threads and
// processes alike, and those that they make. f is called on a goroutine of
// the task, which stands before its first instruction and does not step;
// what f leaves of it runs to its end untraced. An error of f ends all guests.
func (g *Target) Follow(f func(ctx context.Context, child *Target) error) { g.follow = f }

// adopt makes a target of a child.
func (g *Target) adopt(child *Task) {
	c, err := NewTarget(child)
	if err != nil {
		return // a tracer has it already
	}
	c.follow = g.follow
	child.follow = func(ctx context.Context) error {
		if err := child.acquire(); err != nil {
			return err
		}
		c.held = true
		defer func() {
			if !c.ended {
				child.release(true)
			}
		}()
		if err := c.follow(ctx, c); err != nil {
			return err
		}
		for !c.ended {
			if _, err := c.Resume(ctx, stepper.Limit{}); err != nil {
				return err
			}
		}
		return nil
	}
}

// event notes an event if the resume is to tell of it. The first of a resume
// counts.
func (g *Target) event(s stepper.Stop) {
	if g.events && g.stop == nil {
		g.told = s
		g.stop = &g.told
	}
}

func (g *Target) faulted(f Fault) {
	g.fault = &f
	g.told = stepper.Stop{
		Why: stepper.Signal, Signo: int(f.No), Code: f.Code, Addr: f.Addr, Trap: f.No == unix.SIGTRAP,
		Fetch: f.Access == arch.Exec || f.Access == 0 && f.Addr == f.PC && (f.No == unix.SIGSEGV || f.No == unix.SIGBUS),
	}
	g.stop = &g.told
}

// Task is the task behind the target.
func (g *Target) Task() *Task { return g.t }

// Arch implements stepper.Target.
func (g *Target) Arch() *arch.Arch { return g.t.Proc.Arch }

// Regs implements stepper.Target.
func (g *Target) Regs() regset.Regs { return g.t.Proc.cpu }

// Mem implements stepper.Target.
func (g *Target) Mem() arch.Memory { return g.t.Proc.cpu }

// Caps implements stepper.Target.
func (g *Target) Caps() stepper.Caps {
	return stepper.CanInsns | stepper.CanStops | stepper.CanEvents | stepper.CanSlots
}

// Cache implements stepper.Cacher. While a run is parked what it stands on has
// been translated, and so is as it was as long as nothing has been since.
func (g *Target) Cache() *stepper.Cache {
	g.cache.Code = 0
	if p := g.t.Proc; p.cpu.eng.Parked() && !p.Space.shared {
		g.cache.Code = p.cpu.eng.Translations()
	}
	return &g.cache
}

// Amend implements stepper.Target.
func (g *Target) Amend(s stepper.Stop) {
	switch {
	case s.Signo == 0 || g.fault == nil:
		g.fault = nil
	default:
		f := g.fault
		f.No, f.Code, f.Addr, f.PC = unix.Signal(s.Signo), s.Code, s.Addr, s.PC
	}
}

// Shared tells whether a breakpoint instruction at addr would be written to a
// file or be seen by other processes.
func (g *Target) Shared(addr uint64) bool {
	v := g.t.Proc.Space.Find(addr)
	return v != nil && v.Flags&MapShared != 0
}

// Slot implements stepper.Slotter. Each instruction has a place of its own in
// the page, as long as there are not too many: what is there may stay.
func (g *Target) Slot(near uint64) (uint64, error) {
	a, err := g.slotPage(near)
	return a + near/uint64(g.Arch().MinInsn)%(PageSize/slotSize)*slotSize, err
}

// slotPage is a page for slots, of the name that Linux gives to that of uprobes.
// It lies where neither mmap nor brk would have put anything: a program gets
// the addresses that it gets without it.
func (g *Target) slotPage(near uint64) (uint64, error) {
	s := g.t.Proc.Space
	for _, a := range g.slots {
		if v := s.Find(a); v != nil && v.Name == slotName && distance(a, near) < slotReach {
			return a, nil
		}
	}
	above, ok := s.aboveMappings()
	if ok && distance(above, near) < slotReach {
		return g.addSlot(above)
	}
	if a, ok := s.below(near); ok && distance(a, near) < slotReach {
		return g.addSlot(a)
	}
	for _, a := range g.slots {
		if v := s.Find(a); v != nil && v.Name == slotName {
			return a, nil
		}
	}
	if ok {
		return g.addSlot(above)
	}
	a, err := s.Gap(PageSize, PageSize)
	if err != nil {
		return 0, fmt.Errorf("emu: no room for a slot: %w", err)
	}
	return g.addSlot(a)
}

// addSlot makes the page at a one for slots.
func (g *Target) addSlot(a uint64) (uint64, error) {
	v := VMA{Addr: a, End: a + PageSize, Prot: arch.Read | arch.Exec, Name: slotName, Flags: MapFixedName | MapDontFork}
	if err := g.t.Proc.Space.MapKernel(v, nil); err != nil {
		return 0, fmt.Errorf("emu: slot at %#x: %w", a, err)
	}
	g.slots = append(g.slots, a)
	return a, nil
}

const (
	slotName  = "[uprobes]"
	slotReach = 1 << 30
	slotSize  = 64
)

func distance(a, b uint64) uint64 { return max(a, b) - min(a, b) }

// Resume implements stepper.Target.
func (g *Target) Resume(ctx context.Context, l stepper.Limit) (stepper.Stop, error) {
	t := g.t
	if g.come {
		g.come = false
		return g.rest, nil
	}
	if g.ended {
		return stepper.Stop{}, stepper.ErrExited
	}
	if !g.held {
		if err := t.acquire(); err != nil {
			return stepper.Stop{}, err
		}
		g.held = true
	}
	if ctx != g.ctx { // comparing spares what costs more than a step
		g.under(ctx)
	}
	g.stop, g.events = nil, l.Events
	if f := g.fault; f != nil {
		g.fault = nil
		if err := g.inner.Fault(t, *f); err != nil {
			return stepper.Stop{}, err
		}
	}
	for {
		st, done, err := g.once(ctx, l)
		if err != nil || done {
			st.PC = g.Regs().Reg(g.Arch().PC)
			return st, err
		}
	}
}

// brisk tells whether a resume can do without all that one looks after: nothing
// has come up since the last one, whose run is parked.
func (g *Target) brisk(ctx context.Context, l *stepper.Limit) bool {
	t := g.t
	p := t.Proc
	if g.come || !g.held || t.Schedule() != nil || ctx != g.ctx || g.fault != nil || g.ended || t.status != nil || t.broken != nil ||
		!p.tracing.set || p.tracing.last != nil || p.Space.shared || p.cpu.ctx != nil || p.turns.wanted.Load() || p.group.Load() != nil || p.only.Load() != nil || !p.cpu.waits() {
		return false
	}
	return p.Arch.BreakIT == nil || p.Arch.State(p.cpu) == 0 || l.Insns == 1 && !g.inIT()
}

// inIT tells whether the next instruction is one that the library cannot be
// stopped behind.
func (g *Target) inIT() bool {
	a, cpu := g.t.Proc.Arch, g.t.Proc.cpu
	if a.State(cpu) == 0 {
		return false
	}
	i, err := g.Cache().Here(g)
	return err == nil && (i.Is(arch.IsIT) || i.IT != 0)
}

// ResumePlain implements stepper.Plain.
func (g *Target) ResumePlain(ctx context.Context, l *stepper.Limit) (stepper.Why, uint64, bool, error) {
	if !g.brisk(ctx, l) {
		return 0, 0, false, nil
	}
	cpu := g.t.Proc.cpu
	g.stop, g.events = nil, true
	if err := g.t.kernel.Pending(g.t); err != nil {
		return 0, 0, false, err
	}
	if g.stop != nil || g.t.status != nil || !cpu.waits() {
		g.later(g.tell())
		return 0, 0, false, nil
	}
	from := cpu.parked
	why, err := cpu.goOn(l)
	switch {
	case err != nil:
		return 0, 0, false, err
	case why == stepper.InsnLimit && cpu.parked != from, why == stepper.Address, why == stepper.TakenBranch:
		return why, cpu.parked, true, nil
	case l.Insns == 0:
		return 0, 0, false, g.cameTo(from, l)
	}
	return 0, 0, false, g.stepped(from, why == stepper.InsnLimit)
}

// later keeps a stop for the next resume, if there is one.
func (g *Target) later(st stepper.Stop, come bool) {
	st.PC = g.Regs().Reg(g.Arch().PC)
	g.rest, g.come = st, come
}

// stepped finds out what has come of an instruction at from beside its end, or
// instead.
func (g *Target) stepped(from uint64, done bool) error {
	cpu := g.t.Proc.cpu
	var err error
	if !done {
		why, exc := cpu.conclude(cpu.eng.Last(), 1)
		_, done, err = g.act(why, exc, stepper.Limit{Insns: 1}, from)
	}
	ran, again, err := g.judge(from, done, err)
	if again {
		ran, err = g.single(from)
	}
	if err != nil {
		return err
	}
	st, told := g.tell()
	if !told {
		st.Why = stepper.InsnLimit
	}
	g.later(st, told || ran)
	return nil
}

// cameTo finds out what has come of a run from from on that has not come to its
// limit.
func (g *Target) cameTo(from uint64, l *stepper.Limit) error {
	cpu := g.t.Proc.cpu
	why, exc := cpu.conclude(cpu.eng.Last(), 0)
	st, done, err := g.act(why, exc, *l, from)
	if err == nil && !done {
		st, done = g.tell()
	}
	g.later(st, done)
	return err
}

// under has the end of ctx wake the task from now on.
func (g *Target) under(ctx context.Context) {
	if g.unwatch != nil {
		g.unwatch()
	}
	g.ctx, g.unwatch = ctx, nil
	g.t.ctx.Store(&ctx)
	if ctx.Done() != nil {
		g.unwatch = context.AfterFunc(ctx, g.t.Wake)
	}
}

// once goes to user mode and back unless there is something to tell before.
func (g *Target) once(ctx context.Context, l stepper.Limit) (stepper.Stop, bool, error) {
	t := g.t
	if !l.Hold {
		if t.Proc.turns.over() && (l.Settle || l.Insns != 0 || len(l.Stops) != 0 || !l.Events) {
			// Other threads must not meet what a step has left in memory.
			t.Yield()
		}
		if s := t.Proc.Group(); s != nil {
			t.End(*s)
		} else if t.Proc.Over(t) {
			t.End(Status{})
		}
		if t.broken != nil {
			return stepper.Stop{}, false, t.broken
		}
	}
	if !l.Hold && t.status == nil {
		if err := t.kernel.Pending(t); err != nil {
			return stepper.Stop{}, false, err
		}
	}
	if st, ok := g.tell(); ok {
		return st, true, nil
	}
	if l.Settle {
		return stepper.Stop{Why: stepper.Settled}, true, nil
	}
	if err := ctx.Err(); err != nil {
		return stepper.Stop{}, false, err
	}
	var st stepper.Stop
	var done bool
	var err error
	if l.Insns != 0 {
		st, done, err = g.insns(l)
	} else {
		st, done, err = g.runTo(stepper.Limit{Stops: l.Stops, Past: l.Past, Taken: l.Taken})
	}
	if err != nil || done {
		return st, done, err
	}
	st, done = g.tell()
	return st, done, nil
}

// tell is what the resume has come to by events.
func (g *Target) tell() (stepper.Stop, bool) {
	t := g.t
	if t.status != nil {
		g.ended = true
		if g.unwatch != nil {
			g.unwatch()
		}
		t.exit()
		t.release(true)
		return stepper.Stop{Why: stepper.Exited, Code: t.status.Wait()}, true
	}
	if g.stop != nil {
		return *g.stop, true
	}
	return stepper.Stop{}, false
}

// run runs up to a stop of the engine and acts on it. It is false if the run
// is to go on.
func (g *Target) run(l stepper.Limit) (stepper.Stop, bool, error) {
	t := g.t
	cpu, tr := t.Proc.cpu, t.Proc.tracing
	if err := tr.start(t); err != nil {
		return stepper.Stop{}, false, err
	}
	start := cpu.Reg(g.Arch().PC)
	why, exc, err := t.run(l, g.plants...)
	if err != nil {
		return stepper.Stop{}, false, err
	}
	return g.act(why, exc, l, start)
}

// act acts on the stop of a run from start on.
func (g *Target) act(why stepper.Why, exc arch.Exception, l stepper.Limit, start uint64) (stepper.Stop, bool, error) {
	t := g.t
	cpu, tr := t.Proc.cpu, t.Proc.tracing
	if why == stepper.Exception {
		err := t.exception(exc)
		if err != nil || g.stop != nil || t.status != nil {
			return stepper.Stop{}, false, err
		}
		// An instruction that the kernel has emulated may lead to a stop, which
		// the engine would run over.
		at := g.Regs().Reg(g.Arch().PC)
		_, found := slices.BinarySearch(l.Stops, at)
		return stepper.Stop{Why: stepper.Address}, found && at != start, nil
	}
	if err := tr.stopped(cpu, why, cpu.between); err != nil {
		return stepper.Stop{}, false, err
	}
	switch why {
	case stepper.InsnLimit, stepper.Address, stepper.TakenBranch:
		return stepper.Stop{Why: why}, true, nil
	case planted:
		return stepper.Stop{Why: stepper.Address}, slices.Contains(g.plants, g.Regs().Reg(g.Arch().PC)), nil
	}
	return stepper.Stop{}, false, nil
}

// DropReservation implements stepper.Reserver.
func (g *Target) DropReservation() error { return g.t.Proc.cpu.dropReservation() }

// Plant implements stepper.Planter.
func (g *Target) Plant(at uint64, code []byte) bool {
	ok := g.t.Proc.cpu.plant(at, code)
	if ok {
		g.plants = append(g.plants, at)
	}
	return ok
}

// Lift implements stepper.Planter.
func (g *Target) Lift(at uint64) {
	if k := slices.Index(g.plants, at); k >= 0 {
		g.plants = slices.Delete(g.plants, k, k+1)
	}
	g.t.Proc.cpu.eng.Lift(at)
}

// runTo is run, exact in IT blocks of Thumb too, which the library cannot stop
// in: the instructions of one are run one by one, if there is a stop in it.
func (g *Target) runTo(l stepper.Limit) (stepper.Stop, bool, error) {
	a, cpu := g.Arch(), g.t.Proc.cpu
	if a.BreakIT == nil || len(l.Stops) == 0 || a.State(cpu) == 0 {
		return g.run(l)
	}
	for {
		i, err := a.Insn(cpu, cpu)
		if err != nil || !i.Is(arch.IsIT) && i.IT == 0 {
			break
		}
		if ran, err := g.insn(); err != nil || !ran || g.stop != nil || g.t.status != nil {
			return stepper.Stop{}, false, err
		}
		if _, ok := slices.BinarySearch(l.Stops, cpu.Reg(a.PC)); ok {
			return stepper.Stop{Why: stepper.Address}, true, nil
		}
	}
	all := g.blocksOf(l.Stops)
	st, done, err := g.run(stepper.Limit{Stops: all, Past: l.Past, Taken: l.Taken})
	if done && st.Why == stepper.Address && len(all) != len(l.Stops) {
		_, done = slices.BinarySearch(l.Stops, cpu.Reg(a.PC))
	}
	return st, done, err
}

// blocksOf adds to stops the IT instructions of the blocks that they lie in.
func (g *Target) blocksOf(stops []uint64) []uint64 {
	a, cpu := g.Arch(), g.t.Proc.cpu
	all := stops
	for _, at := range stops {
		for back := uint64(2); back <= 14; back += 2 {
			i, err := a.Decode(cpu, cpu, at-back)
			if err != nil || !i.Is(arch.IsIT) {
				continue
			}
			for err == nil && i.PC < at {
				i, err = a.Follow(i, cpu)
			}
			if err == nil && i.PC == at && i.IT != 0 {
				all = append(slices.Clip(all), at-back)
			}
		}
	}
	if len(all) != len(stops) {
		slices.Sort(all)
	}
	return all
}

// insns runs a number of instructions one by one.
func (g *Target) insns(l stepper.Limit) (stepper.Stop, bool, error) {
	for range l.Insns {
		if ran, err := g.insn(); err != nil || !ran {
			return stepper.Stop{}, false, err
		}
		if g.stop != nil || g.t.status != nil {
			return stepper.Stop{}, false, nil
		}
	}
	return stepper.Stop{Why: stepper.InsnLimit}, true, nil
}

// insn runs one instruction. It is false if that did not come to its end.
func (g *Target) insn() (bool, error) {
	a, cpu := g.Arch(), g.t.Proc.cpu
	if a.BreakIT != nil && g.inIT() {
		i, err := a.Insn(cpu, cpu)
		if err != nil {
			return false, err
		}
		return g.slot(i)
	}
	return g.single(cpu.Reg(a.PC))
}

// single has the engine run one instruction. One that the kernel emulates
// counts, one that it has run again does not.
func (g *Target) single(pc uint64) (bool, error) {
	for {
		_, done, err := g.run(stepper.Limit{Insns: 1})
		if ran, again, err := g.judge(pc, done, err); !again {
			return ran, err
		}
	}
}

// judge tells whether an instruction at pc has come to its end by a run, or is to
// be run again.
func (g *Target) judge(pc uint64, done bool, err error) (ran, again bool, _ error) {
	switch {
	case err == nil && g.stop != nil && g.stop.Fetch && g.Regs().Reg(g.Arch().PC) != pc:
		// The branch is done; that there is nothing at its end comes next.
		g.fault, g.stop = nil, nil
		return true, false, nil
	case err != nil || g.stop != nil || g.t.status != nil:
		return false, false, err
	case g.Regs().Reg(g.Arch().PC) != pc || done && !g.t.again():
		return true, false, nil
	}
	return false, true, nil
}

// slot runs an instruction in an IT block of Thumb, which the library would run
// on from to the block's end: as the last one of a block of its own.
func (g *Target) slot(i arch.Insn) (bool, error) {
	a, cpu := g.Arch(), g.t.Proc.cpu
	// A branch at the end of a block makes the library forget to look for
	// stops in the A32 code that it translates next.
	if i.Is(arch.IsIT) || !a.Holds(i, cpu) || a.XOL(i).How == arch.MoveSimulate {
		if err := a.Simulate(i, cpu, g.User()); err == nil {
			return true, nil
		}
	}
	_, mend, err := a.Move(i, cpu, cpu, i.PC)
	if err != nil {
		return false, err
	}
	ran, err := g.single(i.PC)
	if err != nil || g.t.status != nil {
		return ran, err
	}
	signal := g.stop != nil && g.stop.Why == stepper.Signal
	if !signal && cpu.Reg(a.PC) != a.After(i).PC {
		return ran, nil // it has left the block
	}
	_, err = mend(signal)
	return ran, err
}
