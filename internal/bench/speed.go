package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/utemu/utemu/emu/arch/archs"
)

// guest is a program that is measured. The counts make qemu-user take about
// half a second.
type guest struct {
	name, kind string
	count      int
}

var guests = []guest{
	{"cpu", "cpu", 150000000},
	{"memory", "mem", 80000000},
	{"calls", "call", 2500000},
	{"system calls", "sys", 700000},
}

// args are the command line of a guest with its count divided.
func (g guest) args(arch string, div int) []string {
	return []string{program(arch, "work"), g.kind, strconv.Itoa(g.count / div)}
}

// model is libunicorn's number of the CPU model that utemu runs.
func model(arch string) string {
	a, ok := archs.Lookup(arch)
	if !ok {
		return "-1"
	}
	return strconv.Itoa(a.Engine.Models[0].UC)
}

// speeds are the ratios of all rows, for the summary.
type speeds struct {
	loops, calls, start []float64 // to qemu-user
	bare                []float64 // loops to the bare loop
}

// speed measures running: table 1.
func (b *bench) speed() error {
	header(2, "arch", "guest", "utemu s", "qemu-user s", "utemu/qemu-user", "utemu/bare C loop", "stock library/qemu-user")
	var s speeds
	for _, a := range b.arches {
		cs := []command{
			{name: "utemu", argv: []string{b.utemu, "run"}},
			{name: "qemu-user", argv: qemu[a]},
			{name: "bare", argv: []string{b.file("bare"), a, model(a)}},
		}
		start, err := race(cs, []string{program(a, "hello")}, 4*b.rounds)
		if err != nil {
			return err
		}
		for _, g := range guests {
			if err := b.guest(a, g, cs, start, &s); err != nil {
				return err
			}
		}
		t := each(median, start)
		s.start = append(s.start, t[0]/t[1])
		row(a, "start-up", fmt.Sprintf("%.3f", t[0]), fmt.Sprintf("%.3f", t[1]), fmt.Sprintf("%.2f", t[0]/t[1]), "-", "-")
	}
	fmt.Printf("\ncpu, memory and calls: %s of qemu-user's time, %s of the bare loop's; "+
		"system calls: %s; start-up: %s. The bare loop runs the same code, so the least of "+
		"both times are compared, without start-ups.\n",
		spread(s.loops), spread(s.bare), spread(s.calls), spread(s.start))
	return nil
}

func spread(l []float64) string {
	if len(l) == 0 {
		return "-"
	}
	return fmt.Sprintf("median %.2f, worst %.2f", median(l), slices.Max(l))
}

// guest measures one row.
func (b *bench) guest(a string, g guest, cs []command, start [][]float64, s *speeds) error {
	times, err := race(cs, g.args(a, b.scale), b.rounds)
	if err != nil {
		return err
	}
	t := each(median, times)
	ratio := t[0] / t[1]
	bare := "-"
	if g.kind == "sys" {
		// The bare loop does not serve system calls as a kernel does.
		s.calls = append(s.calls, ratio)
	} else {
		r, err := b.beside(a, g, []command{cs[0], cs[2]}, []float64{slices.Min(start[0]), slices.Min(start[2])})
		if err != nil {
			return err
		}
		bare = fmt.Sprintf("%.2f", r)
		s.bare = append(s.bare, r)
		s.loops = append(s.loops, ratio)
	}
	stock, err := b.stock(a, g, t[1]-median(start[1]))
	if err != nil {
		return err
	}
	row(a, g.name, fmt.Sprintf("%.3f", t[0]), fmt.Sprintf("%.3f", t[1]), fmt.Sprintf("%.2f", ratio), bare, fmt.Sprintf("%.1f", stock))
	return nil
}

// beside is the ratio of two that run the same code. They differ by less than
// the times of either do, so many short rounds are made and the least times
// compared, without start-ups.
func (b *bench) beside(a string, g guest, cs []command, start []float64) (float64, error) {
	const part = 3
	t, err := least(cs, g.args(a, part*b.scale), 4*b.rounds)
	if err != nil {
		return 0, err
	}
	return (t[0] - start[0]) / (t[1] - start[1]), nil
}

// stock is the ratio of the stock library to qemu-user. It takes up to a
// hundred times as long, so a part of the work must do, less the start-up.
func (b *bench) stock(a string, g guest, qemu float64) (float64, error) {
	const part = 20
	c := command{name: "stock", argv: []string{b.utemu, "run"}, env: []string{"UTEMU_STOCK_ENGINE=1"}}
	start, err := c.run([]string{program(a, "hello")})
	if err != nil {
		return 0, err
	}
	r, err := c.run(g.args(a, part*b.scale))
	if err != nil {
		return 0, err
	}
	return (r.cpu - start.cpu).Seconds() * part / qemu, nil
}
