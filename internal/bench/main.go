// Bench measures utemu beside qemu-user in one run and prints ratios, as
// README shows them.
//
//	go run ./internal/bench [-n ROUNDS] [-arch A,B] UTEMU
//
// A figure is processor time of the whole process, the least of several
// rounds, in which the competitors take turns so that a busy machine hurts
// all of them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// qemu are the commands that run a guest of each architecture under qemu-user.
var qemu = map[string][]string{
	"i386":    {"qemu-i386"},
	"x86_64":  {"qemu-x86_64"},
	"arm":     {"qemu-arm"},
	"aarch64": {"qemu-aarch64"},
	"ppc":     {"qemu-ppc", "-cpu", "7457a_v1.2"},
	"ppc64":   {"qemu-ppc64"},
}

var arches = []string{"i386", "x86_64", "arm", "aarch64", "ppc", "ppc64"}

// guest is one program with its arguments.
type guest struct {
	name string
	args []string
}

// The counts make qemu-user take about half a second, but for the start-up.
var guests = []guest{
	{"cpu", []string{"work", "work", "cpu", "100000000"}},
	{"memory", []string{"work", "work", "mem", "60000000"}},
	{"calls", []string{"work", "work", "call", "2000000"}},
	{"system calls", []string{"work", "work", "sys", "1000000"}},
	{"start-up", []string{"hello", "hello"}},
}

// command is a competitor: what to put before the guest.
type command struct {
	name string
	argv []string
	env  []string
}

// run is the processor time of one run.
func (c command) run(path string, args []string) (time.Duration, []byte, error) {
	cmd := exec.Command(c.argv[0], append(append(c.argv[1:len(c.argv):len(c.argv)], path), args...)...)
	cmd.Env = append(os.Environ(), c.env...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", strings.Join(cmd.Args, " "), path, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out.Bytes(), nil
}

// contest is the least time of each competitor over some rounds. All must
// print the same.
func contest(cs []command, path string, args []string, rounds int) ([]time.Duration, error) {
	best := make([]time.Duration, len(cs))
	var want []byte
	for r := range rounds {
		for i, c := range cs {
			d, out, err := c.run(path, args)
			if err != nil {
				return nil, err
			}
			if want == nil {
				want = out
			}
			if !bytes.Equal(out, want) {
				return nil, fmt.Errorf("%s: %s prints %q, not %q", path, c.name, out, want)
			}
			if r == 0 || d < best[i] {
				best[i] = d
			}
		}
	}
	return best, nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	rounds := flag.Int("n", 3, "rounds")
	only := flag.String("arch", strings.Join(arches, ","), "architectures")
	withStock := flag.Bool("stock", true, "measure the stock engine too, once")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("which utemu?")
	}
	utemu := flag.Arg(0)
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "arch\tguest\tutemu s\tqemu-user s\tratio\tstock ratio")
	var ratios []float64
	for _, a := range strings.Split(*only, ",") {
		if qemu[a] == nil {
			log.Fatalf("no architecture %q", a)
		}
		for _, g := range guests {
			r, line, err := measure(utemu, a, g, *rounds, *withStock)
			if err != nil {
				log.Fatal(err)
			}
			if g.name != "start-up" && g.name != "system calls" {
				ratios = append(ratios, r)
			}
			fmt.Fprintln(w, line)
			w.Flush()
		}
	}
	sort.Float64s(ratios)
	fmt.Printf("median of cpu, memory and calls: %.2f, worst %.2f\n", ratios[len(ratios)/2], ratios[len(ratios)-1])
}

// measure makes one line of the table.
func measure(utemu, a string, g guest, rounds int, withStock bool) (float64, string, error) {
	path := filepath.Join("testdata/bins", a, g.args[0])
	cs := []command{{"utemu", []string{utemu, "run"}, nil}, {"qemu-user", qemu[a], nil}}
	best, err := contest(cs, path, g.args[2:], rounds)
	if err != nil {
		return 0, "", err
	}
	ratio := best[0].Seconds() / best[1].Seconds()
	stock := "-"
	if withStock {
		d, _, err := (command{"stock", []string{utemu, "run"}, []string{"UTEMU_STOCK_ENGINE=1"}}).run(path, g.args[2:])
		if err != nil {
			return 0, "", err
		}
		stock = fmt.Sprintf("%.1f", d.Seconds()/best[1].Seconds())
	}
	return ratio, fmt.Sprintf("%s\t%s\t%.3f\t%.3f\t%.2f\t%s", a, g.name, best[0].Seconds(), best[1].Seconds(), ratio, stock), nil
}
