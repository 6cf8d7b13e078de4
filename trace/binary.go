package trace

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
)

// Magic begins a binary trace.
const Magic = "utemutr1"

// Tokens of a binary trace: unsigned varints. One of tokSpan or more says that
// the span of that number, counted from tokSpan on in the order of their
// definitions, was run.
const (
	tokDef   = iota // a span of code: pc, instruction set, ITSTATE, size, bytes
	tokRead         // address, size, value; by the last instruction before it
	tokWrite        // as tokRead
	tokRegs         // n, then n times register and value: done by the last instruction before it
	tokState        // as tokRegs, done by the kernel or before the trace began
	tokLine         // an event's bit, length and text of a line
	tokExec         // a new program: name of the architecture, n, names of n registers
	tokBlock        // a block was entered: address, size
	tokEnd          // nothing follows
	tokTask         // numbers of spans as the n-th of several tracers defines them, pid, tid: of what follows
	tokSpan  = 16
)

// binaryFormat writes spans of code as numbers.
type binaryFormat struct {
	t       *Tracer
	next    uint64
	started bool
	quick   []quick // by the engine's ids
}

func (f *binaryFormat) put(v uint64) { f.t.out.buf = binary.AppendUvarint(f.t.out.buf, v) }

func (f *binaryFormat) bytes(s []byte) {
	f.put(uint64(len(s)))
	f.t.out.buf = append(f.t.out.buf, s...)
}

func (f *binaryFormat) start(a *arch.Arch, regs []arch.Reg) {
	if !f.started {
		f.started = true
		f.t.out.buf = append(f.t.out.buf, Magic...)
	}
	f.quick = nil
	f.put(tokExec)
	f.bytes([]byte(a.Name))
	f.put(uint64(len(regs)))
	for _, r := range regs {
		f.bytes([]byte(r.Name))
	}
}

// define gives instructions i to j-1 of a block a number.
func (f *binaryFormat) define(b *block, i, j int) uint64 {
	it := b.it
	for k := range i {
		it = nextIT(b.isa, b.bytes(k), it)
	}
	f.put(tokDef)
	f.put(b.pcOf(i))
	f.put(uint64(b.isa))
	f.put(uint64(it))
	f.bytes(b.code[b.off[i]:b.off[j]])
	f.next++
	return f.next - 1
}

// token is the number of instructions i to j-1 of a block.
func (f *binaryFormat) token(b *block, i, j int) uint64 {
	k := [2]int{i, j}
	tok, ok := b.spans[k]
	if !ok {
		tok = f.define(b, i, j)
		if b.spans == nil {
			b.spans = map[[2]int]uint64{}
		}
		b.spans[k] = tok
	}
	return tok
}

func (f *binaryFormat) whole(b *block) {
	switch {
	case b.again:
		f.t.out.buf = append(f.t.out.buf, b.lines...)
	case b.token != 0:
		f.put(b.token)
	case b.wanted == nil && f.t.cfg.Events&Block == 0:
		b.insns = b.n()
		b.token = f.token(b, 0, b.n())
		f.put(b.token)
	case b.insns == 0:
		b.insns = b.n()
		f.pieces(b)
	default:
		// All spans have numbers since the first time: it is the same from now on.
		n := len(f.t.out.buf)
		f.pieces(b)
		b.lines, b.again = append(b.lines, f.t.out.buf[n:]...), true
	}
}

func (f *binaryFormat) passes(ids []uint32) {
	o, n := &f.t.out, uint64(0)
	for len(f.quick) < len(f.t.blocks) {
		f.quick = append(f.quick, quick{})
	}
	for len(ids) > 0 {
		if o.buf = slices.Grow(o.buf, 5*len(ids)); o.err != nil {
			o.buf = o.buf[:0]
		}
		to := o.buf[len(o.buf):cap(o.buf)]
		w, done := 0, 0
		for _, id := range ids {
			q := f.quick[id]
			if q.token == 0 {
				break
			}
			if q.token < 0x80 {
				to[w] = byte(q.token)
				w++
			} else {
				w += binary.PutUvarint(to[w:], uint64(q.token))
			}
			n += uint64(q.insns)
			done++
		}
		o.buf = o.buf[:len(o.buf)+w]
		if ids = ids[done:]; len(ids) > 0 {
			f.slow(ids[0])
			ids = ids[1:]
		}
	}
	f.t.count(int(n))
	if len(o.buf) >= flushAt {
		o.flush()
	}
}

// slow writes a block that passes does not know, and makes it known if it
// takes only its number.
func (f *binaryFormat) slow(id uint32) {
	b := f.t.blocks[id]
	f.whole(b)
	f.t.count(b.insns)
	if b.token != 0 && b.token < 1<<32 {
		f.quick[id] = quick{uint32(b.token), uint32(b.insns)}
	}
}

// quick is a block that takes only its number.
type quick struct{ token, insns uint32 }

