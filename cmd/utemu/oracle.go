package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/internal/oracle"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/syscalls"
)

// oracles start a program elsewhere, by the names of --oracle.
var oracles = map[string]func(oracle.Program) (oracle.Process, error){
	"native": oracle.StartNative,
	"qemu":   oracle.StartQemu,
}

// beside steps a program beside an oracle.
func (f *stepFlags) beside(ctx context.Context, out *bufio.Writer, mode stepper.Mode, s stepper.Strategy, args []string) error {
	// The kernel lets a thread trace, not a process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := oracle.NewCapture(os.Stdout)
	if err != nil {
		return err
	}
	defer ours.Release()
	c, err := f.config(args)
	if err != nil {
		return err
	}
	c.OwnStreams, c.Stdin, c.Stdout, c.Stderr = false, ours.Files[0], ours.Files[1], ours.Files[2]
	m, err := utemu.Load(c)
	if err != nil {
		return loadError{err}
	}
	closed := sync.OnceValue(m.Close)
	defer closed()
	sys := m.Process().OS.(*syscalls.Process)
	p, err := oracles[f.oracle](oracle.Program{
		Arch: m.Process().Arch, Model: m.Process().Model.Name, Path: c.Path, Args: c.Args, Env: c.Env, Sysroot: m.Sysroot(), HostPath: sys.K.HostPath, Umask: sys.FS.Mask(),
	})
	if err != nil {
		return err
	}
	defer p.Close()
	g, err := emu.NewTarget(m.Task())
	if err != nil {
		return err
	}
	show := &printer{m: m, g: g, what: f.print, out: out}
	var recent trail
	rep, d, err := oracle.Compare(ctx, g, p, oracle.Config{Strategy: s, Mode: mode, Max: f.max, HostPath: sys.K.HostPath,
		Seen: func(n uint64, st stepper.Stop) error { return f.seen(n, st, show, &recent) }})
	if err != nil {
		return err
	}
	names := []string{"utemu", p.Name()}
	switch {
	case d != nil && d.What != "":
		fmt.Fprintf(os.Stderr, "utemu: after step %d at %#x: %s\n", d.Step, d.From, d.What)
		return exitStatus(1)
	case d != nil:
		return show.report(names, &d.Difference, recent)
	}
	over := m.Task().Status() != nil
	if over {
		if err := closed(); err != nil {
			return err
		}
		ours.Release()
		if x, y := ours.Bytes(true), p.Output(); !bytes.Equal(x, y) {
			fmt.Fprintf(os.Stderr, "utemu: the outputs differ: utemu %q, %s %q\n", x, p.Name(), y)
			return exitStatus(1)
		}
	}
	summary(os.Stderr, rep, names[1], over)
	return nil
}

// summary tells of a comparison without differences.
func summary(w io.Writer, rep oracle.Report, name string, over bool) {
	what := "stops and registers"
	if rep.Bytes != 0 {
		what += fmt.Sprintf(", %d KiB of memory", rep.Bytes>>10)
	}
	if over {
		what += ", output and exit status"
	}
	fmt.Fprintf(w, "utemu: %d steps, no difference from %s: %s\n", rep.Steps, name, what)
	for _, k := range slices.Sorted(maps.Keys(rep.Explained)) {
		fmt.Fprintf(w, "utemu: %6d times %s\n", rep.Explained[k], k)
	}
	if rep.Ended != "" {
		fmt.Fprintf(w, "utemu: the comparison ends there: %s\n", rep.Ended)
	}
}
