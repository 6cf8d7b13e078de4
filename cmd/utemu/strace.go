package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/utemu/utemu/syscalls/strace"
)

// straceFlags are the flags of utemu strace: strace's own where they make
// sense here, and those of all programs that strace has no other use for.
type straceFlags struct {
	programFlags
	expr                     []string
	output                   string
	add                      bool
	follow, stamp, hex, path int
	quiet                    int
	column, strings          int
	consts                   string
	files                    []string
	noAbbrev                 bool
	since, spent, pc, number bool
	onlyOK, onlyFailed       bool
	onlySummary, summary     bool
	wall                     bool
	sortBy, columns          string
}

const straceLong = `Run a program and write its system calls as strace(1) does.

The flags are strace's. -e takes trace=, signal=, status=, abbrev=, verbose=,
raw=, read=, write=, quiet= and decode-fds= with strace's sets: names, %classes,
/regexps, !negations; trace= may be left out.`

func straceCommand() *cobra.Command {
	var f straceFlags
	cmd := &cobra.Command{
		Use:                   "strace [flags] PROG [ARGS...]",
		Short:                 "Run a program and show its system calls",
		Long:                  straceLong,
		Example:               "  utemu strace ./hello\n  utemu strace -f -tt -T -e trace=%file -o hello.strace ./hello\n  utemu strace -c ./hello",
		Args:                  needProgram,
		DisableFlagsInUseLine: true,
		RunE:                  func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args) },
	}
	f.define(cmd.Flags())
	return cmd
}

func (f *straceFlags) define(fs *pflag.FlagSet) {
	f.addCommon(fs)
	f.addHostExec(fs)
	fs.StringArrayVarP(&f.set, "env", "E", nil, "set `NAME=VALUE` in the program's environment, or remove NAME from it")
	fs.StringArrayVarP(&f.expr, "event", "e", nil, "what to show, `EXPRESSION`: [trace=]SET, signal=SET, status=SET, ...")
	fs.StringVarP(&f.output, "output", "o", "", "write the trace to `FILE`, or to a command's input for |COMMAND (default standard error)")
	fs.BoolVarP(&f.add, "output-append-mode", "A", false, "add to the file of -o")
	fs.CountVarP(&f.follow, "follow-forks", "f", "trace children too; twice, with -o: a file for each")
	fs.CountVarP(&f.stamp, "absolute-timestamps", "t", "print the time of day; twice with microseconds, three times since the epoch")
	fs.BoolVarP(&f.since, "relative-timestamps", "r", false, "print the time since the line before")
	fs.BoolVarP(&f.spent, "syscall-times", "T", false, "print the time spent in each call")
	fs.BoolVarP(&f.pc, "instruction-pointer", "i", false, "print the address of each call")
	fs.BoolVarP(&f.number, "syscall-number", "n", false, "print the number of each call")
	fs.IntVarP(&f.strings, "string-limit", "s", 32, "show `N` characters of a string")
	fs.IntVarP(&f.column, "columns", "a", 40, "put results in column `N`")
	fs.CountVarP(&f.hex, "hex", "x", "write strings with unprintable characters in hexadecimal; twice: all strings")
	fs.StringVarP(&f.consts, "const-print-style", "X", "abbrev", "write named numbers in `STYLE` raw, abbrev or verbose")
	f.setCount(fs, &f.path, "decode-fds", "y", "print the paths of descriptors; twice: what sockets are connected to")
	fs.StringArrayVarP(&f.files, "trace-path", "P", nil, "show only calls on the file `PATH`; may be repeated")
	fs.BoolVarP(&f.noAbbrev, "no-abbrev", "v", false, "do not shorten structures")
	fs.BoolVarP(&f.onlyOK, "successful-only", "z", false, "show only calls that succeed")
	fs.BoolVarP(&f.onlyFailed, "failed-only", "Z", false, "show only calls that fail")
	f.setCount(fs, &f.quiet, "quiet", "q", "do not tell of new tasks; twice: nor how tasks exit")
	fs.BoolVarP(&f.onlySummary, "summary-only", "c", false, "count calls, errors and time, and show only these")
	fs.BoolVarP(&f.summary, "summary", "C", false, "show these after the trace")
	fs.BoolVarP(&f.wall, "summary-wall-clock", "w", false, "count wall clock time rather than system time")
	fs.StringVarP(&f.sortBy, "summary-sort-by", "S", "time", "sort the summary by `COLUMN`")
	fs.StringVarP(&f.columns, "summary-columns", "U", "", "`COLUMNS` of the summary, with commas between")
	for _, key := range []string{"trace", "signal", "status", "abbrev", "verbose", "raw", "read", "write"} {
		fs.Var(&qualifier{f, key, nil}, key, "the same as -e "+key+"=`SET`")
	}
	fs.Bool("seccomp-bpf", false, "has no effect, since only calls that are shown cost anything")
}

