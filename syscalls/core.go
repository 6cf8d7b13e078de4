package syscalls

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// CoreSignal tells whether the default action of a signal is to end the
// process with a core dump.
func CoreSignal(s unix.Signal) bool { return coring.has(s) }

// CoreError is why the core file of Config.CoreFile could not be written, nil
// if it could or did not have to. To be called after the run.
func (k *Kernel) CoreError() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.coreErr
}

// dump writes the core file of a process that a signal ends in the task t, if
// there is to be one, and tells whether there is (do_coredump). One that has
// become too long or met a full disk is there all the same.
func (k *Kernel) dump(t *emu.Task, si *sigInfo) bool {
	p := t.Proc.OS.(*Process)
	if t.CPU() == nil || p.P.Group() != nil || !k.dumps(p) {
		return false // another thread has been quicker, or there is nothing to be had
	}
	f, err := k.openCore(t, p, si.No)
	if err == nil {
		defer f.Close()
		err = p.writeCore(&coreFile{File: f, left: k.coreLimit(p)}, t, si)
	}
	if err != nil && !errors.Is(err, errCoreLimit) {
		k.coreFailed(err)
	}
	return f != nil
}

func (k *Kernel) coreFailed(err error) {
	k.cfg.Log(fmt.Sprintf("core file: %v", err))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cfg.CoreFile != "" {
		k.coreErr = err
	}
}

// dumps tells whether a process that a signal ends may leave a core file.
func (k *Kernel) dumps(p *Process) bool {
	if k.cfg.CoreFile != "" {
		return true
	}
	return p.Limits[unix.RLIMIT_CORE].Cur >= minCore && p.prctl.dumpable != 0 && plainPattern(k.corePattern())
}

// minCore is the least that a core file must be allowed to have
// (min_coredump, ELF_EXEC_PAGESIZE).
const minCore = emu.PageSize

func (k *Kernel) coreLimit(p *Process) uint64 {
	if k.cfg.CoreFile != "" {
		return unix.RLIM_INFINITY
	}
	return p.Limits[unix.RLIMIT_CORE].Cur
}

