package emu

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// shadowed is an address space with what its memory must hold.
type shadowed struct {
	*Space
	pages map[uint64][]byte // by address
}

func (s *shadowed) write(t *testing.T, addr uint64, p []byte) {
	n, err := s.WriteAt(p, addr)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
	copy(s.pages[addr&^(PageSize-1)][addr&(PageSize-1):], p)
}

func (s *shadowed) fork(t *testing.T) *shadowed {
	c, err := s.Fork()
	require.NoError(t, err)
	f := &shadowed{c, map[uint64][]byte{}}
	for a, p := range s.pages {
		f.pages[a] = bytes.Clone(p)
	}
	return f
}

func (s *shadowed) check(t *testing.T) {
	b := make([]byte, PageSize)
	for a, p := range s.pages {
		_, err := s.ReadAt(b, a)
		require.NoError(t, err)
		require.True(t, bytes.Equal(p, b), "page %#x", a)
	}
}

const rw = arch.Read | arch.Write

func testFile(t *testing.T, data []byte) *Backing {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.Write(data)
	require.NoError(t, err)
	b, err := NewBacking(f, f.Name(), rw)
	require.NoError(t, err)
	return b
}

// Random programs of mappings, writes, moves, advices and forks: private
// memory of each copy is its own, whatever the order.
func TestForkMemory(t *testing.T) {
	data := bytes.Repeat([]byte("file"), 64*PageSize/4)
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		spaces := []*shadowed{{NewSpace(archs.All[0]), map[uint64][]byte{}}}
		back := testFile(t, data)
		if seed%2 == 0 {
			spaces[0].host.plain = plainMax // memory files from the start
		}
		page := func() uint64 { return 0x100000 + uint64(r.IntN(256))*PageSize }
		for range 400 {
			s := spaces[r.IntN(len(spaces))]
			a, n := page(), uint64(1+r.IntN(32))
			switch r.IntN(10) {
			case 0: // map
				v := VMA{Addr: a, End: a + n*PageSize, Prot: rw}
				file := r.IntN(3) == 0
				if file {
					v.File, v.Off = back, int64(r.IntN(8))*PageSize
				}
				require.NoError(t, s.Map(v))
				for i := range n {
					p := make([]byte, PageSize)
					if file {
						copy(p, data[v.Off:])
					}
					s.pages[a+i*PageSize] = p
				}
			case 1: // unmap
				require.NoError(t, s.Unmap(a, n*PageSize))
				for i := range n {
					delete(s.pages, a+i*PageSize)
				}
			case 2: // discard
				if v := s.Find(a); v != nil && v.File == nil {
					require.NoError(t, s.Advise(a, PageSize, unix.MADV_DONTNEED))
					clear(s.pages[a])
				}
			case 3: // move
				if s.pages[a] != nil && s.Free(a+0x40000000, PageSize) {
					require.NoError(t, s.Move(a, a+0x40000000, PageSize))
					s.pages[a+0x40000000] = s.pages[a]
					delete(s.pages, a)
				}
			case 4:
				if len(spaces) < 5 {
					spaces = append(spaces, s.fork(t))
				} else { // one goes
					i := r.IntN(len(spaces))
					spaces[i].check(t)
					require.NoError(t, spaces[i].Release())
					spaces = append(spaces[:i], spaces[i+1:]...)
				}
			default:
				if s.pages[a] != nil {
					s.write(t, a+uint64(r.IntN(PageSize-8)), []byte{byte(r.Uint32()), byte(r.Uint32()), 7})
				}
			}
		}
		for _, s := range spaces {
			s.check(t)
			require.NoError(t, s.Release())
		}
		require.Zero(t, MemoryFiles())
		require.EqualValues(t, 1, back.refs.Load())
	}
}

