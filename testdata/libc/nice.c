/* A thread that is nicer gets less of the processor that it shares. */
#include "t.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

static volatile int stop;
static pthread_barrier_t start;

static void *spin(void *nice)
{
	unsigned long *n = calloc(1, sizeof *n);
	if (setpriority(PRIO_PROCESS, syscall(SYS_gettid), (long)nice) != 0)
		T_FAIL("setpriority %s", strerror(errno));
	pthread_barrier_wait(&start);
	while (!stop)
		++*n;
	return n;
}

int main(void)
{
	enum { N = 2 };
	static const long nice[N] = {0, 19};
	clockid_t clock;
	struct timespec ran = {0, 0};
	pthread_t t[N];
	unsigned long *n[N];
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
	pthread_barrier_init(&start, NULL, N + 1);
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, spin, (void *)nice[i]);
	pthread_barrier_wait(&start);
	CHECK(pthread_getcpuclockid(t[0], &clock) == 0);
	while (ran.tv_sec == 0 && ran.tv_nsec < 300000000) {
		usleep(10000);
		clock_gettime(clock, &ran);
	}
	stop = 1;
	for (int i = 0; i < N; i++)
		pthread_join(t[i], (void **)&n[i]);
	CHECK(*n[0] > 2 * *n[1]);
	return done();
}
