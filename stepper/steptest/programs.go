package steptest

import (
	"bytes"
	"context"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/utemu/utemu/stepper"
)

//go:generate make -s -C guests

//go:embed guests/*/code guests/*/signals guests/*/tasks guests/src/*.c
var guests embed.FS

// Process is the target of a whole program: its first thread.
type Process interface {
	stepper.Target
	// Follow has f run every task that comes to be, thread or process, each on
	// a goroutine of its own.
	Follow(f func(ctx context.Context, child stepper.Target) error)
	// Wait waits for the ends of these, when the first thread has ended.
	Wait() error
}

// isas are the instruction sets of programs.
var isas = []string{"i386", "x86_64", "arm", "thumb", "aarch64", "ppc", "ppc64"}

// scenario is a part of a guest program that is a scenario of the catalogue.
type scenario struct {
	no            int
	also          []int
	name          string
	program, arg  string
	events        string
	except, extra string // instruction sets that differ, and what they tell
	only          string // instruction sets, if it is not for all of them
	script        bool
}

// Events are what is to be told of the tasks beside steps and system calls, the
// first task first, then the others in the order of what they tell: Hn:f a
// handler for signal n has been set up and the task is at the start of f, Sn:f
// an instruction in f has raised signal n, B:f a breakpoint at the start of f
// has been hit, E:f a new program is at f, Xn the
// end with status n, Kn that by signal n.
var scenarios = []scenario{
	{no: 42, name: "signal-in-it", program: "signals", arg: "it-block", events: "S11:poke H11:on_segv X0", except: "thumb", extra: "S11:predicated H11:on_segv X0"},
	{no: 49, name: "signal-in-llsc", program: "signals", arg: "reserved", events: "S11:exclusive H11:on_segv X0", except: "i386 x86_64", extra: "S11:poke H11:on_segv X0"},
	{no: 53, name: "kuser", program: "code", arg: "helpers", events: "X0", only: "arm thumb"},
	{no: 62, also: []int{63, 64, 120}, name: "own-tf", program: "signals", arg: "own-tf", only: "i386 x86_64", events: strings.Repeat("S5:own_tf H5:on_trap ", 5) + "X0"},
	{no: 70, name: "restart", program: "signals", arg: "restart", events: "H14:on_alrm X0"},
	{no: 72, name: "exec", program: "tasks", arg: "exec", events: "E:_start X8"},
	{no: 73, also: []int{108}, name: "fork", program: "tasks", arg: "forked", events: "X0 | K9 | X4"},
	{no: 73, name: "vfork", program: "tasks", arg: "vforked", events: "X0 | X6"},
	{no: 74, also: []int{99}, name: "exit-group", program: "tasks", arg: "group", events: "X3 | X3"},
	{no: 75, name: "exit-beside", program: "tasks", arg: "leaving", events: "X0 | X0 | X0"},
	{no: 80, name: "pending", program: "signals", arg: "pending", events: "H12:on_usr2 X0"},
	{no: 81, name: "sigtrap-blocked", program: "signals", arg: "sigtrap", events: "X0"},
	{no: 82, name: "longjmp", program: "signals", arg: "away", events: strings.Repeat("S4:illegal H4:on_ill ", 3) + "X0"},
	{no: 83, also: []int{71}, name: "nested", program: "signals", arg: "nested", events: "H10:on_usr1 H12:on_usr2 H10:on_usr1 H12:on_usr2 X0"},
	{no: 84, name: "alternate-stack", program: "signals", arg: "alternate", events: "H12:on_alternate X0"},
	{no: 85, also: []int{109}, name: "repaired", program: "signals", arg: "repaired", events: "S11:poke H11:on_segv X0"},
	{no: 87, name: "passes-own-code", program: "code", arg: "passed", events: "X0"},
	{no: 90, name: "unmapped", program: "code", arg: "remapped", events: "X0"},
	{no: 91, name: "shared-page", program: "code", arg: "shared", events: "X0 | X42"},
	{no: 97, name: "stepping-off", program: "tasks", arg: "crossing", script: true, events: strings.Repeat("B:work ", 20) + "X0" + strings.Repeat(" | "+strings.Repeat("B:work ", 20)+"X0", 2)},
	{no: 98, name: "digest", program: "code", arg: "digest", events: "X95"},
	{no: 95, also: []int{46, 94, 96}, name: "both-step", program: "tasks", arg: "crossing", events: "X0 | X0 | X0"},
	{no: 107, name: "many-threads", program: "tasks", arg: "many", events: "X0" + strings.Repeat(" | X0", 9)},
}

