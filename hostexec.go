package utemu

import (
	delf "debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch/archs"
	"github.com/utemu/utemu/loader/elf"
	"github.com/utemu/utemu/syscalls"
)

// hostMachine is what the host runs: utemu is for no other.
const hostMachine = delf.EM_X86_64

// native tells whether the host is to run a program: one of its own that is
// not in the sysroot and has a name.
func (m *Machine) native(im *image) bool {
	a, err := elf.Identify(im.file, im.path, archs.All)
	if err != nil || a.Machine != hostMachine {
		return false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(im.file.Fd()), &st); err != nil || st.Nlink == 0 {
		return false
	}
	name, err := realName(im.file)
	return err == nil && !m.inSysroot(name)
}

// realName is the name of an open file for the host, without links.
func realName(f *os.File) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// inSysroot tells whether a file of the host is in the sysroot.
func (m *Machine) inSysroot(name string) bool {
	if m.cfg.Sysroot == "" {
		return false
	}
	root, err := filepath.EvalSymlinks(m.cfg.Sysroot)
	return err == nil && root != "/" && strings.HasPrefix(name, root+"/")
}

// toHost makes the image one that the host runs. path is the guest's for the
// program, places are where the host has what the guest's paths of it and of
// scripts name, which are among the first n arguments.
func (im *image) toHost(path string, places map[string]string, n int) {
	const open = "/proc/self/fd/" // is not the same for the child
	im.host = path
	if filepath.IsAbs(path) {
		im.host = places[path]
	}
	if strings.HasPrefix(im.host, open) {
		im.host, _ = realName(im.file) // native has seen that there is one
	}
	if len(places) == 1 {
		return // it is no script, and the arguments are all the caller's
	}
	for i := range im.argv[:n] {
		if at, ok := places[im.argv[i]]; ok && filepath.IsAbs(im.argv[i]) && !strings.HasPrefix(at, open) {
			im.argv[i] = at
		}
	}
}

// execHost is exec for a program that the host runs.
func (m *Machine) execHost(t *emu.Task, im *image, env []string) error {
	p := t.Proc.OS.(*syscalls.Process)
	a, err := elf.Identify(im.file, im.path, archs.All)
	if err != nil {
		return execErrno(err)
	}
	model, _ := a.Engine.Model("")
	// Tracers find registers and memory, with nothing in them.
	q, err := emu.NewProcess(t.Proc.PID, a, model, m.options())
	if err != nil {
		return execErrno(err)
	}
	h, err := p.StartHost(t, im.host, im.argv, env)
	if err != nil {
		return errors.Join(execErrno(err), q.Close())
	}
	p.Alone(t)
	if err := t.Proc.Become(q); err != nil {
		h.Kill()
		return fmt.Errorf("utemu: exec: %w", err)
	}
	p.SetProgram(im.path, syscalls.ImageInfo{}, filepath.Base(im.execfn), im.cred)
	if err := p.BecomeHost(h); err != nil {
		return fmt.Errorf("utemu: exec: %w", err)
	}
	t.ReportExec()
	return nil
}
