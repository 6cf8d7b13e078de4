//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// TestX86Float: the places of x86 floating point are found, in both modes.
func TestX86Float(t *testing.T) {
	for _, mode := range []int{ucnum.MODE_32, ucnum.MODE_64} {
		require.NoError(t, mendX86(Config{Arch: ucnum.ARCH_X86, Mode: mode, Model: -1}))
	}
}
