package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/internal/conform"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// conformFlags are the flags of utemu conform.
type conformFlags struct {
	arches, cases, modes, strategies []string
	junit, json                      string
	verbose, list                    bool
}

const conformLong = `Run the conformance suite of stepping: scenarios in machine code of every
architecture, each in every mode by every strategy, with the stops and registers
that there have to be. A table of the results comes at the end; with a failure
the exit status is 1.

A case has a name ARCH/NUMBER-NAME/MODE/STRATEGY; the code of Thumb has the
architecture thumb. --case takes numbers, names, and patterns of the shell over
NUMBER-NAME or NAME. All selections take several, with commas between.`

func conformCommand() *cobra.Command {
	var f conformFlags
	cmd := &cobra.Command{
		Use:     "conform [flags]",
		Short:   "Run the conformance suite of stepping",
		Long:    conformLong,
		Example: "  utemu conform\n  utemu conform --arch arm,thumb --strategy membp --case 'it-*,44'\n  utemu conform --junit result.xml --json result.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unexpected %q", args[0])}
			}
			return nil
		},
		DisableFlagsInUseLine: true,
		RunE:                  func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.arches, "arch", nil, "`ARCHES` only")
	fs.StringSliceVar(&f.cases, "case", nil, "`CASES` only")
	fs.StringSliceVar(&f.modes, "mode", nil, "`MODES` only: insn, block, block-any, script")
	fs.StringSliceVarP(&f.strategies, "strategy", "s", nil, "`STRATEGIES` only: native, membp, xol, perthread")
	fs.StringVar(&f.junit, "junit", "", "write the results to `FILE` as JUnit has them")
	fs.StringVar(&f.json, "json", "", "write the results to `FILE` as JSON")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "write a line for each case")
	fs.BoolVar(&f.list, "list", false, "list the cases and run none")
	return cmd
}

// verdict is the result of a case. Its JSON is described in docs/step.md.
type verdict struct {
	Arch     string  `json:"arch"`
	Case     string  `json:"case"`
	Mode     string  `json:"mode"`
	Strategy string  `json:"strategy"`
	Passed   bool    `json:"passed"`
	Error    string  `json:"error,omitempty"`
	Code     string  `json:"code,omitempty"` // in assembly, of a failure
	Seconds  float64 `json:"seconds"`
}

func (v *verdict) name() string { return v.Arch + "/" + v.Case + "/" + v.Mode + "/" + v.Strategy }

// check finds mistakes in the selections.
func (f *conformFlags) check() ([]stepper.Strategy, error) {
	known := map[string]bool{"thumb": true}
	for _, a := range utemu.Arches() {
		known[a.Name] = true
	}
	for _, a := range f.arches {
		if !known[a] {
			return nil, usageError{fmt.Errorf("--arch: no architecture %q", a)}
		}
	}
	for _, m := range f.modes {
		if !slices.Contains([]string{"insn", "block", "block-any", "script"}, m) {
			return nil, usageError{fmt.Errorf("--mode: %q is none of insn, block, block-any and script", m)}
		}
	}
	for _, p := range f.cases {
		if _, err := path.Match(p, ""); err != nil {
			return nil, usageError{fmt.Errorf("--case: %q: %w", p, err)}
		}
	}
	if len(f.strategies) == 0 {
		return stepper.Strategies, nil
	}
	var ss []stepper.Strategy
	for _, n := range f.strategies {
		s, ok := stepper.Lookup(n)
		if !ok {
			return nil, usageError{fmt.Errorf("--strategy: %q is none of native, membp, xol and perthread", n)}
		}
		ss = append(ss, s)
	}
	return ss, nil
}

// keep tells whether a case is selected.
func (f *conformFlags) keep(c *steptest.Case) bool {
	if len(f.arches) > 0 && !slices.Contains(f.arches, c.ISA) && !(c.ISA != c.Arch() && slices.Contains(f.arches, c.Arch())) {
		return false
	}
	numbered := fmt.Sprintf("%03d-%s", c.No, c.Name)
	return len(f.cases) == 0 || slices.ContainsFunc(f.cases, func(p string) bool {
		by, _ := path.Match(p, c.Name)
		with, _ := path.Match(p, numbered)
		return by || with || strings.TrimLeft(p, "0") == fmt.Sprint(c.No)
	})
}

// skipped tells whether a mode is not selected.
func (f *conformFlags) skipped(m stepper.Mode) bool {
	return len(f.modes) > 0 && !slices.Contains(f.modes, steptest.ModeName(m))
}

