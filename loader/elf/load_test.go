package elf

import (
	"bytes"
	delf "debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// eachArch runs a test for every word size and byte order.
func eachArch(t *testing.T, f func(t *testing.T, a *arch.Arch)) {
	for _, a := range known {
		t.Run(a.Name, func(t *testing.T) { f(t, a) })
	}
}

func TestLoadStatic(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		im, s, err := loadImage(t, plain(a, delf.ET_EXEC, 0x100000), noInterp)
		require.NoError(t, err)
		require.Equal(t, []mapping{
			{0x100000, 0x101000, "r-x", 0, "prog"},
			{0x102000, 0x103000, "rw-", 0x1000, "prog"},
			{0x103000, 0x106000, "rw-", 0, ""},
		}, s.maps())
		require.Equal(t, uint64(0x100200), im.Entry)
		require.Equal(t, im.Entry, im.Start)
		require.Zero(t, im.Base)
		require.Nil(t, im.Interp)
		require.Equal(t, uint64(0x100000+headerSize(a.Class)), im.Phdr)
		require.Equal(t, uint64(3), im.Phnum)
		require.Equal(t, uint64(0x106000), im.BrkStart)
		require.Equal(t, Range{0x100000, 0x100300}, im.Code)
		require.Equal(t, Range{0x102300, 0x102400}, im.Data)
		require.Equal(t, Range{0x100000, 0x105300}, im.Exe.Range)
		require.False(t, im.StackExec)
		require.Equal(t, Range{a.Start.StackTop - stackLimit, a.Start.StackTop}, im.Stack)

		// What the file has behind the segment's end is not seen in bss.
		require.Equal(t, bytes.Repeat([]byte{'d'}, 0x100), s.read(t, 0x102300, 0x100))
		require.Equal(t, make([]byte, 0x3000-0x100), s.read(t, 0x102400, 0x3000-0x100))
	})
}

func TestLoadPIE(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		ld := memFile(t, plain(a, delf.ET_DYN, 0).build())
		var asked string
		open := func(path string) (*os.File, string, error) {
			asked = path
			return ld, "/lib/ld", nil
		}
		im, s, err := loadImage(t, plain(a, delf.ET_DYN, 0, interpSeg(0x280, "/lib/ld.so.1")), open)
		require.NoError(t, err)
		require.Equal(t, "/lib/ld.so.1", asked)
		bias := roundDown(a.Start.PIEBase)
		ldAt := a.Start.MmapBase - 0x6000
		require.Equal(t, bias, im.Exe.Bias)
		require.Equal(t, bias+0x200, im.Start)
		require.Equal(t, ldAt, im.Base)
		require.Equal(t, ldAt+0x200, im.Entry)
		require.Equal(t, ldAt, im.EntryBias)
		require.Equal(t, Object{"/lib/ld", ldAt, Range{ldAt, ldAt + 0x5300}}, *im.Interp)
		require.Equal(t, bias+uint64(headerSize(a.Class)), im.Phdr)
		require.Equal(t, bias+0x6000, im.BrkStart)
		require.Equal(t, arch.Image{Entry: im.Entry, SP: 77, Start: im.Start, Bias: ldAt}, im.Process(77))
		require.Len(t, s.maps(), 6)
		require.Error(t, ld.Close(), "Load closes the interpreter")
	})
}

// A program without an interpreter that can be anywhere goes to the mmap area,
// and its heap away from there.
func TestLoadStaticPIE(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		im, s, err := loadImage(t, plain(a, delf.ET_DYN, 0), noInterp)
		require.NoError(t, err)
		at := a.Start.MmapBase - 0x6000
		require.Equal(t, at, im.Exe.Bias)
		require.Equal(t, at+0x200, im.Entry)
		require.Equal(t, at, im.EntryBias)
		require.Zero(t, im.Base)
		require.Equal(t, roundUp(a.Start.PIEBase), im.BrkStart)
		require.Equal(t, at, s.maps()[0].low)
	})
}

