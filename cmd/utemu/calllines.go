package main

import (
	"sync"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/syscalls/strace"
)

// callLines makes lines of system calls as strace writes them.
type callLines struct {
	mu    sync.Mutex
	p     *strace.Printer
	entry map[*emu.Task]string // of calls whose end is not known
}

func newCallLines() *callLines {
	return &callLines{p: strace.NewPrinter(strace.DefaultStyle()), entry: map[*emu.Task]string{}}
}

func (c *callLines) enter(t *emu.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entry[t] = c.p.Entry(t)
}

// exit is the line of a call that has ended.
func (c *callLines) exit(t *emu.Task) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := c.entry[t] + c.p.Exit(t)
	delete(c.entry, t)
	return line
}

// ended is the line of the call that the task ended in, if it did.
func (c *callLines) ended(t *emu.Task) (line string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if line, ok = c.entry[t]; ok {
		line += c.p.Forget(t)
		delete(c.entry, t)
	}
	return line, ok
}

// signal is the line of a signal.
func (c *callLines) signal(t *emu.Task, s emu.Signal) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.p.SignalLine(t, s)
}
