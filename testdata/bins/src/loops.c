/* Calls and loops of every kind that compilers make: deep, mutual and tail
   recursion, long argument lists, structures by value, 64-bit arithmetic. */
#include "utemu.h"

#define NOINLINE __attribute__((noinline, noclone))

static unsigned calls;

NOINLINE static int ackermann(int m, int n)
{
	calls++;
	if (m == 0)
		return n + 1;
	return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static int odd(int n);
NOINLINE static int even(int n) { return n == 0 ? 1 : odd(n - 1); }
NOINLINE static int odd(int n) { return n == 0 ? 0 : even(n - 1); }

/* Every level has a frame of its own that must survive the levels below. */
NOINLINE static uint32_t deep(int n, uint32_t seed)
{
	volatile uint32_t frame[16];
	for (int i = 0; i < 16; i++)
		frame[i] = seed + i;
	uint32_t below = n ? deep(n - 1, seed * 3 + 1) : 1;
	for (int i = 0; i < 16; i++)
		below = below * 31 + frame[i];
	return below;
}

struct wide { int64_t a; int32_t b[5]; uint8_t c; };

NOINLINE static struct wide turn(struct wide w, int by)
{
	struct wide r = w;
	r.a = w.a * by + w.c;
	for (int i = 0; i < 5; i++)
		r.b[(i + by) % 5] = w.b[i] ^ by;
	r.c++;
	return r;
}

/* More arguments than registers, of both widths. */
NOINLINE static int64_t many(int a, int64_t b, int c, int64_t d, int e, int64_t f, int g, int64_t h, int i, int64_t j, int8_t k, uint16_t l)
{
	return a + 2 * b + 3 * c + 5 * d + 7 * e + 11 * f + 13 * g + 17 * h + 19 * i + 23 * j + 29 * k + 31 * l;
}

NOINLINE static long sum(int n, ...)
{
	__builtin_va_list ap;
	long s = 0;
	__builtin_va_start(ap, n);
	for (int i = 0; i < n; i++)
		s = s * 2 + (i & 1 ? (long)__builtin_va_arg(ap, long long) : __builtin_va_arg(ap, int));
	__builtin_va_end(ap);
	return s;
}

static int sieve(void)
{
	static uint8_t composite[4000];
	int n = 0;
	for (int i = 2; i < 4000; i++) {
		if (composite[i])
			continue;
		n++;
		for (int j = 2 * i; j < 4000; j += i)
			composite[j] = 1;
	}
	return n;
}

static int collatz(uint64_t n)
{
	int steps = 0;
	for (; n != 1; steps++)
		n = n & 1 ? 3 * n + 1 : n >> 1;
	return steps;
}

int program(word *sp)
{
	line("ackermann", ackermann(2, 6));
	line("calls", calls);
	line("even", even(3000) * 10 + odd(3001));
	line("deep", deep(2000, 7) & 0x7fffffff);
	struct wide w = {1LL << 33, {1, 2, 3, 4, 5}, 250};
	for (int i = 1; i < 20; i++)
		w = turn(w, i % 5 + 1);
	uint32_t digest = (uint32_t)w.a ^ (uint32_t)(w.a >> 32) ^ w.c;
	for (int i = 0; i < 5; i++)
		digest = digest * 31 + w.b[i];
	line("structures", digest & 0x7fffffff);
	int64_t m = many(1, -2, 3, 1LL << 40, -5, 6, 7, -(1LL << 35), 9, 10, -11, 65535);
	line("many low", (int32_t)m);
	line("many high", (int32_t)(m >> 32));
	line("variadic", sum(6, 1, 2LL, 3, 4LL, 5, 6LL));
	line("primes", sieve());
	line("collatz", collatz(837799));
	uint64_t x = 88172645463325252ULL, acc = 0;
	for (int i = 0; i < 1000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		acc += (x * 0x9e3779b97f4a7c15ULL) >> (i & 31);
		if ((int64_t)x < 0)
			acc -= i;
	}
	line("xorshift low", acc & 0x7fffffff);
	line("xorshift high", acc >> 33);
	return 0;
}
