package elf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// scriptBuf is BINPRM_BUF_SIZE: how much of a file decides what it is.
const scriptBuf = 256

// maxScripts is how many scripts may be each other's interpreters.
const maxScripts = 5

// Shebang is the first line of a script.
type Shebang struct {
	Interp string
	Arg    string // everything behind the interpreter's name is one argument
	HasArg bool   // an argument can be empty
}

// Script takes a "#!" line apart under the rules of fs/binfmt_script.c. head
// is how the file begins; of more than 256 bytes only these count. ok is false
// for a file that is no script; err wraps unix.ENOEXEC if the line names no
// interpreter or one whose name is cut off, and unix.EACCES if a zero byte
// stands where the name should.
func Script(head []byte) (s Shebang, ok bool, err error) {
	var buf [scriptBuf]byte // zeroes behind a short file, as in the kernel
	copy(buf[:], head)
	if !bytes.HasPrefix(buf[:], []byte("#!")) {
		return Shebang{}, false, nil
	}
	end := bytes.IndexByte(buf[:], '\n')
	if nul := bytes.IndexByte(buf[:], 0); nul >= 0 && nul < end {
		end = -1
	}
	if end < 0 {
		// The line goes on behind what the kernel looks at, or is not ended.
		// Only the argument may be cut off, not the interpreter's name.
		end = scriptBuf - 1
		name := skipBlanks(buf[:], 2, end)
		if name < 0 || findBreak(buf[:], name, end) < 0 {
			return Shebang{}, true, fmt.Errorf("elf: the interpreter's name in the script's first line is longer than %d bytes: %w", scriptBuf, unix.ENOEXEC)
		}
	}
	for end > 2 && blank(buf[end-1]) {
		end--
	}
	name := skipBlanks(buf[:], 2, end)
	if name < 0 || name == end {
		return Shebang{}, true, fmt.Errorf("elf: the script's first line names no interpreter: %w", unix.ENOEXEC)
	}
	sep, arg := findBreak(buf[:], name, end), -1
	if sep >= 0 && buf[sep] != 0 {
		arg = skipBlanks(buf[:], sep, end)
	}
	buf[end] = 0
	if arg >= 0 {
		buf[sep] = 0
		s.Arg, s.HasArg = cstring(buf[arg:]), true
	}
	if s.Interp = cstring(buf[name:]); s.Interp == "" {
		// The kernel opens the empty name and finds the current directory.
		return Shebang{}, true, fmt.Errorf("elf: the script's first line names no interpreter: %w", unix.EACCES)
	}
	return s, true, nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// skipBlanks is the index of the first byte in b[from:to+1] that is neither
// a space nor a tab, -1 if there is none.
func skipBlanks(b []byte, from, to int) int {
	for ; from <= to; from++ {
		if !blank(b[from]) {
			return from
		}
	}
	return -1
}

// findBreak is the index of the first space, tab or zero in b[from:to+1], -1
// if there is none.
func findBreak(b []byte, from, to int) int {
	for ; from <= to; from++ {
		if blank(b[from]) || b[from] == 0 {
			return from
		}
	}
	return -1
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// Argv are the arguments that the interpreter of the script called name gets
// in place of the script's own.
func (s *Shebang) Argv(name string, argv []string) []string {
	v := []string{s.Interp}
	if s.HasArg {
		v = append(v, s.Arg)
	}
	v = append(v, name)
	if len(argv) > 1 {
		v = append(v, argv[1:]...)
	}
	return v
}

// Target is the file that execve(2) ends up with.
type Target struct {
	File *os.File
	Path string // as execve or the last "#!" line names it
	Name string // as /proc/PID/maps is to show it
	Argv []string
}

// Follow replaces a script by its interpreter, which may be a script again,
// until the file is none. It closes the scripts' files and, on an error, the
// last one. A failure to open an interpreter is returned as open gave it, with
// the script's name.
func Follow(t Target, open Opener) (Target, error) {
	for depth := 0; ; depth++ {
		s, ok, err := scriptOf(t.File)
		if err == nil && !ok {
			return t, nil
		}
		if cerr := t.File.Close(); err == nil && cerr != nil {
			return Target{}, cerr
		}
		if err == nil && depth == maxScripts {
			err = fmt.Errorf("more than %d scripts run each other: %w", maxScripts, unix.ELOOP)
		}
		if err != nil {
			return Target{}, fmt.Errorf("%s: %w", t.Name, err)
		}
		f, name, err := open(s.Interp)
		if err != nil {
			return Target{}, fmt.Errorf("%s: opening the script's interpreter %q: %w", t.Name, s.Interp, err)
		}
		t = Target{File: f, Path: s.Interp, Name: name, Argv: s.Argv(t.Path, t.Argv)}
	}
}

func scriptOf(f *os.File) (Shebang, bool, error) {
	var head [scriptBuf]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Shebang{}, false, err
	}
	return Script(head[:n])
}
