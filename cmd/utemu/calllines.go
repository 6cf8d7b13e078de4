package main

import (
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/syscalls/strace"
)

// callLines makes lines of system calls as strace writes them.
type callLines struct {
	p     *strace.Printer
	entry string
	task  *emu.Task // in a call whose end is not known
	line  func(string)
}

func newCallLines(line func(string)) *callLines {
	return &callLines{p: strace.NewPrinter(strace.DefaultStyle()), line: line}
}

func (c *callLines) enter(t *emu.Task) { c.entry, c.task = c.p.Entry(t), t }

func (c *callLines) exit(t *emu.Task) {
	c.line(c.entry + c.p.Exit(t))
	c.task = nil
}

// ended writes the call that the task ended in.
func (c *callLines) ended() {
	if c.task != nil {
		c.line(c.entry + c.p.Forget(c.task))
		c.task = nil
	}
}
