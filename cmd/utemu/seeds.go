package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// seedOutcome is how the program ended under some seeds.
type seedOutcome struct {
	seeds          []uint64
	status         string
	stdout, stderr []byte
}

// runSeeds runs the program once for each of the seeds 1 to n, one after the
// other, and tells which of the runs ended otherwise than most.
func runSeeds(cmd *cobra.Command, n uint64, args []string) error {
	if n == 0 {
		return usageError{errors.New("--seeds wants a number of runs")}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	input, err := keepInput()
	if err != nil {
		return err
	}
	defer input.Close()
	// What the parent death signal of a child is about is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	found := map[[sha256.Size]byte]*seedOutcome{}
	var all []*seedOutcome
	for seed := uint64(1); seed <= n; seed++ {
		o, err := runSeed(cmd.Context(), self, seedArgs(cmd.Flags(), seed, args), input)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		key := sha256.Sum256(slices.Concat(digest(o.stdout), digest(o.stderr), []byte(o.status)))
		if found[key] == nil {
			found[key] = o
			all = append(all, o)
		}
		found[key].seeds = append(found[key].seeds, seed)
	}
	return reportSeeds(cmd, all, n, args)
}

func digest(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}

// keepInput is standard input for more than one program: nothing if it is a
// terminal, else all that comes from it.
func keepInput() (*os.File, error) {
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		return os.Open(os.DevNull)
	}
	fd, err := unix.MemfdCreate("input", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "input")
	if _, err := io.Copy(f, os.Stdin); err != nil {
		return nil, errors.Join(fmt.Errorf("standard input: %w", err), f.Close())
	}
	return f, nil
}

// seedArgs are the arguments of utemu for a run with a seed.
func seedArgs(fs *pflag.FlagSet, seed uint64, args []string) []string {
	out := []string{"run", fmt.Sprintf("--deterministic=%d", seed)}
	fs.Visit(func(f *pflag.Flag) {
		if f.Name == "seeds" || f.Name == "deterministic" {
			return
		}
		values := []string{f.Value.String()}
		if l, ok := f.Value.(pflag.SliceValue); ok {
			values = l.GetSlice()
		}
		for _, v := range values {
			out = append(out, "--"+f.Name+"="+v)
		}
	})
	return append(append(out, "--"), args...)
}

// runSeed runs utemu.
func runSeed(ctx context.Context, self string, args []string, input *os.File) (*seedOutcome, error) {
	in, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", input.Fd())) // a position of its own
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(ctx, self, args...)
	c.Stdin, c.Stdout, c.Stderr = in, &stdout, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &seedOutcome{status: c.ProcessState.String(), stdout: stdout.Bytes(), stderr: stderr.Bytes()}, nil
}

// reportSeeds tells what there is to tell; the error is for the exit status.
func reportSeeds(cmd *cobra.Command, all []*seedOutcome, n uint64, args []string) error {
	// Most seeds first; among equals those that came first.
	slices.SortStableFunc(all, func(a, b *seedOutcome) int { return len(b.seeds) - len(a.seeds) })
	w := cmd.OutOrStdout()
	most := all[0]
	if len(all) == 1 {
		fmt.Fprintf(w, "%d seeds agree: %s\n", n, most.status)
		return nil
	}
	fmt.Fprintf(w, "%d of %d seeds agree: %s\n", len(most.seeds), n, most.status)
	for _, o := range all[1:] {
		fmt.Fprintf(w, "\nother with seed %s", numbers(o.seeds))
		if o.status != most.status {
			fmt.Fprintf(w, ": %s", o.status)
		}
		fmt.Fprintln(w)
		differs(w, "output", most.stdout, o.stdout)
		differs(w, "error output", most.stderr, o.stderr)
		fmt.Fprintf(w, "  again: utemu %s\n", strings.Join(quoted(seedArgs(cmd.Flags(), o.seeds[0], args)), " "))
	}
	return exitStatus(1)
}

// numbers are the first of a list.
func numbers(l []uint64) string {
	const most = 10
	var b strings.Builder
	for i, n := range l {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(l)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}

// differs shows the first line in which two outputs differ.
func differs(w io.Writer, what string, a, b []byte) {
	if bytes.Equal(a, b) {
		return
	}
	x, y := bytes.SplitAfter(a, []byte("\n")), bytes.SplitAfter(b, []byte("\n"))
	i := 0
	for i < len(x) && i < len(y) && bytes.Equal(x[i], y[i]) {
		i++
	}
	fmt.Fprintf(w, "  %s, line %d:\n", what, i+1)
	show := func(mark string, l [][]byte) {
		const most = 160
		if i >= len(l) || len(l[i]) == 0 {
			fmt.Fprintf(w, "    %s (end)\n", mark)
			return
		}
		line := bytes.TrimSuffix(l[i], []byte("\n"))
		fmt.Fprintf(w, "    %s %.*q\n", mark, most, line)
	}
	show("-", x)
	show("+", y)
}

// quoted are arguments as a shell takes them.
func quoted(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:@%+", r)
		}) {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return out
}
