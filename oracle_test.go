package utemu_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/internal/oracle"
	"github.com/utemu/utemu/stepper"
	"github.com/utemu/utemu/syscalls"
)

// oracleTargets are the oracle of each target, and the steps that the short
// form of TestOracle makes under it.
var oracleTargets = []struct {
	target string
	start  func(oracle.Program) (oracle.Process, error)
	steps  uint64
}{
	{"x86_64", oracle.StartNative, 20_000},
	{"i386", oracle.StartNative, 20_000},
	{"arm", oracle.StartQemu, 2_000},
	{"thumb", oracle.StartQemu, 2_000},
	{"aarch64", oracle.StartQemu, 2_000},
	{"ppc", oracle.StartQemu, 2_000},
	{"ppc64", oracle.StartQemu, 2_000},
}

// TestOracle steps programs on static glibc in the emulator and under somebody
// else, side by side. UTEMU_ORACLE is the number of steps that each target has
// to make; programs are stepped until they are made (make oracle).
func TestOracle(t *testing.T) {
	for _, o := range oracleTargets {
		t.Run(o.target, func(t *testing.T) {
			left := o.steps
			if s := os.Getenv("UTEMU_ORACLE"); s != "" {
				var err error
				left, err = strconv.ParseUint(s, 0, 64)
				require.NoError(t, err)
			}
			for _, target := range libcTargets {
				if target.name != o.target {
					continue
				}
				for _, src := range []string{"strings.c", "integer.c", "sorting.c", "stdio.c", "jumps.c", "heap.c", "digests.c"} {
					if left == 0 {
						break
					}
					rep := oracleRun(t, o.start, libcBuild(t, src, target, libcLinks[4]), left)
					left -= rep.Steps
				}
			}
			require.Zero(t, left, "the programs are too short")
		})
	}
}

// TestOracleSysroot: dynamic linker and libraries of a program may be under a
// sysroot that the kernel of this machine knows nothing of.
func TestOracleSysroot(t *testing.T) {
	for _, link := range []string{"dynamic-O0", "pie-O2"} {
		l := libcLinks[slices.IndexFunc(libcLinks, func(l libcLink) bool { return l.name == link })]
		// So many steps lead through the dynamic linker.
		oracleRun(t, oracle.StartNative, libcBuild(t, "strings.c", libcTargetOf("i386"), l), 150_000)
	}
}

// TestOracleUmask: an oracle starts with the program's umask.
func TestOracleUmask(t *testing.T) {
	oracleRun(t, oracle.StartNative, "/bin/sh", 0, "-c", "umask")
}

// TestOracleRandom: what is read from a device for random numbers is the
// emulator's on both sides.
func TestOracleRandom(t *testing.T) {
	rep := oracleRun(t, oracle.StartNative, "/usr/bin/head", 0, "-c", "8", "/dev/urandom")
	require.NotZero(t, rep.Explained["read: random bytes"])
}

// TestOracleRefused: qemu-ppc does not run what older processors take for MFFS.
func TestOracleRefused(t *testing.T) {
	code := []uint32{
		0xfc17048e, // mffscrni f0,0
		0xd801fff0, // stfd f0,-16(r1)
		0x8081fff4, // lwz r4,-12(r1)
		0x38000001, // li r0,1
		0x38600000, // li r3,0
		0x44000002, // sc
	}
	const at, head = 0x10000000, 52 + 32
	size := uint32(head + 4*len(code))
	var b bytes.Buffer
	for _, v := range []any{
		elf.Header32{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2MSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_PPC), Version: uint32(elf.EV_CURRENT), Entry: at + head, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: 1,
		},
		elf.Prog32{Type: uint32(elf.PT_LOAD), Vaddr: at, Filesz: size, Memsz: size, Flags: uint32(elf.PF_R | elf.PF_X), Align: 0x1000},
		code,
	} {
		require.NoError(t, binary.Write(&b, binary.BigEndian, v))
	}
	path := filepath.Join(t.TempDir(), "mffs")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o700))
	rep := oracleRun(t, oracle.StartQemu, path, 0)
	require.NotZero(t, rep.Explained["mffscrni: qemu does not run it"])
}

