package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// qemu is a process of qemu-user, driven by its stub for gdb.
type qemu struct {
	*remote
	regs  *Regs
	slots []slot // by core register
	named map[string]slot
	sig   int // to be delivered, as gdb numbers it
	pid   int
	out   *Capture
	dir   string
	name  string
	ended bool
}

// qemuTimeout bounds how long the stub takes to answer.
const qemuTimeout = time.Minute

// StartQemu starts a program under qemu-user: its commands are found in PATH
// by the names of the architectures.
func StartQemu(p Program) (Process, error) {
	q := &qemu{regs: NewRegs(p.Arch), name: "qemu-" + p.Arch.Name}
	path, err := exec.LookPath(q.name)
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	if q.dir, err = os.MkdirTemp("", "utemu-oracle"); err != nil {
		return nil, err
	}
	if err := q.start(path, p); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", q.name, err), q.Close())
	}
	return q, nil
}

// start runs the command and connects to it.
func (q *qemu) start(path string, p Program) error {
	var err error
	if q.out, err = NewCapture(nil); err != nil {
		return err
	}
	socket := filepath.Join(q.dir, "gdb")
	args := []string{q.name, "-g", socket, "-0", p.Args[0]}
	if p.Model != "" {
		args = append(args, "-cpu", p.Model)
	}
	if p.Sysroot != "" {
		args = append(args, "-L", p.Sysroot)
	}
	args = append(append(args, p.Path), p.Args[1:]...)
	err = fixed(p.Umask, func() error {
		proc, err := os.StartProcess(path, args, &os.ProcAttr{Env: p.Env, Files: q.out.Files[:], Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}})
		if err == nil {
			q.pid = proc.Pid
			err = proc.Release()
		}
		return err
	})
	q.out.Release()
	if err != nil {
		return err
	}
	if err := q.connect(socket); err != nil {
		return err
	}
	return q.describe()
}

// Held implements Holder: the sockets of the stub are the program's to see.
func (q *qemu) Held() (l []int) {
	ents, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", q.pid))
	if err != nil {
		return nil // it has ended, which will show
	}
	for _, e := range ents {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 2 {
			l = append(l, n)
		}
	}
	return l
}

