package emu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// eachCPU runs a test on the CPU of a new process of each architecture.
func eachCPU(t *testing.T, f func(*testing.T, *arch.Arch, *CPU)) {
	for _, a := range archs.All {
		t.Run(a.Name, func(t *testing.T) {
			p, err := NewProcess(1, a, &a.Engine.Models[0], Options{})
			require.NoError(t, err)
			defer func() { require.NoError(t, p.Close()) }()
			f(t, a, p.CPU())
		})
	}
}

// TestRestoreForgets: what a task has left in the CPU that has ended, so that
// nobody saves it, is not taken for that of the next one, even if that is
// switched away from before anything looks at its registers.
func TestRestoreForgets(t *testing.T) {
	eachCPU(t, func(t *testing.T, a *arch.Arch, c *CPU) {
		ids := []arch.Reg{a.Regs[0], a.Regs[1]}
		for _, r := range a.Regs {
			if r.UC == arch.UCHidden {
				ids = append(ids, r)
				break
			}
		}
		set := func(v uint64) {
			for _, r := range ids {
				c.SetReg(r.ID, v)
			}
		}
		get := func() (l []uint64) {
			for _, r := range ids {
				l = append(l, c.Reg(r.ID))
			}
			return l
		}
		var one, two cpuState
		set(0)
		want := get()
		require.NoError(t, c.save(&one))
		set(1)
		require.NoError(t, c.restore(&one))
		require.NoError(t, c.save(&two))
		require.Equal(t, want, get())
		require.NoError(t, c.restore(&two))
		require.Equal(t, want, get())
	})
}
