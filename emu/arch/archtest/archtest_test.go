package archtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDropped(t *testing.T) {
	for name, want := range map[string]bool{
		"regs.go": false, "regs_arm.go": true, "regs_arm_test.go": true, "arm.go": false, "x_linux.go": true,
		"decode_ppc64.go": true, "arch_test.go": false, "linux_arm64.go": true, "step_hw.go": false, "a_386.go": true,
	} {
		require.Equal(t, want, Dropped(name), name)
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	m.Map(0x1000, make([]byte, 8))
	n, err := m.WriteAt([]byte{1, 2, 3}, 0x1004)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	var b [4]byte
	n, err = m.ReadAt(b[:], 0x1006)
	require.Error(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, [4]byte{3}, b)
}
