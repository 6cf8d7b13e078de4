//go:build linux && amd64

package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// native is a process under ptrace(2).
type native struct {
	regs   *Regs
	place  []*uint64 // by core register: in raw
	raw    unix.PtraceRegs
	pid    int
	mem    *os.File
	out    *Capture
	sig    int // to be delivered
	ended  bool
	dir    string // of the copy of a program, "" for none
	blocks int    // whether PTRACE_SINGLEBLOCK does: 0 unknown, 1 yes, -1 no
}

// names are the registers of struct user_regs_struct by the names that they
// have in 64-bit and in 32-bit programs.
func (n *native) names() map[string]*uint64 {
	r := &n.raw
	return map[string]*uint64{
		"rax": &r.Rax, "rbx": &r.Rbx, "rcx": &r.Rcx, "rdx": &r.Rdx, "rsi": &r.Rsi, "rdi": &r.Rdi, "rbp": &r.Rbp, "rsp": &r.Rsp,
		"r8": &r.R8, "r9": &r.R9, "r10": &r.R10, "r11": &r.R11, "r12": &r.R12, "r13": &r.R13, "r14": &r.R14, "r15": &r.R15,
		"rip": &r.Rip, "eflags": &r.Eflags,
		"eax": &r.Rax, "ebx": &r.Rbx, "ecx": &r.Rcx, "edx": &r.Rdx, "esi": &r.Rsi, "edi": &r.Rdi, "ebp": &r.Rbp, "esp": &r.Rsp,
		"eip": &r.Rip,
	}
}

// StartNative starts a program under this machine's kernel, with its address
// space not randomised. The caller's goroutine must be locked to its thread
// (runtime.LockOSThread), here and as long as the process lives: the kernel
// lets nobody else trace it.
func StartNative(p Program) (Process, error) {
	n := &native{regs: NewRegs(p.Arch)}
	names := n.names()
	for _, r := range p.Arch.Regs[:p.Arch.Core] {
		at := names[r.Name]
		if at == nil {
			return nil, fmt.Errorf("%w: its kernel runs no programs for %s", ErrUnsupported, p.Arch.Name)
		}
		n.place = append(n.place, at)
	}
	var err error
	if n.out, err = NewCapture(nil); err != nil {
		return nil, err
	}
	path, linked, err := n.link(p)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	err = fixed(p.Umask, func() error {
		proc, err := os.StartProcess(path, p.Args, &os.ProcAttr{Env: p.Env, Files: n.out.Files[:], Sys: &syscall.SysProcAttr{Ptrace: true}})
		if err == nil {
			n.pid = proc.Pid
			err = proc.Release()
		}
		return err
	})
	n.out.Release()
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if err := n.begin(linked); err != nil {
		return nil, errors.Join(fmt.Errorf("ptrace: %w", err), n.Close())
	}
	return n, nil
}

// link is the program to start: itself, or a copy with the sysroot's dynamic linker.
func (n *native) link(p Program) (path string, l *linked, err error) {
	if p.HostPath == nil || p.Sysroot == "" {
		return p.Path, nil, nil
	}
	if n.dir, err = os.MkdirTemp("", "utemu-oracle"); err != nil {
		return "", nil, err
	}
	if l, err = link(p, n.dir); l != nil {
		return l.path, l, err
	}
	return p.Path, nil, err
}

// begin waits for the stop after exec.
func (n *native) begin(l *linked) error {
	if _, err := n.wait(); err != nil {
		return err
	}
	if n.ended {
		return errors.New("the program did not start")
	}
	n.sig = 0
	if err := unix.PtraceSetOptions(n.pid, unix.PTRACE_O_EXITKILL); err != nil {
		return err
	}
	var err error
	n.mem, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", n.pid), os.O_RDWR, 0)
	if err != nil || l == nil {
		return err
	}
	aux, err := auxv(n.regs.arch, n.regs, n)
	if err != nil {
		return err
	}
	return l.restore(n, aux)
}

// wait waits for the next stop and reads the registers.
func (n *native) wait() (Stop, error) {
	var ws unix.WaitStatus
	for {
		if _, err := unix.Wait4(n.pid, &ws, unix.WALL, nil); err == unix.EINTR {
			continue
		} else if err != nil {
			return Stop{}, os.NewSyscallError("wait4", err)
		}
		break
	}
	if ws.Exited() || ws.Signaled() {
		n.ended = true
		return Stop{Exited: true, Status: int(ws)}, nil
	}
	if err := ptrace(unix.PTRACE_GETREGS, n.pid, uintptr(unsafe.Pointer(&n.raw))); err != nil {
		return Stop{}, err
	}
	for k, at := range n.place {
		n.regs.vals[k] = n.regs.arch.Addr(*at)
	}
	n.sig = int(ws.StopSignal())
	return Stop{Signo: n.sig}, nil
}

