// Package oracle holds stepping against somebody who is not of this
// repository: the kernel of this machine by ptrace(2), or qemu-user by the
// remote protocol of gdb. A program runs in the emulator and there side by
// side, instruction by instruction, and every stop must be the same.
// docs/step.md says what the two have to agree on and what they cannot.
package oracle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Process is a program that runs elsewhere, stopped before an instruction. Its
// methods are for one goroutine, the one that started it.
type Process interface {
	arch.Memory
	// Name is what differences call it.
	Name() string
	// Regs are the core registers of the stop; changes count from the next Step.
	Regs() *Regs
	// Step runs i, the instruction at the PC. A signal that the last stop told
	// of is delivered first. If i is a system call, or opens an atomic sequence
	// or a helper that the emulator has run as one step, to is where that is expected to
	// lead; 0 is unknown.
	Step(ctx context.Context, i *arch.Insn, to uint64) (Stop, error)
	// Qemu tells that it is qemu-user, with its own mistakes.
	Qemu() bool
	// Frames tells whether the process can go on from the frame of a signal
	// handler that the emulator has made.
	Frames() bool
	// Output is what the program has written to its standard output and
	// error; it is whole after the program has ended.
	Output() []byte
	// Close ends the process.
	Close() error
}

// Holder is a Process that has descriptors of its own, among the program's.
type Holder interface{ Held() []int }

// Skipper is a Process that refuses instructions which it should run.
type Skipper interface {
	// Skip goes on behind i, which has just raised a signal, as if it had given
	// a register that value.
	Skip(i *arch.Insn, reg string, v uint64) error
}

// Blocker is a Process that can step by blocks itself.
type Blocker interface {
	// StepBlock goes on until a branch is taken, or only for one instruction
	// where the CPU cannot do that.
	StepBlock(ctx context.Context, i *arch.Insn) (Stop, error)
}

// Stop is why a process has stopped.
type Stop struct {
	Signo  int // the signal of a fault or trap; 0 at the end of a step
	Exited bool
	Status int // Exited: as wait(2) has it
}

// ErrUnsupported says that this machine cannot be the oracle.
var ErrUnsupported = errors.New("oracle: not on this machine")

// Program is what to run.
type Program struct {
	Arch      *arch.Arch
	Model     string // the CPU model, as qemu names it
	Path      string // on the host
	Args, Env []string
	Sysroot   string // where the program's libraries are, "" for /
	// HostPath is the file that an absolute path of the program names: that
	// under the sysroot, if there is one.
	HostPath func(string) string
	// Umask is the program's, which is not that of this process.
	Umask uint32
}

// Regs are the core registers of an architecture.
type Regs struct {
	arch  *arch.Arch
	index []int // by ID: place in vals and 1
	vals  []uint64
	dirty []bool
}

var _ regset.Regs = (*Regs)(nil)

// NewRegs makes the registers of a Process, all zero.
func NewRegs(a *arch.Arch) *Regs {
	r := &Regs{arch: a, vals: make([]uint64, a.Core), dirty: make([]bool, a.Core)}
	for k, reg := range a.Regs[:a.Core] {
		for int(reg.ID) >= len(r.index) {
			r.index = append(r.index, 0)
		}
		r.index[reg.ID] = k + 1
	}
	return r
}

func (r *Regs) at(id regset.ID) int {
	if int(id) >= len(r.index) {
		return -1
	}
	return r.index[id] - 1
}

// Reg implements regset.Regs; what is no core register is 0.
func (r *Regs) Reg(id regset.ID) uint64 {
	if k := r.at(id); k >= 0 {
		return r.vals[k]
	}
	return 0
}

// SetReg implements regset.Regs.
func (r *Regs) SetReg(id regset.ID, v uint64) {
	if k := r.at(id); k >= 0 && r.vals[k] != v {
		r.vals[k], r.dirty[k] = v, true
	}
}

// Bytes implements regset.Regs: no core register is wide.
func (r *Regs) Bytes(_ regset.ID, p []byte) { clear(p) }

// SetBytes implements regset.Regs.
func (r *Regs) SetBytes(regset.ID, []byte) {}

// changed calls f for the registers that were changed, and forgets that.
func (r *Regs) changed(f func(k int, v uint64) error) error {
	for k, d := range r.dirty {
		if !d {
			continue
		}
		if err := f(k, r.vals[k]); err != nil {
			return err
		}
		r.dirty[k] = false
	}
	return nil
}

// Capture are the standard streams of a process: no input, and pipes as output,
// so that they are the same for both sides.
type Capture struct {
	Files [3]*os.File // the process's ends
	tee   io.Writer
	mu    sync.Mutex
	buf   bytes.Buffer
	done  sync.WaitGroup
}

// NewCapture makes the pipes. What is written to them goes to tee too, if that
// is not nil.
func NewCapture(tee io.Writer) (*Capture, error) {
	c := &Capture{tee: tee}
	in, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Files[0] = in
	w.Close()
	for fd := 1; fd <= 2; fd++ {
		r, w, err := os.Pipe()
		if err != nil {
			c.Release()
			return nil, err
		}
		c.Files[fd] = w
		c.done.Go(func() { _, _ = io.Copy(c, r); r.Close() })
	}
	return c, nil
}

// Write collects output.
func (c *Capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tee != nil {
		if _, err := c.tee.Write(p); err != nil {
			return 0, err
		}
	}
	return c.buf.Write(p)
}

// Release closes our copies of the process's ends.
func (c *Capture) Release() {
	for k, f := range c.Files {
		if f != nil {
			f.Close()
			c.Files[k] = nil
		}
	}
}

// Bytes is what was written; all of it, if the process has ended and nobody
// else has its ends of the pipes.
func (c *Capture) Bytes(ended bool) []byte {
	if ended {
		c.done.Wait()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.buf.Bytes())
}

// fixed runs f with address randomisation off for what it starts, which gets a
// umask. The caller's goroutine is locked to its thread.
func fixed(umask uint32, f func() error) error {
	const query, noRandom = 0xffffffff, 0x0040000
	old, _, e := unix.Syscall(unix.SYS_PERSONALITY, query, 0, 0)
	if e != 0 {
		return os.NewSyscallError("personality", e)
	}
	if _, _, e := unix.Syscall(unix.SYS_PERSONALITY, old|noRandom, 0, 0); e != 0 {
		return os.NewSyscallError("personality", e)
	}
	mask := unix.Umask(int(umask))
	err := f()
	unix.Umask(mask)
	_, _, _ = unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0)
	return err
}
