/* Floating point: printing and reading, the library's functions to twelve
 * digits, conversions. */
#include "t.h"

#include <complex.h>
#include <float.h>
#include <math.h>

static volatile double zero, tiny = DBL_MIN;

static void printing(void)
{
	static const double v[] = {0, -0.0, 1, -1.5, 0.1, 1e21, 123456789.125, 1e-5, 5e-324, 1.7976931348623157e308, 1.0 / 3, 2.5, 3.5, 1e15 + 0.3};
	for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
		printf("%g %.3f %e %a %.17g %010.2f %+.0f %#.3g\n", v[i], v[i], v[i], v[i], v[i], v[i], v[i], v[i]);
	printf("%f %F %e %g %5.1f|%-12.4e|\n", INFINITY, -INFINITY, NAN, INFINITY, INFINITY, 12345.6789);
}

static void reading(void)
{
	static const char *const s[] = {"1", "-0.1e1", "0x1.8p3", "inf", "nan", "1e400", "1e-400", "4.9406564584124654e-324", "12abc", ".5", "1e", "9007199254740993", "0.1000000000000000055511151231257827"};
	for (unsigned i = 0; i < sizeof s / sizeof *s; i++) {
		char *end;
		errno = 0;
		double d = strtod(s[i], &end);
		int e = errno;
		printf("%s: %a rest '%s' %s; %a\n", s[i], isnan(d) ? 0 : d, end, ename(e), isnan(d) ? 0 : strtof(s[i], NULL));
	}
	double d;
	float f;
	int n;
	n = sscanf("1.5 2.25e2 7", "%lf %f", &d, &f);
	printf("%d %g %g\n", n, d, f);
}

static void functions(void)
{
	for (double x = 0.125; x < 20; x *= 1.7)
		printf("%.12g %.12g %.12g %.12g %.12g %.12g %.12g %.12g %.12g\n", sin(x), cos(x), tan(x / 20), exp(x), log(x), sqrt(x), cbrt(x), pow(x, 1.3), atan2(x, 2));
	printf("%.12g %.12g %.12g %.10g %.10g %.12g\n", sinh(1.5), tanh(0.3), asin(0.4), tgamma(4.5), erf(0.7), hypot(3, 4));
	printf("%.6g %.6g %.6g %.6g\n", sinf(1), expf(2.5f), powf(2, 0.5f), logf(10));
	int e;
	double i, m = frexp(1234.5, &e), rest = modf(-3.25, &i);
	printf("%a %d %a %.3f %.3f\n", m, e, ldexp(0.75, -3), rest, i);
	printf("%g %g %g %g %g %g %g\n", floor(-1.5), ceil(-1.5), trunc(-1.5), round(-1.5), rint(2.5), nearbyint(3.5), fmod(10, 3.3) > 0.09999 ? 1.0 : 0.0);
	printf("%ld %lld %ld\n", lround(2.5), llrint(-3.5), lrint(1e6 + 0.4));
	printf("%a %a %a %d\n", nextafter(1, 2), nextafterf(1, 0), fma(1.5, 2, 0.25), ilogb(1e10));
	printf("%a %a %a\n", copysign(2, -0.0), fdim(3, 5), fmax(NAN, 1));
	double complex z = cexp(I * 1.0) * (1 + 2 * I);
	printf("%.12g %.12g %.12g\n", creal(z), cimag(z), cabs(z));
}

static void converting(void)
{
	volatile double d = -123456789.75;
	volatile float f = 3e9f;
	volatile long long l = 9007199254740993ll;
	volatile unsigned u = 4000000000u;
	volatile unsigned long long ul = 18446744073709551615ull;
	printf("%d %lld %u %llu\n", (int)d, (long long)d, (unsigned)f, (unsigned long long)f);
	printf("%.0f %.0f %.0f %.0f %.0f\n", (double)l, (double)u, (double)ul, (double)(float)l, (double)(float)ul);
	printf("%a %a\n", (float)0.1, (double)(float)1e-40);
	short s = (short)f / 100000;
	printf("%d %d\n", (signed char)-d / 1000000 > 0, s != 0);
}

static void comparing(void)
{
	volatile double n = NAN, a = 1, b = 2;
	printf("%d%d%d%d%d%d\n", a < b, a > b, a <= b, a >= b, a == b, a != b);
	printf("%d%d%d%d%d%d\n", n < b, n > b, n <= b, n >= b, n == b, n != b);
	printf("%d%d%d%d\n", isless(n, b), isunordered(n, b), islessgreater(a, b), !(n < b));
	printf("%d %d %d %d %d\n", !!isnan(n), !!isinf(1 / zero), !!isnormal(tiny), !!signbit(-zero), fpclassify(tiny / 2) == FP_SUBNORMAL);
}

