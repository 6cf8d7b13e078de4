package regset

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// Core is an ELF core file: notes that tell of a process and its threads, and
// the process's memory. It is laid out as the kernel's elf_core_dump does it:
// headers, notes, padding up to a page, memory.
type Core struct {
	Class elf.Class
	Order binary.ByteOrder
	View  *View // whose machine, flags and ABI the header names
	Notes []Note
	// Segments are the mappings by rising address, those without content too.
	Segments []Segment
	Page     int // alignment of the segments in the file and in memory
}

// Note is one ELF note. The name says who defines the type: "CORE" for what
// System V had, "LINUX" for the rest.
type Note struct {
	Name string
	Type uint32
	Desc []byte
}

// Segment is one mapping of the process.
type Segment struct {
	Addr, Size uint64
	FileSize   uint64 // how much of it the file has, from Addr on: 0 for none
	Flags      elf.ProgFlag
	// Data calls emit for the parts of [Addr,Addr+FileSize) that are not
	// zero, by rising address, until it returns an error, and returns that.
	Data func(emit func(addr uint64, b []byte) error) error
}

// Types of notes that are not register sets (uapi/linux/elf.h).
const (
	NotePRStatus = 1
	NotePRPSInfo = 3
	NoteAuxv     = 6
	NoteFile     = 0x46494c45
	NoteSiginfo  = 0x53494749
)

// noteFPReg is NT_PRFPREG, the one register set beside the general one that is
// System V's.
const noteFPReg = 2

// ThreadNotes makes the notes of a thread's registers: NT_PRSTATUS, in whose
// structure status the caller has filled in all but the registers, which go to
// reg and the flag fpvalid that tells of floating point registers; then rest,
// notes of the whole process; then the other sets of the view that are active.
// It is what fill_thread_core_info and write_note_info of the kernel do.
func (v *View) ThreadNotes(r Regs, status, reg, fpvalid []byte, o binary.ByteOrder, rest []Note) ([]Note, error) {
	if err := v.Sets[0].Get(r, 0, reg); err != nil {
		return nil, fmt.Errorf("regset: %s %s: %w", v.Name, v.Sets[0].Name, err)
	}
	notes := append([]Note{{"CORE", NotePRStatus, status}}, rest...)
	for i := 1; i < len(v.Sets); i++ {
		s := &v.Sets[i]
		if s.Active != nil {
			if n, err := s.Active(r); err != nil || n == 0 {
				continue
			}
		}
		n := Note{"LINUX", s.Note, make([]byte, s.Bytes())}
		if s.Get(r, 0, n.Desc) != nil {
			continue
		}
		if s.Note == noteFPReg {
			n.Name = "CORE"
			o.PutUint32(fpvalid, 1)
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// Write writes the core file to w, which must stand at its start, and returns
// its size. Holes are left by seeking; where the file ends with one, w is
// shorter than that size. Memory is read as it is written, so the core of a
// large process takes no more than what Segment.Data has at hand.
func (c *Core) Write(w io.WriteSeeker) (int64, error) {
	notes := c.notes()
	ehdr, phdr, shdr := c.sizes()
	off := ehdr + phdr*(len(c.Segments)+1)
	data := (int64(off+len(notes)) + int64(c.Page) - 1) &^ int64(c.Page-1)
	size := data
	for i := range c.Segments {
		size += int64(c.Segments[i].FileSize)
	}
	extended := len(c.Segments)+1 >= pnXNum
	var b bytes.Buffer
	if err := c.header(&b, extended, size); err != nil {
		return 0, err
	}
	c.program(&b, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: uint64(off), Filesz: uint64(len(notes)), Align: 4})
	at := data
	for i := range c.Segments {
		s := &c.Segments[i]
		c.program(&b, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(s.Flags), Off: uint64(at), Vaddr: s.Addr,
			Filesz: s.FileSize, Memsz: s.Size, Align: uint64(c.Page)})
		at += int64(s.FileSize)
	}
	b.Write(notes)
	if _, err := w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	if err := c.memory(w, int64(b.Len()), data); err != nil {
		return 0, err
	}
	if !extended {
		return size, nil
	}
	// The count is in a section header behind everything.
	if _, err := w.Seek(size, io.SeekStart); err != nil {
		return 0, err
	}
	_, err := w.Write(c.section())
	return size + int64(shdr), err
}

// pnXNum is PN_XNUM: the count of program headers is elsewhere.
const pnXNum = 0xffff

// sizes are those of the three headers.
func (c *Core) sizes() (ehdr, phdr, shdr int) {
	if c.Class == elf.ELFCLASS32 {
		return binary.Size(elf.Header32{}), binary.Size(elf.Prog32{}), binary.Size(elf.Section32{})
	}
	return binary.Size(elf.Header64{}), binary.Size(elf.Prog64{}), binary.Size(elf.Section64{})
}

// header writes the file's header.
func (c *Core) header(b *bytes.Buffer, extended bool, shoff int64) error {
	ehdr, phdr, shdr := c.sizes()
	if c.Class != elf.ELFCLASS32 && c.Class != elf.ELFCLASS64 {
		return fmt.Errorf("regset: a core file cannot be of %v", c.Class)
	}
	data := elf.ELFDATA2LSB
	if c.Order.Uint16([]byte{0, 1}) == 1 {
		data = elf.ELFDATA2MSB
	}
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(c.Class), byte(data), byte(elf.EV_CURRENT), c.View.OSABI},
		Type:  uint16(elf.ET_CORE), Machine: c.View.Machine, Version: uint32(elf.EV_CURRENT), Flags: c.View.Flags,
		Phoff: uint64(ehdr), Ehsize: uint16(ehdr), Phentsize: uint16(phdr), Phnum: uint16(len(c.Segments) + 1),
	}
	if extended {
		h.Phnum, h.Shoff, h.Shentsize, h.Shnum = pnXNum, uint64(shoff), uint16(shdr), 1
	}
	if c.Class == elf.ELFCLASS64 {
		return binary.Write(b, c.Order, h)
	}
	return binary.Write(b, c.Order, elf.Header32{
		Ident: h.Ident, Type: h.Type, Machine: h.Machine, Version: h.Version, Phoff: uint32(h.Phoff), Shoff: uint32(h.Shoff),
		Flags: h.Flags, Ehsize: h.Ehsize, Phentsize: h.Phentsize, Phnum: h.Phnum, Shentsize: h.Shentsize, Shnum: h.Shnum,
	})
}

