package trace

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/internal/symbolize"
)

// Config says what to trace and where to.
type Config struct {
	Events Events
	Format Format
	Out    io.Writer // gets whole events at each write
	Prompt bool      // write at each stop of the guest
	// Shared takes the place of Out, Format, Prompt and Max: the output that tracers
	// of several processes have together.
	Shared *Shared

	// From and To are where tracing starts and ends: a symbol, symbol+offset or
	// address. It starts when From is about to be executed and ends before To,
	// again and again; without From it starts with the program.
	From, To string
	// Only are the code addresses of interest, all if it is empty: A-B, A+LENGTH
	// or SYMBOL+LENGTH, a symbol with all its size, or the path or base name of
	// a mapped file.
	Only []string
	// Max ends the trace after so many events; 0 is no bound.
	Max uint64
}

// Format is a form of the output.
type Format uint8

// The formats.
const (
	Text   Format = iota // a line an event
	JSONL                // a JSON object a line
	Binary               // see ReadPCs
)

// Tracer writes the trace of one process. Its methods are for the goroutine
// that runs the process, but for Line, Abandon and Insns.
type Tracer struct {
	mu sync.Mutex // held while the output may change

	cfg    Config
	proc   *emu.Process
	arch   *arch.Arch
	syms   *symbolize.Table
	regs   []arch.Reg
	filter filter
	out    output
	member *member // of a shared output, else nil
	format format

	blocks  []*block          // by the engine's id
	byPC    map[uint64]uint32 // ids of the blocks that can still be entered
	def     *block            // being defined
	missing int               // bytes of it

	cur       *block // entered last
	announced bool   // its event is out
	next      int    // instruction of it that comes next
	pending   int    // instruction that runs, with a record of its own; -1 for none
	shows     bool   // it is wanted
	mem       []access

	vals, shown [64]uint64 // registers, and as the trace has them
	changes     []change
	others      map[Task][64]uint64 // shown, of the tasks that do not run, in a shared output

	byBlock  bool // no record for each instruction is needed
	watching bool // only for where the trace starts
	quiet    bool // nothing was wanted since the last drain
	left     *atomic.Int64
	bounded  bool
	executed bool // the trace begins with the program's start
	over     bool // Max has been reached, or the trace is closed
	closed   bool
	insns    atomic.Uint64
}

// access is one memory access.
type access struct {
	addr, v uint64
	size    int
	write   bool
}

// change is a register's new value.
type change struct {
	reg int
	v   uint64
}

// New makes a tracer and, if there are events of the engine to trace, sets it
// as the process's. syms must be the process's. It returns an error for an
// address or symbol that cannot be.
func New(p *emu.Process, syms *symbolize.Table, c Config) (*Tracer, error) {
	f, err := newFilter(c, syms)
	if err != nil {
		return nil, err
	}
	t := &Tracer{cfg: c, proc: p, syms: syms, filter: f}
	t.left = newBudget(c.Max)
	if c.Shared != nil {
		t.left = c.Shared.left
	}
	t.begin()
	return t, t.out.err
}

// Fork makes the tracer of a process that t's process has made, which goes on with
// what t has come to: whether it is between From and To. Both must have a shared
// output. exec tells that p has just been given a program of its own.
func (t *Tracer) Fork(p *emu.Process, syms *symbolize.Table, exec bool) (*Tracer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := newFilter(t.cfg, syms)
	if err != nil {
		return nil, err
	}
	f.open = t.filter.open
	c := &Tracer{cfg: t.cfg, proc: p, syms: syms, filter: f, left: t.left, over: t.over, executed: exec}
	if !c.over {
		c.begin()
	}
	return c, c.out.err
}

// begin prepares a tracer and sets it as the process's.
func (t *Tracer) begin() {
	t.byPC, t.pending = map[uint64]uint32{}, -1
	t.bounded = t.left != nil
	t.byBlock = t.cfg.Events&(Mem|Reg) == 0
	t.out.w = t.cfg.Out
	if s := t.cfg.Shared; s != nil {
		t.cfg.Prompt, t.cfg.Format = true, s.format
		t.member = s.join(Task{t.proc.PID, t.proc.PID})
		t.out.w, t.others = t.member, map[Task][64]uint64{}
	}
	t.format = newFormat(t)
	t.setArch(t.proc.Arch)
	t.filter.refresh()
	t.start(!t.filter.open)
}

