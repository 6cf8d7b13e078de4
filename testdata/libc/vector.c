/* Integer vectors, by the compiler's own extension and by its vectoriser. */
#include "t.h"

typedef int8_t v16 __attribute__((vector_size(16)));
typedef uint16_t v8 __attribute__((vector_size(16)));
typedef int32_t v4 __attribute__((vector_size(16)));
typedef uint32_t w4 __attribute__((vector_size(16)));
typedef uint64_t v2 __attribute__((vector_size(16)));

static uint32_t seed = 7;
static uint32_t rnd(void) { return seed = seed * 1664525u + 1013904223u; }

#define SHOW(what, v) \
	do { \
		printf("%s", what); \
		for (unsigned i_ = 0; i_ < sizeof(v) / sizeof (v)[0]; i_++) \
			printf(" %llx", (unsigned long long)(v)[i_] & 0xffffffffffffffffull >> (64 - 8 * sizeof (v)[0])); \
		printf("\n"); \
	} while (0)

#define FILL(v) \
	do { \
		for (unsigned i_ = 0; i_ < sizeof(v) / sizeof (v)[0]; i_++) \
			(v)[i_] = rnd() >> 3; \
	} while (0)

#define INTEGER(T, n) \
	do { \
		T a, b; \
		FILL(a); \
		FILL(b); \
		SHOW(#T " add", a + b); \
		SHOW(#T " sub", a - b); \
		SHOW(#T " mul", a * b); \
		SHOW(#T " bits", (a & b) ^ ~(a | b)); \
		SHOW(#T " shl", a << n); \
		SHOW(#T " shr", a >> n); \
		SHOW(#T " less", a < b); \
		SHOW(#T " same", a == a); \
		SHOW(#T " neg", -a); \
		SHOW(#T " pick", ((T)(a > b) & a) | ((T)(a <= b) & b)); \
	} while (0)

enum { N = 1003 };
static uint8_t bytes[N + 64], other[N + 64];
static int16_t shorts[N];
static int32_t ints[N], more[N];
static uint64_t quads[N];

__attribute__((noinline)) static void loops(int n)
{
	for (int i = 0; i < n; i++)
		other[i] = bytes[i] > 100 ? bytes[i] - 100 : bytes[i] + other[i];
	for (int i = 0; i < n; i++)
		ints[i] = shorts[i] * (int)bytes[i];
	for (int i = 0; i < n; i++)
		more[i] = ints[n - 1 - i] + (more[i] >> 3);
	for (int i = 0; i < n; i++)
		quads[i] += (uint32_t)more[i];
	for (int i = 0; i < n; i++)
		shorts[i] = ints[i] < 0 ? -1 : ints[i] > 32767 ? 32767 : (int16_t)ints[i];
}

__attribute__((noinline)) static unsigned long long total(int n)
{
	unsigned long long t = 0;
	int most = -2147483647, least = 2147483647;
	unsigned x = 0, s = 0;
	for (int i = 0; i < n; i++) {
		most = ints[i] > most ? ints[i] : most;
		least = more[i] < least ? more[i] : least;
	}
	for (int i = 0; i < n; i++)
		x ^= (unsigned)more[i], s += bytes[i] > other[i] ? bytes[i] - other[i] : other[i] - bytes[i];
	for (int i = 0; i < n; i++)
		t += quads[i];
	return t * 31 + (unsigned)most * 7 + (unsigned)least * 3 + x + s;
}

int main(void)
{
	INTEGER(v16, 3);
	INTEGER(v8, 5);
	INTEGER(v4, 9);
	INTEGER(w4, 9);
	INTEGER(v2, 33);
	v16 a, b;
	FILL(a);
	FILL(b);
	SHOW("shuffle", __builtin_shuffle(a, (v16){15, 14, 13, 12, 11, 10, 9, 8, 0, 0, 2, 2, 4, 4, 6, 6}));
	SHOW("two", __builtin_shuffle(a, b, (v16){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23}));
	for (int i = 0; i < N; i++) {
		bytes[i] = rnd() >> 24, other[i] = rnd() >> 20, shorts[i] = rnd() >> 16;
		more[i] = rnd(), quads[i] = (uint64_t)rnd() << 20;
	}
	for (int n = 1; n < N; n += n / 3 + 1) {
		loops(n);
		printf("%d: %llu\n", n, total(n));
	}
	return done();
}
