package archtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// noteSizes are the sizes in bytes of the kernel's sets whose size does not
// depend on the CPU, by ELF machine and note.
var noteSizes = map[uint16]map[uint32]int{
	3:   {1: 68, 2: 108, 0x46e62b7f: 512},
	20:  {1: 192, 2: 264, 0x100: 544},
	21:  {1: 384, 2: 264, 0x100: 544, 0x102: 256},
	40:  {1: 72, 2: 116, 0x400: 260},
	62:  {1: 216, 2: 512},
	183: {1: 272, 2: 528},
}

func views(t *testing.T, a *arch.Arch, valid []func(c *CPU)) {
	require.Equal(t, uint16(a.Machine), a.Views[0].Machine, "the first view is the native one")
	for i, v := range a.Views {
		require.NotEmpty(t, v.Name)
		require.NotEmpty(t, v.Sets)
		require.EqualValues(t, 1, v.Sets[0].Note, "the first set is NT_PRSTATUS")
		notes := map[uint32]bool{}
		for _, s := range v.Sets {
			require.False(t, notes[s.Note], "%s: note twice", s.Name)
			notes[s.Note] = true
			require.NotEmpty(t, s.Name)
			require.Positive(t, s.N)
			require.Positive(t, s.Size)
			require.Positive(t, s.Align)
			if n, ok := noteSizes[v.Machine][s.Note]; ok {
				require.Equal(t, n, s.Bytes(), s.Name)
			}
			if i == 0 {
				t.Run(s.Name, func(t *testing.T) { transfers(t, a, s, valid) })
			}
		}
	}
}

// transfers checks Get and Put of a native set: the slots agree with the
// whole, a set takes back what it gave, whole and slot by slot, and what was
// taken from one CPU arrives in another.
func transfers(t *testing.T, a *arch.Arch, s regset.Set, valid []func(c *CPU)) {
	require.NotNil(t, s.Get)
	require.NotNil(t, s.Put)
	take := func(c *CPU) []byte {
		b := make([]byte, s.Bytes())
		require.NoError(t, s.Get(c, 0, b))
		return b
	}
	state := startState(t, a, 1, valid)
	img := take(state)
	part := make([]byte, s.Bytes())
	for pos := 0; pos < s.Bytes(); pos += s.Size {
		require.NoError(t, s.Get(state, pos, part[pos:pos+s.Size]))
	}
	require.Equal(t, img, part, "the slots one by one differ from the whole")
	for _, bad := range [][2]int{{s.Bytes(), s.Size}, {0, s.Bytes() + s.Size}, {-s.Size, s.Size}} {
		require.ErrorIs(t, s.Get(state, bad[0], make([]byte, bad[1])), unix.EINVAL)
		require.ErrorIs(t, s.Put(state, bad[0], make([]byte, bad[1])), unix.EINVAL)
	}
	require.NoError(t, s.Get(state, s.Bytes(), nil))
	require.NoError(t, s.Put(state, 0, img))
	require.Equal(t, img, take(state))
	for pos := 0; pos < s.Bytes(); pos += s.Size {
		require.NoError(t, s.Put(state, pos, img[pos:pos+s.Size]), "slot at %d", pos)
		require.Equal(t, img, take(state), "slot at %d", pos)
	}
	if len(valid) == 0 {
		return
	}
	if s.Active != nil {
		if n, err := s.Active(state); err == nil && n == 0 {
			return // hardware that no CPU model has
		}
	}
	other := startState(t, a, 2, valid)
	require.NotEqual(t, img, take(other), "the set shows none of the registers")
	require.NoError(t, s.Put(other, 0, img))
	require.Equal(t, img, take(other))
}

// startState is a CPU at the start of a program, with arbitrary bits in the
// other registers if valid says which values they can have.
func startState(t *testing.T, a *arch.Arch, seed byte, valid []func(c *CPU)) *CPU {
	const entry, sp = 0x10000, 0x20000
	c := NewCPU(a)
	if len(valid) > 0 {
		c.Fill(seed)
	}
	b := make([]byte, 64)
	if a.Word == 8 {
		a.Order.PutUint64(b, entry)
	}
	c.Map(entry, b)
	require.NoError(t, a.Start.Regs(c, arch.Image{Entry: entry, SP: sp, Start: entry}))
	for _, f := range valid {
		f(c)
	}
	return c
}