// programs are the cases that are whole programs.
func programs() (cs []Case) {
	for _, s := range scenarios {
		for _, isa := range isas {
			if s.only != "" && !slices.Contains(strings.Fields(s.only), isa) {
				continue
			}
			image, err := guests.ReadFile("guests/" + isa + "/" + s.program)
			src, e := guests.ReadFile("guests/src/" + s.program + ".c")
			if err = errors.Join(err, e); err != nil {
				panic(err) // the files are part of this package
			}
			c := Case{No: s.no, Also: s.also, Name: s.name, ISA: isa, Asm: string(src), Code: image, Args: []string{s.arg}, Events: s.events, Script: s.script}
			if slices.Contains(strings.Fields(s.except), isa) {
				c.Events = s.extra
			}
			cs = append(cs, c)
		}
	}
	return cs
}

// maxSteps is how many steps a task may make.
const maxSteps = 1_000_000

// run is a program that is stepped.
type run struct {
	c    *Case
	s    stepper.Strategy
	m    stepper.Mode
	syms symbols
	seen func(st stepper.Stop)
	at   *stepper.Breakpoints // of scripts

	mu   sync.Mutex
	kids []string
}

// Trace steps all tasks of the program that the case is to their ends, and
// tells seen of each stop of the first. It returns the number of those. The
// error says what went otherwise than it should.
func (c *Case) Trace(ctx context.Context, t stepper.Target, s stepper.Strategy, m stepper.Mode, seen func(stepper.Stop)) (uint64, error) {
	p, ok := t.(Process)
	if !ok {
		return 0, errors.New("steptest: the target is not a whole program")
	}
	syms, err := readSymbols(c.Code)
	if err != nil {
		return 0, err
	}
	r := &run{c: c, s: s, m: m, syms: syms, seen: seen}
	if c.Script {
		if err := r.breakAtWork(t); err != nil {
			return 0, err
		}
	}
	p.Follow(func(ctx context.Context, child stepper.Target) error {
		events, _, err := r.task(ctx, child, false)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.kids = append(r.kids, events)
		return err
	})
	events, n, err := r.task(ctx, p, true)
	if err := errors.Join(err, p.Wait()); err != nil {
		return n, err
	}
	slices.Sort(r.kids)
	if all := strings.Join(append([]string{events}, r.kids...), " | "); all != c.Events {
		return n, fmt.Errorf("events are %q, should be %q", all, c.Events)
	}
	return n, nil
}

// breakAtWork inserts the breakpoint of scripts.
func (r *run) breakAtWork(t stepper.Target) error {
	at, ok := r.c.Symbol("work")
	if !ok {
		return errors.New("steptest: the program has no function work")
	}
	state := uint8(0)
	if r.c.ISA == "thumb" {
		state = 1
	}
	r.at = stepper.NewBreakpoints(t)
	return r.at.Insert(r, at, state)
}

// step makes a step, or goes on to a breakpoint.
func (r *run) step(ctx context.Context, t stepper.Target) (stepper.Stop, error) {
	if b, ok := t.(*stepper.Breakpoints); ok {
		return b.Continue(ctx, r.s)
	}
	return r.s.Step(ctx, t, r.m)
}

// task steps a task to its end.
func (r *run) task(ctx context.Context, t stepper.Target, first bool) (string, uint64, error) {
	var events []string
	if r.at != nil {
		t = r.at.Thread(t)
	}
	for n := uint64(1); n <= maxSteps; n++ {
		st, err := r.step(ctx, t)
		if err != nil {
			return strings.Join(events, " "), n, fmt.Errorf("step %d: %w", n, err)
		}
		if first && r.seen != nil {
			r.seen(st)
		}
		if e := r.event(st); e != "" {
			events = append(events, e)
		}
		switch {
		case st.Why == stepper.Exited:
			return strings.Join(events, " "), n, nil
		case st.Why != stepper.Stepped && st.Why != stepper.TakenBranch || n%64 == 0:
			if err := r.syms.unchanged(t); err != nil {
				return strings.Join(events, " "), n, fmt.Errorf("step %d: %w", n, err)
			}
		}
	}
	return strings.Join(events, " "), maxSteps, errors.New("the program does not end")
}

