package ppc

import (
	"strconv"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
	"github.com/utemu/utemu/regset"
)

// The registers of both architectures.
const (
	r0  regset.ID = iota + 1
	r31           = r0 + 31
	nip regset.ID = iota + 32
	lr
	ctr
	cr
	msr

	xer
	fpscr
	vscr
	vrsave
	pvr // readable by the kernel only, which emulates mfpvr
	// Slots of struct pt_regs that are not registers.
	origR3
	trapNo
	dar
	dsisr
	result

	f0   // to f31
	v0   = f0 + 32
	vsl0 = v0 + 32 // the low halves of vs0 to vs31
)

// core is how many registers are read at each stop.
const core = 32 + 5

// Bits of the machine state register.
const (
	msrBE   = 1 << 9  // branch trace
	msrSE   = 1 << 10 // single step
	msrFP   = 1 << 13
	msrPR   = 1 << 14 // problem state, which is user mode
	msrVSX  = 1 << 23
	msrVR   = 1 << 25
	msrSF   = 1 << 63 // 64-bit
	msrHV   = 1 << 60
	msrStep = msrSE | msrBE
)

// Bits of XER and CR.
const (
	xerSO = 1 << 31
	cr0SO = 1 << 28
)

// regs lists the registers of an architecture with words of that many bits.
// libunicorn's interface gives XER without its flags and does not reach the
// vector registers at all.
func regs(word int) []arch.Reg {
	var l []arch.Reg
	for i := range 32 {
		l = append(l, arch.Reg{ID: r0 + regset.ID(i), Name: "r" + strconv.Itoa(i), Bits: word, UC: ucnum.PPC_REG_0 + i})
	}
	l = append(l, []arch.Reg{
		{ID: nip, Name: "pc", Bits: word, UC: ucnum.PPC_REG_PC},
		{ID: lr, Name: "lr", Bits: word, UC: ucnum.PPC_REG_LR},
		{ID: ctr, Name: "ctr", Bits: word, UC: ucnum.PPC_REG_CTR},
		{ID: cr, Name: "cr", Bits: 32, UC: ucnum.PPC_REG_CR},
		// No bit of it is the program's business.
		{ID: msr, Name: "msr", Bits: word, UC: ucnum.PPC_REG_MSR, Mask: msrVR | msrFP},

		{ID: xer, Name: "xer", Bits: 32, UC: arch.UCHidden},
		{ID: fpscr, Name: "fpscr", Bits: 32, UC: ucnum.PPC_REG_FPSCR},
		{ID: vscr, Name: "vscr", Bits: 32, UC: arch.UCHidden},
		{ID: vrsave, Name: "vrsave", Bits: 32, UC: arch.UCHidden},
		{ID: pvr, Name: "pvr", Bits: 32, UC: arch.UCHidden},
		{ID: origR3, Name: "orig_r3", Bits: word, UC: arch.UCSoft},
		{ID: trapNo, Name: "trap", Bits: word, UC: arch.UCSoft},
		{ID: dar, Name: "dar", Bits: word, UC: arch.UCSoft},
		{ID: dsisr, Name: "dsisr", Bits: word, UC: arch.UCSoft},
		{ID: result, Name: "result", Bits: word, UC: arch.UCSoft},
	}...)
	for i := range 32 {
		l = append(l, arch.Reg{ID: f0 + regset.ID(i), Name: "f" + strconv.Itoa(i), Bits: 64, UC: ucnum.PPC_REG_FPR0 + i})
	}
	for i := range 32 {
		l = append(l, arch.Reg{ID: v0 + regset.ID(i), Name: "vr" + strconv.Itoa(i), Bits: 128, UC: arch.UCHidden})
	}
	if word == 64 {
		for i := range 32 {
			l = append(l, arch.Reg{ID: vsl0 + regset.ID(i), Name: "vs" + strconv.Itoa(i) + "h", Bits: 64, UC: arch.UCHidden})
		}
	}
	return l
}
