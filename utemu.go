package utemu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/hooks/ptrace"
	"github.com/utemu/utemu/internal/symbolize"
	"github.com/utemu/utemu/syscalls"
)

// Config says what to run and how. Only Path is needed.
type Config struct {
	// Path is the program: an ELF file of a supported architecture, or a
	// script whose "#!" line names one. It is a path of the host, relative to
	// the current directory; it is not looked up in PATH.
	Path string
	// Args are the arguments with the program's name first; nil means Path alone.
	Args []string
	// Env is the environment as NAME=VALUE; nil means that of this process.
	Env []string
	// Sysroot is a folder in which absolute paths of the guest are looked up
	// before the host's, as qemu-user's -L. If it is empty and the program's
	// dynamic linker is not there, the folders of Debian's cross packages are
	// tried.
	Sysroot string
	// CPU is a CPU model as `utemu arch` lists them; "" is the default of the
	// program's architecture.
	CPU string

	// Stdin, Stdout and Stderr are the guest's descriptors 0 to 2; nil means
	// those of this process. An *os.File is used as it is, anything else is
	// copied through a pipe while the guest runs: through the same one where
	// Stdout and Stderr are the same writer.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// OwnStreams lets the guest close standard input and output of this
	// process, where it has been given no others.
	OwnStreams bool

	// MemLimit bounds the private memory of the guest in bytes: mmap and brk
	// answer ENOMEM beyond, and a guest that touches more of what it mapped
	// without reserve is killed. 0 means three quarters of the machine's
	// memory.
	MemLimit uint64
	// AllowHostExec has the host run programs of its own architecture that the
	// guest executes and that are not in the sysroot, as children of this process.
	// They are outside of all bounds of the machine, and end with this process.
	// It excludes Deterministic.
	AllowHostExec bool
	// Stock runs on the library as it is, without the shim that makes its
	// memory accesses fast.
	Stock bool
	// Core is the core file that a guest leaves when a signal kills it whose
	// action is to dump core, whatever the limit is (ulimit -c); "%" means what
	// it does in core(5)'s core_pattern. With "" that limit, inherited from this
	// process, and the host's core_pattern decide.
	Core string
	// Deterministic makes runs alike: in the order in which tasks run, process
	// numbers, clocks and random numbers, which all follow from Seed. See
	// docs/deterministic.md for what that covers. It costs speed.
	Deterministic bool
	// Seed chooses one of the runs that Deterministic can make.
	Seed uint64
	// Random are the bytes that the program gets at AT_RANDOM, for runs that are
	// to be alike; nil means fresh ones.
	Random *[16]byte

	// Log gets a line for each thing worth telling a user who wants to know,
	// such as a system call that is not supported. Nil drops them.
	Log func(line string)
	// Warn gets a line, once, when the guest's results can be trusted no more
	// because of a fault in the engine. Nil drops it.
	Warn func(line string)
}

// Machine is a guest program in a machine of its own, loaded and ready to run.
type Machine struct {
	cfg    Config
	kernel *syscalls.Kernel
	proc   *emu.Process
	task   *emu.Task
	syms   *symbolize.Table
	sched  *emu.Schedule // nil unless Deterministic
	random *rand.ChaCha8

	copies sync.WaitGroup // of standard streams that are no files
	pipes  []*os.File     // the guest's ends of their pipes
	adrift bool           // the guest may still be in a system call
}

// Arches are the architectures whose programs can run.
func Arches() []*arch.Arch { return archs.All }

