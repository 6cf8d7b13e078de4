package disasm

// sysRegsA64 are the system registers that user mode may name, by op0:op1:CRn:
// CRm:op2 as bits 19-5 of MRS and MSR hold them, op0's high bit set.
var sysRegsA64 = map[uint32]string{
	sysReg(3, 3, 13, 0, 2): "tpidr_el0", sysReg(3, 3, 13, 0, 3): "tpidrro_el0", sysReg(3, 3, 13, 0, 5): "tpidr2_el0",
	sysReg(3, 3, 13, 0, 7): "scxtnum_el0",
	sysReg(3, 3, 4, 4, 0):  "fpcr", sysReg(3, 3, 4, 4, 1): "fpsr",
	sysReg(3, 3, 4, 2, 0): "nzcv", sysReg(3, 3, 4, 2, 1): "daif", sysReg(3, 3, 4, 2, 2): "svcr",
	sysReg(3, 3, 4, 2, 5): "dit", sysReg(3, 3, 4, 2, 6): "ssbs", sysReg(3, 3, 4, 2, 7): "tco",
	sysReg(3, 3, 4, 5, 0): "dspsr_el0", sysReg(3, 3, 4, 5, 1): "dlr_el0",
	sysReg(3, 3, 0, 0, 1): "ctr_el0", sysReg(3, 3, 0, 0, 7): "dczid_el0",
	sysReg(3, 3, 2, 4, 0): "rndr", sysReg(3, 3, 2, 4, 1): "rndrrs",
	sysReg(3, 3, 14, 0, 0): "cntfrq_el0", sysReg(3, 3, 14, 0, 1): "cntpct_el0", sysReg(3, 3, 14, 0, 2): "cntvct_el0",
	sysReg(3, 3, 14, 0, 5): "cntpctss_el0", sysReg(3, 3, 14, 0, 6): "cntvctss_el0",
	sysReg(3, 3, 14, 3, 0): "cntv_tval_el0", sysReg(3, 3, 14, 3, 1): "cntv_ctl_el0", sysReg(3, 3, 14, 3, 2): "cntv_cval_el0",
	sysReg(3, 3, 14, 2, 0): "cntp_tval_el0", sysReg(3, 3, 14, 2, 1): "cntp_ctl_el0", sysReg(3, 3, 14, 2, 2): "cntp_cval_el0",
	sysReg(3, 3, 9, 12, 0): "pmcr_el0", sysReg(3, 3, 9, 12, 1): "pmcntenset_el0", sysReg(3, 3, 9, 12, 2): "pmcntenclr_el0",
	sysReg(3, 3, 9, 12, 5): "pmselr_el0", sysReg(3, 3, 9, 13, 0): "pmccntr_el0", sysReg(3, 3, 9, 13, 2): "pmxevcntr_el0",
	sysReg(3, 3, 9, 14, 0): "pmuserenr_el0",
	sysReg(3, 0, 0, 0, 0):  "midr_el1", sysReg(3, 0, 0, 0, 5): "mpidr_el1", sysReg(3, 0, 0, 0, 6): "revidr_el1",
	sysReg(3, 0, 0, 4, 0): "id_aa64pfr0_el1", sysReg(3, 0, 0, 4, 1): "id_aa64pfr1_el1",
	sysReg(3, 0, 0, 4, 4): "id_aa64zfr0_el1", sysReg(3, 0, 0, 4, 5): "id_aa64smfr0_el1",
	sysReg(3, 0, 0, 5, 0): "id_aa64dfr0_el1", sysReg(3, 0, 0, 5, 1): "id_aa64dfr1_el1",
	sysReg(3, 0, 0, 6, 0): "id_aa64isar0_el1", sysReg(3, 0, 0, 6, 1): "id_aa64isar1_el1", sysReg(3, 0, 0, 6, 2): "id_aa64isar2_el1",
	sysReg(3, 0, 0, 7, 0): "id_aa64mmfr0_el1", sysReg(3, 0, 0, 7, 1): "id_aa64mmfr1_el1", sysReg(3, 0, 0, 7, 2): "id_aa64mmfr2_el1",
}

func sysReg(op0, op1, crn, crm, op2 uint32) uint32 {
	return op0<<14 | op1<<11 | crn<<7 | crm<<3 | op2
}
