package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stepCounts are how many steps each competitor makes, so that all of them take
// a second or so; they are divided by the scale.
const (
	stepsNative   = 2_000_000
	stepsSoftware = 200_000
	stepsPtrace   = 30_000
	stepsGDB      = 2_000
)

// competitor is a way to step.
type competitor struct {
	name  string
	steps int
	run   func(steps int) (time.Duration, error)
	rate  float64 // steps in a second
}

// steps measures stepping: table 5. The guest calls functions in a loop.
func (b *bench) steps() error {
	for name, argv := range map[string][]string{
		"ptrace":      {"gcc", "-O2", "-o", b.file("ptrace"), "internal/bench/stepping/ptrace.c"},
		"breakpoints": {"go", "build", "-o", b.file("breakpoints"), "./internal/bench/breakpoints"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
	}
	return errors.Join(b.stepRates(), b.stepBlocks(), b.breakpoints())
}

// stepRates compares steps of one instruction.
func (b *bench) stepRates() error {
	header(1, "arch", "native steps/s", "PTRACE_SINGLESTEP steps/s", "native/ptrace", "gdb, qemu-user stub steps/s", "native/gdb", "membp/ptrace", "xol/ptrace", "perthread/ptrace")
	least := map[string]float64{}
	for _, a := range b.arches {
		cs := []*competitor{
			{name: "native", steps: stepsNative, run: b.strategy(a, "native")},
			{name: "ptrace", steps: stepsPtrace, run: b.ptrace},
			{name: "gdb", steps: stepsGDB, run: b.gdb(a)},
			{name: "membp", steps: stepsSoftware, run: b.strategy(a, "membp")},
			{name: "xol", steps: stepsSoftware, run: b.strategy(a, "xol")},
			{name: "perthread", steps: stepsSoftware, run: b.strategy(a, "perthread")},
		}
		if err := b.rateAll(cs); err != nil {
			return err
		}
		over := func(k, than int) string {
			r := cs[k].rate / cs[than].rate
			key := cs[k].name + "/" + cs[than].name
			if l, ok := least[key]; !ok || r < l {
				least[key] = r
			}
			return fmt.Sprintf("%.1f", r)
		}
		row(a, fmt.Sprintf("%.0f", cs[0].rate), fmt.Sprintf("%.0f", cs[1].rate), over(0, 1), fmt.Sprintf("%.0f", cs[2].rate), over(0, 2), over(3, 1), over(4, 1), over(5, 1))
	}
	fmt.Printf("\nLeast: native is %.0f times as fast as the host's PTRACE_SINGLESTEP loop and %.0f times as gdb over the stub of qemu-user; "+
		"membp is %.1f times, xol %.1f times, perthread %.1f times as fast as that loop.\n",
		least["native/ptrace"], least["native/gdb"], least["membp/ptrace"], least["xol/ptrace"], least["perthread/ptrace"])
	return nil
}

// rateAll measures competitors, which take turns: the best of some rounds, each
// less what a run of one step takes. What else the machine does can only make
// a round slower.
func (b *bench) rateAll(cs []*competitor) error {
	for _, c := range cs {
		c.rate = 0
	}
	for range b.rounds {
		for _, c := range cs {
			n := max(c.steps/b.scale, 100)
			none, err := c.run(1)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all, err := c.run(n + 1)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			c.rate = max(c.rate, float64(n)/max(all-none, time.Millisecond).Seconds())
		}
	}
	return nil
}

// stepGuest is a guest that does not end before it has been stepped enough.
func stepGuest(a string) []string { return []string{program(a, "work"), "call", "100000000"} }

// strategy is utemu with a strategy.
func (b *bench) strategy(a, name string) func(int) (time.Duration, error) {
	return func(steps int) (time.Duration, error) {
		c := command{argv: []string{b.utemu, "step", "--print", "none", "--strategy", name, "--max", strconv.Itoa(steps)}}
		r, err := c.run(stepGuest(a))
		return r.cpu, err
	}
}

// ptrace is the loop of PTRACE_SINGLESTEP and wait, on a guest of this machine.
func (b *bench) ptrace(steps int) (time.Duration, error) {
	r, err := command{argv: []string{b.file("ptrace"), strconv.Itoa(steps)}}.run(stepGuest("x86_64"))
	return r.cpu, err
}

// gdb is gdb that steps by the stub of qemu-user; both count.
func (b *bench) gdb(a string) func(int) (time.Duration, error) {
	return func(steps int) (time.Duration, error) {
		socket := b.file("gdb.socket")
		argv := append(append(slices.Clone(qemu[a]), "-g", socket), stepGuest(a)...)
		stub := exec.Command(argv[0], argv[1:]...)
		if err := stub.Start(); err != nil {
			return 0, err
		}
		err := waitFor(socket)
		var r result
		if err == nil {
			// The file tells gdb the byte order. The last line shows that it has
			// come to where that many steps lead.
			r, err = command{argv: []string{"gdb-multiarch", "-nx", "-batch", "-ex", "set confirm off", "-ex", "target remote " + socket,
				"-ex", "stepi " + strconv.Itoa(steps), "-ex", `printf "at %#lx\n", (long)$pc`, "-ex", "kill", program(a, "work")}}.run(nil)
		}
		if err == nil {
			err = b.stoodAt(a, steps, string(r.out))
		}
		_ = stub.Process.Kill()
		_ = stub.Wait() // it was killed
		if err = errors.Join(err, os.RemoveAll(socket)); err != nil {
			return 0, err
		}
		return r.cpu + stub.ProcessState.UserTime() + stub.ProcessState.SystemTime(), nil
	}
}

// stoodAt holds the place that gdb says it is at against utemu's. Of many steps
// the stub makes one more in each system call, but the guest makes none there.
func (b *bench) stoodAt(a string, steps int, out string) error {
	r, err := command{argv: []string{b.utemu, "step", "--split", "--max", strconv.Itoa(steps)}}.run(stepGuest(a))
	if err != nil {
		return err
	}
	lines := strings.Fields(string(r.out))
	at, last := "", ""
	if i := strings.LastIndex(out, "at 0x"); i >= 0 {
		at = strings.Fields(out[i+3:])[0]
	}
	if len(lines) > 0 {
		last = lines[len(lines)-1]
	}
	if at != last {
		return fmt.Errorf("gdb has come to %q by %d steps, utemu to %s", at, steps, last)
	}
	return nil
}

// waitFor waits until a file is there.
func waitFor(name string) error {
	for range 1000 {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("%s does not come", name)
}

// stepBlocks compares stepping by blocks with stepping by instructions, over
// the same code to its end.
func (b *bench) stepBlocks() error {
	header(1, "arch", "insns s", "blocks s", "blocks are faster by")
	var faster []float64
	for _, a := range b.arches {
		step := func(mode string) command {
			return command{name: mode, argv: []string{b.utemu, "step", "--print", "none", "--mode", mode}}
		}
		cs := []command{step("insn"), step("block")}
		start, err := least(cs, []string{program(a, "work"), "cpu", "1"}, b.rounds)
		if err != nil {
			return err
		}
		t, err := least(cs, []string{program(a, "work"), "cpu", strconv.Itoa(1_000_000 / b.scale)}, b.rounds)
		if err != nil {
			return err
		}
		r := (t[0] - start[0]) / (t[1] - start[1])
		faster = append(faster, r)
		row(a, fmt.Sprintf("%.3f", t[0]), fmt.Sprintf("%.3f", t[1]), fmt.Sprintf("%.1f", r))
	}
	fmt.Printf("\nStepping by blocks: median %.1f, least %.1f times as fast.\n", median(faster), slices.Min(faster))
	return nil
}

// breakpoints measures breakpoints that are never hit.
func (b *bench) breakpoints() error {
	header(1, "arch", "guest", "no breakpoint s", "one/none", "10,000/none")
	var one, many []float64
	for _, a := range b.arches {
		path, err := b.libc(a)
		if err != nil {
			return err
		}
		ran := b.file("ran")
		if _, err := (command{argv: []string{b.utemu, "trace", "-e", "insn", "--format", "bin", "-o", ran}}).run([]string{path, "1"}); err != nil {
			return err
		}
		t, err := b.neverHit(ran, path)
		if err != nil {
			return err
		}
		one, many = append(one, t[1]/t[0]), append(many, t[2]/t[0])
		row(a, "sorting on glibc", fmt.Sprintf("%.3f", t[0]), fmt.Sprintf("%.3f", t[1]/t[0]), fmt.Sprintf("%.3f", t[2]/t[0]))
	}
	fmt.Printf("\nTime with a breakpoint that is never hit: %s of a run without; with 10,000 of them: %s.\n", spread(one), spread(many))
	return nil
}

// neverHit is the time of a guest by the number of its breakpoints: none, one,
// 10,000.
func (b *bench) neverHit(ran, path string) (t [3]float64, err error) {
	c := command{argv: []string{b.file("breakpoints"), strconv.Itoa(6 * b.rounds), ran}}
	r, err := c.run([]string{path, strconv.Itoa(100 / b.scale)})
	if err != nil {
		return t, err
	}
	for k := range t {
		var n int
		if _, err := fmt.Sscan(string(r.out), &n, &t[k]); err != nil {
			return t, fmt.Errorf("breakpoints prints %q: %w", r.out, err)
		}
		_, rest, _ := bytes.Cut(r.out, []byte("\n"))
		r.out = rest
	}
	return t, nil
}

// compilers are Debian's for each architecture.
var compilers = map[string]string{
	"i386": "i686-linux-gnu-gcc", "x86_64": "x86_64-linux-gnu-gcc", "arm": "arm-linux-gnueabihf-gcc",
	"aarch64": "aarch64-linux-gnu-gcc", "ppc": "powerpc-linux-gnu-gcc", "ppc64": "powerpc64-linux-gnu-gcc",
}

// libc builds the guest that has room for so many breakpoints: it is on static
// glibc, most of which it never comes to.
func (b *bench) libc(a string) (string, error) {
	out := b.file("sort-" + a)
	argv := []string{compilers[a], "-O2", "-static", "-o", out, filepath.Join("internal/bench/stepping", "sort.c")}
	if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, text)
	}
	return out, nil
}
