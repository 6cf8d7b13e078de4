// A guest for breakpoints that are never hit: sort.c sorts with glibc's qsort,
// so many times, and prints a check sum.
#include <stdio.h>
#include <stdlib.h>

static int rising(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static unsigned v[10000];
	unsigned seed = 1, sum = 0;
	for (int n = argc > 1 ? atoi(argv[1]) : 1; n > 0; n--) {
		for (unsigned k = 0; k < 10000; k++)
			v[k] = seed = seed * 1664525 + 1013904223;
		qsort(v, 10000, sizeof v[0], rising);
		sum = sum * 31 + v[n % 10000];
	}
	printf("%u\n", sum);
	return 0;
}
