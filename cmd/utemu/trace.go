package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/trace"
)

// traceFlags are the flags of utemu trace beyond those of all programs.
type traceFlags struct {
	programFlags
	events, output, format string
	from, to               string
	only                   []string
	max                    uint64
	follow                 bool
	decode                 string
}

const traceLong = `Run a program and write what it does, one line an event:

  insn     an instruction: address, symbol+offset, bytes, disassembly, and with
           reg the registers it changed
  block    a block of instructions that the engine runs as a whole
  mem      a memory access: address, size, value, and by which instruction
  reg      changed registers
  syscall  a system call, as strace writes it
  signal   a signal, and how the program ended
  utrace   a report to a tracing engine (docs/utrace.md): engine, callback, its
           answer, and what all answers come to

insn alone, or with block, syscall and signal, is many times as fast as with
mem or reg. docs/trace.md describes the formats.`

func traceCommand() *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace [flags] PROG [ARGS...]",
		Short: "Run a program and trace its instructions, memory accesses and registers",
		Long:  traceLong,
		Example: "  utemu trace -e insn -o hello.trace ./hello\n  utemu trace --from main --only hello ./hello\n" +
			"  utemu trace -f -e insn,syscall -o make.trace ./make\n" +
			"  utemu trace -e insn --format bin -o pcs ./hello && utemu trace --decode pcs",
		Args: func(cmd *cobra.Command, args []string) error {
			if f.decode != "" && len(args) == 0 {
				return nil
			}
			return needProgram(cmd, args)
		},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.decode != "" {
				return decodeTrace(f.decode, cmd.OutOrStdout())
			}
			return f.run(cmd.Context(), args)
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	f.addHostExec(fs)
	fs.StringVarP(&f.events, "event", "e", trace.Default.String(), "`EVENTS` to trace: insn, block, mem, reg, syscall, signal, utrace, all, with commas between")
	fs.BoolVarP(&f.follow, "follow-forks", "f", false, "trace the processes that the program makes too, and begin each event with the numbers of its process and thread")
	fs.StringVarP(&f.output, "output", "o", "", "write the trace to `FILE`, or to a command's input for |COMMAND (default standard error)")
	fs.StringVar(&f.format, "format", "text", "`FORMAT` of the trace: text, jsonl or bin")
	fs.StringVar(&f.from, "from", "", "start when `SYMBOL`, SYMBOL+OFFSET or address is first executed, and again after --to")
	fs.StringVar(&f.to, "to", "", "stop before `SYMBOL`, SYMBOL+OFFSET or address is executed")
	fs.StringArrayVar(&f.only, "only", nil, "trace the code of a `RANGE` only: A-B, A+LENGTH, a symbol, or a file such as libc.so.6; may be repeated")
	fs.Uint64Var(&f.max, "max", 0, "end the trace after `N` events; the program runs on")
	fs.StringVar(&f.decode, "decode", "", "run nothing, but write the instruction addresses in the binary trace `FILE`, one a line, of a trace with -f with their tasks")
	return cmd
}

// config turns the flags into what to trace.
func (f *traceFlags) trace() (trace.Config, error) {
	c := trace.Config{From: f.from, To: f.to, Only: f.only, Max: f.max}
	var err error
	if c.Events, err = trace.ParseEvents(f.events); err != nil {
		return c, usageError{fmt.Errorf("-e: %w", err)}
	}
	switch f.format {
	case "text":
		c.Format = trace.Text
	case "jsonl":
		c.Format = trace.JSONL
	case "bin":
		c.Format = trace.Binary
	default:
		return c, usageError{fmt.Errorf("--format: %q is none of text, jsonl and bin", f.format)}
	}
	if c.Format == trace.Binary && f.output == "" {
		return c, usageError{errors.New("a binary trace needs a file: -o FILE")}
	}
	return c, nil
}

