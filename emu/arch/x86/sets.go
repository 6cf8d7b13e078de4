package x86

import (
	"debug/elf"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

var le = binary.LittleEndian

// ELF note types of the register sets.
const (
	ntPRStatus  = 1
	ntPRFPReg   = 2
	ntPRXFPReg  = 0x46e62b7f
	nt386TLS    = 0x200
	nt386IOPerm = 0x201
	ntX86XState = 0x202
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

// view64 is x86_64_regsets of arch/x86/kernel/ptrace.c.
var view64 = &regset.View{
	Name:    "x86_64",
	Machine: uint16(elf.EM_X86_64),
	Sets: []regset.Set{
		general(order64, 8, flagsPtrace|flagNT),
		regset.Set{Name: "fp", Note: ntPRFPReg, N: 64, Size: 8, Align: 8}.WithImage(fxsave(16), fxrstor(16)),
		ioBitmap(8),
		xstate,
	},
}

// view32 is x86_32_regsets, as an i386 kernel has it; compat is what a 64-bit
// kernel shows of a 64-bit program by it: descriptors for TLS are for 32-bit
// programs there.
var (
	view32 = &regset.View{Name: "i386", Machine: uint16(elf.EM_386), Sets: sets32(tlsSet)}
	compat = &regset.View{Name: "i386", Machine: uint16(elf.EM_386), Sets: sets32(noTLS)}
)

func sets32(tls func() regset.Set) []regset.Set {
	return []regset.Set{
		general(order32, 4, flagsPtrace),
		regset.Set{Name: "fp", Note: ntPRFPReg, N: 27, Size: 4, Align: 4}.WithImage(fsave, frstor),
		regset.Set{Name: "xfp", Note: ntPRXFPReg, N: 128, Size: 4, Align: 4}.WithImage(fxsave(8), fxrstor(8)),
		xstate,
		tls(),
		ioBitmap(4),
	}
}

// xstate is the XSAVE image. No CPU model has the instruction, since the
// library executes none of what would need it; the size is the least there is.
var xstate = regset.Set{Name: "xstate", Note: ntX86XState, N: 72, Size: 8, Align: 8}.Absent(unix.ENODEV)

// ioBitmap is the bitmap of ioperm(2), which guests cannot have.
func ioBitmap(word int) regset.Set {
	const bytes = 65536 / 8
	return regset.Set{Name: "ioperm", Note: nt386IOPerm, N: bytes / word, Size: word, Align: word}.Absent(unix.ENXIO)
}

// general makes the general set: registers in order, words of size bytes, the
// bits flags of EFLAGS writable.
func general(order []regset.ID, size int, flags uint64) regset.Set {
	s := regset.Set{Name: "general", Note: ntPRStatus, N: len(order), Size: size, Align: size}
	get := func(r regset.Regs, i int) uint64 { return r.Reg(order[i]) }
	put := func(r regset.Regs, first int, v []uint64) error {
		for i, w := range v {
			if err := checkReg(order[first+i], w); err != nil {
				return err
			}
		}
		for i, w := range v {
			putReg(r, order[first+i], w, flags)
		}
		return nil
	}
	return s.WithSlots(le, get, put)
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
		// Loading a segment register goes through the descriptor table, so an
		// unchanged selector is left alone.
		if v&0xffff != r.Reg(id) {
			setSelector(r, id, v&0xffff)
		}
	default:
		r.SetReg(id, v)
	}
}

// setSelector changes a selector but not the bases of a 64-bit program, which
// are registers of their own. A 32-bit one has none and gets the descriptor's.
func setSelector(r regset.Regs, id regset.ID, v uint64) {
	f, g := r.Reg(fsBase), r.Reg(gsBase)
	r.SetReg(id, v)
	r.SetReg(fsBase, f)
	r.SetReg(gsBase, g)
}

// tlsEntries is GDT_ENTRY_TLS_ENTRIES.
const tlsEntries = tlsMax - tlsMin + 1

var tlsShape = regset.Set{
	Name: "tls", Note: nt386TLS, N: tlsEntries, Size: userDescSize, Align: userDescSize, Bias: tlsMin,
}

// tlsSet is the descriptors of set_thread_area(2), of arch/x86/kernel/tls.c.
// They are in the memory of the CPU, which registers alone do not come with:
// then the set is ENODEV.
func tlsSet() regset.Set {
	s := tlsShape
	s.Active = func(r regset.Regs) (int, error) {
		t, err := tlsTable(r)
		for n := tlsEntries; n > 0 && err == nil; n-- {
			if t[n-1] != 0 {
				return n, nil
			}
		}
		return 0, err
	}
	s.Get = func(r regset.Regs, pos int, dst []byte) error {
		if !wholeTLS(pos, len(dst)) {
			return unix.EINVAL
		}
		t, err := tlsTable(r)
		if err != nil {
			return err
		}
		o := regset.Out{Pos: pos, Dst: dst}
		for i := pos / userDescSize; i < tlsEntries; i++ {
			o.Copy(describe(uint32(tlsMin+i), t[i]).bytes(), i*userDescSize, (i+1)*userDescSize)
		}
		return nil
	}
	s.Put = putTLS
	return s
}

func wholeTLS(pos, count int) bool {
	return pos >= 0 && pos%userDescSize == 0 && count%userDescSize == 0 && count <= tlsEntries*userDescSize-pos
}

// tlsTable is the descriptors as they are.
func tlsTable(r regset.Regs) (t [tlsEntries]uint64, err error) {
	c, ok := r.(arch.CPU)
	if !ok {
		return t, unix.ENODEV
	}
	for i := range t {
		if t[i], err = entry(c, tables32+8*uint64(tlsMin+i)); err != nil {
			return t, err
		}
	}
	return t, nil
}

// putTLS is regset_tls_set: all of the entries are good, or none is set. Their
// numbers are not looked at.
func putTLS(r regset.Regs, pos int, src []byte) error {
	if !wholeTLS(pos, len(src)) {
		return unix.EINVAL
	}
	c, ok := r.(arch.CPU)
	if !ok {
		return unix.ENODEV
	}
	var d []userDesc
	for ; len(src) > 0; src = src[userDescSize:] {
		u := userDesc{le.Uint32(src[0:]), le.Uint32(src[4:]), le.Uint32(src[8:]), le.Uint32(src[12:])}
		if !u.okTLS() {
			return unix.EINVAL
		}
		d = append(d, u)
	}
	for i, u := range d {
		no := uint64(tlsMin + pos/userDescSize + i)
		var v uint64
		if !u.empty() {
			v = u.descriptor()
		}
		if err := setEntry(c, tables32+8*no, v); err != nil {
			return err
		}
		reload(c, no<<3|3)
	}
	return nil
}

// noTLS is the set of a program that has no such descriptors.
func noTLS() regset.Set { return tlsShape.Absent(unix.ENODEV) }
