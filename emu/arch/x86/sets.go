package x86

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/regset"
)

var le = binary.LittleEndian

// ELF note types of the register sets.
const (
	ntPRStatus  = 1
	ntPRFPReg   = 2
	ntPRXFPReg  = 0x46e62b7f
	flagsPtrace = flagCF | flagPF | flagAF | flagZF | flagSF | flagTF | flagDF | flagOF | flagRF | flagAC
)

// order64 and order32 are struct user_regs_struct.
var (
	order64 = []regset.ID{
		r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi,
		origRAX, rip, cs, eflags, rsp, ss, fsBase, gsBase, ds, es, fs, gs,
	}
	order32 = []regset.ID{
		rbx, rcx, rdx, rsi, rdi, rbp, rax, ds, es, fs, gs, origRAX, rip, cs, eflags, rsp, ss,
	}
)

var view64 = &regset.View{
	Name:    "x86_64",
	Machine: uint16(elf.EM_X86_64),
	Sets: []regset.Set{
		general(order64, 8, flagsPtrace|flagNT),
		regset.Set{Name: "fp", Note: ntPRFPReg, N: 64, Size: 8, Align: 8}.WithImage(fxsave(16), fxrstor(16)),
	},
}

var view32 = &regset.View{
	Name:    "i386",
	Machine: uint16(elf.EM_386),
	Sets: []regset.Set{
		general(order32, 4, flagsPtrace),
		regset.Set{Name: "fp", Note: ntPRFPReg, N: 27, Size: 4, Align: 4}.WithImage(fsave, frstor),
		regset.Set{Name: "xfp", Note: ntPRXFPReg, N: 128, Size: 4, Align: 4}.WithImage(fxsave(8), fxrstor(8)),
	},
}

// general makes the general set: registers in order, words of size bytes, the
// bits flags of EFLAGS writable.
func general(order []regset.ID, size int, flags uint64) regset.Set {
	s := regset.Set{Name: "general", Note: ntPRStatus, N: len(order), Size: size, Align: size}
	word := func(img []byte, i int) uint64 {
		if size == 4 {
			return uint64(le.Uint32(img[i*4:]))
		}
		return le.Uint64(img[i*8:])
	}
	get := func(r regset.Regs, img []byte) {
		for i, id := range order {
			r.Bytes(id, img[i*size:(i+1)*size])
		}
	}
	put := func(r regset.Regs, img []byte) error {
		for i, id := range order {
			if err := checkReg(id, word(img, i)); err != nil {
				return err
			}
		}
		for i, id := range order {
			putReg(r, id, word(img, i), flags)
		}
		// Loading a selector above may have changed a base.
		for i, id := range order {
			if id == fsBase || id == gsBase {
				r.SetReg(id, word(img, i))
			}
		}
		return nil
	}
	return s.WithImage(get, put)
}

// checkReg says whether a tracer may give a register a value, by the rules of
// putreg and set_segment_reg in arch/x86/kernel/ptrace.c.
func checkReg(id regset.ID, v uint64) error {
	switch id {
	case cs, ss:
		if v&0xffff == 0 {
			return unix.EIO
		}
		fallthrough
	case ds, es, fs, gs:
		if sel := v & 0xffff; sel != 0 && sel&3 != 3 {
			return unix.EIO
		}
	case fsBase, gsBase:
		if v >= taskSize64 {
			return unix.EIO
		}
	}
	return nil
}

func putReg(r regset.Regs, id regset.ID, v, flags uint64) {
	switch id {
	case eflags:
		r.SetReg(id, r.Reg(id)&^flags|v&flags)
	case cs, ss, ds, es, fs, gs:
		// Loading a segment register goes through the descriptor table and
		// changes its base, so an unchanged selector is left alone.
		if v&0xffff != r.Reg(id) {
			r.SetReg(id, v&0xffff)
		}
	default:
		r.SetReg(id, v)
	}
}
