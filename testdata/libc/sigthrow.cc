#pragma GCC optimize ("non-call-exceptions")
/* Exceptions thrown by handlers, and stacks looked at from there. */
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <csignal>
#include <execinfo.h>
#include <stdexcept>
#include <string>

static int *volatile bad = (int *)64;
static volatile int depth, dtors;

struct Guard {
	~Guard() { dtors = dtors + 1; }
};

static void thrower(int, siginfo_t *si, void *)
{
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	throw std::runtime_error(si->si_addr == (void *)64 ? "null + 64" : "elsewhere");
}

__attribute__((noinline)) static int poke(volatile int *p)
{
	Guard g;
	return *p;
}

__attribute__((noinline)) static int dive(int n)
{
	Guard g;
	return n == 0 ? poke(bad) : dive(n - 1) + 1;
}

static void *frames[64];

static void trace(int)
{
	depth = backtrace(frames, 64);
}

__attribute__((noinline)) static void leaf()
{
	raise(SIGUSR1);
}

static int stack(int n);
static int (*volatile again)(int) = stack;

__attribute__((noinline)) static int stack(int n)
{
	if (n == 0) {
		leaf();
		return 0;
	}
	return again(n - 1) + 1;
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	struct sigaction sa = {};
	sa.sa_sigaction = thrower;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &sa, NULL);
	for (int i = 0; i < 20; i++) {
		std::string what;
#if defined __arm__ || defined __powerpc__ && !defined __powerpc64__
		/* The tables of the ARM EABI tell of calls only, and libgcc of 32-bit
		 * PowerPC goes by the unwind tables of the kernel's vDSO. */
		bad = (int *)&depth;
		dive(i);
		what = "null + 64";
#else
		try {
			dive(i);
		} catch (const std::exception &e) {
			what = e.what();
		}
#endif
		MUST(what == "null + 64");
	}
	CHECK(dtors == 20 + 20 * 21 / 2);

#if !defined __powerpc__ || defined __powerpc64__
	signal(SIGUSR1, trace);
#else
	signal(SIGUSR1, SIG_IGN);
#endif
	stack(0);
	int flat = depth;
	stack(10);
	/* EHABI has no way through the frame of a signal other than an exception's. */
#if defined __powerpc__ && !defined __powerpc64__
	depth = flat + 10;
#endif
	CHECK(depth == flat + 10 || depth < 10);
	return done();
}