func TestLoadLayouts(t *testing.T) {
	aligned := func(align uint64, s seg) seg { s.Align = align; return s }
	tests := map[string]struct {
		image image
		want  []mapping
		check func(t *testing.T, im *Image, s *fakeSpace)
	}{
		"bss without a file part": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rx, 0, 0x100000, 0x200, 0x200, 0), load(rw, 0x200, 0x102000, 0, 0x1800, 0)}},
			[]mapping{{0x100000, 0x101000, "r-x", 0, "prog"}, {0x102000, 0x104000, "rw-", 0, ""}}, nil,
		},
		"bss within the last page of the file part": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rw, 0x1000, 0x101000, 0x200, 0x300, 'x')}, patch: nil},
			[]mapping{{0x101000, 0x102000, "rw-", 0x1000, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) {
				require.Equal(t, make([]byte, 0x100), s.read(t, 0x101200, 0x100))
				require.Equal(t, uint64(0x102000), im.BrkStart)
				require.Zero(t, im.Phdr, "no segment holds the program headers")
			},
		},
		// ppc's old PLT was executable bss.
		"executable bss": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rw|delf.PF_X, 0x1000, 0x101000, 0x10, 0x2000, 'x')}},
			[]mapping{{0x101000, 0x102000, "rwx", 0x1000, "prog"}, {0x102000, 0x103000, "rwx", 0, ""}}, nil,
		},
		// vm_brk makes it writable; the rest of the page stays as in the file.
		"bss of a segment that cannot be written": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(delf.PF_R, 0x1000, 0x101000, 0x10, 0x2000, 'x'), load(delf.PF_R, 0x1010, 0x103010, 0x10, 0x10, 'y')}},
			[]mapping{{0x101000, 0x102000, "r--", 0x1000, "prog"}, {0x102000, 0x103000, "rw-", 0, ""}, {0x103000, 0x104000, "r--", 0x1000, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) { require.Equal(t, []byte("xy"), s.read(t, 0x10100f, 2)) },
		},
		"a later segment wins where two overlap": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rx, 0x1000, 0x101000, 0x2000, 0x2000, 'a'), load(rw, 0x4000, 0x102000, 0x1000, 0x1000, 'b')}},
			[]mapping{{0x101000, 0x102000, "r-x", 0x1000, "prog"}, {0x102000, 0x103000, "rw-", 0x4000, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) { require.Equal(t, []byte("ab"), s.read(t, 0x101fff, 2)) },
		},
		"segments that are not in order": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rw, 0x1000, 0x104000, 0x10, 0x10, 'b'), load(rx, 0, 0x100000, 0x200, 0x200, 0)}},
			[]mapping{{0x100000, 0x101000, "r-x", 0, "prog"}, {0x104000, 0x105000, "rw-", 0x1000, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) {
				require.Equal(t, uint64(0x105000), im.BrkStart)
				require.Equal(t, uint64(0x100034), im.Phdr)
			},
		},
		"static PIE: holes stay free, alignment is kept": {
			image{arch: ppc64, typ: delf.ET_DYN, entry: 0x10, segs: []seg{aligned(0x10000, load(rx, 0, 0, 0x200, 0x200, 0)), aligned(0x10000, load(rw, 0x200, 0x20200, 0x10, 0x10, 'b'))}},
			[]mapping{{0xffff7fd0000, 0xffff7fd1000, "r-x", 0, "prog"}, {0xffff7ff0000, 0xffff7ff1000, "rw-", 0, "prog"}}, nil,
		},
		"alignments that are no powers of two do not count": {
			image{arch: ppc64, typ: delf.ET_DYN, segs: []seg{aligned(0x30000, load(rx, 0, 0, 0x200, 0x200, 0))}},
			[]mapping{{0xffff7fff000, 0xffff8000000, "r-x", 0, "prog"}}, nil,
		},
		"empty segments": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rw, 0, 0x200000, 0, 0, 0), load(rx, 0, 0x100000, 0x200, 0x200, 0)}},
			[]mapping{{0x100000, 0x101000, "r-x", 0, "prog"}}, nil,
		},
		"bss of nearly all user space costs nothing": {
			image{arch: x86_64, typ: delf.ET_EXEC, segs: []seg{load(rw, 0, 0x100000, 0x200, 0x7f0000000000, 0)}},
			[]mapping{{0x100000, 0x101000, "rw-", 0, "prog"}, {0x101000, 0x7f0000100000, "rw-", 0, ""}}, nil,
		},
		"no PT_GNU_STACK, 32 bits: readable is executable": {
			image{arch: ppc, typ: delf.ET_EXEC, nostack: true, segs: []seg{load(delf.PF_R, 0, 0x100000, 0x200, 0x200, 0), load(rw, 0, 0x101000, 0x10, 0x1010, 0)}},
			[]mapping{{0x100000, 0x101000, "r-x", 0, "prog"}, {0x101000, 0x102000, "rwx", 0, "prog"}, {0x102000, 0x103000, "rwx", 0, ""}},
			func(t *testing.T, im *Image, s *fakeSpace) {
				require.True(t, im.ReadImpliesExec)
				require.True(t, im.StackExec)
				require.Equal(t, "rwx", s.at(im.Stack.Low).prot.String())
			},
		},
		"no PT_GNU_STACK, 64 bits": {
			image{arch: ppc64, typ: delf.ET_EXEC, nostack: true, segs: []seg{load(delf.PF_R, 0, 0x100000, 0x200, 0x200, 0)}},
			[]mapping{{0x100000, 0x101000, "r--", 0, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) {
				require.False(t, im.ReadImpliesExec)
				require.Equal(t, "rw-", s.at(im.Stack.Low).prot.String())
			},
		},
		"PT_GNU_STACK with X": {
			image{arch: ppc, typ: delf.ET_EXEC, nostack: true, segs: []seg{
				{ProgHeader: delf.ProgHeader{Type: delf.PT_GNU_STACK, Flags: rw | delf.PF_X}}, load(delf.PF_R, 0, 0x100000, 0x200, 0x200, 0),
			}},
			[]mapping{{0x100000, 0x101000, "r--", 0, "prog"}},
			func(t *testing.T, im *Image, s *fakeSpace) {
				require.False(t, im.ReadImpliesExec)
				require.True(t, im.StackExec)
				require.Equal(t, "rwx", s.at(im.Stack.High-1).prot.String())
			},
		},
		"the file may end within the last page": {
			image{arch: ppc, typ: delf.ET_EXEC, segs: []seg{load(rx, 0, 0x100000, 0x1000, 0x1000, 0)}},
			[]mapping{{0x100000, 0x101000, "r-x", 0, "prog"}}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.image.entry = tt.image.segs[0].Vaddr
			im, s, err := loadImage(t, tt.image, noInterp)
			require.NoError(t, err)
			require.Equal(t, tt.want, s.maps())
			if tt.check != nil {
				tt.check(t, im, s)
			}
		})
	}
}

