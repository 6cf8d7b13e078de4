/* malloc and its kin under a mixed load; every block keeps what was written. */
#include "t.h"

#include <malloc.h>

enum { SLOTS = 700, ROUNDS = 8000 };
static struct { unsigned char *p; size_t n; unsigned char fill; } slot[SLOTS];
static unsigned long long seed = 88172645463325252ull;

static unsigned next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 16;
}

static int intact(int i)
{
	if (slot[i].n == 0)
		return 1;
	return slot[i].p[0] == slot[i].fill && slot[i].p[slot[i].n / 2] == slot[i].fill && slot[i].p[slot[i].n - 1] == slot[i].fill;
}

static size_t size(void)
{
	unsigned r = next() % 100;
	if (r < 70)
		return next() % 200;
	if (r < 95)
		return next() % 8000;
	if (r < 99)
		return next() % 100000;
	return 130000 + next() % 600000;
}

int main(void)
{
	unsigned long long total = 0;
	int bad = 0, aligned = 1, zeroed = 1;
	for (int round = 0; round < ROUNDS; round++) {
		int i = next() % SLOTS;
		size_t n = size();
		bad += !intact(i);
		switch (next() % 6) {
		case 0:
			slot[i].p = realloc(slot[i].p, n);
			if (n == 0)
				slot[i].p = NULL;
			if (slot[i].n && n)
				bad += slot[i].p[0] != slot[i].fill || slot[i].p[(slot[i].n < n ? slot[i].n : n) - 1] != slot[i].fill;
			break;
		case 1:
			free(slot[i].p);
			slot[i].p = calloc(1, n);
			for (size_t k = 0; k < n; k += 97)
				zeroed &= slot[i].p[k] == 0;
			break;
		case 2:
			free(slot[i].p);
			slot[i].p = NULL;
			MUST(posix_memalign((void **)&slot[i].p, 256, n) == 0);
			aligned &= ((uintptr_t)slot[i].p & 255) == 0;
			break;
		default:
			free(slot[i].p);
			slot[i].p = malloc(n);
			aligned &= ((uintptr_t)slot[i].p & 7) == 0;
		}
		MUST(slot[i].p != NULL || n == 0);
		slot[i].n = n;
		slot[i].fill = round;
		if (n)
			memset(slot[i].p, slot[i].fill, n);
		total += n;
	}
	for (int i = 0; i < SLOTS; i++) {
		bad += !intact(i);
		free(slot[i].p);
	}
	printf("total %llu bad %d aligned %d zeroed %d\n", total, bad, aligned, zeroed);
	CHECK(malloc_trim(0) >= 0);
	volatile size_t most = (size_t)-1 / 2 + 1;
	ERR(ENOMEM, (intptr_t)malloc(most));
	ERR(ENOMEM, (intptr_t)calloc(most, 4));
	char *big = malloc(64 << 20);
	CHECK(big != NULL);
	for (size_t i = 0; i < 64 << 20; i += 1 << 16)
		big[i] = i >> 16;
	big = realloc(big, 96 << 20);
	CHECK(big != NULL && big[5 << 16] == 5 && big[(96 << 20) - 1] == 0);
	free(big);
	char *s = NULL;
	CHECK(asprintf(&s, "%0*d", 300, 7) == 300 && s[299] == '7');
	free(s);
	char *before = sbrk(0);
	CHECK(sbrk(100000) == before && (char *)sbrk(0) == before + 100000);
	before[99999] = 1;
	return done();
}