// qualifier is a flag that stands for -e with its name; with a count it may
// also come without a value, which adds one.
type qualifier struct {
	f     *straceFlags
	key   string
	count *int
}

// setCount defines a flag that counts, or has a value as of -e.
func (f *straceFlags) setCount(fs *pflag.FlagSet, n *int, name, short, usage string) {
	fs.VarPF(&qualifier{f, name, n}, name, short, usage).NoOptDefVal = more
}

// more is the value of a qualifier that has none.
const more = "+1"

// Set implements pflag.Value.
func (q *qualifier) Set(v string) error {
	if q.count != nil && v == more {
		*q.count++
		return nil
	}
	q.f.expr = append(q.f.expr, q.key+"="+v)
	return nil
}

// String implements pflag.Value.
func (*qualifier) String() string { return "" }

// Type implements pflag.Value.
func (q *qualifier) Type() string {
	if q.count != nil {
		return "count"
	}
	return "string"
}

// options turns the flags into what is shown.
func (f *straceFlags) options() (strace.Options, error) {
	o := strace.DefaultOptions()
	o.Follow, o.File = f.follow > 0, f.output != ""
	o.Stamp, o.Since, o.Spent, o.PC, o.Number = min(f.stamp, 3), f.since, f.spent, f.pc, f.number
	o.Strings, o.Align, o.Hex, o.Paths = f.strings, f.column, min(f.hex, 2), min(f.path, 2)
	o.Attached, o.Exits = f.quiet < 1, f.quiet < 2
	for _, p := range f.files {
		o.Files = append(o.Files, p)
		if real, err := filepath.EvalSymlinks(p); err == nil && real != p {
			o.Files = append(o.Files, real)
		}
	}
	if f.strings < 0 || f.column < 0 {
		return o, errors.New("-s and -a want a number that is not negative")
	}
	if f.noAbbrev {
		o.Abbrev = strace.Set{}
	}
	switch {
	case f.onlyOK && f.onlyFailed:
		return o, errors.New("-z and -Z exclude each other")
	case f.onlyOK:
		o.Statuses = strace.Successful
	case f.onlyFailed:
		o.Statuses = strace.Failed
	}
	consts := map[string]strace.Consts{"raw": strace.ConstsRaw, "abbrev": strace.ConstsAbbrev, "verbose": strace.ConstsVerbose}
	var ok bool
	if o.Consts, ok = consts[f.consts]; !ok {
		return o, fmt.Errorf("-X: %q is none of raw, abbrev and verbose", f.consts)
	}
	for _, e := range f.expr {
		if err := expression(&o, e); err != nil {
			return o, fmt.Errorf("-e %s: %w", e, err)
		}
	}
	return o, f.counts(&o)
}

// counts sets up the summary.
func (f *straceFlags) counts(o *strace.Options) error {
	o.Wall = f.wall
	if !f.onlySummary && !f.summary {
		return nil
	}
	if f.onlySummary && f.summary {
		return errors.New("-c and -C exclude each other")
	}
	o.Quiet, o.Summary = f.onlySummary, &strace.Summary{}
	var err error
	if o.Summary.SortBy, err = strace.ParseSort(f.sortBy); err != nil {
		return fmt.Errorf("-S: %w", err)
	}
	if f.columns != "" {
		if o.Summary.Columns, err = strace.ParseColumns(f.columns); err != nil {
			return fmt.Errorf("-U: %w", err)
		}
	}
	return nil
}

