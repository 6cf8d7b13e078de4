package elf

import (
	"bytes"
	delf "debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// The architectures as far as loading cares: both word sizes and byte orders.
var (
	ppc    = testArch("ppc", delf.EM_PPC, delf.ELFCLASS32, binary.BigEndian, 0xc0000000, 0x00400000)
	ppc64  = testArch("ppc64", delf.EM_PPC64, delf.ELFCLASS64, binary.BigEndian, 0x100000000000, 0x100000000)
	arm    = testArch("arm", delf.EM_ARM, delf.ELFCLASS32, binary.LittleEndian, 0xffff0000, 0x00400000)
	arm64  = testArch("aarch64", delf.EM_AARCH64, delf.ELFCLASS64, binary.LittleEndian, 1<<48, 0xaaaaaaaaa000)
	i386   = testArch("i386", delf.EM_386, delf.ELFCLASS32, binary.LittleEndian, 0xffffe000, 0x56555000)
	x86_64 = testArch("x86_64", delf.EM_X86_64, delf.ELFCLASS64, binary.LittleEndian, 0x7ffffffff000, 0x555555554aaa)

	known = []*arch.Arch{ppc, ppc64, arm, arm64, i386, x86_64}
)

func testArch(name string, m delf.Machine, c delf.Class, o binary.ByteOrder, task, pie uint64) *arch.Arch {
	a := &arch.Arch{Name: name, Machine: m, Class: c, Order: o, Word: 4}
	if c == delf.ELFCLASS64 {
		a.Word = 8
	}
	a.Start = arch.Start{TaskSize: task, StackTop: task, MmapBase: task - 128<<20, PIEBase: pie, MinAddr: 0x10000, StackAlign: 16}
	return a
}

// seg is a segment with its bytes in the file.
type seg struct {
	delf.ProgHeader
	data []byte
}

// image is a file to be built.
type image struct {
	arch    *arch.Arch
	typ     delf.Type
	flags   uint32
	entry   uint64
	segs    []seg
	patch   func(b []byte, o binary.ByteOrder) // last changes
	nostack bool                               // no PT_GNU_STACK
}

func (im image) is64() bool { return im.arch.Class == delf.ELFCLASS64 }

// phoff is e_phoff of the files that build makes.
func (im image) phoff() uint64 { return uint64(headerSize(im.arch.Class)) }

// build makes the file: headers, and each segment's data at its offset.
func (im image) build() []byte {
	var b bytes.Buffer
	segs := im.segs
	if !im.nostack {
		segs = append(slices.Clone(segs), seg{ProgHeader: delf.ProgHeader{Type: delf.PT_GNU_STACK, Flags: delf.PF_R | delf.PF_W}})
	}
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(im.arch.Class), byte(delf.ELFDATA2LSB), 1}
	if im.arch.Order == binary.ByteOrder(binary.BigEndian) {
		ident[5] = byte(delf.ELFDATA2MSB)
	}
	put := func(v any) {
		if err := binary.Write(&b, im.arch.Order, v); err != nil {
			panic(err)
		}
	}
	m, typ := uint16(im.arch.Machine), uint16(im.typ)
	if im.is64() {
		put(delf.Header64{Ident: ident, Type: typ, Machine: m, Version: 1, Entry: im.entry, Phoff: im.phoff(), Flags: im.flags,
			Ehsize: 64, Phentsize: 56, Phnum: uint16(len(segs)), Shentsize: 64})
	} else {
		put(delf.Header32{Ident: ident, Type: typ, Machine: m, Version: 1, Entry: uint32(im.entry), Phoff: uint32(im.phoff()), Flags: im.flags,
			Ehsize: 52, Phentsize: 32, Phnum: uint16(len(segs)), Shentsize: 40})
	}
	for _, s := range segs {
		p := s.ProgHeader
		if im.is64() {
			put(delf.Prog64{Type: uint32(p.Type), Flags: uint32(p.Flags), Off: p.Off, Vaddr: p.Vaddr, Paddr: p.Paddr, Filesz: p.Filesz, Memsz: p.Memsz, Align: p.Align})
		} else {
			put(delf.Prog32{Type: uint32(p.Type), Flags: uint32(p.Flags), Off: uint32(p.Off), Vaddr: uint32(p.Vaddr), Paddr: uint32(p.Paddr),
				Filesz: uint32(p.Filesz), Memsz: uint32(p.Memsz), Align: uint32(p.Align)})
		}
	}
	f := b.Bytes()
	for _, s := range segs {
		if len(s.data) == 0 {
			continue
		}
		if end := int(s.Off) + len(s.data); end > len(f) {
			f = append(f, make([]byte, end-len(f))...)
		}
		copy(f[s.Off:], s.data)
	}
	if im.patch != nil {
		im.patch(f, im.arch.Order)
	}
	return f
}

