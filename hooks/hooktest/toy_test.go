package hooktest_test

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks/hooktest"
	"github.com/utemu/utemu/hooks/hooktest/toy"
)

func TestToy(t *testing.T) {
	hooktest.Run(t, hooktest.Maker{
		Name: "toy",
		Has:  hooktest.Handlers | hooktest.Forks | hooktest.JobControl | hooktest.Exec | hooktest.Threads,
		New: func(_ testing.TB, ctx context.Context, p hooktest.Program) *hooktest.Guest {
			code, g := assembleToy(p)
			k := toy.New(ctx, code)
			g.Task, g.Run, g.Reap, g.Without = k.Hooks, k.Run, k.Hooks.Reap, k.Without
			g.Born = func(_ int, l string) uint64 { return g.Labels[l] }
			g.Func = func(l string) uint64 { return g.Labels[l] }
			g.Send = func(no unix.Signal) { k.Send(emu.Signal{No: no}) }
			return g
		},
	})
}

// assembleToy turns a program into instructions of the toy.
func assembleToy(p hooktest.Program) ([]toy.Insn, *hooktest.Guest) {
	g := &hooktest.Guest{Labels: map[string]uint64{}}
	var code []toy.Insn
	for range 2 { // the second time with all labels
		code, g.Insns, g.Ops = nil, nil, nil
		add := func(k toy.Kind, a, b uint64) {
			g.Insns = append(g.Insns, toy.Code+toy.Size*uint64(len(code)))
			code = append(code, toy.Insn{Kind: k, A: a, B: b})
		}
		for _, o := range p {
			at := toy.Code + toy.Size*uint64(len(code))
			g.Ops = append(g.Ops, at)
			switch o.Kind {
			case hooktest.Nop:
				add(toy.Nop, 0, 0)
			case hooktest.Call:
				for i, v := range o.Args {
					add(toy.Set, uint64(toy.R0)+uint64(i), value(v, 100, toy.Data, g.Labels))
				}
				add(toy.Set, uint64(toy.R7), nr(toy.Arch, o.Name))
				add(toy.Sys, 0, 0)
			case hooktest.Jump:
				add(toy.Jump, g.Labels[o.Label], 0)
			case hooktest.Skip:
				add(toy.Skip, g.Labels[o.Label], 0)
			case hooktest.Break:
				add(toy.Break, 0, 0)
			case hooktest.Fault:
				add(toy.Load, 16, 0)
			case hooktest.Mark:
				g.Labels[o.Label] = at
			}
		}
	}
	return code, g
}

// value is an argument of a call.
func value(v any, self int, buf uint64, labels map[string]uint64) uint64 {
	switch v := v.(type) {
	case int:
		return uint64(v)
	case string:
		return labels[v]
	}
	if v == hooktest.Buf {
		return buf
	}
	return uint64(self)
}

func nr(a *arch.Arch, name string) uint64 {
	for _, r := range a.Sysnum {
		if r.Name == name {
			return uint64(r.Nr)
		}
	}
	panic("no system call " + name + " on " + a.Name)
}
