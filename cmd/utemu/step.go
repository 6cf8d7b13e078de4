package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/stepper"
)

// stepFlags are the flags of utemu step.
type stepFlags struct {
	programFlags
	strategy, mode, profile string
	print, output           string
	max                     uint64
	compare                 string
	split                   bool
}

const stepLong = `Run a program step by step and write a line for each stop.

The strategies are four ways to the same stops: native has the engine run one
instruction; membp writes breakpoint instructions where the instruction leads
to; xol runs a copy of it elsewhere; perthread keeps breakpoints aside, where
only this thread hits them. A sequence of load with reservation and conditional
store is one step. With --mode block a step ends after a taken branch, with
--profile any after any branch.

--print says what a line has: pc, 0x<hex>; insn, also the instruction that
comes next; regs, also all core registers; none. Stops other than the end of a
step are told after a semicolon.

--compare runs the strategies against each other, each in a machine of its own,
and shows the first difference: exit status 1. The program then has no input,
and its output comes once.`

func stepCommand() *cobra.Command {
	var f stepFlags
	cmd := &cobra.Command{
		Use:   "step [flags] PROG [ARGS...]",
		Short: "Run a program step by step, by one of four strategies or by all of them",
		Long:  stepLong,
		Example: "  utemu step --print pc -o pcs ./hello\n  utemu step --strategy membp --mode block --print insn ./hello\n" +
			"  utemu step --compare ./hello\n  utemu step --compare=native,membp --max 100000 ./hello",
		Args:                  needProgram,
		DisableFlagsInUseLine: true,
		RunE:                  func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), cmd.OutOrStdout(), args) },
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.StringVarP(&f.strategy, "strategy", "s", "native", "`STRATEGY`: native, membp, xol or perthread")
	fs.StringVar(&f.mode, "mode", "insn", "`MODE`: insn or block")
	fs.StringVar(&f.profile, "profile", "taken", "blocks end after branches that are `taken`, or any")
	fs.StringVar(&f.print, "print", "pc", "`WHAT` to print of each stop: pc, insn, regs or none")
	fs.StringVarP(&f.output, "output", "o", "", "write the stops to `FILE`, apart from what the program writes")
	fs.Uint64Var(&f.max, "max", 0, "end after `N` steps, and the program with them")
	fs.StringVar(&f.compare, "compare", "", "run `STRATEGIES`, with commas between, against each other (all four if none are named)")
	fs.Lookup("compare").NoOptDefVal = "native,membp,xol,perthread"
	fs.BoolVar(&f.split, "split", false, "native: stop inside sequences of load with reservation and conditional store too")
	return cmd
}

// parse turns flags into a mode and strategies.
func (f *stepFlags) parse() (m stepper.Mode, ss []stepper.Strategy, err error) {
	switch f.mode + "/" + f.profile {
	case "insn/taken", "insn/any":
	case "block/taken":
		m = stepper.Block
	case "block/any":
		m = stepper.BlockAny
	default:
		return 0, nil, usageError{fmt.Errorf("--mode %s --profile %s: the modes are insn and block, the profiles taken and any", f.mode, f.profile)}
	}
	switch f.print {
	case "pc", "insn", "regs", "none":
	default:
		return 0, nil, usageError{fmt.Errorf("--print: %q is none of pc, insn, regs and none", f.print)}
	}
	names := []string{f.strategy}
	if f.compare != "" {
		if names = strings.Split(f.compare, ","); len(names) < 2 {
			return 0, nil, usageError{errors.New("--compare wants two strategies at least")}
		}
	}
	for _, n := range names {
		s, ok := stepper.Lookup(n)
		if !ok {
			return 0, nil, usageError{fmt.Errorf("%q is no strategy: native, membp, xol and perthread are", n)}
		}
		if f.split {
			if _, ok := s.(stepper.Native); ok {
				s = stepper.Native{Split: true}
			}
		}
		ss = append(ss, s)
	}
	return m, ss, nil
}

func (f *stepFlags) run(ctx context.Context, std io.Writer, args []string) error {
	mode, ss, err := f.parse()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(std, 1<<16)
	if f.output != "" {
		file, err := os.Create(f.output)
		if err != nil {
			return err
		}
		defer file.Close()
		out = bufio.NewWriterSize(file, 1<<16)
	}
	if f.compare != "" {
		return errors.Join(f.contest(ctx, out, mode, ss, args), out.Flush())
	}
	m, err := f.load(args)
	if err != nil {
		return err
	}
	defer m.Close()
	g, err := emu.NewTarget(m.Task())
	if err != nil {
		return err
	}
	p := printer{m: m, g: g, what: f.print, out: out}
	err = f.steps(ctx, g, ss[0], mode, p.stop)
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if st := m.Task().Status(); st != nil {
		return ended(m, *st)
	}
	return nil
}

// steps steps to the end, or --max.
func (f *stepFlags) steps(ctx context.Context, g *emu.Target, s stepper.Strategy, mode stepper.Mode, seen func(stepper.Stop) error) error {
	if !s.Supports(g, mode) {
		return fmt.Errorf("%s: %w", s.Name(), stepper.ErrNoStep)
	}
	for n := uint64(0); f.max == 0 || n < f.max; n++ {
		st, err := s.Step(ctx, g, mode)
		if err != nil {
			return err
		}
		if err := seen(st); err != nil || st.Why == stepper.Exited {
			return err
		}
	}
	return nil
}

