package arm

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

const at = 0x10000

func TestTrap(t *testing.T) {
	intr := func(no int, pc uint64) arch.Exception { return arch.Exception{Kind: arch.ExcIntr, No: no, PC: pc} }
	invalid := func(pc uint64) arch.Exception { return arch.Exception{Kind: arch.ExcInvalid, PC: pc} }
	sig := func(pc uint64, s unix.Signal, code int, addr uint64) arch.Trap {
		return arch.Trap{Kind: arch.TrapSignal, PC: pc, Signo: int(s), Code: code, Addr: addr}
	}
	brk := func(pc uint64) arch.Trap {
		return arch.Trap{Kind: arch.TrapBreak, PC: pc, Signo: int(unix.SIGTRAP), Code: trapBrkpt, Addr: pc}
	}
	call := func(pc uint64) arch.Trap { return arch.Trap{Kind: arch.TrapSyscall, PC: pc} }
	ill := func(pc uint64) arch.Trap { return sig(pc, unix.SIGILL, illOpc, pc) }

	for name, tc := range map[string]struct {
		mem   []byte
		thumb bool
		regs  map[regset.ID]uint64
		exc   arch.Exception
		want  arch.Trap
	}{
		"svc":                     {words(0xef000000), false, nil, intr(2, at+4), call(at + 4)},
		"svc, immediate ignored":  {words(0xef900004), false, map[regset.ID]uint64{r7: 20}, intr(2, at+4), call(at + 4)},
		"svc thumb":               {halves(0xdf00), true, nil, intr(2, at+2), call(at + 2)},
		"cacheflush":              {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0002}, intr(2, at+4), call(at + 4)},
		"set_tls":                 {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0005}, intr(2, at+4), call(at + 4)},
		"private, not there":      {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf07ff}, intr(2, at+4), call(at + 4)},
		"private, past the end":   {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0800}, intr(2, at+4), sig(at+4, unix.SIGILL, illTrp, at)},
		"number far out":          {halves(0xdf00), true, map[regset.ID]uint64{r7: 0xffffffff}, intr(2, at+2), sig(at+2, unix.SIGILL, illTrp, at)},
		"branch through zero":     {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0000}, intr(2, at+4), sig(at+4, unix.SIGSEGV, segvMapErr, 0)},
		"breakpoint call":         {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0001}, intr(2, at+4), brk(at)},
		"breakpoint call thumb":   {halves(0xdf00), true, map[regset.ID]uint64{r7: 0xf0001}, intr(2, at+2), brk(at)},
		"usr26":                   {words(0xef000000), false, map[regset.ID]uint64{r7: 0xf0003}, intr(2, at+4), sig(at+4, unix.SIGILL, illTrp, at)},
		"bkpt":                    {words(0xe1200070), false, nil, intr(7, at), brk(at)},
		"break":                   {words(0xe7f001f0), false, nil, invalid(at), brk(at)},
		"break, any condition":    {words(0x17f001f0), false, nil, invalid(at), brk(at)},
		"break thumb":             {halves(0xde01), true, nil, invalid(at), brk(at)},
		"break thumb wide":        {halves(0xf7f0, 0xa000), true, nil, invalid(at), brk(at)},
		"A32 break in thumb":      {halves(0x01f0, 0xe7f0), true, nil, invalid(at), ill(at)},
		"udf":                     {words(0xe7f000f0), false, nil, invalid(at), ill(at)},
		"udf thumb":               {halves(0xde00), true, nil, invalid(at), ill(at)},
		"undefined, unmapped":     {nil, false, nil, invalid(at), ill(at)},
		"prefetch abort":          {nil, false, nil, intr(3, at), sig(at, unix.SIGSEGV, segvMapErr, at)},
		"ldrex misaligned":        {words(0xe1921f9f), false, map[regset.ID]uint64{r0 + 2: 0x2001}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2001)},
		"swp misaligned":          {words(0xe1021090), false, map[regset.ID]uint64{r0 + 2: 0x2003}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2003)},
		"ldrex thumb, offset":     {halves(0xe852, 0x1f02), true, map[regset.ID]uint64{r0 + 2: 0x2001}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2009)},
		"strexd thumb misaligned": {halves(0xe8c2, 0x0173), true, map[regset.ID]uint64{r0 + 2: 0x2004}, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, 0x2004)},
		"data abort elsewhere":    {words(0xe5910000), false, nil, intr(4, at), sig(at, unix.SIGBUS, busAdrAln, at)},
		"hvc":                     {words(0xe1400070), false, nil, intr(11, at+4), ill(at)},
		"memory":                  {nil, false, nil, arch.Exception{Kind: arch.ExcMem, PC: at, Addr: 4, Size: 4, Access: arch.Read}, arch.Trap{PC: at}},
		"unknown number":          {nil, false, nil, intr(19, at), arch.Trap{PC: at}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(at, tc.mem...)
			for id, v := range tc.regs {
				c.SetReg(id, v)
			}
			c.SetReg(r0, 77)
			if tc.thumb {
				c.SetReg(cpsr, modeUser|psrT)
			}
			require.Equal(t, tc.want, trap(c, tc.exc))
			want := uint64(noSyscall)
			if tc.exc.Kind == arch.ExcIntr && tc.exc.No == excSVC {
				want = 77
			}
			require.Equal(t, want, c.Reg(origR0))
		})
	}
}

