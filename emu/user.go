package emu

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

var _ stepper.Guarded = (*Target)(nil)

// User implements stepper.Guarded.
func (g *Target) User() arch.Memory { return userMemory{g.t.Proc.Space} }

// Runs implements stepper.Guarded.
func (g *Target) Runs(at, n uint64) bool {
	return g.t.Proc.Space.span(at, n, arch.Exec) == n
}

// userMemory is memory as the program may use it.
type userMemory struct{ s *Space }

// ReadAt implements arch.Memory.
func (m userMemory) ReadAt(p []byte, addr uint64) (int, error) {
	if err := m.s.CopyIn(p, addr); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteAt implements arch.Memory.
func (m userMemory) WriteAt(p []byte, addr uint64) (int, error) {
	if err := m.s.CopyOut(p, addr); err != nil {
		return 0, err
	}
	return len(p), nil
}
