// Bench measures utemu in one run beside what it is to be held to, and prints
// the tables that README shows: qemu-user, the stock library, a loop in C over
// the same library (bare/bare.c) and a TCG plugin of qemu-user that writes a
// trace (plugin/pcs.c); and what tracing engines cost (engines).
//
//	go run ./internal/bench [-quick] [-n ROUNDS] [-arch A,B] [-only TABLES] UTEMU
//
// It runs in the root of the repository and needs gcc, libunicorn and
// qemu-user. A figure is processor time of the whole process, user and system,
// the median of several rounds in which the competitors take turns (of steps and
// breakpoints, whose costs are small, the best), so that a
// busy machine hurts all of them. All must print the same.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/utemu/utemu/emu/arch/archs"
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

// bench is one run of all measurements.
type bench struct {
	utemu  string
	dir    string // for what is built and written
	arches []string
	rounds int
	scale  int // the guests' counts are divided by it
	rates  map[string]rate
}

// tables are what can be measured, in this order.
var tables = []struct {
	name string
	run  func(*bench) error
}{
	{"speed", (*bench).speed},
	{"trace", (*bench).trace},
	{"memory", (*bench).memory},
	{"utrace", (*bench).utrace},
	{"steps", (*bench).steps},
	{"tasks", (*bench).tasks},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	b := &bench{scale: 1, rates: map[string]rate{}}
	var all []string
	for _, a := range archs.All {
		all = append(all, a.Name)
	}
	rounds := flag.Int("n", 5, "rounds")
	quick := flag.Bool("quick", false, "a fifth of the work, in three rounds: the figures are rough")
	arches := flag.String("arch", strings.Join(all, ","), "architectures")
	only := flag.String("only", "speed,trace,memory,utrace,steps,tasks", "tables")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("which utemu?")
	}
	b.utemu, b.rounds, b.arches = flag.Arg(0), *rounds, strings.Split(*arches, ",")
	if *quick {
		b.rounds, b.scale = min(b.rounds, 3), 5
	}
	for _, a := range b.arches {
		if qemu[a] == nil {
			log.Fatalf("no architecture %q", a)
		}
	}
	if err := b.run(strings.Split(*only, ",")); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(names []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.build(); err != nil {
		return err
	}
	for _, t := range tables {
		if !slices.Contains(names, t.name) {
			continue
		}
		start := time.Now()
		if err := t.run(b); err != nil {
			return err
		}
		log.Printf("%s took %.0f s", t.name, time.Since(start).Seconds())
	}
	return nil
}

// build compiles the competitors that are written in C.
func (b *bench) build() error {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "unicorn").Output()
	if err != nil {
		return fmt.Errorf("pkg-config unicorn: %w", err)
	}
	const uc = "emu/internal/uc"
	engine, err := filepath.Glob(uc + "/*.c")
	if err != nil {
		return err
	}
	// -rdynamic lets the shim's functions take the place of the library's.
	args := append([]string{"-O2", "-rdynamic", "-I" + uc, "-o", b.file("bare"), "internal/bench/bare/bare.c"}, engine...)
	args = append(append(args, strings.Fields(string(flags))...), "-ldl", "-lpthread")
	for _, args := range [][]string{args, {"-O2", "-shared", "-fPIC", "-o", b.file("pcs.so"), "internal/bench/plugin/pcs.c"}} {
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// program is the path of a guest.
func program(arch, name string) string { return filepath.Join("testdata/bins", arch, name) }
