/* Floating point without a library: arithmetic, conversions, comparisons, the
   ends of the range. Bits are printed, so that nothing is rounded away. */
#include "utemu.h"

#define NOINLINE __attribute__((noinline, noclone))
NOINLINE static double add(double a, double b) { return a + b; }
NOINLINE static double mul(double a, double b) { return a * b; }
NOINLINE static double quo(double a, double b) { return a / b; }
NOINLINE static float addf(float a, float b) { return a + b; }
NOINLINE static float quof(float a, float b) { return a / b; }
NOINLINE static float narrow(double a) { return a; }
NOINLINE static int whole(double a) { return a; }
NOINLINE static double widen(int a) { return a; }
NOINLINE static int order(double a, double b) { return (a < b) | (a == b) << 1 | (a > b) << 2 | (a != b) << 3 | (a <= b) << 4; }

static void show(const char *name, double v)
{
	union { double d; uint64_t u; } u = {v};
	print(name);
	put(' ');
	print_hex(u.u >> 32);
	put(' ');
	print_hex(u.u & 0xffffffff);
	put('\n');
	flush();
}

static void showf(const char *name, float v)
{
	union { float f; uint32_t u; } u = {v};
	print(name);
	put(' ');
	print_hex(u.u);
	put('\n');
	flush();
}

int program(word *sp)
{
	volatile double zero = 0, one = 1, ten = 10, huge = 1.7976931348623157e308, tiny = 4.9406564584124654e-324;
	show("0.1+0.2", add(one / ten, 2 / ten));
	show("1/3", quo(one, 3));
	show("product", mul(1.1, 1.1));
	show("overflow", mul(huge, 2));
	show("underflow", mul(tiny, 0.5));
	show("subnormal", add(tiny, tiny));
	show("1/-0", quo(one, -zero));
	showf("sum", addf(0.1f, 0.7f));
	showf("quotient", quof(1, 3));
	showf("narrowed", narrow(0.1));
	showf("narrowed, tiny", narrow(1e-40));
	showf("narrowed, huge", narrow(1e300));
	line("whole", whole(-2.9));
	line("whole, large", whole(2147483647.9));
	show("widened", widen(-2147483647 - 1));
	line("order, less", order(1, 2));
	line("order, equal", order(-zero, zero));
	line("order, more", order(2, 1));
	line("order, none", order(zero / zero, 1));
	double x = 1;
	for (int i = 0; i < 30; i++)
		x = 0.5 * (x + 2 / x) + (i < 25 ? 1e-3 * i : 0);
	show("root", x);
	double pi = 0;
	for (int i = 0; i < 2000; i++)
		pi += (i & 1 ? -4.0 : 4.0) / (2 * i + 1);
	show("pi", pi);
	float f = 0;
	for (int i = 1; i < 2000; i++)
		f += 1.0f / i;
	showf("harmonic", f);
	return 0;
}
