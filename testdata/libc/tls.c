/* Thread-local variables of every kind, and what goes with them: errno,
 * constructors, weak symbols, stack protection. */
#include "t.h"

__thread int zero;
__thread int initial = 0x1234;
__thread char text[40] = "initialised";
static __thread long long wide __attribute__((aligned(64))) = 1LL << 40;
static __thread struct { char c; short s; int i; void *p; } mixed = {'m', 2, 3, "p"};
__thread char large[5000];

static int built;
__attribute__((constructor(101))) static void first(void) { built = 1; }
__attribute__((constructor(102))) static void second(void) { built = built * 10 + 2 + initial - 0x1234; }
__attribute__((destructor)) static void last(void) { printf("destructor %d\n", zero); }
static void atend(void) { printf("at exit %s\n", text); }

extern int nowhere(void) __attribute__((weak));
int weak(void) __attribute__((weak));
int weak(void) { return 5; }
static int chosen(void) { return 9; }

__attribute__((noinline, optimize("stack-protector-all"))) static int guarded(int n)
{
	volatile char b[64];
	for (int i = 0; i < n; i++)
		b[i] = i;
	return b[n - 1];
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	atexit(atend);
	CHECK(zero == 0 && initial == 0x1234 && strcmp(text, "initialised") == 0 && wide == 1LL << 40);
	CHECK(((uintptr_t)&wide & 63) == 0 && mixed.s == 2 && mixed.i == 3 && *(char *)mixed.p == 'p');
	for (int i = 0; i < 5000; i++)
		large[i] = i;
	int ok = 1;
	for (int i = 0; i < 5000; i++)
		ok &= large[i] == (char)i;
	CHECK(ok && initial == 0x1234 && wide == 1LL << 40);
	zero = 42;
	strcat(text, " and changed");
	CHECK(open("/none", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(built == 12 && weak() == 5 && nowhere == NULL && chosen() == 9);
	printf("guarded %d\n", guarded(50));
	return done();
}
