// Floating point of x86. The library's functions collect the exceptions in
// states of their own, one for SSE and one for x87, and never bring them to
// MXCSR and to the status word. The functions here do, before the guest or
// anybody else looks. What the library computes in double precision, or by
// division, is computed by the host's own x87, which is the same processor.
#include "shim.h"

#include <string.h>

// Places in the state of a CPU, from env on, which a probe finds at start:
// nothing is done before it has.
static struct ue_x86_places at;

void ue_x86_found(const struct ue_x86_places *p) { at = *p; }

enum { PE = 1 << 5, UE = 1 << 4, EXCEPTIONS = 0x3f, ES = 1 << 7, BUSY = 1 << 15 };

// QEMU's float_flag_*: those that both know have the same numbers.
enum { SHARED = 0x3d, FLAG_INEXACT = 1 << 5, OUTPUT_DENORMAL = 1 << 7 };

static inline uint32_t seen(uint8_t flags) { return (flags & SHARED) | (flags & OUTPUT_DENORMAL ? UE | PE : 0); }

// take brings the exceptions collected since the last time to where the guest
// sees them. That the states then know of none costs the next inexact
// operation a little.
static inline void take(uint8_t *env)
{
	if (!at.found)
		return;
	*(uint32_t *)(env + at.mxcsr) |= seen(env[at.sse]);
	uint16_t *sw = (uint16_t *)(env + at.fpsw);
	*sw |= seen(env[at.x87]);
	if (*sw & ~*(uint16_t *)(env + at.fpcw) & EXCEPTIONS)
		*sw |= ES | BUSY;
	env[at.sse] = env[at.x87] = 0;
}

void ue_x86_take(struct ue *e)
{
	if (e->arch == UC_ARCH_X86 && e->state != NULL)
		take((uint8_t *)e->state + at.env);
}

// Where the env of the CPU was that the probe ran on.
static __thread void *probed;

// ---- instructions that look at exceptions, or set them

