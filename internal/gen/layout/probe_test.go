package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/gen/cross"
)

// guest says how a program of a target is run on this host.
type guest struct {
	run   []string // in front of the program
	order binary.ByteOrder
}

// The x86 programs run on the host's kernel, the others on qemu-user, whose
// structures were written by hand from the kernel's and so are a second
// opinion.
var guests = map[string]guest{
	"I386":   {nil, binary.LittleEndian},
	"X86_64": {nil, binary.LittleEndian},
	"ARM":    {[]string{"qemu-arm"}, binary.LittleEndian},
	"ARM64":  {[]string{"qemu-aarch64"}, binary.LittleEndian},
	"PPC":    {[]string{"qemu-ppc"}, binary.BigEndian},
	"PPC64":  {[]string{"qemu-ppc64"}, binary.BigEndian},
}

// report is what testdata/probe.c printed.
type report struct {
	layouts map[string]arch.Layout
	order   binary.ByteOrder
	lines   map[string]string
}

// field reads a field of the structure the kernel filled.
func (r report) field(t *testing.T, name, field string) uint64 {
	t.Helper()
	raw, err := hex.DecodeString(r.lines[name])
	require.NoError(t, err)
	f, ok := r.layouts[name].Fields[field]
	require.True(t, ok, "%s has no %s", name, field)
	require.Less(t, f.Off+f.Size, len(raw), name)
	b := raw[f.Off : f.Off+f.Size]
	switch f.Size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(r.order.Uint16(b))
	case 4:
		return uint64(r.order.Uint32(b))
	case 8:
		return r.order.Uint64(b)
	}
	require.Failf(t, "not a number", "%s.%s has %d bytes", name, field, f.Size)
	return 0
}

// text reads a field, or what follows it if it is a flexible array, as a C string.
func (r report) text(t *testing.T, name, field string, base int) string {
	t.Helper()
	raw, err := hex.DecodeString(r.lines[name])
	require.NoError(t, err)
	s, _, ok := bytes.Cut(raw[base+r.layouts[name].Fields[field].Off:], []byte{0})
	require.True(t, ok)
	return string(s)
}

// number is a line of the probe that is not a structure.
func (r report) number(t *testing.T, name string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(r.lines[name], 16, 64)
	require.NoError(t, err)
	return v
}

// TestProbe compares the layouts with what a kernel does: it puts known values
// behind system calls and looks for them at the places the tables name.
func TestProbe(t *testing.T) {
	ls, err := all()
	require.NoError(t, err)
	for _, target := range cross.Targets {
		t.Run(target.Var, func(t *testing.T) {
			dir := t.TempDir()
			file, st := testFile(t, dir)
			r := probe(t, target, ls[target.Var], dir, file)
			checkFiles(t, r, st)
			checkProcess(t, r)
			checkSignals(t, r)
			checkIPC(t, r)
			checkTerminal(t, r)
		})
	}
}

// testFile makes a file whose attributes are all different: two links, times
// with nanoseconds, a size that is not a multiple of anything.
func testFile(t *testing.T, dir string) (string, *syscall.Stat_t) {
	t.Helper()
	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o755))
	file := filepath.Join(sub, "onlyname")
	require.NoError(t, os.WriteFile(file, make([]byte, 12345), 0o640))
	require.NoError(t, os.Link(file, filepath.Join(dir, "link")))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(file, 1001, 1002))
	}
	require.NoError(t, os.Chtimes(file, time.Unix(1111111111, 111111111), time.Unix(1222222222, 222222222)))
	st := new(syscall.Stat_t)
	require.NoError(t, syscall.Stat(file, st))
	return file, st
}

