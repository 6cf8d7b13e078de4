/* Calls by the ABI's rules: structures by value, variable arguments, bit
 * fields, arrays of variable length; no floating point. */
#include "t.h"

#include <alloca.h>
#include <stddef.h>

struct s1 { char c; };
struct s3 { char c[3]; };
struct s8 { int a, b; };
struct s12 { int a; long long b; };
struct s16 { long long a, b; };
struct s40 { int v[10]; };
struct bits { unsigned a : 3; int b : 5; unsigned c : 11; unsigned long long d : 40; int e : 1; };
struct __attribute__((packed)) packed { char c; int i; short s; long long l; };
union u { int i; char c[4]; };

__attribute__((noinline)) static struct s1 f1(struct s1 x) { return (struct s1){x.c + 1}; }
__attribute__((noinline)) static struct s3 f3(struct s3 x) { return (struct s3){{x.c[2], x.c[1], x.c[0]}}; }
__attribute__((noinline)) static struct s8 f8(int n, struct s8 x) { return (struct s8){x.b + n, x.a}; }
__attribute__((noinline)) static struct s12 f12(struct s12 x, struct s1 y) { return (struct s12){x.a + y.c, x.b * 3}; }
__attribute__((noinline)) static struct s16 f16(char a, struct s16 x, struct s40 y) { return (struct s16){x.a + a, x.b + y.v[9]}; }
__attribute__((noinline)) static struct s40 f40(struct s40 x, int k)
{
	for (int i = 0; i < 10; i++)
		x.v[i] *= k;
	return x;
}
__attribute__((noinline)) static long long many(int a, long long b, char c, short d, long long e, unsigned f, long long g, int h, long long i, int *j, long long k)
{
	return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6ll + g * 7 + h * 8 + i * 9 + *j * 10 + k * 11;
}

__attribute__((noinline)) static long long sum(const char *kinds, ...)
{
	va_list ap, copy;
	long long s = 0;
	va_start(ap, kinds);
	va_copy(copy, ap);
	for (const char *k = kinds; *k; k++)
		switch (*k) {
		case 'i': s = s * 3 + va_arg(ap, int); break;
		case 'l': s = s * 3 + va_arg(ap, long long); break;
		case 'p': s = s * 3 + *va_arg(ap, int *); break;
		case 's': s = s * 3 + va_arg(ap, struct s8).b; break;
		case 'b': s = s * 3 + va_arg(ap, struct s40).v[3]; break;
		}
	s += va_arg(copy, int);
	va_end(copy);
	va_end(ap);
	return s;
}

__attribute__((noinline)) static unsigned hash(unsigned n, const char *p)
{
	unsigned h = 5381;
	while (n--)
		h = h * 33 + (unsigned char)*p++;
	return h;
}

__attribute__((noinline)) static unsigned vla(int n)
{
	char v[n], *a = alloca(n * 3);
	int m[n / 10 + 1][3];
	memset(m, n, sizeof m);
	for (int i = 0; i < n; i++)
		v[i] = i * 7, a[i] = v[i] ^ 1;
	return hash(n, v) ^ hash(n, a) ^ hash(sizeof m[0], (char *)m[n / 10]);
}

static int ack(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ack(m - 1, 1) : ack(m - 1, ack(m, n - 1)); }

static const char *name(unsigned n)
{
	switch (n) {
	case 0: return "zero";
	case 1: return "one";
	case 2: return "two";
	case 3: return "three";
	case 5: return "five";
	case 8: return "eight";
	case 0x80000000: return "big";
	}
	return "other";
}

int main(void)
{
	int ten = 10;
	struct s40 big;
	for (int i = 0; i < 10; i++)
		big.v[i] = i + 1;
	struct s3 t = f3((struct s3){"abc"});
	struct s12 m = f12((struct s12){5, 1LL << 40}, (struct s1){7});
	struct s16 w = f16(3, (struct s16){1LL << 50, -2}, big);
	printf("%d %.3s %d %d %lld %lld %lld %d\n", f1((struct s1){'a'}).c, t.c, f8(3, (struct s8){4, 5}).a, m.a, m.b, w.a, w.b, f40(big, -4).v[9]);
	printf("%lld\n", many(1, 2, 3, 4, 5LL << 33, 6, 7, 8, 9, &ten, -11));
	printf("%lld\n", sum("iliplisbil", 1, 2LL, 3, &ten, 1LL << 35, 4, (struct s8){5, 6}, big, 7, 8LL));
	struct bits b = {5, -3, 1025, 0xabcdef1234, -1};
	b.a += 7, b.b -= 14, b.c *= 2, b.d <<= 3;
	printf("%u %d %u %llx %d\n", b.a, b.b, b.c, (unsigned long long)b.d, b.e);
	struct packed p = {1, 0x12345678, -2, 0x1122334455667788LL}, *q = &p;
	q->i++, q->l += 1, q->s--;
	printf("%x %d %llx %d %d\n", p.i, p.s, p.l, (int)sizeof p, (int)offsetof(struct packed, l));
	printf("%u %u %u\n", vla(1), vla(100), vla(20000));
	printf("%d\n", ack(2, 300));
	for (unsigned i = 0; i < 10; i++)
		printf("%s ", name(i));
	printf("%s\n", name(0x80000000));
	int (*volatile table[])(const char *, ...) = {printf, printf};
	table[1]("through a pointer %d %s\n", 1, "x");
	printf("%d %d %d %d\n", __builtin_clzll(1), __builtin_ctz(0x1000), __builtin_popcountll(~0ull), __builtin_parity(7));
	printf("%08x %016llx %04x\n", __builtin_bswap32(0x12345678), (unsigned long long)__builtin_bswap64(0x123456789abcdef0), __builtin_bswap16(0x1234));
	return done();
}
