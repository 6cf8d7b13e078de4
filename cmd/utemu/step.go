package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/internal/oracle"
	"github.com/utemu/utemu/stepper"
)

// stepFlags are the flags of utemu step.
type stepFlags struct {
	programFlags
	strategy, mode, profile string
	print, output           string
	max                     uint64
	compare, oracle         string
	split, faithful         bool

	steps atomic.Uint64 // made, for the progress line
}

const stepLong = `Run a program step by step and write a line for each stop.

The strategies are four ways to the same stops: native has the engine run one
instruction; membp writes breakpoint instructions where the instruction leads
to; xol runs a copy of it elsewhere; perthread keeps breakpoints aside, where
only this thread hits them. A sequence of load with reservation and conditional
store is one step, unless --split. With --mode block a step ends after a taken
branch, with --profile any after any branch.

The first thread is stepped. As under gdb, the other threads of the program run
while it does: they stand still between its steps, and have the CPU in turns and
while it waits in a system call. Children run freely, without breakpoints.

--print says what a line has: pc, 0x<hex>; insn, also the instruction that
comes next; regs, also all core registers; none. Stops other than the end of a
step are told after a semicolon.

--compare runs the strategies against each other, each in a machine of its own.
--oracle runs the program beside the same program under the kernel of this
machine by ptrace (native; x86-64 and i386) or under qemu-user by its stub for
gdb (qemu). After every step the PC and all core registers have to be equal,
before the end all memory the program may write, and then its output and exit
status. The first difference is shown with the instructions before it: exit
status 1. The program has no input, its output comes once, and so does its own
exit status not. Stops that are equal are written with -o only.

What two runs of a program cannot agree on is listed in docs/step.md: results
of system calls about process numbers, clocks, random bytes, addresses and the
machine's name, clock and identification instructions, and flags that x86 leaves
undefined. The emulator's are then given to the oracle, but for addresses, which
the oracle chooses; how often that was so comes at the end.`

func stepCommand() *cobra.Command {
	var f stepFlags
	cmd := &cobra.Command{
		Use:   "step [flags] PROG [ARGS...]",
		Short: "Run a program step by step: by one of four strategies, by all of them, or beside an oracle",
		Long:  stepLong,
		Example: "  utemu step --print pc -o pcs ./hello\n  utemu step --strategy membp --mode block --print insn ./hello\n" +
			"  utemu step --compare ./hello\n  utemu step --compare native,membp --max 100000 ./hello\n" +
			"  utemu step --oracle native ./hello\n  utemu step --oracle qemu -L /usr/arm-linux-gnueabihf ./hello-arm",
		Args:                  needProgram,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("compare") {
				args = f.contestants(args)
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), args)
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.StringVarP(&f.strategy, "strategy", "s", "native", "`STRATEGY`: native, membp, xol or perthread")
	fs.StringVar(&f.mode, "mode", "insn", "`MODE`: insn or block")
	fs.StringVar(&f.profile, "profile", "taken", "blocks end after branches that are `taken`, or any")
	fs.StringVar(&f.print, "print", "pc", "`WHAT` to print of each stop: pc, insn, regs or none")
	fs.StringVarP(&f.output, "output", "o", "", "write the stops to `FILE`, apart from what the program writes")
	fs.Uint64Var(&f.max, "max", 0, "end after `N` steps, and the program with them")
	fs.StringVar(&f.compare, "compare", "", "run `STRATEGIES`, with commas between, against each other: all four if none are named")
	fs.Lookup("compare").NoOptDefVal = allStrategies
	fs.StringVar(&f.oracle, "oracle", "", "run the program beside `WHOM`: native, this machine's kernel, or qemu")
	fs.BoolVar(&f.split, "split", false, "native: stop inside sequences of load with reservation and conditional store too")
	fs.BoolVar(&f.faithful, "faithful", false, "as --split, and each stop drops the reservation, as hardware does")
	return cmd
}

const allStrategies = "native,membp,xol,perthread"

