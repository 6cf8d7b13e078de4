package trace

import (
	"encoding/json"
	"strconv"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/internal/symbolize"
)

// format writes events to the tracer's output.
type format interface {
	// start comes first, and again for each new program.
	start(a *arch.Arch, regs []arch.Reg)
	// whole writes all wanted instructions of a block, and its event if blocks
	// are wanted; it sets insns of the block.
	whole(b *block)
	// passes does whole, and the tracer's count, for many blocks by their ids.
	passes(ids []uint32)
	// run writes instructions i to j-1.
	run(b *block, i, j int)
	// insn writes an instruction with the registers it changed.
	insn(b *block, i int, l []change)
	// enter writes a block's event.
	enter(b *block)
	// regs writes changes that are no instruction's.
	regs(l []change)
	access(pc uint64, m access)
	line(kind Events, text string)
	end()
}

func newFormat(t *Tracer) format {
	switch t.cfg.Format {
	case Binary:
		return &binaryFormat{t: t, started: t.member != nil, next: tokSpan}
	case JSONL:
		return &lineFormat{t: t, style: &jsonStyle{}, tail: 2}
	}
	return &lineFormat{t: t, style: &textStyle{}, tail: 1}
}

// lineFormat writes an event a line, in one of two styles.
type lineFormat struct {
	t     *Tracer
	style style
	tail  int // bytes that end a line
	insns Events
}

// style is how a line looks. All methods append to dst.
type style interface {
	start(a *arch.Arch, regs []arch.Reg)
	insn(dst []byte, pc uint64, where symbolize.Location, code []byte, isa disasm.ISA, text string) []byte
	changes(dst []byte, l []change) []byte // goes into an instruction's line
	block(dst []byte, pc uint64, where symbolize.Location, size int) []byte
	regs(dst []byte, l []change) []byte
	access(dst []byte, pc uint64, m access) []byte
	exec(dst []byte, a *arch.Arch) []byte
	line(dst []byte, kind Events, text string) []byte
}

func (f *lineFormat) start(a *arch.Arch, regs []arch.Reg) {
	first := f.insns == 0 && !f.t.executed
	f.insns = 1
	f.style.start(a, regs)
	if !first {
		f.t.out.buf = f.style.exec(f.t.out.buf, a)
	}
}

func (f *lineFormat) where(pc uint64) symbolize.Location {
	if f.t.syms == nil {
		return symbolize.Location{}
	}
	l, _ := f.t.syms.Find(pc)
	return l
}

// symbol names targets in the text of instructions.
func (f *lineFormat) symbol(addr uint64) (string, uint64) {
	if f.t.syms == nil {
		return "", 0
	}
	name, off := f.t.syms.Symbol(addr)
	return name, addr - off
}

// prepare makes the text of a block. What is not wanted has none.
func (f *lineFormat) prepare(b *block) {
	if b.ends != nil {
		return
	}
	b.insns = b.n()
	b.ends = make([]uint32, 1, b.n()+1)
	events := f.t.cfg.Events
	if events&Block != 0 && (b.wanted == nil || b.wanted[0]) {
		b.lines = f.style.block(b.lines, b.pc, f.where(b.pc), len(b.code))
	}
	b.ends[0] = uint32(len(b.lines))
	b.text(f.symbol, func(i int, in disasm.Inst) {
		if events&Insn != 0 && (b.wanted == nil || b.wanted[i]) {
			b.lines = f.style.insn(b.lines, b.pcOf(i), f.where(b.pcOf(i)), b.bytes(i), b.isa, in.Text)
		}
		b.ends = append(b.ends, uint32(len(b.lines)))
	})
}

func (f *lineFormat) whole(b *block) {
	if b.ends == nil {
		f.prepare(b)
	}
	f.t.out.buf = append(f.t.out.buf, b.lines...)
}

func (f *lineFormat) passes(ids []uint32) {
	o, n := &f.t.out, 0
	for _, id := range ids {
		b := f.t.blocks[id]
		if b.ends == nil {
			f.prepare(b)
		}
		n += b.insns
		o.buf = append(o.buf, b.lines...)
		if len(o.buf) >= flushAt {
			o.flush()
		}
	}
	f.t.count(n)
}

