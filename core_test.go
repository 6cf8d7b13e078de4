package utemu_test

import (
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
	"github.com/utemu/utemu/syscalls"
)

// crash runs a program that is to leave a core file and returns the machine,
// which still has the registers and the memory of the moment, and the file.
func crash(t *testing.T, c utemu.Config, before func(m *utemu.Machine)) (*utemu.Machine, emu.Status, string) {
	t.Helper()
	c.Core = filepath.Join(t.TempDir(), "core")
	c.Stdout, c.Stdin, c.Stderr, c.Stock = io.Discard, strings.NewReader(""), io.Discard, stock
	m, err := utemu.Load(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	if before != nil {
		before(m)
	}
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	require.NoError(t, m.CoreError())
	require.True(t, st.Core, m.Explain(st))
	require.Contains(t, m.Explain(st), "(core dumped)")
	return m, st, c.Core
}

// tool runs a program and returns what it printed, all of it.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), toolTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME=/nonexistent", "DEBUGINFOD_URLS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

const toolTime = 60e9

// gdb asks gdb about a core file and returns the answers by question.
func gdb(t *testing.T, sysroot, prog, core string, asks ...string) map[string]string {
	t.Helper()
	args := []string{"-nx", "-batch", "-iex", "set sysroot " + sysroot, "-iex", "set width 0", "-iex", "set auto-load off",
		"-iex", "set debuginfod enabled off", prog, core}
	for i, a := range asks {
		args = append(args, "-ex", fmt.Sprintf(`echo \n@@%d@@`, i), "-ex", a)
	}
	out := tool(t, "gdb-multiarch", args...)
	require.NotRegexp(t, `(?i)warning|unexpected|corrupt|attempt`, expected.ReplaceAllString(out, ""))
	answers := map[string]string{}
	for i, a := range asks {
		_, rest, ok := strings.Cut(out, fmt.Sprintf("\n@@%d@@", i))
		require.True(t, ok, "%s\n%s", a, out)
		rest, _, _ = strings.Cut(rest, "\n@@")
		answers[a] = strings.TrimSpace(rest)
	}
	head, _, _ := strings.Cut(out, "\n@@0@@")
	answers[""] = head
	return answers
}

// expected is what gdb has to say of any core file: that files have been
// deleted or are not in its sysroot, and that the stack of a program without a
// library has no end.
var expected = regexp.MustCompile(`warning: Can't open file \S+ (\(deleted\) )?during.*|\(corrupt stack\?\)`)

// unknown are the registers that are not in the sets of core files, or that
// gdb does not show; what it shows of the machine state of PowerPC is what
// Linux makes of it.
var unknown = regexp.MustCompile(`^(trap_nr|error_code|cr2|old_exception|tpidruro|orig_r0|trap_no|fault_address|fault_code|restart|` +
	`tpidrro|syscallno|orig_x0|pvr|dar|dsisr|result|vs\d+h|msr|fi(seg|off)|fo(seg|off)|mq|vscr_.*)$`)

// question is how to ask gdb for a register as one number in hexadecimal.
func question(r arch.Reg) string {
	name := "$" + r.Name
	switch {
	case r.Bits == 128 && r.Name[:2] == "vr" || strings.HasPrefix(r.Name, "xmm"):
		name += ".uint128"
	case r.Bits == 128:
		name += ".q.u[0]"
	}
	return "output/x " + name
}

// liveReg is a register in hexadecimal as gdb writes it.
func liveReg(a *arch.Arch, c *emu.CPU, r arch.Reg) string {
	b := make([]byte, (r.Bits+7)/8)
	c.Bytes(r.ID, b)
	if a.Order.Uint16([]byte{1, 0}) == 1 {
		slices.Reverse(b)
	}
	s := strings.TrimLeft(fmt.Sprintf("%x", b), "0")
	if s == "" {
		s = "0"
	}
	return "0x" + s
}

// pattern gives the floating point and vector registers of a program that has
// not begun values of their own.
func pattern(m *utemu.Machine) {
	a, c := m.Process().Arch, m.Process().CPU()
	for i, r := range a.Regs {
		if r.Bits < 64 || i < a.Core || unknown.MatchString(r.Name) || r.UC == arch.UCSoft ||
			!regexp.MustCompile(`^(xmm|st|d|v|vr|f)\d+$`).MatchString(r.Name) {
			continue
		}
		b := make([]byte, (r.Bits+7)/8)
		for j := range b {
			b[j] = byte(0x40 + 3*i + j)
		}
		if r.Bits == 80 {
			b[7] |= 0x80 // a number that is normal
		}
		c.SetBytes(r.ID, b)
	}
}

// TestCoreFault crashes a program on every architecture in several ways and
// holds what gdb finds in the core file to the machine's state.
func TestCoreFault(t *testing.T) {
	t.Parallel()
	for how, sig := range map[string]unix.Signal{"write": unix.SIGSEGV, "jump": unix.SIGSEGV, "illegal": unix.SIGILL, "break": unix.SIGTRAP, "abort": unix.SIGABRT, "bus": unix.SIGBUS} {
		t.Run(how, func(t *testing.T) {
			bins(t, "fault", func(t *testing.T, name, path string) {
				m, st, core := crash(t, utemu.Config{Path: path, Args: []string{path, how}, Env: []string{"A=B"}}, pattern)
				require.Equal(t, sig, st.Signal)
				a, c := m.Process().Arch, m.Process().CPU()
				asks := []string{"bt", "info auxv", "info proc mappings", "p $_siginfo.si_signo", "p $_siginfo.si_code", "x/4xw $sp"}
				fault := st.Fault != nil && st.Fault.Code < 0x80 && st.Fault.Code > 0
				if fault {
					asks = append(asks, "output/x $_siginfo._sifields._sigfault.si_addr")
				}
				var regs []arch.Reg
				for _, r := range a.Regs {
					if !unknown.MatchString(r.Name) {
						regs = append(regs, r)
						asks = append(asks, question(r))
					}
				}
				require.Greater(t, len(regs), 35)
				got := gdb(t, "/", path, core, asks...)
				for _, r := range regs {
					require.Equal(t, liveReg(a, c, r), got[question(r)], r.Name)
				}
				require.Contains(t, got[""], "Program terminated with signal "+unix.SignalName(sig))
				require.Contains(t, got[""], path+" "+how)
				require.Equal(t, fmt.Sprintf("$1 = %d", int(sig)), got["p $_siginfo.si_signo"])
				if st.Fault != nil {
					require.Equal(t, fmt.Sprintf("$2 = %d", st.Fault.Code), got["p $_siginfo.si_code"])
				}
				if fault {
					require.Equal(t, fmt.Sprintf("%#x", st.Fault.Addr), got["output/x $_siginfo._sifields._sigfault.si_addr"])
				}
				switch how {
				case "jump": // where there is no function
					require.Regexp(t, `^#0 +0x0*10 in \?\? `, got["bt"])
				case "abort": // in the function of a system call, as a rule
					require.Regexp(t, `^#0 .* in \w+ \(\)`, got["bt"])
				default:
					require.Regexp(t, `^#0 .* in die `, got["bt"])
				}
				coreAuxv(t, m, got["info auxv"])
				coreMappings(t, m, got["info proc mappings"])
				coreStack(t, m, got["x/4xw $sp"])
				coreMemory(t, m, core)
				coreReadelf(t, core)
			})
		})
	}
}

// coreAuxv holds gdb's list to the vector on the stack.
func coreAuxv(t *testing.T, m *utemu.Machine, text string) {
	t.Helper()
	a := m.Process().Arch
	v := m.Process().OS.(*syscalls.Process).Image.Auxv
	var want [][2]uint64
	word := func(b []byte) uint64 {
		if a.Word == 4 {
			return uint64(a.Order.Uint32(b))
		}
		return a.Order.Uint64(b)
	}
	for ; len(v) > 0; v = v[2*a.Word:] {
		want = append(want, [2]uint64{word(v), word(v[a.Word:])})
	}
	var got [][2]uint64
	for l := range strings.Lines(text) {
		f := regexp.MustCompile(`^(\d+)\s.*?\s(0x[0-9a-f]+|\d+)( ".*")?\s*$`).FindStringSubmatch(l)
		require.NotNil(t, f, l)
		typ, err := strconv.ParseUint(f[1], 10, 64)
		require.NoError(t, err)
		val, err := strconv.ParseUint(f[2], 0, 64)
		require.NoError(t, err)
		got = append(got, [2]uint64{typ, val})
	}
	require.Equal(t, want, got)
	require.Greater(t, len(got), 12)
}

// coreMappings holds gdb's list of mapped files to the address space.
func coreMappings(t *testing.T, m *utemu.Machine, text string) {
	t.Helper()
	var want, got []string
	var last emu.VMA
	add := func(v emu.VMA) {
		if last.File != nil {
			want = append(want, fmt.Sprintf("%#x %#x %#x %#x %s", last.Addr, last.End, last.Size(), last.Off, last.Path()))
		}
		last = v
	}
	m.Process().Space.VMAs(func(v *emu.VMA) bool {
		// Neighbours that the kernel would have joined are one.
		if last.File != nil && v.File != nil && last.End == v.Addr && last.Prot == v.Prot && last.Path() == v.Path() && last.Off+int64(last.Size()) == v.Off {
			last.End = v.End
			return true
		}
		add(*v)
		return true
	})
	add(emu.VMA{})
	for l := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(l), "0x") {
			got = append(got, strings.Join(strings.Fields(l), " "))
		}
	}
	require.Equal(t, want, got)
	require.NotEmpty(t, got)
}

