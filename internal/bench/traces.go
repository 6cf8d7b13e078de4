package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/utemu/utemu/trace"
)

// rate is how many instructions a guest runs: some, and some for each of its
// count.
type rate struct{ base, each int }

// insns is how many instructions a guest runs, which follows from two traces
// of short runs.
func (b *bench) rate(a, kind string) (rate, error) {
	key := a + " " + kind
	if r, ok := b.rates[key]; ok {
		return r, nil
	}
	var n [2]int
	for i, count := range []int{1 << 12, 1 << 13} {
		var err error
		if n[i], err = b.count([]string{program(a, "work"), kind, strconv.Itoa(count)}); err != nil {
			return rate{}, err
		}
	}
	each := (n[1] - n[0]) >> 12
	if each <= 0 {
		return rate{}, fmt.Errorf("%s: no more instructions for more work", key)
	}
	b.rates[key] = rate{base: n[0] - each<<12, each: each}
	return b.rates[key], nil
}

// count traces a guest and counts its instructions.
func (b *bench) count(guest []string) (n int, err error) {
	file := b.file("count")
	c := command{argv: []string{b.utemu, "trace", "-e", "insn", "--format", "bin", "-o", file}}
	if _, err := c.run(guest); err != nil {
		return 0, err
	}
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = trace.ReadPCs(f, func(_ trace.Task, pcs []uint64) error {
		n += len(pcs)
		return nil
	})
	return n, err
}

// textPart is what part of the work a text trace gets: a line has 70 bytes.
const textPart = 10

// trace measures traces into files: table 2.
func (b *bench) trace() error {
	header(2, "arch", "guest", "untraced M insn/s", "PCs M insn/s", "PCs/untraced time", "qemu-user plugin M insn/s", "PCs utemu/plugin speed", "blocks M insn/s", "text M insn/s")
	var cost, faster, text []float64
	for _, a := range b.arches {
		for _, g := range guests[:3] {
			r, err := b.rate(a, g.kind)
			if err != nil {
				return err
			}
			insns := 200000000 / b.scale
			c, f, t, err := b.traced(a, g, r, insns)
			if err != nil {
				return err
			}
			cost, faster, text = append(cost, c), append(faster, f), append(text, t)
		}
	}
	fmt.Printf("\nPCs into a binary file cost %s times an untraced run; speed beside the plugin: median %.1f, least %.1f; "+
		"text with disassembly: median %.0f, least %.0f M insn/s.\n",
		spread(cost), median(faster), slices.Min(faster), median(text), slices.Min(text))
	return nil
}

// traced measures one row; insns is about how many instructions run.
func (b *bench) traced(a string, g guest, r rate, insns int) (cost, faster, text float64, err error) {
	out := b.file("trace")
	utemu := func(name string, args ...string) command {
		return command{name: name, argv: append([]string{b.utemu, "trace", "-o", out}, args...), out: out}
	}
	cs := []command{
		{name: "untraced", argv: []string{b.utemu, "run"}},
		utemu("PCs", "-e", "insn", "--format", "bin"),
		{name: "plugin", argv: append(slices.Clone(qemu[a]), "-plugin", b.file("pcs.so")+",out="+out), out: out},
		utemu("blocks", "-e", "block", "--format", "bin"),
	}
	work := func(insns int) ([]string, float64) {
		n := insns / r.each
		return []string{program(a, "work"), g.kind, strconv.Itoa(n)}, float64(r.base+n*r.each) / 1e6
	}
	guest, millions := work(insns)
	t, err := contest(cs, guest, b.rounds)
	if err != nil {
		return 0, 0, 0, err
	}
	guest, few := work(insns / textPart)
	line, err := contest([]command{utemu("text", "-e", "insn")}, guest, b.rounds)
	if err != nil {
		return 0, 0, 0, err
	}
	cost, faster, text = t[1]/t[0], t[2]/t[1], few/line[0]
	row(a, g.name, fmt.Sprintf("%.0f", millions/t[0]), fmt.Sprintf("%.0f", millions/t[1]), fmt.Sprintf("%.2f", cost),
		fmt.Sprintf("%.0f", millions/t[2]), fmt.Sprintf("%.1f", faster), fmt.Sprintf("%.0f", millions/t[3]), fmt.Sprintf("%.0f", text))
	return cost, faster, text, nil
}

// memory measures how much memory long runs take: table 3.
func (b *bench) memory() error {
	header(2, "arch", "guest", "run, 10^8 insns", "run, 10^9 insns", "PC trace, 10^8 insns", "PC trace, 10^9 insns")
	g := guests[2]
	for _, a := range b.arches {
		r, err := b.rate(a, g.kind)
		if err != nil {
			return err
		}
		cells := []string{a, g.name}
		for _, argv := range [][]string{{b.utemu, "run"}, {b.utemu, "trace", "-e", "insn", "--format", "bin", "-o", os.DevNull}} {
			for _, insns := range []int{1e8, 1e9} {
				res, err := (command{argv: argv}).run([]string{program(a, "work"), g.kind, strconv.Itoa(insns / r.each)})
				if err != nil {
					return err
				}
				cells = append(cells, fmt.Sprintf("%.1f MiB", float64(res.rss)/1024))
			}
		}
		row(cells...)
	}
	return nil
}
