package arm

import (
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// ptrace is arch_ptrace of arch/arm/kernel/ptrace.c. There are no hardware
// breakpoints.
var ptrace = arch.Ptrace{
	Sets: map[uint64]arch.PtraceSet{
		12: {Note: 1, Size: 18 * 4}, 13: {Note: 1, Size: 18 * 4, Write: true},
		14: {Note: 2, Size: 29 * 4}, 15: {Note: 2, Size: 29 * 4, Write: true},
		27: {Note: 0x400, Size: 65 * 4}, 28: {Note: 0x400, Size: 65 * 4, Write: true},
	},
	User: []arch.PtraceUser{{Addr: 0, Size: 18 * 4, Note: 1}}, UserSize: 296,
	SetSyscall: 23,
	Read: func(r regset.Regs, request, _, data uint64) ([]byte, uint64, bool) {
		const getThreadArea = 22
		if request != getThreadArea {
			return nil, 0, false
		}
		return binary.LittleEndian.AppendUint32(nil, uint32(r.Reg(tpidruro))), data, true
	},
}