// Process is the process that is traced.
func (t *Tracer) Process() *emu.Process { return t.proc }

// setArch starts over with a program of architecture a.
func (t *Tracer) setArch(a *arch.Arch) {
	t.arch, t.regs = a, emu.TraceRegisters(a)
	t.blocks, t.cur, t.def, t.pending = nil, nil, nil, -1
	clear(t.byPC)
	clear(t.vals[:])
	t.format.start(a, t.regs)
}

// start sets the process's trace: to all that is wanted or, with watch, to the
// little that tells when tracing starts.
func (t *Tracer) start(watch bool) {
	if t.cfg.Events&(Insn|Block|Mem|Reg) == 0 {
		return
	}
	tr := &emu.Trace{Sink: t.Sink}
	t.watching = watch && !t.byBlock
	switch {
	case t.watching:
		tr.Watch = t.filter.watch()
	case !t.byBlock:
		tr.Kinds = emu.TraceInsns
		if t.cfg.Events&Mem != 0 {
			tr.Kinds |= emu.TraceMem
		}
		if t.cfg.Events&Reg != 0 {
			tr.Kinds |= emu.TraceRegs
			clear(t.vals[:])
		}
	}
	t.proc.SetTrace(tr)
}

// Mapped looks at the mappings again: it must be called when the kernel may
// have mapped files, for names of code that come with them.
func (t *Tracer) Mapped() {
	if t.filter.refresh() && t.watching && !t.over {
		t.start(true)
	}
}

// Insns is how many instructions have been seen to run since the trace began.
func (t *Tracer) Insns() uint64 { return t.insns.Load() }

// Unresolved are the names of Config that no code had.
func (t *Tracer) Unresolved() []string { return t.filter.unresolved() }

// Line adds a line of a task that others have made: of a system call, if that is
// wanted and between From and To, or of a signal or the program's end. Any
// goroutine may call it.
func (t *Tracer) Line(of Task, kind Events, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.member; m != nil {
		t.out.flush()
		was := m.task
		m.task = of
		defer func() { m.task = was }()
	}
	if !t.over && t.cfg.Events&kind != 0 && (t.filter.open || kind == Signal) && t.take() {
		t.format.line(kind, text)
		if t.cfg.Prompt || t.over {
			t.out.flush()
		}
	}
	return t.out.err
}

// Close ends the trace and writes what has been kept back.
func (t *Tracer) Close() error {
	t.proc.SetTrace(nil)
	return t.Abandon()
}

// Abandon is Close for a process that may still be running: what it does from
// now on is not traced. Any goroutine may call it.
func (t *Tracer) Abandon() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.out.err
	}
	if !t.over {
		t.finish()
	}
	t.over, t.closed = true, true
	if t.out.err == nil && t.member == nil && t.format != nil {
		t.format.end()
	}
	return t.out.flush()
}

// count counts instructions. Only one goroutine does, so that a load and a
// store are enough.
func (t *Tracer) count(n int) { t.insns.Store(t.insns.Load() + uint64(n)) }

// take counts an event and tells whether it is within Max.
func (t *Tracer) take() bool {
	if !t.bounded {
		return true
	}
	n := t.left.Add(-1)
	if n <= 0 {
		t.stop()
	}
	return n >= 0
}

func (t *Tracer) stop() {
	if !t.over {
		t.over = true
		t.proc.SetTrace(nil)
	}
}

// Sink takes the records of the process.
func (t *Tracer) Sink(rs []emu.TraceRecord) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return nil
	}
	t.quiet = true
	for i := range rs {
		r := &rs[i]
		if r.Kind == emu.TraceBlock {
			if t.cur != nil {
				t.finish()
			}
			t.cur, t.next, t.announced = t.blocks[r.ID], 0, false
			continue
		}
		t.record(r)
	}
	if t.cfg.Prompt || t.over || len(t.out.buf) >= flushAt {
		t.out.flush()
	}
	if t.quiet && !t.byBlock && !t.watching && !t.over && !t.filter.open && len(rs) > 1000 {
		t.start(true)
	}
	return t.out.err
}

