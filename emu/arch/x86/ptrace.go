package x86

import (
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// Requests of ptrace(2) (asm/ptrace-abi.h).
const (
	ptraceGetThreadArea = 25
	ptraceArchPrctl     = 30
)

// ptrace64 is arch_ptrace of arch/x86/kernel/ptrace.c for 64-bit programs. There
// are no debug registers: they read as zeros.
var ptrace64 = arch.Ptrace{
	Sets: map[uint64]arch.PtraceSet{
		12: {Note: ntPRStatus, Size: 27 * 8}, 13: {Note: ntPRStatus, Size: 27 * 8, Write: true},
		14: {Note: ntPRFPReg, Size: 512}, 15: {Note: ntPRFPReg, Size: 512, Write: true},
	},
	User: []arch.PtraceUser{{Addr: 0, Size: 27 * 8, Note: ntPRStatus}}, UserSize: 912,
	SingleBlock: 33, SysEmu: 31, SysEmuStep: 32,
	Read: func(r regset.Regs, request, addr, data uint64) ([]byte, uint64, bool) {
		id, ok := map[uint64]regset.ID{archGetFS: fsBase, archGetGS: gsBase}[data]
		if request != ptraceArchPrctl || !ok {
			return nil, 0, false
		}
		return le.AppendUint64(nil, r.Reg(id)), addr, true
	},
}

// ptrace32 is that for 32-bit programs.
var ptrace32 = arch.Ptrace{
	Sets: map[uint64]arch.PtraceSet{
		12: {Note: ntPRStatus, Size: 17 * 4}, 13: {Note: ntPRStatus, Size: 17 * 4, Write: true},
		14: {Note: ntPRFPReg, Size: 27 * 4}, 15: {Note: ntPRFPReg, Size: 27 * 4, Write: true},
		18: {Note: ntPRXFPReg, Size: 512}, 19: {Note: ntPRXFPReg, Size: 512, Write: true},
	},
	User: []arch.PtraceUser{{Addr: 0, Size: 17 * 4, Note: ntPRStatus}}, UserSize: 284,
	SingleBlock: 33, SysEmu: 31, SysEmuStep: 32,
	Read: func(r regset.Regs, request, addr, data uint64) ([]byte, uint64, bool) {
		if request != ptraceGetThreadArea || addr < tlsMin || addr > tlsMax {
			return nil, 0, false
		}
		t, err := tlsTable(r)
		if err != nil {
			return nil, 0, false
		}
		return describe(uint32(addr), t[addr-tlsMin]).bytes(), data, true
	},
}
