package syscalls

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// withCPU gives a guest a CPU and a current directory of its own, and the
// kernel settings that there are to be.
func withCPU(t *testing.T, a *arch.Arch, c Config, settings map[string]string) *guest {
	t.Helper()
	t.Chdir(t.TempDir())
	p, err := emu.NewProcess(os.Getpid(), a, &a.Engine.Models[0], emu.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.Space.Map(emu.VMA{Addr: guestMem, End: guestMem + guestSize, Prot: arch.Read | arch.Write}))
	c.Archs = archs.All
	k := New(c)
	k.sysctl = func(name string) string { return settings[name] }
	q, err := k.NewProcess(p)
	require.NoError(t, err)
	q.Files = &Files{}
	q.prctl.exec()
	q.leader.comm, q.Exe = "prog", "/bin/prog"
	t.Cleanup(func() { require.NoError(t, q.Release()) })
	return &guest{t, &Ctx{K: k, T: p.NewTask(p.PID, k), P: q, A: a}, guestMem}
}

// die ends the guest by a signal and returns how it ended.
func (g *guest) die(s unix.Signal) emu.Status {
	require.NoError(g.t, g.K.Fault(g.T, emu.Fault{Signal: emu.Signal{No: s, Code: 1, Addr: 0x1234}}))
	return *g.T.Status()
}

// left are the files in the current directory.
func left(t *testing.T) []string {
	l, err := filepath.Glob("*")
	require.NoError(t, err)
	return l
}

// TestCoreDecision: who gets a core file, under which name.
func TestCoreDecision(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	plain := map[string]string{"core_pattern": "core"}
	for name, tc := range map[string]struct {
		limit    uint64
		settings map[string]string
		file     string // Config.CoreFile
		signal   unix.Signal
		prepare  func(g *guest)
		want     string // "" for none
	}{
		"unlimited":        {limit: unix.RLIM_INFINITY, settings: plain, want: "core"},
		"least limit":      {limit: 4096, settings: plain, want: "core"},
		"too low":          {limit: 4095, settings: plain},
		"none":             {settings: plain},
		"pid":              {limit: 1 << 30, settings: map[string]string{"core_pattern": "core", "core_uses_pid": "1"}, want: "core." + pid},
		"pid once":         {limit: 1 << 30, settings: map[string]string{"core_pattern": "c%p.x", "core_uses_pid": "1"}, want: "c" + pid + ".x"},
		"no pid":           {limit: 1 << 30, settings: map[string]string{"core_pattern": "core", "core_uses_pid": "0"}, want: "core"},
		"conversions":      {limit: 1 << 30, settings: map[string]string{"core_pattern": "%e-%s-%E-%f-%d-%%-%z-%c%"}, want: "prog-11-!bin!prog-prog-1-%--1073741824"},
		"pipe":             {limit: 1 << 30, settings: map[string]string{"core_pattern": "|/bin/cat"}},
		"socket":           {limit: 1 << 30, settings: map[string]string{"core_pattern": "@/run/x"}},
		"empty":            {limit: 1 << 30, settings: map[string]string{"core_pattern": ""}},
		"unknown":          {limit: 1 << 30},
		"no directory":     {limit: 1 << 30, settings: map[string]string{"core_pattern": "no/core"}},
		"not dumpable":     {limit: 1 << 30, settings: plain, prepare: func(g *guest) { g.ok("prctl", unix.PR_SET_DUMPABLE, 0) }},
		"other signal":     {limit: 1 << 30, settings: plain, signal: unix.SIGTERM},
		"moved":            {limit: 1 << 30, settings: plain, prepare: func(g *guest) { g.ok("mkdir", g.str("d"), 0o777); g.ok("chdir", g.str("d")) }, want: "d/core"},
		"own limit":        {limit: 1 << 30, settings: plain, prepare: func(g *guest) { g.ok("setrlimit", unix.RLIMIT_CORE, g.words(0, 1<<30)) }},
		"asked for":        {settings: map[string]string{"core_pattern": "|x"}, file: "mine.%e", want: "mine.prog"},
		"asked for, other": {file: "mine", signal: unix.SIGTERM},
		"asked, undumped":  {file: "mine", prepare: func(g *guest) { g.ok("prctl", unix.PR_SET_DUMPABLE, 0) }, want: "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			g := withCPU(t, archs.All[0], Config{CoreFile: tc.file}, tc.settings)
			g.P.Limits[unix.RLIMIT_CORE] = unix.Rlimit{Cur: tc.limit, Max: unix.RLIM_INFINITY}
			if tc.prepare != nil {
				tc.prepare(g)
			}
			if tc.signal == 0 {
				tc.signal = unix.SIGSEGV
			}
			st := g.die(tc.signal)
			require.Equal(t, tc.signal, st.Signal)
			require.Equal(t, tc.want != "", st.Core)
			require.NoError(t, g.K.CoreError())
			if tc.want == "" {
				require.Empty(t, left(t))
				return
			}
			info, err := os.Stat(tc.want)
			require.NoError(t, err, left(t))
			require.EqualValues(t, 0o600, info.Mode().Perm())
		})
	}
}