// probe builds and runs testdata/probe.c.
func probe(t *testing.T, target cross.Target, ls map[string]arch.Layout, dir, file string) report {
	t.Helper()
	bin := filepath.Join(dir, "probe")
	out, err := exec.Command(target.Compiler, "-static", "-O1", "-Wall", "-Werror", "-o", bin, "testdata/probe.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	g := guests[target.Var]
	args := append(append([]string{}, g.run...), bin, file, filepath.Dir(file), fmt.Sprint(ls["statfs64"].Size))
	cmd := exec.Command(args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	r := report{layouts: ls, order: g.order, lines: make(map[string]string)}
	for line := range strings.Lines(string(out)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, ok, line)
		r.lines[name] = value
	}
	return r
}

func checkFiles(t *testing.T, r report, st *syscall.Stat_t) {
	t.Helper()
	for _, name := range []string{"stat", "stat64"} {
		if _, ok := r.lines[name]; !ok && name == "stat64" {
			require.NotContains(t, r.layouts, "stat64", "the probe did not call fstat64")
			continue
		}
		ino := r.field(t, name, "st_ino")
		require.Equal(t, uint32(st.Ino), uint32(ino), name)
		require.Equal(t, uint64(st.Mode), r.field(t, name, "st_mode"), name)
		require.Equal(t, uint64(2), r.field(t, name, "st_nlink"), name)
		require.Equal(t, uint64(st.Uid), r.field(t, name, "st_uid"), name)
		require.Equal(t, uint64(st.Gid), r.field(t, name, "st_gid"), name)
		require.Equal(t, uint64(0), r.field(t, name, "st_rdev"), name)
		require.Equal(t, uint64(12345), r.field(t, name, "st_size"), name)
		require.Equal(t, uint64(st.Blksize), r.field(t, name, "st_blksize"), name)
		require.Equal(t, uint64(st.Blocks), r.field(t, name, "st_blocks"), name)
		require.Equal(t, uint64(1111111111), r.field(t, name, "st_atime"), name)
		require.Equal(t, uint64(111111111), r.field(t, name, "st_atime_nsec"), name)
		require.Equal(t, uint64(1222222222), r.field(t, name, "st_mtime"), name)
		require.Equal(t, uint64(222222222), r.field(t, name, "st_mtime_nsec"), name)
		require.Equal(t, uint64(st.Ctim.Sec), r.field(t, name, "st_ctime"), name)
		require.Equal(t, uint64(st.Ctim.Nsec), r.field(t, name, "st_ctime_nsec"), name)
	}
	require.Equal(t, uint64(12345), r.field(t, "statx", "stx_size"))
	require.Equal(t, uint64(st.Mode), r.field(t, "statx", "stx_mode"))
	require.Equal(t, uint64(222222222), r.field(t, "statx", "stx_mtime.tv_nsec"))
	require.Equal(t, uint64(st.Ctim.Sec), r.field(t, "statx", "stx_ctime.tv_sec"))
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(".", &fs))
	for _, name := range []string{"statfs", "statfs64"} {
		if _, ok := r.lines[name]; ok {
			require.Equal(t, uint64(fs.Namelen), r.field(t, name, "f_namelen"), name)
			require.NotZero(t, r.field(t, name, "f_bsize"), name)
		}
	}
	checkDirents(t, r, st.Ino)
}

// checkDirents walks the three entries of the folder.
func checkDirents(t *testing.T, r report, ino uint64) {
	t.Helper()
	for _, name := range []string{"linux_dirent", "linux_dirent64"} {
		if _, ok := r.lines[name]; !ok {
			continue
		}
		raw, err := hex.DecodeString(r.lines[name])
		require.NoError(t, err)
		found, at := false, 0
		for range 3 {
			entry := report{r.layouts, r.order, map[string]string{name: hex.EncodeToString(raw[at:])}}
			if entry.text(t, name, "d_name", 0) == "onlyname" {
				found = true
				require.Equal(t, uint32(ino), uint32(entry.field(t, name, "d_ino")), name)
			}
			at += int(entry.field(t, name, "d_reclen"))
		}
		require.True(t, found, name)
	}
}

func checkProcess(t *testing.T, r report) {
	t.Helper()
	require.Equal(t, uint64(1001), r.field(t, "itimerval", "it_interval.tv_sec"))
	require.InDelta(t, 2002, r.field(t, "itimerval", "it_value.tv_sec"), 1)
	for _, c := range [][2]string{{"timeval", "tv_usec"}, {"timespec", "tv_nsec"}, {"__kernel_timespec", "tv_nsec"}} {
		if _, ok := r.lines[c[0]]; ok {
			require.InDelta(t, time.Now().Unix(), r.field(t, c[0], "tv_sec"), 60, c[0])
			require.Less(t, r.field(t, c[0], c[1]), uint64(1e9), c[0])
		}
	}
	for _, name := range []string{"rlimit", "rlimit64"} {
		require.Equal(t, uint64(77), r.field(t, name, "rlim_cur"), name)
		require.Equal(t, uint64(99), r.field(t, name, "rlim_max"), name)
	}
	require.NotZero(t, r.field(t, "rusage", "ru_minflt"))
	require.Zero(t, r.field(t, "rusage", "ru_msgsnd"))
	unit := r.field(t, "sysinfo", "mem_unit")
	var si syscall.Sysinfo_t
	require.NoError(t, syscall.Sysinfo(&si))
	ram := si.Totalram * uint64(si.Unit) / unit
	if r.layouts["sysinfo"].Fields["totalram"].Size == 4 {
		ram = uint64(uint32(ram)) // qemu-user 7.2 drops the high word where the kernel raises mem_unit
	}
	require.Equal(t, ram, r.field(t, "sysinfo", "totalram"))
	require.InDelta(t, si.Uptime, r.field(t, "sysinfo", "uptime"), 60)
	require.NotZero(t, r.field(t, "sysinfo", "procs"))
	require.Equal(t, "Linux", r.text(t, "new_utsname", "sysname", 0))
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, host, r.text(t, "new_utsname", "nodename", 0))
}