// The library's functions take the address that they return to for that of
// translated code, so ours end in a jump to them.
#define TAKES(name, params, args) \
	REAL(void, name##_x86_64, params); \
	void NAME(name##_x86_64) params \
	{ \
		take(env); \
		real_##name##_x86_64 args; \
	}
#define AT_PARAMS (void *env, uint64_t ptr)
#define AT_ARGS (env, ptr)
#define SIZED_PARAMS (void *env, uint64_t ptr, int data32)
#define SIZED_ARGS (env, ptr, data32)
#define MASKED_PARAMS (void *env, uint64_t ptr, uint64_t mask)
#define MASKED_ARGS (env, ptr, mask)
TAKES(helper_fclex, (void *env), (env))
TAKES(helper_fwait, (void *env), (env))
TAKES(helper_fstenv, SIZED_PARAMS, SIZED_ARGS)
TAKES(helper_fldenv, SIZED_PARAMS, SIZED_ARGS)
TAKES(helper_fsave, SIZED_PARAMS, SIZED_ARGS)
TAKES(helper_frstor, SIZED_PARAMS, SIZED_ARGS)
TAKES(helper_fxsave, AT_PARAMS, AT_ARGS)
TAKES(helper_fxrstor, AT_PARAMS, AT_ARGS)
TAKES(helper_xsave, MASKED_PARAMS, MASKED_ARGS)
TAKES(helper_xsaveopt, MASKED_PARAMS, MASKED_ARGS)
TAKES(helper_xrstor, MASKED_PARAMS, MASKED_ARGS)
REAL(void, helper_fninit_x86_64, (void *));
void NAME(helper_fninit_x86_64)(void *env)
{
	probed = env;
	take(env);
	real_helper_fninit_x86_64(env);
}

// ue_x86_env is how far the env of a CPU, which FNINIT has run on in this thread
// last, lies from where the CPU begins; 0 if it has not.
uint32_t ue_x86_env(struct ue *e)
{
	return e->state != NULL && probed != NULL ? (uint8_t *)probed - (uint8_t *)e->state : 0;
}

// ue_x86_decode has the decoder know more features of leaf 1 of CPUID, in ECX,
// where EDX and ECX are those that the library answers with. It is false if they
// are not found: they lie after what a saved state has.
bool ue_x86_decode(struct ue *e, uint32_t edx, uint32_t ecx, uint32_t more)
{
	enum { BEFORE = 512, AFTER = 1024, OSXSAVE = 1 << 27 };
	if (!at.found || e->state == NULL)
		return false;
	uint8_t *env = (uint8_t *)e->state + at.env;
	uint64_t *found = NULL;
	uint32_t size = uc_context_size(e->uc) & ~7u;
	for (uint32_t i = size - BEFORE; i < size + AFTER; i += 8) {
		uint64_t *word = (uint64_t *)(env + i);
		if (word[0] != edx || (word[1] & ~(uint64_t)OSXSAVE) != (ecx & ~OSXSAVE))
			continue;
		if (found != NULL)
			return false;
		found = word + 1;
	}
	if (found != NULL)
		*found |= more;
	return found != NULL;
}

REAL(uint32_t, helper_fnstsw_x86_64, (void *));
uint32_t NAME(helper_fnstsw_x86_64)(void *env)
{
	take(env);
	return real_helper_fnstsw_x86_64(env);
}

// The library gives the bit of MXCSR that has SSE flush results to zero to x87.
enum { FLUSH_TO_ZERO_SHIFT = 15, FLUSH_TO_ZERO = 2 }; // from the exceptions on

static inline void put_flush(uint8_t *env)
{
	if (!at.found)
		return;
	env[at.sse + FLUSH_TO_ZERO] = *(uint32_t *)(env + at.mxcsr) >> FLUSH_TO_ZERO_SHIFT & 1;
	env[at.x87 + FLUSH_TO_ZERO] = 0;
}

// ---- exceptions that are not masked

// With one of those the engine has a hook on each instruction, which looks at
// what the one before has raised: the library raises nothing. An instruction of
// SSE is to be as if it had not run, so the hook keeps its registers; one of x87
// has run, and the next that is not for control alone traps.

enum { MASKS_SHIFT = 7 }; // of MXCSR, from the exceptions on

static inline uint32_t unmasked_sse(const uint8_t *env) { return ~(*(uint32_t *)(env + at.mxcsr) >> MASKS_SHIFT) & EXCEPTIONS; }

static inline uint32_t unmasked_x87(const uint8_t *env) { return ~*(uint16_t *)(env + at.fpcw) & EXCEPTIONS; }

bool ue_x86_unmasked(struct ue *e)
{
	if (e->arch != UC_ARCH_X86 || e->state == NULL || !at.found)
		return false;
	const uint8_t *env = (uint8_t *)e->state + at.env;
	return (unmasked_sse(env) | unmasked_x87(env)) != 0;
}

// masks is called by an instruction that has changed masks, with its place in
// translated code: where the hook is missing now, it is run once more with it.
static void masks(void *env, uintptr_t ra)
{
	struct ue *e = ue_now.e;
	if (e == NULL || !at.found || e->state == NULL)
		return;
	e->unmasked = ue_x86_unmasked(e);
	if (e->unmasked && e->shim && !e->code_on && !e->stopped && ue_shim_restore_at(ra))
		ue_hook_again(e);
}

// waits tells whether the instruction at pc is one of x87 that looks for
// exceptions first.
static bool waits(struct ue *e, uint64_t pc)
{
	uint8_t b[16] = {0};
	int n = 0;
	while (n < 15 && uc_mem_read(e->uc, pc + n, &b[n], 1) == UC_ERR_OK)
		n++;
	int i = 0;
	while (i < n && (b[i] == 0x66 || b[i] == 0x67 || b[i] == 0x2e || b[i] == 0x36 || b[i] == 0x3e || b[i] == 0x26 ||
			 (b[i] & 0xfe) == 0x64 || (e->mode == UC_MODE_64 && (b[i] & 0xf0) == 0x40)))
		i++;
	if (i + 1 >= n || (b[i] & 0xf8) != 0xd8)
		return false; // FWAIT has a function of its own
	int reg = b[i + 1] >> 3 & 7;
	bool memory = b[i + 1] < 0xc0;
	switch (b[i]) {
	case 0xd9: // FNSTENV, FNSTCW
		return !memory || reg < 6;
	case 0xdb: // FNCLEX, FNINIT
		return b[i + 1] != 0xe2 && b[i + 1] != 0xe3;
	case 0xdd: // FNSAVE, FNSTSW
		return !memory || reg < 6;
	case 0xdf: // FNSTSW AX
		return b[i + 1] != 0xe0;
	}
	return true;
}

bool ue_x86_raised(struct ue *e)
{
	uint8_t *env = (uint8_t *)e->state + at.env;
	if (!(seen(env[at.sse]) & unmasked_sse(env)))
		return false;
	memcpy(env + at.xmm, e->xmm, sizeof e->xmm);
	take(env);
	return true;
}

bool ue_x86_due(struct ue *e, uint64_t pc)
{
	uint8_t *env = (uint8_t *)e->state + at.env;
	if ((*(uint16_t *)(env + at.fpsw) | seen(env[at.x87])) & unmasked_x87(env) && waits(e, pc)) {
		take(env);
		return true;
	}
	memcpy(e->xmm, env + at.xmm, sizeof e->xmm);
	return false;
}

REAL(void, update_mxcsr_status_x86_64, (void *));
void NAME(update_mxcsr_status_x86_64)(void *env)
{
	real_update_mxcsr_status_x86_64(env);
	put_flush(env);
}

REAL(void, helper_ldmxcsr_x86_64, (void *, uint32_t));
void NAME(helper_ldmxcsr_x86_64)(void *env, uint32_t v)
{
	take(env);
	real_helper_ldmxcsr_x86_64(env, v);
	put_flush(env); // a static library does not come by the function above
	masks(env, (uintptr_t)__builtin_return_address(0));
}

REAL(void, helper_fldcw_x86_64, (void *, uint32_t));
void NAME(helper_fldcw_x86_64)(void *env, uint32_t v)
{
	take(env);
	real_helper_fldcw_x86_64(env, v);
	masks(env, (uintptr_t)__builtin_return_address(0));
}

// STMXCSR is translated into a load of MXCSR, with no function to be called. A
// call goes in front of it, of one that no user program can call.
REAL(void, helper_rsm_x86_64, (void *));
void NAME(helper_rsm_x86_64)(void *env) { take(env); }

CALLED(void, tcg_gen_callN_x86_64, (void *, void *, void *, int, void **));
REAL(void, tcg_gen_op3_x86_64, (void *, int, uintptr_t, uintptr_t, uintptr_t));
void NAME(tcg_gen_op3_x86_64)(void *tcg, int op, uintptr_t a, uintptr_t b, uintptr_t c)
{
	if (c == at.mxcsr && at.found) {
		void *env = (void *)b;
		real_tcg_gen_callN_x86_64(tcg, NAME(helper_rsm_x86_64), NULL, 1, &env);
	}
	real_tcg_gen_op3_x86_64(tcg, op, a, b, c);
}

// ---- instructions that do not raise what the library has them raise

#define QUIET(name) \
	REAL(void, name##_x86_64, (void *, void *, void *)); \
	void NAME(name##_x86_64)(void *env, void *d, void *s) \
	{ \
		uint8_t was = ((uint8_t *)env)[at.sse]; \
		real_##name##_x86_64(env, d, s); \
		if (at.found) \
			((uint8_t *)env)[at.sse] = was; \
	}
QUIET(helper_rcpps)
QUIET(helper_rcpss)
QUIET(helper_rsqrtps)
QUIET(helper_rsqrtss)

enum { ROUND_EXACT = 1 << 3 }; // in the operand: no precision exception

#define ROUND(name) \
	REAL(void, name##_x86_64, (void *, void *, void *, uint32_t)); \
	void NAME(name##_x86_64)(void *env, void *d, void *s, uint32_t mode) \
	{ \
		uint8_t *flags = (uint8_t *)env + at.sse, was = *flags; \
		real_##name##_x86_64(env, d, s, mode); \
		if (at.found && mode & ROUND_EXACT) \
			*flags = (*flags & ~FLAG_INEXACT) | (was & FLAG_INEXACT); \
	}
ROUND(helper_roundps_xmm)
ROUND(helper_roundpd_xmm)
ROUND(helper_roundss_xmm)
ROUND(helper_roundsd_xmm)

// Zero divided by zero is no division by zero, nor is infinity, but the
// library's functions look at the divisor only.
#define DIVIDE(name, params, args) \
	REAL(void, name##_x86_64, params); \
	void NAME(name##_x86_64) params \
	{ \
		uint16_t *sw = (uint16_t *)((uint8_t *)env + at.fpsw), was = *sw; \
		real_##name##_x86_64 args; \
		if (at.found) \
			*sw = was; /* what it was is collected */ \
	}
DIVIDE(helper_fdiv_ST0_FT0, (void *env), (env))
DIVIDE(helper_fdivr_ST0_FT0, (void *env), (env))
DIVIDE(helper_fdiv_STN_ST0, (void *env, int i), (env, i))
DIVIDE(helper_fdivr_STN_ST0, (void *env, int i), (env, i))

// ---- instructions that the library computes in double precision

// What FNSAVE stores.
struct __attribute__((packed)) x87_image {
	uint32_t cw, sw, tags, env[4];
	uint8_t st[8][10];
};

// C0 to C3 of the status word, and which of them instructions set.
enum { TOP_SHIFT = 11, C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14, IN_RANGE = C1 | C2, REMAINDER = C0 | C1 | C2 | C3 };

static inline uint8_t *st_at(uint8_t *env, uint32_t i) { return env + at.st + (i & 7) * at.st_size; }

// settle gives the guest what an instruction has left on the host's stack,
// which held two numbers before.
static void settle(uint8_t *env, const struct x87_image *x, uint16_t conditions)
{
	uint32_t *top = (uint32_t *)(env + at.top);
	uint32_t now = x->sw >> TOP_SHIFT & 7;
	if (now == 7) // one number has gone
		env[at.tags + *top] = 1;
	*top = (*top + now - 6) & 7;
	for (uint32_t i = 0; i < 8 - now; i++)
		memcpy(st_at(env, *top + i), x->st[i], sizeof x->st[i]);
	env[at.tags + *top] = 0;
	uint16_t *sw = (uint16_t *)(env + at.fpsw);
	*sw = (*sw & ~conditions) | (x->sw & (conditions | EXCEPTIONS));
	take(env);
}

#define NATIVE(name, insn, conditions) \
	REAL(void, name##_x86_64, (void *)); \
	void NAME(name##_x86_64)(void *env) \
	{ \
		if (!at.found) \
			return real_##name##_x86_64(env); \
		uint32_t top = *(uint32_t *)((uint8_t *)env + at.top); \
		uint16_t cw = *(uint16_t *)((uint8_t *)env + at.fpcw) | EXCEPTIONS; \
		struct x87_image x; \
		__asm__ volatile("fninit\n\tfldcw %1\n\tfldt %2\n\tfldt %3\n\t" insn "\n\tfnsave %0" \
			: "=m"(x) \
			: "m"(cw), "m"(*(const uint8_t (*)[10])st_at(env, top + 1)), "m"(*(const uint8_t (*)[10])st_at(env, top)) \
			: "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
		settle(env, &x, conditions); \
	}
NATIVE(helper_f2xm1, "f2xm1", C1)
NATIVE(helper_fyl2x, "fyl2x", C1)
NATIVE(helper_fyl2xp1, "fyl2xp1", C1)
NATIVE(helper_fptan, "fptan", IN_RANGE)
NATIVE(helper_fpatan, "fpatan", C1)
NATIVE(helper_fxtract, "fxtract", C1)
NATIVE(helper_fprem, "fprem", REMAINDER)
NATIVE(helper_fprem1, "fprem1", REMAINDER)
NATIVE(helper_fsincos, "fsincos", IN_RANGE)
NATIVE(helper_fsin, "fsin", IN_RANGE)
NATIVE(helper_fcos, "fcos", IN_RANGE)
NATIVE(helper_fscale, "fscale", C1)

// ---- loads and stores

// A signalling NaN becomes a quiet one on its way to or from extended precision,
// which is an invalid operation. The library leaves it as it is.
enum { INVALID = 1 };
#define NAN32 0x7f800000u
#define NAN64 0x7ff0000000000000ull
#define QUIET_BIT(nan) ((nan) >> 1 & ~(nan)) // the fraction's first bit
#define LOUD(v, nan) (((v) & ((nan) | QUIET_BIT(nan))) == (nan) && ((v) & (QUIET_BIT(nan) - 1)) != 0)
#define LOADS(name, U, NAN) \
	REAL(void, name##_x86_64, (void *, U)); \
	void NAME(name##_x86_64)(void *env, U v) \
	{ \
		if (at.found && LOUD(v, NAN)) { \
			((uint8_t *)env)[at.x87] |= INVALID; \
			v |= QUIET_BIT(NAN); \
		} \
		real_##name##_x86_64(env, v); \
	}
#define STORES(name, U, NAN) \
	REAL(U, name##_x86_64, (void *)); \
	U NAME(name##_x86_64)(void *env) \
	{ \
		U v = real_##name##_x86_64(env); \
		if (at.found && LOUD(v, NAN)) { \
			((uint8_t *)env)[at.x87] |= INVALID; \
			v |= QUIET_BIT(NAN); \
		} \
		return v; \
	}
LOADS(helper_flds_FT0, uint32_t, NAN32)
LOADS(helper_flds_ST0, uint32_t, NAN32)
LOADS(helper_fldl_FT0, uint64_t, NAN64)
LOADS(helper_fldl_ST0, uint64_t, NAN64)
STORES(helper_fsts_ST0, uint32_t, NAN32)
STORES(helper_fstl_ST0, uint64_t, NAN64)

// What FISTTP cannot convert gives the integer that stands for none, and is
// invalid; the library gives the nearest one.
#define CONVERTS(name, I, least) \
	REAL(I, name##_x86_64, (void *)); \
	I NAME(name##_x86_64)(void *env) \
	{ \
		if (!at.found) \
			return real_##name##_x86_64(env); \
		uint8_t *flags = (uint8_t *)env + at.x87, before = *flags; \
		*flags = 0; \
		I v = real_##name##_x86_64(env); \
		if (*flags & INVALID) \
			v = least; \
		*flags |= before; \
		return v; \
	}
CONVERTS(helper_fisttl_ST0, int32_t, INT32_MIN)
CONVERTS(helper_fisttll_ST0, int64_t, INT64_MIN)

bool ue_x86_bind(void)
{
	return FIND(helper_fisttl_ST0_x86_64) & FIND(helper_fisttll_ST0_x86_64) & FIND(helper_flds_FT0_x86_64) & FIND(helper_flds_ST0_x86_64) & FIND(helper_fldl_FT0_x86_64) &
	       FIND(helper_fldl_ST0_x86_64) & FIND(helper_fsts_ST0_x86_64) & FIND(helper_fstl_ST0_x86_64) &
	       FIND(helper_fclex_x86_64) & FIND(helper_fninit_x86_64) & FIND(helper_fwait_x86_64) &
	       FIND(helper_fstenv_x86_64) & FIND(helper_fldenv_x86_64) & FIND(helper_fsave_x86_64) &
	       FIND(helper_frstor_x86_64) & FIND(helper_fxsave_x86_64) & FIND(helper_fxrstor_x86_64) &
	       FIND(helper_xsave_x86_64) & FIND(helper_xsaveopt_x86_64) & FIND(helper_xrstor_x86_64) &
	       FIND(helper_ldmxcsr_x86_64) & FIND(helper_fldcw_x86_64) & FIND(update_mxcsr_status_x86_64) & FIND(helper_fnstsw_x86_64) & FIND(helper_rsm_x86_64) &
	       FIND(tcg_gen_callN_x86_64) & FIND(tcg_gen_op3_x86_64) & FIND(helper_rcpps_x86_64) &
	       FIND(helper_rcpss_x86_64) & FIND(helper_rsqrtps_x86_64) & FIND(helper_rsqrtss_x86_64) &
	       FIND(helper_roundps_xmm_x86_64) & FIND(helper_roundpd_xmm_x86_64) &
	       FIND(helper_roundss_xmm_x86_64) & FIND(helper_roundsd_xmm_x86_64) &
	       FIND(helper_fdiv_ST0_FT0_x86_64) & FIND(helper_fdivr_ST0_FT0_x86_64) &
	       FIND(helper_fdiv_STN_ST0_x86_64) & FIND(helper_fdivr_STN_ST0_x86_64) &
	       FIND(helper_f2xm1_x86_64) & FIND(helper_fyl2x_x86_64) & FIND(helper_fyl2xp1_x86_64) &
	       FIND(helper_fptan_x86_64) & FIND(helper_fpatan_x86_64) & FIND(helper_fxtract_x86_64) &
	       FIND(helper_fprem_x86_64) & FIND(helper_fprem1_x86_64) & FIND(helper_fsincos_x86_64) &
	       FIND(helper_fsin_x86_64) & FIND(helper_fcos_x86_64) & FIND(helper_fscale_x86_64);
}
