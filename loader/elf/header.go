package elf

import (
	"bytes"
	delf "debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

const (
	pageSize = 4096
	pathMax  = 4096 // PATH_MAX, with the NUL

	em486 delf.Machine = 6 // what i486 compilers once wrote; Linux takes it for EM_386
)

// header is the part of an ELF file that the kernel looks at: the file header
// and the program headers.
type header struct {
	typ     delf.Type
	flags   uint32
	entry   uint64
	phoff   uint64
	phentsz uint16
	progs   []delf.ProgHeader
}

// phnum is the number of program headers. load_elf_phdrs refuses more of them
// than fit a page, so it always fits AT_PHNUM.
func (h *header) phnum() uint64 { return uint64(len(h.progs)) }

// Identify tells which of the known architectures an ELF file is for. Its
// errors say what is wrong with the file and wrap unix.ENOEXEC; an error in
// reading is returned as it came.
func Identify(r io.ReaderAt, name string, known []*arch.Arch) (*arch.Arch, error) {
	a, _, err := readEhdr(r, name, known)
	return a, err
}

// readEhdr reads the ELF header and leaves the program headers to readPhdrs.
func readEhdr(r io.ReaderAt, name string, known []*arch.Arch) (*arch.Arch, *delf.Header64, error) {
	m := maker(name)
	// The kernel looks at the first bytes of a file, filled up with zeroes.
	var raw [64]byte
	n, err := readUpTo(r, raw[:])
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return nil, nil, m.fail(unix.ENOEXEC, "the file is empty")
	}
	if !bytes.Equal(raw[:4], []byte(delf.ELFMAG)) {
		return nil, nil, m.fail(unix.ENOEXEC, "not an ELF file, nor a script with #! at its start")
	}
	class, data := delf.Class(raw[delf.EI_CLASS]), delf.Data(raw[delf.EI_DATA])
	order, size := byteOrder(data), headerSize(class)
	switch {
	case size == 0:
		return nil, nil, m.fail(unix.ENOEXEC, "ELF class %d is neither 32 nor 64 bits", class)
	case order == nil:
		return nil, nil, m.fail(unix.ENOEXEC, "ELF data encoding %d is neither little-endian nor big-endian", data)
	case n < size:
		return nil, nil, m.fail(unix.ENOEXEC, "truncated ELF header (%d of %d bytes)", n, size)
	}
	h := decodeEhdr(raw[:], class, order)
	a, err := m.match(h, class, order, known)
	if err != nil {
		return nil, nil, err
	}
	return a, h, nil
}

