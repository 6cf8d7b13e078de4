package disasm

import (
	"bytes"
	enchex "encoding/hex"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch/x86"
)

// full says that the tests look at all the code there is. The default is a
// sample that takes a few seconds.
func full() bool { return os.Getenv("UTEMU_FULL") != "" }

// tally counts how Decode agrees with objdump.
type tally struct {
	insns, named, missing, length, mnemonic, text int
	examples                                      map[string]int
}

func (c *tally) String() string {
	return fmt.Sprintf("%d instructions, objdump names %d: %d of them unknown, %d of another length, same mnemonic %.3f %%, same text %.3f %%",
		c.insns, c.named, c.missing, c.length, percent(c.mnemonic, c.named), percent(c.text, c.named))
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// worst lists the most frequent differences.
func (c *tally) worst(n int) string {
	keys := make([]string, 0, len(c.examples))
	for k := range c.examples {
		keys = append(keys, k)
	}
	grave := func(k string) bool { return !strings.HasPrefix(k, "differs") }
	sort.Slice(keys, func(i, j int) bool {
		if a, b := grave(keys[i]), grave(keys[j]); a != b {
			return a
		}
		return c.examples[keys[i]] > c.examples[keys[j]]
	})
	var b strings.Builder
	for _, k := range keys[:min(n, len(keys))] {
		fmt.Fprintf(&b, "\n%6d %s", c.examples[k], k)
	}
	return b.String()
}

func (c *tally) note(what string) {
	if len(c.examples) < 100000 {
		c.examples[what]++
	}
}

// compare decodes the instructions that objdump finds in raw.
func (o *oracle) compare(t *testing.T, raw []byte, c *tally) {
	var it uint8
	o.dump(t, raw, nil, func(l line) {
		c.insns++
		code := raw[l.addr:]
		c.check(o, l, code, it)
		if o.isa == Thumb {
			it = AdvanceIT(it, code)
		}
	})
}

// check compares one instruction.
func (c *tally) check(o *oracle, l line, code []byte, it uint8) {
	if unnamed(l.text) || o.splits(l, code) {
		return
	}
	in := DecodeIT(o.isa, l.addr, code, it, nil)
	c.named++
	want, got := comparable(l.text), comparable(in.Text)
	wm, _, _ := strings.Cut(want, " ")
	gm, _, _ := strings.Cut(got, " ")
	switch {
	case !in.Known:
		c.missing++
		c.note("missing " + wm + fmt.Sprintf(" % x", code[:l.n]))
	case in.Len != l.n:
		c.length++
		c.note(fmt.Sprintf("length %d, objdump %d: % x %s", in.Len, l.n, code[:l.n], l.text))
	default:
		c.mnemonic += count(wm == gm)
		c.text += count(want == got)
		if want != got {
			c.note("differs " + want + " | " + got)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// splits says whether objdump makes several lines of what a CPU takes for one
// instruction, or one line of two: a REX before other prefixes, and FWAIT
// before x87 instructions.
func (o *oracle) splits(l line, code []byte) bool {
	if o.isa != I386 && o.isa != X86_64 {
		return false
	}
	words := strings.Fields(l.text)
	prefixes := !slices.ContainsFunc(words, func(w string) bool { return !isPrefixWord(w) })
	return prefixes || bytes.IndexByte(code[:l.n], 0x9b) >= 0 && l.n > 1 && x86Wait(code[:l.n])
}

// x86Wait says whether the first byte after prefixes is FWAIT.
func x86Wait(code []byte) bool {
	l, ok := x86.Parse(false, code)
	return ok && l.Map == 0 && code[l.Opcode] == 0x9b
}

// comparable is a text without comments, symbols and spaces that say nothing.
func comparable(s string) string {
	s = plainText(s)
	if i := strings.Index(s, " #"); i > 0 && strings.Contains(s, "ip)") {
		s = strings.TrimSpace(s[:i])
	}
	return strings.ReplaceAll(s, ", ", ",")
}

// TestObjdump holds Decode against objdump over the code of libraries: what
// objdump names is named, with the same length and in nearly all cases the
// same text.
func TestObjdump(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.isa.String(), func(t *testing.T) {
			for name, text := range o.libraries(t) {
				c := tally{examples: map[string]int{}}
				if !full() {
					text = text[:min(len(text), 60_000)]
				}
				o.compare(t, text, &c)
				t.Logf("%-14s %s", name, &c)
				if full() {
					t.Log(c.worst(6))
				}
				require.NotZero(t, c.named)
				require.Zero(t, c.missing, c.worst(10))
				require.Zero(t, c.length, c.worst(10))
				require.Greater(t, percent(c.mnemonic, c.named), 98.5, c.worst(10))
				require.Greater(t, percent(c.text, c.named), 98.0, c.worst(10))
			}
		})
	}
}

// TestSweep holds Decode against objdump over random words, which are all
// encodings alike, those of no compiler too.
func TestSweep(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.isa.String(), func(t *testing.T) {
			n := 200_000
			if full() {
				n = 8_000_000
			}
			raw := make([]byte, n)
			rand.New(rand.NewSource(11)).Read(raw)
			c := tally{examples: map[string]int{}}
			o.compare(t, raw, &c)
			t.Log(&c)
			if full() {
				t.Log(c.worst(15))
			}
			require.Less(t, percent(c.missing, c.named), 0.02, c.worst(10))
			require.Less(t, percent(c.length, c.named), 0.02, c.worst(10))
			require.Greater(t, percent(c.mnemonic, c.named), 95.0, c.worst(10))
		})
	}
}