func TestLoadInterpreters(t *testing.T) {
	dyn := func(vaddr uint64) image { return plain(ppc, delf.ET_DYN, vaddr) }
	top := ppc.Start.MmapBase
	tests := map[string]struct {
		prog, ld image
		base     uint64
		entry    uint64
	}{
		"beside a fixed program":           {plain(ppc, delf.ET_EXEC, 0x10000000), dyn(0), top - 0x6000, top - 0x6000 + 0x200},
		"prelinked, beside a fixed one":    {plain(ppc, delf.ET_EXEC, 0x10000000), dyn(0x48000000), 0, 0x48000200},
		"prelinked, but the place is gone": {plain(ppc, delf.ET_EXEC, 0x48000000), dyn(0x48001000), top - 0x6000 - 0x48001000, top - 0x6000 + 0x200},
		"prelinked, beside a PIE":          {plain(ppc, delf.ET_DYN, 0), dyn(0x48000000), top - 0x6000 - 0x48000000, top - 0x6000 + 0x200},
		"fixed":                            {plain(ppc, delf.ET_DYN, 0), plain(ppc, delf.ET_EXEC, 0x48000000), 0, 0x48000200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.prog.segs = append(tt.prog.segs, interpSeg(0x280, "/ld"))
			ld := memFile(t, tt.ld.build())
			im, _, err := loadImage(t, tt.prog, func(string) (*os.File, string, error) { return ld, "ld", nil })
			require.NoError(t, err)
			require.Equal(t, ppc.Addr(tt.base), im.Base)
			require.Equal(t, tt.entry, im.Entry)
		})
	}
}

// A program that is its own interpreter is loaded twice, and no more: the
// kernel does not look for the interpreter of an interpreter.
func TestLoadOwnInterpreter(t *testing.T) {
	b := plain(ppc, delf.ET_DYN, 0, interpSeg(0x280, "/self")).build()
	f := memFile(t, b)
	defer f.Close()
	opened := 0
	s := newSpace(ppc)
	_, err := Load(s, f, "self", known, func(string) (*os.File, string, error) {
		opened++
		return memFile(t, b), "self", nil
	}, stackLimit)
	require.NoError(t, err)
	require.Equal(t, 1, opened)
	require.Len(t, s.maps(), 6)
}

