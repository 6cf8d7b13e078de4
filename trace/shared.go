package trace

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"sync"
	"sync/atomic"
)

// Task is what the guest calls a task: its thread's and its process's number.
type Task struct{ PID, TID int }

// Shared is an output for the tracers of several processes. Each event tells
// its task: text begins with the two numbers, JSON objects have members pid and
// tid, and a binary trace has a token for it. What tasks of different processes
// do is in order as far as system calls and other stops make it one.
type Shared struct {
	format Format
	prompt bool
	left   *atomic.Int64 // events within Max, nil if there is no bound
	spaces atomic.Uint64 // tracers that have begun

	mu     sync.Mutex
	out    output
	task   Task   // of a binary trace: which the output stands at
	space  uint64 // and whose numbers spans have
	closed bool
}

// NewShared makes an output of c's Out, Format, Prompt and Max, which hold for
// all tracers that have it as their Config.Shared.
func NewShared(c Config) *Shared {
	s := &Shared{format: c.Format, prompt: c.Prompt, left: newBudget(c.Max)}
	s.out.w = c.Out
	if c.Format == Binary {
		s.out.buf = append(s.out.buf, Magic...)
	}
	return s
}

func newBudget(n uint64) *atomic.Int64 {
	if n == 0 {
		return nil
	}
	b := &atomic.Int64{}
	b.Store(int64(min(n, 1<<62)))
	return b
}

// Close writes the end of the trace and what has been kept back. The tracers
// must have ended.
func (s *Shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && s.format == Binary && s.out.err == nil {
		s.out.buf = append(s.out.buf, tokEnd)
	}
	s.closed = true
	return s.out.flush()
}

// member is a tracer's part in a shared output: a writer of whole events.
type member struct {
	s     *Shared
	space uint64
	task  Task
}

func (s *Shared) join(t Task) *member { return &member{s: s, space: s.spaces.Add(1) - 1, task: t} }

// Write implements io.Writer.
func (m *member) Write(p []byte) (int, error) {
	s := m.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.format {
	case Text:
		m.lines(p, 0, m.numbers("", "\t", "\t"))
	case JSONL:
		m.lines(p, len("{"), m.numbers(`"pid":`, `,"tid":`, ","))
	case Binary:
		m.tokens(p)
	}
	if s.prompt || len(s.out.buf) >= flushAt {
		s.out.flush()
	}
	if s.out.err != nil {
		return 0, s.out.err
	}
	return len(p), nil
}

func (m *member) numbers(before, between, after string) []byte {
	b := strconv.AppendInt([]byte(before), int64(m.task.PID), 10)
	b = strconv.AppendInt(append(b, between...), int64(m.task.TID), 10)
	return append(b, after...)
}

// lines adds lines with what tells their task at a place of each.
func (m *member) lines(p []byte, at int, task []byte) {
	o := &m.s.out
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		o.buf = append(append(append(o.buf, p[:at]...), task...), p[at:n]...)
		p = p[n:]
	}
}

func (m *member) tokens(p []byte) {
	s := m.s
	if s.task != m.task || s.space != m.space {
		s.task, s.space = m.task, m.space
		b := append(s.out.buf, tokTask)
		for _, v := range []uint64{m.space, uint64(m.task.PID), uint64(m.task.TID)} {
			b = binary.AppendUvarint(b, v)
		}
		s.out.buf = b
	}
	s.out.buf = append(s.out.buf, p...)
}
