/* The library's ways to sort and to search. */
#include "t.h"

#include <search.h>

static unsigned seed = 12345;
static unsigned next(void) { return (seed = seed * 1103515245 + 12345) >> 8 & 0xffff; }

static int ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}
static int texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct record {
	short key;
	char name[13];
	long long value;
};
static int records(const void *a, const void *b, void *arg)
{
	const struct record *x = a, *y = b;
	++*(int *)arg;
	return x->key != y->key ? x->key - y->key : strcmp(x->name, y->name);
}

static long long hash(const void *p, size_t n)
{
	unsigned long long h = 14695981039346656037ull;
	for (const unsigned char *c = p; n--; c++)
		h = (h ^ *c) * 1099511628211ull;
	return (long long)h;
}

static int nodes, depth;
static void walk(const void *node, VISIT which, int level)
{
	(void)node;
	if (which == leaf || which == postorder)
		nodes++;
	if (level > depth)
		depth = level;
}

int main(void)
{
	static int v[20000];
	for (int n = 1; n <= 20000; n = n * 7 + 3) {
		for (int i = 0; i < n; i++)
			v[i] = (int)next() - 30000;
		qsort(v, n, sizeof *v, ints);
		int ok = 1;
		for (int i = 1; i < n; i++)
			ok &= v[i - 1] <= v[i];
		int key = v[n / 2], *found = bsearch(&key, v, n, sizeof *v, ints);
		printf("%d: ok %d least %d most %d found %d\n", n, ok, v[0], v[n - 1], found && *found == key);
	}
	static char text[3000][8], *at[3000];
	for (int i = 0; i < 3000; i++) {
		snprintf(text[i], sizeof text[i], "%x", next());
		at[i] = text[i];
	}
	qsort(at, 3000, sizeof *at, texts);
	printf("%s %s %s\n", at[0], at[1500], at[2999]);

	static struct record r[2000];
	for (int i = 0; i < 2000; i++) {
		r[i].key = next() % 500;
		snprintf(r[i].name, sizeof r[i].name, "n%u", next());
		r[i].value = (long long)i << 33;
	}
	int calls = 0;
	qsort_r(r, 2000, sizeof *r, records, &calls);
	unsigned long long sum = 0;
	for (int i = 0; i < 2000; i++)
		sum = sum * 31 + r[i].key + hash(r[i].name, strlen(r[i].name)) + r[i].value;
	printf("records %llu calls %d\n", sum, calls > 2000);

	void *root = NULL;
	for (int i = 0; i < 5000; i++)
		tsearch(&v[i * 3], &root, ints);
	twalk(root, walk);
	int missing = 0;
	for (int i = 0; i < 5000; i++)
		missing += tfind(&v[i * 3], &root, ints) == NULL;
	printf("tree %d balanced %d missing %d\n", nodes, depth < 30, missing);
	for (int i = 0; i < 5000; i++)
		tdelete(&v[i * 3], &root, ints);
	CHECK(root == NULL);

	MUST(hcreate(4000) != 0);
	for (long i = 0; i < 3000; i++)
		hsearch((ENTRY){text[i], (void *)i}, ENTER);
	int hits = 0;
	for (int i = 0; i < 3000; i++) {
		ENTRY *e = hsearch((ENTRY){text[i], NULL}, FIND);
		hits += e && strcmp(text[(long)e->data], text[i]) == 0;
	}
	printf("hash %d none %d\n", hits, hsearch((ENTRY){"zzzz", NULL}, FIND) == NULL);
	hdestroy();
	srand(1);
	srandom(1);
	srand48(1);
	printf("%d", rand());
	printf(" %d", rand());
	printf(" %ld %ld\n", random(), lrand48());
	return done();
}
