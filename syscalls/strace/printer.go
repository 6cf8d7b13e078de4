package strace

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Style says how arguments are written. The zero value writes as strace does
// without options, but with strings of no length: see DefaultStyle.
type Style struct {
	Strings int    // characters of a string that are shown (-s)
	Align   int    // column of the "=" (-a)
	Hex     int    // strings in hexadecimal: 1 those with unprintable characters (-x), 2 all (-xx)
	Paths   int    // descriptors: 1 with their paths (-y), 2 with what their sockets are connected to (-yy)
	Consts  Consts // symbol names (-X)

	Abbrev Set // calls whose structures are shortened (-e abbrev, -v)
	Decode Set // calls whose structures are shown at all (-e verbose)
	Raw    Set // calls whose arguments are just numbers (-e raw)

	Files []string // of Tracer: only calls on these paths (-P)
}

// Consts is how numbers with names are written.
type Consts uint8

// The styles of -X.
const (
	ConstsAbbrev Consts = iota
	ConstsRaw
	ConstsVerbose
)

// DefaultStyle is strace's without options.
func DefaultStyle() Style {
	return Style{Strings: 32, Align: 40, Abbrev: All(), Decode: All()}
}

// Printer writes the system calls of guest tasks. The methods are for the
// goroutine that runs the task; those of one Printer must not run at the same
// time.
type Printer struct {
	Style
	calls map[*emu.Task]*call
}

// NewPrinter makes a Printer.
func NewPrinter(s Style) *Printer {
	signatures() // what it prints without a call is made with them
	return &Printer{Style: s, calls: map[*emu.Task]*call{}}
}

// call is one system call of a task.
type call struct {
	p    *Printer
	t    *emu.Task
	a    *arch.Arch
	nr   uint64
	name string
	sig  *signature
	args [6]uint64

	arg  int // argument of the signature that comes next
	next int // register that the next argument is in

	exiting bool
	ret     uint64
	failed  bool
	errno   uint16 // in the guest's numbering

	style       retStyle
	aux         string // what follows the result in parentheses
	saved       uint64 // what the entry read for the exit to compare with
	savedOK     bool
	text        string // what the entry wrote of an argument, for the exit to tell the change
	replaced    bool   // the call was an execve that has put a new program in place
	multiplexed bool   // the call is one behind socketcall or ipc
	indirect    uint64 // where the result lies, of shmat behind ipc

	onFile   bool // an argument is one of Style.Files
	elements int  // of lists that have been written

	b     strings.Builder
	wrote bool // an argument is in b, and no comma after it
}

// Entry is the text of the system call that the task stands at, as far as it
// is known before the call is made: the name, and the arguments up to the
// first one that the kernel is to fill in, with the comma before it.
func (p *Printer) Entry(t *emu.Task) string {
	c := newCall(p, t)
	p.calls[t] = c
	c.remember()
	c.write(false)
	return c.b.String()
}

// Exit is the rest of the text that Entry began: the arguments that the kernel
// filled in, and the result. It is empty if there was no Entry.
func (p *Printer) Exit(t *emu.Task) string {
	c := p.calls[t]
	if c == nil {
		return ""
	}
	n := c.b.Len()
	rest, result := p.finish(t)
	return rest + tailFor(p.Align, n+len(rest)) + result
}

// finish is Exit in two parts: the rest of the arguments, and the result from
// the "=" on.
func (p *Printer) finish(t *emu.Task) (rest, result string) {
	c := p.calls[t]
	delete(p.calls, t)
	n := c.b.Len()
	c.result()
	c.write(true)
	if f := c.sig.meaning; f != nil && !c.failed && !p.Raw.Has(c.name) {
		f(c)
	}
	return c.b.String()[n:], c.outcome()
}

// Forget drops a call that will have no Exit, and returns the rest of its
// text: the end of a task in exit(2), for one.
func (p *Printer) Forget(t *emu.Task) string {
	c := p.calls[t]
	if c == nil {
		return ""
	}
	delete(p.calls, t)
	s := ""
	if !c.complete() {
		s = " <unfinished ...>"
	}
	return s + tailFor(p.Align, c.b.Len()+len(s)) + "= ?"
}

// complete tells that all arguments are in the text.
func (c *call) complete() bool { return c.arg >= len(c.sig.args) }

// tailFor is the end of the arguments and the gap before the result, which
// stands in column align if the line has only cols characters yet.
func tailFor(align, cols int) string {
	return ")" + strings.Repeat(" ", max(align-cols-2, 0)) + " "
}

