/* Atomic operations between threads and between processes that share memory. */
#include "t.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { WORKERS = 4, ROUNDS = 400000 };

static struct shared {
	int ready, go;
	unsigned char byte;
	unsigned short half;
	unsigned word;
	unsigned long full;
	unsigned swapped, locked, lock;
} *s;

/* work counts in each width, by compare and swap, and under a spin lock. */
static void *work(void *arg)
{
	__atomic_fetch_add(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->go, __ATOMIC_SEQ_CST))
		;
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_fetch_add(&s->word, 1, __ATOMIC_SEQ_CST);
		if (i % 8)
			continue;
		__atomic_fetch_add(&s->byte, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&s->half, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_sub(&s->full, 3, __ATOMIC_SEQ_CST);
		unsigned v = __atomic_load_n(&s->swapped, __ATOMIC_SEQ_CST);
		while (!__atomic_compare_exchange_n(&s->swapped, &v, v + 5, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		while (__atomic_exchange_n(&s->lock, 1, __ATOMIC_ACQUIRE))
			sched_yield();
		s->locked++;
		__atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
	}
	return arg;
}

static void start(void)
{
	while (__atomic_load_n(&s->ready, __ATOMIC_SEQ_CST) != WORKERS)
		sched_yield();
	__atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
}

static void check(void)
{
	const unsigned n = WORKERS * ROUNDS, few = n / 8;
	CHECK(s->word == n);
	CHECK(s->byte == (unsigned char)few);
	CHECK(s->half == (unsigned short)few);
	CHECK(s->full == 0 - 3ul * few);
	CHECK(s->swapped == 5 * few);
	CHECK(s->locked == few);
	memset(s, 0, sizeof *s);
}

static void threads(void)
{
	pthread_t t[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		MUST(pthread_create(&t[i], NULL, work, NULL) == 0);
	start();
	for (int i = 0; i < WORKERS; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	check();
}

static void processes(void)
{
	int st;
	for (int i = 0; i < WORKERS; i++) {
		pid_t p = fork();
		MUST(p >= 0);
		if (p == 0) {
			work(NULL);
			_exit(0);
		}
	}
	start();
	for (int i = 0; i < WORKERS; i++)
		MUST(wait(&st) > 0 && st == 0);
	check();
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(s != MAP_FAILED);
	threads();
	processes();

	int fd = open("shared", O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && ftruncate(fd, 4096) == 0);
	s = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	MUST(s != MAP_FAILED && mprotect(s, 4096, PROT_READ | PROT_WRITE) == 0);
	processes();
	return done();
}
