package main

import (
	"debug/dwarf"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/gen/cross"
)

// all returns the layouts of every target, by the target's variable name.
var all = sync.OnceValues(func() (map[string]map[string]arch.Layout, error) {
	ls := make(map[string]map[string]arch.Layout)
	for _, t := range cross.Targets {
		l, err := layouts(t)
		if err != nil {
			return nil, err
		}
		ls[t.Var] = l
	}
	return ls, nil
})

func TestUpToDate(t *testing.T) {
	root, err := cross.Root()
	require.NoError(t, err)
	require.NoError(t, cross.Check(root, "layout", "zlayout.go", table))
}

// TestSameStructs has the only structures that an architecture may lack.
func TestSameStructs(t *testing.T) {
	lacks := map[string][]string{
		"I386":   nil,
		"X86_64": {"__old_kernel_stat", "old_sigaction", "stat64"},
		"ARM":    {"user_desc"},
		"ARM64":  {"__old_kernel_stat", "old_sigaction", "stat64", "user_desc"},
		"PPC":    {"termios2", "user_desc"},
		"PPC64":  {"__old_kernel_stat", "old_sigaction", "stat64", "termios2", "user_desc"},
	}
	ls, err := all()
	require.NoError(t, err)
	require.Len(t, ls, len(lacks))
	every := ls["I386"] // has them all
	for name, l := range ls {
		var missing []string
		for s := range every {
			if _, ok := l[s]; !ok {
				missing = append(missing, s)
			}
		}
		slices.Sort(missing)
		require.Equal(t, lacks[name], missing, name)
		require.Len(t, l, len(every)-len(missing), name)
	}
}

// TestSizes has the sizes of structures that differ between architectures, as
// the kernel's sources and the 32-bit compatibility layers state them, and of
// some that must not differ.
func TestSizes(t *testing.T) {
	type sizes struct{ i386, x86_64, arm, arm64, ppc, ppc64 int }
	for name, want := range map[string]sizes{
		"__kernel_timespec": {16, 16, 16, 16, 16, 16},
		"__kernel_timex":    {208, 208, 208, 208, 208, 208},
		"clone_args":        {88, 88, 88, 88, 88, 88}, // CLONE_ARGS_SIZE_VER2
		"epoll_event":       {12, 12, 16, 16, 16, 16}, // packed on x86-64 only
		"flock64":           {24, 32, 32, 32, 32, 32},
		"ifreq":             {32, 40, 32, 40, 32, 40},
		"iovec":             {8, 16, 8, 16, 8, 16},
		"msghdr":            {28, 56, 28, 56, 28, 56},
		"new_utsname":       {390, 390, 390, 390, 390, 390},
		"old_sigaction":     {16, 0, 16, 0, 16, 0},
		"robust_list_head":  {12, 24, 12, 24, 12, 24},
		"rusage":            {72, 144, 72, 144, 72, 144},
		"sched_attr":        {56, 56, 56, 56, 56, 56}, // SCHED_ATTR_SIZE_VER1
		"sigaction":         {20, 32, 20, 32, 20, 32},
		"sigevent":          {64, 64, 64, 64, 64, 64},
		"siginfo":           {128, 128, 128, 128, 128, 128},
		"signalfd_siginfo":  {128, 128, 128, 128, 128, 128},
		"stack_t":           {12, 24, 12, 24, 12, 24},
		"stat":              {64, 144, 64, 128, 72, 144},
		"stat64":            {96, 0, 104, 0, 104, 0},
		"statfs":            {64, 120, 64, 120, 64, 120},
		"statfs64":          {84, 120, 84, 120, 88, 120}, // packed on ARM
		"statx":             {256, 256, 256, 256, 256, 256},
		"sysinfo":           {64, 112, 64, 112, 64, 112},
		"termios":           {36, 36, 36, 36, 44, 44},
		"termios2":          {44, 44, 44, 44, 0, 0},
		"timespec":          {8, 16, 8, 16, 8, 16},
		"user_desc":         {16, 16, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ls, err := all()
			require.NoError(t, err)
			require.Equal(t, want, sizes{
				ls["I386"][name].Size, ls["X86_64"][name].Size, ls["ARM"][name].Size,
				ls["ARM64"][name].Size, ls["PPC"][name].Size, ls["PPC64"][name].Size,
			})
		})
	}
}

