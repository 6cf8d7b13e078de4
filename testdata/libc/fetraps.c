/* Floating point exceptions that are not masked, in SSE and x87: SIGFPE, its
   code and place, and what has become of the registers. */
#include "t.h"
#include <fenv.h>
#include <float.h>
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf out;
static volatile int code, count;
static void *volatile where;
static unsigned mxcsr, status;

static void leave(int s, siginfo_t *si, void *u)
{
	ucontext_t *c = u;
	(void)s;
	code = si->si_code;
	where = si->si_addr;
#ifdef __x86_64__
	mxcsr = c->uc_mcontext.fpregs->mxcsr;
	status = c->uc_mcontext.fpregs->swd;
#else
	mxcsr = ((unsigned *)(c->uc_mcontext.fpregs + 1))[6];
	status = c->uc_mcontext.fpregs->sw;
#endif
	count++;
	siglongjmp(out, 1);
}

/* masked goes on with the instruction, all exceptions masked. */
static void masked(int s, siginfo_t *si, void *u)
{
	ucontext_t *c = u;
	(void)s;
	code = si->si_code;
	count++;
#ifdef __x86_64__
	c->uc_mcontext.fpregs->mxcsr |= 0x1f80;
#else
	((unsigned *)(c->uc_mcontext.fpregs + 1))[6] |= 0x1f80;
#endif
}

static void catch(void (*f)(int, siginfo_t *, void *))
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = f;
	MUST(sigaction(SIGFPE, &sa, NULL) == 0);
}

static volatile double zero = 0, one = 1, three = 3, big = DBL_MAX, small = DBL_MIN;
static volatile long double lzero = 0, lone = 1, lthree = 3, lbig = LDBL_MAX, lsmall = LDBL_MIN;

#define SSE(insn, a, b) \
	do { \
		double x_ = a, y_ = b; \
		__asm__ volatile(insn " %1, %0" : "+x"(x_) : "x"(y_)); \
	} while (0)

/* x87 traps at its next instruction. */
#define X87(insn, a, b) \
	do { \
		long double x_ = a, y_ = b; \
		__asm__ volatile("fldt %1\n fldt %0\n" insn "\n nop\n fld1\n fstp %%st(0)\n fstp %%st(0)" : : "m"(x_), "m"(y_)); \
	} while (0)

/* Whether the result is inexact too, where it is too large or too small, is a matter of
   an exponent without bounds, which is not computed. */
#define TRAPS(what, excepts, run, want) \
	do { \
		count = 0; \
		feclearexcept(FE_ALL_EXCEPT); \
		feenableexcept(excepts); \
		if (sigsetjmp(out, 1) == 0) \
			run; \
		fedisableexcept(FE_ALL_EXCEPT); \
		feclearexcept(FE_ALL_EXCEPT); \
		printf("%s: %d signals, code %d, mxcsr %x, status %x\n", what, count, code, mxcsr & 0x1f, status & 0x1f); \
		CHECK(count == (want != 0) && (count == 0 || code == want)); \
	} while (0)

static void codes(void)
{
	catch(leave);
	TRAPS("divsd", FE_DIVBYZERO, SSE("divsd", one, zero), FPE_FLTDIV);
	TRAPS("divsd 0/0", FE_INVALID, SSE("divsd", zero, zero), FPE_FLTINV);
	TRAPS("sqrtsd", FE_INVALID, SSE("sqrtsd", one, -1), FPE_FLTINV);
	TRAPS("mulsd", FE_OVERFLOW, SSE("mulsd", big, big), FPE_FLTOVF);
	TRAPS("mulsd small", FE_UNDERFLOW, SSE("mulsd", small, small), FPE_FLTUND);
	TRAPS("divsd 1/3", FE_INEXACT, SSE("divsd", one, three), FPE_FLTRES);
	TRAPS("divsd, another", FE_INVALID | FE_OVERFLOW, SSE("divsd", one, zero), 0);
	TRAPS("addpd", FE_OVERFLOW, SSE("addpd", big, big), FPE_FLTOVF);
	TRAPS("fdiv", FE_DIVBYZERO, X87("fdivp", lone, lzero), FPE_FLTDIV);
	TRAPS("fdiv 0/0", FE_INVALID, X87("fdivp", lzero, lzero), FPE_FLTINV);
	TRAPS("fmul", FE_OVERFLOW, X87("fmulp", lbig, lbig), FPE_FLTOVF);
	TRAPS("fdiv 1/3", FE_INEXACT, X87("fdivp", lone, lthree), FPE_FLTRES);
	TRAPS("fdiv, another", FE_INVALID, X87("fdivp", lone, lzero), 0);
}

/* The place is that of the SSE instruction, and of the x87 one after. */
static void places(void)
{
	void *at = NULL;
	feenableexcept(FE_DIVBYZERO);
	if (sigsetjmp(out, 1) == 0) {
		double x = 1, y = 0;
#ifdef __x86_64__
		__asm__ volatile("lea 1f(%%rip), %0\n mov %0, %1\n" : "=&r"(at), "=m"(where));
#endif
		__asm__ volatile("1: divsd %1, %0" : "+x"(x) : "x"(y));
	}
	fedisableexcept(FE_ALL_EXCEPT);
	feclearexcept(FE_ALL_EXCEPT);
	CHECK(where != NULL && *(unsigned char *)where == 0xf2);
	feenableexcept(FE_DIVBYZERO);
	if (sigsetjmp(out, 1) == 0)
		X87("fdivp", lone, lzero);
	CHECK(((unsigned char *)where)[0] == 0xd9 && ((unsigned char *)where)[1] == 0xe8);
	fedisableexcept(FE_ALL_EXCEPT);
	feclearexcept(FE_ALL_EXCEPT);
	(void)at;
}

/* An instruction that trapped has not changed its registers: it runs again. */
static void again(void)
{
	double x = 1, y = 3;
	catch(masked);
	count = 0;
	for (int i = 0; i < 10; i++) {
		feclearexcept(FE_ALL_EXCEPT);
		feenableexcept(FE_INEXACT);
		__asm__ volatile("divsd %1, %0\n addsd %1, %0" : "+x"(x) : "x"(y));
	}
	fedisableexcept(FE_ALL_EXCEPT);
	printf("%a, %d signals\n", x, count);
	CHECK(count > 5 && code == FPE_FLTRES);
}

int main(void)
{
	codes();
	places();
	again();
	return done();
}