func (f *traceFlags) run(ctx context.Context, args []string) error {
	c, err := f.trace()
	if err != nil {
		return err
	}
	// Before the guest's umask takes the place of ours.
	out, err := openOutput(f.output, c.Format != trace.Binary)
	if err != nil {
		return err
	}
	m, err := f.load(args)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	c.Out, c.Prompt = out, f.output == ""
	if f.follow {
		c.Shared = trace.NewShared(c)
	}
	t, err := trace.New(m.Process(), m.Symbols(), c)
	if err != nil {
		return usageError{errors.Join(err, out.Close())}
	}
	w := watch(m, t, c.Events, f.follow)
	if c.Events&trace.Utrace != 0 {
		if err := watchReports(m, w); err != nil {
			return errors.Join(err, w.close(), out.Close())
		}
	}
	stop := f.progress(w, out)
	st, err := m.Run(ctx)
	stop()
	return f.finish(m, c.Shared, w, out, st, err)
}

// finish writes the end of the trace and tells how the program ended.
func (f *traceFlags) finish(m *utemu.Machine, shared *trace.Shared, w *watcher, out *output, st emu.Status, err error) error {
	if err == nil {
		err = w.end(m.Task(), st)
	}
	errs := []error{err, w.close()}
	if shared != nil {
		errs = append(errs, shared.Close())
	}
	err = errors.Join(append(errs, out.Close())...)
	for _, name := range w.unresolved() {
		fmt.Fprintf(os.Stderr, "utemu: no code was found for %s\n", name)
	}
	if err != nil {
		return fmt.Errorf("trace: %w", firstError(err))
	}
	return ended(m, st)
}

// firstError leaves out what follows from the first error.
func firstError(err error) error {
	if l, ok := err.(interface{ Unwrap() []error }); ok && len(l.Unwrap()) > 0 {
		return l.Unwrap()[0]
	}
	return err
}

// output is where a trace goes.
type output struct {
	f     *os.File
	cmd   *exec.Cmd
	lines bool  // a write that fails is cut back to whole lines
	size  int64 // written
}

func openOutput(name string, lines bool) (*output, error) {
	if name == "" {
		return &output{f: os.Stderr}, nil
	}
	if command, ok := strings.CutPrefix(name, "|"); ok {
		return openPipe(command)
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &output{f: f, lines: lines && st.Mode().IsRegular()}, nil
}

// openPipe starts a shell command that reads the trace.
func openPipe(command string) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &output{f: w, cmd: cmd}, nil
}

// Write writes whole events. When the disk is full the file ends with the last
// whole line.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	if err != nil && o.lines {
		n = bytes.LastIndexByte(p[:n], '\n') + 1
		err = errors.Join(err, o.f.Truncate(o.size+int64(n)))
	}
	o.size += int64(n)
	return n, err
}

// Close ends the output; a command that reads it is waited for.
func (o *output) Close() error {
	if o.f == os.Stderr {
		return nil
	}
	err := o.f.Close()
	if o.cmd != nil {
		err = errors.Join(err, o.cmd.Wait())
	}
	return err
}

// progress shows how far a long run is, if that disturbs nobody.
func (f *traceFlags) progress(w *watcher, out *output) (stop func()) {
	if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err != nil || out.f == os.Stderr || out.cmd != nil {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-done:
				if shown {
					fmt.Fprint(os.Stderr, "\r\x1b[K")
				}
				return
			case <-tick.C:
				shown = true
				fmt.Fprintf(os.Stderr, "\r\x1b[Kutemu: %.1f million instructions traced", float64(w.traced())/1e6)
			}
		}
	}()
	return func() { close(done); <-gone }
}

// decodeTrace prints the addresses in a binary trace.
func decodeTrace(name string, w io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriterSize(w, 1<<16)
	var line []byte
	err = trace.ReadPCs(f, func(k trace.Task, pcs []uint64) error {
		task := ""
		if k != (trace.Task{}) {
			task = fmt.Sprintf("%d\t%d\t", k.PID, k.TID)
		}
		for _, pc := range pcs {
			line = append(strconv.AppendUint(append(append(line[:0], task...), "0x"...), pc, 16), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