// TestOracleHelpers: the kernel's helpers of ARM, which qemu-user runs as a whole,
// are one step.
func TestOracleHelpers(t *testing.T) {
	for _, isa := range []string{"arm", "thumb"} {
		rep := oracleRun(t, oracle.StartQemu, filepath.Join("stepper/steptest/guests", isa, "code"), 0, "helpers")
		require.NotZero(t, rep.Explained["registers that a helper of the kernel's may change"])
	}
}

// TestOracleDescriptors: what a program opens has the same number under the stub
// of qemu-user, whose sockets have some.
func TestOracleDescriptors(t *testing.T) {
	// So many steps open the file; later calls fail otherwise in qemu-user.
	oracleRun(t, oracle.StartQemu, "testdata/bins/ppc/mapfile", 150, "testdata/bins/ppc/hello")
}

// oracleRun compares a program, most steps at most; its argument is a folder of
// its own if none is given.
func oracleRun(t *testing.T, start func(oracle.Program) (oracle.Process, error), path string, most uint64, args ...string) oracle.Report {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours, err := oracle.NewCapture(nil)
	require.NoError(t, err)
	defer ours.Release()
	args = append([]string{path, t.TempDir()}[:2-min(len(args), 1)], args...)
	m, err := utemu.Load(utemu.Config{Path: path, Args: args, Env: libcEnv, Stdin: ours.Files[0], Stdout: ours.Files[1], Stderr: ours.Files[2], Stock: stock})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	sys := m.Process().OS.(*syscalls.Process)
	p, err := start(oracle.Program{Arch: m.Process().Arch, Model: m.Process().Model.Name, Path: path, Args: args, Env: libcEnv,
		Sysroot: m.Sysroot(), HostPath: sys.K.HostPath, Umask: sys.FS.Mask()})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	g, err := emu.NewTarget(m.Task())
	require.NoError(t, err)
	rep, d, err := oracle.Compare(t.Context(), g, p, oracle.Config{Strategy: stepper.Native{}, Max: most, HostPath: sys.K.HostPath})
	require.NoError(t, err, "after %d steps", rep.Steps)
	require.Nil(t, d, "%s, explained %v", d, rep.Explained)
	require.Empty(t, rep.Ended)
	require.Positive(t, rep.Steps)
	t.Logf("%s: %d steps, %d bytes of memory, explained %v", path, rep.Steps, rep.Bytes, rep.Explained)
	return rep
}

// mirror is an oracle that is the emulator again, and lies where it is told to.
type mirror struct {
	m     *utemu.Machine
	g     *emu.Target
	regs  *oracle.Regs
	steps uint64
	argv  uint64
	lie   func(p *mirror, st *oracle.Stop)
}

func newMirror(t *testing.T, path string, lie func(p *mirror, st *oracle.Stop)) *mirror {
	m := quiet(t, path)
	g, err := emu.NewTarget(m.Task())
	require.NoError(t, err)
	p := &mirror{m: m, g: g, regs: oracle.NewRegs(g.Arch()), lie: lie}
	p.read()
	p.argv = p.regs.Reg(g.Arch().SP) + uint64(g.Arch().Word)
	return p
}

