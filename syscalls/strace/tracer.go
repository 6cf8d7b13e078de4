package strace

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Options are what a trace shows.
type Options struct {
	Style
	Trace    Set      // calls that are shown
	Signals  Signals  // signals that are shown
	Statuses Statuses // ends of calls that are shown
	Exits    bool     // "+++ exited" lines
	Attached bool     // "Process N attached" lines

	Follow bool // tell tasks apart (-f)
	File   bool // the output is not the terminal: every line has its task's number with Follow
	Stamp  int  // time of day: 1 seconds (-t), 2 microseconds (-tt), 3 since the epoch (-ttt)
	Since  bool // time since the line before (-r)
	Spent  bool // time spent in calls (-T)
	PC     bool // address of the call (-i)
	Number bool // number of the call (-n)

	Read, Write *Numbers // descriptors whose data is dumped

	Summary *Summary // counts calls; nil does not
	Quiet   bool     // only the summary is written (-c)
	Wall    bool     // the summary counts wall clock time (-w)
}

// DefaultOptions are strace's.
func DefaultOptions() Options {
	sig, _ := ParseSignals("all")
	return Options{Style: DefaultStyle(), Trace: All(), Signals: sig, Statuses: AllStatuses, Exits: true, Attached: true}
}

// Tracer writes the trace of guest tasks. It implements emu.Tracer; its
// methods may be called for different tasks at the same time.
type Tracer struct {
	o   Options
	out *Output

	mu    sync.Mutex
	p     *Printer
	lines map[*emu.Task]*line
	cur   *emu.Task // whose line is not ended
	last  time.Time
	tasks map[*emu.Task]uint64 // those that are traced, with the numbers of their last calls
	gone  bool                 // the task that the line is of has ended
	slow  *time.Timer          // flushes the output when a call takes long
}

// patience is how long a call may take before the beginning of its line is
// written out: long enough that quick calls are one write(2), short enough that
// who watches sees what a program waits in.
const patience = 10 * time.Millisecond

// line is the state of a task's call.
type line struct {
	staged string // text that waits for the call's end
	cols   int    // characters written of it
	cut    bool   // another task's text came between
	start  time.Time
	system time.Duration
}

// NewTracer makes a tracer that writes to out.
func NewTracer(o Options, out *Output) *Tracer {
	t := &Tracer{o: o, out: out, p: NewPrinter(o.Style), lines: map[*emu.Task]*line{}, tasks: map[*emu.Task]uint64{}}
	t.slow = time.AfterFunc(patience, t.flush)
	return t
}

// flush shows what has been written of lines that are not ended.
func (t *Tracer) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.flush()
}

// Started tells of the first program, by the execve that would have started it.
func (t *Tracer) Started(k *emu.Task, path string, argv []string, vars int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range k.Proc.Arch.Sysnum {
		if s.Name == "execve" {
			t.tasks[k] = uint64(s.Nr)
		}
	}
	if !t.o.Trace.Has("execve") || len(t.o.Files) > 0 && !slices.Contains(t.o.Files, path) {
		return
	}
	if t.o.Summary != nil {
		t.o.Summary.add("execve", false, 0)
	}
	if t.o.Quiet || t.o.Statuses&Successful == 0 {
		return
	}
	text := t.p.startText(k, path, argv, vars)
	t.leader(k)
	lead := t.lines[k].cols
	s := text + tailFor(t.o.Align, lead+len(text)) + "= 0"
	if t.o.Spent {
		s += " <0.000000>"
	}
	t.write(k, s+"\n")
	delete(t.lines, k)
	t.cur = nil
}

// SyscallEntry implements emu.Tracer.
func (t *Tracer) SyscallEntry(k *emu.Task) (abort bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.p.Entry(k)
	t.tasks[k] = t.p.calls[k].nr
	if c := t.p.calls[k]; !t.o.Trace.Has(c.name) || len(t.o.Files) > 0 && !c.onFile {
		delete(t.p.calls, k)
		return false
	}
	l := &line{}
	t.lines[k] = l
	switch {
	case t.o.Quiet:
	case t.o.Statuses != AllStatuses:
		l.staged = text
	default:
		t.leader(k)
		t.write(k, text)
		t.slow.Reset(patience)
	}
	l.start = time.Now()
	if t.o.Summary != nil && !t.o.Wall {
		l.system = systemTime()
	}
	return false
}