// coreStack holds the words at the stack pointer to memory.
func coreStack(t *testing.T, m *utemu.Machine, text string) {
	t.Helper()
	p := m.Process()
	b := make([]byte, 16)
	_, err := p.Space.ReadAt(b, p.CPU().Reg(p.Arch.SP))
	require.NoError(t, err)
	want := ""
	for i := 0; i < 16; i += 4 {
		want += fmt.Sprintf("\t0x%08x", p.Arch.Order.Uint32(b[i:]))
	}
	_, got, _ := strings.Cut(text, ":")
	require.Equal(t, want, got)
}

// coreMemory holds the segments to the address space: each mapping has one,
// and what the file has of it is what is there.
func coreMemory(t *testing.T, m *utemu.Machine, core string) {
	t.Helper()
	e, err := elf.Open(core)
	require.NoError(t, err)
	defer e.Close()
	p := m.Process()
	require.Equal(t, []any{elf.ET_CORE, p.Arch.Machine, p.Arch.Class, p.Arch.Order}, []any{e.Type, e.Machine, e.Class, e.ByteOrder})
	covered := map[uint64]bool{}
	for _, s := range e.Progs[1:] {
		require.Equal(t, elf.PT_LOAD, s.Type)
		for a := s.Vaddr; a < s.Vaddr+s.Memsz; a += emu.PageSize {
			v := p.Space.Find(a)
			require.NotNil(t, v, "%#x", a)
			require.Equal(t, v.Prot, arch.Prot(s.Flags>>2&1|s.Flags&2|s.Flags&1<<2), "%#x", a)
			covered[a] = true
		}
		got, err := io.ReadAll(s.Open())
		require.NoError(t, err)
		want := make([]byte, len(got))
		n, _ := p.Space.ReadAt(want, s.Vaddr)
		if n < len(want) { // the rest lies past the end of a file
			clear(want[n:])
		}
		for i := 0; i < len(got); i++ {
			if i+4 <= len(got) && p.Arch.Order.Uint32(got[i:]) == uint32(m.Task().TID) && p.Arch.Order.Uint32(want[i:]) == 0 {
				i += 3 // cleared when the task was gone (set_tid_address)
				continue
			}
			if got[i] != want[i] {
				require.Failf(t, "memory differs", "at %#x: %#x, in the core file %#x", s.Vaddr+uint64(i), want[i], got[i])
			}
		}
	}
	p.Space.VMAs(func(v *emu.VMA) bool {
		for a := v.Addr; a < v.End; a += emu.PageSize {
			require.True(t, covered[a], "%#x", a)
		}
		return true
	})
}

