package utemu_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/utemu/utemu"
)

// A program of a big-endian 32-bit PowerPC runs, and its end is told.
func Example() {
	m, err := utemu.Load(utemu.Config{Path: "testdata/bins/ppc/hello", Stdout: os.Stdout})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	status, err := m.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("status", status.Code)
	// Output:
	// hello, world
	// status 0
}

// What kills a program is explained with the place in its source.
func ExampleMachine_Explain() {
	m, err := utemu.Load(utemu.Config{
		Path:   "testdata/bins/arm/fault",
		Args:   []string{"fault", "write"},
		Stdout: os.Stdout,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	status, err := m.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Signal, "from", status.Fault.PC != 0)
	// Output:
	// before
	// segmentation fault from true
}