func TestMatchELF(t *testing.T) {
	for name, tc := range map[string]struct {
		flags uint32
		entry uint64
		err   string
	}{
		"EABI 5":             {0x05000400, 0x10000, ""},
		"EABI 4":             {0x04000002, 0x10000, ""},
		"thumb entry":        {0x05000200, 0x10001, ""},
		"thumb entry, odd 4": {0x05000200, 0x10003, ""},
		"OABI":               {0x00000002, 0x8000, "OABI"},
		"EABI 2":             {0x02000000, 0x8000, "draft"},
		"BE8":                {0x05800000, 0x8000, "big-endian"},
		"A32 entry odd":      {0x05000000, 0x10002, "aligned"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ARM.MatchELF(tc.flags, tc.entry)
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.err)
			}
		})
	}
}

func TestThumbState(t *testing.T) {
	c := newFake(0)
	c.SetReg(regPC, 0x8000)
	require.EqualValues(t, 0x8000, ARM.Engine.PC(c))
	require.Equal(t, arch.ISAA32, ARM.ISA(ARM.State(c)))
	require.Equal(t, words(0xe7f001f0), ARM.Break(ARM.State(c)))

	c.SetReg(cpsr, modeUser|psrT)
	require.EqualValues(t, 0x8001, ARM.Engine.PC(c))
	require.Equal(t, arch.ISAThumb, ARM.ISA(ARM.State(c)))
	require.Equal(t, halves(0xde01), ARM.Break(ARM.State(c)))
}

func TestStart(t *testing.T) {
	for name, tc := range map[string]struct{ entry, pc, psr uint64 }{
		"A32":   {0x10400, 0x10400, 0x10},
		"Thumb": {0x10401, 0x10400, 0x30},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFake(0)
			require.NoError(t, ARM.Start.Regs(c, arch.Image{Entry: tc.entry, SP: 0xbefff000}))
			require.Equal(t, tc.pc, c.Reg(regPC))
			require.Equal(t, tc.psr, c.Reg(cpsr))
			require.EqualValues(t, 0xbefff000, c.Reg(regSP))
		})
	}
}

func TestABI(t *testing.T) {
	c := newFake(0)
	ARM.ABI.Result(c, 1<<40|5, 0)
	require.EqualValues(t, 5, c.Reg(r0))
	ARM.ABI.Result(c, 0, uint16(unix.ENOENT))
	require.EqualValues(t, 0xfffffffe, c.Reg(r0))

	c.SetReg(regPC, 0x1004)
	ARM.ABI.Rewind(c)
	require.EqualValues(t, 0x1000, c.Reg(regPC))
	c.SetReg(cpsr, modeUser|psrT)
	ARM.ABI.Rewind(c)
	require.EqualValues(t, 0xffe, c.Reg(regPC))
}

func TestPrivateCalls(t *testing.T) {
	c := newFake(0x8000, make([]byte, 0x2000)...)
	do := func(name string, a ...uint64) (uint64, error) {
		var args [6]uint64
		copy(args[:], a)
		return ARM.ABI.Calls[name](c, args)
	}
	_, err := do("set_tls", 0x12345678)
	require.NoError(t, err)
	v, err := do("get_tls")
	require.NoError(t, err)
	require.EqualValues(t, 0x12345678, v)

	_, err = do("cacheflush", 0x8004, 0x9008, 0)
	require.NoError(t, err)
	require.Equal(t, [][2]uint64{{0x8004, 0x1004}}, c.Dropped)
	_, err = do("cacheflush", 0x9000, 0x8000, 0)
	require.Equal(t, unix.EINVAL, err)
	_, err = do("cacheflush", 0x8000, 0x9000, 1)
	require.Equal(t, unix.EINVAL, err)
	_, err = do("cacheflush", 0x8000, 0xffff0000, 0)
	require.Equal(t, unix.EFAULT, err)
	_, err = do("cacheflush", 0x8000, 0xa001, 0)
	require.Equal(t, unix.EFAULT, err)

	for name := range ARM.ABI.Calls {
		found := false
		for _, s := range ARM.Sysnum {
			found = found || s.Name == name
		}
		require.True(t, found, "%s is in the table", name)
	}
}