// event writes a stop as Events has it, "" for one that is not told.
func (r *run) event(st stepper.Stop) string {
	switch st.Why {
	case stepper.Stepped, stepper.TakenBranch, stepper.Syscall:
		return ""
	case stepper.Handler:
		return fmt.Sprintf("H%d:%s", st.Signo, r.syms.start(st.PC))
	case stepper.Signal:
		return fmt.Sprintf("S%d:%s", st.Signo, r.syms.function(st.PC))
	case stepper.Breakpoint:
		return "B:" + r.syms.start(st.PC)
	case stepper.Exec:
		return "E:" + r.syms.start(st.PC)
	case stepper.Exited:
		if no := st.Code & 0x7f; no != 0 {
			return fmt.Sprintf("K%d", no)
		}
		return fmt.Sprintf("X%d", st.Code>>8)
	}
	return st.Why.String()
}

// symbols are the functions of a program by address, and its code.
type symbols struct {
	at    []uint64
	names []string
	text  []byte
	addr  uint64
}

func readSymbols(image []byte) (s symbols, err error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return s, err
	}
	l, err := f.Symbols()
	if err != nil {
		return s, err
	}
	text := f.Section(".text")
	if s.addr, s.text, err = text.Addr, nil, nil; err == nil {
		s.text, err = text.Data()
	}
	if err != nil {
		return s, err
	}
	slices.SortFunc(l, func(a, b elf.Symbol) int { return int(int64(value(f, a) - value(f, b))) })
	for _, y := range l {
		if v := value(f, y); elf.ST_TYPE(y.Info) == elf.STT_FUNC || y.Name == "_start" {
			s.at, s.names = append(s.at, v), append(s.names, y.Name)
		}
	}
	return s, nil
}

// value is where a function starts: bit 0 tells Thumb, and a symbol of the
// descriptors leads to one.
func value(f *elf.File, y elf.Symbol) uint64 {
	if f.Machine == elf.EM_ARM {
		return y.Value &^ 1
	}
	opd := f.Section(".opd")
	if opd == nil || y.Value < opd.Addr || y.Value-opd.Addr > opd.Size-8 {
		return y.Value
	}
	b, err := opd.Data()
	if err != nil {
		return y.Value
	}
	return f.ByteOrder.Uint64(b[y.Value-opd.Addr:])
}

// function is the one that an address is in.
func (s *symbols) function(pc uint64) string {
	k, ok := slices.BinarySearch(s.at, pc)
	if !ok {
		k--
	}
	if k < 0 {
		return fmt.Sprintf("%#x", pc)
	}
	return s.names[k]
}

// start is the function that starts at an address.
func (s *symbols) start(pc uint64) string {
	if k, ok := slices.BinarySearch(s.at, pc); ok {
		return s.names[k]
	}
	return fmt.Sprintf("%s+%#x", s.function(pc), pc-s.addr)
}

// unchanged looks for breakpoints that are left.
func (s *symbols) unchanged(t stepper.Target) error {
	now := make([]byte, len(s.text))
	if _, err := t.Mem().ReadAt(now, s.addr); err != nil {
		return err
	}
	for k := range now {
		if now[k] != s.text[k] {
			return fmt.Errorf("the code has changed at %#x", s.addr+uint64(k))
		}
	}
	return nil
}

// Symbol is the address of a function of the program that the case is.
func (c *Case) Symbol(name string) (uint64, bool) {
	s, err := readSymbols(c.Code)
	k := slices.Index(s.names, name)
	if err != nil || k < 0 {
		return 0, false
	}
	return s.at[k], true
}

// Where names an address of the program that the case is: the function and how
// far it is into it, "-" for one outside of the code.
func (c *Case) Where(pc uint64) string {
	s, err := readSymbols(c.Code)
	if err != nil || pc < s.addr || pc >= s.addr+uint64(len(s.text)) {
		return "-"
	}
	k, ok := slices.BinarySearch(s.at, pc)
	if !ok {
		k--
	}
	if k < 0 {
		return fmt.Sprintf(".text+%#x", pc-s.addr)
	}
	return fmt.Sprintf("%s+%#x", s.names[k], pc-s.at[k])
}
