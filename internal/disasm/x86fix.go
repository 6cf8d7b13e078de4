package disasm

import (
	"strconv"
	"strings"

	"github.com/utemu/utemu/emu/arch/x86"
)

// x86Renamed are mnemonics of x86asm and libcapstone that objdump writes
// differently in AT&T syntax, whatever the operands.
var x86Renamed = map[string]string{
	"callq": "call", "jmpq": "jmp", "retq": "ret", "leaveq": "leave", "lretq": "lret",
	"calll": "call", "jmpl": "jmp", "retl": "ret", "leavel": "leave", "lretl": "lret",
	"pushl": "push", "popl": "pop", "pushq": "push", "popq": "pop", "enterq": "enter", "enterl": "enter",
	"pushfq": "pushf", "popfq": "popf", "pushfl": "pushf", "popfl": "popf",
	"lcallq": "lcall", "ljmpq": "ljmp", "lcalll": "lcall", "ljmpl": "ljmp",
	"cbw": "cbtw", "cwde": "cwtl", "cdqe": "cltq", "cwd": "cwtd", "cdq": "cltd", "cqo": "cqto",
	"sal": "shl", "salb": "shlb", "salw": "shlw", "sall": "shll", "salq": "shlq",
	"icebp": "int1", "xbeginq": "xbegin", "xbeginl": "xbegin",
}

func (x *x86Text) fixMnemonic() {
	if m, ok := x86Renamed[x.mnem]; ok {
		x.mnem = m
	}
	x.prefix = strings.ReplaceAll(x.prefix, "repn ", "repnz ")
	if x.l.Long {
		x.prefix = strings.ReplaceAll(x.prefix, "data32 ", "data16 ")
	}
	if x.l.Enc != x86.Legacy {
		x.fixVector()
		return
	}
	if x.l.Map != 0 {
		x.fixSpace()
		return
	}
	x.fixPrefix()
	x.fixOneByte()
}

// fixSpace is for the opcodes after 0F.
func (x *x86Text) fixSpace() {
	switch op := x.code[x.l.Opcode]; {
	case x.l.Map == 1 && op&0xfc == 0x20:
		x.mnem = "mov"
	case x.l.Map == 1 && op == 0x07:
		x.mnem = pick(x.l.Wide(), "sysretq", pick(x.l.Long, "sysretl", "sysret"))
	case x.l.Map == 1 && op == 0x35:
		x.mnem = pick(x.l.Wide(), "sysexitq", pick(x.l.Long, "sysexitl", "sysexit"))
	case x.l.Map == 1 && (op == 0x78 || op == 0x79):
		x.mnem = strings.TrimRight(x.mnem, "lq")
	case x.l.Map == 2 && op == 0xf6 && strings.HasPrefix(x.mnem, "ad"):
		x.mnem = x.mnem[:4] // ADCX, ADOX
	}
	x.prefix = strings.ReplaceAll(x.prefix, "rep ", "repz ")
}

// fixOneByte is for the one-byte opcodes.
func (x *x86Text) fixOneByte() {
	if op := x.code[x.l.Opcode]; op&0xfe == 0xd0 && len(x.ops) == 2 && strings.HasPrefix(x.ops[0], "$") {
		x.ops = x.ops[1:] // a shift by one
	}
	switch op := x.code[x.l.Opcode]; {
	case op&0xfe == 0xca && x.l.Wide():
		x.mnem = "lretq"
	case op == 0xff && x.l.Seg == 0x3e && x.l.Long && (x.mnem == "jmp" || x.mnem == "call"):
		x.prefix = strings.Replace(x.prefix, "ds ", "", 1) + "notrack "
		x.l.Seg = 0
	case op == 0x63 && x.l.Long:
		x.mnem = pick(x.l.Wide(), "movslq", "movsxd")
	case op >= 0xd8 && op <= 0xdf && x.l.ModRM > 0:
		x.fixFloat(op)
	case op&0xfc == 0xa0:
		x.fixOffset(op)
	case (op&0xfe == 0xc0 || op&0xfc == 0xd0 || op&0xfe == 0xf6) && x.code[x.l.ModRM] >= 0xc0:
		x.mnem = registerForm(x.mnem)
	case op&0xf8 == 0xb8 && x.l.ImmN == 8:
		x.mnem = "movabs"
	case (op == 0x9a || op == 0xea) && !x.l.Long:
		n := x.l.ImmN - 2
		off := uint64(signed(x.code[x.l.Imm:], n)) & (1<<(8*n) - 1)
		sel := uint64(signed(x.code[x.l.Imm+n:], 2)) & 0xffff
		x.ops = []string{"$" + hex(sel), "$" + hex(off)}
	}
}

