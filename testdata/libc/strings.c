/* Strings, numbers, sorting and the heap. */
#include "t.h"
#include <ctype.h>
#include <malloc.h>
#include <search.h>
#include <strings.h>

static uint32_t seed = 1;
static uint32_t rnd(void) { return seed = seed * 1664525u + 1013904223u; }

/* strings compares the library's fast routines with the obvious loops, at
 * every alignment, which is where their vector code goes astray. */
static void aligned(void)
{
	static char a[512], b[512];
	int bad = 0;
	for (int off = 0; off < 33; off++)
		for (int len = 0; len < 200; len += 1 + len / 16) {
			memset(a, 'x', sizeof a);
			memset(b, 'y', sizeof b);
			for (int i = 0; i < len; i++)
				a[off + i] = (char)('a' + i % 23);
			a[off + len] = 0;
			bad += strlen(a + off) != (size_t)len;
			bad += strnlen(a + off, 50) != (size_t)(len < 50 ? len : 50);
			bad += strcpy(b + 7, a + off) != b + 7 || strcmp(b + 7, a + off) != 0;
			bad += stpcpy(b + 3, a + off) != b + 3 + len;
			bad += strchr(a + off, 'z') != NULL || memchr(a + off, 'z', (size_t)len) != NULL;
			bad += strrchr(a + off, 0) != a + off + len || rawmemchr(a + off, 0) != a + off + len;
			memmove(a + off + 1, a + off, (size_t)len);
			bad += memcmp(a + off + 1, b + 3, (size_t)len) != 0;
			if (len > 3) {
				b[3 + len - 1]++;
				bad += memcmp(a + off + 1, b + 3, (size_t)len) >= 0 || strncmp(b + 3, a + off + 1, (size_t)len) <= 0;
				bad += strspn(b + 3, "abcdefghijklmnopqrstuvwxyz") != (size_t)len;
			}
		}
	CHECK(bad == 0);
}

static void strings(void)
{
	char s[64] = "one,two;three,,four", *save, *p = s;
	for (char *t = strtok_r(s, ",;", &save); t; t = strtok_r(NULL, ",;", &save))
		printf("tok %s\n", t);
	char u[] = "a::b";
	p = u;
	for (char *t; (t = strsep(&p, ":"));)
		printf("sep [%s]\n", t);
	CHECK(!strcasecmp("HeLLo", "hEllO") && strncasecmp("abX", "ABy", 2) == 0);
	CHECK(!strcmp(strstr("the needle in", "needle"), "needle in") && !strcmp(strcasestr("the NEEdle", "needle"), "NEEdle"));
	CHECK(memmem("aaab", 4, "ab", 2) != NULL && memrchr("abcabc", 'b', 6) != NULL);
	CHECK(strverscmp("item#9", "item#10") < 0 && ffs(0x40) == 7);
	char *d = strndup("duplicate", 3);
	CHECK(!strcmp(d, "dup"));
	free(d);
	int alpha = 0, space = 0, punct = 0;
	for (int c = 0; c < 256; c++)
		alpha += !!isalpha(c), space += !!isspace(c), punct += !!ispunct(c);
	printf("ctype %d %d %d %c%c\n", alpha, space, punct, toupper('q'), tolower('Q'));
	printf("%s / %s\n", strerror(EACCES), strsignal(11));
}

static void numbers(void)
{
	char *end;
	CHECK(strtol("-0x7fz", &end, 16) == -127 && *end == 'z');
	CHECK(strtoull("18446744073709551615", NULL, 10) == UINT64_MAX);
	CHECK(strtoll("99999999999999999999", NULL, 10) == INT64_MAX && errno == ERANGE);
	CHECK(strtol("zz", &end, 36) == 1295 && strtol("0777", NULL, 0) == 511);
	CHECK(atoi("  42x") == 42 && labs(-5) == 5 && div(-7, 2).rem == -1 && lldiv(-7, 2).quot == -3);
	srand(7);
	int a = rand(), b = rand();
	srand(7);
	CHECK(a == rand() && b == rand());
	printf("rand %d %d\n", a, b);
}

static int cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void sorting(void)
{
	enum { N = 20000 };
	uint32_t *v = malloc(N * sizeof *v);
	for (int i = 0; i < N; i++)
		v[i] = rnd();
	uint32_t key = v[777];
	qsort(v, N, sizeof *v, cmp);
	int bad = 0;
	for (int i = 1; i < N; i++)
		bad += v[i - 1] > v[i];
	uint32_t *p = bsearch(&key, v, N, sizeof *v, cmp);
	CHECK(bad == 0 && p && *p == key);
	printf("sorted %08x %08x %08x\n", v[0], v[N / 2], v[N - 1]);
	free(v);
	void *root = NULL;
	static uint32_t keys[100];
	for (int i = 0; i < 100; i++) {
		keys[i] = rnd() % 50;
		tsearch(&keys[i], &root, cmp);
	}
	int found = 0;
	for (uint32_t i = 0; i < 50; i++)
		found += tfind(&i, &root, cmp) != NULL;
	printf("tree %d\n", found);
}

/* heap allocates and frees at random and checks that no block is touched by
 * another. */
static void heap(void)
{
	enum { N = 300 };
	static unsigned char *p[N];
	static size_t n[N];
	int bad = 0;
	for (int i = 0; i < 20000; i++) {
		int k = (int)(rnd() >> 8) % N;
		for (size_t j = 0; j < n[k]; j += 97)
			bad += p[k][j] != (unsigned char)k;
		size_t want = (rnd() >> 8) % (i % 100 == 0 ? 400000 : 2000) + 1;
		p[k] = realloc(p[k], want);
		MUST(p[k]);
		bad += (uintptr_t)p[k] % 8 != 0;
		for (size_t j = 0; j < n[k] && j < want; j += 97)
			bad += p[k][j] != (unsigned char)k;
		memset(p[k], k, n[k] = want);
	}
	CHECK(bad == 0);
	for (int k = 0; k < N; k++)
		free(p[k]);
	void *q = aligned_alloc(4096, 8192);
	CHECK(q && (uintptr_t)q % 4096 == 0);
	free(q);
	CHECK(posix_memalign(&q, 64, 100) == 0 && (uintptr_t)q % 64 == 0 && malloc_usable_size(q) >= 100);
	free(q);
	volatile size_t huge = SIZE_MAX / 2 + 1;
	ERR(ENOMEM, malloc(huge));
	ERR(ENOMEM, calloc(huge, 4));
	ERR(ENOMEM, reallocarray(NULL, huge, 8));
	CHECK(malloc_trim(0) >= 0);
}

int main(void)
{
	aligned();
	strings();
	numbers();
	sorting();
	heap();
	return done();
}