// load is a PT_LOAD whose bytes in the file are all fill.
func load(flags delf.ProgFlag, off, vaddr, filesz, memsz uint64, fill byte) seg {
	s := seg{ProgHeader: delf.ProgHeader{Type: delf.PT_LOAD, Flags: flags, Off: off, Vaddr: vaddr, Filesz: filesz, Memsz: memsz, Align: 0x1000}}
	if off != 0 && fill != 0 {
		s.data = bytes.Repeat([]byte{fill}, int(filesz))
	}
	return s
}

// interpSeg is a PT_INTERP of that path.
func interpSeg(off uint64, path string) seg {
	n := uint64(len(path) + 1)
	return seg{delf.ProgHeader{Type: delf.PT_INTERP, Flags: delf.PF_R, Off: off, Filesz: n, Memsz: n}, append([]byte(path), 0)}
}

const (
	rx = delf.PF_R | delf.PF_X
	rw = delf.PF_R | delf.PF_W
)

// plain is a program of a code page at base and a data page with bss.
func plain(a *arch.Arch, typ delf.Type, base uint64, more ...seg) image {
	return image{arch: a, typ: typ, entry: base + 0x200, segs: append([]seg{
		load(rx, 0, base, 0x300, 0x300, 0),
		load(rw, 0x1300, base+0x2300, 0x100, 0x3000, 'd'),
	}, more...)}
}

// memFile is an anonymous file of that content.
func memFile(tb testing.TB, b []byte) *os.File {
	tb.Helper()
	fd, err := unix.MemfdCreate("elf", unix.MFD_CLOEXEC)
	require.NoError(tb, err)
	f := os.NewFile(uintptr(fd), "elf")
	_, err = f.Write(b)
	require.NoError(tb, err)
	return f
}

// noInterp is an Opener that finds nothing.
func noInterp(string) (*os.File, string, error) { return nil, "", unix.ENOENT }

// vma is a mapping of a fakeSpace.
type vma struct {
	Range
	prot arch.Prot
	file *os.File
	off  int64
	name string
}

// fakeSpace is a Space that keeps mappings as notes and only those pages that
// were written.
type fakeSpace struct {
	arch  *arch.Arch
	vmas  []vma // by address
	dirty map[uint64]*[pageSize]byte
	limit error // what MapAnon answers, for tests of that
}

func newSpace(a *arch.Arch) *fakeSpace {
	return &fakeSpace{arch: a, dirty: map[uint64]*[pageSize]byte{}}
}

var errRule = errors.New("the loader broke a rule of Space")

func (s *fakeSpace) put(v vma) error {
	if v.Low%pageSize != 0 || v.High%pageSize != 0 || v.off%pageSize != 0 || v.off < 0 ||
		v.Low >= v.High || v.High > s.arch.Start.TaskSize || v.Low < s.arch.Start.MinAddr {
		return errRule
	}
	var list []vma
	for _, o := range s.vmas {
		if o.Low < min(o.High, v.Low) {
			left := o
			left.High = min(o.High, v.Low)
			list = append(list, left)
		}
		if max(o.Low, v.High) < o.High {
			right := o
			right.Low = max(o.Low, v.High)
			right.off += int64(right.Low - o.Low)
			list = append(list, right)
		}
	}
	s.vmas = append(list, v)
	slices.SortFunc(s.vmas, func(a, b vma) int {
		if a.Low < b.Low {
			return -1
		}
		return 1
	})
	for p := range s.dirty {
		if p >= v.Low && p < v.High {
			delete(s.dirty, p)
		}
	}
	return nil
}

func (s *fakeSpace) MapFile(addr, size uint64, p arch.Prot, f *os.File, off int64, name string) error {
	return s.put(vma{Range{addr, addr + size}, p, f, off, name})
}

func (s *fakeSpace) MapAnon(addr, size uint64, p arch.Prot, name string) error {
	if s.limit != nil && name == "" {
		return s.limit
	}
	return s.put(vma{Range{addr, addr + size}, p, nil, 0, name})
}

