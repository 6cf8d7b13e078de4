package ppc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// The parts of the 64-bit vDSO, by offset. It has no functions but the
// trampoline that handlers return to (__kernel_sigtramp_rt64): it exists for
// unwinders, which find there how to get past a signal's frame. The code in
// libgcc for kernels without a vDSO does not work.
const (
	vdsoSymbols = 0x200 // one, undefined
	vdsoHash    = 0x220
	vdsoStrings = 0x240
	vdsoDynamic = 0x280
	vdsoVersion = 0x340 // of symbols, then the definitions of versions
	vdsoHeader  = 0x4e0 // .eh_frame_hdr
	vdsoFrames  = 0x500
	vdsoText    = trampRt - 4
	vdsoName    = "linux-vdso64.so.1"
	vdsoABI     = "LINUX_2.6.15" // the version of the functions
)

// vdsoPage64 is a shared object of one page, mapped as it is.
func vdsoPage64() []byte {
	// Unwinders that know the trampoline by its instructions tell it from one in
	// the frame, which has a pointer to the context 32 bytes after its start, by
	// this number there.
	magic := int64(-21 * 8)
	p := vdsoPage(map[int][]uint32{
		trampRt:      {insnAddSP | gap64, insnLi0 | nrRtSigreturn, insnSc},
		trampRt + 32: {uint32(uint64(magic) >> 32), uint32(magic)},
	})
	put := func(at int, parts ...any) int {
		var b bytes.Buffer
		for _, part := range parts {
			_ = binary.Write(&b, be, part) // fixed sizes, into memory
		}
		return copy(p[at:], b.Bytes())
	}
	clear(p[:vdsoText])
	clear(p[vdsoHeader:])
	frames := frames64()
	table := put(vdsoHeader, []byte{1, ehPCRel | ehSData4, ehUData4, ehDataRel | ehSData4}, // version, encodings
		int32(vdsoFrames-(vdsoHeader+4)), uint32(1), // where frames are; one entry follows
		int32(vdsoText-vdsoHeader), int32(vdsoFrames+len(frames.cie)-vdsoHeader))
	put(vdsoFrames, frames.cie, frames.fde)
	put(vdsoSymbols, elf.Sym64{})
	put(vdsoHash, [4]uint32{1, 1}) // a bucket, a chain, both empty
	put(vdsoStrings, []byte("\x00"+vdsoName+"\x00"+vdsoABI+"\x00"))
	// Who looks for functions starts with the versions (the Go runtime).
	put(vdsoVersion, uint64(0), vdsoDef{1, verFlagBase, 1, 1, elfHash(vdsoName), 20, 28, 1, 0},
		vdsoDef{1, 0, 2, 1, elfHash(vdsoABI), 20, 0, uint32(len(vdsoName) + 2), 0})
	dynamic := put(vdsoDynamic,
		elf.Dyn64{Tag: int64(elf.DT_SONAME), Val: 1},
		elf.Dyn64{Tag: int64(elf.DT_HASH), Val: vdsoHash},
		elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: vdsoStrings},
		elf.Dyn64{Tag: int64(elf.DT_SYMTAB), Val: vdsoSymbols},
		elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(len(vdsoName) + len(vdsoABI) + 3)},
		elf.Dyn64{Tag: int64(elf.DT_SYMENT), Val: elf.Sym64Size},
		elf.Dyn64{Tag: int64(elf.DT_VERSYM), Val: vdsoVersion},
		elf.Dyn64{Tag: int64(elf.DT_VERDEF), Val: vdsoVersion + 8},
		elf.Dyn64{Tag: int64(elf.DT_VERDEFNUM), Val: 2},
		elf.Dyn64{})
	part := func(typ elf.ProgType, flags elf.ProgFlag, at, n int) elf.Prog64 {
		return elf.Prog64{Type: uint32(typ), Flags: uint32(flags), Off: uint64(at), Vaddr: uint64(at), Paddr: uint64(at), Filesz: uint64(n), Memsz: uint64(n), Align: 8}
	}
	load := part(elf.PT_LOAD, elf.PF_R|elf.PF_X, 0, len(p))
	load.Align = pageSize
	head := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_PPC64), Version: uint32(elf.EV_CURRENT), Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 3, Flags: 1}
	copy(head.Ident[:], elf.ELFMAG+string([]byte{byte(elf.ELFCLASS64), byte(elf.ELFDATA2MSB), byte(elf.EV_CURRENT)}))
	put(0, head, load, part(elf.PT_DYNAMIC, elf.PF_R, vdsoDynamic, dynamic), part(elf.PT_GNU_EH_FRAME, elf.PF_R, vdsoHeader, table))
	return p
}