// TestCoreLimit: a core file ends where the limit is, and is one all the same;
// holes do not count.
func TestCoreLimit(t *testing.T) {
	g := withCPU(t, archs.All[0], Config{}, map[string]string{"core_pattern": "core"})
	for i := uint64(0); i < guestSize; i += 0x8000 {
		require.NoError(t, g.Write32(guestMem+i, 1))
	}
	g.P.Limits[unix.RLIMIT_CORE].Cur = 10000
	require.True(t, g.die(unix.SIGSEGV).Core)
	info, err := os.Stat("core")
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(10000), "there are holes in it")
	require.Less(t, info.Size(), int64(guestSize))
	require.LessOrEqual(t, info.Sys().(*syscall.Stat_t).Blocks*512, int64(16384))
}

// TestCoreReplaced: an old core file is not written into, and a link is not
// followed.
func TestCoreReplaced(t *testing.T) {
	g := withCPU(t, archs.All[0], Config{}, map[string]string{"core_pattern": "core"})
	require.NoError(t, os.WriteFile("other", []byte("precious"), 0o600))
	require.NoError(t, os.Symlink("other", "core"))
	g.P.Limits[unix.RLIMIT_CORE].Cur = unix.RLIM_INFINITY
	require.True(t, g.die(unix.SIGSEGV).Core)
	b, err := os.ReadFile("other")
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
	info, err := os.Lstat("core")
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())
}

func TestCoreError(t *testing.T) {
	g := withCPU(t, archs.All[0], Config{CoreFile: "no/such/dir/core"}, nil)
	require.False(t, g.die(unix.SIGSEGV).Core)
	require.ErrorIs(t, g.K.CoreError(), os.ErrNotExist)
}

