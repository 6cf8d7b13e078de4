package conform

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// TestSuite runs the suite: arch/case/mode/strategy.
func TestSuite(t *testing.T) {
	n, goroutines := 0, runtime.NumGoroutine()
	err := steptest.Run(context.Background(), archs.All, Make, stepper.Strategies, nil, func(r steptest.Result) {
		n++
		t.Run(r.Name(), func(t *testing.T) {
			if r.Err != nil {
				t.Errorf("%v\n%s", r.Err, strings.ReplaceAll(r.Case.Asm, ";", "\n"))
			}
			// One is the subtest's own.
			require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 }, time.Minute, time.Millisecond, "goroutines are left")
		})
	})
	require.NoError(t, err)
	require.Greater(t, n, 1000)
}
