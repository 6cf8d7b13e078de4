/* setjmp and its kin, contexts, nested functions. */
#include "t.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static jmp_buf env;
static sigjmp_buf senv;

__attribute__((noinline)) static void dive(int n)
{
	volatile char frame[100];
	frame[n % 100] = n;
	if (n == 0)
		longjmp(env, 42);
	dive(n - 1);
	frame[0] = 0;
}

static void registers(void)
{
	volatile int kept = 0;
	long long a = 1, b = 2, c = 3, d = 4;
	for (volatile int i = 0; i < 1000; i++) {
		int r = setjmp(env);
		if (r == 0) {
			a += i, b ^= a, c += b, d ^= c << 1;
			kept = i;
			dive(i % 20);
		} else if (r != 42 || kept != i) {
			T_FAIL("longjmp gave %d", r);
			return;
		}
	}
	printf("kept %d\n", kept);
	int r = setjmp(env);
	if (r == 0)
		longjmp(env, 0);
	printf("zero is %d\n", r);
}

static void masks(void)
{
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (sigsetjmp(senv, 1) == 0) {
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_SETMASK, &set, NULL);
		siglongjmp(senv, 1);
	}
	sigprocmask(SIG_SETMASK, NULL, &old);
	CHECK(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGUSR2));
	if (sigsetjmp(senv, 0) == 0) {
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_SETMASK, &set, NULL);
		siglongjmp(senv, 1);
	}
	sigprocmask(SIG_SETMASK, NULL, &old);
	CHECK(sigismember(&old, SIGUSR2));
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static ucontext_t back, co[2];
static char stacks[2][65536] __attribute__((aligned(16)));
static int turns;

static void coroutine(int me, int step)
{
	for (int i = 0; i < 5; i++) {
		printf("%d: %d\n", me, turns += step);
		swapcontext(&co[me], &co[1 - me]);
	}
}

static void contexts(void)
{
	for (int i = 0; i < 2; i++) {
		MUST(getcontext(&co[i]) == 0);
		co[i].uc_stack.ss_sp = stacks[i];
		co[i].uc_stack.ss_size = sizeof stacks[i];
		co[i].uc_link = &back;
		makecontext(&co[i], (void (*)(void))coroutine, 2, i, i + 1);
	}
	MUST(swapcontext(&back, &co[0]) == 0);
	printf("turns %d\n", turns);
	volatile int again = 0;
	getcontext(&back);
	if (again++ < 3)
		setcontext(&back);
	printf("again %d\n", again);
}

static int apply(int (*f)(int), int n) { return f(n); }

/* A nested function that is called through a pointer is a bit of code on the
 * stack. */
static void trampoline(int by)
{
	int calls = 0;
	int add(int n)
	{
		calls++;
		return n + by;
	}
	int sum = 0;
	for (int i = 0; i < 10; i++)
		sum += apply(add, i);
	printf("nested %d %d\n", sum, calls);
}

static void dispatch(void)
{
	static void *const to[] = {&&inc, &&dbl, &&dec, &&end};
	static const char code[] = {0, 0, 1, 1, 0, 2, 1, 3};
	int v = 1;
	const char *p = code;
	goto *to[(int)*p++];
inc:
	v++;
	goto *to[(int)*p++];
dbl:
	v *= 2;
	goto *to[(int)*p++];
dec:
	v -= 3;
	goto *to[(int)*p++];
end:
	printf("dispatch %d\n", v);
}

int main(void)
{
	registers();
	masks();
	contexts();
	for (int i = 0; i < 5; i++)
		trampoline(i * 100);
	dispatch();
	return done();
}