// record takes one record that is not of a block.
func (t *Tracer) record(r *emu.TraceRecord) {
	switch r.Kind {
	case emu.TraceDef:
		t.define(r)
	case emu.TraceCode:
		t.code(r)
	case emu.TraceBlocks:
		t.passes(r.IDs())
	case emu.TraceInsn:
		t.insn(r)
	case emu.TraceReg:
		t.vals[r.ID&63] = r.V & emu.RegMask(t.regs[r.ID])
	case emu.TraceRead, emu.TraceWrite:
		if t.pending >= 0 {
			t.mem = append(t.mem, access{addr: t.arch.Addr(r.A), v: r.V, size: int(r.Size), write: r.Kind == emu.TraceWrite})
		}
	case emu.TraceCut:
		t.cut(r)
	case emu.TraceEnd:
		t.finish()
	case emu.TraceTask:
		t.turn(Task{int(r.A), int(r.V)})
	case emu.TraceExec:
		t.setArch(t.proc.Arch)
	case emu.TraceWatch:
		t.finish()
		t.start(false)
	}
}

// turn notes which task runs from now on. What a shared output has of registers
// it has of each task.
func (t *Tracer) turn(to Task) {
	if t.member == nil || t.member.task == to {
		return
	}
	t.finish()
	t.out.flush()
	t.others[t.member.task] = t.shown
	t.shown = t.others[to]
	t.member.task = to
}

// define makes a block. The one that was at its place cannot be entered again.
func (t *Tracer) define(r *emu.TraceRecord) {
	pc := t.arch.Addr(r.A)
	state := uint8(r.V)
	b := &block{pc: pc, code: make([]byte, 0, r.Size), state: state, it: uint8(r.V >> 8)}
	b.isa = disasm.ISA(t.arch.Code.ISA(state))
	for uint32(len(t.blocks)) <= r.ID {
		t.blocks = append(t.blocks, nil)
	}
	if id, ok := t.byPC[pc]; ok {
		t.blocks[id] = nil
	}
	t.byPC[pc] = r.ID
	t.blocks[r.ID] = b
	t.def, t.missing = b, int(r.Size)
}

func (t *Tracer) code(r *emu.TraceRecord) {
	var w [16]byte
	binary.NativeEndian.PutUint64(w[:], r.A)
	binary.NativeEndian.PutUint64(w[8:], r.V)
	n := min(t.missing, len(w))
	t.def.code = append(t.def.code, w[:n]...)
	if t.missing -= n; t.missing == 0 {
		t.filter.mark(t.def)
	}
}

// passes takes blocks that were entered one after the other. All but the last
// ran whole.
func (t *Tracer) passes(ids []uint32) {
	if t.cur != nil {
		t.finish()
	}
	last := len(ids) - 1
	if t.byBlock && !t.bounded && t.filter.always() {
		t.format.passes(ids[:last])
	} else {
		for _, id := range ids[:last] {
			t.cur, t.announced = t.blocks[id], false
			t.finish()
		}
	}
	t.cur, t.next, t.announced = t.blocks[ids[last]], 0, false
}

// insn takes the record of an instruction that is about to run.
func (t *Tracer) insn(r *emu.TraceRecord) {
	b := t.cur
	if b == nil {
		return
	}
	i, _ := b.find(t.arch.Addr(r.A))
	t.settle()
	t.skip(i)
	t.pending, t.next = i, i+1
	if t.shows = !t.watching && t.filter.wants(b, i); t.shows {
		t.announce(b)
		if l := t.diff(); len(l) > 0 && t.take() {
			t.format.regs(l)
		}
	}
}

// skip takes the instructions up to i that ran with no record: those of an IT
// block whose condition did not hold.
func (t *Tracer) skip(i int) {
	for ; t.next < i; t.next++ {
		t.count(1)
		if !t.watching && t.filter.wants(t.cur, t.next) && t.announce(t.cur) && t.cfg.Events&Insn != 0 && t.take() {
			t.format.insn(t.cur, t.next, nil)
		}
	}
}