// TestCoreSegments holds what of a mapping is dumped to vma_dump_size with the
// default filter.
func TestCoreSegments(t *testing.T) {
	const rw, page = arch.Read | arch.Write, emu.PageSize
	g := withCPU(t, archs.All[0], Config{}, nil)
	file := func(name, data string, mode os.FileMode) *emu.Backing {
		require.NoError(t, os.WriteFile(name, []byte(data+strings.Repeat("x", 2*page)), mode))
		fd, err := unix.Open(name, unix.O_RDWR, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		b, err := emu.DupBacking(fd, name, rw)
		require.NoError(t, err)
		t.Cleanup(b.Release)
		return b
	}
	gone := file("gone", "", 0o600)
	require.NoError(t, os.Remove("gone"))
	type want struct {
		v       emu.VMA
		written bool
		pages   uint64
	}
	cases := map[string]want{
		"fresh":             {v: emu.VMA{Prot: rw}},
		"written":           {v: emu.VMA{Prot: rw}, written: true, pages: 2},
		"not to be dumped":  {v: emu.VMA{Prot: rw, Flags: emu.MapDontDump}, written: true},
		"shared":            {v: emu.VMA{Prot: rw, Flags: emu.MapShared}, pages: 2},
		"kernel's":          {v: emu.VMA{Prot: arch.Read, Name: "[vdso]", Flags: emu.MapFixedName}, pages: 2},
		"inaccessible":      {v: emu.VMA{}},
		"data":              {v: emu.VMA{Prot: rw, File: file("data", "", 0o600)}},
		"data written":      {v: emu.VMA{Prot: rw, File: file("data2", "", 0o600)}, written: true, pages: 2},
		"ELF":               {v: emu.VMA{Prot: arch.Read, File: file("elf", elf.ELFMAG, 0o600)}, pages: 1},
		"ELF, not readable": {v: emu.VMA{Prot: arch.Write, File: file("elf2", elf.ELFMAG, 0o600)}},
		"ELF, later page":   {v: emu.VMA{Prot: arch.Read, File: file("elf3", elf.ELFMAG, 0o600), Off: page}},
		"executable":        {v: emu.VMA{Prot: arch.Read, File: file("exe", "#!", 0o700)}, pages: 1},
		"shared file":       {v: emu.VMA{Prot: rw, Flags: emu.MapShared, File: file("shared", "", 0o600)}, written: true},
		"shared, deleted":   {v: emu.VMA{Prot: rw, Flags: emu.MapShared, File: gone}, pages: 2},
	}
	at, names := uint64(0x200000), map[uint64]string{}
	for name, c := range cases {
		c.v.Addr, c.v.End = at, at+2*page
		require.NoError(t, g.Space().Map(c.v), name)
		if c.written {
			_, err := g.Space().WriteAt([]byte{1}, at)
			require.NoError(t, err, name)
		}
		names[at] = name
		at += 4 * page
	}
	met := 0
	for _, l := range (&procView{Process: g.P}).mapLines() {
		name, ok := names[l.Addr]
		if !ok {
			continue
		}
		met++
		s, err := g.P.coreSegment(&l)
		require.NoError(t, err)
		require.Equal(t, cases[name].pages*page, s.FileSize, name)
		require.EqualValues(t, 2*page, s.Size, name)
	}
	require.Equal(t, len(cases), met)
}

// TestDontDump: madvise(2) takes memory out of core files and puts it back.
func TestDontDump(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		flag := func() bool { return g.Space().Find(guestMem).Flags&emu.MapDontDump != 0 }
		g.ok("madvise", guestMem, 4096, unix.MADV_DONTDUMP)
		require.True(t, flag())
		require.Zero(t, g.Space().Find(guestMem+4096).Flags)
		g.ok("madvise", guestMem, 4096, unix.MADV_DODUMP)
		require.False(t, flag())
	})
}

// TestHostSignalCore: a signal from outside whose action is a core file is the
// guest's own affair if there is to be one.
func TestHostSignalCore(t *testing.T) {
	g := withCPU(t, archs.All[0], Config{CoreFile: "core"}, nil)
	require.False(t, g.K.HostSignal(g.T, unix.SIGTERM))
	require.True(t, g.K.HostSignal(g.T, unix.SIGQUIT))
	require.NoError(t, g.K.Pending(g.T))
	require.Equal(t, &emu.Status{Signal: unix.SIGQUIT, Core: true}, g.T.Status())
	require.Equal(t, []string{"core"}, left(t))
	h := withCPU(t, archs.All[0], Config{}, nil)
	require.False(t, h.K.HostSignal(h.T, unix.SIGQUIT))
}

// The notes tell of the group and session that the guest sees, not of the
// host's.
func TestCoreGroups(t *testing.T) {
	for _, a := range archs.All {
		g := withCPU(t, a, Config{}, nil)
		g.P.pgrp, g.P.sid = 4711, 4712
		for name, b := range map[string][]byte{"elf_prpsinfo": g.P.prpsinfo(), "elf_prstatus": g.P.prstatus(g.T, unix.SIGSEGV).Bytes()} {
			l := a.Layout[name]
			require.Equal(t, uint32(4711), a.Order.Uint32(b[l.Fields["pr_pgrp"].Off:]), "%s %s", a.Name, name)
			require.Equal(t, uint32(4712), a.Order.Uint32(b[l.Fields["pr_sid"].Off:]), "%s %s", a.Name, name)
		}
	}
}