// readUpTo reads as much of p as there is.
func readUpTo(r io.ReaderAt, p []byte) (int, error) {
	n, err := r.ReadAt(p, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func byteOrder(d delf.Data) binary.ByteOrder {
	switch d {
	case delf.ELFDATA2LSB:
		return binary.LittleEndian
	case delf.ELFDATA2MSB:
		return binary.BigEndian
	}
	return nil
}

func headerSize(c delf.Class) int {
	switch c {
	case delf.ELFCLASS32:
		return 52
	case delf.ELFCLASS64:
		return 64
	}
	return 0
}

// decode reads a fixed-size structure out of b, which is long enough.
func decode(b []byte, order binary.ByteOrder, v any) {
	if _, err := binary.Decode(b, order, v); err != nil {
		panic("elf: decoding a header from a short buffer: " + err.Error())
	}
}

// decodeEhdr widens a 32-bit header.
func decodeEhdr(b []byte, class delf.Class, order binary.ByteOrder) *delf.Header64 {
	h := new(delf.Header64)
	if class == delf.ELFCLASS64 {
		decode(b, order, h)
		return h
	}
	var n delf.Header32
	decode(b, order, &n)
	h.Type, h.Machine, h.Flags = n.Type, n.Machine, n.Flags
	h.Entry, h.Phoff = uint64(n.Entry), uint64(n.Phoff)
	h.Phentsize, h.Phnum = n.Phentsize, n.Phnum
	return h
}

// match finds the architecture of a program.
func (m maker) match(h *delf.Header64, class delf.Class, order binary.ByteOrder, known []*arch.Arch) (*arch.Arch, error) {
	mach := delf.Machine(h.Machine)
	if mach == em486 {
		mach = delf.EM_386
	}
	var names []string
	other := false // the machine is known with another class or byte order
	for _, a := range known {
		names = append(names, a.Name)
		if a.Machine != mach {
			continue
		}
		if a.Class != class || a.Order != order {
			other = true
			continue
		}
		if a.MatchELF != nil {
			if err := a.MatchELF(h.Flags, h.Entry); err != nil {
				return nil, m.fail(unix.ENOEXEC, "%v", err)
			}
		}
		return a, nil
	}
	what := mach.String()
	if strings.Contains(what, "+") {
		what = fmt.Sprint("number ", uint16(mach)) // a name that package elf has only counts from another
	}
	if other {
		what += " with " + strings.TrimPrefix(class.String(), "ELFCLASS") + "-bit words, " + endian(order)
	}
	return nil, m.fail(unix.ENOEXEC, "machine %s is not supported (supported: %s)", what, strings.Join(names, ", "))
}

func endian(o binary.ByteOrder) string {
	if o == binary.ByteOrder(binary.BigEndian) {
		return "big-endian"
	}
	return "little-endian"
}

// readPhdrs checks the rest of the header and reads the program headers, under
// the limits of load_elf_phdrs: at least one, at most a page of them.
func (m maker) readPhdrs(r io.ReaderAt, a *arch.Arch, e *delf.Header64) (*header, error) {
	h := &header{typ: delf.Type(e.Type), flags: e.Flags, entry: e.Entry, phoff: e.Phoff, phentsz: e.Phentsize}
	if h.typ != delf.ET_EXEC && h.typ != delf.ET_DYN {
		return nil, m.fail(unix.ENOEXEC, "ELF type %v is not a program", h.typ)
	}
	want := binary.Size(delf.Prog32{})
	if a.Class == delf.ELFCLASS64 {
		want = binary.Size(delf.Prog64{})
	}
	size := int(e.Phnum) * want
	switch {
	case int(e.Phentsize) != want:
		return nil, m.fail(unix.ENOEXEC, "program headers of %d bytes instead of %d", e.Phentsize, want)
	case e.Phnum == 0:
		return nil, m.fail(unix.ENOEXEC, "no program headers: not linked, or not a program")
	case size > pageSize:
		return nil, m.fail(unix.ENOEXEC, "too many program headers (%d, at most %d)", e.Phnum, pageSize/want)
	case e.Phoff > 1<<62:
		return nil, m.fail(unix.ENOEXEC, "program headers at offset %#x are past the end of the file", e.Phoff)
	}
	raw := make([]byte, size)
	if n, err := r.ReadAt(raw, int64(e.Phoff)); n < size {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, m.fail(unix.ENOEXEC, "truncated program headers (%d of %d bytes at offset %#x)", n, size, e.Phoff)
	}
	for ; len(raw) > 0; raw = raw[want:] {
		h.progs = append(h.progs, decodePhdr(raw, a))
	}
	return h, nil
}

// decodePhdr widens a 32-bit program header.
func decodePhdr(b []byte, a *arch.Arch) delf.ProgHeader {
	var p delf.Prog64
	if a.Class == delf.ELFCLASS64 {
		decode(b, a.Order, &p)
	} else {
		var n delf.Prog32
		decode(b, a.Order, &n)
		p = delf.Prog64{
			Type: n.Type, Flags: n.Flags, Off: uint64(n.Off), Vaddr: uint64(n.Vaddr), Paddr: uint64(n.Paddr),
			Filesz: uint64(n.Filesz), Memsz: uint64(n.Memsz), Align: uint64(n.Align),
		}
	}
	return delf.ProgHeader{
		Type: delf.ProgType(p.Type), Flags: delf.ProgFlag(p.Flags), Off: p.Off, Vaddr: p.Vaddr, Paddr: p.Paddr,
		Filesz: p.Filesz, Memsz: p.Memsz, Align: p.Align,
	}
}

// object is a file with its headers read: the program or its interpreter.
type object struct {
	maker
	file *os.File
	size uint64 // of the file
	*header
}

// newObject reads the headers of f and makes sure that f can be mapped.
func newObject(f *os.File, name string, known []*arch.Arch) (*arch.Arch, *object, error) {
	m := maker(name)
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !st.Mode().IsRegular() { // what may be executed: do_open_execat
		return nil, nil, m.fail(unix.EACCES, "not a regular file")
	}
	a, e, err := readEhdr(f, name, known)
	if err != nil {
		return nil, nil, err
	}
	h, err := m.readPhdrs(f, a, e)
	if err != nil {
		return nil, nil, err
	}
	o := &object{maker: m, file: f, size: uint64(st.Size()), header: h}
	return a, o, o.check(a)
}

// interp is the path in the first PT_INTERP, "" if there is none. Its length
// with the NUL that ends it is 2 to PATH_MAX, or the kernel answers ENOEXEC.
func (o *object) interp() (string, error) {
	for _, p := range o.progs {
		if p.Type != delf.PT_INTERP {
			continue
		}
		if p.Filesz < 2 || p.Filesz > pathMax {
			return "", o.fail(unix.ENOEXEC, "interpreter name of %d bytes (2 to %d are allowed)", p.Filesz, pathMax)
		}
		b := make([]byte, p.Filesz)
		if p.Off > 1<<62 {
			return "", o.fail(unix.EIO, "interpreter name at offset %#x is past the end of the file", p.Off)
		}
		if n, err := o.file.ReadAt(b, int64(p.Off)); n < len(b) {
			if err != nil && !errors.Is(err, io.EOF) {
				return "", err
			}
			return "", o.fail(unix.EIO, "interpreter name at offset %#x is past the end of the file", p.Off)
		}
		if b[len(b)-1] != 0 {
			return "", o.fail(unix.ENOEXEC, "interpreter name does not end in a zero byte")
		}
		// What follows the first zero byte does not count, as in C.
		return string(b[:bytes.IndexByte(b, 0)]), nil
	}
	return "", nil
}
