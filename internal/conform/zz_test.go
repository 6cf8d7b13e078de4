package conform

import (
	"context"
	"os"
	"fmt"
	"testing"
	"time"

	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

func TestZZ(t *testing.T) {
	for k := range steptest.Cases() {
		c := &steptest.Cases()[k]
		if c.Args == nil || c.ISA != os.Getenv("ISA") {
			continue
		}
		for _, a := range archs.All {
			if a.Name != c.Arch() {
				continue
			}
			for _, s := range stepper.Strategies {
				for m := stepper.Insn; m <= stepper.BlockAny; m++ {
					ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
					b := time.Now()
					done := make(chan error, 1)
					go func() { done <- c.Check(ctx, a, Make, s, m) }()
					select {
					case err := <-done:
						if true {
							fmt.Println(c.ID(), m, s.Name(), err, time.Since(b))
						}
					case <-time.After(4 * time.Second):
						fmt.Println(c.ID(), m, s.Name(), "HANG")
						if os.Getenv("PANIC") != "" { panic("hang") }
					}
					cancel()
				}
			}
		}
	}
}
