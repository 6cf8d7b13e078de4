//go:build cgo

package uc

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/internal/ucnum"
)

// insnCase is an instruction that stops a run.
type insnCase struct {
	name, code string
	want       Stop // PC is relative to the instruction
}

func intr(no int, after uint64) Stop { return Stop{Kind: KindIntr, Intno: no, PC: after} }

func x86Insns() []insnCase {
	return []insnCase{
		{"int $0x80", "\xcd\x80", intr(128, 2)},
		{"int3", "\xcc", intr(3, 1)},
		{"int $3", "\xcd\x03", intr(3, 2)},
		{"ud2", "\x0f\x0b", Stop{Kind: KindInvalid}},
		{"div %esi", "\x31\xf6\xf7\xf6", intr(0, 2)}, // xor %esi,%esi first
		{"in (%dx),%al", "\xec", Stop{Kind: KindInOut}},
		{"in (%dx),%ax", "\x66\xed", Stop{Kind: KindInOut}},
		{"in $0x70,%eax", "\xe5\x70", Stop{Kind: KindInOut}},
		{"out %al,(%dx)", "\xee", Stop{Kind: KindInOut}},
		{"out %ax,$0x70", "\x66\xe7\x70", Stop{Kind: KindInOut}},
		{"out %eax,(%dx)", "\xef", Stop{Kind: KindInOut}},
		{"syscall", "\x0f\x05", Stop{Kind: KindSyscallInsn}},
		{"vzeroupper", "\xc5\xf8\x77", Stop{Kind: KindInvalid}},
		{"vaddps %xmm1,%xmm1,%xmm0", "\xc5\xf0\x58\xc1", Stop{Kind: KindInvalid}},
		{"vaddps %fs:(%rdx),%xmm1,%xmm0", "\x64\xc5\xf0\x58\x02", Stop{Kind: KindInvalid}},
		{"vpshufb %xmm1,%xmm1,%xmm0", "\xc4\xe2\x71\x00\xc1", Stop{Kind: KindInvalid}},
		{"bzhi %ecx,%edx,%eax", "\xc4\xe2\x70\xf5\xc2", Stop{Kind: KindInvalid}},
		{"vpalignr $1,%xmm1,%xmm1,%xmm0", "\xc4\xe3\x71\x0f\xc1\x01", Stop{Kind: KindInvalid}},
	}
}

var insnCases = map[string][]insnCase{
	"x86_64": x86Insns(),
	"i386":   x86Insns(),
	"arm": {
		{"svc 0", string(le(0xef000000)), intr(2, 4)},
		{"bkpt", string(le(0xe1200070)), intr(7, 0)},
		{"udf", string(le(0xe7f001f0)), Stop{Kind: KindInvalid}},
	},
	"thumb": {
		{"svc 0", "\x00\xdf", intr(2, 2)},
		{"bkpt", "\x00\xbe", intr(7, 0)},
		{"udf", "\x01\xde", Stop{Kind: KindInvalid}},
		{"udf.w", "\xf0\xf7\x00\xa0", Stop{Kind: KindInvalid}},
	},
	"aarch64": {
		{"svc 0", string(le(0xd4000001)), intr(2, 4)},
		{"brk 0", string(le(0xd4200000)), intr(7, 0)},
		{"udf", string(le(0)), intr(1, 0)},
	},
	"ppc":   ppcInsns,
	"ppc64": ppcInsns,
}

var ppcInsns = []insnCase{
	{"sc", string(be(0x44000002)), intr(8, 4)},
	{"trap", string(be(0x7fe00008)), intr(6, 4)},
	{"illegal", string(be(0)), intr(96, 4)},
}

// marks are the instructions that set the marker to 5 and to 6.
func (r *rig) marks() (five, six string) {
	c := faultCodes[r.name()][0]
	five = c.code[:c.at]
	if r.name() == "aarch64" { // 5 << 5
		return five, strings.Replace(five, "\xa4", "\xc4", 1)
	}
	return five, strings.Replace(five, "\x05", "\x06", 1)
}