func TestGeneralSet(t *testing.T) {
	c := newFake(0)
	set := ARM.Views[0].Sets[0]
	img := make([]byte, set.Bytes())
	for i := range 18 {
		binary.LittleEndian.PutUint32(img[4*i:], uint32(0x100+i))
	}
	put := func(psr uint32) error {
		binary.LittleEndian.PutUint32(img[64:], psr)
		return set.Put(c, 0, img)
	}
	require.NoError(t, put(0x60000030))
	require.EqualValues(t, 0x10f, c.Reg(regPC))
	require.EqualValues(t, 0x111, c.Reg(origR0))
	require.EqualValues(t, 0x60000030, c.Reg(cpsr))

	img[0]++
	require.Equal(t, unix.EINVAL, put(0x60000013), "supervisor mode")
	require.Equal(t, unix.EINVAL, put(0x60000090), "interrupts off")
	require.EqualValues(t, 0x100, c.Reg(r0), "nothing changed")
	require.NoError(t, put(0x60000150), "F and A are dropped")
	require.EqualValues(t, 0x60000010, c.Reg(cpsr))
}

func TestVFPSet(t *testing.T) {
	c := newFake(0)
	set := ARM.Views[0].Sets[2]
	c.SetReg(d0+31, 0x1122334455667788)
	c.SetReg(fpscr, 0x03c00010)
	got := make([]byte, 12)
	require.NoError(t, set.Get(c, 31*8, got))
	require.Equal(t, append(binary.LittleEndian.AppendUint64(nil, 0x1122334455667788), words(0x03c00010)...), got)
	require.NoError(t, set.Put(c, 8, []byte{1, 2, 3, 4}))
	require.EqualValues(t, 0x04030201, c.Reg(d0+1))
	require.EqualValues(t, 0x1122334455667788, c.Reg(d0+31))
	require.Equal(t, unix.EINVAL, set.Get(c, 256, got))
}

// TestVectorsPage looks at where the helpers lie; the emulator's tests run them.
func TestVectorsPage(t *testing.T) {
	page := ARM.Start.Pages[1]
	require.EqualValues(t, 0xffff0000, page.Addr)
	require.Len(t, page.Data, 4096)
	word := func(addr uint64) uint32 { return binary.LittleEndian.Uint32(page.Data[addr-page.Addr:]) }
	require.EqualValues(t, 5, word(0xffff0ffc), "version")
	require.EqualValues(t, 0xee1d0f70, word(0xffff0fe0), "get_tls")
	require.EqualValues(t, 0xe7fddef1, word(0xffff0000), "the vectors are not for user code")

	// No helper reaches into the next, and the jump at the end of cmpxchg
	// goes to memory_barrier.
	for i, h := range kuser[1:] {
		require.LessOrEqual(t, kuser[i].addr+4*uint32(len(kuser[i].code)), h.addr)
	}
	b := word(0xffff0fdc)
	require.EqualValues(t, 0xea, b>>24)
	require.EqualValues(t, 0xffff0fa0, uint32(int64(0xffff0fdc)+8+int64(int32(b<<8)>>6)))
}

func TestModels(t *testing.T) {
	// The capabilities of qemu-user for the same CPUs, less ThumbEE, which
	// the engine cannot run.
	for name, caps := range map[string]uint64{
		"cortex-a15": 0x1fb8d7 &^ 0x800, "cortex-a7": 0x1fb8d7 &^ 0x800,
		"cortex-a8": 0x8b8d7 &^ 0x800, "cortex-a9": 0x8b8d7 &^ 0x800, "arm1176": 0x80d7,
	} {
		m, ok := ARM.Engine.Model(name)
		require.True(t, ok, name)
		require.Equal(t, caps, m.HWCap, name)
		require.Zero(t, m.HWCap2, name)
	}
	m, _ := ARM.Engine.Model("")
	require.Equal(t, "max", m.Name)
	require.EqualValues(t, 0x1fb0d7|1<<24|1<<25, m.HWCap)
	require.EqualValues(t, 0x3f, m.HWCap2)
	require.True(t, strings.Contains(m.CPUInfo, " vfpd32 lpae asimddp asimdfhm aes pmull sha1 sha2 crc32 sb \n"), m.CPUInfo)
}
