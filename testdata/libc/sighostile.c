/* Frames that no kernel made, and faults that a program cannot escape. The
 * second argument says what to do; most of it ends by SIGSEGV. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static unsigned seed = 1;
static volatile int *volatile null = (int *)4;

static void garbage(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	unsigned char *p = u;
	for (unsigned i = 0; i < sizeof(ucontext_t) && i < 600; i++)
		p[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

static void wipe(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	memset(u, 0xff, 400);
}

static void gone(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	munmap((void *)((uintptr_t)u & ~65535ul), 65536);
}

static void again(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	(void)u;
	*null = 1;
}

static void count(int s)
{
	static int n;
	dprintf(1, "got %d\n", s);
	if (++n == 6)
		exit(0);
}

static void catch(int s, int flags, void *fn)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO | flags};
	sa.sa_sigaction = fn;
	MUST(sigaction(s, &sa, NULL) == 0);
}

static void stack(void *at)
{
	stack_t ss = {.ss_sp = at, .ss_size = 65536};
	MUST(sigaltstack(&ss, NULL) == 0);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	const char *mode = argc > 2 ? argv[2] : "";
	if (strcmp(mode, "garbage") == 0) {
		seed = atoi(argv[3]);
		catch(SIGUSR1, 0, garbage);
		raise(SIGUSR1);
	} else if (strcmp(mode, "wipe") == 0) {
		catch(SIGUSR1, 0, wipe);
		raise(SIGUSR1);
	} else if (strcmp(mode, "gone") == 0) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		stack((void *)(((uintptr_t)p + 65535) & ~65535ul));
		catch(SIGUSR1, SA_ONSTACK, gone);
		raise(SIGUSR1);
	} else if (strcmp(mode, "return") == 0) {
		syscall(SYS_rt_sigreturn);
	} else if (strcmp(mode, "nostack") == 0) {
		stack((void *)4096);
		catch(SIGUSR1, SA_ONSTACK, garbage);
		raise(SIGUSR1);
	} else if (strcmp(mode, "nostack2") == 0) {
		stack((void *)4096);
		catch(SIGSEGV, SA_ONSTACK, garbage);
		*null = 1;
	} else if (strcmp(mode, "blocked") == 0) {
		sigset_t m;
		sigfillset(&m);
		sigprocmask(SIG_SETMASK, &m, NULL);
		catch(SIGSEGV, 0, garbage);
		*null = 1;
	} else if (strcmp(mode, "ignored") == 0) {
		signal(SIGSEGV, SIG_IGN);
		*null = 1;
	} else if (strcmp(mode, "again") == 0) {
		catch(SIGSEGV, 0, again);
		*null = 1;
	} else if (strcmp(mode, "host") == 0) {
		int l[] = {SIGUSR1, SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGRTMIN + 6};
		sigset_t m, none;
		sigemptyset(&none);
		sigemptyset(&m);
		for (int i = 0; i < 6; i++) {
			struct sigaction sa = {.sa_handler = count};
			sigfillset(&sa.sa_mask);
			sigaction(l[i], &sa, NULL);
			sigaddset(&m, l[i]);
		}
		sigprocmask(SIG_SETMASK, &m, NULL);
		puts("ready");
		fflush(stdout);
		for (;;)
			sigsuspend(&none);
	} else {
		puts("ok");
		return done();
	}
	return 3;
}