// pieces writes a block of which not all is wanted, or more than its code.
func (f *binaryFormat) pieces(b *block) {
	if f.t.cfg.Events&Block != 0 && (b.wanted == nil || b.wanted[0]) {
		f.enter(b)
	}
	if f.t.cfg.Events&Insn == 0 {
		return
	}
	for i := 0; i < b.n(); {
		j := i
		for j < b.n() && (b.wanted == nil || b.wanted[j]) {
			j++
		}
		if i < j {
			f.run(b, i, j)
		}
		i = j + 1
	}
}

func (f *binaryFormat) run(b *block, i, j int) { f.put(f.token(b, i, j)) }

func (f *binaryFormat) insn(b *block, i int, l []change) {
	f.run(b, i, i+1)
	if len(l) > 0 {
		f.values(tokRegs, l)
	}
}

func (f *binaryFormat) enter(b *block) {
	f.put(tokBlock)
	f.put(b.pc)
	f.put(uint64(len(b.code)))
}

func (f *binaryFormat) values(tok uint64, l []change) {
	f.put(tok)
	f.put(uint64(len(l)))
	for _, c := range l {
		f.put(uint64(c.reg))
		f.put(c.v)
	}
}

func (f *binaryFormat) regs(l []change) { f.values(tokState, l) }

func (f *binaryFormat) access(_ uint64, m access) {
	if m.write {
		f.put(tokWrite)
	} else {
		f.put(tokRead)
	}
	f.put(m.addr)
	f.put(uint64(m.size))
	f.put(m.v)
}

func (f *binaryFormat) line(kind Events, text string) {
	f.put(tokLine)
	f.put(uint64(kind))
	f.bytes([]byte(text))
}

func (f *binaryFormat) end() { f.put(tokEnd) }

// ErrCut is returned by ReadPCs, after all that there is, for a trace whose
// end is missing: the one who wrote it was killed or its disk was full.
var ErrCut = errors.New("trace: the end is missing")

// maxBytes bounds what a damaged file can make a reader allocate.
const maxBytes = 1 << 20

// reader reads the tokens of a binary trace.
type reader struct {
	r      *bufio.Reader
	err    error
	task   Task
	spans  [][]uint64            // addresses of their instructions
	spaces map[uint64][][]uint64 // spans of the other tracers
	space  uint64
}

func (r *reader) uint() uint64 {
	v, err := binary.ReadUvarint(r.r)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if r.err == nil && n > maxBytes {
		r.err = fmt.Errorf("%w: %d bytes at once", ErrFormat, n)
	}
	if r.err != nil {
		return nil
	}
	p := make([]byte, n)
	_, r.err = io.ReadFull(r.r, p)
	return p
}

// ReadPCs reads a binary trace and calls f with the addresses of the
// instructions in the order in which they ran, some at a time, and with their
// task, which is zero in a trace of one process; the slice is valid during the
// call only. It returns ErrFormat for other files, ErrCut for a trace without its
// end, and else the errors of r and f.
func ReadPCs(r io.Reader, f func(t Task, pcs []uint64) error) error {
	d := &reader{r: bufio.NewReaderSize(r, 1<<16), spaces: map[uint64][][]uint64{}}
	magic := make([]byte, len(Magic))
	if _, err := io.ReadFull(d.r, magic); err != nil || string(magic) != Magic {
		return ErrFormat
	}
	for {
		tok := d.uint()
		switch {
		case d.err != nil:
			// Reported below.
		case tok >= tokSpan && tok-tokSpan < uint64(len(d.spans)):
			if err := f(d.task, d.spans[tok-tokSpan]); err != nil {
				return err
			}
		case tok == tokEnd:
			return nil
		default:
			d.skip(tok)
		}
		switch {
		case errors.Is(d.err, io.EOF), errors.Is(d.err, io.ErrUnexpectedEOF):
			return ErrCut
		case d.err != nil:
			return d.err
		}
	}
}

// skip reads what follows a token that is no span.
func (r *reader) skip(tok uint64) {
	switch tok {
	case tokDef:
		r.define()
	case tokRead, tokWrite:
		r.uint()
		r.uint()
		r.uint()
	case tokRegs, tokState:
		for n := r.uint(); n > 0 && r.err == nil; n-- {
			r.uint()
			r.uint()
		}
	case tokLine:
		r.uint()
		r.bytes()
	case tokExec:
		r.bytes()
		for n := r.uint(); n > 0 && r.err == nil; n-- {
			r.bytes()
		}
	case tokBlock:
		r.uint()
		r.uint()
	case tokTask:
		r.turn(r.uint())
		r.task = Task{int(r.uint()), int(r.uint())}
	default:
		r.err = fmt.Errorf("%w: token %d", ErrFormat, tok)
	}
}

// turn goes on with the spans of another tracer.
func (r *reader) turn(space uint64) {
	r.spaces[r.space] = r.spans
	r.space, r.spans = space, r.spaces[space]
}

func (r *reader) define() {
	b := &block{pc: r.uint()}
	b.isa = disasm.ISA(r.uint())
	r.uint()
	b.code = r.bytes()
	if r.err != nil {
		return
	}
	pcs := make([]uint64, b.n())
	for i := range pcs {
		pcs[i] = b.pcOf(i)
	}
	r.spans = append(r.spans, pcs)
}
