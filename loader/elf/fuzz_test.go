package elf

import (
	"bytes"
	delf "debug/elf"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// seeds are programs of each architecture that load.
func seeds() (list [][]byte) {
	for _, a := range known {
		list = append(list,
			plain(a, delf.ET_EXEC, 0x100000).build(),
			plain(a, delf.ET_DYN, 0).build(),
			plain(a, delf.ET_DYN, 0, interpSeg(0x280, "/ld")).build(),
			image{arch: a, typ: delf.ET_EXEC, entry: 0x100000, nostack: true, segs: []seg{
				load(rx, 0, 0x100000, 0x200, 0x200, 0), load(rw, 0x200, 0x100200, 0, 1<<30, 0), load(rw, 0, 0x100000, 1, 2, 0),
			}}.build())
	}
	return list
}

// FuzzLoad loads a file that is its own interpreter too. Whatever it holds,
// the loader keeps the rules of Space, and what it returns makes sense.
func FuzzLoad(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := memFile(t, data)
		defer file.Close()
		p, err := Open(file, "prog", known, func(string) (*os.File, string, error) { return memFile(t, data), "ld", nil })
		if err != nil {
			checkError(t, err)
			return
		}
		defer p.Close()
		s := newSpace(p.Arch)
		im, err := p.Load(s, stackLimit)
		if err != nil {
			checkError(t, err)
			return
		}
		checkImage(t, im, s)
		c := StackConfig{Argv: []string{"a"}, Envp: []string{"B=c"}, ExecFn: "a", Model: &arch.Model{Platform: "p"}}
		st, err := Stack(s, im, c)
		if err != nil { // a fixed program may cover the stack
			return
		}
		if st.SP < im.Stack.Low || st.SP >= im.Stack.High {
			t.Fatalf("stack pointer %#x outside of %#x", st.SP, im.Stack)
		}
	})
}

// checkError: each error is about a file, in one line, with an errno.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e unix.Errno
	if !errors.As(err, &e) || errors.Is(err, errRule) || strings.Contains(err.Error(), "\n") {
		t.Fatal(err)
	}
}

func checkImage(t *testing.T, im *Image, s *fakeSpace) {
	t.Helper()
	task := im.Arch.Start.TaskSize
	if im.Entry >= task || im.BrkStart > task || im.BrkStart%pageSize != 0 || im.Exe.Low > im.Exe.High {
		t.Fatalf("%+v", im)
	}
	if len(s.vmas) > 4*128+1 {
		t.Fatalf("%d mappings", len(s.vmas))
	}
	for i, v := range s.vmas {
		if i > 0 && v.Low < s.vmas[i-1].High {
			t.Fatalf("overlapping mappings %+v and %+v", s.vmas[i-1], v)
		}
	}
}

// FuzzScript: what a script's line names comes from the first bytes of the
// file and holds nothing that ends it.
func FuzzScript(f *testing.F) {
	for _, s := range []string{"#!/bin/sh\n", "#! /bin/sh -x \n", "#!/bin/sh", "#!\n", "#!", "# /bin/sh", "#!/a\x00b", "#!" + strings.Repeat("a", 300), "#!a" + strings.Repeat(" ", 300)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		s, ok, err := Script(head)
		if ok != bytes.HasPrefix(head, []byte("#!")) {
			t.Fatalf("taken for a script: %v", ok)
		}
		if err != nil {
			if !errors.Is(err, unix.ENOEXEC) && !errors.Is(err, unix.EACCES) {
				t.Fatal(err)
			}
			return
		}
		if !ok {
			return
		}
		if s.Interp == "" || strings.ContainsAny(s.Interp, " \t\n\x00") || strings.ContainsAny(s.Arg, "\n\x00") || !s.HasArg && s.Arg != "" {
			t.Fatalf("%+v", s)
		}
		if !bytes.Contains(head[:min(len(head), scriptBuf)], []byte(s.Interp)) {
			t.Fatalf("%q does not come from the line", s.Interp)
		}
	})
}

// FuzzSymbols: broken sections cost a program its names and nothing else.
func FuzzSymbols(f *testing.F) {
	for _, b := range append(seeds(), sectioned(ppc64), sectioned(arm), sectioned(x86_64)) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, err := ReadSymbols(bytes.NewReader(data))
		if tab == nil {
			t.Fatal("no table")
		}
		if err != nil && len(tab.All()) != 0 {
			t.Fatal("symbols and an error")
		}
		for i, s := range tab.spans {
			if s.from >= s.to || i > 0 && s.from < tab.spans[i-1].to {
				t.Fatalf("spans %+v", tab.spans)
			}
		}
		for _, s := range tab.All() {
			if name, off, ok := tab.Lookup(s.Addr); ok && (name == "" || off > s.Addr) {
				t.Fatalf("%q+%#x at %#x", name, off, s.Addr)
			}
			if _, _, ok := tab.ByName(s.Name); !ok {
				t.Fatalf("%q is not found", s.Name)
			}
		}
	})
}

