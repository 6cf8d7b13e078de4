package emu

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
	"github.com/utemu/utemu/regset"
	"github.com/utemu/utemu/stepper"
)

// Options are choices about the engine.
type Options struct {
	Stock bool // do without the shim that makes the stock library fast
	// Warn gets a line when the guest's results can be trusted no more. Nil
	// drops it.
	Warn func(line string)
	// Schedule is that of the machine; nil lets tasks run freely.
	Schedule *Schedule
}

// CPU is the processor of a process as its tasks see it: registers, memory,
// and running. It implements arch.CPU.
type CPU struct {
	*Space
	arch  *arch.Arch
	model *arch.Model
	opts  Options
	eng   *uc.Engine
	bare  bare

	parked  uint64  // the PC of the engine's run, if it is parked
	calling bool    // it is parked at a system call, parked is what comes behind
	core    uc.File // the core registers, in the order of Arch.Regs
	valid   bool    // core has the engine's values, or newer ones
	some    uint64  // where it has not: those of them that it has, by bits
	between bool    // the last run ended with the block entered last run to its end
	index   []int16
	soft    []uint64 // by index: registers that only the kernel keeps

	// The saved context that hidden registers were last looked up in, nil if the
	// engine has gone on since, and whether it has newer values than the engine.
	ctx      []byte
	ctxDirty bool
}

func newCPU(a *arch.Arch, m *arch.Model, s *Space, o Options) (*CPU, error) {
	eng, err := uc.Open(uc.Config{Arch: a.Engine.Arch, Mode: a.Engine.Mode, Model: m.UC, Stock: o.Stock})
	if err != nil {
		return nil, fmt.Errorf("emu: %s: %w", a.Name, err)
	}
	if a.Core > 64 {
		return nil, fmt.Errorf("emu: %s: more than 64 core registers", a.Name)
	}
	c := &CPU{Space: s, arch: a, model: m, opts: o, eng: eng, soft: make([]uint64, len(a.Regs)), core: uc.File{IDs: make([]int32, a.Core), Vals: make([]uint64, a.Core)}}
	for i, r := range a.Regs {
		if i < a.Core {
			c.core.IDs[i] = int32(r.UC)
		}
		for len(c.index) <= int(r.ID) {
			c.index = append(c.index, -1)
		}
		c.index[r.ID] = int16(i)
	}
	c.bare.eng = eng
	if o.Schedule != nil && !eng.Determine(o.Schedule.seed) && o.Warn != nil {
		o.Warn("this libunicorn lets instructions read the machine's clock and random numbers: runs need not be alike")
	}
	if err := a.Engine.Boot(&c.bare, m); err != nil {
		c.close()
		return nil, fmt.Errorf("emu: %s: start of CPU %s: %w", a.Name, m.Name, err)
	}
	s.regions.eng = eng
	return c, nil
}

func (c *CPU) close() error {
	c.Space.regions.eng = nil
	return errors.Join(c.eng.Close(), c.bare.release())
}

// Stock tells whether the engine runs without the shim, and why.
func (c *CPU) Stock() (bool, string) { return c.eng.Stock() }

// load fetches the core registers from the engine.
func (c *CPU) load() {
	if c.valid {
		return
	}
	var known [64]uint64
	copy(known[:], c.core.Vals)
	c.eng.Regs(c.core.IDs, c.core.Vals)
	for s := c.some; s != 0; s &= s - 1 { // the engine may have older ones
		i := bits.TrailingZeros64(s)
		c.core.Vals[i] = known[i]
	}
	c.valid, c.some = true, 0
}

// forget drops what is known of registers, because the engine has others.
func (c *CPU) forget() {
	c.valid, c.some, c.core.Dirty = false, 0, 0
	c.ctx, c.ctxDirty = nil, false
}

