package utemu

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/disasm"
)

// EngineVersion is the version of the libunicorn in use.
func EngineVersion() string { return emu.EngineVersion() }

// Stock tells whether the machine runs on the library as it is, and why.
func (m *Machine) Stock() (bool, string) { return m.proc.CPU().Stock() }

// CoreError is why the core file that Config.Core names could not be written,
// nil if it was or there was no need. It is for after Run.
func (m *Machine) CoreError() error { return m.kernel.CoreError() }

// Explain says in one line how a guest was killed: by which signal, where,
// which address it wanted or which instruction is none, and whether it left a
// core file.
func (m *Machine) Explain(s emu.Status) string {
	name := unix.SignalName(s.Signal)
	if name == "" {
		name = fmt.Sprintf("signal %d", int(s.Signal))
	}
	how := "killed by " + name
	if f := s.Fault; f != nil {
		how += fmt.Sprintf(": %s at %s", cause(f), m.Where(f.PC))
		if i := f.Insn; i.Len > 0 {
			how += ": " + disasm.DecodeIT(disasm.ISA(m.proc.Arch.ISA(i.State)), i.PC, i.Bytes(), i.IT, nil).Text
		}
	}
	if s.Core {
		how += " (core dumped)"
	}
	return how
}

// Where names an address: the symbol and distance with the address and the
// file behind it in parentheses.
func (m *Machine) Where(pc uint64) string {
	l, ok := m.syms.Find(pc)
	switch {
	case !ok:
		return fmt.Sprintf("%#x", pc)
	case l.Symbol == "":
		return fmt.Sprintf("%#x (%s)", pc, l)
	}
	return fmt.Sprintf("%s (%#x in %s)", l, pc, l.File)
}

// cause says what a faulting instruction did.
func cause(f *emu.Fault) string {
	switch f.Access {
	case arch.Read:
		return fmt.Sprintf("read of %#x, %s", f.Addr, reach(f))
	case arch.Write:
		return fmt.Sprintf("write to %#x, %s", f.Addr, reach(f))
	case arch.Exec:
		return fmt.Sprintf("execution of %#x, %s", f.Addr, reach(f))
	}
	if w := codes[[2]int{int(f.No), f.Code}]; w != "" {
		return w
	}
	return fmt.Sprintf("si_code %d", f.Code)
}

// reach says why memory could not be had.
func reach(f *emu.Fault) string {
	switch {
	case f.No == unix.SIGBUS:
		return "past the end of the file"
	case f.Code == 2:
		return "not permitted"
	}
	return "not mapped"
}

// codes are the si_code values of faults, from asm-generic/siginfo.h.
var codes = map[[2]int]string{
	{int(unix.SIGILL), 1}:     "illegal opcode",
	{int(unix.SIGILL), 2}:     "illegal operand",
	{int(unix.SIGILL), 4}:     "illegal trap",
	{int(unix.SIGILL), 5}:     "privileged opcode",
	{int(unix.SIGFPE), 1}:     "integer division by zero",
	{int(unix.SIGFPE), 2}:     "integer overflow",
	{int(unix.SIGFPE), 3}:     "floating-point division by zero",
	{int(unix.SIGFPE), 4}:     "floating-point overflow",
	{int(unix.SIGFPE), 5}:     "floating-point underflow",
	{int(unix.SIGFPE), 6}:     "inexact floating-point result",
	{int(unix.SIGFPE), 7}:     "invalid floating-point operation",
	{int(unix.SIGBUS), 1}:     "misaligned address",
	{int(unix.SIGBUS), 2}:     "access past the end of a file",
	{int(unix.SIGTRAP), 1}:    "breakpoint",
	{int(unix.SIGTRAP), 2}:    "step",
	{int(unix.SIGTRAP), 0x80}: "breakpoint",
	{int(unix.SIGSEGV), 0x80}: "general protection fault",
	{int(unix.SIGSEGV), 1}:    "address not mapped",
	{int(unix.SIGSEGV), 2}:    "address not permitted",
	{int(unix.SIGSYS), 1}:     "system call not permitted",
}