// ptrace makes a request that takes no address. None of them sleeps.
func ptrace(req, pid int, data uintptr) error {
	if _, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(req), uintptr(pid), 0, data, 0, 0); e != 0 {
		return os.NewSyscallError("ptrace", e)
	}
	return nil
}

// resume makes one request and waits.
func (n *native) resume(req int) (Stop, error) {
	dirty := false
	_ = n.regs.changed(func(k int, v uint64) error {
		*n.place[k], dirty = v, true
		return nil
	})
	if dirty {
		if err := ptrace(unix.PTRACE_SETREGS, n.pid, uintptr(unsafe.Pointer(&n.raw))); err != nil {
			return Stop{}, err
		}
	}
	sig := n.sig
	n.sig = 0
	if err := ptrace(req, n.pid, uintptr(sig)); err != nil {
		return Stop{}, err
	}
	return n.wait()
}

// Step implements Process.
func (n *native) Step(ctx context.Context, i *arch.Insn, _ uint64) (Stop, error) {
	return n.step(ctx, unix.PTRACE_SINGLESTEP, i)
}

// StepBlock implements Blocker. The kernel has the request wherever it runs,
// but not every virtual machine passes on the CPU's flag for it (BTF of
// DEBUGCTL): there a block ends after each instruction.
func (n *native) StepBlock(ctx context.Context, i *arch.Insn) (Stop, error) {
	const singleBlock = 33
	if n.blocks < 0 {
		return n.step(ctx, unix.PTRACE_SINGLESTEP, i)
	}
	st, err := n.step(ctx, singleBlock, i)
	if n.blocks == 0 && i.Class == 0 && err == nil && st == (Stop{}) {
		n.blocks = 1
		if n.regs.Reg(n.regs.arch.PC) == i.End() {
			n.blocks = -1
		}
	}
	return st, err
}

// step makes a request until it has run something. What is not about the
// instruction itself, such as a signal from another process, is passed on.
func (n *native) step(ctx context.Context, req int, i *arch.Insn) (Stop, error) {
	defer context.AfterFunc(ctx, func() { _ = unix.Kill(n.pid, unix.SIGKILL) })()
	for {
		if err := ctx.Err(); err != nil {
			return Stop{}, err
		}
		st, err := n.resume(req)
		if err != nil || st.Exited {
			return st, err
		}
		if st.Signo == int(unix.SIGTRAP) && !i.Is(arch.IsTrap) {
			n.sig = 0
			return Stop{}, n.hideTF(i)
		}
		var info struct {
			signo, errno, code int32
			_                  [116]byte
		}
		if err := ptrace(unix.PTRACE_GETSIGINFO, n.pid, uintptr(unsafe.Pointer(&info))); err != nil {
			return Stop{}, err
		}
		switch {
		case st.Signo == int(unix.SIGTRAP) && info.code > 0 && info.code < 0x80: // TRAP_TRACE and its like
			n.sig = 0
			return Stop{}, nil
		case info.code > 0: // of a fault or trap
			return st, nil
		}
	}
}

// hideTF takes the trap flag, by which the kernel steps, out of where the
// program can see it: on the stack after PUSHF, in r11 after SYSCALL.
func (n *native) hideTF(i *arch.Insn) error {
	const tf = 1 << 8
	switch {
	case i.Is(arch.IsSyscall) && i.Raw[0] == 0x0f:
		n.raw.R11 &^= tf
		for k, at := range n.place {
			if at == &n.raw.R11 {
				n.regs.SetReg(n.regs.arch.Regs[k].ID, n.raw.R11)
			}
		}
	case i.Is(arch.IsPushFlags):
		var b [1]byte
		at := n.regs.Reg(n.regs.arch.SP) + 1
		if _, err := n.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] &^= tf >> 8
		_, err := n.WriteAt(b[:], at)
		return err
	}
	return nil
}

// Name implements Process.
func (n *native) Name() string { return "ptrace" }

// Regs implements Process.
func (n *native) Regs() *Regs { return n.regs }

// Qemu implements Process.
func (n *native) Qemu() bool { return false }

// Frames implements Process.
func (n *native) Frames() bool { return true }

// ReadAt implements arch.Memory.
func (n *native) ReadAt(p []byte, addr uint64) (int, error) { return n.mem.ReadAt(p, int64(addr)) }

// WriteAt implements arch.Memory.
func (n *native) WriteAt(p []byte, addr uint64) (int, error) { return n.mem.WriteAt(p, int64(addr)) }

// Output implements Process.
func (n *native) Output() []byte { return n.out.Bytes(n.ended) }

// Close implements Process.
func (n *native) Close() error {
	var err error
	if n.dir != "" {
		err = os.RemoveAll(n.dir)
	}
	if n.mem != nil {
		err = errors.Join(err, n.mem.Close())
	}
	if n.ended || n.pid == 0 {
		return err
	}
	err = errors.Join(err, unix.Kill(n.pid, unix.SIGKILL))
	for !n.ended {
		if _, werr := n.wait(); werr != nil {
			return errors.Join(err, werr)
		}
	}
	return err
}