// An instruction that is for the system stops the run once, with the PC where
// it is said to be, and the instruction after it has not run.
func TestInsns(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		five, six := r.marks()
		for _, c := range insnCases[r.name()] {
			t.Run(c.name, func(t *testing.T) {
				r.t = t
				r.put(codeAt, five+c.code+six+insnCases[r.name()][1].code)
				for range 3 {
					want := c.want
					want.PC += codeAt + uint64(len(five))
					st := r.run(r.start(codeAt, dataAt, 0), Limit{})
					if c.want.Intno == 0 && c.want.PC == 2 { // div, for which the library forgets the first
						require.Contains(t, []int{0, 8}, st.Intno)
						want.Intno = st.Intno
					}
					st.Between = false
					require.Equal(t, want, st)
					if strings.HasPrefix(c.name, "div") {
						require.EqualValues(t, 0, r.Reg(r.g.mark))
						break
					}
					require.EqualValues(t, 5, r.Reg(r.g.mark))
				}
				if strings.HasPrefix(c.name, "div") {
					return
				}
				st := r.run(r.at(codeAt+uint64(len(five)+len(c.code))), Limit{})
				require.Equal(t, KindIntr, st.Kind)
				require.EqualValues(t, 6, r.Reg(r.g.mark))
			})
		}
	})
}

// Instructions that wait for an event do nothing that a program could notice,
// and one that is undefined right after them is that.
func TestWait(t *testing.T) {
	arm := func(w uint32) string { return string(le(w)) }
	cases := map[string]map[string]string{
		"arm": {"yield": arm(0xe320f001), "wfe": arm(0xe320f002), "wfi": arm(0xe320f003), "yieldeq": arm(0x0320f001), "wfene": arm(0x1320f002)},
		"thumb": {"yield": "\x10\xbf", "wfe": "\x20\xbf", "wfi": "\x30\xbf", "yield.w": "\xaf\xf3\x01\x80", "wfe.w": "\xaf\xf3\x02\x80",
			"it eq; yieldeq": "\x08\xbf\x10\xbf", "it ne; wfene": "\x18\xbf\x20\xbf"},
		"aarch64": {"yield": arm(0xd503203f), "wfe": arm(0xd503205f), "wfi": arm(0xd503207f)},
	}
	each(t, func(t *testing.T, r *rig) {
		for name, code := range cases[r.name()] {
			t.Run(name, func(t *testing.T) {
				r.t = t
				five, six := r.marks()
				trap, undef := insnCases[r.name()][1], insnCases[r.name()][2]
				for range 3 {
					r.put(codeAt, five+code+code+six+trap.code)
					st := r.run(r.start(codeAt, dataAt, 0), Limit{})
					require.Equal(t, trap.want.Intno, st.Intno, "%+v", st)
					require.EqualValues(t, 6, r.Reg(r.g.mark))
					require.EqualValues(t, codeAt+len(five)+2*len(code)+len(six), st.PC)

					r.put(codeAt, five+code+undef.code+six+trap.code)
					for _, l := range []Limit{{}, {Insns: 100}} {
						st = r.run(r.start(codeAt, dataAt, 0), l)
						require.Equal(t, undef.want.Kind, st.Kind)
						require.Equal(t, undef.want.Intno, st.Intno)
						require.EqualValues(t, 5, r.Reg(r.g.mark))
						require.EqualValues(t, codeAt+len(five)+len(code), st.PC)
					}
				}
			})
		}
	})
}

// The flags that x86 computes when they are asked for, and those of the
// others, are right at a fault.
func TestFaultFlags(t *testing.T) {
	type flags struct {
		code string
		reg  int
		want map[uint64]uint64 // of values of count; masked by mask
		mask uint64
	}
	x86 := flags{"\x83\xe9\x05", ucnum.X86_REG_EFLAGS, map[uint64]uint64{5: 0x44, 4: 0x95, 6: 0, 0x80000001: 0x814}, 0x8d5} // sub $5,%ecx
	aarch64 := flags{string(le(0x71001442)), ucnum.ARM64_REG_NZCV, map[uint64]uint64{5: 6 << 28, 4: 8 << 28, 6: 2 << 28}, 0xf << 28}
	ppc := flags{string(be(0x2c050005)), ucnum.PPC_REG_CR, map[uint64]uint64{5: 2 << 28, 4: 8 << 28, 6: 4 << 28}, 0xf << 28} // cmpwi r5,5
	cases := map[string]flags{"x86_64": x86, "i386": x86, "aarch64": aarch64, "ppc": ppc, "ppc64": ppc,
		"arm":   {string(le(0xe2522005)), ucnum.ARM_REG_CPSR, aarch64.want, 0xf << 28},
		"thumb": {"\x05\x3a", ucnum.ARM_REG_CPSR, aarch64.want, 0xf << 28},
	}
	each(t, func(t *testing.T, r *rig) {
		c := cases[r.name()]
		a := accessCode[r.name()]
		r.put(codeAt, c.code+a.code)
		r.put(codeAt+0x100, c.code+a.code[a.st:])
		for _, at := range []uint64{codeAt, codeAt + 0x100} {
			for count, want := range c.want {
				st := r.run(r.start(at, holeAt, count), Limit{})
				require.Equal(t, KindMem, st.Kind)
				require.Equal(t, at+uint64(len(c.code)), st.PC)
				require.Equal(t, want, r.Reg(c.reg)&c.mask, "%#x - 5", count)
			}
		}
	})
}

