package archs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archtest"
	"github.com/utemu/utemu/emu/arch/x86"
)

// classOf is what the text of an instruction says of its class: of those bits
// of it that expected returns in known.
func (o *oracle) classOf(l line) (c, known arch.Class) {
	known = arch.IsBranch | arch.IsCall | arch.IsSyscall | arch.IsTrap | arch.IsLoadLink | arch.IsStoreCond
	for _, r := range mnemonics[o.name] {
		if r.mnem.MatchString(l.mnem) && (r.args == nil || r.args.MatchString(l.rest)) {
			return r.class, (known | r.known) &^ r.silent
		}
	}
	return 0, known
}

type rule struct {
	mnem, args *regexp.Regexp
	class      arch.Class
	known      arch.Class // bits that this rule tells of beyond the usual ones
	silent     arch.Class // those of the usual ones that it does not tell of
}

func re(mnem, args string, c arch.Class, known ...arch.Class) rule {
	r := rule{mnem: regexp.MustCompile("^(" + mnem + ")$"), class: c}
	if args != "" {
		r.args = regexp.MustCompile(args)
	}
	for _, k := range known {
		r.known |= k
	}
	return r
}

// but is a rule that says nothing of some bits.
func (r rule) but(c arch.Class) rule {
	r.silent = c
	return r
}

const (
	branch = arch.IsBranch
	cond   = arch.IsBranch | arch.IsCond
	call   = arch.IsBranch | arch.IsCall
	indir  = arch.IsBranch | arch.IsIndirect
	armCC  = "(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
)

var rulesX86 = []rule{
	re("jmp[lqw]?", `^\*`, indir, arch.IsIndirect, arch.IsCond), re("jmp[qw]?", "", branch, arch.IsIndirect, arch.IsCond),
	re("call[lqw]?", `^\*`, call|arch.IsIndirect, arch.IsIndirect), re("call[lqw]?", "", call, arch.IsIndirect),
	re("lcall[lqw]?", "", call, 0), re("ljmp[lqw]?", "", branch),
	re("(l?ret|iret)f?[lqw]?", "", branch|arch.IsReturn, arch.IsReturn),
	re("j[a-z]+(,p[nt])?|loopn?[ez]?[lqw]?", "", cond, arch.IsCond),
	re("syscall|sysenter", "", arch.IsSyscall), re("int", `^\$0x80$`, arch.IsSyscall),
	re("int|int3|int1|icebp|into|bound", "", arch.IsTrap), re("xbegin", "", cond),
	re("ud[012][lqwb]?", "", arch.IsUndefined, arch.IsUndefined),
	re("pushf[lqw]?", "", arch.IsPushFlags, arch.IsPushFlags), re("popf[lqw]?", "", arch.IsPopFlags, arch.IsPopFlags),
	re("hlt|cli|sti|in[bwl]?|out[bwl]?|wrmsr|rdmsr", "", arch.IsPrivileged, arch.IsPrivileged),
}

var rulesARM = []rule{
	re("bl", "", call, arch.IsCond), re("bl"+armCC, "", call|arch.IsCond, arch.IsCond),
	re("blx(ns)?"+armCC+"?", "", call), re("bxj?|bxns", "", indir, arch.IsCond), re("bxj?"+armCC, "", indir|arch.IsCond, arch.IsCond),
	re(`b(al)?(\.n|\.w)?`, "", branch, arch.IsCond), re("b"+armCC+`(\.n|\.w)?`, "", cond, arch.IsCond), re("cbn?z", "", cond, arch.IsCond), re("tb[bh]", "", indir),
	re("svc"+armCC+"?", "", arch.IsSyscall), re("bkpt", "", arch.IsTrap), re(`udf(\.w)?`, "^#(0|1|16)$", arch.IsTrap).but(arch.IsTrap), re(`udf(\.w)?`, "", 0, arch.IsTrap),
	re("(ldrex|ldaex)[bhd]?"+armCC+"?", "", arch.IsLoadLink), re("(strex|stlex)[bhd]?"+armCC+"?", "", arch.IsStoreCond),
	re(`(pop|ldm(ia|fd|ib|ed|da|fa|db|ea)?)`+armCC+`?(\.w)?`, `pc\}`, indir), re(`ldr`+armCC+`?(\.w)?`, "^pc,", indir),
	re("rfe(ia|ib|da|db)?|eret", "", indir),
	re("(subs|movs|adds|lsls|lsrs|asrs|rors|rrxs|mvns|ands|eors|orrs|bics|adcs|sbcs|rscs|rsbs)"+armCC+"?", "^pc", indir),
	re("(mov|add|sub|rsb|rsc|adc|sbc|and|orr|eor|bic|mvn|lsl|lsr|asr|ror|rrx)"+armCC+"?", "^pc,", indir),
}