// flush gives changed core registers to the engine, for those who look into
// it; a run takes them along.
func (c *CPU) flush() {
	c.settle()
	pc := int(c.index[c.arch.PC])
	for i, id := range c.core.IDs {
		if c.core.Dirty&(1<<i) == 0 {
			continue
		}
		v := c.core.Vals[i]
		if f := c.arch.Engine.PC; i == pc && f != nil {
			v = f(c) // the library takes the state of the CPU from it
		}
		// A core register is one that the engine has.
		_ = c.eng.SetReg(int(id), v)
	}
	c.core.Dirty = 0
}

func (c *CPU) reg(id regset.ID) int {
	if int(id) >= len(c.index) {
		return -1
	}
	return int(c.index[id])
}

// Reg implements regset.Regs.
func (c *CPU) Reg(id regset.ID) uint64 {
	i := c.reg(id)
	switch {
	case i < 0:
		return 0
	case i < c.arch.Core:
		if !c.valid && c.some&(1<<i) == 0 {
			c.core.Asked |= 1 << i // by a system call, so another may follow
			c.load()
		}
		return c.core.Vals[i]
	}
	switch r := &c.arch.Regs[i]; r.UC {
	case arch.UCHidden:
		return c.hiddenReg(id)
	case arch.UCSoft:
		return c.soft[i]
	default:
		return c.eng.Reg(r.UC)
	}
}

// SetReg implements regset.Regs.
func (c *CPU) SetReg(id regset.ID, v uint64) {
	i := c.reg(id)
	switch {
	case i < 0:
	case i < c.arch.Core:
		if c.arch.Regs[i].Bits == 32 {
			v &= 0xffffffff
		}
		c.core.Vals[i] = v
		c.core.Dirty |= 1 << i
		c.some |= 1 << i
	case c.arch.Regs[i].UC == arch.UCHidden:
		c.setHiddenReg(id, v)
	case c.arch.Regs[i].UC == arch.UCSoft:
		c.soft[i] = v
	default:
		c.settle()
		// A register the engine refuses is one the CPU does not have.
		_ = c.eng.SetReg(c.arch.Regs[i].UC, v)
	}
}

// Bytes implements regset.Regs.
func (c *CPU) Bytes(id regset.ID, p []byte) {
	i := c.reg(id)
	if i >= c.arch.Core && c.arch.Regs[i].Bits > 64 {
		c.guestOrder(p, c.wide(i))
		return
	}
	v := c.Reg(id)
	for j := range p {
		k := j
		if c.bigEndian() {
			k = len(p) - 1 - j
		}
		if k < 8 {
			p[j] = byte(v >> (8 * k))
		} else {
			p[j] = 0
		}
	}
}

// SetBytes implements regset.Regs.
func (c *CPU) SetBytes(id regset.ID, p []byte) {
	i := c.reg(id)
	if i >= c.arch.Core && c.arch.Regs[i].Bits > 64 {
		b := c.wide(i)
		c.hostOrder(b, p)
		c.setWide(i, b)
		return
	}
	var v uint64
	for j := range p {
		k := j
		if c.bigEndian() {
			k = len(p) - 1 - j
		}
		if k < 8 {
			v |= uint64(p[j]) << (8 * k)
		}
	}
	c.SetReg(id, v)
}

// wide reads a register wider than 64 bits, little-endian as the host keeps it.
func (c *CPU) wide(i int) []byte {
	r := &c.arch.Regs[i]
	b := make([]byte, (r.Bits+7)/8)
	if r.UC == arch.UCHidden {
		if places := c.hidden(r.ID); places != nil {
			copy(b, hiddenBytes(places, c.context()))
		}
	} else if c.eng.RegBytes(r.UC, b) != nil {
		clear(b)
	}
	return b
}

// setWide writes a register wider than 64 bits. One that the engine refuses
// is one that the CPU does not have.
func (c *CPU) setWide(i int, b []byte) {
	r := &c.arch.Regs[i]
	if r.UC != arch.UCHidden {
		c.settle()
		_ = c.eng.SetRegBytes(r.UC, b)
		return
	}
	if places := c.hidden(r.ID); places != nil {
		copy(hiddenBytes(places, c.context()), b)
		c.ctxDirty = true
	}
}