// A fork of much memory copies none of it, the first time and when nearly all
// was written since.
func TestForkCopiesLittle(t *testing.T) {
	const size = 256 << 20
	s := NewSpace(archs.All[0])
	require.NoError(t, s.Map(VMA{Addr: 0x1000000, End: 0x1000000 + size, Prot: rw}))
	touch := func(s *Space, b byte) {
		m, err := s.User(0x1000000, size, arch.Write)
		require.NoError(t, err)
		for i := 0; i < size; i += PageSize {
			m[0][i] = b
		}
	}
	touch(s, 1)
	before := MemoryFiles()
	require.GreaterOrEqual(t, before, uint64(size))
	c, err := s.Fork()
	require.NoError(t, err)
	require.Equal(t, before, MemoryFiles())
	resident, err := c.Resident(0x1000000, size)
	require.NoError(t, err)
	require.Len(t, resident, size/PageSize)
	m, err := c.User(0x1000000, size, arch.Read)
	require.NoError(t, err)
	require.Equal(t, byte(1), m[0][size/2])
	touch(s, 2)
	require.Equal(t, byte(1), m[0][size/2])
	// The pages that both have now differ: the next fork finds those of s
	// written, and puts them into the file once.
	d, err := s.Fork()
	require.NoError(t, err)
	after := MemoryFiles()
	e, err := s.Fork()
	require.NoError(t, err)
	require.Equal(t, after, MemoryFiles())
	for _, x := range []*Space{c, d, e, s} {
		require.NoError(t, x.Release())
	}
	require.Zero(t, MemoryFiles())
}

// Shared mappings are the same memory in both, marked ones are left out or
// zero, and files close with their last mapping.
func TestForkFlags(t *testing.T) {
	s := NewSpace(archs.All[0])
	back := testFile(t, make([]byte, PageSize))
	for i, v := range []VMA{
		{Prot: rw, Flags: MapShared}, {Prot: rw, Flags: MapShared, File: back}, {Prot: rw}, {Prot: rw}, {},
	} {
		v.Addr = 0x100000 + uint64(i)*0x10000
		v.End = v.Addr + PageSize
		require.NoError(t, s.Map(v))
	}
	s.Mark(0x120000, PageSize, MapDontFork, 0)
	s.Mark(0x130000, PageSize, MapWipeOnFork, 0)
	for _, a := range []uint64{0x100000, 0x110000, 0x120000, 0x130000} {
		_, err := s.WriteAt([]byte{1}, a)
		require.NoError(t, err)
	}
	c, err := s.Fork()
	require.NoError(t, err)
	require.Nil(t, c.Find(0x120000))
	require.NotNil(t, c.Find(0x140000))
	b := []byte{9}
	_, err = c.ReadAt(b, 0x130000)
	require.NoError(t, err)
	require.Equal(t, []byte{0}, b)
	for _, a := range []uint64{0x100000, 0x110000} {
		_, err = c.WriteAt([]byte{5}, a)
		require.NoError(t, err)
		_, err = s.ReadAt(b, a)
		require.NoError(t, err)
		require.Equal(t, []byte{5}, b, "%#x", a)
	}
	require.NoError(t, s.Release())
	require.NoError(t, c.Release())
	require.EqualValues(t, 1, back.refs.Load())
}

// A copy of a process has the registers, also those that libunicorn's calls do
// not reach, and outlives the original.
func TestForkCPU(t *testing.T) {
	data := regexp.MustCompile(`^(r|x|v|d|f|vr|vs|xmm|st|[re][abcd]x|k_?orig|lr|ctr)\d*$`)
	for _, a := range archs.All {
		t.Run(a.Name, func(t *testing.T) {
			m, _ := a.Engine.Model("")
			p, err := NewProcess(1, a, m, Options{})
			require.NoError(t, err)
			get := func(c *CPU) map[string][]byte {
				got := map[string][]byte{}
				for _, r := range a.Regs {
					b := make([]byte, (r.Bits+7)/8)
					c.Bytes(r.ID, b)
					got[r.Name] = b
				}
				return got
			}
			for i, r := range a.Regs {
				b := make([]byte, (r.Bits+7)/8)
				p.cpu.Bytes(r.ID, b)
				if data.MatchString(r.Name) {
					b[0] ^= byte(i) & 0x3c
					b[len(b)-1] ^= byte(i) & 0x3c
					p.cpu.SetBytes(r.ID, b)
				}
			}
			want := get(p.cpu)
			q, err := p.Fork(2)
			require.NoError(t, err)
			require.Equal(t, want, get(q.cpu))
			require.Equal(t, want, get(p.cpu))
			require.NoError(t, p.Close())
			require.Equal(t, want, get(q.cpu))
			require.NoError(t, q.Close())
		})
	}
}
