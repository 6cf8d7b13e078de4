package hooktest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu"
	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/hooks"
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
	for _, a := range utemu.Arches() {
		t.Run(a.Name, func(t *testing.T) {
			var plain, stepped bytes.Buffer
			m := loadBin(t, a.Name, "branches", &plain)
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

			m = loadBin(t, a.Name, "branches", &stepped)
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

// x86Program runs machine code of x86-64 and returns the SIGTRAPs that an
// engine dropped, with PC and flags at each.
func x86Program(t *testing.T, text []byte, step bool) (pcs, flags []uint64) {
	var i *isa
	for _, x := range isas {
		if x.name == "x86_64" {
			i = x
		}
	}
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
