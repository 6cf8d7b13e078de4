package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// command is a competitor: what to put before the guest.
type command struct {
	name string
	argv []string
	env  []string
	out  string // a file that it writes, removed after each run
}

// result is what a run took.
type result struct {
	cpu time.Duration
	rss int64 // peak, in KiB
	out []byte
}

// run runs a guest once.
func (c command) run(guest []string) (result, error) {
	cmd := exec.Command(c.argv[0], append(slices.Clone(c.argv[1:]), guest...)...)
	cmd.Env = append(os.Environ(), c.env...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, diag.Bytes())
	}
	if c.out != "" {
		if err := os.Remove(c.out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return result{}, err
		}
	}
	st := cmd.ProcessState
	r := result{cpu: st.UserTime() + st.SystemTime(), out: out.Bytes()}
	if u, ok := st.SysUsage().(*syscall.Rusage); ok {
		r.rss = u.Maxrss
	}
	return r, nil
}

// contest is the median of each competitor's seconds over some rounds, least
// their minimum.
func contest(cs []command, guest []string, rounds int) ([]float64, error) {
	return contestBy(median, cs, guest, rounds)
}

func least(cs []command, guest []string, rounds int) ([]float64, error) {
	return contestBy(slices.Min, cs, guest, rounds)
}

func contestBy(of func([]float64) float64, cs []command, guest []string, rounds int) ([]float64, error) {
	times, err := race(cs, guest, rounds)
	return each(of, times), err
}

// each is of each competitor's seconds.
func each(of func([]float64) float64, times [][]float64) []float64 {
	out := make([]float64, len(times))
	for i, l := range times {
		out[i] = of(l)
	}
	return out
}

// race is each competitor's seconds in each round. All must print the same.
func race(cs []command, guest []string, rounds int) ([][]float64, error) {
	times := make([][]float64, len(cs))
	var want []byte
	for r := range rounds {
		for i, c := range cs {
			res, err := c.run(guest)
			if err != nil {
				return nil, err
			}
			if r == 0 && i == 0 {
				want = res.out
			}
			if !bytes.Equal(res.out, want) {
				return nil, fmt.Errorf("%s: %s prints %q, not %q", strings.Join(guest, " "), c.name, res.out, want)
			}
			times[i] = append(times[i], res.cpu.Seconds())
		}
	}
	return times, nil
}

func median(l []float64) float64 {
	l = slices.Sorted(slices.Values(l))
	if n := len(l); n%2 == 0 {
		return (l[n/2-1] + l[n/2]) / 2
	}
	return l[len(l)/2]
}

// row prints a line of a markdown table.
func row(cells ...string) { fmt.Println("| " + strings.Join(cells, " | ") + " |") }

// header prints the first lines of a table; all columns but the first n are
// numbers.
func header(n int, cells ...string) {
	fmt.Println()
	row(cells...)
	for i := range cells {
		cells[i] = "---"
		if i >= n {
			cells[i] = "---:"
		}
	}
	row(cells...)
}
