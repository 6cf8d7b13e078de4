#include <stdint.h>
#include <unicorn/unicorn.h>

typedef struct {
	int32_t kind, intno, size, access, mapped, pad;
	uint64_t pc, addr;
} ue_stop;

typedef struct {
	uc_engine *uc;
	int arch, mode;
	ue_stop stop;
	int stopped;
	uint64_t lastpc;
	volatile int interrupt;
	int pcreg, ncpuid;
	uint32_t cpuid[64][6];
} ue;

int ue_open(ue *e, int arch, int mode, int model);
int ue_run(ue *e, uint64_t pc);
void ue_interrupt(ue *e);
int ue_regs(ue *e, int *ids, uint64_t *vals, int n);
int ue_set_regs(ue *e, int *ids, uint64_t *vals, int n);
int ue_drop(ue *e, uint64_t a, uint64_t b);
void ue_cpuid(ue *e, uint32_t l, uint32_t s, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
