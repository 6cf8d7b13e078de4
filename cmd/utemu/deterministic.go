package main

import (
	"fmt"
	"strconv"

	"github.com/utemu/utemu"
)

// seedFlag is --deterministic[=SEED].
type seedFlag struct {
	on   bool
	seed uint64
}

func (f *seedFlag) String() string {
	if !f.on {
		return ""
	}
	return strconv.FormatUint(f.seed, 10)
}

func (f *seedFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return fmt.Errorf("not a number of 64 bits: %q", s)
	}
	f.on, f.seed = true, n
	return nil
}

func (f *seedFlag) Type() string { return "SEED" }

func (f *seedFlag) config(c *utemu.Config) { c.Deterministic, c.Seed = f.on, f.seed }