func TestLoadErrors(t *testing.T) {
	prog := func(segs ...seg) image {
		return image{arch: ppc, typ: delf.ET_EXEC, entry: 0x100000, segs: segs}
	}
	patched := func(f func(b []byte, o binary.ByteOrder)) image {
		p := plain(ppc, delf.ET_EXEC, 0x100000)
		p.patch = f
		return p
	}
	interp := func(s seg) image { return plain(ppc, delf.ET_EXEC, 0x100000, s) }
	noNul := interpSeg(0x280, "/ld")
	noNul.data[3] = 'x'
	longInterp := interpSeg(0x280, "/ld")
	longInterp.Filesz = 4097
	shortInterp := interpSeg(0x280, "")
	farInterp := interpSeg(0x280, "/ld")
	farInterp.Off, farInterp.data = 0xfffffff0, nil
	var many []seg
	for range 129 {
		many = append(many, load(rx, 0, 0x100000, 0x100, 0x100, 0))
	}
	tests := map[string]struct {
		image image
		errno unix.Errno
		text  string
	}{
		"empty":         {image{arch: ppc}, unix.ENOEXEC, ""},
		"relocatable":   {image{arch: ppc, typ: delf.ET_REL, segs: []seg{load(rx, 0, 0, 1, 1, 0)}}, unix.ENOEXEC, "ELF type ET_REL is not a program"},
		"core":          {image{arch: ppc, typ: delf.ET_CORE, segs: []seg{load(rx, 0, 0, 1, 1, 0)}}, unix.ENOEXEC, "ELF type ET_CORE is not a program"},
		"no machine":    {patched(func(b []byte, o binary.ByteOrder) { o.PutUint16(b[18:], 9999) }), unix.ENOEXEC, "machine number 9999 is not supported"},
		"other machine": {patched(func(b []byte, o binary.ByteOrder) { o.PutUint16(b[18:], 243) }), unix.ENOEXEC, "machine EM_RISCV is not supported (supported: ppc, ppc64, arm, aarch64, i386, x86_64)"},
		"other order": {patched(func(b []byte, o binary.ByteOrder) {
			b[5] = byte(delf.ELFDATA2LSB)
			binary.LittleEndian.PutUint16(b[18:], uint16(delf.EM_PPC))
		}), unix.ENOEXEC, "machine EM_PPC with 32-bit words, little-endian is not supported"},
		"x32":               {patched(func(b []byte, o binary.ByteOrder) { b[5] = 1; binary.LittleEndian.PutUint16(b[18:], 62) }), unix.ENOEXEC, "machine EM_X86_64 with 32-bit words, little-endian is not supported"},
		"class":             {patched(func(b []byte, o binary.ByteOrder) { b[4] = 3 }), unix.ENOEXEC, "ELF class 3 is neither"},
		"data":              {patched(func(b []byte, o binary.ByteOrder) { b[5] = 0 }), unix.ENOEXEC, "ELF data encoding 0 is neither"},
		"phentsize":         {patched(func(b []byte, o binary.ByteOrder) { o.PutUint16(b[42:], 33) }), unix.ENOEXEC, "program headers of 33 bytes instead of 32"},
		"phnum 0":           {patched(func(b []byte, o binary.ByteOrder) { o.PutUint16(b[44:], 0) }), unix.ENOEXEC, "no program headers"},
		"phnum PN_XNUM":     {patched(func(b []byte, o binary.ByteOrder) { o.PutUint16(b[44:], 0xffff) }), unix.ENOEXEC, "too many program headers (65535, at most 128)"},
		"phnum 129":         {prog(many...), unix.ENOEXEC, "too many program headers"},
		"phoff":             {patched(func(b []byte, o binary.ByteOrder) { o.PutUint32(b[28:], 0xfffffff0) }), unix.ENOEXEC, "truncated program headers (0 of 96 bytes at offset 0xfffffff0)"},
		"nothing to load":   {prog(), unix.ENOEXEC, "no segment to load"},
		"memsz < filesz":    {prog(load(rx, 0, 0x100000, 0x101, 0x100, 0)), unix.EINVAL, "segment 0 has more bytes in the file (0x101) than in memory (0x100)"},
		"past user space":   {prog(load(rx, 0, 0xbffff000, 0x100, 0x2000, 0)), unix.EINVAL, "segment 0 (0x2000 bytes at 0xbffff000) does not fit the address space"},
		"wraps":             {prog(load(rx, 0, 0x100000, 0x100, 0xffffffff, 0)), unix.EINVAL, "does not fit the address space"},
		"offset in page":    {prog(load(rx, 0x10, 0x100000, 0x100, 0x100, 0)), unix.EINVAL, "offset 0x10 and address 0x100000 differ within a page"},
		"truncated":         {prog(load(rx, 0, 0x100000, 0x3000, 0x3000, 0)), unix.ENOEXEC, "truncated: segment 0 (0x3000 bytes at offset 0x0) reaches past the end of the file"},
		"far offset":        {prog(load(rx, 0xfffff000, 0x100000, 0x3000, 0x3000, 0)), unix.ENOEXEC, "truncated: segment 0"},
		"below mmap_min":    {prog(load(rx, 0, 0, 0x100, 0x100, 0)), unix.EPERM, "below the lowest address allowed (0x10000, see vm.mmap_min_addr)"},
		"below, second":     {prog(load(rx, 0, 0x100000, 0x100, 0x100, 0), load(rw, 0, 0x1000, 0x100, 0x100, 0)), unix.EPERM, "below the lowest"},
		"on the stack":      {prog(load(rx, 0, 0xbfff0000, 0x100, 0x100, 0)), unix.EEXIST, "its place at 0xbfff0000 (0x1000 bytes) is taken"},
		"entry":             {image{arch: ppc, typ: delf.ET_EXEC, entry: 0xc0000000, segs: []seg{load(rx, 0, 0x100000, 0x100, 0x100, 0)}}, unix.EINVAL, "entry point 0xc0000000 lies outside"},
		"PIE too large":     {image{arch: ppc, typ: delf.ET_DYN, segs: []seg{load(rx, 0, 0, 0x100, 0xbf000000, 0), interpSeg(0x80, "/ld")}}, unix.ENOENT, "missing interpreter"},
		"static PIE, large": {image{arch: ppc, typ: delf.ET_DYN, segs: []seg{load(rx, 0, 0, 0x100, 0xbf000000, 0)}}, unix.ENOMEM, "finding 0xbf000000 bytes of address space"},
		"alignment 2^31":    {image{arch: ppc, typ: delf.ET_DYN, segs: []seg{{ProgHeader: delf.ProgHeader{Type: delf.PT_LOAD, Filesz: 1, Memsz: 0x40000001, Align: 1 << 31}}}}, unix.ENOMEM, "finding"},
		"no size":           {image{arch: ppc, typ: delf.ET_DYN, segs: []seg{load(rx, 0, 0, 0, 0, 0)}}, unix.EINVAL, "segments of no size"},
		"interp no NUL":     {interp(noNul), unix.ENOEXEC, "interpreter name does not end in a zero byte"},
		"interp too long":   {interp(longInterp), unix.ENOEXEC, "interpreter name of 4097 bytes (2 to 4096 are allowed)"},
		"interp too short":  {interp(shortInterp), unix.ENOEXEC, "interpreter name of 1 bytes"},
		"interp far away":   {interp(farInterp), unix.EIO, "interpreter name at offset 0xfffffff0 is past the end of the file"},
		"interp missing":    {interp(interpSeg(0x280, "/lib/ld.so.1")), unix.ENOENT, `missing interpreter "/lib/ld.so.1": pass -L SYSROOT or install libc6-powerpc-cross`},
		"interp unknown":    {interp(interpSeg(0x280, "/lib/ld-x.so")), unix.ENOENT, `missing interpreter "/lib/ld-x.so": pass -L SYSROOT`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadImage(t, tt.image, noInterp)
			require.ErrorIs(t, err, tt.errno)
			require.ErrorContains(t, err, tt.text)
			require.True(t, strings.HasPrefix(err.Error(), "prog: "), err.Error())
		})
	}
}

