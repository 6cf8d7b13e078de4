// Package hooktest holds an implementation of tracing to what utrace does: one
// case for each numbered behaviour of docs/utrace.md, the same for every kind
// of task and every architecture. Each case runs a small program, with engines
// that write down every report they get and answer as the case says, and
// compares the whole log.
//
// Those who implement a hooks.Target write a Maker and call Run:
//
//	func TestHooks(t *testing.T) { hooktest.Run(t, maker) }
//
// What a kind of task cannot do is left out: Maker.Lacks says so, and the
// ledger in ledger.go says why, for the behaviours that no kind of task has.
package hooktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/hooks"
)

// Kind is an operation of a test program.
type Kind uint8

// The operations. A Maker turns each into one or more instructions.
const (
	Nop   Kind = iota // one instruction that does nothing
	Call              // a system call
	Jump              // a jump to Label
	Skip              // a compare and a conditional jump to Label that is not taken
	Break             // the breakpoint instruction that Linux knows
	Fault             // a read of address 16, which is not mapped
	Mark              // no instruction: Label is here
)

// Op is one operation.
type Op struct {
	Kind  Kind
	Label string
	Name  string // of the system call
	Args  []any  // numbers; a string is the address of a label; or Special
}

// Special is an argument that each kind of task has its own value for.
type Special uint8

// The special arguments.
const (
	Self Special = iota // the task's own number
	Buf                 // the address of some zero bytes
)

// Program is what a case runs. It starts at its first operation. Some calls
// have arguments that a Maker for a real kernel must turn into structures:
// rt_sigaction takes the signal, the handler, a label or a number, and flags;
// rt_sigprocmask the new mask; execve the label at which the new program, a
// copy of this one, starts; clone the flags and the label at which the child
// goes on, which has the stack of its parent; wait4 waits for any child.
// rt_sigreturn is called with the stack as the handler found it. Standard input
// is one that blocks.
type Program []Op

// Guest is a program that is ready to run.
type Guest struct {
	Task *hooks.Task
	// Insns are the addresses of the instructions, in order, and Ops where
	// each operation starts.
	Insns, Ops []uint64
	Labels     map[string]uint64
	// Run runs it to its end and returns the wait status; the error is the
	// context's.
	Run func() (int, error)
	// Send sends it a signal, on any goroutine.
	Send func(unix.Signal)
	// Waited tells that it has a parent that waits for it.
	Waited bool
	// Reap acts as a parent that waits for it.
	Reap func()
	// Without takes its steps away.
	Without func(single, block bool)
	// Func is a label as the address of a function.
	Func func(label string) uint64
	// Born is where a child begins: at its label, or after the call of the
	// clone, which is operation op, if that is where children part ways.
	Born func(op int, label string) uint64
	// Write writes to the task's standard input. Only real kernels have it.
	Write func(string)
	// BreakPC is how far the PC of a breakpoint's trap lies behind the
	// instruction.
	BreakPC uint64
}

// Feature is something that not all kinds of tasks have.
type Feature uint16

// The features.
const (
	Handlers   Feature = 1 << iota // signal handlers run
	Forks                          // clone, vfork, wait4
	JobControl                     // stop signals stop the task only
	Exec                           // execve of a label
	Threads                        // clone with CLONE_THREAD
	Real                           // instructions run on an emulated CPU
)

var featureNames = []string{"handlers", "forks", "job control", "exec of a label", "threads", "an emulated CPU"}

func (f Feature) String() string {
	var l []string
	for i, n := range featureNames {
		if f&(1<<i) != 0 {
			l = append(l, n)
		}
	}
	return strings.Join(l, ", ")
}

// Maker makes tasks of one kind.
type Maker struct {
	Name string
	Has  Feature
	Only Feature // run only the cases that need one of these, if it is not 0
	New  func(t testing.TB, ctx context.Context, p Program) *Guest
}