// TestOpcodes goes through the opcode maps of x86: each prefix, opcode and
// ModRM.reg, on a register and on memory, with VEX and EVEX in all their sizes.
func TestOpcodes(t *testing.T) {
	for _, o := range oracles[:2] {
		t.Run(o.isa.String(), func(t *testing.T) {
			c := tally{examples: map[string]int{}}
			o.compareSlots(t, opcodes(), &c)
			t.Log(&c)
			if full() {
				t.Log(c.worst(25))
			}
			require.Less(t, percent(c.missing, c.named), 0.5, c.worst(20))
			require.Less(t, percent(c.length, c.named), 0.1, c.worst(20))
			require.Greater(t, percent(c.mnemonic, c.named), 90.0, c.worst(20))
		})
	}
}

// compareSlots is compare for instructions of 16 bytes each, of which the first
// counts.
func (o *oracle) compareSlots(t *testing.T, raw []byte, c *tally) {
	var lines []line
	o.dump(t, raw, nil, func(l line) {
		if l.addr%16 == 0 {
			lines = append(lines, l)
		}
	})
	c.insns = len(lines)
	for _, l := range lines {
		c.check(o, l, raw[l.addr:], 0)
	}
}

// opcodes are instructions of 16 bytes, padded with NOP.
func opcodes() []byte {
	var raw []byte
	n := 0
	slot := func(parts ...byte) {
		if n++; n%5 != 0 && !full() {
			return
		}
		for len(parts) < 16 {
			parts = append(parts, 0x90)
		}
		raw = append(raw, parts...)
	}
	for _, pre := range [][]byte{nil, {0x66}, {0xf3}, {0xf2}, {0x48}, {0xf3, 0x48}} {
		for _, esc := range [][]byte{nil, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}} {
			for op := range 256 {
				for reg := range 8 {
					for _, rm := range []int{0xc1, 0x03} {
						slot(slices.Concat(pre, esc, []byte{byte(op), byte(rm | reg<<3), 1, 0, 0, 0, 1})...)
					}
				}
			}
		}
	}
	for _, m := range []int{1, 2, 3} {
		for _, p2 := range []int{0, 0x80} {
			for ppL := range 8 {
				for op := range 256 {
					slot(0xc4, byte(0xe0|m), byte(0x68|p2|ppL), byte(op), 0xc9, 1)
					slot(0xc4, byte(0xe0|m), byte(0x68|p2|ppL), byte(op), 0x4b, 4, 1)
				}
			}
		}
	}
	for _, m := range []int{1, 2, 3, 5, 6} {
		for p1 := range 8 {
			for L := range 3 {
				for op := range 256 {
					p1, p2 := byte(0x6c|p1>>2<<7|p1&3), byte(0x08|L<<5)
					slot(0x62, byte(0xf0|m), p1, p2|1, byte(op), 0xc9, 1)
					slot(0x62, byte(0xf0|m), p1, p2|1, byte(op), 0x4b, 4, 1)
				}
			}
		}
	}
	return raw
}

