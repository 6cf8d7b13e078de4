// Package steptest is the conformance suite of package stepper: scenarios in
// machine code of every architecture, with the stops that every strategy has
// to make. It runs on any target that a Maker can make.
package steptest

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// Where a case's memory lies, and how much of it there is at each place. The
// code may be executed and written, data and stack written. Nothing is mapped
// elsewhere.
const (
	CodeAt  = 0x10000
	DataAt  = 0x20000
	StackAt = 0x30000
	Size    = 0x1000
	SP      = 0x30f00 // the stack pointer at the start
)

// Case is one scenario for one instruction set.
type Case struct {
	No   int    // in the catalogue of docs/semantics.md
	Also []int  // other scenarios that it is
	Name string // of the scenario
	ISA  string // an architecture's name, or thumb
	Asm  string // the code in assembly, for the reader
	Code []byte

	Set, End []Value  // registers before, and after the steps of mode Insn
	Data     []uint64 // words from DataAt on
	Stops    map[stepper.Mode][]string
	SMC      bool // the program changes its code
	// Differs are registers after the steps of mode Insn by strategies, by name,
	// that the program sees and is allowed to.
	Differs map[string][]Value

	// Of a case that is a whole program, whose ELF file is Code and whose
	// source is Asm: its arguments, and what there is to tell of its tasks.
	Args   []string
	Events string
	Script bool // it goes on to breakpoints at the start of work instead of stepping
}

// Value is a register's value.
type Value struct {
	Reg string
	V   uint64
}

// ID is the name of the case with its number and instruction set.
func (c *Case) ID() string { return fmt.Sprintf("%s/%03d-%s", c.ISA, c.No, c.Name) }

// Has tells whether the case says something of a mode.
func (c *Case) Has(m stepper.Mode) bool {
	if c.Args != nil {
		return (m == Script) == c.Script && m != stepper.BlockAny
	}
	return c.Stops[m] != nil
}

// Arch is the name of the case's architecture.
func (c *Case) Arch() string {
	if c.ISA == "thumb" {
		return "arm"
	}
	return c.ISA
}

// Maker makes a stopped thread with the memory of a case, its code, and all
// registers as a program has them at its start; PC and SP are Check's. System
// calls of the thread have no effect and return 0; a signal that is delivered
// ends it. Where code is an ELF file it makes a Process instead, which has all
// that Linux gives to a program with those arguments. The cleanup is called when
// the case is done.
type Maker func(a *arch.Arch, code []byte, args ...string) (t stepper.Target, cleanup func() error, err error)

//go:embed cases.txt
var text string

// Cases are all cases, by number.
var Cases = sync.OnceValue(func() []Case {
	cs, err := parse(text)
	if err != nil {
		panic(err) // the text is part of this package
	}
	cs = append(cs, programs()...)
	cs = append(cs, conditions()...)
	slices.SortStableFunc(cs, func(x, y Case) int { return cmp.Compare(x.No, y.No) })
	return cs
})

func parse(text string) (cs []Case, err error) {
	for n, l := range strings.Split(text, "\n") {
		key, rest, _ := strings.Cut(l, " ")
		if l == "" || key == "#" {
			continue
		}
		if key == "case" {
			cs = append(cs, Case{Stops: map[stepper.Mode][]string{}, Differs: map[string][]Value{}})
		}
		if err := cs[len(cs)-1].field(key, rest); err != nil {
			return nil, fmt.Errorf("steptest: line %d: %w", n+1, err)
		}
	}
	return cs, nil
}

