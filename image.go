package utemu

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/loader/elf"
	"github.com/utemu/utemu/syscalls"
)

// image is a program on its way into a process: what execve(2) works on.
type image struct {
	file *os.File // the ELF program
	path string   // its name for the guest, absolute
	prog *elf.Program

	host   string // for a program that the host is to run: what it executes
	execfn string // as the caller named it
	random *[16]byte
	argv   []string
	cred   syscalls.ExecCred

	elf   *elf.Image
	stack *elf.StackImage
}

// open finds the ELF program behind path, through "#!" lines. t is the task that
// executes it, whose path it is; nil is for a path that a user gave, which is
// the host's own.
func (m *Machine) open(path string, argv []string, t *emu.Task) (*image, error) {
	places := map[string]string{path: path}
	if t != nil {
		var err error
		if places[path], err = t.Proc.OS.(*syscalls.Process).HostPath(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	f, name, err := m.openExec(places[path], path)
	if err != nil {
		return nil, err
	}
	to, err := elf.Follow(elf.Target{File: f, Path: path, Name: name, Argv: argv}, func(p string) (f *os.File, name string, err error) {
		if t == nil {
			places[p] = m.kernel.HostPath(p)
		} else if places[p], err = t.Proc.OS.(*syscalls.Process).HostPath(p); err != nil {
			return nil, "", fmt.Errorf("%s: %w", p, err)
		}
		return m.openExec(places[p], p)
	})
	if err != nil {
		return nil, err
	}
	im := &image{file: to.File, path: to.Name, execfn: path, argv: to.Argv, random: m.cfg.Random, cred: m.kernel.ExecCred(t, to.File)}
	if im.random == nil && m.random != nil {
		im.random = new([16]byte)
		_, _ = m.random.Read(im.random[:]) // it does not fail
	}
	if t != nil && m.cfg.AllowHostExec && m.native(im) {
		im.toHost(to.Path, places, len(to.Argv)-max(len(argv)-1, 0))
		return im, nil
	}
	return im, im.read(m)
}

// openExec opens the host's file for execution and returns the name that
// /proc is to show for it.
func (m *Machine) openExec(host, path string) (*os.File, string, error) {
	var st unix.Stat_t
	if err := unix.Stat(host, &st); err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return nil, "", fmt.Errorf("%s: is a directory, not a program: %w", path, unix.EACCES)
	default:
		return nil, "", fmt.Errorf("%s: not a regular file: %w", path, unix.EACCES)
	}
	if err := unix.Access(host, unix.X_OK); err != nil {
		return nil, "", fmt.Errorf("%s: %w (chmod +x it?)", path, err)
	}
	f, err := os.Open(host)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, errors.Unwrap(err))
	}
	if m.kernel.Written(f) {
		f.Close()
		return nil, "", fmt.Errorf("%s: %w", path, unix.ETXTBSY)
	}
	return f, m.exeName(f, host, path), nil
}

// exeName is the name of a program that has been opened as path, which is at
// host for the host: without links, under the sysroot as the guest sees it.
func (m *Machine) exeName(f *os.File, host, path string) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return path
	}
	if host == path || !filepath.IsAbs(path) {
		return name
	}
	if root, err := filepath.EvalSymlinks(m.cfg.Sysroot); err == nil {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/"); ok {
			return "/" + rest
		}
	}
	return name
}

// read takes the ELF headers apart and opens the dynamic linker.
func (im *image) read(m *Machine) error {
	var err error
	im.prog, err = elf.Open(im.file, im.path, archs.All, func(interp string) (*os.File, string, error) {
		return m.openInterp(im.file, interp)
	})
	if err != nil {
		im.file.Close()
	}
	return err
}

// openInterp opens a program's dynamic linker: under the sysroot, else where
// it says, else under the folder of Debian's cross package for it, which then
// is the sysroot.
func (m *Machine) openInterp(prog *os.File, interp string) (*os.File, string, error) {
	f, err := os.Open(m.kernel.HostPath(interp))
	if err == nil {
		return f, interp, nil
	}
	if m.cfg.Sysroot == "" {
		if a, err := elf.Identify(prog, interp, archs.All); err == nil {
			if root, _, ok := elf.CrossLibc(a.Machine, interp); ok {
				if f, err := os.Open(filepath.Join(root, interp)); err == nil {
					m.cfg.Sysroot = root
					m.kernel.SetSysroot(root)
					return f, interp, nil
				}
			}
		}
	}
	return nil, "", errors.Unwrap(err)
}

func (im *image) close() {
	im.file.Close()
	if im.prog != nil {
		im.prog.Close()
	}
}

// loaderSpace is an address space as the loader wants it.
type loaderSpace struct {
	*emu.Space
	files map[*os.File]*emu.Backing
}

// release gives the files back that MapFile has used.
func (s loaderSpace) release() {
	for _, b := range s.files {
		b.Release()
	}
}