func TestDecode(t *testing.T) {
	sym := func(addr uint64) (string, uint64) {
		if addr >= 0x1000 && addr < 0x2000 {
			return "f", 0x1000
		}
		return "", 0
	}
	tests := map[string]struct {
		isa    ISA
		code   string
		it     uint8
		text   string
		target uint64
		n      int
	}{
		"x86 call":              {X86_64, "e8fb0f0000", 0, "call 0x2000", 0x2000, 5},
		"x86 call near":         {X86_64, "e8fbffffff", 0, "call 0x1000 <f>", 0x1000, 5},
		"x86 rip":               {X86_64, "488b0510000000", 0, "mov 0x10(%rip),%rax # 0x1017 <f+0x17>", 0x1017, 7},
		"i386 negative":         {I386, "8b45f8", 0, "mov -0x8(%ebp),%eax", 0, 3},
		"endbr64":               {X86_64, "f30f1efa", 0, "endbr64", 0, 4},
		"vzeroupper":            {X86_64, "c5f877", 0, "vzeroupper", 0, 3},
		"rdpid":                 {X86_64, "f30fc7f8", 0, "rdpid %rax", 0, 4},
		"rdpkru":                {X86_64, "0f01ee", 0, "rdpkru", 0, 3},
		"notrack":               {X86_64, "3effe1", 0, "notrack jmp *%rcx", 0, 3},
		"incsspq":               {X86_64, "f3480faee8", 0, "incsspq %rax", 0, 5},
		"x86 short of bytes":    {X86_64, "e8fb", 0, "(bad)", 0, 1},
		"A32 b":                 {A32, "feffffea", 0, "b 0x1000 <f>", 0x1000, 4},
		"A32 ldr literal":       {A32, "04009fe5", 0, "ldr r0, [pc, #4] @ 0x100c <f+0xc>", 0x100c, 4},
		"A32 udf":               {A32, "f001f0e7", 0, "udf #16", 0, 4},
		"A32 neon":              {A32, "440862f2", 0, "vadd.i32 q8, q1, q2", 0, 4},
		"A32 mrc":               {A32, "700f1dee", 0, "mrc 15, 0, r0, cr13, cr0, {3}", 0, 4},
		"Thumb bx":              {Thumb, "7047", 0, "bx lr", 0, 2},
		"Thumb in IT":           {Thumb, "0120", 0x18, "movne r0, #1", 0, 2},
		"Thumb wide in IT":      {Thumb, "4ff00009", 0x08, "moveq.w r9, #0", 0, 4},
		"Thumb it":              {Thumb, "14bf", 0, "ite ne", 0, 2},
		"Thumb bl":              {Thumb, "fff7feff", 0, "bl 0x1000 <f>", 0x1000, 4},
		"Thumb short of bytes":  {Thumb, "fff7", 0, ".byte 0xff,0xf7", 0, 2},
		"A64 b.eq":              {A64, "00000054", 0, "b.eq 0x1000 <f>", 0x1000, 4},
		"A64 adrp":              {A64, "00000090", 0, "adrp x0, 0x1000 <f>", 0x1000, 4},
		"A64 tpidr":             {A64, "40d03bd5", 0, "mrs x0, tpidr_el0", 0, 4},
		"A64 sve":               {A64, "20002004", 0, "add z0.b, z1.b, z0.b", 0, 4},
		"A64 retaa":             {A64, "ff0b5fd6", 0, "retaa", 0, 4},
		"A64 cas":               {A64, "417ca0c8", 0, "cas x0, x1, [x2]", 0, 4},
		"A64 zero":              {A64, "00000000", 0, ".inst 0x00000000", 0, 4},
		"PPC mr":                {PPC32, "7c7f1b78", 0, "mr r31,r3", 0, 4},
		"PPC bl":                {PPC32, "48000001", 0, "bl 0x1000 <f>", 0x1000, 4},
		"PPC backwards to zero": {PPC32, "4bfff000", 0, "b 0x0", 0, 4},
		"PPC altivec":           {PPC64, "1022180a", 0, "vaddfp v1,v2,v3", 0, 4},
		"PPC spe":               {PPC32, "10cc948a", 0, "evsubfh r6,r12,r18", 0, 4},
		"PPC prefixed":          {PPC64, "0600000038600001", 0, "pli r3,1", 0, 8},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			code, err := enchex.DecodeString(tc.code)
			require.NoError(t, err)
			in := DecodeIT(tc.isa, 0x1000, code, tc.it, sym)
			require.Equal(t, tc.text, in.Text)
			require.Equal(t, tc.n, in.Len)
			require.Equal(t, tc.target, in.Target)
		})
	}
}

