package disasm

import "github.com/utemu/utemu/emu/arch/x86"

func lenX86(s *set, code []byte) int {
	l, ok := x86.Parse(s.addrMask != addr32, code)
	if !ok {
		return 0
	}
	return l.Len
}