func checkSignals(t *testing.T, r report) {
	t.Helper()
	const (
		sigusr2 = 12
		siQueue = 0xffffffff // SI_QUEUE, -1
		flags   = 0x50000000 // SA_NODEFER | SA_RESTART, beside SA_RESTORER
	)
	require.Equal(t, r.number(t, "handler"), r.field(t, "sigaction", "sa_handler"))
	require.Equal(t, uint64(flags), r.field(t, "sigaction", "sa_flags")&flags)
	mask := r.field(t, "sigaction", "sa_mask")
	if r.order == binary.BigEndian && r.layouts["sigaction"].Align == 4 {
		mask = mask>>32 | mask<<32 // long words, the low one first
	}
	require.Equal(t, uint64(1<<(sigusr2-1)), mask)
	require.Equal(t, r.number(t, "stack"), r.field(t, "stack_t", "ss_sp"))
	require.Zero(t, r.field(t, "stack_t", "ss_flags"))
	require.Equal(t, uint64(65536), r.field(t, "stack_t", "ss_size"))
	require.Equal(t, uint64(sigusr2), r.field(t, "siginfo", "si_signo"))
	require.Equal(t, uint64(siQueue), r.field(t, "siginfo", "si_code"))
	require.Equal(t, r.number(t, "pid"), r.field(t, "siginfo", "si_pid"))
	require.Equal(t, uint64(os.Getuid()), r.field(t, "siginfo", "si_uid"))
	require.Equal(t, uint64(0x1234567), r.field(t, "siginfo", "si_int"))
}

func checkIPC(t *testing.T, r report) {
	t.Helper()
	require.Equal(t, uint64(1), r.field(t, "epoll_event", "events"))
	require.Equal(t, uint64(0x1122334455667788), r.field(t, "epoll_event", "data"))
	require.Equal(t, r.number(t, "pid"), r.field(t, "ucred", "pid"))
	require.Equal(t, uint64(os.Getgid()), r.field(t, "ucred", "gid"))
	now := time.Now().Unix()
	// qemu-user 7.2 writes only the low half of AArch64's 32-bit mode.
	const half = 0xffff
	require.Equal(t, uint64(0o640), half&r.field(t, "shmid64_ds", "shm_perm.mode"))
	require.Equal(t, uint64(12345), r.field(t, "shmid64_ds", "shm_segsz"))
	require.Equal(t, r.number(t, "pid"), r.field(t, "shmid64_ds", "shm_cpid"))
	require.InDelta(t, now, r.field(t, "shmid64_ds", "shm_ctime"), 60)
	require.Equal(t, uint64(0o620), half&r.field(t, "semid64_ds", "sem_perm.mode"))
	require.Equal(t, uint64(7), r.field(t, "semid64_ds", "sem_nsems"))
	if !highFirst(r, "semid64_ds", "sem_ctime") {
		require.InDelta(t, now, r.field(t, "semid64_ds", "sem_ctime"), 60)
	}
	require.Equal(t, uint64(0o604), half&r.field(t, "msqid64_ds", "msg_perm.mode"))
	require.NotZero(t, r.field(t, "msqid64_ds", "msg_qbytes"))
	require.Zero(t, r.field(t, "msqid64_ds", "msg_qnum"))
	if !highFirst(r, "msqid64_ds", "msg_ctime") {
		require.InDelta(t, now, r.field(t, "msqid64_ds", "msg_ctime"), 60)
	}
}

// highFirst reports whether the upper word of a time lies before the lower
// one, as on 32-bit PowerPC. qemu-user 7.2 has them the wrong way round in two
// structures and right in shmid64_ds; TestFields has the kernel's order.
func highFirst(r report, name, field string) bool {
	fields := r.layouts[name].Fields
	high, ok := fields[field+"_high"]
	return ok && high.Off < fields[field].Off
}

func checkTerminal(t *testing.T, r report) {
	t.Helper()
	for field, want := range map[string]uint64{"ws_row": 24, "ws_col": 80, "ws_xpixel": 640, "ws_ypixel": 480} {
		require.Equal(t, want, r.field(t, "winsize", field), field)
	}
	require.Zero(t, r.field(t, "termios", "c_line"))
	// VINTR, VQUIT and VERASE are the first three everywhere.
	require.Equal(t, "\x03\x1c\x7f", r.text(t, "termios", "c_cc", 0)[:3])
}
