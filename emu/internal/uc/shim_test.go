//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// guests are the kinds of guests that engines are made for.
var guests = map[string]Config{
	"i386":    {Arch: ucnum.ARCH_X86, Mode: ucnum.MODE_32, Model: -1},
	"x86_64":  {Arch: ucnum.ARCH_X86, Mode: ucnum.MODE_64, Model: -1},
	"arm":     {Arch: ucnum.ARCH_ARM, Mode: ucnum.MODE_ARM, Model: -1},
	"aarch64": {Arch: ucnum.ARCH_ARM64, Mode: ucnum.MODE_ARM, Model: -1},
	"ppc":     {Arch: ucnum.ARCH_PPC, Mode: ucnum.MODE_PPC32 | ucnum.MODE_BIG_ENDIAN, Model: -1},
	"ppc64":   {Arch: ucnum.ARCH_PPC, Mode: ucnum.MODE_PPC64 | ucnum.MODE_BIG_ENDIAN, Model: -1},
}

func TestShim(t *testing.T) {
	for name, c := range guests {
		t.Run(name, func(t *testing.T) { require.Empty(t, shimTrouble(c)) })
	}
}
