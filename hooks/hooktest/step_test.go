package hooktest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/hooks/hooktest"
	"github.com/utemu/utemu/regset"
)

// loadBin loads a program of testdata.
func loadBin(t *testing.T, arch, program string, out *bytes.Buffer) *utemu.Machine {
	path := filepath.Join("../../testdata/bins", arch, program)
	m, err := utemu.Load(utemu.Config{Path: path, Args: []string{program}, Env: []string{}, Stdout: out, Stock: stock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// A program that is stepped from its first instruction to its end executes
// the same instructions as one that is not, and does the same (behaviour 100).
func TestSteppedProgram(t *testing.T) {
	arches := map[string]*arch.Arch{}
	for _, a := range utemu.Arches() {
		arches[a.Name] = a
		if a.BreakIT != nil {
			arches[a.Name+"-thumb"] = a
		}
	}
	for name, a := range arches {
		t.Run(name, func(t *testing.T) {
			program := "branches" + strings.TrimPrefix(name, a.Name)
			var plain, stepped bytes.Buffer
			m := loadBin(t, a.Name, program, &plain)
			var want []uint64
			m.Process().SetTrace(&emu.Trace{Kinds: emu.TraceInsns, Sink: func(recs []emu.TraceRecord) error {
				for _, r := range recs {
					if r.Kind == emu.TraceInsn {
						want = append(want, r.A)
					}
				}
				return nil
			}})
			end, err := m.Run(context.Background())
			require.NoError(t, err)

			m = loadBin(t, a.Name, program, &stepped)
			m.Process().SetCaps(arch.HasSingleStep)
			pcs := []uint64{m.Process().CPU().Reg(a.PC)}
			e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{
				Quiesce: func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.SingleStep },
				Signal: func(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
					require.Equal(t, unix.SIGTRAP, s.Info.No)
					pcs = append(pcs, c.Regs().Reg(a.PC))
					return hooks.Action{Resume: hooks.SingleStep, Signal: hooks.SigIgn}
				},
			}, nil)
			require.NoError(t, err)
			require.NoError(t, e.SetEvents(hooks.EventQuiesce|hooks.EventSignalCore))
			require.NoError(t, e.Control(hooks.Report))
			got, err := m.Run(context.Background())
			require.NoError(t, err)
			require.Equal(t, end, got)
			require.Equal(t, plain.String(), stepped.String())
			require.Equal(t, len(want), len(pcs))
			require.Equal(t, want, pcs)
		})
	}
}

// isaOf is the one with a name.
func isaOf(t *testing.T, name string) *isa {
	for _, i := range isas {
		if i.name == name {
			return i
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// x86Program runs machine code of x86-64 and returns the SIGTRAPs that an
// engine dropped, with PC and flags at each.
func x86Program(t *testing.T, text []byte, step bool) (pcs, flags []uint64) {
	i := isaOf(t, "x86_64")
	a := archOf(t, i)
	text = append(text, 0xb8, 231, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05) // exit_group(0)
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, i.image(a, text, base), 0o755))
	m, err := utemu.Load(utemu.Config{Path: path, Stock: stock})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	eflags, ok := a.RegByName("eflags")
	require.True(t, ok)
	next := hooks.Run
	if step {
		next = hooks.SingleStep
	}
	e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{
		Quiesce: func(*hooks.Call, hooks.Event) hooks.Resume { return next },
		Signal: func(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
			if s.Info.No != unix.SIGTRAP && s.Event != 0 {
				return hooks.Action{Resume: next}
			}
			pcs = append(pcs, c.Regs().Reg(a.PC)-base)
			flags = append(flags, c.Regs().Reg(eflags.ID))
			return hooks.Action{Resume: next, Signal: hooks.SigIgn}
		},
	}, nil)
	require.NoError(t, err)
	require.NoError(t, e.SetEvents(hooks.EventQuiesce|hooks.EventSignalCore))
	require.NoError(t, e.Control(hooks.Report))
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, emu.Status{}, st)
	return pcs, flags
}

const flagTF = 0x100

// The flags of a stepped guest are its own: no TF is seen in them, not even by
// PUSHF (behaviours 90 and 92).
func TestNoTrapFlag(t *testing.T) {
	text := []byte{
		0x9c,                    // pushf
		0x58,                    // pop rax
		0xf6, 0xc4, flagTF >> 8, // test ah, 1
		0x90,       // nop
		0x75, 0x02, // jnz to ud2
		0xeb, 0x02, // jmp over it
		0x0f, 0x0b, // ud2
	}
	pcs, flags := x86Program(t, text, true)
	require.Equal(t, []uint64{1, 2, 5, 6, 8, 12, 17, 19}, pcs)
	for _, f := range flags {
		require.Zero(t, f&flagTF)
	}
}

