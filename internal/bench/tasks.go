package main

import (
	"fmt"
	"os/exec"
	"slices"
)

// taskKinds are what tasks/tasks.c does, and what it may take at most beside
// qemu-user.
var taskKinds = []struct {
	guest
	most float64
}{
	{guest{"futex ping-pong", "futex", 40000}, 2},
	{guest{"pipe ping-pong", "pipe", 20000}, 3},
	{guest{"fork, exit, wait", "fork", 300}, 3},
}

// Of how many tasks the memory is taken, and what one may have at most, in KiB.
var idleKinds = []struct {
	name, kind string
	n          int
	most       float64
}{
	{"idle thread", "threads", 100, 100},
	{"idle process", "processes", 40, 8 << 10},
}

// tasks measures threads and processes: switches between them beside
// qemu-user, without start-up, and the memory that an idle one takes.
func (b *bench) tasks() error {
	header(2, "arch", "guest", "utemu", "qemu-user", "utemu/qemu-user", "at most")
	worst := 0.0
	for _, a := range b.arches {
		prog := b.file("tasks." + a)
		if out, err := exec.Command(compilers[a], "-O2", "-static", "-pthread", "-o", prog, "internal/bench/tasks/tasks.c").CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", compilers[a], err, out)
		}
		cs := []command{{name: "utemu", argv: []string{b.utemu, "run"}}, {name: "qemu-user", argv: qemu[a]}}
		start, err := contest(cs, []string{prog, "fork", "0"}, b.rounds)
		if err != nil {
			return err
		}
		for _, k := range taskKinds {
			t, err := contest(cs, []string{prog, k.kind, fmt.Sprint(k.count / b.scale)}, b.rounds)
			if err != nil {
				return err
			}
			ratio := (t[0] - start[0]) / (t[1] - start[1])
			worst = max(worst, ratio/k.most)
			row(a, k.name, fmt.Sprintf("%.3f s", t[0]), fmt.Sprintf("%.3f s", t[1]), fmt.Sprintf("%.2f", ratio), fmt.Sprint(k.most))
		}
		for _, k := range idleKinds {
			kib, err := b.idle(cs[0], prog, k.kind, k.n)
			if err != nil {
				return err
			}
			worst = max(worst, kib/k.most)
			row(a, k.name, fmt.Sprintf("%.0f KiB", kib), "-", "-", fmt.Sprintf("%.0f KiB", k.most))
		}
	}
	fmt.Printf("\nThe worst row has %.2f of what it may have.\n", worst)
	return nil
}

// idle is the memory, in KiB, that one of n tasks takes which all wait.
func (b *bench) idle(c command, prog, kind string, n int) (float64, error) {
	var each []float64
	for range b.rounds {
		few, err := c.run([]string{prog, kind, "1"})
		if err != nil {
			return 0, err
		}
		many, err := c.run([]string{prog, kind, fmt.Sprint(n + 1)})
		if err != nil {
			return 0, err
		}
		each = append(each, float64(many.rss-few.rss)/float64(n))
	}
	slices.Sort(each)
	return each[len(each)/2], nil
}