func (f *lineFormat) run(b *block, i, j int) {
	f.prepare(b)
	f.t.out.buf = append(f.t.out.buf, b.lines[b.ends[i]:b.ends[j]]...)
}

func (f *lineFormat) insn(b *block, i int, l []change) {
	f.prepare(b)
	line := b.lines[b.ends[i]:b.ends[i+1]]
	if len(l) == 0 {
		f.t.out.buf = append(f.t.out.buf, line...)
		return
	}
	n := len(line) - f.tail
	buf := append(f.t.out.buf, line[:n]...)
	buf = f.style.changes(buf, l)
	f.t.out.buf = append(buf, line[n:]...)
}

func (f *lineFormat) enter(b *block) {
	f.t.out.buf = f.style.block(f.t.out.buf, b.pc, f.where(b.pc), len(b.code))
}

func (f *lineFormat) regs(l []change) { f.t.out.buf = f.style.regs(f.t.out.buf, l) }

func (f *lineFormat) access(pc uint64, m access) {
	f.t.out.buf = f.style.access(f.t.out.buf, pc, m)
}

func (f *lineFormat) line(kind Events, text string) {
	f.t.out.buf = f.style.line(f.t.out.buf, kind, text)
}

func (f *lineFormat) end() {}

// hex appends v in C's notation.
func hex(dst []byte, v uint64) []byte {
	return strconv.AppendUint(append(dst, "0x"...), v, 16)
}

// address appends v with all digits of an address of the architecture.
func address(dst []byte, v uint64, word int) []byte {
	dst = append(dst, "0x"...)
	for i := 8*word - 4; i >= 0; i -= 4 {
		dst = append(dst, "0123456789abcdef"[v>>i&15])
	}
	return dst
}

// codeBytes appends code as objdump shows it: by bytes for x86, in units of
// the instruction set with their digits in reading order for the others.
func codeBytes(dst []byte, code []byte, isa disasm.ISA) []byte {
	unit := isa.MinLen()
	little := isa == disasm.A32 || isa == disasm.Thumb || isa == disasm.A64
	for i := 0; i < len(code); i += unit {
		if i > 0 {
			dst = append(dst, ' ')
		}
		w := code[i:min(i+unit, len(code))]
		for j := range w {
			k := j
			if little {
				k = len(w) - 1 - j
			}
			dst = append(dst, "0123456789abcdef"[w[k]>>4], "0123456789abcdef"[w[k]&15])
		}
	}
	return dst
}

// textStyle is lines for people, with tabs between the fields.
type textStyle struct {
	word  int
	names []string
}

func (s *textStyle) start(a *arch.Arch, regs []arch.Reg) {
	s.word = a.Word
	s.names = s.names[:0]
	for _, r := range regs {
		s.names = append(s.names, r.Name)
	}
}

// location appends a place in a program, "-" if there is none.
func location(dst []byte, l symbolize.Location) []byte {
	if l.Symbol == "" && l.File == "" {
		return append(dst, '-')
	}
	return append(dst, l.String()...)
}

func (s *textStyle) insn(dst []byte, pc uint64, where symbolize.Location, code []byte, isa disasm.ISA, text string) []byte {
	dst = append(address(dst, pc, s.word), '\t')
	dst = append(location(dst, where), '\t')
	dst = append(codeBytes(dst, code, isa), '\t')
	return append(append(dst, text...), '\n')
}

func (s *textStyle) changes(dst []byte, l []change) []byte {
	sep := byte('\t')
	for _, c := range l {
		dst = append(append(append(dst, sep), s.names[c.reg]...), '=')
		dst = hex(dst, c.v)
		sep = ' '
	}
	return dst
}

func (s *textStyle) block(dst []byte, pc uint64, where symbolize.Location, size int) []byte {
	dst = append(address(append(dst, "block\t"...), pc, s.word), '\t')
	dst = append(location(dst, where), '\t')
	return append(strconv.AppendInt(dst, int64(size), 10), '\n')
}

