/* Arithmetic of 128 bits: the compiler's where it has it, by hand elsewhere,
 * where it is 64-bit arithmetic with carries. */
#include "t.h"

struct u128 { uint64_t hi, lo; };

#ifdef __SIZEOF_INT128__
typedef unsigned __int128 u;
static u in(struct u128 x) { return (u)x.hi << 64 | x.lo; }
static struct u128 out(u x) { return (struct u128){x >> 64, x}; }
static struct u128 add(struct u128 a, struct u128 b) { return out(in(a) + in(b)); }
static struct u128 sub(struct u128 a, struct u128 b) { return out(in(a) - in(b)); }
static struct u128 mul(struct u128 a, struct u128 b) { return out(in(a) * in(b)); }
static struct u128 shl(struct u128 a, int n) { return out(in(a) << n); }
static struct u128 sar(struct u128 a, int n) { return out((__int128)in(a) >> n); }
static struct u128 quo(struct u128 a, struct u128 b) { return out(in(a) / in(b)); }
static struct u128 rem(struct u128 a, struct u128 b) { return out(in(a) % in(b)); }
static int less(struct u128 a, struct u128 b) { return (__int128)in(a) < (__int128)in(b); }
#else
static struct u128 add(struct u128 a, struct u128 b) { return (struct u128){a.hi + b.hi + (a.lo + b.lo < a.lo), a.lo + b.lo}; }
static struct u128 sub(struct u128 a, struct u128 b) { return (struct u128){a.hi - b.hi - (a.lo < b.lo), a.lo - b.lo}; }
static struct u128 shl(struct u128 a, int n)
{
	if (n == 0)
		return a;
	return n < 64 ? (struct u128){a.hi << n | a.lo >> (64 - n), a.lo << n} : (struct u128){a.lo << (n - 64), 0};
}
static struct u128 sar(struct u128 a, int n)
{
	int64_t h = (int64_t)a.hi;
	if (n == 0)
		return a;
	return n < 64 ? (struct u128){(uint64_t)(h >> n), a.hi << (64 - n) | a.lo >> n} : (struct u128){(uint64_t)(h >> 63), (uint64_t)(h >> (n - 64))};
}
static struct u128 mul(struct u128 a, struct u128 b)
{
	struct u128 r = {0, 0};
	for (int i = 0; i < 128; i++)
		if ((i < 64 ? b.lo >> i : b.hi >> (i - 64)) & 1)
			r = add(r, shl(a, i));
	return r;
}
static int below(struct u128 a, struct u128 b) { return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo); }
static struct u128 divide(struct u128 a, struct u128 b, struct u128 *r)
{
	struct u128 q = {0, 0};
	*r = q;
	for (int i = 127; i >= 0; i--) {
		int top = r->hi >> 63;
		*r = shl(*r, 1);
		r->lo |= (i < 64 ? a.lo >> i : a.hi >> (i - 64)) & 1;
		if (top || !below(*r, b)) {
			*r = sub(*r, b);
			i < 64 ? (q.lo |= 1ull << i) : (q.hi |= 1ull << (i - 64));
		}
	}
	return q;
}
static struct u128 quo(struct u128 a, struct u128 b) { struct u128 r; return divide(a, b, &r); }
static struct u128 rem(struct u128 a, struct u128 b) { struct u128 r; divide(a, b, &r); return r; }
static int less(struct u128 a, struct u128 b) { return (int64_t)a.hi < (int64_t)b.hi || (a.hi == b.hi && a.lo < b.lo); }
#endif

static uint64_t state = 88172645463325252ull;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void show(const char *what, struct u128 x) { printf("%s %016llx%016llx\n", what, (unsigned long long)x.hi, (unsigned long long)x.lo); }

int main(void)
{
	struct u128 sum = {0, 0};
	int smaller = 0;
	for (int i = 0; i < 1500; i++) {
		struct u128 a = {rnd() >> (i % 64), rnd()}, b = {i % 3 ? rnd() >> (i % 61) : 0, rnd() | 1};
		sum = add(sum, mul(a, b));
		sum = sub(sum, quo(a, b));
		sum = add(sum, rem(a, b));
		sum = add(sum, shl(a, i % 128));
		sum = sub(sum, sar(a, i * 7 % 128));
		smaller += less(a, b) + less(b, sum);
		if (i % 300 == 0) {
			show("product", mul(a, b));
			show("quotient", quo(a, b));
			show("rest", rem(a, b));
		}
	}
	show("sum", sum);
	printf("smaller %d\n", smaller);
	return done();
}
