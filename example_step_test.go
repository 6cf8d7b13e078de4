package utemu_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// blocks steps a program by taken branches and counts those that lead back. It
// does not know the architecture: where the CPU cannot step, it asks for a
// strategy that needs no help of the CPU.
func blocks(path string) (s stepper.Strategy, backward, stops int, err error) {
	m, err := utemu.Load(utemu.Config{Path: path, Stdout: io.Discard})
	if err != nil {
		return nil, 0, 0, err
	}
	defer m.Close()
	t, err := emu.NewTarget(m.Task())
	if err != nil {
		return nil, 0, 0, err
	}
	s = stepper.Native{}
	if t.Arch().Caps&arch.HasSingleStep == 0 {
		s = stepper.MemBP{}
	}
	for last := uint64(0); ; stops++ {
		st, err := s.Step(context.Background(), t, stepper.Block)
		if err != nil || st.Why == stepper.Exited {
			return s, backward, stops, err
		}
		if st.PC < last {
			backward++
		}
		last = st.PC
	}
}

// Code that steps works unchanged on x86 and on 32-bit ARM, whose kernel and CPU
// have no steps.
func ExampleMemBP() {
	for _, a := range []string{"x86_64", "arm"} {
		s, backward, stops, err := blocks("testdata/bins/" + a + "/hello")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(a, "by", s.Name(), "loops:", backward > 0 && stops > backward)
	}
	// Output:
	// x86_64 by native loops: true
	// arm by membp loops: true
}