var mnemonics = map[string][]rule{
	"i386": rulesX86, "x86_64": rulesX86, "a32": rulesARM, "thumb": rulesARM,
	"a64": {
		re("bl", "", call), re("b", "", branch, arch.IsCond), re(`bc?\.[a-z]+|cbn?z|tbn?z`, "", cond, arch.IsCond),
		re("br(aa|ab)z?|br", "", indir, arch.IsIndirect), re("blr(aa|ab)z?|blr", "", call|arch.IsIndirect, arch.IsIndirect),
		re("ret(aa|ab)?", "", indir|arch.IsReturn, arch.IsReturn), re("eret(aa|ab)?|drps", "", branch),
		re("svc", "", arch.IsSyscall), re("brk", "", arch.IsTrap),
		re("ld(a?xr[bh]?|a?xp)", "", arch.IsLoadLink), re("st(l?xr[bh]?|l?xp)", "", arch.IsStoreCond),
		re("adrp?", "", arch.IsPCRel, arch.IsPCRel), re("udf|hlt", "", arch.IsUndefined, arch.IsUndefined),
	},
	"ppc": rulesPPC, "ppc64": rulesPPC,
}

var rulesPPC = []rule{
	re("b|ba", "", branch, arch.IsCond), re("bla?", "", call, arch.IsCond),
	re("bcl", "^20,4", branch).but(arch.IsCall), re("b(rinc|permd|rh|rw|rd|lrp)", "", 0),
	re("blr|bctr|btar", "", indir, arch.IsCond, arch.IsIndirect), re("blrl|bctrl|btarl", "", indir|arch.IsCall, arch.IsIndirect),
	re(`b(eq|ne|lt|gt|le|ge|so|ns|un|nu|dn?z[tf]?|t|f|c)[+-]?`, "", branch), re(`b(eq|ne|lt|gt|le|ge|so|ns|un|nu|dn?z[tf]?|t|f|c)a[+-]?`, "", branch),
	re(`b(eq|ne|lt|gt|le|ge|so|ns|un|nu|dn?z[tf]?|t|f|c)la?[+-]?`, "", call),
	re(`b(eq|ne|lt|gt|le|ge|so|ns|un|nu|dn?z[tf]?|t|f|c)?(lr|ctr|tar)[+-]?`, "", indir, arch.IsIndirect),
	re(`b(eq|ne|lt|gt|le|ge|so|ns|un|nu|dn?z[tf]?|t|f|c)?(lr|ctr|tar)l[+-]?`, "", indir|arch.IsCall, arch.IsIndirect),
	re(`bc(lr|ctr)?\?`, "", branch), // x/arch has no name for some hints
	re("scv?", "", arch.IsSyscall), re("trap|t[wd].*", "", arch.IsTrap),
	re("l[wdbhq]arx", "", arch.IsLoadLink), re(`st[wdbhq]cx\.`, "", arch.IsStoreCond),
}

// TestClass holds Decode and the targets of Next against objdump over the code
// of libraries.
func TestClass(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for name, text := range o.text(t) {
				c := newChecker(&o, text)
				o.dump(t, text, c.line)
				t.Logf("%s: %d instructions, %d branches with a target; by class %v", name, c.insns, c.targets, c.counts)
				require.Greater(t, c.insns, len(text)/10)
				require.Empty(t, c.bad, strings.Join(c.bad[:min(20, len(c.bad))], "\n"))
			}
		})
	}
}

// checker compares instructions one by one.
type checker struct {
	o              *oracle
	cpu            *archtest.CPU
	insns, targets int
	counts         map[string]int
	bad            []string
	skip           uint64
	last           arch.Insn // Thumb
}

func newChecker(o *oracle, text []byte) *checker {
	c := &checker{o: o, cpu: archtest.NewCPU(o.arch), counts: map[string]int{}}
	c.cpu.Map(0, append(slices.Clip(text), make([]byte, 32)...))
	c.setState()
	return c
}