// expression applies an argument of -e.
func expression(o *strace.Options, e string) error {
	key, val, found := strings.Cut(e, "=")
	if !found {
		key, val = "trace", e
		if strings.HasPrefix(e, "!") && expressions[e[1:]] != nil {
			key, val = e[1:], "none"
		}
	}
	f := expressions[key]
	if f == nil {
		return fmt.Errorf("there is no qualifier %q", key)
	}
	return f(o, val)
}

// expressions are the qualifiers of -e, with their short names.
var expressions = map[string]func(*strace.Options, string) error{}

func init() {
	set := func(at func(*strace.Options) *strace.Set) func(*strace.Options, string) error {
		return func(o *strace.Options, v string) (err error) {
			*at(o), err = strace.ParseSet(v)
			return err
		}
	}
	numbers := func(at func(*strace.Options) **strace.Numbers) func(*strace.Options, string) error {
		return func(o *strace.Options, v string) (err error) {
			*at(o), err = strace.ParseNumbers(v)
			return err
		}
	}
	define := func(f func(*strace.Options, string) error, names ...string) {
		for _, n := range names {
			expressions[n] = f
		}
	}
	define(set(func(o *strace.Options) *strace.Set { return &o.Trace }), "trace", "t")
	define(set(func(o *strace.Options) *strace.Set { return &o.Abbrev }), "abbrev", "a")
	define(set(func(o *strace.Options) *strace.Set { return &o.Decode }), "verbose", "v")
	define(set(func(o *strace.Options) *strace.Set { return &o.Raw }), "raw", "x")
	define(numbers(func(o *strace.Options) **strace.Numbers { return &o.Read }), "read", "reads", "r")
	define(numbers(func(o *strace.Options) **strace.Numbers { return &o.Write }), "write", "writes", "w")
	define(func(o *strace.Options, v string) (err error) {
		o.Signals, err = strace.ParseSignals(v)
		return err
	}, "signal", "signals", "s")
	define(func(o *strace.Options, v string) (err error) {
		o.Statuses, err = strace.ParseStatuses(v)
		return err
	}, "status")
	define(quietExpression, "quiet", "silent", "silence", "q")
	define(fdsExpression, "decode-fds", "decode-fd")
}

// quietExpression is -e quiet=; of the messages it names ours has two.
func quietExpression(o *strace.Options, v string) error {
	for _, w := range strings.Split(v, ",") {
		switch w {
		case "exit", "exits":
			o.Exits = false
		case "attach":
			o.Attached = false
		case "all":
			o.Exits, o.Attached = false, false
		case "none":
			o.Exits, o.Attached = true, true
		case "personality", "path-resolution", "path-resolve", "thread-execve", "superseded":
		default:
			return fmt.Errorf("there is no message %q", w)
		}
	}
	return nil
}

// fdsExpression is -e decode-fds=.
func fdsExpression(o *strace.Options, v string) error {
	for _, w := range strings.Split(v, ",") {
		switch w {
		case "none":
			o.Paths = 0
		case "path":
			o.Paths = max(o.Paths, 1)
		case "all", "socket", "dev", "pidfd":
			o.Paths = 2
		default:
			return fmt.Errorf("there is no kind of descriptor %q", w)
		}
	}
	return nil
}

// environment splits strace's -E into what is set and what is removed.
func (f *straceFlags) environment() {
	var set []string
	for _, e := range f.set {
		if strings.Contains(e, "=") {
			set = append(set, e)
		} else {
			f.unset = append(f.unset, e)
		}
	}
	f.set = set
}

func (f *straceFlags) run(ctx context.Context, args []string) error {
	o, err := f.options()
	if err != nil {
		return usageError{err}
	}
	f.environment()
	out, err := f.open()
	if err != nil {
		return err
	}
	m, err := f.load(args)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	t := strace.NewTracer(o, out)
	k := m.Task()
	k.SetTracer(t)
	t.Started(k, findProgram(args[0]), f.argv(args), len(f.environ()))
	st, err := m.Run(ctx)
	if err == nil {
		t.Ended(k, st)
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	return ended(m, st)
}

// open opens the output, while files still get the modes that our own umask
// gives them.
func (f *straceFlags) open() (*strace.Output, error) {
	if f.output == "" {
		return strace.NewOutput(os.Stderr), nil
	}
	return strace.OpenOutput(f.output, f.follow > 1, f.add)
}
