/* The text instructions of SSE4.2, in all aggregations and polarities. */
#include "t.h"

#include <nmmintrin.h>

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* texts makes two of few letters, in which one is often a part of the other or
 * empty. */
static void texts(int k, unsigned char a[16], unsigned char b[16])
{
	int letters = k % 7 + 2;
	for (int i = 0; i < 16; i++) {
		a[i] = next() % letters;
		b[i] = next() % letters;
	}
	if (k % 3)
		return;
	for (int i = 0; i < 16; i++) {
		if (next() % 3)
			b[i] = a[(i + k) % 4];
		if (i >= k % 9 && k % 2)
			a[i] = 0;
	}
}

#define FLAGS(kind, ...) \
	(_mm_cmp##kind##c(__VA_ARGS__) + 2 * _mm_cmp##kind##z(__VA_ARGS__) + 4 * _mm_cmp##kind##s(__VA_ARGS__) + \
	 8 * _mm_cmp##kind##o(__VA_ARGS__) + 16 * _mm_cmp##kind##a(__VA_ARGS__))

#define ALL(imm) \
	do { \
		uint64_t places = 0, flags = 0, masks[4]; \
		state = 88172645463325252u; \
		for (int k = 0; k < 400; k++) { \
			unsigned char a[16], b[16]; \
			texts(k, a, b); \
			__m128i x = _mm_loadu_si128((__m128i *)a), y = _mm_loadu_si128((__m128i *)b); \
			int n = (int)(next() % 40) - 20, m = (int)(next() % 40) - 20; \
			places = places * 289 + _mm_cmpistri(x, y, imm) * 17 + _mm_cmpestri(x, n, y, m, imm); \
			flags = (flags * 32 + FLAGS(istr, x, y, imm)) * 37 + FLAGS(estr, x, n, y, m, imm); \
			_mm_storeu_si128((__m128i *)masks, _mm_cmpistrm(x, y, imm)); \
			_mm_storeu_si128((__m128i *)(masks + 2), _mm_cmpestrm(x, n, y, m, imm)); \
			for (int i = 0; i < 4; i++) \
				places = places * 31 + masks[i]; \
		} \
		printf("%02x %llx %llx\n", imm, (unsigned long long)places, (unsigned long long)flags); \
	} while (0)

#define POLARITIES(imm) \
	ALL(imm); \
	ALL(imm + 0x10); \
	ALL(imm + 0x20); \
	ALL(imm + 0x70)

int main(void)
{
	POLARITIES(0);
	POLARITIES(5);
	POLARITIES(10);
	POLARITIES(12);
	POLARITIES(13);
	POLARITIES(15);
	return done();
}