// connect waits for the socket.
func (q *qemu) connect(socket string) error {
	deadline := time.Now().Add(qemuTimeout)
	for {
		c, err := dial(socket, qemuTimeout)
		if err == nil {
			q.remote = newRemote(c)
			return nil
		}
		if q.reap(unix.WNOHANG); q.ended {
			return fmt.Errorf("it has ended: %s", strings.TrimSpace(string(q.Output())))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no stub: %w", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// describe finds the core registers in the target description, and reads them.
func (q *qemu) describe() error {
	if _, err := q.ask("qSupported:xmlRegisters=i386"); err != nil {
		return err
	}
	l, err := q.description("target.xml", nil)
	if err != nil {
		return err
	}
	byName := map[string]slot{}
	for _, s := range l {
		if _, dup := byName[s.name]; !dup {
			byName[s.name] = s
		}
	}
	a := q.regs.arch
	for _, r := range a.Regs[:a.Core] {
		s, ok := byName[r.Name]
		if !ok {
			return fmt.Errorf("the stub has no register %s", r.Name)
		}
		q.slots = append(q.slots, s)
	}
	q.named = byName
	p, err := q.ask("?")
	if err != nil {
		return err
	}
	if len(p) == 0 || p[0] != 'T' {
		return fmt.Errorf("the stub says %q at the start", p)
	}
	return q.read()
}

// read reads the registers. Those that the answer to g leaves out are asked
// for by themselves.
func (q *qemu) read() error {
	p, err := q.ask("g")
	if err != nil {
		return err
	}
	a := q.regs.arch
	for k, s := range q.slots {
		d := p
		if end := 2 * (s.off + s.size); end <= len(p) {
			d = p[2*s.off : end]
		} else if d, err = q.ask("p%x", s.num); err != nil {
			return err
		}
		if q.regs.vals[k], err = word(a, d); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// flush writes changed registers.
func (q *qemu) flush() error {
	return q.regs.changed(func(k int, v uint64) error {
		s := q.slots[k]
		return q.done("P%x=%s", s.num, digits(q.regs.arch, v, s.size))
	})
}

// Step implements Process. After a system call the stub stops one instruction
// late, where the CPU loop of qemu has gone on by itself: a breakpoint where
// the call comes back to stops it in time. On AArch64 and PowerPC each of its
// steps clears the reservation of a load, so that the conditional store would
// always fail: such a sequence runs up to a breakpoint as well.
func (q *qemu) Step(ctx context.Context, i *arch.Insn, to uint64) (Stop, error) {
	if err := errors.Join(ctx.Err(), q.flush()); err != nil {
		return Stop{}, err
	}
	defer context.AfterFunc(ctx, q.c.Shutdown)()
	how := "s"
	run := i.Is(arch.IsSyscall) || (i.Is(arch.IsLoadLink) || provided(q.regs.arch, i.PC)) && to != 0 && to != q.regs.arch.After(*i).PC
	if run {
		how = "c"
		if err := q.done("Z0,%x,%d", to, q.regs.arch.MinInsn); err != nil {
			return Stop{}, err
		}
	}
	if q.sig != 0 {
		how = fmt.Sprintf("vCont;%s%02x", strings.ToUpper(how), q.sig)
	}
	p, err := q.ask("%s", how)
	if err != nil {
		return Stop{}, err
	}
	st, err := q.stopped(string(p))
	if err != nil || st.Exited {
		return st, err
	}
	if run {
		if err := q.done("z0,%x,%d", to, q.regs.arch.MinInsn); err != nil {
			return st, err
		}
	}
	if err := q.read(); err != nil {
		return st, err
	}
	if st.Signo == int(unix.SIGTRAP) {
		if q.sig = 0; i.Is(arch.IsTrap) && q.regs.Reg(q.regs.arch.PC) == i.PC {
			q.sig = st.Signo
			return st, nil
		}
		st.Signo = 0
	}
	return st, nil
}

// Skip implements Skipper.
func (q *qemu) Skip(i *arch.Insn, reg string, v uint64) error {
	s, ok := q.named[reg]
	if !ok {
		return fmt.Errorf("the stub has no register %s", reg)
	}
	q.sig = 0
	q.regs.SetReg(q.regs.arch.PC, q.regs.arch.After(*i).PC)
	return q.done("P%x=%s", s.num, digits(q.regs.arch, v, s.size))
}

// stopped takes a stop reply apart.
func (q *qemu) stopped(p string) (Stop, error) {
	if len(p) < 3 {
		return Stop{}, fmt.Errorf("remote protocol: stop reply %q", p)
	}
	n, err := strconv.ParseUint(p[1:3], 16, 8)
	if err != nil {
		return Stop{}, fmt.Errorf("remote protocol: stop reply %q", p)
	}
	switch p[0] {
	case 'W', 'X':
		// It waits for the acknowledgement before it goes.
		_, err := q.c.Write([]byte("+"))
		q.ended = true
		q.reap(0)
		if p[0] == 'X' {
			return Stop{Exited: true, Status: hostSignal(int(n))}, err
		}
		return Stop{Exited: true, Status: int(n) << 8}, err
	case 'T', 'S':
		q.sig = int(n)
		return Stop{Signo: hostSignal(int(n))}, nil
	}
	return Stop{}, fmt.Errorf("remote protocol: stop reply %q", p)
}

// hostSignal is Linux's number of a signal of the remote protocol.
func hostSignal(n int) int {
	if n == 10 { // the only fault that gdb numbers otherwise (signals.def)
		return int(unix.SIGBUS)
	}
	return n
}

// reap waits for the process.
func (q *qemu) reap(flags int) {
	if q.pid == 0 {
		return
	}
	for {
		pid, err := unix.Wait4(q.pid, nil, flags, nil)
		if err == unix.EINTR {
			continue
		}
		if pid == q.pid || err != nil {
			q.pid, q.ended = 0, true
		}
		return
	}
}

// Name implements Process.
func (q *qemu) Name() string { return q.name }

// Regs implements Process.
func (q *qemu) Regs() *Regs { return q.regs }

// Qemu implements Process.
func (q *qemu) Qemu() bool { return true }

// Frames implements Process: its handlers return through code of its own.
func (q *qemu) Frames() bool { return false }

// Output implements Process.
func (q *qemu) Output() []byte { return q.out.Bytes(q.ended) }

// Close implements Process.
func (q *qemu) Close() error {
	var err error
	if q.remote != nil {
		err = q.c.Close()
	}
	if q.pid != 0 {
		if kerr := unix.Kill(q.pid, unix.SIGKILL); kerr != nil && kerr != unix.ESRCH {
			err = errors.Join(err, kerr)
		}
		q.reap(0)
	}
	return errors.Join(err, os.RemoveAll(q.dir))
}
