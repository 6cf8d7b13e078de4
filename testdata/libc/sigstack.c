/* Signal stacks. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

enum { SIZE = 65536 };
static char *stack;
static volatile int runs;
static ucontext_t uc;
static stack_t now;
static volatile uintptr_t where;
static volatile int denied;
static sigjmp_buf out;

static void look(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	runs++;
	where = (uintptr_t)__builtin_frame_address(0);
	memcpy(&uc.uc_stack, &((ucontext_t *)u)->uc_stack, sizeof uc.uc_stack);
	sigaltstack(NULL, &now);
	stack_t none = {.ss_flags = SS_DISABLE};
	denied = sigaltstack(&none, NULL) == -1 && errno == EPERM;
}

static void twice(int s, siginfo_t *si, void *u)
{
	if (++runs < 5) {
		uintptr_t here = (uintptr_t)__builtin_frame_address(0);
		raise(s);
		where = here;
		return;
	}
	look(s, si, u);
}

static void overflow(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)si;
	(void)u;
	runs++;
	siglongjmp(out, 1);
}

static void catch(int s, int flags, void *fn)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO | flags};
	sa.sa_sigaction = fn;
	MUST(sigaction(s, &sa, NULL) == 0);
}

static int on(void) { return where > (uintptr_t)stack && where < (uintptr_t)stack + SIZE; }

static __attribute__((noinline)) int deep(int n)
{
	volatile char room[4096];
	room[n & 4095] = n;
	return n < 0 ? 0 : deep(n + 1) + room[n & 4095];
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = stack, .ss_size = SIZE}, old;
	CHECK(sigaltstack(&ss, &old) == 0 && old.ss_flags == SS_DISABLE);
	catch(SIGUSR1, 0, look);
	raise(SIGUSR1);
	CHECK(!on() && now.ss_flags == 0 && !denied && uc.uc_stack.ss_sp == stack && uc.uc_stack.ss_size == SIZE);
	MUST(sigaltstack(&ss, NULL) == 0);
	catch(SIGUSR1, SA_ONSTACK, look);
	raise(SIGUSR1);
	CHECK(on() && now.ss_flags == SS_ONSTACK && denied && now.ss_sp == stack && uc.uc_stack.ss_flags == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == 0 && old.ss_size == SIZE);

	runs = 0;
	catch(SIGUSR1, SA_ONSTACK | SA_NODEFER, twice);
	raise(SIGUSR1);
	CHECK(runs == 6 && on());

	/* SS_AUTODISARM takes the stack away while the handler runs. */
	ss.ss_flags = SS_ONSTACK | SS_AUTODISARM;
	CHECK(sigaltstack(&ss, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)SS_AUTODISARM);
	catch(SIGUSR1, SA_ONSTACK, look);
	raise(SIGUSR1);
	CHECK(on() && now.ss_flags == SS_DISABLE && now.ss_sp == NULL && !denied);
	CHECK(uc.uc_stack.ss_sp == stack && uc.uc_stack.ss_size == SIZE && uc.uc_stack.ss_flags == (int)(SS_ONSTACK | SS_AUTODISARM));
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)SS_AUTODISARM && old.ss_sp == stack);

	/* A stack overflow, three times, is survived on the signal stack. */
	ss.ss_flags = 0;
	MUST(sigaltstack(&ss, NULL) == 0);
	struct rlimit r = {256 * 1024, RLIM_INFINITY};
	getrlimit(RLIMIT_STACK, &r);
	r.rlim_cur = 256 * 1024;
	MUST(setrlimit(RLIMIT_STACK, &r) == 0);
	catch(SIGSEGV, SA_ONSTACK, overflow);
	runs = 0;
	for (int i = 0; i < 3; i++)
		if (sigsetjmp(out, 1) == 0)
			printf("%d\n", deep(0));
	CHECK(runs == 3);
	return done();
}
