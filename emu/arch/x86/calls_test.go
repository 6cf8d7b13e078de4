package x86

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch/archtest"
)

// cpu32 is an i386 CPU with its tables and a page of memory at ptr.
func cpu32() *archtest.CPU {
	c := newCPU(I386)
	c.Table.Map(tables32, tables())
	c.Map(ptr, make([]byte, pageSize))
	return c
}

const ptr = 0x30000

// glibcTLS are the flags of the descriptor that glibc asks for.
const glibcTLS = udSeg32 | udLimitInPages | udUseable

func TestDescriptor(t *testing.T) {
	for name, tc := range map[string]struct {
		d    userDesc
		want uint64
	}{
		"glibc TLS":  {userDesc{12, 0xf7d8f740, 0xfffff, glibcTLS}, 0xf7dff3d8f740ffff},
		"read only":  {userDesc{0, 0x1000, 0x10, udSeg32 | udReadExecOnly}, 0x0040f10010000010},
		"expand":     {userDesc{0, 0, 0xfffff, udSeg32 | 1<<1}, 0x004ff7000000ffff},
		"code":       {userDesc{0, 0, 0xfffff, udSeg32 | 2<<1 | udLimitInPages}, 0x00cffb000000ffff},
		"not there":  {userDesc{0, 0x12345678, 0x9abcd, udSeg32 | udNotPresent}, 0x124973345678abcd},
		"all useful": {userDesc{0, 0xffffffff, 0xfffff, udSeg32 | udLimitInPages | udUseable}, 0xffdff3ffffffffff},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, tc.d.descriptor(), "%#x", tc.d.descriptor())
			require.Equal(t, tc.d, describe(tc.d.entry, tc.want))
		})
	}
}

func TestThreadArea(t *testing.T) {
	c := cpu32()
	put := func(d userDesc) {
		_, err := c.WriteAt(d.bytes(), ptr)
		require.NoError(t, err)
	}
	call := func(name string) error {
		_, err := I386.ABI.Calls[name](c, [6]uint64{ptr})
		return err
	}
	for want := uint32(12); want <= 14; want++ {
		put(userDesc{^uint32(0), 0x1000 * want, 0xfffff, glibcTLS})
		require.NoError(t, call("set_thread_area"))
		got, err := readUserDesc(c, ptr)
		require.NoError(t, err)
		require.Equal(t, want, got.entry)
	}
	put(userDesc{^uint32(0), 1, 0xfffff, glibcTLS})
	require.Equal(t, unix.ESRCH, call("set_thread_area"))

	put(userDesc{entry: 13})
	require.NoError(t, call("get_thread_area"))
	got, err := readUserDesc(c, ptr)
	require.NoError(t, err)
	require.Equal(t, userDesc{13, 0xd000, 0xfffff, glibcTLS}, got)

	put(userDesc{entry: 13}) // all zero clears
	require.NoError(t, call("set_thread_area"))
	put(userDesc{^uint32(0), 1, 0xfffff, glibcTLS})
	require.NoError(t, call("set_thread_area"))
	require.Equal(t, unix.ESRCH, func() error { put(userDesc{^uint32(0), 1, 1, glibcTLS}); return call("set_thread_area") }())

	for name, d := range map[string]userDesc{
		"entry of the kernel": {6, 1, 1, glibcTLS},
		"entry past the end":  {15, 1, 1, glibcTLS},
		"code":                {12, 1, 1, glibcTLS | 2<<1},
		"16 bits":             {12, 1, 1, udLimitInPages},
		"not present":         {12, 1, 1, glibcTLS | udNotPresent},
	} {
		put(d)
		require.Equal(t, unix.EINVAL, call("set_thread_area"), name)
	}
	_, err = setThreadArea(c, [6]uint64{8})
	require.Equal(t, unix.EFAULT, err)
	put(userDesc{^uint32(0), 1, 1, glibcTLS})
	require.Equal(t, unix.EINVAL, I386.ABI.SetTLS(c, ptr), "clone does not allocate")
}

func TestModifyLDT(t *testing.T) {
	c := cpu32()
	call := func(fn, addr, n uint64) (uint64, error) {
		return I386.ABI.Calls["modify_ldt"](c, [6]uint64{fn, addr, n})
	}
	n, err := call(0, ptr+64, 64)
	require.NoError(t, err)
	require.Zero(t, n, "no table yet")
	d := userDesc{1, 0x8000, 0xfff, udSeg32}
	_, err = c.WriteAt(d.bytes(), ptr)
	require.NoError(t, err)
	_, err = call(0x11, ptr, userDescSize)
	require.NoError(t, err)
	n, err = call(0, ptr+64, 24)
	require.NoError(t, err)
	require.EqualValues(t, 24, n)
	var b [24]byte
	_, err = c.ReadAt(b[:], ptr+64)
	require.NoError(t, err)
	require.Equal(t, d, describe(1, le.Uint64(b[8:])))
	require.Zero(t, le.Uint64(b[16:]))

	_, err = call(0x11, ptr, 15)
	require.Equal(t, unix.EINVAL, err)
	_, err = call(3, ptr, 16)
	require.Equal(t, unix.ENOSYS, err)
	d.entry = 300
	_, err = c.WriteAt(d.bytes(), ptr)
	require.NoError(t, err)
	_, err = call(0x11, ptr, 16)
	require.Equal(t, unix.ENOMEM, err)
	n, err = call(2, ptr, 1<<40)
	require.NoError(t, err)
	require.EqualValues(t, 128, n)
}

func TestArchPrctl(t *testing.T) {
	c := newCPU(X86_64)
	c.Map(ptr, make([]byte, 8))
	call := func(code, v uint64) error {
		_, err := X86_64.ABI.Calls["arch_prctl"](c, [6]uint64{code, v})
		return err
	}
	require.NoError(t, call(0x1002, 0x7ffff7d8f740))
	require.EqualValues(t, 0x7ffff7d8f740, c.Reg(fsBase))
	require.NoError(t, call(0x1001, 0x1000))
	require.NoError(t, call(0x1003, ptr))
	var b [8]byte
	_, err := c.ReadAt(b[:], ptr)
	require.NoError(t, err)
	require.EqualValues(t, 0x7ffff7d8f740, le.Uint64(b[:]))
	require.NoError(t, call(0x1004, ptr))
	require.Equal(t, unix.EFAULT, call(0x1004, 8))
	require.Equal(t, unix.EPERM, call(0x1002, taskSize64))
	require.Equal(t, unix.EINVAL, call(0x3001, 0))
	require.Equal(t, unix.ENODEV, call(0x1012, 0))
	require.NoError(t, X86_64.ABI.SetTLS(c, 0x2000))
	require.EqualValues(t, 0x2000, c.Reg(fsBase))
}

func TestPorts(t *testing.T) {
	c := newCPU(I386)
	for _, tc := range []struct {
		fn   string
		args [6]uint64
		want error
	}{
		{"iopl", [6]uint64{0}, nil},
		{"iopl", [6]uint64{3}, unix.EPERM},
		{"iopl", [6]uint64{4}, unix.EINVAL},
		{"ioperm", [6]uint64{0x378, 3, 1}, unix.EPERM},
		{"ioperm", [6]uint64{0x378, 3, 0}, nil},
		{"ioperm", [6]uint64{65535, 2, 0}, unix.EINVAL},
		{"ioperm", [6]uint64{0, 0, 0}, unix.EINVAL},
	} {
		_, err := I386.ABI.Calls[tc.fn](c, tc.args)
		require.Equal(t, tc.want, err, "%s%v", tc.fn, tc.args)
	}
}
