package regset

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// image is memory of a segment, with a hole where a page is nil.
func image(addr uint64, pages ...[]byte) Segment {
	n := uint64(len(pages)) * 4096
	return Segment{Addr: addr, Size: n, FileSize: n, Flags: elf.PF_R, Data: func(emit func(uint64, []byte) error) error {
		for i, p := range pages {
			if p == nil {
				continue
			}
			if err := emit(addr+uint64(i)*4096, p); err != nil {
				return err
			}
		}
		return nil
	}}
}

// TestCoreWrite reads files of every class and order back by debug/elf.
func TestCoreWrite(t *testing.T) {
	view := &View{Name: "test", Machine: uint16(elf.EM_PPC), Flags: 5, OSABI: 3}
	full := bytes.Repeat([]byte{0x5a}, 4096)
	for name, c := range map[string]*Core{
		"32 big":    {Class: elf.ELFCLASS32, Order: binary.BigEndian},
		"32 little": {Class: elf.ELFCLASS32, Order: binary.LittleEndian},
		"64 big":    {Class: elf.ELFCLASS64, Order: binary.BigEndian},
		"64 little": {Class: elf.ELFCLASS64, Order: binary.LittleEndian},
	} {
		t.Run(name, func(t *testing.T) {
			c.View, c.Page = view, 4096
			c.Notes = []Note{{"CORE", 7, []byte("abcde")}, {"LINUX", 0x100, nil}}
			empty := Segment{Addr: 0x1000, Size: 0x2000, Flags: elf.PF_R | elf.PF_X}
			c.Segments = []Segment{empty, image(0x10000, nil, full, nil), image(0x20000, full, nil)}
			f, err := os.Create(filepath.Join(t.TempDir(), "core"))
			require.NoError(t, err)
			defer f.Close()
			size, err := c.Write(f)
			require.NoError(t, err)
			require.EqualValues(t, 4096+5*4096, size)
			require.NoError(t, f.Truncate(size))

			e, err := elf.NewFile(f)
			require.NoError(t, err)
			require.Equal(t, []any{elf.ET_CORE, c.Class, elf.EM_PPC, elf.OSABI(3), c.Order}, []any{e.Type, e.Class, e.Machine, e.OSABI, e.ByteOrder})
			require.Len(t, e.Progs, 4)
			note, err := io.ReadAll(e.Progs[0].Open())
			require.NoError(t, err)
			require.Equal(t, elf.PT_NOTE, e.Progs[0].Type)
			want := binary.BigEndian.AppendUint32(nil, 5)
			if c.Order == binary.ByteOrder(binary.LittleEndian) {
				want = binary.LittleEndian.AppendUint32(nil, 5)
			}
			require.Equal(t, want, note[:4], "the name has a NUL")
			require.Equal(t, "CORE\x00\x00\x00\x00abcde\x00\x00\x00", string(note[12:28]))
			require.Len(t, note, 28+12+8)
			for i, s := range c.Segments {
				p := e.Progs[i+1]
				require.Equal(t, []any{elf.PT_LOAD, s.Addr, s.Size, s.FileSize, s.Flags, uint64(4096)},
					[]any{p.Type, p.Vaddr, p.Memsz, p.Filesz, p.Flags, p.Align})
				require.Zero(t, p.Off%4096)
			}
			got, err := io.ReadAll(e.Progs[2].Open())
			require.NoError(t, err)
			zero := make([]byte, 4096)
			require.Equal(t, [][]byte{zero, full, zero}, [][]byte{got[:4096], got[4096:8192], got[8192:]})
		})
	}
}

// TestCoreMany writes more program headers than the file header can count.
func TestCoreMany(t *testing.T) {
	c := &Core{Class: elf.ELFCLASS32, Order: binary.BigEndian, View: &View{}, Page: 4096}
	for i := range 0xffff {
		c.Segments = append(c.Segments, Segment{Addr: uint64(i) << 12, Size: 4096})
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "core"))
	require.NoError(t, err)
	defer f.Close()
	size, err := c.Write(f)
	require.NoError(t, err)
	st, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, size, st.Size())
	var h elf.Header32
	require.NoError(t, binary.Read(io.NewSectionReader(f, 0, 52), binary.BigEndian, &h))
	require.EqualValues(t, []uint16{0xffff, 1}, []uint16{h.Phnum, h.Shnum})
	var s elf.Section32
	require.NoError(t, binary.Read(io.NewSectionReader(f, int64(h.Shoff), 40), binary.BigEndian, &s))
	require.EqualValues(t, 0x10000, s.Info)
	var p elf.Prog32
	require.NoError(t, binary.Read(io.NewSectionReader(f, int64(h.Phoff)+32*0xffff, 32), binary.BigEndian, &p))
	require.EqualValues(t, 0xfffe<<12, p.Vaddr)
}

func TestCoreErrors(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "core"))
	require.NoError(t, err)
	defer f.Close()
	c := &Core{Class: elf.ELFCLASS32, Order: binary.BigEndian, View: &View{}, Page: 4096}
	failed := errors.New("failed")
	c.Segments = []Segment{{Size: 4096, FileSize: 4096, Data: func(func(uint64, []byte) error) error { return failed }}}
	_, err = c.Write(f)
	require.ErrorIs(t, err, failed)
	c.Segments = []Segment{{Size: 4096, FileSize: 4096, Data: func(emit func(uint64, []byte) error) error { return emit(4095, make([]byte, 2)) }}}
	_, err = c.Write(f)
	require.ErrorContains(t, err, "outside of the segment")
	_, err = (&Core{Order: binary.BigEndian, View: &View{}, Page: 4096}).Write(f)
	require.ErrorContains(t, err, "ELFCLASSNONE")
}

// TestThreadNotes: the first set goes into the status, the floating point
// registers are System V's, and sets that are not active are left out.
func TestThreadNotes(t *testing.T) {
	set := func(note uint32, b byte) Set {
		return Set{Note: note, N: 2, Size: 4}.WithImage(func(_ Regs, img []byte) {
			for i := range img {
				img[i] = b
			}
		}, nil)
	}
	off := set(0x100, 3)
	off.Active = func(Regs) (int, error) { return 0, nil }
	v := &View{Sets: []Set{set(1, 1), set(2, 2), off, set(0x101, 4), Set{Note: 0x102, N: 1, Size: 4}.Absent(unix.ENODEV)}}
	status := make([]byte, 16)
	notes, err := v.ThreadNotes(nil, status, status[4:12], status[12:], binary.BigEndian, []Note{{Name: "CORE", Type: NoteAuxv}})
	require.NoError(t, err)
	require.Equal(t, []Note{
		{"CORE", 1, []byte{0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1}},
		{Name: "CORE", Type: NoteAuxv},
		{"CORE", 2, []byte{2, 2, 2, 2, 2, 2, 2, 2}},
		{"LINUX", 0x101, []byte{4, 4, 4, 4, 4, 4, 4, 4}},
	}, notes)
}