// 64-bit headers can say more absurd things.
func TestLoadErrors64(t *testing.T) {
	prog := func(p delf.ProgHeader) image {
		p.Type = delf.PT_LOAD
		return image{arch: ppc64, typ: delf.ET_EXEC, entry: 0x100000, segs: []seg{{ProgHeader: p}}}
	}
	tests := map[string]struct {
		image image
		errno unix.Errno
		text  string
	}{
		"memsz 2^60":     {prog(delf.ProgHeader{Vaddr: 0x100000, Memsz: 1 << 60}), unix.EINVAL, "does not fit the address space"},
		"vaddr 2^63":     {prog(delf.ProgHeader{Vaddr: 1 << 63, Memsz: 1}), unix.EINVAL, "does not fit"},
		"vaddr -1":       {prog(delf.ProgHeader{Vaddr: ^uint64(0), Memsz: 2}), unix.EINVAL, "does not fit"},
		"offset -4096":   {prog(delf.ProgHeader{Vaddr: 0x100000, Off: ^uint64(0xfff), Filesz: 0x2000, Memsz: 0x2000}), unix.ENOEXEC, "truncated"},
		"filesz 2^40":    {prog(delf.ProgHeader{Vaddr: 0x100000, Filesz: 1 << 40, Memsz: 1 << 40}), unix.ENOEXEC, "truncated"},
		"alignment 2^63": {image{arch: ppc64, typ: delf.ET_DYN, segs: []seg{{ProgHeader: delf.ProgHeader{Type: delf.PT_LOAD, Filesz: 1, Memsz: 1, Align: 1 << 63}}}}, unix.ENOMEM, "finding"},
		"phoff 2^63": {func() image {
			p := plain(ppc64, delf.ET_EXEC, 0x100000)
			p.patch = func(b []byte, o binary.ByteOrder) { o.PutUint64(b[32:], 1<<63) }
			return p
		}(), unix.ENOEXEC, "past the end of the file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadImage(t, tt.image, noInterp)
			require.ErrorIs(t, err, tt.errno)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

func TestOpenErrors(t *testing.T) {
	full := plain(ppc, delf.ET_EXEC, 0x100000).build()
	tests := map[string]struct {
		data []byte
		text string
	}{
		"empty":             {nil, "f: the file is empty"},
		"text":              {[]byte("hello"), "f: not an ELF file, nor a script with #! at its start"},
		"magic only":        {[]byte(delf.ELFMAG), "f: ELF class 0 is neither 32 nor 64 bits"},
		"half a header":     {full[:40], "f: truncated ELF header (40 of 52 bytes)"},
		"no program header": {full[:60], "f: truncated program headers (8 of 96 bytes at offset 0x34)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := memFile(t, tt.data)
			defer f.Close()
			_, err := Open(f, "f", known, noInterp)
			require.EqualError(t, err, tt.text)
			require.ErrorIs(t, err, unix.ENOEXEC)
		})
	}
	t.Run("directory", func(t *testing.T) {
		d, err := os.Open(t.TempDir())
		require.NoError(t, err)
		defer d.Close()
		_, err = Open(d, "d", known, noInterp)
		require.ErrorIs(t, err, unix.EACCES)
	})
}

func TestMissingInterpreter(t *testing.T) {
	f := memFile(t, plain(arm, delf.ET_EXEC, 0x100000, interpSeg(0x280, "/lib/ld-linux-armhf.so.3")).build())
	defer f.Close()
	_, err := Open(f, "a.out", known, noInterp)
	var missing *MissingInterpreterError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "/lib/ld-linux-armhf.so.3", missing.Interp)
	require.EqualError(t, err, `a.out: missing interpreter "/lib/ld-linux-armhf.so.3": pass -L SYSROOT or install libc6-armhf-cross`)

	_, err = Open(f, "a.out", known, func(string) (*os.File, string, error) { return nil, "", unix.EACCES })
	require.EqualError(t, err, `a.out: missing interpreter "/lib/ld-linux-armhf.so.3": permission denied`)
}

// An interpreter for another machine, or one that is no ELF file.
func TestBadInterpreter(t *testing.T) {
	f := memFile(t, plain(ppc, delf.ET_EXEC, 0x100000, interpSeg(0x280, "/ld")).build())
	defer f.Close()
	for name, data := range map[string][]byte{
		"supported (supported: ppc)": plain(arm, delf.ET_DYN, 0).build(),
		"not an ELF file":            []byte("#!/bin/sh"),
	} {
		ld := memFile(t, data)
		_, err := Open(f, "prog", known, func(string) (*os.File, string, error) { return ld, "/ld", nil })
		require.ErrorIs(t, err, unix.ELIBBAD)
		require.ErrorContains(t, err, "prog: interpreter /ld: ")
		require.ErrorContains(t, err, name)
		require.Error(t, ld.Close(), "Open closed it")
	}
}

// A memory limit is the guest's error, a failure of the host is not.
func TestSpaceErrors(t *testing.T) {
	f := memFile(t, plain(ppc, delf.ET_EXEC, 0x100000).build())
	defer f.Close()
	s := newSpace(ppc)
	s.limit = unix.ENOMEM
	_, err := Load(s, f, "prog", known, noInterp, stackLimit)
	require.EqualError(t, err, "prog: mapping 0x3000 bytes of zeroes at 0x103000: cannot allocate memory")
	require.ErrorIs(t, err, unix.ENOMEM)
	s.limit = errors.New("host")
	_, err = Load(newSpaceWith(s), f, "prog", known, noInterp, stackLimit)
	require.ErrorIs(t, err, s.limit)
	var e *Error
	require.False(t, errors.As(err, &e))
}

func newSpaceWith(s *fakeSpace) *fakeSpace {
	n := newSpace(s.arch)
	n.limit = s.limit
	return n
}

// MatchELF has the last word.
func TestMatchELF(t *testing.T) {
	strict := *ppc
	strict.MatchELF = func(flags uint32, entry uint64) error {
		if flags == 5 && entry == 0x100200 {
			return errors.New("flag 5")
		}
		return nil
	}
	p := plain(ppc, delf.ET_EXEC, 0x100000)
	_, err := Identify(bytes.NewReader(p.build()), "p", []*arch.Arch{&strict})
	require.NoError(t, err)
	p.flags = 5
	_, err = Identify(bytes.NewReader(p.build()), "p", []*arch.Arch{&strict})
	require.EqualError(t, err, "p: flag 5")
}

func TestStackRange(t *testing.T) {
	gap := ppc.Start.StackTop - ppc.Start.MmapBase - stackGuardGap
	for limit, want := range map[uint64]uint64{
		0: minStack, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + pageSize, 1 << 30: gap, ^uint64(0): gap,
	} {
		f := memFile(t, plain(ppc, delf.ET_EXEC, 0x100000).build())
		im, err := Load(newSpace(ppc), f, "prog", known, noInterp, limit)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, want, im.Stack.High-im.Stack.Low, "limit %#x", limit)
	}
}

