package syscalls

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// Config is what a kernel is told at its making.
type Config struct {
	// Sysroot is a directory that absolute paths of the guest are looked up
	// in first, as qemu-user's -L; "" for none.
	Sysroot string
	// OwnStreams gives the guest standard input and output of this process for
	// good: they are closed when it closes them.
	OwnStreams bool
	// Archs are the architectures whose programs can be run.
	Archs []*arch.Arch
	// Exec gives the task's process the program at path, a path of the guest
	// that is absolute or relative to the process's current directory, and
	// tells the process so by SetProgram. It returns a unix.Errno if the old
	// program goes on.
	Exec func(t *emu.Task, path string, argv, env []string) error
	// Ptrace serves ptrace(2); nil is for guests that do not have it.
	Ptrace Ptrace
	// CoreFile is a path of the host for the core file of a process that a
	// signal ends whose action that is. It is written whatever the process's
	// RLIMIT_CORE is, over what is there; "%" means what it does in the
	// kernel's core_pattern (core(5)). With "" a core file is written as the
	// host's kernel would: by the process's limit, into its current directory
	// or where core_pattern says, and none if that names a program.
	CoreFile string
	// Schedule is that of the machine, whose clock is the guests' then; nil lets
	// tasks run freely, by the host's clocks.
	Schedule *emu.Schedule
	// Random is where random numbers come from; nil is the host. Tasks read it
	// in turn.
	Random io.Reader
	// Log gets one line, without newline, for each thing worth telling a user
	// who asked for it: a system call that is not there, once each. Nil drops
	// them.
	Log func(line string)
}

// SetSysroot changes the sysroot; the guest must not be running.
func (k *Kernel) SetSysroot(dir string) { k.cfg.Sysroot = dir }

// Kernel is the personality of all guest processes of one run. It implements
// emu.Kernel.
type Kernel struct {
	cfg    Config
	mu     sync.Mutex
	tables map[*arch.Arch]*table
	missed map[string]bool // system calls that were named in the log

	began   time.Time            // by the host's clock
	numbers map[[2]uint64]uint64 // see number
	streams map[[2]uint64]bool   // see inherited

	coreErr error // of writing cfg.CoreFile
	sysctl  func(name string) string

	sockets socketNames

	lockWaits lockWaits
	ipcUsers  ipcUsers
	schedules schedules

	writers map[inode]int // of regular files, the descriptions that may write

	hostCred *cred

	futexes futexes
	family  family
}

// New makes a kernel.
func New(c Config) *Kernel {
	if c.Log == nil {
		c.Log = func(string) {}
	}
	return &Kernel{cfg: c, began: time.Now(), tables: map[*arch.Arch]*table{}, missed: map[string]bool{}, writers: map[inode]int{}, sysctl: hostSysctl, hostCred: hostCred()}
}

// table returns the call table of an architecture.
func (k *Kernel) table(a *arch.Arch) *table {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.tables[a]
	if t == nil {
		t = bind(a)
		k.tables[a] = t
	}
	return t
}

// Syscall implements emu.Kernel.
func (k *Kernel) Syscall(t *emu.Task) error {
	p := t.Proc.OS.(*Process)
	cpu := t.CPU()
	abi := &t.Proc.Arch.ABI
	c := p.ctx(k, t)
	row := p.table.row(c.Nr)
	if row == nil {
		k.unknown(p.table, c.Nr)
		abi.Result(cpu, 0, abi.Guest(unix.ENOSYS))
		return nil
	}
	v, err := c.run(row)
	if err == nil {
		if !c.noResult {
			abi.Result(cpu, v, 0)
		}
		return nil
	}
	var e unix.Errno
	if !errors.As(err, &e) {
		return fmt.Errorf("syscalls: %s: %w", row.Name, err)
	}
	abi.Result(cpu, 0, abi.Guest(e))
	if e >= erestartsys {
		stateOf(t).restart.got = cpu.Reg(abi.Ret)
	}
	return nil
}

// unknown names a call that is not served, once.
func (k *Kernel) unknown(tab *table, nr uint64) {
	name := tab.name(nr)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.missed[name] {
		k.missed[name] = true
		k.cfg.Log(fmt.Sprintf("system call %s (%d) is not supported: ENOSYS", name, nr))
	}
}

// Pending implements emu.Kernel.
func (k *Kernel) Pending(t *emu.Task) error {
	ts := stateOf(t)
	if c := t.Controller(); c != nil {
		if ts.alarm.Load() || c.SignalForced(t) {
			return k.traced(t, c)
		}
		return nil
	}
	if !ts.alarm.Load() {
		return nil
	}
	ts.woken.Store(false)
	return k.pending(t)
}