// setState puts the CPU in the state of the instruction set.
func (c *checker) setState() {
	if c.o.thumb {
		c.flags(0x20)
	}
}

func (c *checker) flags(v uint64) {
	for _, name := range []string{"eflags", "cpsr", "cr"} {
		if r, ok := c.o.arch.RegByName(name); ok {
			c.cpu.SetReg(r.ID, v)
		}
	}
}

func (c *checker) fail(l line, format string, a ...any) {
	i, _ := c.o.arch.Decode(c.cpu, c.cpu, l.addr)
	c.bad = append(c.bad, fmt.Sprintf("%#x % x %s %s: ", l.addr, i.Raw[:max(l.n, int(i.Len))], l.mnem, l.rest)+fmt.Sprintf(format, a...))
}

// decode decodes with ITSTATE as the instruction before leaves it.
func (c *checker) decode(at uint64) (arch.Insn, error) {
	if !c.o.thumb {
		return c.o.arch.Decode(c.cpu, c.cpu, at)
	}
	var i arch.Insn
	var err error
	if c.last.Len != 0 && c.last.End() == at {
		i, err = c.o.arch.Follow(c.last, c.cpu)
	} else {
		i, err = c.o.arch.Decode(c.cpu, c.cpu, at)
	}
	c.last = i
	return i, err
}

var number = regexp.MustCompile(`(?:^|[ ,])(?:0x)?([0-9a-f]+)$`)

func (c *checker) line(l line) {
	a := c.o.arch
	i, err := c.decode(l.addr)
	if err != nil || l.addr < c.skip || c.split(l, &i) {
		return
	}
	c.insns++
	if int(i.Len) != l.n {
		c.fail(l, "length %d, not %d", i.Len, l.n)
		return
	}
	want, known := c.o.classOf(l)
	if want != 0 {
		c.counts[fmt.Sprintf("%x", uint32(want))]++
	}
	if i.Class&known != want&known {
		c.fail(l, "class %x, not %x", uint32(i.Class), uint32(want))
	}
	if want&arch.IsBranch == 0 || i.Is(arch.IsIndirect|arch.IsFar) {
		return
	}
	m := number.FindStringSubmatch(l.rest)
	if m == nil {
		c.fail(l, "no target in the text")
		return
	}
	to, _ := strconv.ParseUint(m[1], 16, 64)
	c.targets++
	if got := c.next(i); !slices.Contains(got, a.Addr(to)) || len(got) > 2 || len(got) == 2 && !slices.Contains(got, a.Addr(i.End())) {
		c.fail(l, "leads to %x, not %x", got, to)
	}
}

// split says whether objdump makes several lines of what a CPU takes for one
// instruction, or one of several: prefixes without effect, and FWAIT.
func (c *checker) split(l line, i *arch.Insn) bool {
	if c.o.arch.Machine != x86.I386.Machine && c.o.arch.Machine != x86.X86_64.Machine {
		return false
	}
	if isPrefix(l.mnem) && l.rest == "" {
		c.skip = i.End()
		return true
	}
	e, ok := x86.Parse(false, i.Raw[:15])
	return ok && e.Map == 0 && i.Raw[e.Opcode] == 0x9b
}

// next is where a direct branch leads to, over many states of flags and
// registers.
func (c *checker) next(i arch.Insn) (all []uint64) {
	defer c.setState()
	for _, f := range []uint64{0, 1, 1 << 6, 1 << 2, 1 << 7, 1 << 11, 0xf0000000, 0x20000000, 0x40000000, 0x80000000, 0x10000000, 0x90000000, 0xffffffff, 0xa5a5a5a5, 0x5a5a5a5a} {
		for _, v := range []uint64{0, 1, 2, ^uint64(0)} {
			for _, r := range c.o.arch.Regs[:c.o.arch.Core] {
				c.cpu.SetReg(r.ID, v)
			}
			if c.o.thumb {
				f = f&0xf0000000 | 0x20
			}
			c.flags(f)
			dst, err := c.o.arch.Next(i, c.cpu, c.cpu, nil)
			if err != nil {
				return nil
			}
			for _, d := range dst {
				if !slices.Contains(all, d.PC) {
					all = append(all, d.PC)
				}
			}
		}
	}
	return all
}
