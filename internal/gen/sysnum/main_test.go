package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/gen/cross"
)

// all returns the table of every target, by the target's variable name.
var all = sync.OnceValues(func() (map[string][]arch.Sysno, error) {
	ts := make(map[string][]arch.Sysno)
	for _, t := range cross.Targets {
		s, err := sysnums(t)
		if err != nil {
			return nil, err
		}
		ts[t.Var] = s
	}
	return ts, nil
})

func TestUpToDate(t *testing.T) {
	root, err := cross.Root()
	require.NoError(t, err)
	require.NoError(t, cross.Check(root, "sysnum", "zsysnum.go", table))
}

func TestRising(t *testing.T) {
	ts, err := all()
	require.NoError(t, err)
	for name, calls := range ts {
		require.True(t, slices.IsSortedFunc(calls, func(a, b arch.Sysno) int { return cmp.Compare(a.Nr, b.Nr) }), name)
		seen := make(map[string]bool)
		for _, c := range calls {
			require.False(t, seen[c.Name], "%s: %s twice", name, c.Name)
			seen[c.Name] = true
		}
	}
}

// TestFacts has numbers from the kernel's tables and manual pages; -1 says
// that the architecture has no such call.
func TestFacts(t *testing.T) {
	targets := []string{"I386", "X86_64", "ARM", "ARM64", "PPC", "PPC64"}
	for name, want := range map[string][6]int{
		"exit":                    {1, 60, 1, 93, 1, 1},
		"write":                   {4, 1, 4, 64, 4, 4},
		"open":                    {5, 2, 5, -1, 5, 5},
		"rt_sigreturn":            {173, 15, 173, 139, 172, 172},
		"sigreturn":               {119, -1, 119, -1, 119, 119},
		"mmap":                    {90, 9, -1, 222, 90, 90},
		"mmap2":                   {192, -1, 192, -1, 192, -1},
		"socketcall":              {102, -1, -1, -1, 102, 102},
		"fstatat64":               {300, -1, 327, -1, 291, -1},
		"newfstatat":              {-1, 262, -1, 79, -1, 291},
		"statfs64":                {268, -1, 266, -1, 252, 252},
		"_llseek":                 {140, -1, 140, -1, 140, 140},
		"set_thread_area":         {243, 205, -1, -1, -1, -1},
		"arch_prctl":              {384, 158, -1, -1, -1, -1},
		"swapcontext":             {-1, -1, -1, -1, 249, 249},
		"arm_fadvise64_64":        {-1, -1, 270, -1, -1, -1},
		"arm_sync_file_range":     {-1, -1, -1, -1, -1, -1},
		"sync_file_range2":        {-1, -1, 341, -1, 308, 308},
		"clock_gettime64":         {403, -1, 403, -1, 403, -1},
		"statx":                   {383, 332, 397, 291, 383, 383},
		"clone3":                  {435, 435, 435, 435, 435, 435},
		"set_mempolicy_home_node": {450, 450, 450, 450, 450, 450},
		"breakpoint":              {-1, -1, 0xf0001, -1, -1, -1},
		"cacheflush":              {-1, -1, 0xf0002, -1, -1, -1},
		"usr26":                   {-1, -1, 0xf0003, -1, -1, -1},
		"usr32":                   {-1, -1, 0xf0004, -1, -1, -1},
		"set_tls":                 {-1, -1, 0xf0005, -1, -1, -1},
		"get_tls":                 {-1, -1, 0xf0006, -1, -1, -1},
		"syscalls":                {-1, -1, -1, -1, -1, -1},
		"arch_specific_syscall":   {-1, -1, -1, -1, -1, -1},
		"SYSCALL_BASE":            {-1, -1, -1, -1, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			ts, err := all()
			require.NoError(t, err)
			for i, target := range targets {
				have := -1
				for _, c := range ts[target] {
					if c.Name == name {
						have = int(c.Nr)
					}
				}
				require.Equal(t, want[i], have, target)
			}
		})
	}
}

// TestAgainstXSys compares the tables with those of golang.org/x/sys/unix,
// which come from the kernel's headers by another way. Those are of a newer
// kernel, so they may have more.
func TestAgainstXSys(t *testing.T) {
	files := map[string]string{
		"I386": "386", "X86_64": "amd64", "ARM": "arm", "ARM64": "arm64", "PPC": "ppc", "PPC64": "ppc64",
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	require.NoError(t, err)
	dir := filepath.Join(strings.TrimSpace(string(out)), "unix")
	constant := regexp.MustCompile(`(?m)^\s*SYS_(\w+)\s*=\s*(\d+)`)
	ts, err := all()
	require.NoError(t, err)
	for target, goarch := range files {
		src, err := os.ReadFile(filepath.Join(dir, "zsysnum_linux_"+goarch+".go"))
		require.NoError(t, err)
		theirs := make(map[string]uint32)
		for _, m := range constant.FindAllStringSubmatch(string(src), -1) {
			nr, err := strconv.ParseUint(m[2], 10, 32)
			require.NoError(t, err)
			name := strings.ToLower(m[1])
			theirs[cmp.Or(prefer[name], name)] = uint32(nr)
		}
		have := make(map[uint32]bool)
		for _, c := range ts[target] {
			have[c.Nr] = true
			if c.Nr >= private {
				continue
			}
			nr, ok := theirs[c.Name]
			require.True(t, ok, "%s: x/sys has no %s", target, c.Name)
			require.Equal(t, nr, c.Nr, "%s: %s", target, c.Name)
		}
		const first = 451                                           // the first number newer than these headers
		newer := map[string]bool{"uretprobe": true, "uprobe": true} // into a gap of x86-64's, Linux 6.11 and later
		for name, nr := range theirs {
			if nr < first && !newer[name] && !skip[name] && name != "syscall_mask" {
				require.True(t, have[nr], "%s lacks %s (%d)", target, name, nr)
			}
		}
	}
}

func TestJoin(t *testing.T) {
	calls, err := join(
		map[string]string{"nr_a": "b", "nr_b": "a", "nr_c": "arm_sync_file_range", "nr_d": "sync_file_range2"},
		map[string]int64{"nr_a": 7, "nr_b": 9, "nr_c": 8, "nr_d": 8},
	)
	require.NoError(t, err)
	require.Equal(t, []arch.Sysno{{Nr: 7, Name: "b"}, {Nr: 8, Name: "sync_file_range2"}, {Nr: 9, Name: "a"}}, calls)

	for name, c := range map[string]struct {
		names  map[string]string
		consts map[string]int64
	}{
		"no value":        {map[string]string{"nr_a": "a"}, nil},
		"negative":        {map[string]string{"nr_a": "a"}, map[string]int64{"nr_a": -1}},
		"huge":            {map[string]string{"nr_a": "a"}, map[string]int64{"nr_a": 1 << 30}},
		"two of a number": {map[string]string{"nr_a": "a", "nr_b": "b"}, map[string]int64{"nr_a": 3, "nr_b": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := join(c.names, c.consts)
			require.Error(t, err)
		})
	}
}
