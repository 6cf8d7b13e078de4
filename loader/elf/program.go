// Package elf puts ELF programs into an address space and lays out the
// initial stack, as fs/binfmt_elf.c, fs/binfmt_script.c and fs/exec.c of Linux
// 6.x do it with address randomisation off (ADDR_NO_RANDOMIZE).
//
// The steps are those of execve(2):
//
//	Follow     "#!" lines, until a file that is no script
//	Open       headers of the program and of its interpreter
//	CheckArgs  size limits of the arguments
//	(here execve can no longer fail without killing the process)
//	Load       stack area, segments, interpreter into a fresh Space
//	Stack      strings, argv, envp and the auxiliary vector
//
// Only the file header and the program headers of a file decide how it is
// loaded; sections are read by Symbols alone. Files are taken for hostile:
// whatever they hold, the answer is an Image or an error, with memory use
// bounded by what the Space grants.
package elf

import (
	delf "debug/elf"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Opener opens an interpreter that a program or a script names by its path
// in the guest. It returns the file with the name that /proc/PID/maps is to
// show for it. The file is closed by whom it is returned to.
type Opener func(path string) (f *os.File, name string, err error)

// Program is an ELF program with its interpreter, ready to be loaded: what is
// known before the old program of the process is given up.
type Program struct {
	Arch   *arch.Arch
	Interp string // what PT_INTERP names, "" if there is none

	exe, ld *object
	stack   delf.ProgFlag // flags of PT_GNU_STACK
	marked  bool          // there is a PT_GNU_STACK
}

// Open reads the headers of the program f and of the interpreter it asks for,
// which open is called for. name is the program's path as /proc/PID/maps is to
// show it; errors speak of it too. Each error says what is wrong and wraps the
// errno for execve, if it is not a failure of the host; one of type
// *MissingInterpreterError says that open failed.
//
// f must stay open until Load has returned and remains the caller's; Close
// closes the interpreter.
func Open(f *os.File, name string, known []*arch.Arch, open Opener) (*Program, error) {
	a, exe, err := newObject(f, name, known)
	if err != nil {
		return nil, err
	}
	p := &Program{Arch: a, exe: exe}
	for _, h := range exe.progs { // the last one counts
		if h.Type == delf.PT_GNU_STACK {
			p.stack, p.marked = h.Flags, true
		}
	}
	if p.Interp, err = exe.interp(); err != nil {
		return nil, err
	}
	if p.Interp != "" {
		err = p.openInterp(name, open)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// openInterp opens the interpreter. What PT_INTERP an interpreter itself may
// have is not looked at, so there is no cycle to get lost in.
func (p *Program) openInterp(name string, open Opener) error {
	f, ldName, err := open(p.Interp)
	if err != nil {
		return missing(name, p.Interp, p.Arch.Machine, err)
	}
	_, ld, err := newObject(f, ldName, []*arch.Arch{p.Arch})
	if err == nil {
		p.ld = ld
		return nil
	}
	err = errors.Join(err, f.Close())
	var e *Error
	if errors.As(err, &e) && e.Errno == unix.ENOEXEC {
		return &Error{Name: name, Why: "interpreter " + e.Error(), Errno: unix.ELIBBAD}
	}
	return err
}

// Close closes the interpreter's file.
func (p *Program) Close() error {
	if p.ld == nil {
		return nil
	}
	return p.ld.file.Close()
}

// check looks at the segments as far as that needs no address space: what the
// kernel finds out while it maps them.
func (o *object) check(a *arch.Arch) error {
	loads := 0
	for i, p := range o.progs {
		if p.Type != delf.PT_LOAD {
			continue
		}
		loads++
		task := a.Start.TaskSize
		switch {
		case p.Filesz > p.Memsz:
			return o.fail(unix.EINVAL, "segment %d has more bytes in the file (%#x) than in memory (%#x)", i, p.Filesz, p.Memsz)
		case p.Vaddr >= task || p.Memsz > task || task-p.Memsz < p.Vaddr:
			return o.fail(unix.EINVAL, "segment %d (%#x bytes at %#x) does not fit the address space", i, p.Memsz, p.Vaddr)
		case p.Filesz == 0:
		case (p.Off^p.Vaddr)%pageSize != 0:
			return o.fail(unix.EINVAL, "segment %d: offset %#x and address %#x differ within a page", i, p.Off, p.Vaddr)
		case p.Off >= o.size || p.Filesz-1 > roundUp(o.size)-1-p.Off:
			// The kernel maps such a segment, and the program dies of SIGBUS
			// when it gets there.
			return o.fail(unix.ENOEXEC, "truncated: segment %d (%#x bytes at offset %#x) reaches past the end of the file (%#x bytes)", i, p.Filesz, p.Off, o.size)
		}
	}
	if loads == 0 {
		return o.fail(unix.ENOEXEC, "no segment to load")
	}
	return nil
}

// extent is the lowest page and the end of the segments, as linked.
func (o *object) extent() (lo, hi uint64) {
	lo = ^uint64(0)
	for _, p := range o.progs {
		if p.Type == delf.PT_LOAD {
			lo = min(lo, roundDown(p.Vaddr))
			hi = max(hi, p.Vaddr+p.Memsz)
		}
	}
	return lo, hi
}

// first is the first PT_LOAD in the order of the headers; check made sure that
// there is one.
func (o *object) first() *delf.ProgHeader {
	for i := range o.progs {
		if o.progs[i].Type == delf.PT_LOAD {
			return &o.progs[i]
		}
	}
	return nil
}

// align is the largest alignment that a segment asks for, a page at least.
// Alignments that are not powers of two do not count.
func (o *object) align() uint64 {
	n := uint64(pageSize)
	for _, p := range o.progs {
		if p.Type == delf.PT_LOAD && p.Align&(p.Align-1) == 0 {
			n = max(n, p.Align)
		}
	}
	return n
}

func roundDown(v uint64) uint64 { return v &^ (pageSize - 1) }
func roundUp(v uint64) uint64   { return (v + pageSize - 1) &^ (pageSize - 1) }
