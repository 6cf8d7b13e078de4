/* What x86-64-v2 adds to count, multiply and turn around bits, and BMI to move
 * them; on others the same is computed. */
#include "t.h"

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <immintrin.h>

/* /proc/cpuinfo tells of the features that CPUID tells of. */
static int flags(void)
{
	static const struct {
		const char *name;
		unsigned bit;
	} ecx[] = {{" pni ", 0}, {" pclmulqdq ", 1}, {" ssse3 ", 9}, {" cx16 ", 13}, {" sse4_1 ", 19}, {" sse4_2 ", 20}, {" movbe ", 22}, {" popcnt ", 23}, {" aes ", 25}};
	static char line[1 << 14];
	unsigned a, b, c, d;
	FILE *f = fopen("/proc/cpuinfo", "r");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof line, f) && strncmp(line, "flags", 5))
		;
	fclose(f);
	*strchr(line, '\n') = ' ';
	__cpuid(1, a, b, c, d);
	for (unsigned i = 0; i < sizeof ecx / sizeof *ecx; i++)
		if ((strstr(line, ecx[i].name) != NULL) != (c >> ecx[i].bit & 1))
			return 0;
	return 1;
}

static int has(const char *what)
{
	return strcmp(what, "popcnt") ? __builtin_cpu_supports("pclmul") > 0 : __builtin_cpu_supports("popcnt") > 0;
}

__attribute__((target("popcnt"))) static int count(uint32_t v) { return __builtin_popcount(v); }

__attribute__((target("popcnt"))) static int count16(uint16_t v)
{
	uint16_t n;
	asm("popcntw %1, %0" : "=r"(n) : "r"(v) : "cc");
	return n;
}

__attribute__((target("pclmul,sse2"))) static void multiply(uint64_t a, uint64_t b, uint64_t out[2])
{
	uint64_t x[2] = {0, a}, y[2] = {b, 0};
	_mm_storeu_si128((__m128i *)out, _mm_clmulepi64_si128(_mm_loadu_si128((__m128i *)x), _mm_loadu_si128((__m128i *)y), 1));
}

static uint32_t around(uint32_t v)
{
	volatile uint32_t m = v;
	uint32_t r;
	asm("movbe %1, %0" : "=r"(r) : "m"(m));
	asm("movbe %1, %0" : "=m"(m) : "r"(r + 1));
	return m ^ r;
}

__attribute__((target("bmi,bmi2"))) static uint32_t fields_bmi(uint32_t v, uint32_t mask)
{
	uint8_t carry;
	uint32_t low = _blsi_u32(mask);
	asm("blsil %1, %1\n\tsetc %0" : "=q"(carry), "+r"(mask)::"cc");
	return _bzhi_u32(v, v & 63) ^ _pdep_u32(v, ~low) ^ _pext_u32(low - 1, v) ^ carry ^ _bextr_u32(v, 16, 255);
}
#else
static int flags(void) { return 1; }

static int has(const char *what) { return what != NULL; }

static int count(uint32_t v)
{
	int n = 0;
	for (; v; v &= v - 1)
		n++;
	return n;
}

static int count16(uint16_t v) { return count(v); }

static void multiply(uint64_t a, uint64_t b, uint64_t out[2])
{
	out[0] = out[1] = 0;
	for (int i = 0; i < 64; i++)
		if (b >> i & 1) {
			out[0] ^= a << i;
			out[1] ^= i ? a >> (64 - i) : 0;
		}
}

static uint32_t around(uint32_t v)
{
	uint32_t r = __builtin_bswap32(v);
	return __builtin_bswap32(r + 1) ^ r;
}
#endif

/* fields is what BMI adds, if there is BMI. */
static uint32_t fields(uint32_t v, uint32_t mask)
{
#if defined __x86_64__ || defined __i386__
	if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
		return fields_bmi(v, mask);
#endif
	uint32_t low = mask & -mask, len = v & 63, deposit = 0, extract = 0;
	for (int i = 0, k = 0; i < 32; i++)
		if (~low >> i & 1)
			deposit |= (v >> k++ & 1) << i;
	for (int i = 0, k = 0; i < 32; i++)
		if (v >> i & 1)
			extract |= ((low - 1) >> i & 1) << k++;
	return (len < 32 ? v & ((1u << len) - 1) : v) ^ deposit ^ extract ^ (mask != 0) ^ v >> 16;
}

int main(void)
{
	uint64_t sum = 0, out[2];
	CHECK(has("popcnt") && has("pclmul"));
	CHECK(flags());
	for (int i = 0; i < 2000; i++) {
		uint64_t a = next(), b = next();
		multiply(a, b, out);
		sum = sum * 31 + count(a) + 64 * count16(b) + around(a >> 20) + fields(a, b);
		sum ^= out[0] + 3 * out[1];
		if (i % 200 == 0)
			printf("%d %d %llx %llx %x\n", count(a), count16(b), (unsigned long long)out[0], (unsigned long long)out[1], around(b));
	}
	printf("%d %d %llx\n", count(0), count16(0), (unsigned long long)sum);
	return done();
}