func (s loaderSpace) MapFile(addr, size uint64, p arch.Prot, f *os.File, off int64, name string) error {
	b := s.files[f]
	if b == nil {
		var err error
		if b, err = emu.NewBacking(f, name, arch.Read|arch.Write|arch.Exec); err != nil {
			return err
		}
		s.files[f] = b
	}
	return s.Map(emu.VMA{Addr: addr, End: addr + size, Prot: p, File: b, Off: off})
}

func (s loaderSpace) MapAnon(addr, size uint64, p arch.Prot, name string) error {
	v := emu.VMA{Addr: addr, End: addr + size, Prot: p, Name: name}
	if name != "" {
		v.Flags = emu.MapGrowsDown | emu.MapFixedName | emu.MapNoReserve
	}
	return s.Map(v)
}

// load makes a process that holds the program. by is the guest that executes
// it, nil for this process.
func (im *image) load(m *Machine, pid int, env []string, by *syscalls.Process) (*emu.Process, error) {
	a := im.prog.Arch
	model, ok := a.Engine.Model(m.cfg.CPU)
	if !ok {
		return nil, fmt.Errorf("no CPU model %q for %s; `utemu arch %s` lists them", m.cfg.CPU, a.Name, a.Name)
	}
	p, err := emu.NewProcess(pid, a, model, m.options())
	if err != nil {
		return nil, err
	}
	p.Space.Limit = m.cfg.MemLimit
	if err := im.fill(p, env, by); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (m *Machine) options() emu.Options {
	return emu.Options{Stock: m.cfg.Stock, Warn: m.cfg.Warn, Schedule: m.sched}
}

// fill puts the program into the address space of a fresh process.
func (im *image) fill(p *emu.Process, env []string, by *syscalls.Process) error {
	var limit unix.Rlimit
	sc := elf.StackConfig{Argv: im.argv, Envp: env, ExecFn: im.execfn, Model: p.Model}
	if by != nil {
		limit = by.Limits[unix.RLIMIT_STACK]
	} else {
		if err := unix.Getrlimit(unix.RLIMIT_STACK, &limit); err != nil {
			return err
		}
	}
	sc.StackLimit = limit.Cur
	s := loaderSpace{p.Space, map[*os.File]*emu.Backing{}}
	defer s.release()
	for _, pg := range p.Arch.Start.Pages {
		v := emu.VMA{Addr: pg.Addr, End: pg.Addr + emu.PageSize, Prot: pg.Prot, Name: pg.Name, Flags: emu.MapFixedName}
		if err := p.Space.MapKernel(v, pg.Data); err != nil {
			return err
		}
	}
	var err error
	if im.elf, err = im.prog.Load(s, limit.Cur); err != nil {
		return err
	}
	if p.Arch.Start.BasePlatform {
		sc.BasePlatform = p.Model.Platform
	}
	sc.UID, sc.EUID, sc.GID, sc.EGID = im.cred.IDs()
	sc.Secure = im.cred.Secure()
	if r := im.random; r != nil {
		sc.Random = *r
	} else if _, err := rand.Read(sc.Random[:]); err != nil {
		return err
	}
	if im.stack, err = elf.Stack(s, im.elf, sc); err != nil {
		return err
	}
	p.Space.SetBrk(im.elf.BrkStart)
	return p.Arch.Start.Regs(p.CPU(), im.elf.Process(im.stack.SP))
}

// describe tells the kernel's state of the process what it runs.
func (im *image) describe(p *syscalls.Process) {
	var st unix.Stat_t
	_ = unix.Fstat(int(im.file.Fd()), &st) // it is open
	p.SetProgram(im.path, syscalls.ImageInfo{
		ArgStart: im.stack.Args.Low, ArgEnd: im.stack.Args.High,
		EnvStart: im.stack.Env.Low, EnvEnd: im.stack.Env.High,
		CodeStart: im.elf.Code.Low, CodeEnd: im.elf.Code.High,
		DataStart: im.elf.Data.Low, DataEnd: im.elf.Data.High,
		StackStart: im.stack.SP, Auxv: im.stack.Auxv, ReadImpliesExec: im.elf.ReadImpliesExec, Dev: st.Dev, Ino: st.Ino,
	}, filepath.Base(im.execfn), im.cred)
}

// exec serves execve(2) for the kernel: it gives the task's process the
// program at path, a path of the guest. An error before the point of no
// return is an errno for the guest.
func (m *Machine) exec(t *emu.Task, path string, argv, env []string) error {
	p := t.Proc.OS.(*syscalls.Process)
	im, err := m.open(path, argv, t)
	if err != nil {
		return execErrno(err)
	}
	defer im.close()
	if im.host != "" {
		return m.execHost(t, im, env)
	}
	q, err := im.load(m, t.Proc.PID, env, p)
	if err != nil {
		return execErrno(err)
	}
	p.Alone(t)
	if err := t.Proc.Become(q); err != nil {
		return fmt.Errorf("utemu: exec: %w", err)
	}
	im.describe(p)
	t.ReportExec()
	return nil
}

// execErrno is what execve returns for an error of loading.
func execErrno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return unix.ENOEXEC
}
