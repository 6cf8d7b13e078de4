package conform

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// TestSuite runs the suite: arch/case/mode/strategy.
func TestSuite(t *testing.T) {
	n := 0
	err := steptest.Run(context.Background(), archs.All, Make, stepper.Strategies, nil, func(r steptest.Result) {
		n++
		t.Run(r.Name(), func(t *testing.T) {
			if r.Err != nil {
				t.Errorf("%v\n%s", r.Err, strings.ReplaceAll(r.Case.Asm, ";", "\n"))
			}
		})
	})
	require.NoError(t, err)
	require.Greater(t, n, 1000)
}

// TestLedger: every scenario of the catalogue has a case or a reason why not,
// and not both.
func TestLedger(t *testing.T) {
	have := map[int]bool{}
	for _, c := range steptest.Cases() {
		have[c.No] = true
	}
	for _, s := range steptest.Skips {
		require.False(t, have[s.No], "scenario %d has a case: its skip is stale", s.No)
		require.NotEmpty(t, s.Reason)
		have[s.No] = true
	}
	for no := 1; no <= steptest.Scenarios; no++ {
		require.True(t, have[no], "scenario %d has neither case nor skip", no)
	}
	require.Len(t, have, steptest.Scenarios)
}
