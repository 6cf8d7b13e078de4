package conform

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/stepper"
)

// process is a program with the whole kernel as a steptest.Process.
type process struct {
	*emu.Target
	m *utemu.Machine
}

// load makes a process of an ELF file.
func load(image []byte, args []string) (stepper.Target, func() error, error) {
	dir, err := os.MkdirTemp("", "utemu-conform")
	if err != nil {
		return nil, nil, err
	}
	gone := func() error { return os.RemoveAll(dir) }
	path := filepath.Join(dir, "guest")
	if err := os.WriteFile(path, image, 0o755); err != nil {
		return nil, nil, errors.Join(err, gone())
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, errors.Join(err, gone())
	}
	m, err := utemu.Load(utemu.Config{Path: path, Args: append([]string{path}, args...), Env: []string{}, Random: new([16]byte), Stdin: null, Stdout: null, Stderr: null})
	if err != nil {
		return nil, nil, errors.Join(err, null.Close(), gone())
	}
	end := func() error { return errors.Join(m.Close(), null.Close(), gone()) }
	g, err := emu.NewTarget(m.Task())
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return &process{g, m}, end, nil
}

// Follow implements steptest.Process.
func (p *process) Follow(f func(context.Context, stepper.Target) error) {
	p.Target.Follow(func(ctx context.Context, c *emu.Target) error { return f(ctx, c) })
}

// Wait implements steptest.Process.
func (p *process) Wait() error { return p.m.Kernel().Wait() }