// settle ends the instruction that was running: what it did is known.
func (t *Tracer) settle() {
	if t.pending < 0 {
		return
	}
	i := t.pending
	t.pending = -1
	t.count(1)
	if t.shows {
		t.quiet = false
		l := t.diff()
		switch {
		case t.over:
		case t.cfg.Events&Insn != 0:
			if t.take() {
				t.format.insn(t.cur, i, l)
			}
		case len(l) > 0 && t.take():
			t.format.regs(l)
		}
		for _, m := range t.mem {
			if !t.over && t.take() {
				t.format.access(t.cur.pcOf(i), m)
			}
		}
	}
	t.mem = t.mem[:0]
}

// diff lists the registers that are not as the trace has them.
func (t *Tracer) diff() []change {
	t.changes = t.changes[:0]
	if t.cfg.Events&Reg == 0 {
		return nil
	}
	for i := range t.regs {
		if t.vals[i] != t.shown[i] {
			t.shown[i] = t.vals[i]
			t.changes = append(t.changes, change{i, t.vals[i]})
		}
	}
	return t.changes
}

// announce writes the event of a block, once.
func (t *Tracer) announce(b *block) bool {
	if t.cfg.Events&Block != 0 && !t.announced && t.take() {
		t.format.enter(b)
	}
	t.announced = true
	return !t.over
}

// finish ends the block that was entered last: it has run whole.
func (t *Tracer) finish() {
	b := t.cur
	if b == nil {
		return
	}
	t.cur = nil
	if !t.byBlock {
		t.cur = b
		t.settle()
		if !t.watching {
			t.skip(b.n())
		}
		t.cur = nil
		return
	}
	if t.filter.open && !b.edges && !t.bounded {
		if b.none {
			return
		}
		t.format.whole(b)
		t.count(b.insns)
		if len(t.out.buf) >= flushAt {
			t.out.flush()
		}
		return
	}
	t.part(b, b.n())
}

// part writes the first n instructions of a block.
func (t *Tracer) part(b *block, n int) {
	from := 0
	for i := range n {
		if t.over {
			n = i
			break
		}
		t.count(1)
		if t.filter.wants(b, i) {
			if i == 0 {
				t.announce(b)
			}
			if t.cfg.Events&Insn == 0 || !t.over && t.take() {
				continue
			}
		}
		t.span(b, from, i)
		from = i + 1
	}
	t.span(b, from, n)
	t.announced = false
}

func (t *Tracer) span(b *block, i, j int) {
	if i < j && t.cfg.Events&Insn != 0 {
		t.format.run(b, i, j)
	}
}

// cut ends the block that was entered last before its end.
func (t *Tracer) cut(r *emu.TraceRecord) {
	b := t.cur
	if b == nil {
		return
	}
	n, exact := b.find(t.arch.Addr(r.A))
	if exact && r.Size != emu.CutBefore {
		n++
	}
	if t.byBlock {
		t.cur = nil
		t.part(b, n)
		return
	}
	if r.Size == emu.CutAccess {
		t.dropAccess(r.V)
	}
	if t.pending >= n {
		// It runs again. What it has changed shows with that.
		t.pending, t.mem = -1, t.mem[:0]
	}
	t.settle()
	t.skip(n)
	t.cur = nil
}

// dropAccess forgets the access that faulted at addr: it was noted before it
// was tried.
func (t *Tracer) dropAccess(addr uint64) {
	if n := len(t.mem); n > 0 {
		if m := t.mem[n-1]; m.write && addr-m.addr < uint64(m.size) {
			t.mem = t.mem[:n-1]
		}
	}
}

// flushAt is how many bytes of output are kept back.
const flushAt = 1 << 18

// output collects bytes for a writer. After an error it drops them.
type output struct {
	w   io.Writer
	buf []byte
	err error
}

// flush writes what there is.
func (o *output) flush() error {
	if o.err == nil && len(o.buf) > 0 {
		n, err := o.w.Write(o.buf)
		if err == nil && n < len(o.buf) {
			err = io.ErrShortWrite
		}
		o.err = err
	}
	o.buf = o.buf[:0]
	return o.err
}

// ErrFormat is returned for a file that is no binary trace.
var ErrFormat = errors.New("trace: not a binary trace")
