package ppc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
)

// TestGeneralSets holds Put to gpr_set and gpr32_set: which slots can be
// written, and which bits.
func TestGeneralSets(t *testing.T) {
	for name, tc := range map[string]struct {
		arch  *arch.Arch
		view  int
		size  int
		softe uint64
		msr   uint64
	}{
		"ppc":          {PPC, 0, 4, 0, 0xd032},
		"ppc64":        {PPC64, 0, 8, 1, msrSF | 0xd032},
		"ppc of ppc64": {PPC64, 1, 4, 0, 0xd032},
	} {
		t.Run(name, func(t *testing.T) {
			c := archtest.NewCPU(tc.arch)
			c.SetReg(dar, 0x1234)
			set := tc.arch.Views[tc.view].Find(ntPRStatus)
			img := make([]byte, set.Bytes())
			for i := range img {
				img[i] = 0xff
			}
			require.NoError(t, set.Put(c, 0, img))
			require.NoError(t, set.Get(c, 0, img))
			word := func(i int) uint64 {
				if tc.size == 4 {
					return uint64(be.Uint32(img[4*i:]))
				}
				return be.Uint64(img[8*i:])
			}
			all := ^uint64(0) >> (64 - 8*tc.size)
			require.Equal(t, all, word(0))
			require.Equal(t, all, word(32), "nip")
			require.Equal(t, tc.msr|msrStep, word(33), "msr")
			require.Equal(t, all, word(34), "orig_gpr3")
			require.EqualValues(t, 0xffffffff, word(37), "xer")
			require.EqualValues(t, 0xffffffff, word(38), "ccr")
			require.Equal(t, tc.softe, word(39))
			require.EqualValues(t, 0xfff0, word(40), "trap")
			require.EqualValues(t, 0x1234, word(41), "dar is not written")
			for i := 44; i < 48; i++ {
				require.Zero(t, word(i))
			}
		})
	}
}

// TestCompatGPR: the 32-bit set of a 64-bit program widens what it is given
// and leaves the rest.
func TestCompatGPR(t *testing.T) {
	c := archtest.NewCPU(PPC64)
	c.SetReg(r0, 0xaaaaaaaa00000000)
	c.SetReg(r0+1, 0xaaaaaaaa00000001)
	set := view32.Find(ntPRStatus)
	img := make([]byte, 8)
	require.NoError(t, set.Get(c, 0, img))
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 1}, img)
	require.NoError(t, set.Put(c, 4, []byte{0xff, 0, 0, 0}))
	require.EqualValues(t, 0xff000000, c.Reg(r0+1))
	require.EqualValues(t, uint64(0xaaaaaaaa00000000), c.Reg(r0))
}

// TestVectorSlots looks at where VSCR and VRSAVE are: the last word of a slot
// and the first of another.
func TestVectorSlots(t *testing.T) {
	c := archtest.NewCPU(PPC)
	c.SetReg(vscr, 0x10001)
	c.SetReg(vrsave, 0xf0000000)
	c.SetBytes(v0+31, []byte{0: 1, 15: 2})
	set := view32.Find(ntPPCVMX)
	img := make([]byte, 48)
	require.NoError(t, set.Get(c, 31*16, img))
	require.Equal(t, []byte{0: 1, 15: 2, 29: 1, 31: 1, 32: 0xf0, 47: 0}, img)
}

// modelled are registers with a CPU model.
type modelled struct {
	*archtest.CPU
	model *arch.Model
}

func (m modelled) Model() *arch.Model { return m.model }

func TestVectorUnits(t *testing.T) {
	c := archtest.NewCPU(PPC)
	for i := range PPC.Engine.Models {
		m := &PPC.Engine.Models[i]
		n, err := view32.Find(ntPPCVMX).Active(modelled{c, m})
		if m.HWCap&featureAltivec != 0 {
			require.NoError(t, err)
			require.Equal(t, 34, n, m.Name)
			continue
		}
		require.Equal(t, unix.ENODEV, err, m.Name)
	}
	_, err := view64.Find(ntPPCVSX).Active(modelled{c, &PPC64.Engine.Models[0]})
	require.Equal(t, unix.ENODEV, err, "AT_HWCAP does not promise it")
}
