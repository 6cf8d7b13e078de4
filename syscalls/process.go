package syscalls

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// Process is the kernel's state of one guest process. Files, FS and Sig are
// behind pointers because clone can share them.
type Process struct {
	P     *emu.Process
	K     *Kernel
	Files *Files
	FS    *FS
	Sig   *Sighand

	Exe     string // the program as the guest sees it: absolute, for /proc/self/exe
	Comm    string // at most 15 bytes
	Image   ImageInfo
	Persona uint32 // personality(2)
	Limits  [16]unix.Rlimit
	Start   int64 // CLOCK_BOOTTIME nanoseconds at its making

	table *table
	call  Ctx
	prctl prctlState
	mem   memState
}

// ImageInfo is what /proc/self tells of the program image.
type ImageInfo struct {
	ArgStart, ArgEnd, EnvStart, EnvEnd uint64
	CodeStart, CodeEnd                 uint64
	DataStart, DataEnd                 uint64
	StackStart                         uint64
	Auxv                               []byte // as on the stack
}

// FS is where a process is in the file tree (struct fs_struct).
type FS struct {
	mu    sync.Mutex
	cwd   string // absolute host path
	umask uint32
}

// NewProcess makes the kernel's state for a process that is about to start
// its first program, inheriting standard input, output and error, other
// descriptors that are not close-on-exec, the current directory and the umask
// of the host process. It sets p.OS.
func (k *Kernel) NewProcess(p *emu.Process) (*Process, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	umask := unix.Umask(0)
	unix.Umask(umask)
	q := &Process{P: p, K: k, FS: &FS{cwd: cwd, umask: uint32(umask)}, Sig: &Sighand{}, table: k.table(p.Arch)}
	q.Files = inherit()
	for i := range q.Limits {
		if err := unix.Prlimit(0, i, nil, &q.Limits[i]); err != nil {
			q.Limits[i] = unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
		}
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err == nil {
		q.Start = ts.Nano()
	}
	p.OS = q
	return q, nil
}

// SetFile makes descriptor fd of the guest the file f of the host, which must
// stay open as long as the process lives.
func (p *Process) SetFile(fd int, f *os.File) error {
	if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
		return err
	}
	p.Files.Set(fd, &File{Host: int(f.Fd()), keep: true}, false)
	return nil
}

// SetProgram tells what the process runs from now on: the program's path as
// the guest sees it, where its image lies, and the name for /proc/PID/comm. Descriptors that
// are close-on-exec are closed and caught signals get their default action.
func (p *Process) SetProgram(exe string, im ImageInfo, comm string) {
	p.Exe, p.Image = exe, im
	p.Comm = comm[:min(len(comm), 15)]
	p.table = p.K.table(p.P.Arch)
	p.Persona = 0
	p.Files.closeOnExec()
	p.Sig.exec()
}