// coreReadelf wants readelf to have nothing to say against the file.
func coreReadelf(t *testing.T, core string) {
	t.Helper()
	out := tool(t, "readelf", "-n", "-h", "-l", "-W", core)
	require.NotRegexp(t, `(?i)warning|error|corrupt|unknown`, out)
	for _, n := range []string{"NT_PRSTATUS", "NT_PRPSINFO", "NT_SIGINFO", "NT_AUXV", "NT_FILE", "NT_FPREGSET"} {
		require.Contains(t, out, n)
	}
	// elfutils decodes the notes, registers by their layout too.
	out = tool(t, "eu-readelf", "-n", core)
	require.NotRegexp(t, `(?i)warning|error|cannot|invalid|unknown`, out)
	for _, n := range []string{"PRSTATUS", "PRPSINFO", "SIGINFO", "AUXV", "FILE", "FPREGSET", "info.si_signo"} {
		require.Contains(t, out, n)
	}
}

// crasher is a program that a signal ends deep in its functions: by a fault of
// its own, or in the library.
const crasher = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int *volatile nowhere = (int *)16;
volatile char page[100000];
__attribute__((noinline)) int inner(int a, const char *how) { page[a] = 1; if (*how == 'f') *nowhere = a; else abort(); return a + 1; }
__attribute__((noinline)) int middle(int a, const char *how) { return inner(a * 2, how) + 1; }
__attribute__((noinline)) int outer(int a, const char *how) { return middle(a + 3, how) + 1; }
int main(int argc, char **argv) { printf("%d\n", outer(argc, argv[1])); return 0; }
`

// TestCoreLibc: gdb walks the stack of a program with a C library back to its
// beginning, through the library's own functions too, and finds arguments.
func TestCoreLibc(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := filepath.Join(dir, "crasher.c")
	require.NoError(t, os.WriteFile(src, []byte(crasher), 0o600))
	for _, target := range libcTargets {
		for _, link := range []libcLink{
			{name: "static", flags: []string{"-O0", "-static", "-no-pie"}},
			{name: "dynamic", flags: []string{"-O0", "-fPIE", "-pie"}},
		} {
			t.Run(target.name+"/"+link.name, func(t *testing.T) {
				prog := filepath.Join(t.TempDir(), "crasher")
				flags := slices.Concat(target.flags, []string{"-g", "-funwind-tables"}, link.flags, []string{"-o", prog, src})
				tool(t, target.cc, flags...)
				for how, sig := range map[string]unix.Signal{"fault": unix.SIGSEGV, "abort": unix.SIGABRT} {
					m, st, core := crash(t, utemu.Config{Path: prog, Args: []string{prog, how}, Sysroot: target.sysroot}, nil)
					require.Equal(t, sig, st.Signal, m.Explain(st))
					frame := []string{"frame function inner", "p a"}
					if target.name == "armel" && how == "abort" {
						frame = nil // Debian's abort has no table to unwind it by
					}
					got := gdb(t, target.sysroot, prog, core, append([]string{"bt", "info auxv", "info proc mappings"}, frame...)...)
					bt := got["bt"]
					if frame == nil {
						require.Regexp(t, `(?s)#0 .*#2 .*in abort \(\)`, bt)
						continue
					}
					require.Regexp(t, `(?s)#\d+ .*inner \(a=10, how=.*"`+how+`"\).*#\d+ .*middle \(a=5,.*#\d+ .*outer \(a=2,.*#\d+ .*main \(argc=2,`, bt)
					if how == "fault" {
						require.Regexp(t, `^#0 .*inner \(a=10`, bt)
					} else {
						require.Contains(t, bt, "abort ()")
					}
					require.Equal(t, "$1 = 10", got["p a"])
					coreAuxv(t, m, got["info auxv"])
					coreMappings(t, m, got["info proc mappings"])
					coreMemory(t, m, core)
					coreReadelf(t, core)
				}
			})
		}
	}
}