// field takes one line of a case.
func (c *Case) field(key, rest string) (err error) {
	switch key {
	case "case":
		_, err = fmt.Sscan(rest, &c.No, &c.Name, &c.ISA)
	case "also":
		for _, f := range strings.Fields(rest) {
			no, e := strconv.Atoi(f)
			c.Also, err = append(c.Also, no), errors.Join(err, e)
		}
	case "asm":
		c.Asm = rest
	case "code":
		var b []byte
		b, err = hex.DecodeString(rest)
		c.Code = append(c.Code, b...)
	case "fill": // so many times the same before the code
		var n int
		var b []byte
		_, err = fmt.Sscanf(rest, "%d %x", &n, &b)
		c.Code = bytes.Repeat(b, n)
	case "set":
		c.Set, err = values(rest)
	case "end":
		c.End, err = values(rest)
	case "data":
		for _, w := range strings.Fields(rest)[1:] {
			v, e := strconv.ParseUint(w, 0, 64)
			c.Data, err = append(c.Data, v), errors.Join(err, e)
		}
	case "insn":
		c.Stops[stepper.Insn] = strings.Fields(rest)
	case "block":
		c.Stops[stepper.Block] = strings.Fields(rest)
	case "any":
		c.Stops[stepper.BlockAny] = strings.Fields(rest)
	case "script":
		c.Stops[Script] = strings.Fields(rest)
	case "differs":
		by, l, _ := strings.Cut(rest, " ")
		c.Differs[by], err = values(l)
	case "flags":
		c.SMC = rest == "smc"
	default:
		err = fmt.Errorf("unknown field %q", key)
	}
	return err
}

func values(s string) (l []Value, err error) {
	for _, f := range strings.Fields(s) {
		name, v, _ := strings.Cut(f, "=")
		n, e := strconv.ParseUint(v, 0, 64)
		l, err = append(l, Value{name, n}), errors.Join(err, e)
	}
	return l, err
}

// Check runs a case in a mode by a strategy. The error says what went otherwise
// than it should.
func (c *Case) Check(ctx context.Context, a *arch.Arch, mk Maker, s stepper.Strategy, m stepper.Mode) error {
	_, err := c.check(ctx, a, mk, s, m)
	return err
}

// check is Check; it gives the state that the case has left, nil for a program.
func (c *Case) check(ctx context.Context, a *arch.Arch, mk Maker, s stepper.Strategy, m stepper.Mode) (left []byte, err error) {
	t, cleanup, err := mk(a, c.Code, c.Args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cleanup()) }()
	if c.Args != nil {
		_, err := c.Trace(ctx, t, s, m, nil)
		return nil, err
	}
	if err := c.prepare(t); err != nil {
		return nil, err
	}
	if m == Script {
		err = errors.Join(c.script(ctx, t, s), c.after(t, s), c.memory(t))
	} else {
		err = c.steps(ctx, t, s, m)
	}
	if err != nil {
		return nil, err
	}
	return c.left(t)
}

