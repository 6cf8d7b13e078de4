#include "lead_engine.h"
#include <string.h>
#include <stdlib.h>

enum { K_END, K_INTR, K_SYSCALL, K_SYSENTER, K_IO, K_INVALID, K_MEM, K_LIMIT, K_BREAK, K_TAKEN, K_INTERRUPT, K_FULL };

static void halt(ue *e, int kind)
{
	e->stop.kind = kind;
	e->stopped = 1;
	uc_emu_stop(e->uc);
}
static uint64_t pc(ue *e)
{
	uint64_t v = 0;
	uc_reg_read(e->uc, e->pcreg, &v);
	return v;
}
static void on_intr(uc_engine *uc, uint32_t no, void *p)
{
	ue *e = p;
	if (e->stopped) return;
	e->stop.intno = no;
	e->stop.pc = pc(e);
	halt(e, K_INTR);
}
static void on_syscall(uc_engine *uc, void *p) { ue *e = p; e->stop.pc = pc(e); halt(e, K_SYSCALL); }
static void on_sysenter(uc_engine *uc, void *p) { ue *e = p; e->stop.pc = pc(e); halt(e, K_SYSENTER); }
static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *p) { ue *e = p; e->stop.pc = e->lastpc; halt(e, K_IO); return 0; }
static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t v, void *p) { ue *e = p; e->stop.pc = e->lastpc; halt(e, K_IO); }
static bool on_invalid(uc_engine *uc, void *p) { ue *e = p; if (!e->stopped) { e->stop.pc = pc(e); e->stop.kind = K_INVALID; e->stopped = 1; } return false; }
static bool on_mem(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t v, void *p)
{
	ue *e = p;
	if (e->stopped) return false;
	e->stop.addr = addr;
	e->stop.size = size;
	e->stop.mapped = type == UC_MEM_READ_PROT || type == UC_MEM_WRITE_PROT || type == UC_MEM_FETCH_PROT;
	e->stop.access = (type == UC_MEM_READ_UNMAPPED || type == UC_MEM_READ_PROT) ? 1 : (type == UC_MEM_WRITE_UNMAPPED || type == UC_MEM_WRITE_PROT) ? 2 : 4;
	e->stop.pc = e->stop.access == 4 ? addr : e->lastpc;
	e->stop.kind = K_MEM;
	e->stopped = 1;
	return false;
}
static void on_code(uc_engine *uc, uint64_t addr, uint32_t size, void *p)
{
	ue *e = p;
	e->lastpc = addr;
	if (e->interrupt) {
		e->interrupt = 0;
		e->stop.pc = addr;
		halt(e, K_INTERRUPT);
	}
}

static int on_cpuid(uc_engine *uc, void *p)
{
	ue *e = p;
	uint32_t l = 0, s = 0;
	uc_reg_read(uc, UC_X86_REG_EAX, &l);
	uc_reg_read(uc, UC_X86_REG_ECX, &s);
	for (int i = 0; i < e->ncpuid; i++) {
		uint32_t *c = e->cpuid[i];
		if (c[0] == l && (c[1] == s || c[1] == ~0u)) {
			int ids[] = {UC_X86_REG_RAX, UC_X86_REG_RBX, UC_X86_REG_RCX, UC_X86_REG_RDX};
			int ids32[] = {UC_X86_REG_EAX, UC_X86_REG_EBX, UC_X86_REG_ECX, UC_X86_REG_EDX};
			for (int j = 0; j < 4; j++) { uint64_t v = c[2 + j]; uc_reg_write(uc, e->mode == UC_MODE_64 ? ids[j] : ids32[j], &v); }
			return 1;
		}
	}
	return 0;
}
void ue_cpuid(ue *e, uint32_t l, uint32_t s, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	uint32_t v[6] = {l, s, a, b, c, d};
	if (e->ncpuid < 64) memcpy(e->cpuid[e->ncpuid++], v, sizeof v);
}

int ue_open(ue *e, int arch, int mode, int model)
{
	uc_err r = uc_open(arch, mode, &e->uc);
	uc_hook h;
	if (r) return r;
	e->arch = arch; e->mode = mode;
	if (model >= 0) { r = uc_ctl_set_cpu_model(e->uc, model); if (r) return r; }
	if (arch == UC_ARCH_ARM) uc_ctl_set_page_size(e->uc, 2048);
	switch (arch) {
	case UC_ARCH_X86: e->pcreg = mode == UC_MODE_64 ? UC_X86_REG_RIP : UC_X86_REG_EIP; break;
	case UC_ARCH_ARM: e->pcreg = UC_ARM_REG_PC; break;
	case UC_ARCH_ARM64: e->pcreg = UC_ARM64_REG_PC; break;
	case UC_ARCH_PPC: e->pcreg = UC_PPC_REG_PC; break;
	}
	uc_hook_add(e->uc, &h, UC_HOOK_INTR, on_intr, e, 1, 0);
	uc_hook_add(e->uc, &h, UC_HOOK_INSN_INVALID, on_invalid, e, 1, 0);
	uc_hook_add(e->uc, &h, UC_HOOK_MEM_INVALID, on_mem, e, 1, 0);
	uc_hook_add(e->uc, &h, UC_HOOK_CODE, on_code, e, 1, 0);
	if (arch == UC_ARCH_X86) {
		uc_hook_add(e->uc, &h, UC_HOOK_INSN, on_syscall, e, 1, 0, UC_X86_INS_SYSCALL);
		uc_hook_add(e->uc, &h, UC_HOOK_INSN, on_sysenter, e, 1, 0, UC_X86_INS_SYSENTER);
		uc_hook_add(e->uc, &h, UC_HOOK_INSN, on_cpuid, e, 1, 0, UC_X86_INS_CPUID);
		uc_hook_add(e->uc, &h, UC_HOOK_INSN, on_in, e, 1, 0, UC_X86_INS_IN);
		uc_hook_add(e->uc, &h, UC_HOOK_INSN, on_out, e, 1, 0, UC_X86_INS_OUT);
	}
	return 0;
}

int ue_run(ue *e, uint64_t start)
{
	memset(&e->stop, 0, sizeof e->stop);
	e->stopped = 0;
	uc_err r = uc_emu_start(e->uc, start, ~0ull, 0, 0);
	if (!e->stopped) {
		e->stop.kind = K_END;
		e->stop.pc = pc(e);
		return r;
	}
	return 0;
}
void ue_interrupt(ue *e) { e->interrupt = 1; }
int ue_regs(ue *e, int *ids, uint64_t *vals, int n)
{
	void *p[64];
	for (int i = 0; i < n; i++) { vals[i] = 0; p[i] = &vals[i]; }
	return uc_reg_read_batch(e->uc, ids, p, n);
}
int ue_set_regs(ue *e, int *ids, uint64_t *vals, int n)
{
	void *p[64];
	for (int i = 0; i < n; i++) p[i] = &vals[i];
	return uc_reg_write_batch(e->uc, ids, p, n);
}
int ue_drop(ue *e, uint64_t a, uint64_t b) { return uc_ctl_remove_cache(e->uc, a, b); }
