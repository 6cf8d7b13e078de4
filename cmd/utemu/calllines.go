package main

import (
	"fmt"
	"strings"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
)

// rawCalls writes system calls with their arguments as numbers.
type rawCalls struct {
	emu.Tracer // only the two methods below are called
	line       func(string)
	call       string
}

func callLines(_ *utemu.Machine, line func(string)) emu.Tracer { return &rawCalls{line: line} }

// SyscallEntry implements emu.Tracer.
func (c *rawCalls) SyscallEntry(t *emu.Task) bool {
	a, cpu := t.Proc.Arch, t.CPU()
	nr := cpu.Reg(a.ABI.Nr)
	if a.ABI.Number != nil {
		nr = a.ABI.Number(cpu)
	}
	name := fmt.Sprintf("syscall_%#x", nr)
	for _, s := range a.Sysnum {
		if uint64(s.Nr) == nr {
			name = s.Name
		}
	}
	var args []string
	for _, r := range a.ABI.Args {
		args = append(args, fmt.Sprintf("%#x", cpu.Reg(r)))
	}
	c.call = name + "(" + strings.Join(args, ", ") + ")"
	return false
}

// SyscallExit implements emu.Tracer.
func (c *rawCalls) SyscallExit(t *emu.Task) {
	c.line(fmt.Sprintf("%s = %#x", c.call, t.CPU().Reg(t.Proc.Arch.ABI.Ret)))
	c.call = ""
}