// registerForm drops the size suffix of mnemonics that decoders give one even
// to registers.
func registerForm(m string) string {
	switch m {
	case "shlb", "shlw", "shll", "shlq", "testb", "testw", "testl", "testq":
		return m[:len(m)-1]
	}
	return m
}

// fixPrefix spells F3 as objdump does, and the 66 of a NOP.
func (x *x86Text) fixPrefix() {
	switch op := x.code[x.l.Opcode]; {
	case op == 0x90 && x.mnem == "nop" && x.l.Op16:
		x.prefix, x.mnem, x.ops = strings.Replace(x.prefix, "data16 ", "", 1), "xchg", []string{"%ax", "%ax"}
	case x.l.Rep == 0xf3 && !stringOp(op):
		x.prefix = strings.ReplaceAll(x.prefix, "rep ", "repz ")
	}
}

// stringOp says whether F3 repeats op, without a condition.
func stringOp(op byte) bool {
	return op&0xfc == 0x6c || op&0xfe == 0xa4 || op >= 0xaa && op <= 0xad
}

// fixFloat writes the operands of x87 instructions on two registers, and the
// size of 16-bit integers.
func (x *x86Text) fixFloat(op byte) {
	m := x.code[x.l.ModRM]
	switch {
	case m >= 0xc0 && len(x.ops) == 2:
		sti := "%st(" + strconv.Itoa(int(m&7)) + ")"
		if op == 0xdc || op == 0xde {
			x.ops = []string{"%st", sti}
		} else {
			x.ops = []string{sti, "%st"}
		}
	case m < 0xc0 && (op == 0xde || op == 0xdf && m>>3&7 < 4) && (!strings.HasSuffix(x.mnem, "s") || x.mnem == "fis"):
		x.mnem += "s"
	}
}

// fixOffset is MOV with an absolute address.
func (x *x86Text) fixOffset(op byte) {
	addr := uint64(signed(x.code[x.l.Imm:], x.l.ImmN))
	if x.l.ImmN < 8 {
		addr &= 1<<(8*x.l.ImmN) - 1
	}
	reg := "%al"
	if op&1 != 0 {
		reg = map[int]string{2: "%ax", 4: "%eax", 8: "%rax"}[x.opSize()]
	}
	mem := x.segment() + hex(addr)
	x.mnem = pick(x.l.ImmN == 8, "movabs", "mov")
	x.ops = []string{mem, reg}
	if op&2 != 0 {
		x.ops = []string{reg, mem}
	}
}

// vectorPredicates are the comparisons of VPCMP that have a name.
var vectorPredicates = [8]string{0: "eq", 1: "lt", 2: "le", 4: "neq", 5: "nlt", 6: "nle"}

// fixVector is for VEX, EVEX and XOP.
func (x *x86Text) fixVector() {
	for i, op := range x.ops {
		x.ops[i] = strings.ReplaceAll(op, " {", "{")
	}
	op := x.code[x.l.Opcode]
	switch {
	case x.l.Map == 3 && op == 0x44:
		x.fixCarryless()
	case x.l.Map == 2 && op&0xf8 == 0xf0 || x.l.Map == 3 && op == 0xf0:
		if n := len(x.mnem); x.mnem[n-1] == 'q' || x.mnem[n-1] == 'l' && x.mnem != "shl" {
			x.mnem = x.mnem[:n-1]
		}
	case x.l.Enc == x86.EVEX && x.l.Map == 3 && (op&0xfe == 0x3e || op&0xfe == 0x1e) && strings.HasPrefix(x.mnem, "vpcmp"):
		if p := vectorPredicates[x.code[x.l.Imm]&7]; p != "" && x.code[x.l.Imm] < 8 && len(x.mnem) < 8 && len(x.ops) > 1 {
			x.mnem, x.ops = "vpcmp"+p+x.mnem[5:], x.ops[1:]
		}
	}
}