func (s *fakeSpace) Free(addr, size uint64) bool {
	return !slices.ContainsFunc(s.vmas, func(v vma) bool { return v.Low < addr+size && addr < v.High })
}

func (s *fakeSpace) Gap(size, align uint64) (uint64, error) {
	hi := s.arch.Start.MmapBase
	for i := len(s.vmas); i >= 0; i-- {
		lo := s.arch.Start.MinAddr
		if i > 0 {
			lo = max(lo, s.vmas[i-1].High)
		}
		if hi > size && (hi-size)&^(align-1) >= lo {
			return (hi - size) &^ (align - 1), nil
		}
		if i > 0 {
			hi = min(hi, s.vmas[i-1].Low)
		}
	}
	return 0, unix.ENOMEM
}

func (s *fakeSpace) at(addr uint64) *vma {
	for i := range s.vmas {
		if v := &s.vmas[i]; addr >= v.Low && addr < v.High {
			return v
		}
	}
	return nil
}

// page is the content of a page, nil if it is not mapped.
func (s *fakeSpace) page(addr uint64) *[pageSize]byte {
	v := s.at(addr)
	if v == nil {
		return nil
	}
	if p := s.dirty[addr]; p != nil {
		return p
	}
	p := new([pageSize]byte)
	if v.file != nil {
		if n, err := v.file.ReadAt(p[:], v.off+int64(addr-v.Low)); n == 0 && err != nil {
			return nil // SIGBUS
		}
	}
	return p
}

func (s *fakeSpace) ReadAt(b []byte, addr uint64) (int, error) {
	n := 0
	for n < len(b) {
		p := s.page(roundDown(addr))
		if p == nil {
			return n, io.ErrUnexpectedEOF
		}
		k := copy(b[n:], p[addr%pageSize:])
		n, addr = n+k, addr+uint64(k)
	}
	return n, nil
}

func (s *fakeSpace) WriteAt(b []byte, addr uint64) (int, error) {
	n := 0
	for n < len(b) {
		base := roundDown(addr)
		p := s.page(base)
		if p == nil {
			return n, unix.EFAULT
		}
		s.dirty[base] = p
		k := copy(p[addr%pageSize:], b[n:])
		n, addr = n+k, addr+uint64(k)
	}
	return n, nil
}

// read is n bytes of memory.
func (s *fakeSpace) read(tb testing.TB, addr uint64, n int) []byte {
	tb.Helper()
	b := make([]byte, n)
	_, err := s.ReadAt(b, addr)
	require.NoError(tb, err, "reading %d bytes at %#x", n, addr)
	return b
}

// word is a word of the guest at addr.
func (s *fakeSpace) word(tb testing.TB, addr uint64) uint64 {
	tb.Helper()
	b := s.read(tb, addr, s.arch.Word)
	if s.arch.Word == 8 {
		return s.arch.Order.Uint64(b)
	}
	return uint64(s.arch.Order.Uint32(b))
}

// cstr is a string of the guest.
func (s *fakeSpace) cstr(tb testing.TB, addr uint64) string {
	tb.Helper()
	var out []byte
	for ; ; addr++ {
		c := s.read(tb, addr, 1)[0]
		if c == 0 {
			return string(out)
		}
		out = append(out, c)
	}
}

// mapping is a line of a memory map, as tests write it down.
type mapping struct {
	low, high uint64
	prot      string
	off       int64
	name      string
}

func (s *fakeSpace) maps() []mapping {
	var m []mapping
	for _, v := range s.vmas {
		if v.name != "[stack]" {
			m = append(m, mapping{v.Low, v.High, v.prot.String(), v.off, v.name})
		}
	}
	return m
}

const stackLimit = 8 << 20

// loadImage loads a built program into a fresh space.
func loadImage(tb testing.TB, im image, open Opener) (*Image, *fakeSpace, error) {
	tb.Helper()
	f := memFile(tb, im.build())
	tb.Cleanup(func() { f.Close() })
	s := newSpace(im.arch)
	list := known
	if !slices.Contains(list, im.arch) {
		list = []*arch.Arch{im.arch}
	}
	out, err := Load(s, f, "prog", list, open, stackLimit)
	return out, s, err
}

// appendBinary appends a structure in the byte order of a.
func appendBinary(b []byte, a *arch.Arch, v any) ([]byte, error) {
	return binary.Append(b, a.Order, v)
}
