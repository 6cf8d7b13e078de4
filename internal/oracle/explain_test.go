package oracle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch/archs"
)

// TestOperand: the address of a memory operand of x86 is found, and no other is
// taken for one.
func TestOperand(t *testing.T) {
	a, _ := archs.Lookup("x86_64")
	p, err := emu.NewProcess(1, a, &a.Engine.Models[0], emu.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	for name, v := range map[string]uint64{"rsp": 0x7000, "rax": 0x10} {
		r, ok := a.RegByName(name)
		require.True(t, ok)
		p.CPU().SetReg(r.ID, v)
	}
	g, err := emu.NewTarget(p.NewTask(1, nil))
	require.NoError(t, err)
	s := &session{g: g}
	for text, want := range map[string]uint64{
		"fnstenv (%rsp)": 0x7000, "fnsave -0x20(%rsp)": 0x6fe0, "fxsave 0x8(%rsp,%rax,4)": 0x7048, "fnstenv (%rax,%rax,1)": 0x20,
	} {
		at, ok := s.operand(text)
		require.True(t, ok, text)
		require.Equal(t, want, at, text)
	}
	for _, text := range []string{"nop", "fnstenv 0x8(%rip) # 0x8", "fnstenv %fs:(%rax)", "fxsave (,%rax,8)"} {
		_, ok := s.operand(text)
		require.False(t, ok, text)
	}
}
