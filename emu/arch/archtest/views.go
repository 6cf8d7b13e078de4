package archtest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// noteSizes are the sizes in bytes of the kernel's sets whose size does not
// depend on the CPU, by ELF machine and note.
var noteSizes = map[uint16]map[uint32]int{
	3:   {1: 68, 2: 108, 0x46e62b7f: 512, 0x200: 48, 0x201: 8192},
	20:  {1: 192, 2: 264, 0x100: 544},
	21:  {1: 384, 2: 264, 0x100: 544, 0x102: 256},
	40:  {1: 72, 2: 116, 0x400: 260},
	62:  {1: 216, 2: 512, 0x201: 8192},
	183: {1: 272, 2: 528, 0x401: 16, 0x402: 264, 0x403: 264, 0x404: 4},
}

// noRegs are the sets behind which there are no registers, by ELF machine and
// note: they read the same whatever the state.
var noRegs = map[uint16][]uint32{
	40:  {2},            // the FPA coprocessor
	183: {0x402, 0x403}, // hardware breakpoints and watchpoints
}

func views(t *testing.T, a *arch.Arch, valid []func(c *CPU)) {
	require.Equal(t, uint16(a.Machine), a.Views[0].Machine, "the first view is the native one")
	for _, v := range a.Views {
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
			require.NotNil(t, s.Get)
			require.NotNil(t, s.Put)
			if n, ok := noteSizes[v.Machine][s.Note]; ok {
				require.Equal(t, n, s.Bytes(), s.Name)
			}
			t.Run(v.Name+"/"+s.Name, func(t *testing.T) { transfers(t, a, v, s, valid) })
		}
	}
	if layout, ok := a.Layout["elf_prstatus"]; ok {
		require.Equal(t, a.Views[0].Sets[0].Bytes(), layout.Fields["pr_reg"].Size, "pr_reg is the first set")
	}
}

// absent tells whether a set is of hardware that the CPU lacks, and holds it
// to be so in all respects.
func absent(t *testing.T, s regset.Set, c *CPU) bool {
	img := make([]byte, s.Bytes())
	err := s.Get(c, 0, img)
	if err == nil {
		return false
	}
	require.Contains(t, []unix.Errno{unix.ENODEV, unix.ENXIO}, err)
	require.Equal(t, err, s.Put(c, 0, img))
	require.NotNil(t, s.Active)
	n, _ := s.Active(c)
	require.Zero(t, n)
	return true
}

// transfers checks Get and Put of a set: the slots agree with the whole, a set
// takes back what it gave, whole and slot by slot, a Put of a part leaves the
// rest, and what was taken from one CPU arrives in another.
func transfers(t *testing.T, a *arch.Arch, v *regset.View, s regset.Set, valid []func(c *CPU)) {
	state := startState(t, a, 1, valid)
	if absent(t, s, state) {
		return
	}
	take := func(c *CPU) []byte {
		b := make([]byte, s.Bytes())
		require.NoError(t, s.Get(c, 0, b))
		return b
	}
	img := take(state)
	part := make([]byte, s.Bytes())
	for pos := 0; pos < s.Bytes(); pos += s.Size {
		require.NoError(t, s.Get(state, pos, part[pos:pos+s.Size]))
	}
	require.Equal(t, img, part, "the slots one by one differ from the whole")
	ranges(t, v, s, state)
	require.NoError(t, s.Put(state, 0, img))
	require.Equal(t, img, take(state))
	for pos := 0; pos < s.Bytes(); pos += s.Size {
		require.NoError(t, s.Put(state, pos, img[pos:pos+s.Size]), "slot at %d", pos)
		require.Equal(t, img, take(state), "slot at %d", pos)
	}
	if len(valid) == 0 || slices.Contains(noRegs[v.Machine], s.Note) {
		return
	}
	other := startState(t, a, 2, valid)
	require.NotEqual(t, img, take(other), "the set shows none of the registers")
	require.NoError(t, s.Put(other, 0, img))
	require.Equal(t, img, take(other))
}

// ranges checks the ranges that a set must refuse, and those that PTRACE_GETREGSET
// and PTRACE_SETREGSET cut.
func ranges(t *testing.T, v *regset.View, s regset.Set, c *CPU) {
	bad := [][2]int{{s.Bytes(), s.Size}, {0, s.Bytes() + s.Size}, {-s.Size, s.Size}, {0, s.Size - 1}, {1, s.Size}, {0, 1}}
	for _, r := range bad {
		require.ErrorIs(t, s.Get(c, r[0], make([]byte, r[1])), unix.EINVAL, "%v", r)
		require.ErrorIs(t, s.Put(c, r[0], make([]byte, r[1])), unix.EINVAL, "%v", r)
	}
	require.NoError(t, s.Get(c, s.Bytes(), nil))
	require.NoError(t, s.Put(c, s.Bytes(), nil))
	buf := make([]byte, s.Bytes()+s.Size)
	n, err := v.Read(c, s.Note, buf)
	require.NoError(t, err)
	require.Equal(t, s.Bytes(), n)
	n, err = v.Write(c, s.Note, buf)
	require.NoError(t, err)
	require.Equal(t, s.Bytes(), n)
	_, err = v.Read(c, s.Note, buf[:1])
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = v.Read(c, 0x7fff, buf)
	require.ErrorIs(t, err, unix.EINVAL)
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
