// Package conform runs the conformance suite of package stepper on the
// emulator.
package conform

import (
	"bytes"
	"debug/elf"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/stepper/steptest"
)

// kernel is the least there can be: system calls return 0, signals kill.
type kernel struct{ fault *emu.Fault }

// Syscall implements emu.Kernel.
func (k *kernel) Syscall(t *emu.Task) error {
	t.Proc.Arch.ABI.Result(t.CPU(), 0, 0)
	return nil
}

// Fault implements emu.Kernel.
func (k *kernel) Fault(_ *emu.Task, f emu.Fault) error {
	k.fault = &f
	return nil
}

// Pending implements emu.Kernel.
func (k *kernel) Pending(t *emu.Task) error {
	if k.fault != nil {
		t.End(emu.Status{Signal: k.fault.No})
	}
	return nil
}

// Exit implements emu.Kernel.
func (k *kernel) Exit(*emu.Task, bool) int { return 0 }

// Wake implements emu.Kernel.
func (k *kernel) Wake(*emu.Task) {}

// Sigaction implements emu.Kernel.
func (k *kernel) Sigaction(*emu.Task, unix.Signal) emu.Sigaction { return emu.Sigaction{} }

// Make is a steptest.Maker: a task in a process of its own.
func Make(a *arch.Arch, code []byte, args ...string) (stepper.Target, func() error, error) {
	if bytes.HasPrefix(code, []byte(elf.ELFMAG)) {
		return load(code, args)
	}
	if len(code) > steptest.Size {
		return nil, nil, unix.ENOMEM
	}
	p, err := emu.NewProcess(1, a, &a.Engine.Models[0], emu.Options{})
	if err != nil {
		return nil, nil, err
	}
	g, err := start(p, code)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return g, p.Close, nil
}

// start maps the memory of a case and sets the registers.
func start(p *emu.Process, code []byte) (*emu.Target, error) {
	for at, prot := range map[uint64]arch.Prot{
		steptest.CodeAt: arch.Read | arch.Write | arch.Exec, steptest.DataAt: arch.Read | arch.Write, steptest.StackAt: arch.Read | arch.Write,
	} {
		if err := p.Space.Map(emu.VMA{Addr: at, End: at + steptest.Size, Prot: prot}); err != nil {
			return nil, err
		}
	}
	if _, err := p.Space.WriteAt(code, steptest.CodeAt); err != nil {
		return nil, err
	}
	if err := p.Arch.Start.Regs(p.CPU(), arch.Image{Entry: steptest.CodeAt, SP: steptest.SP, Start: steptest.CodeAt}); err != nil {
		return nil, err
	}
	for _, r := range p.Arch.Regs[:min(32, p.Arch.Core)] {
		if r.Name != "cpsr" && r.Name != "eflags" && r.Name != "msr" {
			p.CPU().SetReg(r.ID, 0)
		}
	}
	return emu.NewTarget(p.NewTask(1, &kernel{}))
}