// A flag that the guest sets itself traps after the instruction that follows,
// can be seen, and stays, stepped or not (behaviour 90).
func TestOwnTrapFlag(t *testing.T) {
	text := []byte{
		0x9c,                                           // pushf
		0x48, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, // or qword [rsp], 0x100
		0x9d,       // popf
		0x90, 0x90, // nop, nop
	}
	pcs, flags := x86Program(t, text, false)
	require.Equal(t, []uint64{11, 12, 17, 19}, pcs[:4])
	for _, f := range flags[:4] {
		require.NotZero(t, f&flagTF)
	}
	stepped, flags := x86Program(t, text, true)
	require.Equal(t, []uint64{1, 9, 10, 11, 12, 17, 19}, stepped[:7])
	for i, f := range flags[:7] {
		require.Equal(t, i >= 2, f&flagTF != 0, "at %#x", stepped[i])
	}
}

// Under a step a handler's frame has the flags of the guest (behaviour 91).
func TestFrameFlags(t *testing.T) {
	const eflags = 40 + 17*8 // uc_mcontext.gregs[REG_EFL] in struct ucontext_t
	program := func(own bool) []byte {
		act := uint32(base + 0x100)
		handler := uint32(base + 0x80)
		text := []byte{0xbf, 10, 0, 0, 0, 0xbe} // mov edi, SIGUSR1; mov esi, act
		text = binary.LittleEndian.AppendUint32(text, act)
		text = append(text, 0x31, 0xd2, 0x41, 0xba, 8, 0, 0, 0, 0xb8, 13, 0, 0, 0, 0x0f, 0x05, // xor edx, edx; mov r10d, 8; rt_sigaction
			0xb8, 39, 0, 0, 0, 0x0f, 0x05, // getpid
			0x89, 0xc7, 0xbe, 10, 0, 0, 0, 0xb8, 62, 0, 0, 0) // mov edi, eax; mov esi, SIGUSR1; mov eax, kill
		if own {
			text = append(text, 0x9c, 0x48, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9d) // pushf; or qword [rsp], 0x100; popf
		}
		text = append(text, 0x0f, 0x05, 0x0f, 0x0b) // syscall; ud2
		text = append(text, make([]byte, 0x80-len(text))...)
		want := byte(0x75) // jnz
		if own {
			want = 0x74 // jz
		}
		text = append(text, 0xf7, 0x82) // test dword [rdx+eflags], TF
		text = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(text, eflags), flagTF)
		text = append(text, want, 2, 0xeb, 2, 0x0f, 0x0b) // to ud2; jmp over it
		text = append(text, 0xb8, 231, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05)
		text = append(text, make([]byte, 0x100-len(text))...)
		const flags = 4 | 0x04000000 // SA_SIGINFO | SA_RESTORER
		for _, v := range []uint64{uint64(handler), flags, uint64(handler), 0} {
			text = binary.LittleEndian.AppendUint64(text, v)
		}
		return text
	}
	for _, own := range []bool{false, true} {
		pcs, _ := x86Program(t, program(own), true)
		require.Contains(t, pcs, uint64(0x80)) // the handler ran, by steps
	}
}

// A step of a repeated instruction is one iteration, as on hardware (behaviour
// 94).
func TestRepeat(t *testing.T) {
	text := []byte{
		0xb9, 3, 0, 0, 0, // mov ecx, 3
		0xbf, 0, 0, 0, 0, // mov edi, buf
		0xf3, 0xaa, // rep stosb
		0x90, // nop
	}
	binary.LittleEndian.PutUint32(text[6:], bufAt)
	pcs, _ := x86Program(t, text, true)
	require.Equal(t, []uint64{5, 10, 10, 10, 12, 13, 18, 20}, pcs)
}

