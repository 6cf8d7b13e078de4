package emu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// pageCounter is an engine that notes how often it is told of memory.
type pageCounter struct{ maps int }

func (c *pageCounter) Map(uint64, []byte, int) error { c.maps++; return nil }
func (c *pageCounter) Unmap(uint64, uint64) error    { return nil }
func (c *pageCounter) DropCode(uint64, uint64)       {}
func (c *pageCounter) HasCode(uint64, uint64) bool   { return false }

// Mappings that are alike and lie side by side are one region to the engine,
// more of them than it bears regions.
func TestRegionOfMappings(t *testing.T) {
	const n, at, odd = 2 * maxRegions, 0x10000000, maxRegions / 2
	back := testFile(t, make([]byte, PageSize))
	tests := map[string]struct {
		odd   VMA // the mapping in the midst
		knows [3]bool
	}{
		"alike":    {VMA{Prot: rw, Flags: MapShared, File: back}, [3]bool{true, true, true}},
		"readonly": {VMA{Prot: arch.Read, Flags: MapShared, File: back}, [3]bool{false, true, false}},
		"private":  {VMA{Prot: rw}, [3]bool{true, true, true}},
		"none":     {VMA{Flags: MapShared, File: back}, [3]bool{false, true, false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := NewSpace(archs.All[0])
			defer func() { require.NoError(t, s.Release()) }()
			for i := range uint64(n) {
				v := VMA{Prot: rw, Flags: MapShared, File: back}
				if i == odd {
					v = tt.odd
				}
				v.Addr, v.End = at+i*PageSize, at+(i+1)*PageSize
				require.NoError(t, s.Map(v))
			}
			eng := &pageCounter{}
			s.regions.eng = eng
			fresh, err := s.tell(at+n/2*PageSize, arch.Write)
			require.NoError(t, err)
			require.True(t, fresh)
			require.Equal(t, 1, eng.maps)
			for i, want := range map[uint64]bool{0: tt.knows[0], odd + 1: tt.knows[1], odd: tt.knows[2], n - 1: true} {
				fresh, err := s.tell(at+i*PageSize, arch.Read)
				require.NoError(t, err)
				require.Equal(t, want, !fresh, "page %d", i)
			}
		})
	}
}

// Views of one page of which one may be written and one executed are given to
// the engine one at a time, in a fork's child as well.
func TestContestedViews(t *testing.T) {
	const w, x = 0x100000, 0x200000
	back := testFile(t, make([]byte, PageSize))
	s := NewSpace(archs.All[0])
	defer func() { require.NoError(t, s.Release()) }()
	require.NoError(t, s.Map(VMA{Addr: w, End: w + PageSize, Prot: rw, Flags: MapShared, File: back}))
	require.Equal(t, rw, s.engineProt(s.Find(w)))
	require.NoError(t, s.Map(VMA{Addr: x, End: x + PageSize, Prot: arch.Read | arch.Exec, Flags: MapShared, File: back}))
	c, err := s.Fork()
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Release()) }()
	for _, s := range []*Space{s, c} {
		for _, at := range []uint64{w, x} {
			require.Equal(t, arch.Read, s.engineProt(s.Find(at)))
		}
	}
	require.NoError(t, s.Unmap(x, PageSize))
	require.Equal(t, rw, s.engineProt(s.Find(w)))
	require.NoError(t, s.Map(VMA{Addr: x, End: x + PageSize, Prot: arch.Read, Flags: MapShared, File: back}))
	require.Equal(t, rw, s.engineProt(s.Find(w)))
}
