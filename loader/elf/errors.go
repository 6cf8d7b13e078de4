package elf

import (
	delf "debug/elf"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Error says why a file cannot be executed. It wraps the errno that execve(2)
// answers for the file, so that errors.Is(err, unix.ENOEXEC) works.
type Error struct {
	Name  string // the file
	Why   string // one clause without a capital letter or a full stop
	Errno unix.Errno
}

// Error is the file and the reason, fit to be shown to a user as it is.
func (e *Error) Error() string { return e.Name + ": " + e.Why }

// Unwrap is the errno of execve(2).
func (e *Error) Unwrap() error { return e.Errno }

// MissingInterpreterError says that the dynamic linker which a program asks
// for could not be opened.
type MissingInterpreterError struct {
	Name   string // the program
	Interp string // what its PT_INTERP names
	Hint   string // what to do about it
	Err    error  // why it could not be opened
}

// Error names the interpreter and says what to do about it.
func (e *MissingInterpreterError) Error() string {
	return fmt.Sprintf("%s: missing interpreter %q: %s", e.Name, e.Interp, e.Hint)
}

// Unwrap is the reason why the interpreter could not be opened.
func (e *MissingInterpreterError) Unwrap() error { return e.Err }

// maker makes the errors about one file.
type maker string

func (m maker) fail(e unix.Errno, format string, args ...any) error {
	return &Error{Name: string(m), Why: fmt.Sprintf(format, args...), Errno: e}
}

// wrap gives an error of a Space the file it is about. Errors that carry no
// errno are failures of the host and stay what they are.
func (m maker) wrap(err error, format string, args ...any) error {
	var e unix.Errno
	if !errors.As(err, &e) {
		return fmt.Errorf("elf: %s: %s: %w", m, fmt.Sprintf(format, args...), err)
	}
	return m.fail(e, "%s: %s", fmt.Sprintf(format, args...), e.Error())
}

// crossLibc is where Debian's cross packages put the C library of a machine,
// by the dynamic linker that the ABI names.
var crossLibc = []struct {
	machine           delf.Machine
	interp, root, pkg string
}{
	{delf.EM_386, "/lib/ld-linux.so.2", "/usr/i686-linux-gnu", "libc6-i386-cross"},
	{delf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2", "/usr/x86_64-linux-gnu", "libc6-amd64-cross"},
	{delf.EM_ARM, "/lib/ld-linux-armhf.so.3", "/usr/arm-linux-gnueabihf", "libc6-armhf-cross"},
	{delf.EM_ARM, "/lib/ld-linux.so.3", "/usr/arm-linux-gnueabi", "libc6-armel-cross"},
	{delf.EM_AARCH64, "/lib/ld-linux-aarch64.so.1", "/usr/aarch64-linux-gnu", "libc6-arm64-cross"},
	{delf.EM_PPC, "/lib/ld.so.1", "/usr/powerpc-linux-gnu", "libc6-powerpc-cross"},
	{delf.EM_PPC64, "/lib64/ld64.so.1", "/usr/powerpc64-linux-gnu", "libc6-ppc64-cross"},
}

// CrossLibc is the folder where Debian's cross packages keep the C library
// that the interpreter interp of a machine belongs to, and the package that
// brings it. ok is false if no package is known.
func CrossLibc(m delf.Machine, interp string) (root, pkg string, ok bool) {
	for _, c := range crossLibc {
		if c.machine == m && c.interp == interp {
			return c.root, c.pkg, true
		}
	}
	return "", "", false
}

func missing(name, interp string, m delf.Machine, err error) error {
	hint := "pass -L SYSROOT"
	if !errors.Is(err, unix.ENOENT) {
		hint = err.Error()
	} else if _, pkg, ok := CrossLibc(m, interp); ok {
		hint += " or install " + pkg
	}
	return &MissingInterpreterError{Name: name, Interp: interp, Hint: hint, Err: err}
}
