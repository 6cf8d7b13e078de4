package disasm

import "strings"

// x86Renamed are mnemonics of x86asm and libcapstone that objdump writes
// differently in AT&T syntax, whatever the operands.
var x86Renamed = map[string]string{
	"callq": "call", "jmpq": "jmp", "retq": "ret", "leaveq": "leave", "lretq": "lret",
	"calll": "call", "jmpl": "jmp", "retl": "ret", "leavel": "leave", "lretl": "lret",
	"movsxd": "movslq", "icebp": "int1",
}

func (x *x86Text) fixMnemonic() {
	if m, ok := x86Renamed[x.mnem]; ok {
		x.mnem = m
	}
	x.prefix = strings.ReplaceAll(x.prefix, "repn ", "repnz ")
	if x.l.space != 0 || x.l.enc != encLegacy {
		return
	}
	switch op := x.code[x.l.opcode]; {
	case op == 0x90 && x.mnem == "nop" && x.l.op16:
		x.prefix, x.mnem, x.ops = strings.Replace(x.prefix, "data16 ", "", 1), "xchg", []string{"%ax", "%ax"}
	case x.l.rep == 0xf3 && strings.HasPrefix(x.prefix, "rep ") && !stringOp(op):
		x.prefix = "repz " + x.prefix[4:]
	}
}

// stringOp says whether F3 repeats op.
func stringOp(op byte) bool {
	return op&0xfc == 0x6c || op&0xfc == 0xa4 || op&0xfe >= 0xaa && op&0xfe <= 0xae && op >= 0xaa && op <= 0xaf
}

// fixLib turns libcapstone's habits into objdump's: a size suffix only where
// no register tells the size.
func (x *x86Text) fixLib() {
	if len(x.ops) == 0 {
		return
	}
	for _, op := range x.ops {
		if strings.HasPrefix(op, "%") && !strings.Contains(op, ":") {
			x.dropSuffix()
			return
		}
	}
}

func (x *x86Text) dropSuffix() {
	if x.l.enc != encLegacy || x.l.space != 0 || len(x.mnem) < 3 {
		return
	}
	switch x.mnem[len(x.mnem)-1] {
	case 'b', 'w', 'l', 'q':
		if op := x.code[x.l.opcode]; op < 0x40 || op >= 0x50 && op < 0x60 || op&0xfc == 0x80 || op&0xf8 == 0x88 || op&0xf0 == 0xb0 {
			x.mnem = strings.TrimSuffix(x.mnem, x.mnem[len(x.mnem)-1:])
		}
	}
}

// special are instructions that x86asm takes for others or not at all, and
// older libcapstones neither.
func (x *x86Text) special() bool {
	return false
}

// named are instructions that no decoder knows.
func (x *x86Text) named() bool { return false }
