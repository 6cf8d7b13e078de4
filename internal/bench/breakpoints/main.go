// Breakpoints measures what software breakpoints cost that a guest never hits.
//
//	breakpoints ROUNDS TRACE PROG [ARGS...]
//
// TRACE is a binary trace of the instructions that the guest runs: breakpoints
// are in functions that it does not come to. It runs without any, untraced, with
// one, and with 10,000, which take turns. For each a line tells the least
// processor time of the rounds, in seconds: of the guest's run with the
// insertion, without what looks for the places.
package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/trace"
)

// counts are how many breakpoints the runs have.
var counts = []int{0, 1, 10000}

func main() {
	log.SetFlags(0)
	log.SetPrefix("breakpoints: ")
	if len(os.Args) < 4 {
		log.Fatal("usage: breakpoints ROUNDS TRACE PROG [ARGS...]")
	}
	rounds, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = contest(rounds, os.Args[2], os.Args[3:])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// contest measures.
func contest(rounds int, traced string, args []string) error {
	places, err := room(traced, args)
	if err != nil {
		return err
	}
	least := make([]time.Duration, len(counts))
	var want []byte
	for r := range rounds {
		for k, n := range counts {
			var out bytes.Buffer
			runtime.GC() // what the run before has left is not this one's
			start := used()
			if err := run(n, places, args, &out); err != nil {
				return err
			}
			if d := used() - start; r == 0 || d < least[k] {
				least[k] = d
			}
			if r == 0 && k == 0 {
				want = out.Bytes()
			}
			if !bytes.Equal(out.Bytes(), want) {
				return fmt.Errorf("with %d breakpoints it prints %q, not %q", n, out.Bytes(), want)
			}
		}
	}
	for k, n := range counts {
		fmt.Println(n, least[k].Seconds())
	}
	return nil
}

// used is the processor time of this process.
func used() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// run runs a guest with n breakpoints.
func run(n int, places []arch.Insn, args []string, out io.Writer) (err error) {
	m, err := utemu.Load(utemu.Config{Path: args[0], Args: args, Stdin: strings.NewReader(""), Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	ctx := context.Background()
	if n == 0 {
		st, err := m.Run(ctx)
		if err == nil && st.Wait() != 0 {
			err = fmt.Errorf("wait status %#x", st.Wait())
		}
		return err
	}
	g, err := emu.NewTarget(m.Task())
	if err != nil {
		return err
	}
	b := stepper.NewBreakpoints(g)
	if err := insert(b, places, n); err != nil {
		return err
	}
	st, err := b.Continue(ctx, stepper.Native{})
	if err == nil && st.Why != stepper.Exited {
		err = fmt.Errorf("stopped by %v at %#x", st.Why, st.PC)
	}
	return err
}

// room are the places in a guest that it does not come to.
func room(traced string, args []string) (places []arch.Insn, err error) {
	m, err := utemu.Load(utemu.Config{Path: args[0], Args: args})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	g, err := emu.NewTarget(m.Task())
	if err != nil {
		return nil, err
	}
	return unused(g, args[0], traced)
}

// insert makes n breakpoints, evenly over some places. One in the middle of what
// looks like an instruction from another is left out.
func insert(b *stepper.Breakpoints, places []arch.Insn, n int) error {
	made := 0
	for stride := max(1, len(places)/n); stride > 0 && made < n; stride /= 2 {
		for k := 0; k < len(places) && made < n; k += stride {
			i := places[k]
			if len(b.Owners(i.PC)) > 0 {
				continue
			}
			err := b.Insert(b, i.PC, i.State)
			if err != nil && !errors.Is(err, stepper.ErrInside) {
				return err
			}
			if err == nil {
				made++
			}
		}
	}
	if made < n {
		return fmt.Errorf("room for %d breakpoints only", made)
	}
	return nil
}

// unused are instructions of functions that the trace has none of, and that
// have the length of a breakpoint at least.
func unused(g *emu.Target, prog, traced string) (l []arch.Insn, err error) {
	ran, err := addresses(traced)
	if err != nil {
		return nil, err
	}
	f, err := elf.Open(prog)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	funcs, err := functions(g, f, syms)
	if err != nil {
		return nil, err
	}
	end := uint64(0)
	for _, s := range funcs {
		i := arch.Insn{PC: s.Value}
		if f.Machine == elf.EM_ARM {
			i.PC, i.State = s.Value&^1, uint8(s.Value&1)
		}
		k, _ := slices.BinarySearch(ran, i.PC)
		if i.PC < end || k < len(ran) && ran[k] < i.PC+s.Size {
			continue
		}
		end = i.PC + s.Size
		l = body(g, l, i, end)
	}
	return l, nil
}

// functions are those among the symbols, by address of their code.
func functions(g *emu.Target, f *elf.File, syms []elf.Symbol) ([]elf.Symbol, error) {
	opd := f.Section(".opd")
	var l []elf.Symbol
	for _, s := range syms {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Size < 16 {
			continue
		}
		if opd != nil && s.Value >= opd.Addr && s.Value < opd.Addr+opd.Size { // a descriptor of ELFv1
			var b [8]byte
			if _, err := g.Mem().ReadAt(b[:], s.Value); err != nil {
				return nil, err
			}
			s.Value = g.Arch().Order.Uint64(b[:])
		}
		l = append(l, s)
	}
	slices.SortFunc(l, func(x, y elf.Symbol) int { return cmp.Compare(x.Value, y.Value) })
	return l, nil
}

// body adds the instructions of a function. Behind a jump there may be data, but
// where all instructions are of one length.
func body(g *emu.Target, l []arch.Insn, i arch.Insn, end uint64) []arch.Insn {
	even := g.Arch().MinInsn == g.Arch().MaxInsn
	for {
		var err error
		i, err = g.Arch().Follow(i, g.Mem())
		if err != nil || i.End() > end || i.IT != 0 || i.Is(arch.IsUndefined|arch.IsIT) || !even && i.Is(arch.IsBranch) && !i.Is(arch.IsCond|arch.IsCall) {
			return l
		}
		if int(i.Len) >= len(g.Arch().Break(i.State)) {
			l = append(l, i)
		}
	}
}

// addresses are those in a binary trace.
func addresses(name string) ([]uint64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seen := map[uint64]bool{}
	err = trace.ReadPCs(f, func(_ trace.Task, pcs []uint64) error {
		for _, pc := range pcs {
			seen[pc] = true
		}
		return nil
	})
	var l []uint64
	for pc := range seen {
		l = append(l, pc)
	}
	slices.Sort(l)
	return l, err
}