// patience is how long a case may take: it ends far sooner unless it hangs.
const patience = 30 * time.Second

// Run runs all cases that tasks of the maker's kind can be held to.
func Run(t *testing.T, m Maker) {
	for _, c := range Cases {
		if missing := c.Needs &^ m.Has; missing != 0 || m.Only != 0 && c.Needs&m.Only == 0 {
			continue
		}
		t.Run(fmt.Sprintf("%03d %s", c.N, c.Name), func(t *testing.T) { run(t, m, c) })
	}
}

// Case is the test of one behaviour.
type Case struct {
	N     int // its number in docs/utrace.md
	Name  string
	Needs Feature
	Run   func(e *Env)
}

func run(t *testing.T, m Maker, c Case) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	e := &Env{T: t, maker: m, Ctx: ctx}
	defer func() {
		cancel()
		if e.ended != nil {
			<-e.over
		}
	}()
	c.Run(e)
}

// Env is what a case works with.
type Env struct {
	*testing.T
	*Guest
	Ctx   context.Context
	maker Maker

	mu    sync.Mutex
	log   []string
	noted chan struct{} // closed when there is another line
	ended chan int
	over  chan struct{}
}

// Make makes the task of a program; it does not run yet.
func (e *Env) Make(p Program) {
	e.Helper()
	e.Guest = e.maker.New(e.T, e.Ctx, p)
	e.Task.SetLog(func(line string) { e.note("log " + line[:min(len(line), strings.IndexByte(line+"\n", '\n'))]) })
}

// Start runs the task on a goroutine of its own.
func (e *Env) Start() {
	e.ended, e.over = make(chan int, 1), make(chan struct{})
	go func() {
		defer close(e.over)
		st, err := e.Guest.Run()
		if err == nil {
			e.ended <- st
		}
	}()
}

// End waits for the task to end and returns its wait status.
func (e *Env) End() int {
	e.Helper()
	if e.ended == nil {
		e.Start()
	}
	select {
	case st := <-e.ended:
		e.ended <- st
		return st
	case <-e.over:
	}
	select {
	case st := <-e.ended:
		e.ended <- st
		return st
	default:
	}
	e.Fatalf("the task did not end; reports:\n%s", strings.Join(e.Reports(), "\n"))
	return 0
}

// Exits runs the task to its end, which must be an exit with a code.
func (e *Env) Exits(code int) {
	e.Helper()
	require.Equal(e, code<<8, e.End())
}

// Dies runs the task to its end, which must be by a signal.
func (e *Env) Dies(no unix.Signal) {
	e.Helper()
	require.Equal(e, int(no), e.End()&0x7f)
}

// Stops starts the task, if it does not run, and waits until it is held.
func (e *Env) Stops() {
	e.Helper()
	if e.ended == nil {
		e.Start()
	}
	require.NoError(e, e.Task.WaitStop(e.Ctx), "the task does not stop; reports:\n%s", strings.Join(e.Reports(), "\n"))
}

// Control makes a request that must succeed.
func (e *Env) Control(g *hooks.Engine, r hooks.Resume) {
	e.Helper()
	require.NoError(e, g.Control(r))
}

// PC is the program counter of the task, which the engine holds.
func (e *Env) PC(g *hooks.Engine) (pc uint64) {
	e.Helper()
	require.NoError(e, g.Examine(func(x *hooks.Examiner) error {
		pc = x.Regs().Reg(x.Arch().PC)
		return nil
	}))
	return pc
}

func (e *Env) note(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, line)
	if e.noted != nil {
		close(e.noted)
		e.noted = nil
	}
}

// Await waits until the log has a line.
func (e *Env) Await(line string) {
	e.Helper()
	e.Lines(line, 1)
}

// Lines waits until the log has a line so many times.
func (e *Env) Lines(line string, n int) {
	e.Helper()
	for {
		e.mu.Lock()
		count := 0
		for _, l := range e.log {
			if l == line {
				count++
			}
		}
		noted := e.more()
		e.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-noted:
		case <-e.Ctx.Done():
			e.Fatalf("%q does not come; reports:\n%s", line, strings.Join(e.Reports(), "\n"))
		}
	}
}