// quiet loads a program that nobody hears.
func quiet(t *testing.T, path string) *utemu.Machine {
	m, err := utemu.Load(utemu.Config{Path: path, Args: []string{path}, Env: libcEnv, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Stock: stock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func (p *mirror) read() {
	a := p.g.Arch()
	for _, r := range a.Regs[:a.Core] {
		p.regs.SetReg(r.ID, p.g.Regs().Reg(r.ID))
	}
}

// Step implements oracle.Process.
func (p *mirror) Step(ctx context.Context, _ *arch.Insn, _ uint64) (oracle.Stop, error) {
	a := p.g.Arch()
	for _, r := range a.Regs[:a.Core] {
		p.g.Regs().SetReg(r.ID, p.regs.Reg(r.ID))
	}
	st, err := stepper.Native{}.Step(ctx, p.g, stepper.Insn)
	if err != nil {
		return oracle.Stop{}, err
	}
	p.steps++
	out := oracle.Stop{Exited: st.Why == stepper.Exited, Status: st.Code}
	if st.Why == stepper.Signal {
		out = oracle.Stop{Signo: st.Signo}
	}
	p.read()
	p.lie(p, &out)
	return out, nil
}

func (p *mirror) ReadAt(b []byte, at uint64) (int, error)  { return p.g.Mem().ReadAt(b, at) }
func (p *mirror) WriteAt(b []byte, at uint64) (int, error) { return p.g.Mem().WriteAt(b, at) }
func (p *mirror) Name() string                             { return "mirror" }
func (p *mirror) Regs() *oracle.Regs                       { return p.regs }
func (p *mirror) Qemu() bool                               { return false }
func (p *mirror) Frames() bool                             { return true }
func (p *mirror) Output() []byte                           { return nil }
func (p *mirror) Close() error                             { return nil }

// TestOracleDifference: whatever an oracle says otherwise is found, at the step
// where it does, on every architecture.
func TestOracleDifference(t *testing.T) {
	const at = 40
	lies := map[string]struct {
		lie   func(p *mirror, st *oracle.Stop)
		check func(t *testing.T, a *arch.Arch, d *oracle.Difference, last uint64)
	}{
		"none": {func(*mirror, *oracle.Stop) {}, func(t *testing.T, _ *arch.Arch, d *oracle.Difference, _ uint64) { require.Nil(t, d) }},
		"pc": {func(p *mirror, _ *oracle.Stop) {
			if id := p.g.Arch().PC; p.steps == at {
				p.regs.SetReg(id, p.regs.Reg(id)+4)
			}
		}, func(t *testing.T, _ *arch.Arch, d *oracle.Difference, _ uint64) {
			require.EqualValues(t, at, d.Step)
			require.Equal(t, d.Stops[0].PC+4, d.Stops[1].PC)
		}},
		"register": {func(p *mirror, _ *oracle.Stop) {
			if id := p.g.Arch().SP; p.steps == at {
				p.regs.SetReg(id, p.regs.Reg(id)^1)
			}
		}, func(t *testing.T, a *arch.Arch, d *oracle.Difference, _ uint64) {
			require.EqualValues(t, at, d.Step)
			require.Len(t, d.Regs, 1)
			require.Equal(t, d.Regs[0].Values[0]^1, d.Regs[0].Values[1])
		}},
		"signal": {func(p *mirror, st *oracle.Stop) {
			if p.steps == at {
				st.Signo = 11
			}
		}, func(t *testing.T, _ *arch.Arch, d *oracle.Difference, _ uint64) {
			require.EqualValues(t, at, d.Step)
			require.Equal(t, 11, d.Stops[1].Signo)
		}},
		"status": {func(_ *mirror, st *oracle.Stop) {
			if st.Exited {
				st.Status = 9
			}
		}, func(t *testing.T, _ *arch.Arch, d *oracle.Difference, last uint64) {
			require.EqualValues(t, last, d.Step)
			require.Equal(t, 9, d.Stops[1].Code)
		}},
		"memory": {func(p *mirror, _ *oracle.Stop) {
			if p.steps == at {
				b := make([]byte, 1)
				_, _ = p.ReadAt(b, p.argv)
				b[0] ^= 0x80
				_, _ = p.WriteAt(b, p.argv)
			}
		}, func(t *testing.T, _ *arch.Arch, d *oracle.Difference, last uint64) {
			require.Less(t, d.Step, last) // before the call that ends it
			require.Contains(t, d.What, "memory at ")
		}},
	}
	for _, a := range utemu.Arches() {
		path, err := filepath.Abs(filepath.Join("testdata/bins", a.Name, "hello"))
		require.NoError(t, err)
		last := uint64(0)
		for _, name := range []string{"none", "pc", "register", "signal", "status", "memory"} {
			t.Run(a.Name+"/"+name, func(t *testing.T) {
				p := newMirror(t, path, lies[name].lie)
				g, err := emu.NewTarget(quiet(t, path).Task())
				require.NoError(t, err)
				rep, d, err := oracle.Compare(t.Context(), g, p, oracle.Config{Strategy: stepper.Native{}})
				require.NoError(t, err)
				if name == "none" {
					last = rep.Steps
					require.Greater(t, last, uint64(at))
					require.Positive(t, rep.Bytes)
				} else {
					require.NotNil(t, d)
					require.NotEmpty(t, d.String())
				}
				lies[name].check(t, a, d, last)
			})
		}
	}
}
