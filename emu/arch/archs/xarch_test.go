package archs

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/arch/arm/armasm"
	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/ppc64/ppc64asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/utemu/utemu/emu/arch"
)

// xarch is an instruction as golang.org/x/arch has it: length and name, ""
// for one that it does not know.
func (o *oracle) xarch(code []byte) (n int, name string) {
	switch o.name {
	case "i386", "x86_64":
		bits := 8 * o.arch.Word
		in, err := x86asm.Decode(code, bits)
		if err != nil || in.Op == 0 {
			return in.Len, ""
		}
		return in.Len, x86asm.GNUSyntax(in, 0, nil)
	case "a32":
		in, err := armasm.Decode(code, armasm.ModeARM)
		if err != nil {
			return 4, ""
		}
		return in.Len, armasm.GNUSyntax(in)
	case "a64":
		in, err := arm64asm.Decode(code)
		if err != nil {
			return 4, ""
		}
		return 4, arm64asm.GNUSyntax(in)
	}
	in, err := ppc64asm.Decode(code, binary.BigEndian)
	if err != nil || in.Op == 0 {
		return 4, ""
	}
	return in.Len, ppc64asm.GNUSyntax(in, 0)
}

// wrong are the instructions that golang.org/x/arch v0.32.0 gets wrong without
// an error, by what it calls them: another length, or another kind.
var wrong = map[string][]*regexp.Regexp{
	"x86_64": {regexp.MustCompile(`^vzero(upper|all)$`)},
	"i386":   {regexp.MustCompile(`^vzero(upper|all)$`)},
}

// unknown are those that it knows nothing of, or has no name for: endbr64 and
// its like with the length 1.
var unknownX86 = regexp.MustCompile(`^f30f1e|^f3(48)?0fae|^f30fc7`)

// TestXArch holds Decode against golang.org/x/arch, which has no Thumb.
func TestXArch(t *testing.T) {
	for _, o := range oracles {
		if o.thumb {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			for name, text := range o.text(t) {
				c := newChecker(&o, text)
				known := 0
				o.dump(t, text, func(l line) {
					i, err := o.arch.Decode(c.cpu, c.cpu, l.addr)
					if err != nil || l.addr < c.skip || c.split(l, &i) {
						return
					}
					c.insns++
					n, text := o.xarch(i.Raw[:])
					if text == "" {
						return
					}
					known++
					c.compare(l, &i, n, text)
				})
				t.Logf("%s: %d instructions, x/arch knows %d", name, c.insns, known)
				require.Greater(t, known, c.insns*9/10)
				require.Empty(t, c.bad, strings.Join(c.bad[:min(20, len(c.bad))], "\n"))
			}
		})
	}
}

// compare compares with the text of x/arch, which is in the same syntax as
// objdump's.
func (c *checker) compare(l line, i *arch.Insn, n int, text string) {
	for _, w := range wrong[c.o.name] {
		if w.MatchString(text) {
			return
		}
	}
	if unknownX86.MatchString(fmt.Sprintf("%x", i.Raw[:])) && n == 1 {
		return
	}
	x := c.o.split(l.addr, n, strings.Fields(strings.NewReplacer(", ", ",").Replace(text)))
	if x.n != int(i.Len) {
		c.fail(l, "length %d, x/arch %d %q", i.Len, x.n, text)
		return
	}
	want, known := c.o.classOf(x)
	if i.Class&known != want&known {
		c.fail(l, "class %x, x/arch %x by %q", uint32(i.Class), uint32(want), text)
	}
}
