package arm64

import (
	"encoding/binary"
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// System registers that Boot sets.
var (
	scrEL3     = arch.CPReg{Op0: 3, Op1: 6, CRn: 1, CRm: 1, Op2: 0}
	sctlrEL1   = arch.CPReg{Op0: 3, Op1: 0, CRn: 1, CRm: 0, Op2: 0}
	cpacrEL1   = arch.CPReg{Op0: 3, Op1: 0, CRn: 1, CRm: 0, Op2: 2}
	spsrEL1    = arch.CPReg{Op0: 3, Op1: 0, CRn: 4, CRm: 0, Op2: 0}
	elrEL1     = arch.CPReg{Op0: 3, Op1: 0, CRn: 4, CRm: 0, Op2: 1}
	cntkctlEL1 = arch.CPReg{Op0: 3, Op1: 0, CRn: 14, CRm: 1, Op2: 0}
)

// Bits of SCTLR_EL1.
const (
	sctlrDZE = 1 << 14 // DC ZVA at EL0
	sctlrUCT = 1 << 15 // reading CTR_EL0 at EL0
	sctlrUCI = 1 << 26 // cache maintenance at EL0
)

// stub is where Boot's code lies for a moment: the first page past user space.
const stub = 1 << 39

// boot goes to EL0, which only an exception return can do: two instructions,
// ERET at EL1 and BRK at EL0, take it there and back to us.
func boot(b arch.Bare, _ *arch.Model) error {
	sctlr, err := b.CPReg(sctlrEL1)
	if err != nil {
		return fmt.Errorf("arm64: SCTLR_EL1: %w", err)
	}
	for _, s := range []struct {
		name string
		reg  arch.CPReg
		val  uint64
	}{
		{"SCR_EL3", scrEL3, 1 << 10}, // RW: lower levels are AArch64
		// Cache maintenance stays trapped, to drop translated code.
		{"SCTLR_EL1", sctlrEL1, sctlr&^sctlrUCI | sctlrUCT | sctlrDZE},
		{"CPACR_EL1", cpacrEL1, 3 << 20},    // FPEN
		{"CNTKCTL_EL1", cntkctlEL1, 1 << 1}, // EL0VCTEN: the virtual counter, as for the vDSO
		{"SPSR_EL1", spsrEL1, 0},            // EL0t, nothing masked
		{"ELR_EL1", elrEL1, stub + 4},
	} {
		if err := b.SetCPReg(s.reg, s.val); err != nil {
			return fmt.Errorf("arm64: %s: %w", s.name, err)
		}
	}
	code := binary.LittleEndian.AppendUint32(nil, 0xd69f03e0) // eret
	code = binary.LittleEndian.AppendUint32(code, 0xd4200000) // brk #0
	if err := b.Place(stub, code, arch.Read|arch.Exec); err != nil {
		return fmt.Errorf("arm64: %w", err)
	}
	e, err := b.Run(stub)
	if err != nil {
		return fmt.Errorf("arm64: %w", err)
	}
	if e.Kind != arch.ExcIntr || e.No != excBRK || e.PC != stub+4 {
		return fmt.Errorf("arm64: return to EL0 ended in exception kind %d number %d at %#x", e.Kind, e.No, e.PC)
	}
	if got := b.Reg(ucnum.ARM64_REG_PSTATE) & psrMode; got != 0 {
		return fmt.Errorf("arm64: CPU mode is %#x after the return to EL0", got)
	}
	if err := b.Drop(stub); err != nil {
		return fmt.Errorf("arm64: %w", err)
	}
	return nil
}
