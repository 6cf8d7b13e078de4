/* The processor time of a thread, a process and its children is their own. */
#include "t.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { MS = 1000000 };

static long long now(clockid_t c)
{
	struct timespec t;
	return clock_gettime(c, &t) ? -1 : t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long usage(int who)
{
	struct rusage r;
	if (getrusage(who, &r))
		return -1;
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000LL + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000LL;
}

static volatile unsigned long n;

/* spin uses so much of the processor, by a clock. */
static void spin(clockid_t c, long long ns)
{
	for (long long end = now(c) + ns; now(c) < end;)
		for (int i = 0; i < 10000; i++)
			n++;
}

static pthread_barrier_t done_spinning, read_clocks;

static void *worker(void *arg)
{
	(void)arg;
	spin(CLOCK_THREAD_CPUTIME_ID, 200 * MS);
	CHECK(usage(RUSAGE_THREAD) >= 180 * MS);
	pthread_barrier_wait(&done_spinning);
	pthread_barrier_wait(&read_clocks);
	return NULL;
}

static void threads(void)
{
	pthread_t t;
	clockid_t c;
	pthread_barrier_init(&done_spinning, NULL, 2);
	pthread_barrier_init(&read_clocks, NULL, 2);
	long long self = now(CLOCK_THREAD_CPUTIME_ID), all = now(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(pthread_create(&t, NULL, worker, NULL) == 0);
	pthread_barrier_wait(&done_spinning);
	CHECK(pthread_getcpuclockid(t, &c) == 0);
	CHECK(now(c) >= 200 * MS);
	CHECK(now(CLOCK_THREAD_CPUTIME_ID) - self < 100 * MS);
	CHECK(usage(RUSAGE_THREAD) < usage(RUSAGE_SELF) - 100 * MS);
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - all >= 200 * MS);
	pthread_barrier_wait(&read_clocks);
	pthread_join(t, NULL);
}

static void processes(void)
{
	long long self = usage(RUSAGE_SELF);
	int status;
	struct rusage r;
	clockid_t c;
	pid_t pid = fork();
	if (pid == 0) {
		int fresh = now(CLOCK_PROCESS_CPUTIME_ID) < 100 * MS && usage(RUSAGE_SELF) < 100 * MS;
		spin(CLOCK_PROCESS_CPUTIME_ID, 300 * MS);
		_exit(fresh ? 0 : 1);
	}
	CHECK(clock_getcpuclockid(pid, &c) == 0);
	CHECK(now(c) >= 0);
	CHECK(wait4(pid, &status, 0, &r) == pid);
	CHECK(status == 0);
	CHECK((r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000LL + r.ru_utime.tv_usec + r.ru_stime.tv_usec >= 280000);
	CHECK(usage(RUSAGE_CHILDREN) >= 280 * MS);
	CHECK(usage(RUSAGE_SELF) - self < 150 * MS);
}

int main(void)
{
	threads();
	processes();
	return done();
}