// fixCarryless names PCLMULQDQ by the halves that it multiplies.
func (x *x86Text) fixCarryless() {
	halves, ok := map[byte]string{0: "lql", 1: "hql", 0x10: "lqh", 0x11: "hqh"}[x.code[x.l.Imm]]
	if i := strings.Index(x.mnem, "pclmulqdq"); ok && i >= 0 && len(x.ops) > 1 {
		x.mnem, x.ops = x.mnem[:i]+"pclmul"+halves+"qdq", x.ops[1:]
	}
}

// fixLib turns libcapstone's habits into objdump's: a size suffix only where
// no register tells the size.
func (x *x86Text) fixLib() {
	for _, op := range x.ops {
		if strings.HasPrefix(op, "%") && !strings.Contains(op, ":") {
			x.dropSuffix()
			return
		}
	}
}

func (x *x86Text) dropSuffix() {
	if x.l.Enc != x86.Legacy || x.l.Map != 0 || len(x.mnem) < 3 {
		return
	}
	switch x.mnem[len(x.mnem)-1] {
	case 'b', 'w', 'l', 'q':
		if op := x.code[x.l.Opcode]; op < 0x40 || op >= 0x50 && op < 0x60 || op&0xfc == 0x80 || op&0xf8 == 0x88 || op&0xf0 == 0xb0 {
			x.mnem = x.mnem[:len(x.mnem)-1]
		}
	}
}

// named are instructions that no decoder knows: the hint space of 0F 0D and
// 0F 18 to 0F 1F in all its forms.
func (x *x86Text) named() bool {
	if x.l.ModRM == 0 {
		return false
	}
	if op := x.code[x.l.Opcode]; x.l.Enc == x86.Legacy && x.l.Map == 0 && op == 0xdb && x.code[x.l.ModRM] == 0xe5 {
		x.prefix, x.mnem, x.ops = "", "frstpm", nil // 80287
		return true
	}
	if x.l.Enc != x86.Legacy || x.l.Map != 1 {
		return false
	}
	m := x.code[x.l.ModRM]
	x.prefix, x.mnem = "", ""
	switch op := x.code[x.l.Opcode]; {
	case op == 0x0d && m < 0xc0:
		x.mnem = [8]string{"prefetch", "prefetchw", "prefetchwt1", "prefetch", "prefetch", "prefetch", "prefetch", "prefetch"}[m>>3&7]
	case !x.l.Long && op&0xfd == 0x24: // test registers of the 386 and 486
		x.mnem, x.ops = "mov", []string{"%tr" + strconv.Itoa(int(m>>3&7)), x86Regs32[m&7]}
		if op == 0x26 {
			x.ops[0], x.ops[1] = x.ops[1], x.ops[0]
		}
		return true
	case op >= 0x18 && op <= 0x1f || op == 0x0d:
		x.mnem = "nop"
		if m < 0xc0 {
			x.mnem += map[int]string{2: "w", 4: "l", 8: "q"}[x.opSize()]
		}
	default:
		return false
	}
	if m < 0xc0 {
		x.ops = []string{x.memory("")}
	} else {
		x.ops = []string{x.register(m&7 | x.l.Rex&1<<3)}
	}
	return true
}

// register is a general register of the operand size.
func (x *x86Text) register(n byte) string {
	switch r := x86Regs32[n]; {
	case x.l.Wide():
		return x86Regs64[n]
	case !x.l.Op16:
		return r
	case n < 8:
		return "%" + r[2:]
	default:
		return r[:len(r)-1] + "w"
	}
}