// contestants takes the strategies that --compare names off the arguments, if
// they come there and not behind an equals sign.
func (f *stepFlags) contestants(args []string) []string {
	if f.compare == "" {
		f.compare = "," // none is named, which is a mistake
	}
	if f.compare != allStrategies {
		return args
	}
	var names []string
	for len(args) > 1 {
		l := strings.Split(args[0], ",")
		if slices.ContainsFunc(l, func(n string) bool { _, ok := stepper.Lookup(n); return !ok }) {
			break
		}
		names, args = append(names, l...), args[1:]
	}
	if names == nil {
		return args
	}
	f.compare = strings.Join(names, ",")
	if len(args) > 1 && args[0] == "--" {
		args = args[1:]
	}
	return args
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
	switch {
	case f.oracle != "" && oracles[f.oracle] == nil:
		return 0, nil, usageError{fmt.Errorf("--oracle: %q is neither native nor qemu", f.oracle)}
	case f.oracle != "" && f.compare != "":
		return 0, nil, usageError{errors.New("--oracle and --compare do not go together")}
	case f.compare != "":
		if names = strings.Split(f.compare, ","); len(names) < 2 {
			return 0, nil, usageError{errors.New("--compare wants two strategies at least")}
		}
	}
	for _, n := range names {
		s, err := f.named(n)
		if err != nil {
			return 0, nil, err
		}
		ss = append(ss, s)
	}
	return m, ss, nil
}

// named is the strategy of a name.
func (f *stepFlags) named(name string) (stepper.Strategy, error) {
	s, ok := stepper.Lookup(name)
	if !ok {
		return nil, usageError{fmt.Errorf("%q is no strategy: native, membp, xol and perthread are", name)}
	}
	if _, ok := s.(stepper.Native); ok {
		s = stepper.Native{Split: f.split, Faithful: f.faithful}
	}
	return s, nil
}

// run steps. A signal that would end us ends the stops in a whole line.
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
	ctx, killed, restore := untilKilled(ctx)
	defer restore()
	if f.output != "" || f.print == "none" || f.compare != "" || f.oracle != "" {
		defer showProgress(func() string { return fmt.Sprintf("%.1f million steps", float64(f.steps.Load())/1e6) })()
	}
	switch {
	case f.compare != "":
		err = f.contest(ctx, out, mode, ss, args)
	case f.oracle != "":
		err = f.beside(ctx, out, mode, ss[0], args)
	default:
		err = f.alone(ctx, out, mode, ss[0], args)
	}
	if s := killed.Load(); s != 0 {
		return errors.Join(out.Flush(), exitStatus(128+int(s)))
	}
	return errors.Join(err, out.Flush())
}

// untilKilled is a context that ends when one of the signals comes that ask a
// program to end.
func untilKilled(parent context.Context) (ctx context.Context, killed *atomic.Int32, restore func()) {
	ctx, cancel := context.WithCancel(parent)
	killed = new(atomic.Int32)
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		select {
		case s := <-c:
			killed.Store(int32(s.(unix.Signal)))
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, killed, func() { signal.Stop(c); cancel() }
}

// alone steps one program by one strategy.
func (f *stepFlags) alone(ctx context.Context, out *bufio.Writer, mode stepper.Mode, s stepper.Strategy, args []string) error {
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
	if err := errors.Join(f.stepAll(ctx, g, s, mode, p.stop), out.Flush()); err != nil {
		return err
	}
	st := m.Task().Status()
	if st == nil { // --max
		return nil
	}
	// Other threads and children may outlive the first thread.
	if err := m.Kernel().Wait(); err != nil {
		return err
	}
	if all := m.Process().Group(); all != nil {
		st = all
	}
	return ended(m, *st)
}

// stepAll steps to the end, or --max.
func (f *stepFlags) stepAll(ctx context.Context, g *emu.Target, s stepper.Strategy, mode stepper.Mode, seen func(stepper.Stop) error) error {
	if !s.Supports(g, mode) {
		return fmt.Errorf("%s: %w", s.Name(), stepper.ErrNoStep)
	}
	for n := uint64(0); f.max == 0 || n < f.max; n++ {
		st, err := s.Step(ctx, g, mode)
		if err != nil {
			return err
		}
		if n&0xffff == 0 {
			f.steps.Store(n)
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
	var names []string
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
		names = append(names, s.Name())
		if k == 0 {
			first = &printer{m: m, g: g, what: f.print, out: out}
		}
	}
	var recent trail
	n, d, err := stepper.Compare(ctx, mode, f.max, cs, oracle.Agree, func(n uint64, st stepper.Stop) error { return f.seen(n, st, first, &recent) })
	if err != nil {
		return err
	}
	if d == nil {
		fmt.Fprintf(os.Stderr, "utemu: %d steps, no difference between %s\n", n, f.compare)
		return nil
	}
	return first.report(names, d, recent)
}

// seen takes a stop that was equal everywhere.
func (f *stepFlags) seen(n uint64, st stepper.Stop, p *printer, t *trail) error {
	t.add(p.g, st)
	if n&0x3ff == 0 {
		f.steps.Store(n)
	}
	if f.output != "" {
		return p.stop(st)
	}
	return nil
}
