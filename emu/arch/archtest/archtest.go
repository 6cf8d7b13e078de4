// Package archtest checks that the description of an architecture is complete
// and agrees with itself. Every architecture's tests call Run.
package archtest

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Run checks one architecture, and the files of the package it is called
// from, which has to be the architecture's. The functions in valid put right,
// in a CPU whose registers hold arbitrary bits, those of which not every value
// can be in a user program; without one the sets are checked at a program's
// start only.
func Run(t *testing.T, a *arch.Arch, valid ...func(c *CPU)) {
	t.Helper()
	for _, c := range []struct {
		name string
		fn   func(*testing.T, *arch.Arch)
	}{
		{"fields", fields},
		{"registers", registers},
		{"models", models},
		{"start", start},
		{"abi", abi},
		{"code", code},
		{"sysnum", sysnum},
		{"layout", layout},
		{"views", func(t *testing.T, a *arch.Arch) { views(t, a, valid) }},
		{"roundtrip", roundTrip},
		{"files", func(t *testing.T, _ *arch.Arch) { files(t) }},
	} {
		t.Run(a.Name+"/"+c.name, func(t *testing.T) { c.fn(t, a) })
	}
}

func fields(t *testing.T, a *arch.Arch) {
	require.NotEmpty(t, a.Name)
	require.NotZero(t, a.Machine)
	require.NotZero(t, a.Class)
	require.NotNil(t, a.Order)
	require.Contains(t, []int{4, 8}, a.Word)
	require.Equal(t, a.Word == 8, a.Class == 2, "word and ELF class disagree")
	require.NotContains(t, a.Aliases, a.Name)
	require.NotZero(t, a.Engine.Arch)
	require.NotNil(t, a.Engine.Boot)
	require.NotNil(t, a.Engine.Trap)
	require.NotEmpty(t, a.Views)
}

func registers(t *testing.T, a *arch.Arch) {
	ids, names, numbers := map[regset.ID]bool{}, map[string]bool{}, map[int]bool{}
	hidden := false
	for i, r := range a.Regs {
		require.NotZero(t, r.ID, r.Name)
		require.NotEmpty(t, r.Name)
		require.False(t, ids[r.ID], "%s: same ID as another", r.Name)
		require.False(t, names[r.Name], "%s: twice", r.Name)
		require.Contains(t, []int{8, 16, 32, 64, 80, 128, 256, 512}, r.Bits, r.Name)
		if r.Bits < 64 {
			require.Zero(t, r.Mask>>r.Bits, "%s: mask is wider than the register", r.Name)
		}
		ids[r.ID], names[r.Name] = true, true
		switch {
		case r.UC == arch.UCHidden:
			hidden = true
		case r.UC == arch.UCSoft:
		default:
			require.Positive(t, r.UC, r.Name)
			require.False(t, numbers[r.UC], "%s: same engine number as another", r.Name)
			numbers[r.UC] = true
		}
		if i < a.Core {
			require.Positive(t, r.UC, "%s is read at each stop, so the engine must have it", r.Name)
			require.LessOrEqual(t, r.Bits, 64, r.Name)
		}
	}
	require.Positive(t, a.Core)
	require.LessOrEqual(t, a.Core, len(a.Regs))
	require.Equal(t, hidden, a.Engine.Hidden != nil, "hidden registers and the function that finds them go together")
	known := map[regset.ID]string{a.PC: "PC", a.SP: "SP", a.ABI.Nr: "Nr", a.ABI.Ret: "Ret"}
	for i, id := range a.ABI.Args {
		known[id] = "argument " + strconv.Itoa(i)
	}
	for id, what := range known {
		require.True(t, isCore(a, id), "%s is not among the core registers", what)
	}
	r, ok := a.RegByName(a.Regs[0].Name)
	require.True(t, ok)
	require.Equal(t, a.Regs[0], r)
}

func isCore(a *arch.Arch, id regset.ID) bool {
	for _, r := range a.Regs[:a.Core] {
		if r.ID == id {
			return true
		}
	}
	return false
}

