/* Leaving handlers by siglongjmp, many times, and swapping contexts there. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf out;
static volatile int n;

static void jump(int s)
{
	n++;
	siglongjmp(out, s);
}

static int fib(int k) { return k < 2 ? k : fib(k - 1) + fib(k - 2); }

static ucontext_t back;

static void switchback(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	(void)u;
	n++;
	setcontext(&back);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	signal(SIGUSR1, jump);
	signal(SIGUSR2, jump);
	sigset_t m;
	for (volatile int i = 0; i < 3000; i++) {
		int r = sigsetjmp(out, 1);
		if (r == 0) {
			raise(i % 2 ? SIGUSR1 : SIGUSR2);
			MUST(!"back");
		}
		MUST(r == (i % 2 ? SIGUSR1 : SIGUSR2));
		sigprocmask(SIG_BLOCK, NULL, &m);
		MUST(!sigismember(&m, r));
	}
	CHECK(n == 3000);

	/* Without the mask the signal stays blocked. */
	if (sigsetjmp(out, 0) == 0)
		raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &m);
	CHECK(sigismember(&m, SIGUSR1));
	sigdelset(&m, SIGUSR1);
	sigprocmask(SIG_SETMASK, &m, NULL);

	/* Out of the middle of a computation. */
	volatile int rounds = 0;
	struct sigaction sa = {.sa_handler = jump};
	sigaction(SIGALRM, &sa, NULL);
	while (rounds < 20) {
		if (sigsetjmp(out, 1) == 0) {
			ualarm(1000, 0);
			for (;;)
				fib(12);
		}
		rounds++;
	}
	CHECK(fib(15) == 610);

	n = 0;
	sa.sa_sigaction = switchback;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &sa, NULL);
	volatile int i = 0;
	getcontext(&back);
	if (i < 100) {
		i++;
		raise(SIGUSR1);
	}
	CHECK(n == 100);
	return done();
}
