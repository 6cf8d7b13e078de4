// Package archs lists the guest architectures. A new one needs its folder
// under emu/arch and a line here.
package archs

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/arm"
	"github.com/utemu/utemu/emu/arch/arm64"
	"github.com/utemu/utemu/emu/arch/ppc"
	"github.com/utemu/utemu/emu/arch/x86"
)

// All are the architectures that programs can be of.
var All = []*arch.Arch{
	x86.I386,
	x86.X86_64,
	arm.ARM,
	arm64.ARM64,
	ppc.PPC,
	ppc.PPC64,
}

// Lookup finds an architecture by its name or an alias.
func Lookup(name string) (*arch.Arch, bool) {
	for _, a := range All {
		if a.Name == name || slices.Contains(a.Aliases, name) {
			return a, true
		}
	}
	return nil, false
}

// Match finds the architecture of an ELF program by the fields of its header,
// or says why there is none: the machine is unknown, or known with another
// word size or byte order, or the architecture refuses the flags or the entry
// point.
func Match(m elf.Machine, c elf.Class, o binary.ByteOrder, flags uint32, entry uint64) (*arch.Arch, error) {
	err := fmt.Errorf("%s programs are not supported", m)
	for _, a := range All {
		if a.Machine != m {
			continue
		}
		switch {
		case a.Class != c && m == elf.EM_X86_64:
			err = errors.New("x32 programs (x86-64 with 32-bit pointers) are not supported: build it for x86-64 or i386")
		case a.Class != c:
			err = fmt.Errorf("%s programs of class %s are not supported", m, c)
		case a.Order != o:
			err = fmt.Errorf("%s programs with the byte order %s are not supported", m, o)
		case a.MatchELF != nil && a.MatchELF(flags, entry) != nil:
			err = a.MatchELF(flags, entry)
		default:
			return a, nil
		}
	}
	return nil, err
}
