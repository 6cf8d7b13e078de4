/* Checksums and ciphers by their definitions: much integer code of one kind. */
#include "t.h"

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t ror(uint32_t x, int n) { return rol(x, 32 - n); }
static unsigned char text[100000];

static uint32_t crc32(const unsigned char *p, size_t n)
{
	static uint32_t t[256];
	if (t[1] == 0)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int k = 0; k < 8; k++)
				c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
			t[i] = c;
		}
	uint32_t c = ~0u;
	while (n--)
		c = t[(c ^ *p++) & 255] ^ c >> 8;
	return ~c;
}

static uint32_t adler(const unsigned char *p, size_t n)
{
	uint32_t a = 1, b = 0;
	while (n--) {
		a = (a + *p++) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* root is the first 32 bits of the fraction of a prime's root, computed in
 * integers: the square root (k = 2) or the cube root (k = 3). */
static uint32_t root(unsigned prime, int k)
{
	uint64_t lo = 0, hi = 1ull << 36;
	while (hi - lo > 1) { /* mid^k <= prime << (32 k) */
		uint64_t mid = (lo + hi) / 2;
		uint64_t a = mid >> 32, b = mid & 0xffffffff;
		/* mid * mid as hi2 : mid2 : lo2 of 32 bits each */
		uint64_t l = b * b, m = 2 * a * b + (l >> 32), h = a * a + (m >> 32);
		uint64_t d0 = l & 0xffffffff, d1 = m & 0xffffffff;
		int above;
		if (k == 2) {
			above = h > prime || (h == prime && (d0 | d1));
		} else { /* times mid again: whole part only, and the rest if equal */
			uint64_t c = d0 * b, e = (c >> 32) + d1 * b, e2 = (e & 0xffffffff) + d0 * a;
			uint64_t f = (e >> 32) + (e2 >> 32) + (h & 0xffffffff) * b, f2 = (f & 0xffffffff) + d1 * a;
			uint64_t g = (f >> 32) + (f2 >> 32) + h * a + (h >> 32) * b;
			above = g > prime || (g == prime && ((c | e2 | f2) & 0xffffffff));
		}
		above ? (hi = mid) : (lo = mid);
	}
	return (uint32_t)lo;
}

static void sha256(const unsigned char *p, size_t n, uint32_t h[8])
{
	static uint32_t k[64], first[8];
	if (k[0] == 0)
		for (unsigned c = 2, i = 0; i < 64; c++) {
			unsigned d = 2;
			while (c % d)
				d++;
			if (d != c)
				continue;
			k[i] = root(c, 3);
			if (i < 8)
				first[i] = root(c, 2);
			i++;
		}
	memcpy(h, first, sizeof first);
	unsigned char block[64];
	for (size_t at = 0, last = 0; !last; at += 64) {
		size_t m = at < n ? (n - at < 64 ? n - at : 64) : 0;
		memset(block, 0, 64);
		memcpy(block, p + at, m);
		if (m < 64 && (at + m == n && (at < n || n % 64 == 0)))
			block[m] = 0x80;
		if (m < 56) {
			for (int i = 0; i < 8; i++)
				block[63 - i] = (uint64_t)n * 8 >> (8 * i);
			last = 1;
		}
		uint32_t w[64], v[8];
		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
		for (int i = 16; i < 64; i++)
			w[i] = w[i - 16] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] + (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(v, h, sizeof v);
		for (int i = 0; i < 64; i++) {
			uint32_t t1 = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
			uint32_t t2 = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
			memmove(v + 1, v, 7 * sizeof *v);
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			h[i] += v[i];
	}
}

static void xtea(uint32_t v[2], const uint32_t k[4])
{
	uint32_t sum = 0;
	for (int i = 0; i < 32; i++) {
		v[0] += (((v[1] << 4) ^ (v[1] >> 5)) + v[1]) ^ (sum + k[sum & 3]);
		sum += 0x9e3779b9;
		v[1] += (((v[0] << 4) ^ (v[0] >> 5)) + v[0]) ^ (sum + k[sum >> 11 & 3]);
	}
}

static uint64_t siphash(uint64_t k0, uint64_t k1, const unsigned char *p, size_t n)
{
#define ROL(x, b) ((x) << (b) | (x) >> (64 - (b)))
#define ROUND \
	(v0 += v1, v1 = ROL(v1, 13) ^ v0, v0 = ROL(v0, 32), v2 += v3, v3 = ROL(v3, 16) ^ v2, v0 += v3, v3 = ROL(v3, 21) ^ v0, v2 += v1, v1 = ROL(v1, 17) ^ v2, v2 = ROL(v2, 32))
	uint64_t v0 = k0 ^ 0x736f6d6570736575ull, v1 = k1 ^ 0x646f72616e646f6dull, v2 = k0 ^ 0x6c7967656e657261ull, v3 = k1 ^ 0x7465646279746573ull, m;
	for (size_t i = 0; i <= n / 8; i++) {
		m = i == n / 8 ? (uint64_t)n << 56 : 0;
		for (size_t b = 0; b < 8 && i * 8 + b < n; b++)
			m |= (uint64_t)p[i * 8 + b] << (8 * b);
		v3 ^= m;
		ROUND, ROUND;
		v0 ^= m;
	}
	v2 ^= 0xff;
	ROUND, ROUND, ROUND, ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

int main(void)
{
	uint32_t h[8], v[2] = {1, 2}, key[4] = {0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210};
	for (unsigned i = 0; i < sizeof text; i++)
		text[i] = i * i >> 5 ^ i;
	static const size_t len[] = {0, 1, 3, 55, 56, 63, 64, 65, 1000, sizeof text};
	for (unsigned i = 0; i < sizeof len / sizeof *len; i++) {
		sha256(text, len[i], h);
		printf("%u: %08x %08x ", (unsigned)len[i], crc32(text, len[i]), adler(text, len[i]));
		for (int k = 0; k < 8; k++)
			printf("%08x", h[k]);
		printf(" %016llx\n", (unsigned long long)siphash(1, 2, text, len[i]));
	}
	for (int i = 0; i < 2000; i++)
		xtea(v, key);
	printf("xtea %08x %08x\n", v[0], v[1]);
	sha256((const unsigned char *)"abc", 3, h);
	CHECK(h[0] == 0xba7816bf && h[7] == 0xf20015ad);
	return done();
}