func (c *CPU) bigEndian() bool { return c.arch.Order.Uint16([]byte{0, 1}) == 1 }

// guestOrder puts the low bytes of b, which is little-endian as the engine
// gives wide registers, into p in the guest's order.
func (c *CPU) guestOrder(p, b []byte) {
	clear(p)
	n := copy(p, b)
	if c.bigEndian() {
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
	}
}

func (c *CPU) hostOrder(b, p []byte) {
	n := copy(b, p)
	if c.bigEndian() {
		for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

// Model implements arch.CPU.
func (c *CPU) Model() *arch.Model { return c.model }

// Own implements arch.CPU.
func (c *CPU) Own() arch.Memory { return &c.bare }

// DropCode implements arch.CPU.
func (c *CPU) DropCode(addr, size uint64) {
	c.eng.DropCode(addr, size)
	c.aliasWritten(addr, addr+size)
}

// planted is the cause of a stop before a breakpoint of plant.
const planted = stepper.Why(0xfe)

// run goes to user mode until a stop and says why it stopped. Breakpoints of
// plant stop it that are its own; others it meets as instructions, next time.
func (c *CPU) run(l stepper.Limit, own ...uint64) (stepper.Why, arch.Exception, error) {
	c.settle()
	if c.Space.shared {
		together.enter(c)
		defer together.leave()
	}
	pc := c.Reg(c.arch.PC)
	st, err := c.enter(uc.Limit{Insns: l.Insns, Stops: l.Stops, Past: l.Past, Taken: l.Taken})
	if err != nil {
		c.forget()
		return 0, arch.Exception{}, fmt.Errorf("emu: %s engine at %#x: %w", c.arch.Name, pc, err)
	}
	why, exc := c.conclude(st, l.Insns)
	if why == planted && !slices.Contains(own, st.PC) {
		c.eng.Real() // it is for others too
	}
	return why, exc, nil
}

// conclude says what a run has come to.
func (c *CPU) conclude(st uc.Stop, insns uint64) (stepper.Why, arch.Exception) {
	if c.opts.Warn != nil && c.eng.WrongFloat() {
		c.opts.Warn("this libunicorn computes wrong floating point results for 64-bit PowerPC: 2.1 does not")
		c.opts.Warn = nil
	}
	c.between = st.Between
	e, why := exception(st)
	if st.Kind == uc.KindInterrupt && insns != 0 && st.Insns >= insns {
		why = stepper.InsnLimit // which came at the same border
	}
	if why != stepper.Exception {
		c.stopped(st.PC)
	}
	return why, e
}

// waits tells whether the engine's run is parked and can go on: nothing that it
// knows has been changed.
func (c *CPU) waits() bool {
	i := c.index[c.arch.PC]
	return c.eng.Parked() && c.core.Dirty&^(1<<i) == 0 && c.core.Vals[i] == c.parked
}

// goOn is a run where waits is true. Where it does not come to its limit, and
// stay parked there, it is Exception: conclude then says what Last of the engine
// is.
func (c *CPU) goOn(l *stepper.Limit) (stepper.Why, error) {
	kind, pc, err := c.eng.GoOn(uc.Limit{Insns: l.Insns, Stops: l.Stops, Past: l.Past, Taken: l.Taken}, &c.core)
	c.core.Dirty = 0
	c.valid, c.some = true, 0
	why := stepper.Exception
	switch {
	case err != nil || !c.eng.Parked():
		return why, err
	case kind == uc.KindLimit:
		why = stepper.InsnLimit
	case kind == uc.KindBreak:
		why = stepper.Address
	case kind == uc.KindTaken:
		why = stepper.TakenBranch
	default:
		return why, nil
	}
	c.stopped(pc)
	return why, nil
}

// plant writes a breakpoint instruction to private memory, so that the engine
// stops before it and does not run it.
func (c *CPU) plant(at uint64, code []byte) bool {
	end := at + uint64(len(code))
	v := c.Space.Find(at)
	if v == nil || v.bare || end > v.End || v.Flags&MapShared != 0 || at>>chunkBits != (end-1)>>chunkBits {
		return false
	}
	if _, err := c.Space.ReadAt(make([]byte, len(code)), at); err != nil {
		return false
	}
	return c.eng.Plant(at, c.Space.host.slice(at, end), code)
}

// enter runs the engine, from where it is parked if it can.
func (c *CPU) enter(l uc.Limit) (st uc.Stop, err error) {
	i := c.index[c.arch.PC]
	if c.waits() && (l.Insns != 0 || len(l.Stops) != 0 || l.Taken || c.eng.Planted()) {
		st, err = c.eng.ContinueFile(l, &c.core)
	} else {
		pc := c.Reg(c.arch.PC)
		on := c.calling && pc == c.parked
		if f := c.arch.Engine.PC; f != nil {
			on = on && c.core.Dirty&(1<<c.index[c.arch.Engine.Status]) == 0
			pc = f(c)
		}
		c.core.Dirty &^= 1 << i // the run starts there
		st, err = c.eng.RunFile(pc, l, &c.core, on)
	}
	c.core.Dirty, c.calling = 0, false
	c.valid, c.some = true, 0
	if c.eng.AtException() {
		c.core.Vals[i] = st.PC
		c.valid, c.some = false, c.core.Asked|1<<i
	}
	return st, err
}

// called notes that the engine's last run has come to a system call, behind
// which it goes on at pc.
func (c *CPU) called(pc uint64) {
	c.SetReg(c.arch.PC, pc)
	c.parked, c.calling = pc, c.eng.AtException()
}

// stopped notes where a run has stopped. Of a parked one the other registers
// are not fetched before somebody asks for them.
func (c *CPU) stopped(pc uint64) {
	i := c.index[c.arch.PC]
	c.core.Vals[i] = pc
	if !c.eng.Parked() {
		c.core.Dirty |= 1 << i
		return
	}
	c.parked = pc
	c.valid, c.some = false, 1<<i
	if c.arch.Engine.PC != nil {
		i := c.index[c.arch.Engine.Status]
		c.core.Vals[i] = c.eng.Status()
		c.some |= 1 << i
	}
}

// exception translates the engine's stop record.
func exception(st uc.Stop) (arch.Exception, stepper.Why) {
	e := arch.Exception{No: st.Intno, PC: st.PC, Addr: st.Addr, Size: st.Size, Access: arch.Prot(st.Access)}
	switch st.Kind {
	case uc.KindIntr:
		e.Kind = arch.ExcIntr
	case uc.KindSyscallInsn:
		e.Kind = arch.ExcSyscall
	case uc.KindSysenter:
		e.Kind = arch.ExcSysenter
	case uc.KindInOut:
		e.Kind = arch.ExcIO
	case uc.KindInvalid:
		e.Kind = arch.ExcInvalid
	case uc.KindMem:
		e.Kind = arch.ExcMem
	case uc.KindLimit:
		return e, stepper.InsnLimit
	case uc.KindBreak:
		return e, stepper.Address
	case uc.KindTaken:
		return e, stepper.TakenBranch
	case uc.KindRingFull:
		return e, stepper.TraceFull
	case uc.KindWatch:
		return e, watched
	case uc.KindPlanted:
		return e, planted
	default:
		return e, stepper.Interrupted
	}
	return e, stepper.Exception
}

// EngineVersion is the version of libunicorn that the engine uses.
func EngineVersion() string { return uc.VersionString() }

// StartNoFile is the soft limit of open files that this process was started
// with, false if it is not known.
func StartNoFile() (uint64, bool) { return uc.StartNoFile() }
