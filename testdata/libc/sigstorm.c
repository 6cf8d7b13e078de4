/* Signals by the thousand into computations whose results must be right. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile unsigned long hits, sum;
static volatile int wrong;
static int target;
static timer_t id;

static void hit(int s)
{
	(void)s;
	unsigned long before = sum;
	sum = before + hits % 7;
	hits++;
}

static void queued(int s, siginfo_t *si, void *u)
{
	(void)u;
	if (si->si_signo != s || si->si_code != SI_TIMER || si->si_value.sival_int != 4242)
		wrong++;
	hits++;
}

static uint32_t crc(uint32_t seed)
{
	uint32_t c = seed;
	for (int i = 0; i < 20000; i++) {
		c ^= i;
		for (int k = 0; k < 3; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
	}
	return c;
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int sorted(void)
{
	static int v[500];
	unsigned x = 1;
	for (int i = 0; i < 500; i++)
		v[i] = (x = x * 1103515245 + 12345) >> 8 & 0xffff;
	qsort(v, 500, sizeof v[0], compare);
	for (int i = 1; i < 500; i++)
		if (v[i] < v[i - 1])
			return 0;
	return 1;
}

static void until(void)
{
	uint32_t want = crc(99);
	while (hits < (unsigned long)target) {
		MUST(crc(99) == want);
		MUST(sorted());
		char t[64];
		snprintf(t, sizeof t, "%d %s %.3f", 42, "text", 2.5);
		MUST(strcmp(t, "42 text 2.500") == 0);
		void *m = malloc(1000 + hits % 1000);
		MUST(m);
		free(m);
	}
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	target = argc > 2 ? atoi(argv[2]) : 200;
	struct sigaction sa = {.sa_flags = SA_RESTART};
	sa.sa_handler = hit;
	sigaction(SIGALRM, &sa, NULL);
	struct itimerval it = {{0, 100}, {0, 100}};
	setitimer(ITIMER_REAL, &it, NULL);
	until();
	memset(&it, 0, sizeof it);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);

	hits = 0;
	sa.sa_sigaction = queued;
	sa.sa_flags = SA_RESTART | SA_SIGINFO;
	sigaction(SIGRTMIN + 2, &sa, NULL);
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 4242};
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
	struct itimerspec ts = {{0, 100000}, {0, 100000}};
	MUST(timer_settime(id, 0, &ts, NULL) == 0);
	until();
	CHECK(timer_delete(id) == 0 && wrong == 0);

	/* Signals that the program sends itself arrive at once. */
	hits = 0;
	for (int i = 0; i < target; i++)
		raise(SIGALRM);
	CHECK(hits == (unsigned long)target);
	return done();
}
