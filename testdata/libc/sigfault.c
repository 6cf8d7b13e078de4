/* Handlers for faults: siginfo, going on after a repair, leaving by a jump. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf out;
static siginfo_t last;
static volatile int faults;
static char *page;
static long size;

static void leave(int s, siginfo_t *si, void *u)
{
	(void)u;
	(void)s;
	last = *si;
	faults++;
	siglongjmp(out, 1);
}

static void repair(int s, siginfo_t *si, void *u)
{
	(void)u;
	(void)s;
	faults++;
	char *p = (char *)((uintptr_t)si->si_addr & ~(uintptr_t)(size - 1));
	if (si->si_code != SEGV_ACCERR || mprotect(p, size, PROT_READ | PROT_WRITE))
		_exit(9);
}

static void catch(int s, void *fn)
{
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = fn;
	MUST(sigaction(s, &sa, NULL) == 0);
}

#define FAULTS(what) (sigsetjmp(out, 1) == 0 ? ((what), 0) : 1)

static volatile int sink;
static char *volatile low = (char *)16;

static void segv(void)
{
	catch(SIGSEGV, leave);
	char *none = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(FAULTS(sink = *low) && last.si_signo == SIGSEGV && last.si_code == SEGV_MAPERR && last.si_addr == (void *)16);
	CHECK(FAULTS(low[1] = 1) && last.si_code == SEGV_MAPERR && last.si_addr == (void *)17);
	CHECK(FAULTS(sink = none[5]) && last.si_code == SEGV_ACCERR && last.si_addr == none + 5);
	CHECK(FAULTS(none[7] = 1) && last.si_code == SEGV_ACCERR && last.si_addr == none + 7);
	CHECK(FAULTS(ro[9] = 1) && last.si_code == SEGV_ACCERR && last.si_addr == ro + 9);
	MUST(munmap(none, size) == 0);
	CHECK(FAULTS(sink = none[5]) && last.si_code == SEGV_MAPERR && last.si_addr == none + 5);
	int all = faults;
	for (int i = 0; i < 1000; i++)
		if (!FAULTS(ro[i] = 1) || last.si_addr != ro + i)
			break;
	CHECK(faults == all + 1000);
}

static void bus(void)
{
	catch(SIGBUS, leave);
	int fd = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
	MUST(ftruncate(fd, size) == 0);
	char *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED);
	p[0] = 1;
	CHECK(FAULTS(sink = p[size + 3]) && last.si_signo == SIGBUS && last.si_code == BUS_ADRERR && last.si_addr == p + size + 3);
	munmap(p, 2 * size);
	close(fd);
}

/* The write barrier of garbage collectors. */
static void barrier(void)
{
	enum { PAGES = 200 };
	catch(SIGSEGV, repair);
	page = mmap(NULL, PAGES * size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(page != MAP_FAILED);
	long sum = 0;
	for (int round = 1; round <= 3; round++) {
		faults = 0;
		MUST(mprotect(page, PAGES * size, PROT_READ) == 0);
		for (int i = 0; i < PAGES; i++) {
			page[i * size + i] += round;
			page[i * size + 2 * i]++;
		}
		printf("round %d: %d faults\n", round, faults);
	}
	for (int i = 0; i < PAGES * size; i++)
		sum += page[i];
	CHECK(sum == PAGES * 9);
}

#if defined __i386__ || defined __x86_64__
#define ILLEGAL "ud2"
#elif defined __arm__
#define ILLEGAL "udf #0"
#else
#define ILLEGAL ".long 0"
#endif

static void illegal(void)
{
	catch(SIGILL, leave);
	CHECK(FAULTS(({ __asm__ volatile(ILLEGAL); })) && last.si_signo == SIGILL && last.si_addr != NULL);
}

static void ignored(void)
{
	/* A fault that was sent can be ignored; a real one could not. */
	signal(SIGSEGV, SIG_IGN);
	CHECK(raise(SIGSEGV) == 0);
	catch(SIGSEGV, leave);
	CHECK(FAULTS(raise(SIGSEGV)) && last.si_code == SI_TKILL);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	size = sysconf(_SC_PAGESIZE);
	segv();
	bus();
	barrier();
	illegal();
	ignored();
	return done();
}
