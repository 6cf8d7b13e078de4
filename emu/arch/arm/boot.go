package arm

import (
	"fmt"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/internal/ucnum"
)

// The coprocessor registers that Boot sets, of coprocessor 15.
var (
	cpacr   = arch.CPReg{CP: 15, CRn: 1, CRm: 0, Op1: 0, Op2: 2}
	cntkctl = arch.CPReg{CP: 15, CRn: 14, CRm: 1, Op1: 0, Op2: 0}
)

// boot turns on the floating point unit and goes to user mode.
func boot(b arch.Bare, _ *arch.Model) error {
	// Full access to coprocessors 10 and 11, which are VFP and NEON.
	if err := b.SetCPReg(cpacr, 0xf<<20); err != nil {
		return fmt.Errorf("arm: CPACR: %w", err)
	}
	if err := b.SetReg(ucnum.ARM_REG_FPEXC, 1<<30); err != nil {
		return fmt.Errorf("arm: FPEXC: %w", err)
	}
	// PL0VCTEN: user code reads the virtual counter, as for the kernel's vDSO.
	// CPUs without the generic timer do not have the register.
	_ = b.SetCPReg(cntkctl, 1<<1)

	// The CPSR comes last: writing it makes the engine look again at the
	// state that translation depends on.
	if err := b.SetReg(ucnum.ARM_REG_CPSR, modeUser); err != nil {
		return fmt.Errorf("arm: CPSR: %w", err)
	}
	if got := b.Reg(ucnum.ARM_REG_CPSR) & psrMode; got != modeUser {
		return fmt.Errorf("arm: CPU mode is %#x after the switch to user mode", got)
	}
	return nil
}