// startText is the text of the execve that would have started a program that
// is in place and has not run yet.
func (p *Printer) startText(t *emu.Task, path string, argv []string, vars int) string {
	c := &call{p: p, t: t, a: t.Proc.Arch, name: "execve"}
	// On the stack are the number of arguments, their pointers and a NULL, then
	// those of the environment.
	w := uint64(c.a.Word)
	sp := t.CPU().Reg(c.a.SP)
	argc, _ := c.uint(sp, c.a.Word)
	args, env := sp+w, sp+w*(argc+2)
	if p.Raw.Has(c.name) {
		name, _ := c.uint(args, c.a.Word)
		return fmt.Sprintf("execve(%s, %s, %s", hex(name), hex(args), hex(env))
	}
	if !p.Decode.Has(c.name) {
		return fmt.Sprintf("execve(%s, %s, %s", c.quote([]byte(path), p.Hex), c.addr(args), c.addr(env))
	}
	text := fmt.Sprintf("%s /* %s */", c.addr(env), plural(vars, "var"))
	if !c.abbrev() {
		text = c.stringArray(env)
	}
	return fmt.Sprintf("execve(%s, %s, %s", c.quote([]byte(path), p.Hex), c.startArgs(argv), text)
}

// startArgs writes the arguments of the first program.
func (c *call) startArgs(argv []string) string {
	var l []string
	for i, s := range argv {
		if c.abbrev() && i >= c.p.Strings {
			return array(l, true)
		}
		if len(s) > c.p.Strings {
			l = append(l, c.quote([]byte(s[:c.p.Strings]), c.p.Hex)+"...")
			continue
		}
		l = append(l, c.quote([]byte(s), c.p.Hex))
	}
	return array(l, false)
}

// newCall reads number and arguments from the registers.
func newCall(p *Printer, t *emu.Task) *call {
	a, cpu := t.Proc.Arch, t.CPU()
	c := &call{p: p, t: t, a: a}
	if f := a.ABI.Number; f != nil {
		c.nr = f(cpu)
	} else {
		c.nr = cpu.Reg(a.ABI.Nr)
	}
	for i, id := range a.ABI.Args {
		c.args[i] = a.Addr(cpu.Reg(id))
	}
	c.identify()
	return c
}

// identify finds the call's name and signature.
func (c *call) identify() {
	c.name = callName(c.a, c.nr)
	c.sig = signatureOf(c.a, c.name)
	switch c.name {
	case "socketcall":
		c.demultiplex("socketcall", c.socketcallArgs)
	case "ipc":
		c.demultiplex("ipc", c.ipcArgs)
	}
	if c.p.Raw.Has(c.name) {
		c.sig = c.sig.raw(c.a)
	}
}

// demultiplex turns a call that stands for many into the one it stands for.
func (c *call) demultiplex(table string, args func(name string) ([6]uint64, bool)) {
	name := tables()[table].name(c.a, c.args[0]&0xffff)
	name = strings.ToLower(strings.TrimPrefix(name, "SYS_"))
	sig := signatures()[name]
	if sig == nil {
		return
	}
	if w, ok := args(name); ok {
		c.name, c.sig, c.args, c.multiplexed = name, sig, w, true
	}
}

// names are the call names of the architectures.
var names sync.Map // *arch.Arch to map[uint64]string

// callName is the name of a system call number.
func callName(a *arch.Arch, nr uint64) string {
	m, ok := names.Load(a)
	if !ok {
		n := make(map[uint64]string, len(a.Sysnum))
		for _, s := range a.Sysnum {
			n[uint64(s.Nr)] = s.Name
		}
		m, _ = names.LoadOrStore(a, n)
	}
	if n, ok := m.(map[uint64]string)[nr]; ok {
		return n
	}
	return fmt.Sprintf("syscall_%#x", nr)
}

// write adds arguments to the text: before the call is made those that are
// known, afterwards the others.
func (c *call) write(exiting bool) {
	c.exiting = exiting
	if !exiting {
		c.b.WriteString(c.name)
		c.b.WriteByte('(')
	}
	for ; c.arg < len(c.sig.args); c.arg++ {
		a := &c.sig.args[c.arg]
		if a.out && !exiting {
			if c.wrote && !a.optional {
				c.b.WriteString(", ")
				c.wrote = false
			}
			return
		}
		var s string
		if a.out && c.failed && !a.always {
			s = c.addr(c.word())
		} else {
			s = a.fn(c)
		}
		if s == omitted {
			continue
		}
		if strings.HasPrefix(s, changed) {
			c.b.WriteString(s)
			continue
		}
		if c.wrote {
			c.b.WriteString(", ")
		}
		c.wrote = true
		c.b.WriteString(s)
	}
}

// omitted is what an argument writes that is not there in this call.
const omitted = "\x00"

// changed begins the text of an argument that tells what became of the one
// before it.
const changed = " => "