// The time base can be read by all ways to it, and goes forward; 2.1 has 0 for
// it, with no function in between that could be replaced.
func TestTimeBase(t *testing.T) {
	const l, h = 268, 269
	read := func(op, reg, spr uint32) uint32 { return 31<<26 | reg<<21 | spr&31<<16 | spr>>5<<11 | op<<1 }
	const mftb, mfspr = 371, 339
	for _, name := range []string{"ppc", "ppc64"} {
		for _, op := range []uint32{mftb, mfspr} {
			r := newRig(t, guests[name], false)
			r.put(codeAt, string(be(read(op, 3, h), read(op, 5, l), read(op, 6, h), read(op, 10, l), 0x7fe00008)))
			var last uint64
			for range 100 {
				r.trap(r.run(r.start(codeAt, dataAt, 0), Limit{}))
				for _, pair := range [][2]int{{ucnum.PPC_REG_3, ucnum.PPC_REG_5}, {ucnum.PPC_REG_6, ucnum.PPC_REG_10}} {
					hi, lo := r.Reg(pair[0]), r.Reg(pair[1])
					now := hi<<32 | lo&0xffffffff
					require.GreaterOrEqual(t, now, last)
					last = now
					if name == "ppc64" {
						require.Equal(t, hi, lo>>32)
					}
				}
			}
			_, minor := Version()
			require.Equal(t, minor == 0, last != 0)
		}
	}
}

// CPUID answers what it was told to, and what it was not is the library's.
func TestCPUID(t *testing.T) {
	for _, name := range []string{"x86_64", "i386"} {
		for _, stock := range []bool{false, true} {
			r := newRig(t, guests[name], stock)
			r.put(codeAt, "\x0f\xa2\xcc")
			cpuid := func(leaf, sub uint64) [4]uint32 {
				r.set(r.g.value, leaf)
				r.set(r.g.count, sub)
				r.trap(r.run(codeAt, Limit{}))
				return [4]uint32{r.reg(r.g.value), r.reg(r.g.base), r.reg(r.g.count), r.reg(r.g.result)}
			}
			own := cpuid(0, 0)
			require.NotZero(t, own[1])
			require.NoError(t, r.SetCPUID(7, 1, [4]uint32{1, 2, 3, 0x80000004}))
			require.NoError(t, r.SetCPUID(7, ^uint32(0), [4]uint32{5, 6, 7, 8}))
			require.NoError(t, r.SetCPUID(1, ^uint32(0), [4]uint32{9, 9, 9, 9}))
			require.NoError(t, r.SetCPUID(1, ^uint32(0), [4]uint32{9, 10, 11, 12}))
			require.Equal(t, [4]uint32{1, 2, 3, 0x80000004}, cpuid(7, 1))
			require.Equal(t, [4]uint32{5, 6, 7, 8}, cpuid(7, 0))
			require.Equal(t, [4]uint32{9, 10, 11, 12}, cpuid(1, 77))
			require.Equal(t, own, cpuid(0, 0))
		}
	}
}

// An instruction of x86 that begins on one page and ends on another that is
// missing cannot be fetched; what comes before it runs.
func TestFetchAcrossPages(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		five, _ := r.marks()
		if !strings.HasPrefix(five, "\xbe") {
			return // no instruction of the others is on two pages, but for Thumb
		}
		const at = codeAt + codeLen - 2 // the last two bytes
		r.put(at-uint64(len(five)), five+"\xba\x01")
		for range 3 {
			st := r.run(r.start(at-uint64(len(five)), dataAt, 0), Limit{})
			r.mem(st, 4, at, codeAt+codeLen)
			require.EqualValues(t, 5, r.Reg(r.g.mark))
		}
		host := hostMemory(t, page)
		copy(host, "\x00\x00\x00\xcc")
		require.NoError(t, r.Map(codeAt+codeLen, host, ucnum.PROT_READ|ucnum.PROT_EXEC))
		r.trap(r.run(at, Limit{}))
		require.EqualValues(t, 1, r.reg(r.g.result))
		require.NoError(t, r.Protect(codeAt+codeLen, page, ucnum.PROT_READ))
		r.mem(r.run(r.start(at-uint64(len(five)), dataAt, 0), Limit{}), 4, at, codeAt+codeLen)
	})
}