func models(t *testing.T, a *arch.Arch) {
	require.NotEmpty(t, a.Engine.Models)
	names := map[string]bool{}
	for _, m := range a.Engine.Models {
		require.NotEmpty(t, m.Name)
		require.Equal(t, strings.ToLower(m.Name), m.Name)
		require.False(t, names[m.Name], "%s: twice", m.Name)
		names[m.Name] = true
		require.GreaterOrEqual(t, m.UC, -1, m.Name)
		require.NotZero(t, m.HWCap, m.Name)
		require.NotEmpty(t, m.Platform, m.Name)
		require.NotEmpty(t, m.CPUInfo, m.Name)
		require.True(t, strings.HasSuffix(m.CPUInfo, "\n"), m.Name)
		require.True(t, m.Machine != "" || a.ABI.Machine != "", "%s: no machine name", m.Name)
		if a.Word == 4 {
			require.Zero(t, m.HWCap>>32, m.Name)
			require.Zero(t, m.HWCap2>>32, m.Name)
		}
		got, ok := a.Engine.Model(m.Name)
		require.True(t, ok)
		require.Equal(t, m.Name, got.Name)
	}
	first, ok := a.Engine.Model("")
	require.True(t, ok)
	require.Equal(t, a.Engine.Models[0].Name, first.Name)
}

func start(t *testing.T, a *arch.Arch) {
	const page = 4096
	s := a.Start
	for name, v := range map[string]uint64{
		"TaskSize": s.TaskSize, "StackTop": s.StackTop, "MmapBase": s.MmapBase, "PIEBase": s.PIEBase, "MinAddr": s.MinAddr,
	} {
		require.NotZero(t, v, name)
		require.Zero(t, v%page, name)
		require.LessOrEqual(t, v, s.TaskSize, name)
		if a.Word == 4 {
			require.LessOrEqual(t, v, uint64(1)<<32, name)
		}
	}
	require.Less(t, s.MmapBase, s.StackTop)
	require.Less(t, s.PIEBase, s.MmapBase)
	require.LessOrEqual(t, s.MinAddr, s.PIEBase)
	require.NotZero(t, s.StackAlign)
	require.Zero(t, s.StackAlign&(s.StackAlign-1), "stack alignment is no power of two")
	require.NotNil(t, s.Regs)
	for i := range a.Engine.Models {
		if s.Aux != nil {
			for _, x := range s.Aux(&a.Engine.Models[i]) {
				require.NotZero(t, x.Type, "AT_NULL would end the vector")
			}
		}
	}
	for _, p := range s.Pages {
		require.Zero(t, p.Addr%page, p.Name)
		require.NotEmpty(t, p.Name)
		require.NotZero(t, p.Prot, p.Name)
	}
	startRegs(t, a)
}

// startRegs starts a program whose entry point lies in memory that can be read
// as a function descriptor of itself.
func startRegs(t *testing.T, a *arch.Arch) {
	const entry, sp = 0x10000, 0x20000
	c := NewCPU(a)
	b := make([]byte, 64)
	if a.Word == 8 {
		a.Order.PutUint64(b, entry)
	}
	c.Map(entry, b)
	require.NoError(t, a.Start.Regs(c, arch.Image{Entry: entry, SP: sp, Start: entry}))
	require.Equal(t, uint64(entry), c.Reg(a.PC))
	require.Equal(t, uint64(sp), c.Reg(a.SP))
	for _, id := range a.ABI.Args {
		require.Zero(t, c.Reg(id), "an argument register is not zero at the start")
	}
}

func abi(t *testing.T, a *arch.Arch) {
	require.NotNil(t, a.ABI.Result)
	require.NotNil(t, a.ABI.Rewind)
	require.NotNil(t, a.ABI.SetTLS)
	require.NotEmpty(t, a.ABI.Machine)
	for e, n := range a.ABI.Errno {
		require.NotEqual(t, uint16(e), n, "an errno that is as usual: %v", e)
	}
	for name, fn := range a.ABI.Calls {
		require.NotNil(t, fn, name)
		require.True(t, hasCall(a, name), "%s is not in the table of system calls", name)
	}
}

func hasCall(a *arch.Arch, name string) bool {
	for _, s := range a.Sysnum {
		if s.Name == name {
			return true
		}
	}
	return false
}

func code(t *testing.T, a *arch.Arch) {
	require.Positive(t, a.MinInsn)
	require.LessOrEqual(t, a.MinInsn, a.MaxInsn)
	require.LessOrEqual(t, a.MaxInsn, 16)
	require.NotNil(t, a.ISA)
	require.NotNil(t, a.Break)
	states := []uint8{0}
	if a.State != nil {
		states = append(states, 1)
	}
	for _, s := range states {
		require.NotZero(t, a.ISA(s))
		n := len(a.Break(s))
		require.GreaterOrEqual(t, n, a.MinInsn)
		require.LessOrEqual(t, n, a.MaxInsn)
	}
}

