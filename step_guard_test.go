package utemu_test

import (
	"encoding/hex"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/stepper"
)

// guarded are branches that read or write memory, which a register points to.
var guarded = []struct {
	arch, name, code, reg string
	writes                bool
	cpsr                  uint64
	steps                 int
}{
	{arch: "x86_64", name: "ret", code: "c3", reg: "rsp"},
	{arch: "x86_64", name: "jmp", code: "ff20", reg: "rax"},
	{arch: "x86_64", name: "call-memory", code: "ff10", reg: "rax"},
	{arch: "x86_64", name: "call", code: "e800000000", reg: "rsp", writes: true},
	{arch: "i386", name: "ret", code: "c3", reg: "esp"},
	{arch: "i386", name: "call-memory", code: "ff10", reg: "eax"},
	{arch: "i386", name: "call", code: "e800000000", reg: "esp", writes: true},
	{arch: "arm", name: "ldr", code: "00f091e5", reg: "r1", cpsr: 0x10},
	{arch: "arm", name: "ldm", code: "048091e8", reg: "r1", cpsr: 0x10},
	{arch: "arm", name: "thumb-pop", code: "00bd", reg: "sp", cpsr: 0x30},
	{arch: "arm", name: "thumb-tbb", code: "d1e802f0", reg: "r1", cpsr: 0x30},
	{arch: "arm", name: "thumb-it-pop", code: "08bf00bd", reg: "sp", cpsr: 0x40000030, steps: 1},
}

// TestStepGuarded: where memory must not be used a branch faults, whoever carries
// it out.
func TestStepGuarded(t *testing.T) {
	const code, data = 0x50000, 0x60000
	for _, c := range guarded {
		for _, s := range stepper.Strategies {
			t.Run(c.arch+"/"+c.name+"/"+s.Name(), func(t *testing.T) {
				path, err := filepath.Abs(filepath.Join("testdata/bins", c.arch, "hello"))
				require.NoError(t, err)
				g, _ := stepTarget(t, path)
				a, space := g.Arch(), g.Task().Proc.Space
				var prot arch.Prot
				if c.writes {
					prot = arch.Read
				}
				require.NoError(t, space.Map(emu.VMA{Addr: code, End: code + emu.PageSize, Prot: arch.Read | arch.Exec}))
				require.NoError(t, space.Map(emu.VMA{Addr: data, End: data + emu.PageSize, Prot: prot}))
				b, err := hex.DecodeString(c.code)
				require.NoError(t, err)
				_, err = g.Mem().WriteAt(b, code)
				require.NoError(t, err)
				set := func(name string, v uint64) {
					r, ok := a.RegByName(name)
					require.True(t, ok)
					g.Regs().SetReg(r.ID, v)
				}
				if c.cpsr != 0 {
					set("cpsr", c.cpsr)
					set("r2", 0)
				}
				set(c.reg, data+64)
				g.Regs().SetReg(a.PC, code)
				for range c.steps {
					st, err := s.Step(t.Context(), g, stepper.Insn)
					require.NoError(t, err)
					require.Equal(t, stepper.Stepped, st.Why)
				}
				at := g.Regs().Reg(a.PC)
				st, err := s.Step(t.Context(), g, stepper.Insn)
				require.NoError(t, err)
				require.Equal(t, stepper.Signal, st.Why, "%+v", st)
				require.Equal(t, int(unix.SIGSEGV), st.Signo)
				require.Equal(t, at, st.PC)
				require.Equal(t, uint64(data), st.Addr&^(emu.PageSize-1))
				r, _ := a.RegByName(c.reg)
				require.Equal(t, uint64(data+64), g.Regs().Reg(r.ID))
			})
		}
	}
}