// word takes the next argument register.
func (c *call) word() uint64 {
	if c.next >= len(c.args) {
		return 0
	}
	v := c.args[c.next]
	c.next++
	return v
}

// i64 takes a 64-bit argument: two registers of a 32-bit architecture.
func (c *call) i64() uint64 {
	if c.a.Word == 8 {
		return c.word()
	}
	if c.a.ABI.EvenPair && c.next&1 == 1 {
		c.next++
	}
	a, b := c.word()&0xffffffff, c.word()&0xffffffff
	if c.bigEndian() {
		a, b = b, a
	}
	return b<<32 | a
}

func (c *call) bigEndian() bool { return c.a.Order.Uint16([]byte{0, 1}) == 1 }

// wordBits is the size of a long.
func (c *call) wordBits() int { return 8 * c.a.Word }

// abbrev tells whether structures are to be shortened.
func (c *call) abbrev() bool { return c.p.Abbrev.Has(c.name) }

// result reads the call's result. The convention's inverse is found with the
// convention itself: the call failed with an errno if storing that errno would
// change nothing.
func (c *call) result() {
	if c.replaced {
		// The registers are the new program's.
		return
	}
	abi, cpu := &c.a.ABI, c.t.CPU()
	c.ret = cpu.Reg(abi.Ret)
	v := signed(c.ret, c.wordBits())
	if v < 0 {
		v = -v
	}
	if v == 0 || v > 4095 {
		c.fetchResult()
		return
	}
	r := &shadow{Regs: cpu, a: c.a}
	abi.Result(r, 0, uint16(v))
	if !r.changed {
		c.failed, c.errno = true, uint16(v)
	}
	c.fetchResult()
}

// fetchResult reads a result that lies in memory.
func (c *call) fetchResult() {
	if c.indirect == 0 || c.failed {
		return
	}
	if v, ok := c.uint(c.indirect, c.a.Word); ok {
		c.ret = v
	}
}

// value is the call's result as a signed number.
func (c *call) value() int64 { return signed(c.ret, c.wordBits()) }

// restart are the errors by which the kernel asks itself to make a call again
// (linux/errno.h).
var restart = map[uint16]string{
	512: "ERESTARTSYS (To be restarted if SA_RESTART is set)",
	513: "ERESTARTNOINTR (To be restarted)",
	514: "ERESTARTNOHAND (To be restarted if no handler)",
	516: "ERESTART_RESTARTBLOCK (Interrupted by signal)",
}

// outcome is the result from the "=" on.
func (c *call) outcome() string {
	if !c.failed {
		return "= " + c.success()
	}
	if s, ok := restart[c.errno]; ok {
		return "= ? " + s
	}
	s := "= -1 " + c.errnoName(c.errno)
	if e, ok := c.hostErrno(c.errno); ok {
		s += " (" + strerror(e) + ")"
	}
	return s + c.parens()
}

func (c *call) parens() string {
	if c.aux == "" {
		return ""
	}
	return " (" + c.aux + ")"
}

// success is a result that is no error.
func (c *call) success() string {
	style := c.style
	if style == retInt {
		style = c.sig.ret
	}
	if c.p.Raw.Has(c.name) && style != retNone {
		style = retHex
	}
	var s string
	switch style {
	case retHex:
		s = hex(c.a.Addr(c.ret))
	case retOct:
		s = octal(c.ret)
	case retUint:
		s = fmt.Sprint(c.a.Addr(c.ret))
	case retFD:
		s = c.fd(c.value())
	case retNone:
		return "?"
	default:
		s = fmt.Sprint(c.value())
	}
	return s + c.parens()
}

// hostErrno is the host's number of a guest's errno.
func (c *call) hostErrno(n uint16) (unix.Errno, bool) {
	for e, g := range c.a.ABI.Errno {
		if g == n {
			return e, true
		}
	}
	if _, moved := c.a.ABI.Errno[unix.Errno(n)]; moved {
		return 0, false
	}
	return unix.Errno(n), unix.ErrnoName(unix.Errno(n)) != ""
}

// errnoName is the name of a guest's errno.
func (c *call) errnoName(n uint16) string {
	e, ok := c.hostErrno(n)
	switch {
	case !ok:
		return fmt.Sprintf("%d", n)
	case e == unix.EOPNOTSUPP:
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(e)
}

// strerror is the text of an errno in the C locale.
func strerror(e unix.Errno) string {
	s := e.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// shadow are registers that are not really written.
type shadow struct {
	regset.Regs
	a       *arch.Arch
	changed bool
}

// SetReg implements regset.Regs.
func (s *shadow) SetReg(id regset.ID, v uint64) {
	if s.a.Addr(s.Reg(id)) != s.a.Addr(v) {
		s.changed = true
	}
}