func sysnum(t *testing.T, a *arch.Arch) {
	require.NotEmpty(t, a.Sysnum)
	for i, s := range a.Sysnum {
		require.NotEmpty(t, s.Name)
		if i > 0 {
			require.Greater(t, s.Nr, a.Sysnum[i-1].Nr, s.Name)
		}
	}
	for _, name := range []string{"read", "write", "exit", "exit_group", "munmap", "rt_sigreturn"} {
		require.True(t, hasCall(a, name), name)
	}
}

func layout(t *testing.T, a *arch.Arch) {
	for _, name := range []string{"stat", "iovec", "rusage"} {
		require.Contains(t, a.Layout, name)
	}
	for name, l := range a.Layout {
		require.Positive(t, l.Size, name)
		require.Positive(t, l.Align, name)
		require.Zero(t, l.Size%l.Align, name)
		require.NotEmpty(t, l.Fields, name)
		for field, f := range l.Fields {
			require.GreaterOrEqual(t, f.Off, 0, "%s.%s", name, field)
			require.GreaterOrEqual(t, f.Size, 0, "%s.%s", name, field)
			require.LessOrEqual(t, f.Off+f.Size, l.Size, "%s.%s", name, field)
		}
	}
	v := a.Layout["iovec"]
	require.Equal(t, 2*a.Word, v.Size)
}

// roundTrip takes a system call's way in and out.
func roundTrip(t *testing.T, a *arch.Arch) {
	const pc, val = 0x10000, 0x1234
	errno := uint64(unix.EAGAIN)
	c := NewCPU(a)
	c.SetReg(a.PC, pc)
	a.ABI.Result(c, val, 0)
	require.Equal(t, uint64(val), a.Addr(c.Reg(a.ABI.Ret)))
	good := snapshot(c, a)
	a.ABI.Result(c, 0, uint16(errno))
	require.NotEqual(t, good, snapshot(c, a))
	require.Contains(t, []uint64{errno, a.Addr(-errno)}, c.Reg(a.ABI.Ret))
	a.ABI.Result(c, val, 0)
	require.Equal(t, good, snapshot(c, a), "the error has left something behind")
	require.Equal(t, uint64(pc), c.Reg(a.PC))
	a.ABI.Rewind(c)
	back := pc - c.Reg(a.PC)
	require.GreaterOrEqual(t, back, uint64(a.MinInsn))
	require.LessOrEqual(t, back, uint64(a.MaxInsn))
}

func snapshot(c *CPU, a *arch.Arch) map[string]string {
	m := map[string]string{}
	for _, r := range a.Regs {
		m[r.Name] = string(c.regs[r.ID])
	}
	return m
}

// files checks the names and the imports of the package's files.
func files(t *testing.T) {
	list, err := filepath.Glob("*.go")
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, f := range list {
		require.False(t, Dropped(f), "%s: Go leaves this file out on other hosts", f)
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		require.LessOrEqual(t, strings.Count(string(src), "\n"), maxLines(f), f)
		parsed, err := parser.ParseFile(token.NewFileSet(), f, src, parser.ImportsOnly)
		require.NoError(t, err)
		for _, im := range parsed.Imports {
			path, err := strconv.Unquote(im.Path.Value)
			require.NoError(t, err)
			for _, no := range []string{"/emu/internal/uc", "/utemu/emu", "/utemu/stepper", "/utemu/hooks", "/utemu/syscalls"} {
				require.False(t, strings.HasSuffix(path, no), "%s imports %s", f, path)
			}
			require.NotEqual(t, "C", path, f)
		}
	}
}

func maxLines(f string) int {
	if strings.HasPrefix(f, "z") { // generated
		return 1 << 20
	}
	return 600
}

// hosts are GOARCH and GOOS values that a file name of ours could end in by
// accident.
var hosts = []string{
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc", "ppc64", "ppc64le",
	"riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm", "linux", "windows", "darwin", "plan9", "js",
}

// Dropped reports whether the go command leaves a file out on some hosts
// because of its name.
func Dropped(file string) bool {
	name := strings.TrimSuffix(filepath.Base(file), ".go")
	name = strings.TrimSuffix(name, "_test")
	_, end, ok := strings.Cut(name, "_")
	if !ok {
		return false
	}
	parts := strings.Split(end, "_")
	last := parts[len(parts)-1]
	for _, h := range hosts {
		if last == h {
			return true
		}
	}
	return false
}