// sectioned is a file with a symbol table, dynamic symbols, a procedure
// linkage table and function descriptors.
func sectioned(a *arch.Arch) []byte {
	is64 := a.Class == delf.ELFCLASS64
	names := []byte("\x00.text\x00.opd\x00.symtab\x00.strtab\x00.dynsym\x00.plt\x00.rela.plt\x00.rel.plt\x00main\x00$a\x00f@@V\x00")
	name := func(s string) uint32 { return uint32(bytes.Index(names, []byte("\x00"+s+"\x00")) + 1) }
	im := plain(a, delf.ET_EXEC, 0x100000)
	b := im.build()
	b = append(b, make([]byte, (16-len(b)%16)%16)...)
	put := func(v ...any) (at, n uint64) {
		at = uint64(len(b))
		for _, x := range v {
			out, err := appendBinary(b, a, x)
			if err != nil {
				panic(err)
			}
			b = out
		}
		return at, uint64(len(b)) - at
	}
	sym := func(n string, val, size uint64, info byte, sec uint16) any {
		if is64 {
			return delf.Sym64{Name: name(n), Info: info, Shndx: sec, Value: val, Size: size}
		}
		return delf.Sym32{Name: name(n), Info: info, Shndx: sec, Value: uint32(val), Size: uint32(size)}
	}
	type sect struct {
		name           string
		typ            delf.SectionType
		flags          delf.SectionFlag
		addr, off, n   uint64
		link           uint32
		entsize, align uint64
	}
	strOff, strN := put(names)
	opdOff, opdN := put(uint64(0x100210), uint64(0), uint64(0))
	symOff, symN := put(sym("", 0, 0, 0, 0), sym("main", 0x100201, 0x20, 0x12, 1), sym("$a", 0x100200, 0, 0, 1), sym("f@@V", 0x102300, 8, 0x12, 2))
	size := symN / 4
	relOff, relN := put(make([]byte, 48))
	sects := []sect{
		{},
		{".text", delf.SHT_PROGBITS, delf.SHF_ALLOC | delf.SHF_EXECINSTR, 0x100200, 0x200, 0x100, 0, 0, 16},
		{".opd", delf.SHT_PROGBITS, delf.SHF_ALLOC, 0x102300, opdOff, opdN, 0, 0, 8},
		{".symtab", delf.SHT_SYMTAB, 0, 0, symOff, symN, 4, size, 8},
		{".strtab", delf.SHT_STRTAB, 0, 0, strOff, strN, 0, 0, 1},
		{".dynsym", delf.SHT_DYNSYM, delf.SHF_ALLOC, 0, symOff, symN, 4, size, 8},
		{".plt", delf.SHT_PROGBITS, delf.SHF_ALLOC, 0x100280, 0x280, 48, 0, 0, 16},
		{".rela.plt", delf.SHT_RELA, delf.SHF_ALLOC, 0, relOff, relN, 5, 24, 8},
	}
	var shoff uint64
	for i, s := range sects {
		var at uint64
		if is64 {
			at, _ = put(delf.Section64{Name: name(s.name), Type: uint32(s.typ), Flags: uint64(s.flags), Addr: s.addr, Off: s.off, Size: s.n, Link: s.link, Addralign: s.align, Entsize: s.entsize})
		} else {
			at, _ = put(delf.Section32{Name: name(s.name), Type: uint32(s.typ), Flags: uint32(s.flags), Addr: uint32(s.addr), Off: uint32(s.off), Size: uint32(s.n), Link: s.link, Addralign: uint32(s.align), Entsize: uint32(s.entsize)})
		}
		if i == 0 {
			shoff = at
		}
	}
	if is64 {
		a.Order.PutUint64(b[40:], shoff)
		a.Order.PutUint16(b[60:], uint16(len(sects)))
		a.Order.PutUint16(b[62:], 4)
	} else {
		a.Order.PutUint32(b[32:], uint32(shoff))
		a.Order.PutUint16(b[48:], uint16(len(sects)))
		a.Order.PutUint16(b[50:], 4)
	}
	return b
}