// coreNotes reads the notes of a core file.
func coreNotes(t *testing.T, core string) []regset.Note {
	t.Helper()
	e, err := elf.Open(core)
	require.NoError(t, err)
	defer e.Close()
	b, err := io.ReadAll(e.Progs[0].Open())
	require.NoError(t, err)
	up := func(n uint32) uint32 { return (n + 3) &^ 3 }
	var l []regset.Note
	for len(b) > 0 {
		name, desc := e.ByteOrder.Uint32(b), e.ByteOrder.Uint32(b[4:])
		d := b[12+up(name):][:desc]
		l = append(l, regset.Note{Name: string(b[12 : 12+name-1]), Type: e.ByteOrder.Uint32(b[8:]), Desc: d})
		b = b[12+up(name)+up(desc):]
	}
	return l
}

// TestCoreNotes holds the notes to the kernel's: their order, owners and sizes,
// with the sizes of the sets as the kernel's view has them; and the registers
// in them to the sets of the stopped machine.
func TestCoreNotes(t *testing.T) {
	const core, linux = "CORE", "LINUX"
	type n struct {
		owner string
		typ   uint32
		size  int
	}
	for name, want := range map[string][]n{
		"i386":    {{core, 1, 144}, {core, 3, 124}, {core, 2, 108}, {linux, 0x46e62b7f, 512}},
		"x86_64":  {{core, 1, 336}, {core, 3, 136}, {core, 2, 512}},
		"arm":     {{core, 1, 148}, {core, 3, 124}, {core, 2, 116}, {linux, 0x400, 260}},
		"aarch64": {{core, 1, 392}, {core, 3, 136}, {core, 2, 528}, {linux, 0x401, 16}, {linux, 0x402, 264}, {linux, 0x403, 264}, {linux, 0x404, 4}},
		"ppc":     {{core, 1, 268}, {core, 3, 128}, {core, 2, 264}, {linux, 0x100, 544}},
		"ppc64":   {{core, 1, 504}, {core, 3, 136}, {core, 2, 264}, {linux, 0x100, 544}},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("testdata/bins", name, "fault"))
			require.NoError(t, err)
			m, _, file := crash(t, utemu.Config{Path: path, Args: []string{path, "write"}}, pattern)
			a, c := m.Process().Arch, m.Process().CPU()
			want = slices.Insert(want, 2, n{core, regset.NoteSiginfo, 128}, n{core, regset.NoteAuxv, 0}, n{core, regset.NoteFile, 0})
			var got []n
			for _, note := range coreNotes(t, file) {
				got = append(got, n{note.Name, note.Type, len(note.Desc)})
				if note.Type == regset.NoteAuxv || note.Type == regset.NoteFile {
					got[len(got)-1].size = 0
				}
				set := a.Views[0].Find(note.Type)
				if set == nil {
					continue
				}
				img := make([]byte, set.Bytes())
				require.NoError(t, set.Get(c, 0, img))
				desc := note.Desc
				if note.Type == regset.NotePRStatus {
					f := a.Layout["elf_prstatus"].Fields["pr_reg"]
					desc = desc[f.Off:][:f.Size]
				}
				require.Equal(t, img, desc, set.Name)
			}
			require.Equal(t, want, got)
		})
	}
}

