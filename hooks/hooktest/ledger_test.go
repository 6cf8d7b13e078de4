package hooktest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every numbered behaviour has a case or a reason, and none has both.
func TestLedger(t *testing.T) {
	cases := map[int]bool{}
	last := 0
	for _, c := range Cases {
		require.GreaterOrEqual(t, c.N, last, "the cases are not in order")
		last = c.N
		cases[c.N] = true
	}
	for n := 1; n <= behaviours; n++ {
		require.NotEqual(t, cases[n], Ledger[n] != "", "behaviour %d: a case, or a reason in the ledger", n)
	}
	for n, why := range Ledger {
		require.True(t, n >= 1 && n <= behaviours && why != "", "ledger row %d", n)
	}
}