func (f *conformFlags) run(ctx context.Context, out io.Writer) error {
	ss, err := f.check()
	if err != nil {
		return err
	}
	if f.list {
		return f.listCases(out)
	}
	start := time.Now()
	vs, err := f.all(ctx, ss, out)
	if err != nil {
		return err
	}
	if len(vs) == 0 {
		return usageError{errors.New("no case is selected")}
	}
	table(out, vs)
	err = errors.Join(
		writeWith(f.json, func(w io.Writer) error { return writeJSON(w, vs) }),
		writeWith(f.junit, func(w io.Writer) error { return writeJUnit(w, start, vs) }))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(vs, func(v verdict) bool { return !v.Passed }) {
		return exitStatus(1)
	}
	return nil
}

// all runs what is selected.
func (f *conformFlags) all(ctx context.Context, ss []stepper.Strategy, out io.Writer) (vs []verdict, err error) {
	ctx, killed, restore := untilKilled(ctx)
	defer restore()
	var n, failed atomic.Int64
	stop := showProgress(func() string { return fmt.Sprintf("%d cases, %d failed", n.Load(), failed.Load()) })
	defer stop()
	last := time.Now()
	err = steptest.Run(ctx, utemu.Arches(), conform.Make, ss, func(c *steptest.Case, m stepper.Mode) bool { return f.keep(c) && !f.skipped(m) }, func(r steptest.Result) {
		now := time.Now()
		v := verdict{Arch: r.Case.ISA, Case: strings.TrimPrefix(r.Case.ID(), r.Case.ISA+"/"), Mode: steptest.ModeName(r.Mode), Strategy: r.Strategy,
			Passed: r.Err == nil, Seconds: now.Sub(last).Seconds()}
		last = now
		if r.Err != nil {
			v.Error, v.Code = r.Err.Error(), r.Case.Asm
			failed.Add(1)
		}
		n.Add(1)
		vs = append(vs, v)
		f.tell(out, &v)
	})
	if s := killed.Load(); s != 0 {
		return nil, exitStatus(128 + int(s))
	}
	return vs, err
}

// tell writes a failure, with -v any result.
func (f *conformFlags) tell(out io.Writer, v *verdict) {
	switch {
	case !v.Passed:
		fmt.Fprintf(out, "FAIL %s: %s\n     %s\n", v.name(), v.Error, v.Code)
	case f.verbose:
		fmt.Fprintf(out, "ok   %s\n", v.name())
	}
}

// listCases lists what is selected, with its code.
func (f *conformFlags) listCases(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	cs := steptest.Cases()
	for k := range cs {
		c := &cs[k]
		if !f.keep(c) {
			continue
		}
		var modes []string
		for m := stepper.Insn; m <= steptest.Script; m++ {
			if c.Has(m) && !f.skipped(m) {
				modes = append(modes, steptest.ModeName(m))
			}
		}
		if len(modes) > 0 {
			code := c.Asm
			if c.Args != nil {
				code = "a program: " + strings.Join(c.Args, " ") // and not its whole source
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", c.ID(), strings.Join(modes, ","), code)
		}
	}
	return w.Flush()
}

// count is how cases went.
type count struct{ passed, failed int }

func (c count) String() string {
	switch {
	case c.failed > 0:
		return fmt.Sprintf("%d ok, %d FAILED", c.passed, c.failed)
	case c.passed > 0:
		return fmt.Sprintf("%d ok", c.passed)
	}
	return "-"
}

// table writes the results by architecture, mode and strategy.
func table(out io.Writer, vs []verdict) {
	type row struct{ arch, mode string }
	var rows []row
	var names []string
	counts := map[row]map[string]count{}
	var sum count
	for _, v := range vs {
		r := row{v.Arch, v.Mode}
		if counts[r] == nil {
			counts[r] = map[string]count{}
			rows = append(rows, r)
		}
		if !slices.Contains(names, v.Strategy) {
			names = append(names, v.Strategy)
		}
		c := counts[r][v.Strategy]
		if v.Passed {
			c.passed++
			sum.passed++
		} else {
			c.failed++
			sum.failed++
		}
		counts[r][v.Strategy] = c
	}
	slices.SortFunc(rows, func(x, y row) int { return strings.Compare(x.arch+" "+x.mode, y.arch+" "+y.mode) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "ARCH\tMODE\t%s\n", strings.ToUpper(strings.Join(names, "\t")))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s", r.arch, r.mode)
		for _, n := range names {
			fmt.Fprintf(w, "\t%s", counts[r][n])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "%d cases: %s\n", len(vs), sum)
}

// writeWith writes results to a file, if one is named.
func writeWith(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func writeJSON(w io.Writer, vs []verdict) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(vs)
}