// A program that comes to address 0 has jumped there.
func TestZero(t *testing.T) {
	zero := map[string]string{"x86_64": "\x31\xc0\xff\xe0", "i386": "\x31\xc0\xff\xe0", // xor %eax,%eax; jmp *%rax
		"arm": string(le(0xe3a00000, 0xe12fff10)), "thumb": "\x01\x20\x00\x47", // mov r0, #0 or 1; bx r0
		"aarch64": string(le(0xd2800000, 0xd61f0000)), "ppc": string(be(0x38600000, 0x7c6903a6, 0x4e800420)),
		"ppc64": string(be(0x38600000, 0x7c6903a6, 0x4e800420))}
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, zero[r.name()])
		for _, l := range []Limit{{}, {Insns: 10}} {
			r.mem(r.run(r.start(codeAt, dataAt, 0), l), 4, 0, 0)
		}
	})
}

// resident is the memory that the process uses.
func resident(t *testing.T) uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	f := strings.Fields(string(b))
	var pages uint64
	for _, c := range f[1] {
		pages = pages*10 + uint64(c-'0')
	}
	return pages * uint64(unix.Getpagesize())
}

// Changes between runs with limits and runs without do not make the library
// clear its memory for translated code, 1 GiB.
func TestNoFlush(t *testing.T) {
	before := resident(t)
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		for range 3 {
			clear(r.data)
			st := r.run(r.start(codeAt, dataAt, 100), Limit{Insns: 50})
			require.Equal(t, KindLimit, st.Kind)
			r.trap(r.run(r.next(st), Limit{}))
			require.Equal(t, work(100), r.reg(r.g.result))
		}
	})
	require.Less(t, resident(t), before+500<<20)
}

// A state that was saved is that of the CPU again once it is restored.
func TestSave(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.put(codeAt, workCode[r.name()])
		st := r.run(r.start(codeAt, dataAt, 100), Limit{Insns: 321})
		c, err := r.Save()
		require.NoError(t, err)
		image, err := r.State()
		require.NoError(t, err)
		// In either mode the library's functions are known.
		require.Equal(t, r.g.Arch == ucnum.ARCH_PPC, c.short())
		data := string(r.data)
		for range 3 {
			copy(r.data, data)
			require.NoError(t, r.Restore(c))
			now, err := r.State()
			require.NoError(t, err)
			require.True(t, bytes.Equal(image, now))
			require.Equal(t, st.PC, r.Reg(pcreg(r.g)))
			r.trap(r.run(r.next(st), Limit{}))
			require.Equal(t, work(100), r.reg(r.g.result))
		}
		other := newRig(t, r.g, false)
		require.NoError(t, other.SaveTo(c))
		require.Error(t, r.SetState(make([]byte, 3)))
	})
}

// drained counts the blocks and the instructions in the trace.
func (r *rig) drained() (blocks, insns uint64) {
	for _, rec := range r.Drain() {
		switch rec.Kind {
		case RecBlock:
			blocks++
		case RecBlocks:
			blocks += rec.V
		case RecInsn:
			insns++
		}
	}
	return blocks, insns
}

// A traced run can be interrupted, and all blocks and instructions up to there
// are recorded, no more.
func TestInterruptTraced(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		l := endlessCode[r.name()]
		r.put(codeAt, l.count)
		for _, what := range []Trace{TraceBlocks, TraceBlocks | TraceInsns | TraceRegs | TraceMem} {
			require.NoError(t, r.SetTrace(what, []int32{int32(r.g.value)}, nil))
			for range 5 {
				pc := r.start(codeAt, dataAt, 0)
				ended, late := make(chan bool), make(chan bool)
				go func() { r.Interrupt(); late <- r.endless(ended) }()
				st := r.run(pc, Limit{})
				blocks, insns := r.drained()
				full := uint64(0)
				for ; st.Kind == KindRingFull; full++ {
					st = r.run(r.next(st), Limit{})
					b, i := r.drained()
					blocks += b
					insns += i
				}
				close(ended)
				require.False(t, <-late)
				require.Equal(t, KindInterrupt, st.Kind)
				// A block in which the ring was full is entered again, for its rest.
				require.LessOrEqual(t, blocks, r.Reg(r.g.value)+full+1)
				require.GreaterOrEqual(t, blocks, r.Reg(r.g.value))
				if what == TraceBlocks {
					continue
				}
				want := 3 * r.Reg(r.g.count)
				switch st.PC - codeAt {
				case 0:
				case l.between:
					want++
				default:
					want--
				}
				require.Equal(t, want, insns)
			}
			require.NoError(t, r.SetTrace(0, nil, nil))
		}
	})
}
