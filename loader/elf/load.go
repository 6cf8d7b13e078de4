package elf

import (
	delf "debug/elf"
	"os"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Space is the memory that a program is put into. Addresses, sizes and file
// offsets are multiples of the page size, 4096. Ranges lie below
// arch.Start.TaskSize and at or above arch.Start.MinAddr; sizes are not 0.
// Errors that come from the guest's side (no room, a memory limit) wrap a
// unix.Errno.
//
// Mappings must cost nothing until they are touched: a program may ask for
// nearly all of its address space as bss.
type Space interface {
	// MapFile maps [off, off+size) of f privately at exactly addr and replaces
	// what is there. The last page may reach past the end of the file.
	MapFile(addr, size uint64, p arch.Prot, f *os.File, off int64, name string) error
	// MapAnon maps zeroes at exactly addr and replaces what is there. name is
	// "" or "[stack]".
	MapAnon(addr, size uint64, p arch.Prot, name string) error
	// Gap chooses a free range as mmap(2) does for address 0: the highest
	// multiple of align, a power of two, below arch.Start.MmapBase.
	Gap(size, align uint64) (uint64, error)
	// Free reports whether nothing is mapped in the range.
	Free(addr, size uint64) bool
	arch.Memory
}

// Range is a range of addresses [Low, High).
type Range struct{ Low, High uint64 }

// Object is a file of a process at the place where it was loaded: address is
// Bias plus what the file says, modulo 2^64.
type Object struct {
	Name string
	Bias uint64
	Range
}

// Image says where a program ended up.
type Image struct {
	Arch *arch.Arch

	Entry     uint64 // where execution starts: in the interpreter if there is one
	EntryBias uint64 // load bias of the object that Entry lies in (PowerPC64 function descriptors need it)
	Start     uint64 // AT_ENTRY: the program's own entry
	Base      uint64 // AT_BASE: load bias of the interpreter, 0 without one

	Phdr, Phent, Phnum uint64 // AT_PHDR, AT_PHENT, AT_PHNUM
	Flags              uint32 // e_flags of the program

	BrkStart uint64 // where the heap begins, a page boundary

	Code, Data Range // mm->start_code to end_data, in /proc/PID/stat

	Stack     Range // the mapping "[stack]"
	StackExec bool
	// ReadImpliesExec is that bit of the personality: whatever is mapped
	// readable from now on is executable too.
	ReadImpliesExec bool

	Exe    Object
	Interp *Object // nil without an interpreter
}

// Process is what arch.Start.Regs needs, for a stack pointer that Stack gave.
func (im *Image) Process(sp uint64) arch.Image {
	return arch.Image{Entry: im.Entry, SP: sp, Start: im.Start, Bias: im.EntryBias, Flags: im.Flags}
}

// The stack area: at least minStack, so that the least limit which execve(2)
// has for arguments (ARG_MAX) and the auxiliary vector fit; the kernel keeps
// stackGuardGap free below it.
const (
	minStack      = 256 << 10
	stackGuardGap = 256 * pageSize
)

// Load maps the program into s, an address space without mappings other than
// arch.Start.Pages, and returns where things are. stackLimit is the soft
// RLIMIT_STACK in bytes; the stack is mapped whole, but never into the area
// of mmap.
//
// After an error s holds a part of the program and must be given up.
func (p *Program) Load(s Space, stackLimit uint64) (*Image, error) {
	l := &loader{Space: s, arch: p.Arch}
	im := &Image{
		Arch: p.Arch, Flags: p.exe.flags,
		Phent: uint64(p.exe.phentsz), Phnum: p.exe.phnum(),
	}
	// A program without PT_GNU_STACK expects what there was before pages could
	// be not executable, which is now true of 32-bit programs only.
	legacy := !p.marked && p.Arch.Word == 4
	im.StackExec = legacy || p.marked && p.stack&delf.PF_X != 0
	im.ReadImpliesExec = legacy
	l.legacy = legacy
	if err := l.mapStack(im, p.exe.maker, stackLimit); err != nil {
		return nil, err
	}
	if err := l.loadExe(im, p.exe, p.ld != nil); err != nil {
		return nil, err
	}
	im.Entry, im.EntryBias = im.Start, im.Exe.Bias
	if p.ld != nil {
		if err := l.loadInterp(im, p.ld); err != nil {
			return nil, err
		}
	}
	if im.Entry >= p.Arch.Start.TaskSize {
		return nil, p.exe.fail(unix.EINVAL, "entry point %#x lies outside of the address space", im.Entry)
	}
	return im, nil
}

// loader puts the objects of one program into a Space.
type loader struct {
	Space
	arch   *arch.Arch
	legacy bool // READ_IMPLIES_EXEC
}

// mapStack maps the stack area, as large as it may grow.
func (l *loader) mapStack(im *Image, m maker, limit uint64) error {
	st := &l.arch.Start
	room := roundDown(st.StackTop - min(st.MmapBase+stackGuardGap, st.StackTop))
	size := min(roundUp(min(max(limit, minStack), st.TaskSize)), room)
	if size == 0 {
		return m.fail(unix.ENOMEM, "no room for a stack below %#x", st.StackTop)
	}
	prot := arch.Read | arch.Write
	if im.StackExec {
		prot |= arch.Exec
	}
	top := roundDown(st.StackTop)
	if err := l.MapAnon(top-size, size, prot, "[stack]"); err != nil {
		return m.wrap(err, "mapping %d KiB of stack", size>>10)
	}
	im.Stack = Range{top - size, top}
	return nil
}

// loadExe loads the program itself.
func (l *loader) loadExe(im *Image, o *object, interp bool) error {
	bias, err := l.placeExe(o, interp)
	if err != nil {
		return err
	}
	if err := l.mapObject(o, bias); err != nil {
		return err
	}
	im.Exe = l.object(o, bias)
	im.Start = l.arch.Addr(o.entry + bias)
	o.ranges(im)
	im.Phdr, im.BrkStart = l.arch.Addr(im.Phdr+bias), roundUp(im.Exe.High)
	if o.typ == delf.ET_DYN && !interp {
		// The mmap area is no place for a heap to grow (since Linux 6.15 with
		// address randomisation off as well).
		im.BrkStart = roundUp(l.arch.Start.PIEBase)
	}
	for _, r := range []*Range{&im.Code, &im.Data} {
		r.Low, r.High = l.arch.Addr(r.Low+bias), l.arch.Addr(r.High+bias)
	}
	return nil
}

// ranges notes where the program headers, code and data are, as linked. The
// kernel takes the program headers to be in the last segment that holds their
// place in the file; PT_PHDR does not matter.
func (o *object) ranges(im *Image) {
	code := Range{Low: ^uint64(0)}
	for _, p := range o.progs {
		if p.Type != delf.PT_LOAD {
			continue
		}
		if p.Off <= o.phoff && o.phoff-p.Off < p.Filesz {
			im.Phdr = o.phoff - p.Off + p.Vaddr
		}
		if p.Flags&delf.PF_X != 0 {
			code.Low = min(code.Low, p.Vaddr)
			code.High = max(code.High, p.Vaddr+p.Filesz)
		}
		im.Data.Low = max(im.Data.Low, p.Vaddr)
		im.Data.High = max(im.Data.High, p.Vaddr+p.Filesz)
	}
	if code.High != 0 {
		im.Code = code
	}
}

// placeExe chooses the load bias of a program. Where the kernel maps with
// MAP_FIXED_NOREPLACE, the place must be free.
func (l *loader) placeExe(o *object, interp bool) (bias uint64, err error) {
	first := o.first()
	lo, hi := o.extent()
	if o.typ == delf.ET_EXEC {
		return 0, l.reserve(o, first.Vaddr, first.Memsz)
	}
	if !interp {
		return l.placeLoader(o, lo, hi-lo)
	}
	bias = l.arch.Start.PIEBase &^ (o.align() - 1)
	bias = roundDown(bias - first.Vaddr)
	return bias, l.reserve(o, bias+lo, hi-lo)
}

// placeLoader chooses the bias of a static PIE or of a dynamic linker that is
// run as a program: such goes where mmap would put it, out of the way of the
// program that it may load.
func (l *loader) placeLoader(o *object, lo, size uint64) (bias uint64, err error) {
	at, err := l.gap(o, size, o.align())
	return at - lo, err
}

// gap is a free range of the mmap area.
func (l *loader) gap(o *object, size, align uint64) (uint64, error) {
	size = roundUp(size)
	if size == 0 { // the kernel: mmap of nothing
		return 0, o.fail(unix.EINVAL, "segments of no size")
	}
	at, err := l.Gap(size, align)
	if err != nil {
		return 0, o.wrap(err, "finding %#x bytes of address space", size)
	}
	return at, nil
}

// reserve makes sure that a range is inside the address space and free.
func (l *loader) reserve(o *object, addr, size uint64) error {
	size = roundUp(addr+size) - roundDown(addr)
	addr = roundDown(addr)
	if size == 0 {
		return nil
	}
	if err := l.within(o, addr, size); err != nil {
		return err
	}
	if !l.Free(addr, size) {
		return o.fail(unix.EEXIST, "its place at %#x (%#x bytes) is taken", addr, size)
	}
	return nil
}

// within checks that a range of pages is one that mmap could give.
func (l *loader) within(o *object, addr, size uint64) error {
	st := &l.arch.Start
	if addr >= st.TaskSize || size > st.TaskSize-addr {
		return o.fail(unix.ENOMEM, "%#x bytes at %#x do not fit the address space", size, addr)
	}
	if addr < st.MinAddr {
		return o.fail(unix.EPERM, "it wants to be at %#x, below the lowest address allowed (%#x, see vm.mmap_min_addr)", addr, st.MinAddr)
	}
	return nil
}

// loadInterp loads the interpreter: wherever there is room, or where it was
// linked for if it cannot be moved.
func (l *loader) loadInterp(im *Image, o *object) error {
	var bias uint64
	if o.typ == delf.ET_DYN {
		at, err := l.placeInterp(im, o)
		if err != nil {
			return err
		}
		bias = at
	}
	if err := l.mapObject(o, bias); err != nil {
		return err
	}
	obj := l.object(o, bias)
	im.Interp = &obj
	im.Base = l.arch.Addr(bias)
	im.Entry, im.EntryBias = l.arch.Addr(o.entry+bias), bias
	return nil
}

// placeInterp chooses the load bias of an interpreter. Beside a program that
// was not moved, one that was linked for an address (prelinked) goes there if
// it can.
func (l *loader) placeInterp(im *Image, o *object) (uint64, error) {
	lo, hi := o.extent()
	want := roundDown(o.first().Vaddr)
	if im.Exe.Bias == 0 && want == lo && want >= max(l.arch.Start.MinAddr, 1) && l.Free(want, roundUp(hi-lo)) {
		return 0, nil
	}
	at, err := l.gap(o, hi-lo, pageSize)
	return at - lo, err
}

func (l *loader) object(o *object, bias uint64) Object {
	lo, hi := o.extent()
	return Object{Name: string(o.maker), Bias: bias, Range: Range{l.arch.Addr(lo + bias), l.arch.Addr(hi + bias)}}
}

// mapObject maps all segments in the order of the headers; a later one takes
// the place of an earlier one that it overlaps.
func (l *loader) mapObject(o *object, bias uint64) error {
	for i := range o.progs {
		if p := &o.progs[i]; p.Type == delf.PT_LOAD {
			if err := l.mapSegment(o, p, bias); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapSegment maps one segment: pages of the file, then zeroes. The zeroes are
// writable whatever the segment says, and executable if it is (elf_load with
// vm_brk_flags).
func (l *loader) mapSegment(o *object, p *delf.ProgHeader, bias uint64) error {
	addr := p.Vaddr + bias
	start, fileEnd, end := roundDown(addr), roundDown(addr), roundUp(addr+p.Memsz)
	if end == start {
		return nil
	}
	if err := l.within(o, start, end-start); err != nil {
		return err
	}
	if p.Filesz > 0 {
		fileEnd = roundUp(addr + p.Filesz)
		off := int64(p.Off - (addr - start))
		if err := l.MapFile(start, fileEnd-start, l.prot(p.Flags), o.file, off, string(o.maker)); err != nil {
			return o.wrap(err, "mapping %#x bytes at %#x", fileEnd-start, start)
		}
		// The kernel clears the rest of the page through the mapping, and
		// lets it be where that cannot be written.
		if p.Memsz > p.Filesz && p.Flags&delf.PF_W != 0 {
			if err := l.clear(addr+p.Filesz, fileEnd); err != nil {
				return o.wrap(err, "clearing %#x to %#x", addr+p.Filesz, fileEnd)
			}
		}
	}
	if end == fileEnd || p.Memsz == p.Filesz {
		return nil
	}
	prot := l.prot(delf.PF_R | delf.PF_W | p.Flags&delf.PF_X)
	if err := l.MapAnon(fileEnd, end-fileEnd, prot, ""); err != nil {
		return o.wrap(err, "mapping %#x bytes of zeroes at %#x", end-fileEnd, fileEnd)
	}
	return nil
}

// clear zeroes the end of a page.
func (l *loader) clear(from, to uint64) error {
	if from == to {
		return nil
	}
	_, err := l.WriteAt(make([]byte, to-from), from)
	return err
}

// prot makes page protections of segment flags.
func (l *loader) prot(f delf.ProgFlag) arch.Prot {
	var p arch.Prot
	if f&delf.PF_R != 0 {
		p |= arch.Read
		if l.legacy {
			p |= arch.Exec
		}
	}
	if f&delf.PF_W != 0 {
		p |= arch.Write
	}
	if f&delf.PF_X != 0 {
		p |= arch.Exec
	}
	return p
}

// Load opens and loads a program in one go; see Open and Program.Load.
func Load(s Space, f *os.File, name string, known []*arch.Arch, open Opener, stackLimit uint64) (*Image, error) {
	p, err := Open(f, name, known, open)
	if err != nil {
		return nil, err
	}
	im, err := p.Load(s, stackLimit)
	if cerr := p.Close(); err == nil && cerr != nil {
		return nil, cerr
	}
	return im, err
}