// TestCoreNative compares a core file of an x86-64 program with the one that
// the host's kernel writes for it.
func TestCoreNative(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	require.NoError(t, err)
	path, err := filepath.Abs("testdata/bins/x86_64/fault")
	require.NoError(t, err)
	m, _, ours := crash(t, utemu.Config{Path: path, Args: []string{path, "write"}, Env: []string{"A=B"}}, nil)
	if p := strings.TrimSpace(string(b)); p != "core" {
		// Sizes and order stand in TestCoreNotes.
		t.Logf("the host's core_pattern is %q: no core file of its kernel", p)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec env -i A=B setarch -R "+path+" write")
	cmd.Dir = dir
	require.Error(t, cmd.Run())
	l, err := filepath.Glob(filepath.Join(dir, "core*"))
	require.NoError(t, err)
	require.Len(t, l, 1)

	// The host's CPU has sets that ours has not.
	hosts := slices.DeleteFunc(coreNotes(t, l[0]), func(n regset.Note) bool { return n.Type >= 0x202 && n.Type < 0x300 })
	mine := coreNotes(t, ours)
	require.Len(t, mine, len(hosts))
	layout := m.Process().Arch.Layout
	for i, want := range hosts {
		got := mine[i]
		require.Equal(t, []any{want.Name, want.Type}, []any{got.Name, got.Type})
		switch want.Type {
		case regset.NotePRStatus:
			require.Len(t, got.Desc, len(want.Desc))
			f := layout["elf_prstatus"].Fields
			for _, field := range []string{"pr_info", "pr_cursig", "pr_sigpend", "pr_sighold", "pr_fpvalid"} {
				at := f[field]
				require.Equal(t, want.Desc[at.Off:at.Off+at.Size], got.Desc[at.Off:at.Off+at.Size], field)
			}
			// All but those that hold addresses on the stack.
			for j, reg := range strings.Fields("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs") {
				at := f["pr_reg"].Off + 8*j
				x, y := want.Desc[at:at+8], got.Desc[at:at+8]
				if x[5] == 0x7f && y[5] == 0x7f {
					continue
				}
				require.Equal(t, x, y, reg)
			}
		case regset.NotePRPSInfo:
			f := layout["elf_prpsinfo"].Fields
			for _, field := range []string{"pr_state", "pr_sname", "pr_zomb", "pr_nice", "pr_uid", "pr_gid", "pr_fname", "pr_psargs"} {
				at := f[field]
				require.Equal(t, want.Desc[at.Off:at.Off+at.Size], got.Desc[at.Off:at.Off+at.Size], field)
			}
		case regset.NoteSiginfo, regset.NoteFile:
			require.Equal(t, want.Desc, got.Desc)
		case 2:
			// All but the masks of bits that the CPU has.
			require.Equal(t, want.Desc[:28], got.Desc[:28])
			require.Equal(t, want.Desc[32:416], got.Desc[32:416])
		}
	}
	segments := func(core string) (l []string) {
		e, err := elf.Open(core)
		require.NoError(t, err)
		defer e.Close()
		for _, p := range e.Progs[1:] {
			if p.Vaddr < 1<<32 {
				b, err := io.ReadAll(p.Open())
				require.NoError(t, err)
				h := p.ProgHeader
				h.Off -= e.Progs[1].Off // the notes of the host's CPU may take more pages
				l = append(l, fmt.Sprintf("%+v %x", h, b))
			}
		}
		return l
	}
	require.Equal(t, segments(l[0]), segments(ours))
}

// TestCoreLarge: the core file of a program with a gigabyte that it does not
// use is written without that memory, and takes little room.
func TestCoreLarge(t *testing.T) {
	dir := t.TempDir()
	src, prog := filepath.Join(dir, "large.c"), filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(src, []byte(`
#include <stdlib.h>
int main(void) { char *p = malloc(1 << 30); p[0x10000000] = 1; p[0x30000000] = 2; abort(); }
`), 0o600))
	tool(t, "powerpc-linux-gnu-gcc", "-O0", "-static", "-o", prog, src)
	var before, after unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &before))
	_, _, core := crash(t, utemu.Config{Path: prog}, nil)
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &after))
	require.Less(t, emu.MemoryFiles(), uint64(64<<20))
	require.Less(t, after.Maxrss-before.Maxrss, int64(512<<10), "kilobytes")
	st, err := os.Stat(core)
	require.NoError(t, err)
	require.Greater(t, st.Size(), int64(1<<30))
	var u unix.Stat_t
	require.NoError(t, unix.Stat(core, &u))
	require.Less(t, u.Blocks*512, int64(16<<20))
}

