//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// TestX86Float: the places of x86 floating point are found, in both modes and
// on several models.
func TestX86Float(t *testing.T) {
	for _, c := range []Config{
		{Mode: ucnum.MODE_32, Model: -1},
		{Mode: ucnum.MODE_32, Model: ucnum.CPU_X86_QEMU32},
		{Mode: ucnum.MODE_32, Model: ucnum.CPU_X86_N270},
		{Mode: ucnum.MODE_64, Model: -1},
		{Mode: ucnum.MODE_64, Model: ucnum.CPU_X86_QEMU64},
		{Mode: ucnum.MODE_64, Model: ucnum.CPU_X86_WESTMERE},
	} {
		c.Arch = ucnum.ARCH_X86
		require.NoError(t, mendX86(c), "%+v", c)
	}
}