// TestFields has single facts that are easily got wrong.
func TestFields(t *testing.T) {
	f := func(off, size int) arch.Field { return arch.Field{Off: off, Size: size} }
	for _, c := range []struct {
		target, name, field string
		want                arch.Field
	}{
		{"I386", "stat64", "__st_ino", f(12, 4)}, // STAT64_HAS_BROKEN_ST_INO
		{"I386", "stat64", "st_ino", f(88, 8)},
		{"I386", "stat64", "st_size", f(44, 8)}, // 64-bit integers have alignment 4
		{"ARM", "stat64", "st_size", f(48, 8)},  // and 8 in the EABI
		{"PPC", "stat64", "st_size", f(48, 8)},
		{"PPC", "stat", "st_mode", f(8, 4)},
		{"PPC64", "stat", "st_nlink", f(16, 8)}, // before st_mode, as on x86-64
		{"PPC64", "stat", "st_mode", f(24, 4)},
		{"ARM64", "stat", "st_blksize", f(56, 4)},
		{"X86_64", "epoll_event", "data", f(4, 8)},
		{"ARM64", "epoll_event", "data", f(8, 8)},
		{"I386", "siginfo", "si_addr", f(12, 4)},
		{"ARM64", "siginfo", "si_addr", f(16, 8)},
		{"PPC", "siginfo", "si_status", f(20, 4)},
		{"X86_64", "siginfo", "si_stime", f(40, 8)},
		{"I386", "sigaction", "sa_mask", f(12, 8)}, // 64 signals, not the header's 32
		{"ARM", "old_sigaction", "sa_mask", f(4, 4)},
		{"X86_64", "semid64_ds", "sem_ctime", f(64, 8)}, // padding only x86-64 has
		{"ARM64", "semid64_ds", "sem_ctime", f(56, 8)},
		{"PPC", "semid64_ds", "sem_otime_high", f(48, 4)}, // high words first
		{"I386", "semid64_ds", "sem_otime_high", f(40, 4)},
		{"PPC", "semid64_ds", "sem_ctime", f(60, 4)},
		{"PPC", "msqid64_ds", "msg_ctime", f(68, 4)},
		{"PPC", "shmid64_ds", "shm_segsz", f(76, 4)},
		{"PPC", "termios", "c_line", f(35, 1)}, // behind c_cc
		{"I386", "termios", "c_line", f(16, 1)},
		{"PPC", "iocb", "aio_key", f(12, 4)}, // aio_rw_flags and aio_key change places
		{"ARM", "iocb", "aio_key", f(8, 4)},
		{"ARM", "rusage", "ru_stime.tv_sec", f(8, 4)},
		{"ARM", "linux_dirent64", "d_name", f(19, 0)},
		{"X86_64", "sockaddr_storage", "ss_family", f(0, 2)},
	} {
		t.Run(c.target+"/"+c.name+"."+c.field, func(t *testing.T) {
			ls, err := all()
			require.NoError(t, err)
			have, ok := ls[c.target][c.name].Fields[c.field]
			require.True(t, ok, "no such field")
			require.Equal(t, c.want, have)
		})
	}
}

func TestAlign(t *testing.T) {
	ls, err := all()
	require.NoError(t, err)
	require.Equal(t, 4, ls["I386"]["stat64"].Align)
	require.Equal(t, 8, ls["ARM"]["stat64"].Align)
	require.Equal(t, 1, ls["X86_64"]["epoll_event"].Align)
	require.Equal(t, 32, ls["PPC"]["rseq"].Align)
}

func TestPaddingLeftOut(t *testing.T) {
	ls, err := all()
	require.NoError(t, err)
	for target, l := range ls {
		for name, s := range l {
			for f := range maps.Keys(s.Fields) {
				require.NotRegexp(t, `__(pad|unused|spare|reserved)`, f, "%s %s", target, name)
			}
		}
	}
	// These look like padding and are not.
	require.Contains(t, ls["I386"]["sysinfo"].Fields, "pad")
	require.Contains(t, ls["PPC"]["statfs"].Fields, "f_spare")
}

func TestFlatten(t *testing.T) {
	num := &dwarf.IntType{BasicType: dwarf.BasicType{CommonType: dwarf.CommonType{ByteSize: 4}}}
	inner := &dwarf.StructType{
		CommonType: dwarf.CommonType{ByteSize: 8},
		Field:      []*dwarf.StructField{{Name: "a", Type: num}, {Name: "b", Type: num, ByteOffset: 4}},
	}
	flexible := &dwarf.ArrayType{Type: num, Count: -1}
	flexible.ByteSize = -1
	outer := &dwarf.StructType{Field: []*dwarf.StructField{
		{Name: "named", Type: &dwarf.TypedefType{Type: inner, CommonType: dwarf.CommonType{ByteSize: 8}}},
		{Type: inner, ByteOffset: 8},
		{Name: "bits", Type: num, ByteOffset: 16, BitSize: 3},
		{Name: "__pad1", Type: num, ByteOffset: 20},
		{Name: "tail", Type: flexible, ByteOffset: 24},
	}}
	have := make(map[string]arch.Field)
	flatten(have, "", 100, outer)
	require.Equal(t, map[string]arch.Field{
		"named": {Off: 100, Size: 8}, "named.a": {Off: 100, Size: 4}, "named.b": {Off: 104, Size: 4},
		"a": {Off: 108, Size: 4}, "b": {Off: 112, Size: 4},
		"tail": {Off: 124, Size: 0},
	}, have)
}

func TestVerify(t *testing.T) {
	field := map[string]arch.Field{"f": {Off: 4, Size: 4}}
	require.NoError(t, verify(arch.Layout{Size: 8, Align: 4, Fields: field}))
	for name, bad := range map[string]arch.Layout{
		"no size":       {Align: 4, Fields: field},
		"no alignment":  {Size: 8, Fields: field},
		"odd size":      {Size: 10, Align: 4, Fields: field},
		"no field":      {Size: 8, Align: 4},
		"field outside": {Size: 4, Align: 4, Fields: field},
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, verify(bad)) })
	}
}
