package emu

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// dumped is what Dump gives of a range, by page.
func dumped(t *testing.T, s *Space, addr, size uint64) map[uint64]byte {
	got := map[uint64]byte{}
	last := addr
	require.NoError(t, s.Dump(addr, size, func(a uint64, b []byte) error {
		require.Zero(t, a%PageSize)
		require.Zero(t, len(b)%PageSize)
		require.NotEmpty(t, b)
		require.GreaterOrEqual(t, a, last)
		last = a + uint64(len(b))
		for i := 0; i < len(b); i += PageSize {
			got[a+uint64(i)] = b[i]
		}
		return nil
	}))
	return got
}

// TestDump: all that was written is there, whatever kind of memory it is, and
// a gigabyte that was not touched takes nothing.
func TestDump(t *testing.T) {
	s := NewSpace(&arch.Arch{Word: 8, Start: arch.Start{TaskSize: 1 << 47}})
	defer func() { require.NoError(t, s.Release()) }()
	const small, big, shared, none, page = 0x100000, 0x40000000, 0x200000, 0x300000, PageSize
	const gig = 1 << 30
	for _, v := range []VMA{
		{Addr: small, End: small + 4*page, Prot: arch.Read | arch.Write},
		{Addr: big, End: big + gig, Prot: arch.Read | arch.Write},
		{Addr: shared, End: shared + 4*page, Prot: arch.Read | arch.Write, Flags: MapShared},
		{Addr: none, End: none + 4*page},
	} {
		require.NoError(t, s.Map(v))
	}
	for _, a := range []uint64{small, big, none} {
		w, err := s.Written(a, 4*page)
		require.NoError(t, err)
		require.False(t, w, "%#x", a)
	}
	put := func(a uint64, b byte) {
		_, err := s.WriteAt([]byte{b}, a)
		require.NoError(t, err)
	}
	put(small+page, 1)
	put(big+gig-page, 2)
	put(big+20*page, 3)
	put(big+21*page, 0)
	put(shared+3*page, 4)
	before := MemoryFiles()
	require.Equal(t, map[uint64]byte{small + page: 1}, dumped(t, s, small, 4*page))
	require.Equal(t, map[uint64]byte{big + gig - page: 2, big + 20*page: 3}, dumped(t, s, big, gig))
	require.Equal(t, map[uint64]byte{shared + 3*page: 4}, dumped(t, s, shared, 4*page))
	require.Empty(t, dumped(t, s, none, 4*page))
	require.Equal(t, before, MemoryFiles(), "looking takes no memory")
	for a, want := range map[uint64]bool{small: true, big + gig - 4*page: true, big + 4*page: false, shared: false, none: false} {
		w, err := s.Written(a, 4*page)
		require.NoError(t, err)
		require.Equal(t, want, w, "%#x", a)
	}

	// After a fork the pages are the memory file's, and those written since.
	c, err := s.Fork()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Release()) }()
	put(big+20*page, 5)
	put(big+30*page, 6)
	require.Equal(t, map[uint64]byte{big + gig - page: 2, big + 20*page: 5, big + 30*page: 6}, dumped(t, s, big, gig))
	require.Equal(t, map[uint64]byte{big + gig - page: 2, big + 20*page: 3}, dumped(t, c, big, gig))
}

// TestDumpFile: of a file's private mapping the pages up to the file's end are
// there, and Written knows of copies.
func TestDumpFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, append(make([]byte, PageSize), 7, 8), 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	s := NewSpace(&arch.Arch{Word: 8, Start: arch.Start{TaskSize: 1 << 47}})
	defer func() { require.NoError(t, s.Release()) }()
	b, err := DupBacking(int(f.Fd()), name, arch.Read|arch.Write)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	defer b.Release()
	const at, page = 0x100000, PageSize
	require.NoError(t, s.Map(VMA{Addr: at, End: at + 4*page, Prot: arch.Read | arch.Write, File: b}))
	require.Equal(t, map[uint64]byte{at + page: 7}, dumped(t, s, at, 4*page))
	w, err := s.Written(at, 4*page)
	require.NoError(t, err)
	require.False(t, w, "only read")
	_, err = s.WriteAt([]byte{9}, at)
	require.NoError(t, err)
	w, err = s.Written(at, 4*page)
	require.NoError(t, err)
	require.True(t, w)
	require.Equal(t, map[uint64]byte{at: 9, at + page: 7}, dumped(t, s, at, 4*page))
	require.ErrorIs(t, s.Dump(at, page, func(uint64, []byte) error { return unix.EIO }), unix.EIO)
}
