// Floating point of 64-bit PowerPC where the library's two PowerPCs have one set
// of functions for it, the 32-bit one: 2.0.1. Those find the state of the CPU at
// the places that it has on 32 bits. There they keep their status well enough,
// in a special register that no processor has; but the fields of CR that
// comparisons set, and FPSCR, translated code reads at the places of 64 bits.
// The functions here carry them over. Later versions have none of these names.
#include "shim.h"

// Places in the state of a CPU, from env on. The self-test shows that they are
// right for the library at hand.
enum {
	CRF_32 = 0x108,
	TININESS_32 = 0x116e4, // of fp_status: when it is detected, 1 before rounding
	FPSCR_32 = 0x116ec,
	CRF_64 = 0x210,
	VSR_32 = 0x112c0,
	VSR_64 = 0x12b20,
	FPSCR_64 = 0x12f50,
};

static bool wrong; // the places are not right

void ue_float_wrong(bool is) { wrong = is; }

static inline bool wide(void)
{
	struct ue *e = ue_now.e;
	return e != NULL && e->arch == UC_ARCH_PPC && e->mode & UC_MODE_PPC64 && !wrong;
}

static inline void put_cr(uint8_t *env, uint32_t field)
{
	*(uint32_t *)(env + CRF_64 + 4 * (field & 7)) = *(uint32_t *)(env + CRF_32 + 4 * (field & 7));
}

static inline void put_fpscr(uint8_t *env)
{
	ue_now.e->fpscr = *(uint32_t *)(env + FPSCR_32);
	*(uint64_t *)(env + FPSCR_64) = ue_now.e->fpscr;
}

MAYBE(void, helper_store_fpscr, (void *, uint64_t, uint32_t));

// take_fpscr gives the functions the FPSCR that somebody has set from outside:
// the kernel, or who made this the CPU of another task.
static inline void take_fpscr(uint8_t *env)
{
	uint64_t v = *(uint64_t *)(env + FPSCR_64);
	env[TININESS_32] = 1;
	if (v != ue_now.e->fpscr)
		real_helper_store_fpscr(env, v, 0xff);
}

// Everything that computes begins with this.
MAYBE(void, helper_reset_fpstatus, (void *));
void NAME(helper_reset_fpstatus)(void *env)
{
	if (wide()) {
		take_fpscr(env);
		put_fpscr(env);
	}
	if (wrong && ue_now.e != NULL)
		ue_now.e->computed = true;
	real_helper_reset_fpstatus(env);
}

// And most of it ends with this.
MAYBE(void, helper_float_check_status, (void *));
void NAME(helper_float_check_status)(void *env)
{
	real_helper_float_check_status(env);
	if (wide())
		put_fpscr(env);
}

void NAME(helper_store_fpscr)(void *env, uint64_t v, uint32_t mask)
{
	if (wide())
		take_fpscr(env);
	real_helper_store_fpscr(env, v, mask);
	if (wide())
		put_fpscr(env);
}

#define BIT(name) \
	MAYBE(void, name, (void *, uint32_t)); \
	void NAME(name)(void *env, uint32_t bit) \
	{ \
		if (wide()) \
			take_fpscr(env); \
		real_##name(env, bit); \
		if (wide()) \
			put_fpscr(env); \
	}
BIT(helper_fpscr_setbit)
BIT(helper_fpscr_clrbit)

#define COMPARE(name) \
	MAYBE(void, name, (void *, uint64_t, uint64_t, uint32_t)); \
	void NAME(name)(void *env, uint64_t a, uint64_t b, uint32_t field) \
	{ \
		real_##name(env, a, b, field); \
		if (wide()) { \
			put_cr(env, field); \
			put_fpscr(env); \
		} \
	}
COMPARE(helper_fcmpo)
COMPARE(helper_fcmpu)

// Those of VSX get the instruction, which has the field's number.
#define VSX(name, params, args) \
	MAYBE(void, name, params); \
	void NAME(name) params \
	{ \
		if (wide()) \
			take_fpscr(env); \
		real_##name args; \
		if (wide()) { \
			put_cr(env, insn >> 23); \
			put_fpscr(env); \
		} \
	}
#define VSX_TWO(name) VSX(name, (void *env, uint32_t insn, void *a, void *b), (env, insn, a, b))
#define VSX_ONE(name) VSX(name, (void *env, uint32_t insn, void *b), (env, insn, b))
VSX_TWO(helper_xscmpexpdp)
VSX_TWO(helper_xscmpexpqp)
VSX_TWO(helper_xscmpodp)
VSX_TWO(helper_xscmpoqp)
VSX_TWO(helper_xscmpudp)
VSX_TWO(helper_xscmpuqp)
VSX_TWO(helper_xstdivdp)
VSX_TWO(helper_xvtdivdp)
VSX_TWO(helper_xvtdivsp)
VSX_ONE(helper_xstsqrtdp)
VSX_ONE(helper_xststdcsp)
VSX_ONE(helper_xvtsqrtdp)
VSX_ONE(helper_xvtsqrtsp)

