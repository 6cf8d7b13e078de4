/* Integer code: what compilers make of arithmetic, shifts and atomics. */
#include "t.h"
#include <stdatomic.h>

static uint64_t state = 88172645463325252ull;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* value is random with a bias to the edges. */
static uint64_t value(void)
{
	static const uint64_t edge[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX};
	uint64_t r = rnd();
	return r % 3 == 0 ? edge[r / 3 % (sizeof edge / sizeof *edge)] : rnd() >> (r / 3 % 64);
}

static uint64_t h = 14695981039346656037ull;
static void mix(uint64_t v) { h = (h ^ v) * 1099511628211ull; }

#define OPS(T, S, a_, b_, s) \
	do { \
		T a = (T)(a_), b = (T)(b_); \
		mix((T)(a + b)), mix((T)(a - b)), mix((T)(a * b)), mix((T)(a & b)), mix((T)(a ^ ~b)); \
		mix((T)(a << (s) % (sizeof(T) * 8))), mix((T)(a >> (s) % (sizeof(T) * 8))); \
		mix((T)(S)((S)a >> (s) % (sizeof(T) * 8))); \
		if (b) { \
			mix((T)(a / b)), mix((T)(a % b)); \
			if ((S)b != -1) \
				mix((T)((S)a / (S)b)), mix((T)((S)a % (S)b)); \
		} \
		mix(a < b), mix((S)a < (S)b), mix(a == b); \
		T r; \
		mix(__builtin_add_overflow(a, b, &r)), mix(r); \
		mix(__builtin_sub_overflow(a, b, &r)), mix(r); \
		mix(__builtin_mul_overflow(a, b, &r)), mix(r); \
		S q; \
		mix(__builtin_add_overflow((S)a, (S)b, &q)), mix((T)q); \
		mix(__builtin_mul_overflow((S)a, (S)b, &q)), mix((T)q); \
	} while (0)

static void arithmetic(void)
{
	for (int i = 0; i < 4000; i++) {
		uint64_t x = value(), y = value();
		unsigned s = (unsigned)rnd() & 63;
		OPS(uint8_t, int8_t, x, y, s);
		OPS(uint16_t, int16_t, x, y, s);
		OPS(uint32_t, int32_t, x, y, s);
		OPS(uint64_t, int64_t, x, y, s);
		mix((uint64_t)(int8_t)x), mix((uint64_t)(int16_t)x), mix((uint64_t)(int32_t)x);
	}
	printf("arithmetic %016llx\n", (unsigned long long)h);
}

static void bits(void)
{
	for (int i = 0; i < 4000; i++) {
		uint64_t a = value() | 1;
		unsigned s = (unsigned)rnd() & 31;
		uint32_t w = (uint32_t)a;
		mix((uint64_t)__builtin_clzll(a)), mix((uint64_t)__builtin_ctzll(a << 1 | 1ull << 63));
		mix((uint64_t)__builtin_popcountll(a)), mix((uint64_t)__builtin_parityll(a));
		mix(__builtin_bswap64(a)), mix(__builtin_bswap32(w)), mix(__builtin_bswap16((uint16_t)a));
		mix((uint32_t)(w << s | w >> (-s & 31))), mix((uint64_t)__builtin_ffsll((long long)a));
		struct { uint32_t a : 3, b : 11, c : 18; int64_t d : 37; } f = {w, w >> 3, w >> 5, (int64_t)a};
		f.b += 5, f.d >>= 3;
		mix(f.a), mix(f.b), mix(f.c), mix((uint64_t)f.d);
	}
	printf("bits %016llx\n", (unsigned long long)h);
}

static void atomics(void)
{
	_Atomic uint8_t b = 250;
	_Atomic uint16_t s = 65530;
	_Atomic uint32_t w = 0xfffffff0u;
	_Atomic uint64_t d = 0xfffffffffffffff0ull;
	for (unsigned i = 0; i < 100; i++) {
		mix(atomic_fetch_add(&b, i)), mix(atomic_fetch_sub(&s, i * 3));
		mix(atomic_fetch_xor(&w, i * 0x01010101u)), mix(atomic_fetch_or(&d, (uint64_t)i << 40));
		mix(atomic_exchange(&w, w + i)), mix(atomic_fetch_add(&d, i));
		uint64_t e = d + (i & 1);
		mix(atomic_compare_exchange_strong(&d, &e, d ^ i)), mix(e);
		uint8_t eb = (uint8_t)(b + (i % 3 == 0));
		mix(atomic_compare_exchange_strong(&b, &eb, 7)), mix(eb);
		atomic_thread_fence(memory_order_seq_cst);
	}
	printf("atomics %016llx\n", (unsigned long long)h);
}

/* calls passes arguments of all kinds, on registers and on the stack. */
struct small { short a; char b; };
struct large { long long v[5]; };
static uint64_t __attribute__((noinline)) many(int a, long long b, char c, struct small d, short e, struct large f, unsigned long long g, int i, long long j, signed char k)
{
	return (uint64_t)a * 3 + (uint64_t)b * 5 + (uint64_t)c * 7 + (uint64_t)d.a + (uint64_t)d.b + (uint64_t)e * 11 + (uint64_t)f.v[4] + g * 13 + (uint64_t)i * 17 + (uint64_t)j * 19 + (uint64_t)k;
}
static struct large __attribute__((noinline)) sum(int n, ...)
{
	struct large r = {{0}};
	va_list ap, ap2;
	va_start(ap, n);
	va_copy(ap2, ap);
	for (int i = 0; i < n; i++)
		r.v[0] += va_arg(ap, int), r.v[1] += va_arg(ap, long long);
	r.v[2] = va_arg(ap2, int);
	va_end(ap2);
	va_end(ap);
	return r;
}
static int ack(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1)); }

static void calls(void)
{
	struct large l = {{1, 2, 3, 4, 1ll << 40}};
	printf("many %llu\n", (unsigned long long)many(-1, 1ll << 33, 'c', (struct small){-5, 6}, -7, l, 1ull << 63, 9, -10, -11));
	l = sum(4, 1, 1ll << 32, 2, 2ll << 32, 3, 3ll << 32, 4, 4ll << 32);
	printf("sum %lld %lld %lld\n", l.v[0], l.v[1], l.v[2]);
	printf("ack %d\n", ack(2, 50));
	int v[ack(1, 30)];
	for (unsigned i = 0; i < sizeof v / sizeof *v; i++)
		v[i] = (int)i;
	printf("vla %d\n", v[31]);
	static const void *const labels[] = {&&zero, &&one, &&two};
	int i = 0, n = 0;
	goto *labels[i];
zero:
	n += 1;
	goto *labels[++i];
one:
	n += 10;
	goto *labels[++i];
two:
	printf("goto %d\n", n);
	switch (n) {
	case 1: puts("1"); break;
	case 7: puts("7"); break;
	case 8: puts("8"); break;
	case 9: puts("9"); break;
	case 10: puts("10"); break;
	case 11: puts("11"); break;
	default: puts("none");
	}
}

int main(void)
{
	arithmetic();
	bits();
	atomics();
	calls();
	return done();
}