// program appends a program header. Writing to a buffer cannot fail.
func (c *Core) program(b *bytes.Buffer, p elf.Prog64) {
	if c.Class == elf.ELFCLASS64 {
		_ = binary.Write(b, c.Order, p)
		return
	}
	_ = binary.Write(b, c.Order, elf.Prog32{
		Type: p.Type, Off: uint32(p.Off), Vaddr: uint32(p.Vaddr), Filesz: uint32(p.Filesz), Memsz: uint32(p.Memsz),
		Flags: p.Flags, Align: uint32(p.Align),
	})
}

// section is section header 0 of a file with very many program headers.
func (c *Core) section() []byte {
	var b bytes.Buffer
	n := uint32(len(c.Segments) + 1)
	if c.Class == elf.ELFCLASS64 {
		_ = binary.Write(&b, c.Order, elf.Section64{Size: 1, Info: n})
	} else {
		_ = binary.Write(&b, c.Order, elf.Section32{Size: 1, Info: n})
	}
	return b.Bytes()
}

// notes is the content of the PT_NOTE segment.
func (c *Core) notes() []byte {
	var b []byte
	pad := func() {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	for _, n := range c.Notes {
		for _, v := range []uint32{uint32(len(n.Name) + 1), uint32(len(n.Desc)), n.Type} {
			var w [4]byte
			c.Order.PutUint32(w[:], v)
			b = append(b, w[:]...)
		}
		b = append(append(b, n.Name...), 0)
		pad()
		b = append(b, n.Desc...)
		pad()
	}
	return b
}

// memory writes the segments, the first at offset at; w stands at pos.
func (c *Core) memory(w io.WriteSeeker, pos, at int64) error {
	for i := range c.Segments {
		s := &c.Segments[i]
		if s.FileSize == 0 {
			continue
		}
		err := s.Data(func(addr uint64, b []byte) error {
			if addr < s.Addr || addr-s.Addr+uint64(len(b)) > s.FileSize {
				return fmt.Errorf("regset: core data at %#x outside of the segment at %#x", addr, s.Addr)
			}
			if to := at + int64(addr-s.Addr); to != pos {
				if _, err := w.Seek(to, io.SeekStart); err != nil {
					return err
				}
				pos = to
			}
			n, err := w.Write(b)
			pos += int64(n)
			return err
		})
		if err != nil {
			return err
		}
		at += int64(s.FileSize)
	}
	return nil
}