// Those that tell the class of a number look for the registers themselves. What
// is where 32 bits have them belongs to something else.
struct vsr {
	uint64_t half[2];
};

static void classify(void (*f)(void *, uint32_t), uint8_t *env, uint32_t insn, unsigned from, unsigned to)
{
	struct vsr *have = (void *)(env + VSR_64), *look = (void *)(env + VSR_32);
	struct vsr in = look[from], out = look[to];
	look[from] = have[from];
	f(env, insn);
	have[to] = look[to];
	look[to] = out;
	look[from] = in;
}

#define CLASS(name, from, to, compares) \
	MAYBE(void, name, (void *, uint32_t)); \
	void NAME(name)(void *env, uint32_t insn) \
	{ \
		if (!wide()) { \
			real_##name(env, insn); \
			return; \
		} \
		take_fpscr(env); \
		classify(real_##name, env, insn, from, to); \
		if (compares) \
			put_cr(env, insn >> 23); \
		put_fpscr(env); \
	}
#define XT ((insn << 5 & 32) | (insn >> 21 & 31))
#define XB ((insn << 4 & 32) | (insn >> 11 & 31))
#define VB (32 | (insn >> 11 & 31))
CLASS(helper_xststdcdp, XB, XB, true)
CLASS(helper_xststdcqp, VB, VB, true)
CLASS(helper_xvtstdcdp, XB, XT, false)
CLASS(helper_xvtstdcsp, XB, XT, false)

// ---- both PowerPCs

// Conversions of numbers too large give what NaN gives; on a processor they
// give the largest integer. What NaN gives is the least, which no positive
// number of at least one is converted to.
#define CONVERT(name, invalid, most) \
	MAYBE(uint64_t, name, (void *, uint64_t)); \
	uint64_t NAME(name)(void *env, uint64_t num) \
	{ \
		uint64_t v = real_##name(env, num); \
		if (v == (invalid) && num >= ONE && num <= INFINITE) \
			return most; \
		return v; \
	}
#define ONE 0x3ff0000000000000
#define INFINITE 0x7ff0000000000000
#define CONVERT_ALL(S) \
	CONVERT(helper_fctiw##S, (uint32_t)INT32_MIN, INT32_MAX) \
	CONVERT(helper_fctiwz##S, (uint32_t)INT32_MIN, INT32_MAX) \
	CONVERT(helper_fctiwu##S, 0, UINT32_MAX) \
	CONVERT(helper_fctiwuz##S, 0, UINT32_MAX) \
	CONVERT(helper_fctid##S, (uint64_t)INT64_MIN, INT64_MAX) \
	CONVERT(helper_fctidz##S, (uint64_t)INT64_MIN, INT64_MAX) \
	CONVERT(helper_fctidu##S, 0, UINT64_MAX) \
	CONVERT(helper_fctiduz##S, 0, UINT64_MAX)
#define FIND_CONVERT(S) \
	(FIND(helper_fctiw##S) && FIND(helper_fctiwz##S) && FIND(helper_fctiwu##S) && FIND(helper_fctiwuz##S) && \
	 FIND(helper_fctid##S) && FIND(helper_fctidz##S) && FIND(helper_fctidu##S) && FIND(helper_fctiduz##S))
CONVERT_ALL() // 2.0.1
CONVERT_ALL(_ppc)
CONVERT_ALL(_ppc64)

bool ue_float_shared(void) { return real_helper_reset_fpstatus != NULL; }

// All of them are there, or none.
void ue_float_bind(void)
{
	(void)FIND_CONVERT();
	(void)FIND_CONVERT(_ppc);
	(void)FIND_CONVERT(_ppc64);
	(void)(FIND(helper_store_fpscr) && FIND(helper_reset_fpstatus) && FIND(helper_float_check_status) &&
	       FIND(helper_fpscr_setbit) && FIND(helper_fpscr_clrbit) && FIND(helper_fcmpo) && FIND(helper_fcmpu) &&
	       FIND(helper_xscmpexpdp) && FIND(helper_xscmpexpqp) && FIND(helper_xscmpodp) && FIND(helper_xscmpoqp) &&
	       FIND(helper_xscmpudp) && FIND(helper_xscmpuqp) && FIND(helper_xstdivdp) && FIND(helper_xvtdivdp) &&
	       FIND(helper_xvtdivsp) && FIND(helper_xstsqrtdp) && FIND(helper_xststdcsp) && FIND(helper_xvtsqrtdp) &&
	       FIND(helper_xvtsqrtsp) && FIND(helper_xststdcdp) && FIND(helper_xststdcqp) && FIND(helper_xvtstdcdp) && FIND(helper_xvtstdcsp));
}