// SyscallExit implements emu.Tracer.
func (t *Tracer) SyscallExit(k *emu.Task) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	c, l := t.p.calls[k], t.lines[k]
	if c == nil || l == nil || k.Proc.Group() != nil {
		return // Ended tells of a call whose process ended in it, even if that was its doing
	}
	rest, result := t.p.finish(k)
	delete(t.lines, k)
	if t.o.Summary != nil {
		spent := now.Sub(l.start)
		if !t.o.Wall {
			spent = systemTime() - l.system
		}
		t.o.Summary.add(c.name, c.failed, spent)
	}
	if t.o.Quiet || !t.shows(c) {
		return
	}
	if t.o.Spent {
		d := now.Sub(l.start)
		result += fmt.Sprintf(" <%d.%06d>", int64(d.Seconds()), d.Microseconds()%1e6)
	}
	t.lines[k] = l
	t.resume(k, l, c.name)
	t.write(k, rest)
	t.write(k, tailFor(t.o.Align, l.cols)+result+"\n"+t.dump(c))
	delete(t.lines, k)
	t.cur = nil
}

// shows tells whether a call that has ended is to be shown.
func (t *Tracer) shows(c *call) bool {
	if c.failed {
		return t.o.Statuses&Failed != 0
	}
	return t.o.Statuses&Successful != 0
}

// resume brings the output to where the rest of a call's text follows.
func (t *Tracer) resume(k *emu.Task, l *line, name string) {
	switch {
	case l.staged != "":
		s := l.staged
		l.staged = ""
		t.leader(k)
		t.write(k, s)
	case l.cut || t.cur != k && !t.out.separate():
		t.leader(k)
		t.write(k, "<... "+name+" resumed>")
		l.cut = false
	}
}

// leader begins a line of a task, and cuts that of another one.
func (t *Tracer) leader(k *emu.Task) {
	if t.cur == k || !t.out.separate() {
		t.cut()
	}
	t.cur = k
	l := t.lines[k]
	if l == nil {
		l = &line{}
		t.lines[k] = l
	}
	l.cols = 0
	t.write(k, t.prefix(k))
}

// cut ends the line that is not ended.
func (t *Tracer) cut() {
	if t.cur == nil {
		return
	}
	t.out.write(t.cur.TID, " <unfinished ...>\n")
	if l := t.lines[t.cur]; l != nil {
		l.cut = true
	}
	t.cur = nil
}

// prefix is what stands before a line's text.
func (t *Tracer) prefix(k *emu.Task) string {
	var b strings.Builder
	switch {
	case t.o.Follow && t.o.File && !t.out.separate():
		fmt.Fprintf(&b, "%-5d ", k.TID)
	case len(t.tasks) > 1 && !t.o.File:
		fmt.Fprintf(&b, "[pid %5d] ", k.TID)
	}
	now := time.Now()
	switch t.o.Stamp {
	case 1:
		b.WriteString(now.Format("15:04:05 "))
	case 2:
		b.WriteString(now.Format("15:04:05.000000 "))
	case 3:
		fmt.Fprintf(&b, "%d.%06d ", now.Unix(), now.Nanosecond()/1000)
	}
	if t.o.Since {
		d := time.Duration(0)
		if !t.last.IsZero() {
			d = now.Sub(t.last)
		}
		t.last = now
		s := fmt.Sprintf("%6d.%06d", int64(d.Seconds()), d.Microseconds()%1e6)
		if t.o.Stamp > 0 {
			s = "(+" + s + ")"
		}
		b.WriteString(s + " ")
	}
	if t.o.Number {
		fmt.Fprintf(&b, "[%4d] ", t.tasks[k])
	}
	switch {
	case t.o.PC && t.gone:
		b.WriteString("[" + strings.Repeat("?", 2*k.Proc.Arch.Word) + "] ")
	case t.o.PC:
		fmt.Fprintf(&b, "[%0*x] ", 2*k.Proc.Arch.Word, k.CPU().Reg(k.Proc.Arch.PC))
	}
	return b.String()
}

// write adds text to a task's line.
func (t *Tracer) write(k *emu.Task, s string) {
	t.out.write(k.TID, s)
	if l := t.lines[k]; l != nil {
		l.cols += len(s)
	}
}

// Signal implements emu.Tracer.
func (t *Tracer) Signal(k *emu.Task, s *emu.Signal) (deliver bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.o.Quiet && t.o.Signals[int(s.No)] {
		t.event(k, t.p.SignalLine(k, *s))
	}
	return true
}

