package archs

import (
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookup(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range All {
		for _, name := range append([]string{a.Name}, a.Aliases...) {
			require.False(t, seen[name], "%s names two", name)
			seen[name] = true
			got, ok := Lookup(name)
			require.True(t, ok)
			require.Same(t, a, got)
		}
	}
	_, ok := Lookup("vax")
	require.False(t, ok)
}

func TestMatch(t *testing.T) {
	for name, tc := range map[string]struct {
		m     elf.Machine
		c     elf.Class
		o     binary.ByteOrder
		flags uint32
		want  string // the architecture, or a part of the reason
	}{
		"i386":    {elf.EM_386, elf.ELFCLASS32, binary.LittleEndian, 0, "i386"},
		"x86-64":  {elf.EM_X86_64, elf.ELFCLASS64, binary.LittleEndian, 0, "x86_64"},
		"x32":     {elf.EM_X86_64, elf.ELFCLASS32, binary.LittleEndian, 0, "x32"},
		"arm":     {elf.EM_ARM, elf.ELFCLASS32, binary.LittleEndian, 0x05000000, "arm"},
		"arm64":   {elf.EM_AARCH64, elf.ELFCLASS64, binary.LittleEndian, 0, "aarch64"},
		"ppc":     {elf.EM_PPC, elf.ELFCLASS32, binary.BigEndian, 0, "ppc"},
		"ppc64":   {elf.EM_PPC64, elf.ELFCLASS64, binary.BigEndian, 1, "ppc64"},
		"ELFv2":   {elf.EM_PPC64, elf.ELFCLASS64, binary.BigEndian, 2, "ELFv2"},
		"ppc64le": {elf.EM_PPC64, elf.ELFCLASS64, binary.LittleEndian, 2, "byte order"},
		"mips":    {elf.EM_MIPS, elf.ELFCLASS32, binary.BigEndian, 0, "EM_MIPS"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Match(tc.m, tc.c, tc.o, tc.flags, 0)
			if a != nil {
				require.NoError(t, err)
				require.Equal(t, tc.want, a.Name)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}
