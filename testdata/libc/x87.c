/* What x87 computes, to the last bit, and what SSE makes of tiny numbers. */
#include "t.h"

#include <fenv.h>
#include <math.h>
#include <xmmintrin.h>

static const long double numbers[] = {
	0.0L, -0.0L, 1, -1, 0.5L, -0.75L, 1.5L, 3.14159265358979323846L, 1e-5L, -1e-5L, 123456.789L, 1e18L, 1e30L,
	1e4000L, 1e-4940L, -7.25L, 0.99999999999999999L, INFINITY, -INFINITY,
};
enum { COUNT = sizeof numbers / sizeof *numbers };

static void show(const char *name, long double a, long double b, uint16_t sw)
{
	uint64_t m[2];
	uint16_t e[2];
	memcpy(&m[0], &a, 8);
	memcpy(&m[1], &b, 8);
	memcpy(&e[0], (char *)&a + 8, 2);
	memcpy(&e[1], (char *)&b + 8, 2);
	/* Exceptions, C2 and where the top is. */
	printf("%s %04x%016llx %04x%016llx %04x\n", name, e[0], (unsigned long long)m[0], e[1], (unsigned long long)m[1], sw & 0x3c3d);
}

#define TWO(insn) \
static void insn(long double a, long double b) \
{ \
	uint16_t sw; \
	__asm__ volatile("fnclex\n\t" #insn "\n\tfnstsw %2" : "+t"(a), "+u"(b), "=m"(sw)); \
	show(#insn, a, b, sw); \
}
TWO(fprem)
TWO(fprem1)
TWO(fscale)
TWO(fsin)
TWO(fcos)
TWO(frndint)

#define POPS(insn) \
static void insn(long double a, long double b) \
{ \
	uint16_t sw; \
	__asm__ volatile("fnclex\n\t" #insn "\n\tfnstsw %1" : "+t"(a), "=m"(sw) : "u"(b) : "st(1)"); \
	show(#insn, a, 0, sw); \
}
POPS(fyl2x)
POPS(fpatan)

#define PUSHES(insn) \
static void insn(long double a) \
{ \
	uint16_t sw; \
	long double b; \
	__asm__ volatile("fnclex\n\t" #insn "\n\tfnstsw %2" : "=t"(b), "=u"(a), "=m"(sw) : "0"(a)); \
	show(#insn, a, b, sw); \
}
PUSHES(fsincos)
PUSHES(fxtract)

/* small ones are defined between -1 and 1 only. */
static void small(long double a, long double b)
{
	uint16_t sw;
	long double r = a;
	__asm__ volatile("fnclex\n\tf2xm1\n\tfnstsw %1" : "+t"(r), "=m"(sw));
	show("f2xm1", r, 0, sw);
	r = a / 4;
	__asm__ volatile("fnclex\n\tfyl2xp1\n\tfnstsw %1" : "+t"(r), "=m"(sw) : "u"(b) : "st(1)");
	show("fyl2xp1", r, 0, sw);
	r = a;
	__asm__ volatile("fnclex\n\tfptan\n\tfstp %%st(0)\n\tfnstsw %1" : "+t"(r), "=m"(sw) : : "st(1)");
	show("fptan", r, 0, sw);
}

static void all(void)
{
	for (int i = 0; i < COUNT; i++) {
		long double a = numbers[i];
		fsin(fabsl(a) < 9e18L ? a : 1, 1);
		fcos(fabsl(a) < 9e18L ? a : 1, 1);
		frndint(a, 1);
		if (fabsl(a) < 9e18L)
			fsincos(a);
		fxtract(a);
		for (int j = 0; j < COUNT; j++) {
			long double b = numbers[j];
			fprem(a, b);
			fprem1(a, b);
			fscale(a, b);
			fyl2x(a, b);
			fpatan(a, b);
			if (fabsl(a) < 1)
				small(a, b);
		}
	}
}

/* tiny computes below the least normal number, with flush-to-zero or without. */
static void tiny(unsigned csr)
{
	_mm_setcsr(csr);
	__m128 least = _mm_set1_ps(0x1p-126f), half = _mm_set1_ps(0.5f);
	__asm__ volatile("" : "+x"(least), "+x"(half));
	__m128 r = _mm_mul_ps(least, half);
	__asm__ volatile("" : "+x"(r));
	unsigned after = _mm_getcsr();
	_mm_setcsr(0x1f80);
	float f;
	_mm_store_ss(&f, r);
	volatile long double low = 0x1p-16382L, l = low / 3;
	printf("%x %x %a %La\n", csr, after, f, l);
}

// Signalling NaNs on their way through the stack become quiet ones.
static void loud(void)
{
	volatile unsigned f[] = {0xffa00000, 0x7f800001, 0x7fc00000, 0x7f800000}, g;
	volatile unsigned long long d[] = {0xfff4000000000000, 0x7ff0000000000001, 0x7ff8000000000000}, e;
	for (int i = 0; i < 4; i++) {
		unsigned short sw;
		__asm__ volatile("fninit\n\tflds %2\n\tfstps %0\n\tfnstsw %1" : "=m"(g), "=m"(sw) : "m"(f[i]));
		printf("%x %x\n", g, sw & 1);
	}
	for (int i = 0; i < 3; i++) {
		unsigned short sw;
		__asm__ volatile("fninit\n\tfldl %2\n\tfstpl %0\n\tfnstsw %1" : "=m"(e), "=m"(sw) : "m"(d[i]));
		printf("%llx %x\n", e, sw & 1);
	}
}

// What FISTTP makes of numbers that are too large, and of none.
static void truncated(void)
{
	volatile double d[] = {1.5, -1.5, 3e9, -3e9, 1e19, -1e19, __builtin_nan(""), __builtin_inf()};
	for (int i = 0; i < 8; i++) {
		int n;
		long long l;
		unsigned short a, b;
		__asm__ volatile("fninit\n\tfldl %2\n\tfisttpl %0\n\tfnstsw %1" : "=m"(n), "=m"(a) : "m"(d[i]));
		__asm__ volatile("fninit\n\tfldl %2\n\tfisttpll %0\n\tfnstsw %1" : "=m"(l), "=m"(b) : "m"(d[i]));
		printf("%d %x %lld %x\n", n, a & 1, l, b & 1);
	}
}

int main(void)
{
	loud();
	truncated();
	for (unsigned c = 0; c < 2; c++)
		tiny(0x1f80 | c << 15);
	static const int mode[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
	for (int i = 0; i < 4; i++) {
		fesetround(mode[i]);
		all();
	}
	fesetround(FE_TONEAREST);
	printf("%.25La %.25La %.25La\n", sinl(1), fmodl(1e4000L, 7.1L), powl(2.5L, 1000.3L));
	printf("%.25La %.25La %.25La\n", expl(2.5L), atan2l(3, -4), log10l(1234.5L));
	return done();
}