// contest runs strategies against each other.
func (f *stepFlags) contest(ctx context.Context, out *bufio.Writer, mode stepper.Mode, ss []stepper.Strategy, args []string) error {
	var cs []stepper.Contestant
	var first *printer
	for k, s := range ss {
		c, err := f.config(args)
		if err != nil {
			return err
		}
		c.OwnStreams, c.Random = false, new([16]byte)
		c.Stdin = strings.NewReader("")
		if k > 0 {
			c.Stdout, c.Stderr = io.Discard, io.Discard
		}
		m, err := utemu.Load(c)
		if err != nil {
			return loadError{err}
		}
		defer m.Close()
		g, err := emu.NewTarget(m.Task())
		if err != nil {
			return err
		}
		cs = append(cs, stepper.Contestant{Name: s.Name(), Target: g, Strategy: s})
		if k == 0 {
			first = &printer{m: m, g: g, what: f.print, out: out}
		}
	}
	var recent []uint64
	n, d, err := stepper.Compare(ctx, mode, f.max, cs, func(_ uint64, st stepper.Stop) error {
		if recent = append(recent, st.PC); len(recent) > 64 {
			recent = append(recent[:0], recent[len(recent)-8:]...)
		}
		if f.output != "" {
			return first.stop(st)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if d == nil {
		fmt.Fprintf(os.Stderr, "utemu: %d steps, no difference between %s\n", n, f.compare)
		return nil
	}
	first.out = bufio.NewWriter(os.Stderr)
	first.difference(cs, d, recent[max(0, len(recent)-6):])
	return errors.Join(first.out.Flush(), exitStatus(1))
}

// printer writes stops.
type printer struct {
	m    *utemu.Machine
	g    *emu.Target
	what string
	out  *bufio.Writer
	buf  []byte
}

const hexDigits = "0123456789abcdef"

// stop writes a line of a stop.
func (p *printer) stop(st stepper.Stop) error {
	if p.what == "none" {
		return nil
	}
	b := append(p.buf[:0], "0x"...)
	b = appendHex(b, st.PC)
	if p.what != "pc" && st.Why != stepper.Exited {
		b = append(b, ' ')
		b = append(b, p.insn(st.PC)...)
	}
	if note := describe(st); note != "" {
		b = append(append(b, " ; "...), note...)
	}
	b = append(b, '\n')
	if p.what == "regs" && st.Why != stepper.Exited {
		a := p.g.Arch()
		for k, r := range a.Regs[:a.Core] {
			b = append(b, fmt.Sprintf("  %s=%0*x", r.Name, r.Bits/4, p.g.Regs().Reg(r.ID))...)
			if k%4 == 3 || k == a.Core-1 {
				b = append(b, '\n')
			}
		}
	}
	p.buf = b
	_, err := p.out.Write(b)
	return err
}

func appendHex(b []byte, v uint64) []byte {
	shift := 60
	for shift > 0 && v>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}

// describe tells of stops that are not just the end of a step.
func describe(st stepper.Stop) string {
	s := ""
	switch st.Why {
	case stepper.Stepped, stepper.TakenBranch:
	case stepper.Signal:
		s = fmt.Sprintf("signal %s code %d addr %#x", unix.SignalName(unix.Signal(st.Signo)), st.Code, st.Addr)
	case stepper.Handler:
		s = "handler of " + unix.SignalName(unix.Signal(st.Signo))
	default:
		s = st.Why.String()
	}
	if st.Note != "" {
		s = strings.TrimPrefix(s+"; "+st.Note, "; ")
	}
	return s
}

// insn is the text of the instruction at an address.
func (p *printer) insn(at uint64) string {
	a := p.g.Arch()
	i, err := a.Decode(p.g.Regs(), p.g.Mem(), at)
	if err != nil {
		return "<cannot be read>"
	}
	in := disasm.DecodeIT(disasm.ISA(a.ISA(i.State)), at, i.Bytes(), i.IT, p.symbol)
	where := ""
	if l, ok := p.m.Symbols().Find(at); ok {
		where = "<" + l.String() + "> "
	}
	return where + in.Text
}

// symbol is the symbol that covers an address, and its value.
func (p *printer) symbol(at uint64) (string, uint64) {
	l, ok := p.m.Symbols().Find(at)
	if !ok {
		return "", 0
	}
	return l.Symbol, at - l.Off
}

// difference shows where contestants part.
func (p *printer) difference(cs []stepper.Contestant, d *stepper.Difference, recent []uint64) {
	w := p.out
	fmt.Fprintf(w, "utemu: step %d differs:\n", d.Step)
	for _, at := range recent {
		mark := "  "
		if at == d.From {
			mark = "=>"
		}
		fmt.Fprintf(w, "%s %#x %s\n", mark, at, p.insn(at))
	}
	if len(recent) == 0 {
		fmt.Fprintf(w, "=> %#x %s\n", d.From, p.insn(d.From))
	}
	width := 0
	for _, c := range cs {
		width = max(width, len(c.Name))
	}
	for k, c := range cs {
		st := d.Stops[k]
		fmt.Fprintf(w, "%-*s stops at %#x %s", width, c.Name, st.PC, p.insn(st.PC))
		if s := describe(st); s != "" {
			fmt.Fprintf(w, " ; %s", s)
		}
		fmt.Fprintln(w)
	}
	for _, r := range d.Regs {
		var b bytes.Buffer
		for k, c := range cs {
			fmt.Fprintf(&b, " %s %#x", c.Name, r.Values[k])
		}
		fmt.Fprintf(w, "register %s:%s\n", r.Name, b.String())
	}
}