static void summing(void)
{
	double s = 0;
	float f = 0;
	for (int i = 1; i <= 10000; i++) {
		s += 1.0 / ((double)i * i);
		f += 1.0f / i;
	}
	printf("%.10f %.3f\n", s, f);
	double m[3][3] = {{2, 1, 1}, {1, 3, 2}, {1, 0, 0}}, p[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
	for (int k = 0; k < 12; k++) {
		double q[3][3] = {{0}};
		for (int i = 0; i < 3; i++)
			for (int j = 0; j < 3; j++)
				for (int l = 0; l < 3; l++)
					q[i][j] += p[i][l] * m[l][j];
		memcpy(p, q, sizeof p);
	}
	printf("%.0f %.0f %.0f\n", p[0][0], p[1][1], p[2][2]);
}

// The kinds of numbers that instructions of PowerPC tell apart: NaN, infinities,
// zeros and denormals, positive ones first.
#ifdef __powerpc64__
#define KIND(bit, p) \
	({ unsigned long cr; \
	   asm volatile(".machine push\n.machine power9\nlfd 5,0(%1)\nxststdcdp 2,5," #bit "\nmfcr %0\n.machine pop" : "=r"(cr) : "b"(p) : "fr5", "cr2", "memory"); \
	   cr >> 20 & 15; })
#define KIND_VECTOR(op, bit, p) \
	({ unsigned long v; \
	   asm volatile(".machine push\n.machine power9\nlfd 5,0(%1)\n" #op " 6,5," #bit "\nmffprd %0,6\n.machine pop" : "=r"(v) : "b"(p) : "fr5", "fr6", "memory"); \
	   v; })
#define KIND_QUAD(bit, p) \
	({ unsigned long cr; \
	   asm volatile(".machine push\n.machine power9\nlvx 7,0,%1\nxststdcqp 2,7," #bit "\nmfcr %0\n.machine pop" : "=r"(cr) : "b"(p) : "cr2", "memory"); \
	   cr >> 20 & 15; })
#else
static int is(int bit, double d)
{
	int neg = !!signbit(d);
	switch (fpclassify(d)) {
	case FP_NAN: return bit == 0x40;
	case FP_INFINITE: return bit == 0x20 >> neg;
	case FP_ZERO: return bit == 0x08 >> neg;
	case FP_SUBNORMAL: return bit == 0x02 >> neg;
	}
	return 0;
}
#define KIND(bit, p) (8 * !!signbit(*(p)) + 2 * is(bit, *(p)))
#define KIND_VECTOR(op, bit, p) (is(bit, *(p)) ? ~0ULL : 0)
#define KIND_QUAD(bit, p) KIND(bit, &kinds[k])
#endif

static void kinds_of(void)
{
	static const double kinds[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 5e-324, -5e-324, 1.5, -1.5};
	static const unsigned short top[] = {0x7fff, 0x7fff, 0xffff, 0, 0x8000, 0, 0x8000, 0x3fff, 0xbfff};
	for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		volatile double d = kinds[k];
#define TELL(bit) printf(" %d %llx", (int)KIND(bit, &d), (unsigned long long)KIND_VECTOR(xvtstdcdp, bit, &d));
		TELL(0x40) TELL(0x20) TELL(0x10) TELL(0x08) TELL(0x04) TELL(0x02) TELL(0x01)
		unsigned short quad[8] __attribute__((aligned(16))) = {top[k], 0, 0, 0, 0, 0, 0, k == 0 || k == 5 || k == 6};
		(void)quad;
#define TELL_QUAD(bit) printf(" %d", (int)KIND_QUAD(bit, quad));
		TELL_QUAD(0x40) TELL_QUAD(0x20) TELL_QUAD(0x10) TELL_QUAD(0x08) TELL_QUAD(0x04) TELL_QUAD(0x02) TELL_QUAD(0x01)
		printf("\n");
	}
	volatile struct { double align[0]; float two[2]; } f = {.two = {NAN, 1}};
	double d = NAN;
	printf("%llx\n", (unsigned long long)KIND_VECTOR(xvtstdcsp, 0x40, &f.two[0]) >> 32 << 32 | KIND_VECTOR(xvtstdcdp, 0x40, &d) >> 32);
}

int main(void)
{
	kinds_of();
	printing();
	reading();
	functions();
	converting();
	comparing();
	summing();
	return done();
}