// more is closed when there is another line. e.mu is held.
func (e *Env) more() chan struct{} {
	if e.noted == nil {
		e.noted = make(chan struct{})
	}
	return e.noted
}

// forget empties the log.
func (e *Env) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = nil
}

// Reports are the lines so far.
func (e *Env) Reports() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.log)
}

// Log compares all lines since the last call, but for those of the release of
// engines if a parent has waited for the task.
func (e *Env) Log(want ...string) {
	e.Helper()
	e.mu.Lock()
	got := e.log
	e.log = nil
	e.mu.Unlock()
	if e.Waited {
		got = slices.DeleteFunc(got, func(l string) bool { return strings.Contains(l, " release ") })
	}
	require.Equal(e, strings.Join(want, "\n"), strings.Join(got, "\n"))
}

// Report is one callback.
type Report struct {
	*hooks.Call
	Line   string // as in the log, without the engine's name
	N      int    // how many of the same line came before to this engine
	Sys    *hooks.Syscall
	Signal *hooks.SignalReport
	Code   *int
	Child  *hooks.Task
}

// Reply is what an engine answers.
type Reply func(r *Report) hooks.Action

// on answers the reports of one line in turn, and is neutral otherwise.
func on(line string, answers ...hooks.Action) Reply {
	return func(r *Report) hooks.Action {
		if r.Line == line && r.N < len(answers) {
			return answers[r.N]
		}
		return hooks.Action{}
	}
}

// do calls f at each report of one line.
func do(line string, f func(r *Report) hooks.Action) Reply {
	return func(r *Report) hooks.Action {
		if r.Line == line {
			return f(r)
		}
		return hooks.Action{}
	}
}

// both asks two replies; the second prevails where it is not neutral.
func both(a, b Reply) Reply {
	return func(r *Report) hooks.Action {
		x, y := a(r), b(r)
		if y != (hooks.Action{}) {
			return y
		}
		return x
	}
}

func act(r hooks.Resume) hooks.Action { return hooks.Action{Resume: r} }

func sig(a hooks.SignalAction) hooks.Action { return hooks.Action{Signal: a} }

// Attach attaches a new engine to the task that writes down its reports.
func (e *Env) Attach(name string, ev hooks.Event, f Reply) *hooks.Engine {
	e.Helper()
	return e.AttachTo(e.Task, name, ev, f)
}

// AttachTo is Attach for another task.
func (e *Env) AttachTo(t *hooks.Task, name string, ev hooks.Event, f Reply) *hooks.Engine {
	e.Helper()
	g, err := t.Attach(hooks.AttachCreate, e.Ops(name, f), name)
	require.NoError(e, err)
	if ev != 0 {
		require.NoError(e, g.SetEvents(ev))
	}
	return g
}

