package emu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/uc"
)

// TestHiddenInterrupted: registers that are looked for while a request to stop
// waits, as a signal makes one, are found, and the request holds for the next run.
func TestHiddenInterrupted(t *testing.T) {
	eachCPU(t, func(t *testing.T, a *arch.Arch, c *CPU) {
		hiddenPlaces.Delete(c.model)
		c.eng.Interrupt()
		for _, r := range a.Regs {
			if r.UC == arch.UCHidden {
				require.NotNil(t, c.hidden(r.ID), r.Name)
			}
		}
		st, err := c.eng.Run(0x1000, uc.Limit{})
		require.NoError(t, err)
		require.Equal(t, uc.KindInterrupt, st.Kind)
	})
}