// vdsoDef is the definition of a version with its name (Elf64_Verdef and
// Elf64_Verdaux, System V ABI).
type vdsoDef struct {
	Version, Flags, Index, Count uint16
	Hash, Aux, Next              uint32
	Name, NextAux                uint32
}

const verFlagBase = 1 // VER_FLG_BASE: the object itself

// elfHash is the hash of a name that the System V ABI defines.
func elfHash(name string) (h uint32) {
	for _, c := range []byte(name) {
		h = h<<4 + uint32(c)
		h ^= h >> 24 & 0xf0
		h &= 0x0fffffff
	}
	return h
}

// Encodings of pointers in .eh_frame (DWARF extensions of the Linux Standard
// Base).
const (
	ehUData4  = 0x03
	ehUData8  = 0x04
	ehSData4  = 0x0b
	ehPCRel   = 0x10
	ehDataRel = 0x30
)

// DWARF: operations and call frame instructions.
const (
	opDeref      = 0x06
	opPlusUconst = 0x23
	opBreg1      = 0x71

	cfaExpression    = 0x10
	cfaDefExpression = 0x0f
)

// DWARF's numbers of registers, those of .eh_frame (64-bit PowerPC ELF ABI
// 3.18; 67 is the address to go on at).
const (
	dwFPR  = 32
	dwLR   = 65
	dwCTR  = 66
	dwNext = 67
	dwCR   = 70
	dwVR   = 77
)

type frames struct{ cie, fde []byte }

// frames64 tells how to find the caller's registers at the trampoline: struct
// sigcontext has a pointer to them, at a fixed place above the stack pointer.
func frames64() frames {
	record := func(b []byte) []byte {
		for len(b)%8 != 4 {
			b = append(b, 0) // DW_CFA_nop
		}
		return append(be.AppendUint32(nil, uint32(len(b))), b...)
	}
	cie := append(make([]byte, 4), 1) // id, version
	cie = append(cie, "zRS\x00"...)   // of a signal's frame
	cie = append(cie, 4, 0x78, dwNext, 1, ehPCRel|ehUData8)
	cie = append(cie, 0x0c, 1, 0) // DW_CFA_def_cfa r1+0
	f := frames{cie: record(cie)}

	at := vdsoFrames + len(f.cie) // of the FDE
	fde := be.AppendUint32(nil, uint32(at+4-vdsoFrames))
	fde = be.AppendUint64(fde, uint64(int64(vdsoText-(at+8))))
	fde = be.AppendUint64(fde, 16) // three instructions and the one before
	fde = append(fde, 0)           // no more augmentation
	regs := append([]byte{opBreg1}, sleb(gap64+scRegs64)...)
	regs = append(regs, opDeref)
	plus := func(b []byte, n int) []byte {
		return append(append(bytes.Clone(b), opPlusUconst), uleb(n)...)
	}
	is := func(op []byte, expr []byte) {
		fde = append(fde, op...)
		fde = append(append(fde, uleb(len(expr))...), expr...)
	}
	saved := func(reg int, expr []byte) { is(append([]byte{cfaExpression}, uleb(reg)...), expr) }
	is([]byte{cfaDefExpression}, append(plus(regs, 8), opDeref)) // r1
	for i := range 32 {
		saved(i, plus(regs, 8*i))
		saved(dwFPR+i, plus(regs, 8*(slots+i)))
	}
	saved(dwNext, plus(regs, 8*32))
	saved(dwCTR, plus(regs, 8*35))
	saved(dwLR, plus(regs, 8*36))
	saved(dwCR, plus(regs, 8*38+4))
	vectors := append(plus(regs, scVR64-scGP64), opDeref)
	for i := range 32 {
		saved(dwVR+i, plus(vectors, 16*i))
	}
	f.fde = record(fde)
	return f
}

func uleb(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// sleb is for numbers that are not negative.
func sleb(n int) (b []byte) {
	for ; n >= 0x40; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
