package arm

import "github.com/utemu/utemu/emu/arch"

var rowsThumb16 = []row{
	{0xff00, 0xde00, arch.IsUndefined},
	{0xff00, 0xdf00, arch.IsSyscall},
	{0xf000, 0xd000, jump | arch.IsCond},
	{0xf800, 0xe000, jump},
	{0xffff, 0x4770, ret}, // BX LR
	{0xff80, 0x4700, byReg},
	{0xff80, 0x4780, byReg | arch.IsCall},
	{0xff87, 0x4687, byReg},                // MOV PC
	{0xff87, 0x4487, byReg | arch.IsPCRel}, // ADD PC
	{0xff78, 0x4678, arch.IsPCRel},         // MOV Rd, PC
	{0xff78, 0x4478, arch.IsPCRel},         // ADD Rd, PC
	{0xf800, 0x4800, arch.IsPCRel},         // LDR literal
	{0xf800, 0xa000, arch.IsPCRel},         // ADR
	{0xf500, 0xb100, jump | arch.IsCond},   // CBZ, CBNZ
	{0xff00, 0xbd00, ret},                  // POP {..., PC}
	{0xff00, 0xbe00, arch.IsTrap},          // BKPT
	{0xff0f, 0xbf00, 0},                    // hints
	{0xff00, 0xbf00, arch.IsIT},
	{0xffe8, 0xb660, priv}, // CPS
}

func classThumb16(hw uint16) arch.Class {
	switch {
	case hw == 0xde01:
		return arch.IsTrap // the kernel's breakpoint
	case hw == 0x4697: // MOV PC, R2 and the like are jumps, MOV PC, LR is below
	case hw == 0x46f7:
		return ret
	}
	return find(rowsThumb16, uint32(hw))
}

var rowsThumb32 = []row{
	// Branches and miscellaneous control.
	{0xf800d001, 0xf000c000, jump | arch.IsCall}, // BLX
	{0xf800d000, 0xf000d000, jump | arch.IsCall}, // BL
	{0xf800d000, 0xf0009000, jump},               // B
	{0xfff0f000, 0xf7f0a000, arch.IsUndefined},
	{0xfff0f000, 0xf7f08000, priv},         // SMC
	{0xfff0f000, 0xf7e08000, priv},         // HVC
	{0xffffd000, 0xf3de8000, byReg | priv}, // SUBS PC, LR and ERET
	{0xfff0d000, 0xf3c08000, byReg},        // BXJ
	{0xfffff800, 0xf3af8000, 0},            // hints
	{0xfffff800, 0xf3af8800, priv},         // CPS
	{0xfb80d000, 0xf3808000, 0},            // MSR, MRS, barriers
	{0xf800d000, 0xf0008000, jump | arch.IsCond},
	// Load and store multiple, double, exclusive, table branches.
	{0xffd0ffff, 0xe810c000, byReg | priv}, // RFE
	{0xffd0ffff, 0xe990c000, byReg | priv},
	{0xffd08000, 0xe8908000, byReg}, // LDM
	{0xffd08000, 0xe9108000, byReg},
	{0xfffff0e0, 0xe8dff000, byReg | arch.IsPCRel}, // TBB, TBH [PC
	{0xfff0ffe0, 0xe8d0f000, byReg},
	{0xfff00f00, 0xe8500f00, arch.IsLoadLink}, // LDREX
	{0xfff00000, 0xe8400000, arch.IsStoreCond},
	{0xfff000c0, 0xe8d00040, arch.IsLoadLink}, // LDREXB, H, D
	{0xfff000c0, 0xe8c00040, arch.IsStoreCond},
	{0xfff000c0, 0xe8d000c0, arch.IsLoadLink}, // LDAEX, B, H, D
	{0xfff000c0, 0xe8c000c0, arch.IsStoreCond},
	{0xfff000c0, 0xe8d00080, 0},
	{0xfff000c0, 0xe8c00080, 0},
	{0xff7f0000, 0xe95f0000, arch.IsPCRel}, // LDRD literal
	{0xff7f0000, 0xe85f0000, arch.IsPCRel},
	// Single loads. Rt 15 is PC for words, a hint for the others.
	{0xff7ff000, 0xf85ff000, byReg | arch.IsPCRel}, // LDR PC, literal
	{0xffffffff, 0xf85dfb04, ret},                  // POP {PC}
	{0xfff0f000, 0xf8d0f000, byReg},
	{0xfff0f800, 0xf850f800, byReg},
	{0xfff0ffc0, 0xf850f000, byReg},
	{0xfe1f0000, 0xf81f0000, arch.IsPCRel}, // literal
	// ADR.
	{0xfbff8000, 0xf20f0000, arch.IsPCRel},
	{0xfbff8000, 0xf2af0000, arch.IsPCRel},
	// Coprocessors: VLDR, LDC literal.
	{0xee1f0000, 0xec1f0000, arch.IsPCRel},
}

func classThumb32(w uint32) arch.Class {
	if w == 0xf7f0a000 {
		return arch.IsTrap // the kernel's breakpoint
	}
	c := find(rowsThumb32, w)
	if c&ret == byReg && w>>16 == 0xe8bd {
		c |= arch.IsReturn // POP.W {..., PC}
	}
	return c
}