// Real dynamic linkers and C libraries of Debian's cross packages.
func TestLoadCross(t *testing.T) {
	for _, c := range crossLibc {
		if c.machine == delf.EM_386 || c.machine == delf.EM_X86_64 {
			continue // their packages are not needed on an x86-64 host
		}
		t.Run(c.interp, func(t *testing.T) {
			libc := strings.Replace(c.interp, "lib64", "lib", 1)
			dir := c.root + libc[:strings.LastIndexByte(libc, '/')]
			f, err := os.Open(dir + "/libc.so.6") // has a PT_INTERP and can be run
			require.NoError(t, err, "make test installs %s", c.pkg)
			defer f.Close()
			a, err := Identify(f, f.Name(), known)
			require.NoError(t, err)
			s := newSpace(a)
			var asked string
			p, err := Open(f, f.Name(), known, func(p string) (*os.File, string, error) {
				asked = p
				ld, err := os.Open(c.root + libc)
				return ld, p, err
			})
			require.NoError(t, err)
			defer p.Close()
			im, err := p.Load(s, stackLimit)
			require.NoError(t, err)
			require.Equal(t, c.interp, asked)
			require.Equal(t, roundDown(im.Exe.Bias), im.Exe.Bias)
			require.NotZero(t, im.Base)
			// The program headers that AT_PHDR points to are those of the file.
			want := make([]byte, im.Phent*im.Phnum)
			_, err = f.ReadAt(want, int64(im.Phdr-im.Exe.Low))
			require.NoError(t, err)
			require.Equal(t, want, s.read(t, im.Phdr, len(want)))
			require.Equal(t, []byte(delf.ELFMAG), s.read(t, im.Base, 4))
		})
	}
}