// What a tracer writes into the bits of a register by which hardware steps: on
// x86 and PowerPC the task steps from then on as if it had set them itself, on
// AArch64 nothing (behaviours 90 and 95).
func TestTracersTrapFlag(t *testing.T) {
	for name, c := range map[string]struct {
		slot  int // of the general set
		bit   uint64
		steps bool
	}{
		"x86_64": {18, flagTF, true}, "i386": {14, flagTF, true}, "ppc": {33, 0x400, true}, "ppc64": {33, 0x400, true}, "aarch64": {33, 1 << 21, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := isaOf(t, name)
			var g *hooktest.Guest
			traps, set := []uint64{}, false
			g = newGuest(t, context.Background(), i, hooktest.Program{{Kind: hooktest.Nop}, {Kind: hooktest.Nop}, {Kind: hooktest.Call, Name: "exit_group", Args: []any{3}}})
			a := archOf(t, i)
			e, err := g.Task.Attach(hooks.AttachCreate, &hooks.Ops{
				Quiesce: func(c2 *hooks.Call, ev hooks.Event) hooks.Resume {
					if ev == 0 && !set {
						set = true
						setBit(t, a, c2.Regs(), c.slot, c.bit, c.steps)
					}
					return hooks.Run
				},
				Signal: func(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
					traps = append(traps, c.Regs().Reg(a.PC))
					return hooks.Action{Signal: hooks.SigIgn}
				},
			}, nil)
			require.NoError(t, err)
			require.NoError(t, e.SetEvents(hooks.EventQuiesce|hooks.EventSignalCore))
			require.NoError(t, e.Control(hooks.Report))
			st, err := g.Run()
			require.NoError(t, err)
			require.Equal(t, 3<<8, st)
			want := []uint64{}
			if c.steps {
				want = g.Insns[1:]
			}
			require.Equal(t, want, traps)
		})
	}
}

// setBit sets a bit in a slot of the general set, where it must stick or not.
func setBit(t *testing.T, a *arch.Arch, r regset.Regs, slot int, bit uint64, sticks bool) {
	v := a.Views[0]
	b := make([]byte, v.Find(regset.NotePRStatus).Bytes())
	_, err := v.Read(r, regset.NotePRStatus, b)
	require.NoError(t, err)
	at := b[slot*a.Word:] // the low half
	if a.Order.Uint16([]byte{0, 1}) == 1 {
		at = at[a.Word-4:]
	}
	a.Order.PutUint32(at, a.Order.Uint32(at)|uint32(bit))
	_, err = v.Write(r, regset.NotePRStatus, b)
	require.NoError(t, err)
	_, err = v.Read(r, regset.NotePRStatus, b)
	require.NoError(t, err)
	require.Equal(t, sticks, uint64(a.Order.Uint32(at))&bit != 0)
}

// Each instruction of an IT block of Thumb is a step, whether it is carried
// out or not; so are a system call and a fault there (behaviour 83).
func TestThumbBlocks(t *testing.T) {
	i := isaOf(t, "thumb")
	a := archOf(t, i)
	w := &code{a: a}
	w.half(0x2001) // movs r0, 1
	w.half(0x2801) // cmp r0, 1
	w.half(0xbf0c) // ite eq
	w.half(0x2003) // moveq r0, 3
	w.half(0x2004) // movne r0, 4
	movThumb(w, 0xf240, 12, 16)
	w.half(0xbf1c)         // itt ne
	w.half(0x2009)         // movne r0, 9
	w.half(0xf8dc, 0xc000) // ldrne ip, [ip]
	loadThumb(w, 6, nr(a, "exit_group"))
	w.half(0xbf06)         // itte eq
	w.half(0xf8dc, 0xc000) // ldreq ip, [ip]: faults
	w.half(0xdf00)         // svceq: the engine goes on behind the load
	w.half(0x2009)         // movne r0, 9
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, i.image(a, append(w.b, make([]byte, 0x200)...), base), 0o755))
	m, err := utemu.Load(utemu.Config{Path: path, Stock: stock})
	require.NoError(t, err)
	m.Process().SetCaps(arch.HasSingleStep)
	defer func() { require.NoError(t, m.Close()) }()
	fault := w.at[len(w.at)-3]
	ip, ok := a.RegByName("r12")
	require.True(t, ok)
	var pcs []uint64
	e, err := hooks.Attach(m.Task(), hooks.AttachCreate, &hooks.Ops{
		Quiesce: func(*hooks.Call, hooks.Event) hooks.Resume { return hooks.SingleStep },
		Signal: func(c *hooks.Call, s *hooks.SignalReport) hooks.Action {
			pc := c.Regs().Reg(a.PC)
			pcs = append(pcs, pc)
			if s.Info.No == unix.SIGSEGV {
				require.Equal(t, fault, pc)
				c.Regs().SetReg(ip.ID, bufAt)
			}
			return hooks.Action{Resume: hooks.SingleStep, Signal: hooks.SigIgn}
		},
	}, nil)
	require.NoError(t, err)
	require.NoError(t, e.SetEvents(hooks.EventQuiesce|hooks.EventSignalCore))
	require.NoError(t, e.Control(hooks.Report))
	st, err := m.Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, emu.Status{Code: 3}, st)
	at := slices.Index(w.at, fault)
	require.Equal(t, slices.Concat(w.at[1:at+1], w.at[at:at+2]), pcs)
}