// left is the state of a thread: registers with the flags, and memory.
func (c *Case) left(t stepper.Target) ([]byte, error) {
	var b []byte
	a := t.Arch()
	for _, r := range a.Regs[:a.Core] {
		v := t.Regs().Reg(r.ID)
		if r.Mask != 0 {
			v &= r.Mask
		}
		b = binary.BigEndian.AppendUint64(b, v)
	}
	for _, at := range []uint64{CodeAt, DataAt, StackAt} {
		n := len(b)
		b = append(b, make([]byte, Size)...)
		if _, err := t.Mem().ReadAt(b[n:], at); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// steps makes the steps of a mode.
func (c *Case) steps(ctx context.Context, t stepper.Target, s stepper.Strategy, m stepper.Mode) (err error) {
	var got []string
	for k, want := range c.Stops[m] {
		st, err := s.Step(ctx, t, m)
		if err != nil {
			return fmt.Errorf("step %d: %w", k+1, err)
		}
		got = append(got, c.token(t, st, want))
		if got[k] != want {
			return fmt.Errorf("stops are %s, should be %s", strings.Join(got, " "), strings.Join(c.Stops[m][:k+1], " "))
		}
		if st.Why == stepper.Exited {
			return c.memory(t)
		}
	}
	if m == stepper.Insn {
		err = c.after(t, s)
	}
	return errors.Join(err, c.memory(t))
}

// prepare sets registers and data.
func (c *Case) prepare(t stepper.Target) error {
	a, r := t.Arch(), t.Regs()
	r.SetReg(a.PC, CodeAt)
	r.SetReg(a.SP, SP)
	set := func(v Value) error {
		reg, ok := a.RegByName(v.Reg)
		if !ok {
			return fmt.Errorf("%s has no register %s", a.Name, v.Reg)
		}
		r.SetReg(reg.ID, v.V)
		return nil
	}
	if c.ISA == "thumb" {
		if err := set(Value{"cpsr", 0x30}); err != nil {
			return err
		}
	}
	for _, v := range c.Set {
		if err := set(v); err != nil {
			return err
		}
	}
	for k, w := range c.Data {
		b := make([]byte, 8)
		if a.Word == 8 {
			a.Order.PutUint64(b, w)
		} else {
			a.Order.PutUint32(b, uint32(w))
		}
		if _, err := t.Mem().WriteAt(b[:a.Word], DataAt+uint64(k*a.Word)); err != nil {
			return err
		}
	}
	return nil
}

// token writes a stop as cases do; the state only if it is wanted.
func (c *Case) token(t stepper.Target, st stepper.Stop, want string) string {
	s := ""
	switch st.Why {
	case stepper.Exited:
		return "X"
	case stepper.Syscall:
		s = "R"
	case stepper.Signal:
		s = "S"
	case stepper.Breakpoint:
		s = "B"
	case stepper.Stepped, stepper.TakenBranch:
	default:
		s = st.Why.String() + ":"
	}
	if off := st.PC - CodeAt; off < Size {
		s += fmt.Sprintf("+%x", off)
	} else {
		s += fmt.Sprintf("%x", st.PC)
	}
	if strings.Contains(want, "/") {
		s += fmt.Sprintf("/%d", t.Arch().State(t.Regs()))
	}
	if st.Why == stepper.Signal {
		s += fmt.Sprintf(":%d", st.Signo)
	}
	if strings.HasSuffix(want, "!") && st.Note != "" {
		s += "!"
	}
	return s
}

// after compares registers.
func (c *Case) after(t stepper.Target, s stepper.Strategy) error {
	var err error
	end := c.End
	if l := c.Differs[s.Name()]; l != nil {
		end = l
	}
	for _, v := range end {
		reg, _ := t.Arch().RegByName(v.Reg)
		mask := reg.Mask
		if mask == 0 {
			mask = ^uint64(0)
		}
		if reg.Bits < 64 {
			mask &= 1<<reg.Bits - 1
		}
		if got := t.Regs().Reg(reg.ID); (got^v.V)&mask != 0 {
			err = errors.Join(err, fmt.Errorf("%s is %#x, should be %#x", v.Reg, got, v.V))
		}
	}
	return err
}

// memory looks for breakpoints that are left.
func (c *Case) memory(t stepper.Target) error {
	now := make([]byte, Size)
	if _, err := t.Mem().ReadAt(now, CodeAt); err != nil {
		return err
	}
	want := append(bytes.Clone(c.Code), make([]byte, Size-len(c.Code))...)
	if !c.SMC && !bytes.Equal(now, want) {
		return fmt.Errorf("the code has changed: % x", now[:len(c.Code)])
	}
	return nil
}

// Result is how a case went.
type Result struct {
	Case     *Case
	Mode     stepper.Mode
	Strategy string
	Err      error
}

// Name is arch/case/mode/strategy.
func (r *Result) Name() string { return r.Case.ID() + "/" + ModeName(r.Mode) + "/" + r.Strategy }

// Run runs the cases that keep lets through, in every mode that they have stops
// for, by every strategy, and tells done of each result.
func Run(ctx context.Context, known []*arch.Arch, mk Maker, ss []stepper.Strategy, keep func(*Case, stepper.Mode) bool, done func(Result)) error {
	for k := range Cases() {
		c := &Cases()[k]
		for _, a := range known {
			if a.Name != c.Arch() {
				continue
			}
			for m := stepper.Insn; m <= Script; m++ {
				if !c.Has(m) || keep != nil && !keep(c, m) {
					continue
				}
				var first []byte
				for _, s := range ss {
					if err := ctx.Err(); err != nil {
						return err
					}
					left, err := c.check(ctx, a, mk, s, m)
					if first == nil {
						first = left
					}
					if err == nil && c.Differs[s.Name()] == nil && !bytes.Equal(left, first) {
						err = fmt.Errorf("it leaves other registers, flags or memory than %s", ss[0].Name())
					}
					done(Result{c, m, s.Name(), err})
				}
			}
		}
	}
	return nil
}