// openCore opens the core file: what the configuration names, else what
// core_pattern of the host names, anew.
func (k *Kernel) openCore(t *emu.Task, p *Process, s unix.Signal) (*os.File, error) {
	who := coreName{t: t, p: p, signal: s}
	if name := k.cfg.CoreFile; name != "" {
		name, _ = who.expand(name)
		return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	name, pid := who.expand(k.corePattern())
	if !pid && k.coreUsesPID() {
		name = fmt.Sprintf("%s.%d", name, t.Proc.PID)
	}
	dir, _ := stateOf(t).dirs().current()
	if err := unix.Unlinkat(dir, name, 0); err != nil && err != unix.ENOENT {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// coreFile bounds what is written to a file; holes are free.
type coreFile struct {
	*os.File
	left uint64
}

var errCoreLimit = errors.New("RLIMIT_CORE")

// Write implements io.Writer.
func (f *coreFile) Write(b []byte) (int, error) {
	n := min(uint64(len(b)), f.left)
	got, err := f.File.Write(b[:n])
	f.left -= uint64(got)
	if err == nil && got < len(b) {
		err = errCoreLimit
	}
	return got, err
}

// writeCore writes the core file.
func (p *Process) writeCore(f *coreFile, t *emu.Task, si *sigInfo) error {
	a := p.P.Arch
	c := &regset.Core{Class: a.Class, Order: a.Order, View: a.Views[0], Page: emu.PageSize}
	lines := (&procView{Process: p}).mapLines()
	if err := p.coreNotes(c, t, si, lines); err != nil {
		return err
	}
	for i := range lines {
		s, err := p.coreSegment(&lines[i])
		if err != nil {
			return err
		}
		c.Segments = append(c.Segments, s)
	}
	size, err := c.Write(f)
	if err != nil {
		return err
	}
	// What is at the end may be a hole.
	return f.Truncate(size)
}

var _ io.WriteSeeker = (*coreFile)(nil)

// coreNotes makes the notes in the order of write_note_info: the thread that
// the signal hit comes first, and with it what is the process's.
func (p *Process) coreNotes(c *regset.Core, t *emu.Task, si *sigInfo, lines []mapLine) error {
	rest := []regset.Note{
		{Name: "CORE", Type: regset.NotePRPSInfo, Desc: p.prpsinfo()},
		{Name: "CORE", Type: regset.NoteSiginfo, Desc: si.image(p.P.Arch).Bytes()},
		{Name: "CORE", Type: regset.NoteAuxv, Desc: p.Image.Auxv},
	}
	if n, ok := p.fileNote(lines); ok {
		rest = append(rest, n)
	}
	threads := []*emu.Task{t}
	for _, u := range p.P.Tasks() {
		if u != t {
			threads = append(threads, u)
		}
	}
	for _, u := range threads {
		err := t.With(u, func(cpu *emu.CPU) error {
			s := p.prstatus(u, si.No)
			notes, err := c.View.ThreadNotes(cpu, s.Bytes(), s.Field("pr_reg"), s.Field("pr_fpvalid"), c.Order, rest)
			c.Notes, rest = append(c.Notes, notes...), nil
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prstatus is struct elf_prstatus without the registers (fill_prstatus).
func (p *Process) prstatus(t *emu.Task, signo unix.Signal) *Struct {
	ts := stateOf(t)
	s := newStruct(p.P.Arch, "elf_prstatus")
	s.Set("pr_info.si_signo", uint64(signo))
	s.Set("pr_cursig", uint64(signo))
	p.sigMu.Lock()
	s.Set("pr_sigpend", uint64(ts.pend.set))
	s.Set("pr_sighold", uint64(ts.blocked))
	p.sigMu.Unlock()
	p.coreIDs(s, t.TID)
	if t.TID != p.P.PID { // how much each thread took is not known
		return s
	}
	for who, names := range map[int][2]string{unix.RUSAGE_SELF: {"pr_utime", "pr_stime"}, unix.RUSAGE_CHILDREN: {"pr_cutime", "pr_cstime"}} {
		var r unix.Rusage
		if unix.Getrusage(who, &r) != nil {
			continue
		}
		for i, tv := range []unix.Timeval{r.Utime, r.Stime} {
			s.Set(names[i]+".tv_sec", uint64(tv.Sec))
			s.Set(names[i]+".tv_usec", uint64(tv.Usec))
		}
	}
	return s
}

// coreIDs sets the numbers that both structures have.
func (p *Process) coreIDs(s *Struct, pid int) {
	s.Set("pr_pid", uint64(pid))
	s.Set("pr_ppid", uint64(p.ppid()))
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	s.Set("pr_pgrp", uint64(p.pgrp))
	s.Set("pr_sid", uint64(p.sid))
}

// Flags of a task (include/linux/sched.h) that is dumped for a signal.
const (
	pfDumpCore = 0x200
	pfSignaled = 0x400
)

// prpsinfo is struct elf_prpsinfo (fill_psinfo). The process is running, state
// 0 or R.
func (p *Process) prpsinfo() []byte {
	s := newStruct(p.P.Arch, "elf_prpsinfo")
	s.Set("pr_sname", 'R')
	s.Set("pr_nice", uint64(p.K.scheduled(p.leader).nice))
	s.Set("pr_flag", pfDumpCore|pfSignaled)
	s.Set("pr_uid", uint64(p.leader.cred.uid.real))
	s.Set("pr_gid", uint64(p.leader.cred.gid.real))
	p.coreIDs(s, p.P.PID)
	s.SetBytes("pr_fname", []byte(p.leader.comm))
	most := uint64(len(s.Field("pr_psargs")) - 1)
	im := &p.Image
	args := (&procView{Process: p}).image(im.ArgStart, min(im.ArgEnd, im.ArgStart+most))
	for i, b := range args {
		if b == 0 {
			args[i] = ' '
		}
	}
	s.SetBytes("pr_psargs", args)
	return s.Bytes()
}

// fileNote is NT_FILE, the mapped files (fill_files_note): their count and the
// unit of offsets, where each is mapped and from where in the file, and then
// their names.
func (p *Process) fileNote(lines []mapLine) (regset.Note, bool) {
	a := p.P.Arch
	lines = slices.DeleteFunc(slices.Clone(lines), func(l mapLine) bool { return l.File == nil && l.Flags&emu.MapShared == 0 })
	var b []byte
	word := func(v uint64) {
		var w [8]byte
		putUint(a, w[:a.Word], v)
		b = append(b, w[:a.Word]...)
	}
	word(uint64(len(lines)))
	word(emu.PageSize)
	for i := range lines {
		word(lines[i].Addr)
		word(lines[i].End)
		word(uint64(lines[i].Off) / emu.PageSize)
	}
	for i := range lines {
		b = append(append(b, lines[i].name...), 0)
	}
	return regset.Note{Name: "CORE", Type: regset.NoteFile, Desc: b}, len(lines) > 0
}

// coreSegment is the segment of a mapping.
func (p *Process) coreSegment(l *mapLine) (regset.Segment, error) {
	s := regset.Segment{Addr: l.Addr, Size: l.Size()}
	for prot, flag := range map[arch.Prot]elf.ProgFlag{arch.Read: elf.PF_R, arch.Write: elf.PF_W, arch.Exec: elf.PF_X} {
		if l.Prot&prot != 0 {
			s.Flags |= flag
		}
	}
	var err error
	if s.FileSize, err = p.dumpSize(l); err != nil {
		return s, fmt.Errorf("mapping at %#x: %w", l.Addr, err)
	}
	s.Data = func(emit func(addr uint64, b []byte) error) error {
		return p.P.Space.Dump(s.Addr, s.FileSize, emit)
	}
	return s, nil
}

// dumpSize is how much of a mapping the core file has, by the default of
// /proc/PID/coredump_filter, 0x33: private memory that was touched, shared
// memory without a name, and the first page of ELF files (vma_dump_size).
func (p *Process) dumpSize(l *mapLine) (uint64, error) {
	switch {
	case l.Flags&(emu.MapFixedName|emu.MapShared|emu.MapGrowsDown) == emu.MapFixedName && l.name != "[heap]":
		return l.Size(), nil // the kernel's own
	case l.Flags&emu.MapDontDump != 0:
		return 0, nil
	case l.Flags&emu.MapShared != 0:
		var st unix.Stat_t
		if l.File != nil && unix.Fstat(int(l.File.File.Fd()), &st) == nil && st.Nlink > 0 {
			return 0, nil
		}
		return l.Size(), nil
	}
	written, err := p.P.Space.Written(l.Addr, l.Size())
	switch {
	case err != nil:
		return 0, err
	case written:
		return l.Size(), nil
	case l.File != nil && l.Off == 0 && l.Prot&arch.Read != 0 && isELF(l.File.File):
		return emu.PageSize, nil
	}
	return 0, nil
}

// isELF tells whether the first page of a file is worth having: it may be
// executed or begins as an ELF file.
func isELF(f *os.File) bool {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&0o111 != 0 {
		return true
	}
	var b [len(elf.ELFMAG)]byte
	_, err := f.ReadAt(b[:], 0)
	return err == nil && string(b[:]) == elf.ELFMAG
}
