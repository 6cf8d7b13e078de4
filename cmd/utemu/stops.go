package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
	"github.com/utemu/utemu/stepper"
)

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

// insn is the text of the instruction that the thread has at an address.
func (p *printer) insn(at uint64) string {
	a := p.g.Arch()
	i, err := a.Decode(p.g.Regs(), p.g.Mem(), at)
	if err != nil {
		i = arch.Insn{PC: at}
	}
	return p.text(i)
}

// text is the text of an instruction, or that there is none.
func (p *printer) text(i arch.Insn) string {
	if i.Len == 0 {
		return "<cannot be read>"
	}
	in := disasm.DecodeIT(disasm.ISA(p.g.Arch().ISA(i.State)), i.PC, i.Bytes(), i.IT, p.symbol)
	where := ""
	if l, ok := p.m.Symbols().Find(i.PC); ok {
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

// trail are the instructions at the last stops, as they were there.
type trail []arch.Insn

// add adds the instruction that the thread has come to.
func (t *trail) add(g *emu.Target, st stepper.Stop) {
	i := arch.Insn{PC: st.PC}
	if st.Why != stepper.Exited {
		if now, err := g.Cache().Here(g); err == nil {
			i = *now
		}
	}
	if *t = append(*t, i); len(*t) > 64 {
		*t = append((*t)[:0], (*t)[len(*t)-8:]...)
	}
}

// report shows a difference on standard error: exit status 1.
func (p *printer) report(names []string, d *stepper.Difference, recent trail) error {
	p.out = bufio.NewWriter(os.Stderr)
	p.difference(names, d, recent)
	return errors.Join(p.out.Flush(), exitStatus(1))
}

// difference shows where contestants part.
func (p *printer) difference(names []string, d *stepper.Difference, recent trail) {
	w := p.out
	fmt.Fprintf(w, "utemu: step %d differs:\n", d.Step)
	recent = recent[max(0, len(recent)-6):]
	for k, i := range recent {
		mark := "  "
		if i.PC == d.From && k == len(recent)-1 {
			mark = "=>"
		}
		fmt.Fprintf(w, "%s %#x %s\n", mark, i.PC, p.text(i))
	}
	if len(recent) == 0 {
		fmt.Fprintf(w, "=> %#x %s\n", d.From, p.insn(d.From))
	}
	width := 0
	for _, n := range names {
		width = max(width, len(n))
	}
	for k, st := range d.Stops {
		if st.Why == stepper.Exited {
			fmt.Fprintf(w, "%-*s has ended: status %#x\n", width, names[k], st.Code)
			continue
		}
		fmt.Fprintf(w, "%-*s stops at %#x %s", width, names[k], st.PC, p.insn(st.PC))
		if s := describe(st); s != "" {
			fmt.Fprintf(w, " ; %s", s)
		}
		fmt.Fprintln(w)
	}
	for _, r := range d.Regs {
		var b bytes.Buffer
		for k, n := range names {
			fmt.Fprintf(&b, " %s %#x", n, r.Values[k])
		}
		fmt.Fprintf(w, "register %s:%s\n", r.Name, b.String())
	}
}
