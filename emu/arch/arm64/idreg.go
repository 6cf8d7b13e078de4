package arm64

import "github.com/utemu/utemu/emu/internal/ucnum"

// sysreg addresses a system register the way the instruction does: op0, op1,
// CRn, CRm and op2 in its bits 20 to 5.
type sysreg uint32

func sysRegister(op0, op1, crn, crm, op2 uint32) sysreg {
	return sysreg(op0<<19 | op1<<16 | crn<<12 | crm<<8 | op2<<5)
}

// The identification registers that programs may read.
var (
	midr      = sysRegister(3, 0, 0, 0, 0)
	mpidr     = sysRegister(3, 0, 0, 0, 5)
	revidr    = sysRegister(3, 0, 0, 0, 6)
	aa64pfr0  = sysRegister(3, 0, 0, 4, 0)
	aa64dfr0  = sysRegister(3, 0, 0, 5, 0)
	aa64isar0 = sysRegister(3, 0, 0, 6, 0)
	aa64isar1 = sysRegister(3, 0, 0, 6, 1)
	aa64mmfr0 = sysRegister(3, 0, 0, 7, 0)
)

// idRegs are the values of identification registers as Linux shows them to
// programs (Documentation/arm64/cpu-feature-registers.rst): what user code
// can use, and harmless values for the rest.
type idRegs map[sysreg]uint64

// common are the fields that the kernel hides behind fixed values: EL0 and EL1
// are AArch64 only, no translation granule is told, debug is version 8.
func common(m uint64) idRegs {
	return idRegs{
		midr: m, mpidr: 1 << 31, revidr: 0,
		aa64pfr0: 0x11, aa64dfr0: 6, aa64mmfr0: 0xff << 24,
	}
}

// with sets fields: each is a register, the field's lowest bit and its value.
func (r idRegs) with(reg sysreg, fields ...[2]uint) idRegs {
	for _, f := range fields {
		r[reg] = r[reg]&^(15<<f[0]) | uint64(f[1])<<f[0]
	}
	return r
}

// ids are the registers of each model, by libunicorn's number of it. They say
// what the library's code generator carries out: pointer authentication,
// branch targets and SVE are left out of the last though its own registers
// claim them, because they are off or not there.
var ids = map[int]idRegs{
	ucnum.CPU_ARM64_A57: common(0x411fd070).with(aa64isar0, cortex...),
	ucnum.CPU_ARM64_A53: common(0x410fd034).with(aa64isar0, cortex...),
	ucnum.CPU_ARM64_A72: common(0x410fd083).with(aa64isar0, cortex...),
	ucnum.CPU_ARM64_MAX: common(0x000f0510).
		with(aa64isar0,
			[2]uint{4, 2},   // AES and PMULL
			[2]uint{8, 1},   // SHA1
			[2]uint{12, 2},  // SHA256 and SHA512
			[2]uint{16, 1},  // CRC32
			[2]uint{20, 2},  // LSE atomics
			[2]uint{28, 1},  // RDM
			[2]uint{32, 1},  // SHA3
			[2]uint{36, 1},  // SM3
			[2]uint{40, 1},  // SM4
			[2]uint{44, 1},  // dot product
			[2]uint{48, 1},  // FHM
			[2]uint{52, 2},  // flag manipulation
			[2]uint{60, 1}). // RNDR
		with(aa64isar1,
			[2]uint{0, 2},   // DC CVAP and DC CVADP
			[2]uint{12, 1},  // JSCVT
			[2]uint{16, 1},  // FCMA
			[2]uint{20, 2},  // LDAPR and LDAPUR
			[2]uint{32, 1},  // FRINT32 and FRINT64
			[2]uint{36, 1}). // SB
		with(aa64pfr0,
			[2]uint{16, 1},  // half precision
			[2]uint{20, 1}), // the same in Advanced SIMD
}

// cortex are the features that the three Cortex models share.
var cortex = [][2]uint{{4, 2}, {8, 1}, {12, 1}, {16, 1}}

// hwcaps ties the bits of AT_HWCAP (0 to 63) and AT_HWCAP2 (64 and up) to
// fields of identification registers, as arm64_elf_hwcaps of
// arch/arm64/kernel/cpufeature.c does: a bit is set when the field has at
// least the value.
var hwcaps = []struct {
	bit   uint
	name  string
	reg   sysreg
	shift uint
	min   int64 // the field is signed in ID_AA64PFR0
}{
	{0, "fp", aa64pfr0, 16, 0},
	{1, "asimd", aa64pfr0, 20, 0},
	{3, "aes", aa64isar0, 4, 1},
	{4, "pmull", aa64isar0, 4, 2},
	{5, "sha1", aa64isar0, 8, 1},
	{6, "sha2", aa64isar0, 12, 1},
	{7, "crc32", aa64isar0, 16, 1},
	{8, "atomics", aa64isar0, 20, 2},
	{9, "fphp", aa64pfr0, 16, 1},
	{10, "asimdhp", aa64pfr0, 20, 1},
	{11, "cpuid", midr, 0, 0}, // always: the kernel emulates the reads
	{12, "asimdrdm", aa64isar0, 28, 1},
	{13, "jscvt", aa64isar1, 12, 1},
	{14, "fcma", aa64isar1, 16, 1},
	{15, "lrcpc", aa64isar1, 20, 1},
	{16, "dcpop", aa64isar1, 0, 1},
	{17, "sha3", aa64isar0, 32, 1},
	{18, "sm3", aa64isar0, 36, 1},
	{19, "sm4", aa64isar0, 40, 1},
	{20, "asimddp", aa64isar0, 44, 1},
	{21, "sha512", aa64isar0, 12, 2},
	{23, "asimdfhm", aa64isar0, 48, 1},
	{26, "ilrcpc", aa64isar1, 20, 2},
	{27, "flagm", aa64isar0, 52, 1},
	{29, "sb", aa64isar1, 36, 1},
	{64 + 0, "dcpodp", aa64isar1, 0, 2},
	{64 + 7, "flagm2", aa64isar0, 52, 2},
	{64 + 8, "frint", aa64isar1, 32, 1},
	{64 + 16, "rng", aa64isar0, 60, 1},
}

// caps works out AT_HWCAP and AT_HWCAP2 and their names in /proc/cpuinfo.
func (r idRegs) caps() (hwcap, hwcap2 uint64, names []string) {
	for _, h := range hwcaps {
		f := int64(r[h.reg]>>h.shift) & 15
		if h.reg == aa64pfr0 {
			f = f << 60 >> 60
		}
		if f < h.min {
			continue
		}
		if h.bit < 64 {
			hwcap |= 1 << h.bit
		} else {
			hwcap2 |= 1 << (h.bit - 64)
		}
		names = append(names, h.name)
	}
	return hwcap, hwcap2, names
}
