package conform

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// TestSuite runs the suite: arch/case/mode/strategy. No goroutine is left of any
// case.
func TestSuite(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGWINCH) // that package's goroutine stays
	defer signal.Stop(c)
	n, goroutines := 0, runtime.NumGoroutine()
	err := steptest.Run(context.Background(), archs.All, Make, stepper.Strategies, nil, func(r steptest.Result) {
		n++
		t.Run(r.Name(), func(t *testing.T) {
			if r.Err != nil {
				t.Errorf("%v\n%s", r.Err, strings.ReplaceAll(r.Case.Asm, ";", "\n"))
			}
		})
		for k := 0; runtime.NumGoroutine() > goroutines; k++ { // timers that end take a moment
			require.Less(t, k, 10_000, "%s leaves goroutines", r.Name())
			time.Sleep(time.Millisecond)
		}
	})
	require.NoError(t, err)
	require.Greater(t, n, 4000)
}
