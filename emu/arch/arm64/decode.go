package arm64

import (
	"encoding/binary"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

const (
	jump  = arch.IsBranch
	byReg = arch.IsBranch | arch.IsIndirect
	ret   = arch.IsBranch | arch.IsIndirect | arch.IsReturn
	priv  = arch.IsPrivileged
)

// rows is the decode table: words w with w&mask == bits have the class, and
// the first row that fits counts.
var rows = []struct {
	mask, bits uint32
	class      arch.Class
}{
	{0xfc000000, 0x14000000, jump}, // B
	{0xfc000000, 0x94000000, jump | arch.IsCall},
	{0xff000000, 0x54000000, jump | arch.IsCond}, // B.cond, BC.cond
	{0x7e000000, 0x34000000, jump | arch.IsCond}, // CBZ, CBNZ
	{0x7e000000, 0x36000000, jump | arch.IsCond}, // TBZ, TBNZ
	{0xfffffc1f, 0xd61f0000, byReg},              // BR
	{0xfffff800, 0xd61f0800, byReg},              // BRAAZ, BRABZ
	{0xfffff800, 0xd71f0800, byReg},              // BRAA, BRAB
	{0xfffffc1f, 0xd63f0000, byReg | arch.IsCall},
	{0xfffff800, 0xd63f0800, byReg | arch.IsCall},
	{0xfffff800, 0xd73f0800, byReg | arch.IsCall},
	{0xfffffc1f, 0xd65f0000, ret},
	{0xfffffbff, 0xd65f0bff, ret},          // RETAA, RETAB
	{0xffdff3ff, 0xd69f03e0, byReg | priv}, // ERET, DRPS
	{0xffe0001f, 0xd4000001, arch.IsSyscall},
	{0xffe0001c, 0xd4000000, priv},        // HVC, SMC
	{0xffe0001f, 0xd4200000, arch.IsTrap}, // BRK
	{0xffe0001f, 0xd4400000, arch.IsUndefined},
	{0xffe0001c, 0xd4a00000, priv}, // DCPS
	{0xffff0000, 0x00000000, arch.IsUndefined},
	{0x1f000000, 0x10000000, arch.IsPCRel}, // ADR, ADRP
	{0x3b000000, 0x18000000, arch.IsPCRel}, // LDR, LDRSW, PRFM literal
	{0x3fe00000, 0x08400000, arch.IsLoadLink},
	{0x3fe00000, 0x08000000, arch.IsStoreCond},
	{0xbfe00000, 0x88600000, arch.IsLoadLink}, // LDXP; with size 0 and 1 it is CASP
	{0xbfe00000, 0x88200000, arch.IsStoreCond},
	{0xffffff80, 0xd53be000, arch.IsTime}, // MRS of CNTFRQ_EL0 to CNTVCT_EL0
}

func class(w uint32) arch.Class {
	for i := range rows {
		if w&rows[i].mask == rows[i].bits {
			return rows[i].class
		}
	}
	return 0
}

// decode implements arch.Code.Decode.
func decode(_ regset.Regs, m arch.Mem, pc uint64) (i arch.Insn, err error) {
	i.PC = pc
	if _, err = m.ReadAt(i.Raw[:4], pc); err != nil {
		return i, err
	}
	i.Len, i.Class = 4, class(word(&i))
	return i, nil
}

// follow implements arch.Code.Follow.
func follow(i arch.Insn, m arch.Mem) (arch.Insn, error) { return decode(nil, m, i.End()) }

func word(i *arch.Insn) uint32 { return binary.LittleEndian.Uint32(i.Raw[:]) }
