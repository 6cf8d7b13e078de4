package x86

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
	"github.com/utemu/utemu/regset"
)

func cpu(a *arch.Arch, code uint64) *archtest.CPU {
	c := archtest.NewCPU(a)
	c.Fill(1)
	user(code)(c)
	return c
}

// slot is the place of a register in a list of struct user_regs_struct.
func slot(t *testing.T, order []regset.ID, id regset.ID) int {
	for i, r := range order {
		if r == id {
			return i
		}
	}
	t.Fatalf("no slot for %d", id)
	return 0
}

// TestSelectors holds Put to what set_segment_reg refuses; nothing changes
// then.
func TestSelectors(t *testing.T) {
	for name, tc := range map[string]struct {
		id   regset.ID
		v    uint64
		want error
	}{
		"cs null":          {cs, 0, unix.EIO},
		"cs kernel":        {cs, 0x10, unix.EIO},
		"cs, high bits":    {cs, 0xabcd0000 | selUser32CS, nil},
		"ss null":          {ss, 0, unix.EIO},
		"ss privilege 1":   {ss, 0x29, unix.EIO},
		"ds null":          {ds, 0, nil},
		"ds privilege 0":   {ds, 0x28, unix.EIO},
		"es user":          {es, selUserDS, nil},
		"fs local":         {fs, 7, nil},
		"gs null, rpl set": {gs, 3, nil},
		"gs privilege 2":   {gs, 0x2a, unix.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []struct {
				order []regset.ID
				view  *regset.View
				arch  *arch.Arch
			}{{order64, view64, X86_64}, {order32, compat, X86_64}, {order32, view32, I386}} {
				c := cpu(v.arch, selUserCS)
				set := v.view.Find(ntPRStatus)
				at := set.Size * slot(t, v.order, tc.id)
				before := make([]byte, set.Bytes())
				require.NoError(t, set.Get(c, 0, before))
				img := append([]byte(nil), before...)
				img[0]++
				clear(img[at : at+set.Size])
				le.PutUint32(img[at:], uint32(tc.v))
				base := c.Reg(fsBase)
				require.Equal(t, tc.want, set.Put(c, 0, img))
				require.Equal(t, base, c.Reg(fsBase), "a selector does not change a base")
				after := make([]byte, set.Bytes())
				require.NoError(t, set.Get(c, 0, after))
				if tc.want != nil {
					require.Equal(t, before, after)
					continue
				}
				require.EqualValues(t, tc.v&0xffff, c.Reg(tc.id))
				require.Equal(t, img[0], after[0])
			}
		})
	}
}

func TestBases(t *testing.T) {
	c := cpu(X86_64, selUserCS)
	set := view64.Find(ntPRStatus)
	at := 8 * slot(t, order64, gsBase)
	require.Equal(t, unix.EIO, set.Put(c, at, le.AppendUint64(nil, taskSize64)))
	require.NoError(t, set.Put(c, at, le.AppendUint64(nil, taskSize64-1)))
	require.EqualValues(t, uint64(taskSize64-1), c.Reg(gsBase))
}

// TestFlags: a tracer changes the user's flags alone, and NT of a 64-bit
// program.
func TestFlags(t *testing.T) {
	for view, want := range map[*regset.View]uint64{
		view64: flagOne | flagIF | flagsPtrace | flagNT,
		compat: flagOne | flagIF | flagsPtrace,
	} {
		c := cpu(X86_64, selUserCS)
		c.SetReg(eflags, flagOne|flagIF)
		set := view.Find(ntPRStatus)
		order := order64
		if set.Size == 4 {
			order = order32
		}
		v := make([]byte, set.Size)
		le.PutUint32(v, 0xffffffff)
		require.NoError(t, set.Put(c, set.Size*slot(t, order, eflags), v))
		require.Equal(t, want, c.Reg(eflags))
	}
}

// TestCompatView: the 32-bit view of a 64-bit program shows the low halves,
// and what it is not given it leaves.
func TestCompatView(t *testing.T) {
	c := cpu(X86_64, selUserCS)
	set := compat.Find(ntPRStatus)
	for i, id := range order32[:7] {
		c.SetReg(id, 0x1111111100000000+uint64(i))
	}
	img := make([]byte, 28)
	require.NoError(t, set.Get(c, 0, img))
	for i := range 7 {
		require.EqualValues(t, i, le.Uint32(img[4*i:]))
	}
	require.NoError(t, set.Put(c, 4, []byte{0xff, 0xff, 0xff, 0xff}))
	require.EqualValues(t, uint32(0xffffffff), c.Reg(rcx), "widened with zeros")
	require.EqualValues(t, uint64(0x1111111100000000), c.Reg(rbx), "not given")
}

func TestMXCSR(t *testing.T) {
	c := cpu(X86_64, selUserCS)
	set := view64.Find(ntPRFPReg)
	require.Equal(t, unix.EINVAL, set.Put(c, 24, le.AppendUint64(nil, 0x10000)))
	require.EqualValues(t, initMXCSR, c.Reg(mxcsr))
	require.NoError(t, set.Put(c, 24, le.AppendUint64(nil, 0x9fc0)))
	require.EqualValues(t, 0x9fc0, c.Reg(mxcsr))
}

// TestTLSSet holds the set to set_thread_area's descriptors.
func TestTLSSet(t *testing.T) {
	c := cpu(I386, selUser32CS)
	set := view32.Find(nt386TLS)
	n, err := set.Active(c)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	img := make([]byte, set.Bytes())
	require.NoError(t, set.Get(c, 0, img))
	require.Equal(t, []uint32{tlsMin, uint32(c.Reg(rax)), 0xfffff, udSeg32 | udLimitInPages | udUseable},
		[]uint32{le.Uint32(img), le.Uint32(img[4:]), le.Uint32(img[8:]), le.Uint32(img[12:])})
	require.EqualValues(t, tlsMin+2, le.Uint32(img[32:]))

	code := userDesc{entry: tlsMin, base: 4, limit: 1, flags: udSeg32 | 2<<1}
	require.Equal(t, unix.EINVAL, set.Put(c, 16, code.bytes()), "code")
	d := userDesc{entry: 99, base: 0x12345678, limit: 0xabcde, flags: udSeg32 | udUseable}
	require.NoError(t, set.Put(c, 32, d.bytes()), "the entry's number does not count")
	n, err = set.Active(c)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	v, err := entry(c, tables32+8*tlsMax)
	require.NoError(t, err)
	require.Equal(t, d.descriptor(), v)
	require.NoError(t, set.Put(c, 32, userDesc{}.bytes()))
	n, err = set.Active(c)
	require.NoError(t, err)
	require.Equal(t, 1, n)

	type regs struct{ regset.Regs }
	_, err = set.Active(regs{c})
	require.Equal(t, unix.ENODEV, err, "registers without a CPU")
	require.Equal(t, unix.ENODEV, set.Get(regs{c}, 0, img))
	require.Equal(t, unix.ENODEV, set.Put(regs{c}, 0, img))
}
