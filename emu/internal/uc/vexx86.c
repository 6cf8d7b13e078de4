// Instructions of x86 with a VEX prefix. The library executes those of AVX as
// the ones of SSE that they extend, with two operands and half as wide, and
// BEXTR, BZHI, BLSI, PDEP and PEXT with wrong results or flags. CPUID denies AVX
// and BMI, and here they are undefined, as on a processor without them.
#include "shim.h"

// INDEX_op_insn_start, which begins the translation of each instruction.
enum { INSN_START = 129 };

// Where the opcode of the instruction that is translated may be, as far as its
// prefixes are known.
static __thread uint64_t opcode_at;

REAL(void, tcg_gen_op2_x86_64, (void *, int, uint64_t, uint64_t));
void NAME(tcg_gen_op2_x86_64)(void *tcg, int op, uint64_t a, uint64_t b)
{
	if (op == INSN_START)
		opcode_at = a;
	real_tcg_gen_op2_x86_64(tcg, op, a, b);
}

enum { VEX3 = 0xc4, VEX2 = 0xc5, BOUND = 0x62, REGISTER = 0xc0 };

static bool prefix(uint32_t b, bool wide)
{
	switch (b) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67:
	case 0xf0: case 0xf2: case 0xf3:
		return true;
	}
	return wide && (b & 0xf0) == 0x40; // REX
}

// Also called for the bytes after the opcode, at other addresses.
REAL(uint32_t, cpu_ldub_code_x86_64, (void *, uint64_t));
uint32_t NAME(cpu_ldub_code_x86_64)(void *env, uint64_t addr)
{
	uint32_t b = real_cpu_ldub_code_x86_64(env, addr);
	if (addr != opcode_at || ue_now.e == NULL)
		return b;
	bool wide = ue_now.e->mode & UC_MODE_64;
	if (prefix(b, wide))
		opcode_at++;
	else if ((b == VEX2 || b == VEX3) && (wide || real_cpu_ldub_code_x86_64(env, addr + 1) >= REGISTER)) // not LES or LDS
		return BOUND; // of a register, which is undefined in both modes
	return b;
}

void ue_vex_bind(void)
{
	(void)FIND(tcg_gen_op2_x86_64);
	(void)FIND(cpu_ldub_code_x86_64);
}