// Ops are callbacks that write down their reports.
func (e *Env) Ops(name string, f Reply) *hooks.Ops {
	if f == nil {
		f = func(*Report) hooks.Action { return hooks.Action{} }
	}
	var mu sync.Mutex
	seen := map[string]int{}
	reply := func(r *Report) hooks.Action {
		mu.Lock()
		r.N = seen[r.Line]
		seen[r.Line]++
		mu.Unlock()
		e.note(name + " " + r.Line + before(r.Call))
		return f(r)
	}
	return &hooks.Ops{
		Name: name,
		Quiesce: func(c *hooks.Call, ev hooks.Event) hooks.Resume {
			return reply(&Report{Call: c, Line: "quiesce " + ev.String()}).Resume
		},
		Signal: func(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
			return reply(&Report{Call: c, Line: signalLine(c, s), Signal: s})
		},
		SyscallEntry: func(c *hooks.Call, s *hooks.Syscall) hooks.Action {
			line := "syscall_entry " + callName(s)
			if c.Action().Resumed {
				line += " resumed"
			}
			return reply(&Report{Call: c, Line: line, Sys: s})
		},
		SyscallExit: func(c *hooks.Call, s *hooks.Syscall) hooks.Resume {
			line := "syscall_exit " + callName(s)
			switch _, errno := s.Result(); {
			case errno >= 512:
				line += " restart"
			case errno != 0:
				line += fmt.Sprintf(" errno %d", errno)
			}
			return reply(&Report{Call: c, Line: line, Sys: s}).Resume
		},
		Clone: func(c *hooks.Call, flags uint64, child *hooks.Task) hooks.Resume {
			return reply(&Report{Call: c, Line: fmt.Sprintf("clone %#x", flags&^0xff), Child: child}).Resume
		},
		VforkDone: func(c *hooks.Call, _ int) hooks.Resume {
			return reply(&Report{Call: c, Line: "vfork_done"}).Resume
		},
		Exec: func(c *hooks.Call) hooks.Resume { return reply(&Report{Call: c, Line: "exec"}).Resume },
		Exit: func(c *hooks.Call, orig int, code *int) hooks.Resume {
			return reply(&Report{Call: c, Line: fmt.Sprintf("exit %#x %#x", orig, *code), Code: code}).Resume
		},
		Jctl: func(c *hooks.Call, kind, notify int) hooks.Resume {
			return reply(&Report{Call: c, Line: fmt.Sprintf("jctl %d %d", kind, notify)}).Resume
		},
		Death: func(c *hooks.Call, group bool, signal int) hooks.Resume {
			return reply(&Report{Call: c, Line: fmt.Sprintf("death %v %d", group, signal)}).Resume
		},
		Reap:    func(*hooks.Engine) { e.note(name + " reap") },
		Release: func(data any) { e.note(fmt.Sprintf("%s release %v", name, data)) },
	}
}

func callName(s *hooks.Syscall) string {
	if n := s.Name(); n != "" {
		return n
	}
	return fmt.Sprint(s.Nr())
}

// before is what the engines before have answered, if that is not neutral.
func before(c *hooks.Call) string {
	s := ""
	if r := c.Action().Resume; r != hooks.Run {
		s += " <" + r.String() + ">"
	}
	if c.Action().Syscall == hooks.SysAbort {
		s += " <abort>"
	}
	return s
}

// signalLine names the class, the signal and what is going to be done; for a
// report without a signal what is left of the one before.
func signalLine(c *hooks.Call, s *hooks.SignalReport) string {
	a := c.Action().Signal
	if s.Orig == nil {
		if s.Info.No == 0 {
			return "signal " + a.String()
		}
		return fmt.Sprintf("signal %v %s", a, unix.SignalName(s.Info.No))
	}
	name := unix.SignalName(s.Info.No)
	if name == "" {
		name = fmt.Sprint(int(s.Info.No))
	}
	return fmt.Sprintf("%v %s %v", s.Event, name, a)
}

// Op makers.

func nop() Op                          { return Op{Kind: Nop} }
func call(name string, args ...any) Op { return Op{Kind: Call, Name: name, Args: args} }
func jump(label string) Op             { return Op{Kind: Jump, Label: label} }
func skip(label string) Op             { return Op{Kind: Skip, Label: label} }
func brk() Op                          { return Op{Kind: Break} }
func bad() Op                          { return Op{Kind: Fault} }
func mark(label string) Op             { return Op{Kind: Mark, Label: label} }

// exit ends the program.
func exit(code int) Op { return call("exit_group", code) }

// raise is a signal that the program sends itself.
func raise(no unix.Signal) Op { return call("kill", Self, int(no)) }

// spin never ends.
var spin = Program{mark("spin"), nop(), jump("spin")}

// plain makes a call and ends.
var plain = Program{call("getppid"), exit(3)}