func (s *textStyle) regs(dst []byte, l []change) []byte {
	return append(s.changes(append(dst, "regs"...), l), '\n')
}

func (s *textStyle) access(dst []byte, pc uint64, m access) []byte {
	what := "read\t"
	if m.write {
		what = "write\t"
	}
	dst = append(address(append(dst, what...), m.addr, s.word), '\t')
	dst = append(strconv.AppendInt(dst, int64(m.size), 10), '\t')
	dst = append(hex(dst, m.v), "\tby "...)
	return append(address(dst, pc, s.word), '\n')
}

func (s *textStyle) exec(dst []byte, a *arch.Arch) []byte {
	return append(append(append(dst, "exec\t"...), a.Name...), '\n')
}

func (s *textStyle) line(dst []byte, _ Events, text string) []byte {
	return append(append(dst, text...), '\n')
}

// jsonStyle is an object a line. Addresses and values are strings in C's
// notation, since JSON's numbers are not made for 64 bits.
type jsonStyle struct{ names []string }

func (s *jsonStyle) start(_ *arch.Arch, regs []arch.Reg) {
	s.names = s.names[:0]
	for _, r := range regs {
		s.names = append(s.names, r.Name)
	}
}

// quoted appends a string.
func quoted(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a form
	}
	return append(dst, b...)
}

func quotedHex(dst []byte, v uint64) []byte {
	return append(hex(append(dst, '"'), v), '"')
}

func (s *jsonStyle) where(dst []byte, l symbolize.Location) []byte {
	if l.Symbol != "" {
		dst = quoted(append(dst, `,"symbol":`...), l.Symbol)
	}
	if l.Symbol != "" || l.File != "" {
		dst = strconv.AppendUint(append(dst, `,"offset":`...), l.Off, 10)
		dst = quoted(append(dst, `,"file":`...), l.File)
	}
	return dst
}

func (s *jsonStyle) insn(dst []byte, pc uint64, where symbolize.Location, code []byte, isa disasm.ISA, text string) []byte {
	dst = quotedHex(append(dst, `{"event":"insn","pc":`...), pc)
	dst = s.where(dst, where)
	dst = codeBytes(append(dst, `,"bytes":"`...), code, isa)
	dst = quoted(append(dst, `","text":`...), text)
	return append(dst, "}\n"...)
}

func (s *jsonStyle) values(dst []byte, l []change) []byte {
	dst = append(dst, `"regs":{`...)
	for i, c := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = quotedHex(append(quoted(dst, s.names[c.reg]), ':'), c.v)
	}
	return append(dst, '}')
}

func (s *jsonStyle) changes(dst []byte, l []change) []byte { return s.values(append(dst, ','), l) }

func (s *jsonStyle) block(dst []byte, pc uint64, where symbolize.Location, size int) []byte {
	dst = quotedHex(append(dst, `{"event":"block","pc":`...), pc)
	dst = s.where(dst, where)
	return append(strconv.AppendInt(append(dst, `,"size":`...), int64(size), 10), "}\n"...)
}

func (s *jsonStyle) regs(dst []byte, l []change) []byte {
	return append(s.values(append(dst, `{"event":"regs",`...), l), "}\n"...)
}

func (s *jsonStyle) access(dst []byte, pc uint64, m access) []byte {
	what := `{"event":"read","addr":`
	if m.write {
		what = `{"event":"write","addr":`
	}
	dst = quotedHex(append(dst, what...), m.addr)
	dst = strconv.AppendInt(append(dst, `,"size":`...), int64(m.size), 10)
	dst = quotedHex(append(dst, `,"value":`...), m.v)
	return append(quotedHex(append(dst, `,"pc":`...), pc), "}\n"...)
}

func (s *jsonStyle) exec(dst []byte, a *arch.Arch) []byte {
	return append(quoted(append(dst, `{"event":"exec","arch":`...), a.Name), "}\n"...)
}

func (s *jsonStyle) line(dst []byte, kind Events, text string) []byte {
	dst = append(append(append(dst, `{"event":"`...), kind.String()...), `","text":`...)
	return append(quoted(dst, text), "}\n"...)
}