// TestITIsForgotten: no IT block of one call reaches the next.
func TestITIsForgotten(t *testing.T) {
	Decode(Thumb, 0, []byte{0x08, 0xbf}, nil)
	in := Decode(Thumb, 2, []byte{0x4f, 0xf0, 0x00, 0x09}, nil)
	require.Equal(t, "mov.w r9, #0", in.Text)
}

func TestAdvanceIT(t *testing.T) {
	it := AdvanceIT(0, []byte{0x14, 0xbf}) // ite ne
	require.Equal(t, "ne", condARM(uint32(it>>4)))
	it = AdvanceIT(it, []byte{0x01, 0x20})
	require.Equal(t, "eq", condARM(uint32(it>>4)))
	require.Zero(t, AdvanceIT(it, []byte{0x01, 0x20}))
}

func TestLen(t *testing.T) {
	tests := map[string]struct {
		isa  ISA
		code string
		n    int
	}{
		"empty":                   {X86_64, "", 0},
		"cut":                     {X86_64, "48b80102", 0},
		"movabs":                  {X86_64, "48b80102030405060708", 10},
		"vex two bytes":           {X86_64, "c5f877", 3},
		"evex disp8":              {X86_64, "62f17c48104101", 7},
		"les in 32-bit mode":      {I386, "c400", 2},
		"16-bit address":          {I386, "678b460a", 4},
		"call data16 rex.W":       {X86_64, "666648e800000000", 8},
		"rex without effect":      {X86_64, "4866b80102", 5},
		"extrq":                   {X86_64, "660f78c00102", 6},
		"xop with immediate":      {X86_64, "8fea7810c001020304", 9},
		"longer than 15":          {X86_64, strings.Repeat("66", 15) + "90", 0},
		"thumb":                   {Thumb, "7047", 2},
		"thumb cut":               {Thumb, "00f0", 0},
		"ppc prefixed":            {PPC64, "0600000038600001", 8},
		"no such instruction set": {ISA(200), "90", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			code, err := enchex.DecodeString(tc.code)
			require.NoError(t, err)
			require.Equal(t, tc.n, Len(tc.isa, code))
		})
	}
}

func FuzzDecode(f *testing.F) {
	for isa := I386; isa < numISA; isa++ {
		f.Add(uint8(isa), uint64(0xfffffffe), []byte{0xf3, 0x0f, 0x1e, 0xfa, 1, 2, 3, 4}, uint8(0x18))
		f.Add(uint8(isa), uint64(0), []byte{}, uint8(0))
	}
	f.Fuzz(func(t *testing.T, n uint8, pc uint64, code []byte, it uint8) {
		isa := ISA(n % (numISA + 1))
		in := DecodeIT(isa, pc, code, it, func(addr uint64) (string, uint64) { return "s", addr &^ 0xff })
		if len(code) > 0 && (in.Len < 1 || in.Len > isa.MaxLen()) || in.Len > len(code) || in.Text == "" {
			t.Fatalf("%v % x: %+v", isa, code, in)
		}
		if len(code) >= isa.MaxLen() && in.Len%isa.MinLen() != 0 {
			t.Fatalf("%v % x: length %d", isa, code, in.Len)
		}
		if l := Len(isa, code); l < 0 || l > len(code) || in.Known && l != in.Len {
			t.Fatalf("%v % x: Len %d, Decode %+v", isa, code, l, in)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, o := range oracles {
		b.Run(o.isa.String(), func(b *testing.B) {
			text := o.libraries(b)["libc.so.6"]
			pc := 0x2000
			for b.Loop() {
				pc += Decode(o.isa, uint64(pc), text[pc:pc+16], nil).Len
				if pc > len(text)-32 {
					pc = 0x2000
				}
			}
		})
	}
}

func BenchmarkLen(b *testing.B) {
	text := oracles[1].libraries(b)["libc.so.6"]
	pc := 0x2000
	for b.Loop() {
		pc += max(1, Len(X86_64, text[pc:pc+16]))
		if pc > len(text)-32 {
			pc = 0x2000
		}
	}
}
