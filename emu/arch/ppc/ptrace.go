package ppc

import "github.com/utemu/utemu/emu/arch"

// ptrace is arch_ptrace of arch/powerpc/kernel/ptrace for words of size bytes.
// There are no hardware breakpoints.
func ptrace(size int) arch.Ptrace {
	const fpBytes, vmxBytes = 33 * 8, 33*16 + 4
	p := arch.Ptrace{
		Sets: map[uint64]arch.PtraceSet{
			12: {Note: ntPRStatus, Size: 44 * size}, 13: {Note: ntPRStatus, Size: 44 * size, Write: true},
			14: {Note: ntPRFPReg, Size: fpBytes}, 15: {Note: ntPRFPReg, Size: fpBytes, Write: true},
			18: {Note: ntPPCVMX, Size: vmxBytes}, 19: {Note: ntPPCVMX, Size: vmxBytes, Write: true},
		},
		User: []arch.PtraceUser{
			{Addr: 0, Size: uint64(slots * size), Note: ntPRStatus},
			{Addr: uint64(slots * size), Size: fpBytes, Note: ntPRFPReg},
		},
		UserSize: uint64(slots*size + fpBytes), SingleBlock: 0x100, SysEmu: 0x1d, SysEmuStep: 0x1e,
	}
	if size == 8 {
		const vsxBytes = 32 * 8
		p.Sets[22], p.Sets[23] = p.Sets[12], p.Sets[13]
		p.Sets[27], p.Sets[28] = arch.PtraceSet{Note: ntPPCVSX, Size: vsxBytes}, arch.PtraceSet{Note: ntPPCVSX, Size: vsxBytes, Write: true}
	}
	return p
}