// threads is a program with three threads, each in a function of its own, one
// of which crashes.
const threads = `
#include <pthread.h>
#include <unistd.h>
static pthread_barrier_t all;
static int ends[2];
static volatile long count;
__attribute__((noinline)) void spinning(long n) { for (;;) count += n; }
__attribute__((noinline)) void *waiting(void *p) { char c; pthread_barrier_wait(&all); read(ends[0], &c, 1); return p; }
__attribute__((noinline)) void *spins(void *p) { pthread_barrier_wait(&all); spinning((long)p); return p; }
__attribute__((noinline)) void crashing(int n) { *(volatile int *)16 = n; }
int main(void)
{
	pthread_t a, b;
	pipe(ends);
	pthread_barrier_init(&all, 0, 3);
	pthread_create(&a, 0, waiting, 0);
	pthread_create(&b, 0, spins, (void *)77);
	pthread_barrier_wait(&all);
	while (!count)
		;
	crashing(5);
}
`

// TestCoreThreads: each thread has its registers in the core file, the one that
// crashed first.
func TestCoreThreads(t *testing.T) {
	src := filepath.Join(t.TempDir(), "threads.c")
	require.NoError(t, os.WriteFile(src, []byte(threads), 0o600))
	for _, target := range libcTargets {
		t.Run(target.name, func(t *testing.T) {
			prog := filepath.Join(t.TempDir(), "threads")
			tool(t, target.cc, slices.Concat(target.flags, []string{"-g", "-O0", "-static", "-pthread", "-Wno-unused-result", "-o", prog, src})...)
			m, st, core := crash(t, utemu.Config{Path: prog, Sysroot: target.sysroot}, nil)
			require.Equal(t, unix.SIGSEGV, st.Signal, m.Explain(st))
			got := gdb(t, target.sysroot, prog, core, "thread", "thread apply all bt")
			require.Regexp(t, `^\[Current thread is 1 `, got["thread"])
			bts := strings.Split(got["thread apply all bt"], "\nThread ")
			require.Len(t, bts, 3)
			all := map[string]bool{}
			for _, bt := range bts {
				for _, f := range []string{`crashing \(n=5\)`, `spinning \(n=77\)`, `waiting \(p=0x0\)`} {
					if regexp.MustCompile(f).MatchString(bt) {
						require.False(t, all[f])
						all[f] = true
					}
				}
			}
			require.Len(t, all, 3, got["thread apply all bt"])
			coreReadelf(t, core)
		})
	}
}
