package syscalls

import (
	"fmt"
	"slices"

	"github.com/utemu/utemu/emu/arch"
)

// Level is how far a system call is supported.
type Level uint8

// The levels.
const (
	None    Level = iota // ENOSYS
	Partial              // the row's note says what is missing
	Full
)

func (l Level) String() string { return [...]string{"none", "partial", "full"}[l] }

// Handler serves one system call. It returns the call's value, or a
// unix.Errno for the guest; any other error is the host's and ends the run.
type Handler func(c *Ctx) (uint64, error)

// Row is one system call: what users may expect of it, and who serves it.
type Row struct {
	Name  string
	Fn    Handler
	Level Level
	Note  string // for Partial: what is missing
}

// rows are all calls that are served, in groups.
func rows() []Row {
	return slices.Concat(fileRows, dirRows, ioRows, pollRows, epollRows, socketRows, ioctlRows,
		memRows, procRows, cloneRows, idRows, signalRows, timeRows, ipcRows, miscRows)
}

// table is the call table of one architecture.
type table struct {
	byNr  map[uint64]*Row // numbers beyond dense
	dense []*Row
	names map[uint64]string

	shortIDs  bool // the user ids of calls without 32 in their names have 16 bits
	ipc       bool // there is the call "ipc"
	oldRlimit bool // getrlimit is the form with signed limits
}

// bind joins an architecture's numbers with the rows of the same names.
func bind(a *arch.Arch) *table {
	t := &table{byNr: map[uint64]*Row{}, names: map[uint64]string{}, dense: make([]*Row, 512)}
	byName := map[string]*Row{}
	for _, r := range rows() {
		if byName[r.Name] != nil {
			panic(fmt.Sprintf("syscalls: two rows for %s", r.Name))
		}
		byName[r.Name] = &r
	}
	for _, s := range a.Sysnum {
		t.names[uint64(s.Nr)] = s.Name
		t.shortIDs = t.shortIDs || s.Name == "getuid32"
		t.ipc = t.ipc || s.Name == "ipc"
		t.oldRlimit = t.oldRlimit || s.Name == "ugetrlimit"
		r := byName[rowName(a, s.Name)]
		if f := a.ABI.Calls[s.Name]; f != nil {
			r = &Row{Name: s.Name, Level: Full, Fn: private(f)}
		}
		if r == nil {
			continue
		}
		if int(s.Nr) < len(t.dense) {
			t.dense[s.Nr] = r
		} else {
			t.byNr[uint64(s.Nr)] = r
		}
	}
	return t
}

// rowName is the row that serves the call an architecture names so: some
// names mean an older calling form on some of them.
func rowName(a *arch.Arch, name string) string {
	switch {
	case name == "mmap" && a.ABI.OldMmap:
		return "old_mmap"
	case name == "select" && a.ABI.OldSelect:
		return "old_select"
	case name == "select" && a.ABI.GuessSelect:
		return "guess_select"
	}
	return name
}

// private makes a handler of an architecture's own call.
func private(f arch.Private) Handler {
	return func(c *Ctx) (uint64, error) { return f(c.T.CPU(), c.w) }
}

func (t *table) row(nr uint64) *Row {
	if nr < uint64(len(t.dense)) {
		return t.dense[nr]
	}
	return t.byNr[nr]
}

func (t *table) name(nr uint64) string {
	if n, ok := t.names[nr]; ok {
		return n
	}
	return fmt.Sprintf("syscall_%#x", nr)
}

// Entry is one line of an architecture's call list.
type Entry struct {
	Nr    uint32
	Name  string
	Level Level
	Note  string
}

// List is the whole call table of an architecture with its support.
func List(a *arch.Arch) []Entry {
	t := bind(a)
	var out []Entry
	for _, s := range a.Sysnum {
		e := Entry{Nr: s.Nr, Name: s.Name}
		if r := t.row(uint64(s.Nr)); r != nil {
			e.Level, e.Note = r.Level, r.Note
		}
		out = append(out, e)
	}
	return out
}