// Load reads the program and makes the machine it will run in. The error says
// in one line what is wrong with a program that cannot run.
func Load(c Config) (*Machine, error) {
	if c.Args == nil {
		c.Args = []string{c.Path}
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if warn := c.Warn; warn != nil {
		var told sync.Map // the CPUs of all processes tell it
		c.Warn = func(line string) {
			if _, was := told.LoadOrStore(line, true); !was {
				warn(line)
			}
		}
	}
	if c.AllowHostExec && c.Deterministic {
		return nil, errors.New("utemu: programs that the host runs are not deterministic")
	}
	if c.MemLimit == 0 {
		c.MemLimit = defaultMemLimit()
	}
	if c.Core != "" {
		abs, err := filepath.Abs(c.Core)
		if err != nil {
			return nil, fmt.Errorf("utemu: core file: %w", err)
		}
		c.Core = abs
	}
	m := &Machine{cfg: c}
	kc := syscalls.Config{Sysroot: c.Sysroot, OwnStreams: c.OwnStreams, Archs: archs.All, CoreFile: c.Core, Log: c.Log, Exec: m.exec, Ptrace: ptrace.Ptrace{}}
	pid := os.Getpid()
	if c.Deterministic {
		if err := m.determine(&kc); err != nil {
			return nil, err
		}
		pid = syscalls.FirstPID
	}
	m.kernel = syscalls.New(kc)
	im, err := m.open(c.Path, c.Args, nil)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	defer im.close()
	m.proc, err = im.load(m, pid, c.Env, nil)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.start(im); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// determine makes what a machine whose runs are alike has of its own.
func (m *Machine) determine(kc *syscalls.Config) (err error) {
	if m.sched, err = emu.NewSchedule(m.cfg.Seed); err != nil {
		return fmt.Errorf("utemu: %w", err)
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], m.cfg.Seed)
	m.random = rand.NewChaCha8(key)
	kc.Schedule, kc.Random = m.sched, m.random
	return nil
}

// start makes the kernel's side of the first process and its task.
func (m *Machine) start(im *image) error {
	p, err := m.kernel.NewProcess(m.proc)
	if err != nil {
		return fmt.Errorf("utemu: %w", err)
	}
	if err := m.stdio(p); err != nil {
		return fmt.Errorf("utemu: standard streams: %w", err)
	}
	im.describe(p)
	m.syms = symbolize.New(m.proc)
	m.task = m.proc.NewTask(m.proc.PID, m.kernel)
	p.Begin(m.task)
	return nil
}

// defaultMemLimit is three quarters of the host's memory.
func defaultMemLimit() uint64 {
	var si unix.Sysinfo_t
	if err := unix.Sysinfo(&si); err != nil {
		return 4 << 30
	}
	return si.Totalram * uint64(si.Unit) / 4 * 3
}

// stdio gives the guest the standard streams of the configuration.
func (m *Machine) stdio(p *syscalls.Process) error {
	if r := m.cfg.Stdin; r != nil {
		if err := m.stream(p, 0, r, nil); err != nil {
			return err
		}
	}
	if w := m.cfg.Stdout; w != nil {
		if err := m.stream(p, 1, nil, w); err != nil {
			return err
		}
	}
	w := m.cfg.Stderr
	if w == nil {
		return nil
	}
	if _, ok := w.(*os.File); !ok && same(w, m.cfg.Stdout) {
		return p.SetFile(2, m.pipes[len(m.pipes)-1])
	}
	return m.stream(p, 2, nil, w)
}

// same tells whether two writers are one, which is not to be written to by two
// goroutines.
func same(v, w io.Writer) (is bool) {
	defer func() { _ = recover() }() // they cannot be compared
	return v == w
}

// stream makes r or w the guest's descriptor fd.
func (m *Machine) stream(p *syscalls.Process, fd int, r io.Reader, w io.Writer) error {
	var v any = r
	if w != nil {
		v = w
	}
	if f, ok := v.(*os.File); ok {
		return p.SetFile(fd, f)
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return err
	}
	guest := pr
	if w != nil {
		guest = pw
	}
	if err := p.SetFile(fd, guest); err != nil {
		return errors.Join(err, pr.Close(), pw.Close())
	}
	m.pipes = append(m.pipes, guest)
	if w == nil {
		// Not waited for: the reader may never end.
		go func() { _, _ = io.Copy(pw, r); pw.Close() }()
		return nil
	}
	m.copies.Go(func() { _, _ = io.Copy(w, pr); pr.Close() })
	return nil
}

// Process is the guest process.
func (m *Machine) Process() *emu.Process { return m.proc }

// Task is the first thread of the guest process.
func (m *Machine) Task() *emu.Task { return m.task }

// Kernel is the guest's side of Linux.
func (m *Machine) Kernel() *syscalls.Kernel { return m.kernel }

// Sysroot is the folder in which absolute paths of the guest are looked up
// first: Config.Sysroot, or the one that was found for its dynamic linker.
func (m *Machine) Sysroot() string { return m.cfg.Sysroot }

// Symbols finds names for addresses of the guest.
func (m *Machine) Symbols() *symbolize.Table { return m.syms }

// grace is how long Run waits for a guest to stop that a signal has killed.
const grace = 200 * time.Millisecond

// Run runs the program to its end and returns how it ended. The error is this
// machine's, not the guest's: ctx ended, or the engine failed. While it runs, the
// signals that others send this process are the guest's, but SIGKILL, SIGSTOP
// and those that the Go runtime needs for itself.
func (m *Machine) Run(ctx context.Context) (emu.Status, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sigs := make(chan os.Signal, 64)
	signal.Notify(sigs, forwarded()...)
	defer signal.Stop(sigs)
	if err := syscalls.NoteSenders(forwarded()); err != nil {
		return emu.Status{}, fmt.Errorf("utemu: handlers of signals: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		err := errLost
		defer func() {
			if err == errLost {
				cancel(err)
				_ = m.kernel.Wait() // what is to be told is the cause
			}
			done <- err
		}()
		err = errors.Join(m.task.Run(ctx), m.kernel.Wait())
	}()
	check := time.NewTicker(memCheck)
	defer check.Stop()
	for {
		select {
		case err := <-done:
			if context.Cause(ctx) == errMemory {
				m.cfg.Log(errMemory.Error())
				m.task.End(emu.Status{Signal: unix.SIGKILL})
				err = nil
			}
			return m.finish(err)
		case <-check.C:
			if resident()+emu.MemoryFiles() > m.cfg.MemLimit+memSlack {
				cancel(errMemory)
			}
		case s := <-sigs:
			if m.kernel.HostSignal(m.task, s.(unix.Signal)) {
				continue
			}
			// The guest is stopped, so that a trace is whole. It may sit in a
			// system call of the host that nothing can interrupt; then it is
			// given up where it is.
			cancel(nil)
			select {
			case <-done:
			case <-time.After(grace):
			}
			return emu.Status{Signal: s.(unix.Signal)}, nil
		}
	}
}

// forwarded are the signals of this process that are passed on to the guest. Of
// those that tell of something, SIGCHLD and SIGPIPE tell of this process's own
// affairs, the runtime preempts goroutines by SIGURG and profiles by SIGPROF, and
// 61 ends system calls.
func forwarded() []os.Signal {
	l := []os.Signal{
		unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
		unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGVTALRM, unix.SIGWINCH,
		unix.SIGIO, unix.SIGPWR, unix.SIGSYS, unix.SIGSTKFLT,
	}
	for s := unix.Signal(34); s <= 64; s++ {
		if s != syscalls.KickSignal {
			l = append(l, s)
		}
	}
	return l
}

// errLost is why a machine stops whose first task was in a callback that called
// runtime.Goexit.
var errLost = errors.New("utemu: a callback ended the goroutine of the guest's first task")

// errMemory is why a guest that took too much memory is ended.
var errMemory = errors.New("killed: the program touched more memory than --mem-limit allows")

// The memory of this process is looked at now and then, with room for the
// engine's own: its translations alone may take a gigabyte.
const (
	memCheck = 250 * time.Millisecond
	memSlack = 2 << 30
)

// resident is the memory that this process has of its own, in bytes; 0 if the
// host does not tell.
func resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, res, shared uint64
	if _, err := fmt.Sscan(string(b), &size, &res, &shared); err != nil {
		return 0
	}
	return (res - min(res, shared)) * uint64(os.Getpagesize())
}

// finish waits for the copies of the guest's output.
func (m *Machine) finish(err error) (emu.Status, error) {
	m.flush()
	if err != nil {
		return emu.Status{}, err
	}
	m.task.Reap()
	return m.status(), nil
}

// flush closes our ends of the guest's streams and waits for what is in them.
func (m *Machine) flush() {
	for _, c := range m.pipes {
		c.Close()
	}
	m.pipes = nil
	m.copies.Wait()
}

// status is how the program ended: all of it at once, or its first thread.
func (m *Machine) status() emu.Status {
	if s := m.proc.Group(); s != nil {
		return *s
	}
	return *m.task.Status()
}

// Close frees the machine; Run must have returned. What a guest holds that a
// signal ended in the middle of a system call of the host stays with this
// process.
func (m *Machine) Close() error {
	if m.adrift {
		return nil
	}
	var err error
	if m.sched != nil {
		err, m.sched = m.sched.Close(), nil
	}
	if m.proc == nil {
		return err
	}
	if m.kernel.Ended() { // not by Run, perhaps
		m.flush()
	}
	if p, ok := m.proc.OS.(*syscalls.Process); ok {
		err = errors.Join(err, p.Release())
	}
	return errors.Join(err, m.proc.Close())
}