// event writes a line that is no call.
func (t *Tracer) event(k *emu.Task, s string) {
	l := t.lines[k]
	t.leader(k)
	t.write(k, s+"\n")
	t.cur = nil
	if l == nil {
		delete(t.lines, k)
	}
}

// Handler implements emu.Tracer.
func (t *Tracer) Handler(*emu.Task, emu.Signal) {}

// Clone implements emu.Tracer.
func (t *Tracer) Clone(k, child *emu.Task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.o.Follow {
		return
	}
	t.tasks[child] = t.tasks[k]
	child.SetTracer(t)
	if t.o.Attached && !t.o.File && !t.o.Quiet {
		t.cut()
		t.out.write(child.TID, fmt.Sprintf("strace: Process %d attached\n", child.TID))
	}
}

// Exec implements emu.Tracer.
func (t *Tracer) Exec(k *emu.Task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.p.calls[k]; c != nil {
		c.replaced = true
	}
}

// Exit implements emu.Tracer.
func (t *Tracer) Exit(k *emu.Task, status *int) {
	ws := unix.WaitStatus(*status)
	s := emu.Status{Code: ws.ExitStatus()}
	if ws.Signaled() {
		s = emu.Status{Signal: ws.Signal(), Core: ws.CoreDump()}
	}
	t.Ended(k, s)
}

// Death implements emu.Tracer.
func (t *Tracer) Death(k *emu.Task) {
	if s := k.Status(); s != nil {
		t.Ended(k, *s)
	}
}

// Ended tells how a task ended; only the first time counts. It may be called
// for a task that is given up while it runs.
func (t *Tracer) Ended(k *emu.Task, s emu.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.tasks[k]; !ok {
		return
	}
	t.unfinished(k)
	t.gone = true
	defer func() { t.gone = false }()
	switch {
	case t.o.Quiet:
	case s.Signal != 0 && t.o.Signals[int(s.Signal)], s.Signal == 0 && t.o.Exits:
		t.event(k, EndLine(s))
	}
	delete(t.tasks, k)
}

// unfinished ends the line of a call that has no result.
func (t *Tracer) unfinished(k *emu.Task) {
	c, l := t.p.calls[k], t.lines[k]
	if c == nil || l == nil {
		return
	}
	delete(t.p.calls, k)
	defer delete(t.lines, k)
	if t.o.Quiet || t.o.Statuses&Unfinished == 0 {
		return
	}
	t.resume(k, l, c.name)
	if !c.complete() {
		t.write(k, " <unfinished ...>")
	}
	t.write(k, tailFor(t.o.Align, l.cols)+"= ?\n")
	t.cur = nil
}

// Close writes the summary, if there is one, and closes the output. It returns
// the first error there was in writing the trace.
func (t *Tracer) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slow.Stop()
	if s := t.o.Summary; s != nil {
		t.out.summary(s.Print)
	}
	return t.out.Close()
}

// systemTime is how much time the host spent in the kernel for this process.
func systemTime() time.Duration {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Stime.Nano())
}

// dump writes the data of a read or write, if it is wanted.
func (t *Tracer) dump(c *call) string {
	var set *Numbers
	switch c.name {
	case "read", "pread64", "recv", "recvfrom":
		set = t.o.Read
	case "write", "pwrite64", "send", "sendto":
		set = t.o.Write
	}
	if set == nil || c.failed || c.value() <= 0 || !set.Has(int(signed(c.args[0], 32))) {
		return ""
	}
	b, ok := c.read(c.args[1], int(min(c.count(), 1<<20)))
	if !ok {
		return ""
	}
	return hexDump(b)
}

// hexDump writes data as strace does: 16 bytes a line.
func hexDump(b []byte) string {
	var out strings.Builder
	digits := 5
	for i := 0; i < len(b); i += 16 {
		row := b[i:min(i+16, len(b))]
		fmt.Fprintf(&out, " | %0*x ", digits, i)
		text := make([]byte, 0, 16)
		for j := range 16 {
			if j%8 == 0 {
				out.WriteByte(' ')
			}
			if j >= len(row) {
				out.WriteString("   ")
				text = append(text, ' ')
				continue
			}
			fmt.Fprintf(&out, "%02x ", row[j])
			x := row[j]
			if x < ' ' || x > 0x7e {
				x = '.'
			}
			text = append(text, x)
		}
		fmt.Fprintf(&out, " %s |\n", text)
	}
	return out.String()
}
