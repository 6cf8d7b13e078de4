/*
 * The guest of the table of threads and processes.
 *
 *	tasks futex|pipe|fork|count|threads|processes N
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int n, word;

static void await(int v)
{
	int now;
	while ((now = __atomic_load_n(&word, __ATOMIC_SEQ_CST)) != v)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, now, NULL);
}

static void tell(int v)
{
	__atomic_store_n(&word, v, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
}

static void *pong(void *arg)
{
	for (int i = 0; i < n; i++) {
		await(2 * i + 1);
		tell(2 * i + 2);
	}
	return arg;
}

/* futex: two threads wake each other n times. */
static int ping(void)
{
	pthread_t t;
	if (pthread_create(&t, NULL, pong, NULL))
		return 0;
	for (int i = 0; i < n; i++) {
		tell(2 * i + 1);
		await(2 * i + 2);
	}
	pthread_join(t, NULL);
	return word / 2;
}

/* pipes: a byte goes to another process and back, n times. */
static int pipes(void)
{
	int there[2], back[2], i;
	char c = 1;
	if (pipe(there) || pipe(back))
		return 0;
	if (fork() == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	for (i = 0; i < n; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return i;
	close(there[1]);
	wait(NULL);
	return i;
}

/* forks: n children, one after the other. */
static int forks(void)
{
	int i, st;
	for (i = 0; i < n; i++) {
		pid_t p = fork();
		if (p == 0)
			_exit(i & 127);
		if (waitpid(p, &st, 0) != p || WEXITSTATUS(st) != (i & 127))
			return i;
	}
	return i;
}

/* count: four processes count to n each in one word of shared memory. */
static int count(void)
{
	int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			for (int j = 0; j < n; j++)
				__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	return *p / 4;
}

static int hold[2];

static void *idle(void *arg)
{
	char c;
	return read(hold[0], &c, 1) == 0 ? arg : NULL;
}

/* threads: n that wait for the same thing at once. */
static int threads(void)
{
	static pthread_t t[10000];
	pthread_attr_t a;
	int i;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 64 << 10);
	if (pipe(hold))
		return 0;
	for (i = 0; i < n; i++)
		if (pthread_create(&t[i], &a, idle, NULL))
			return i;
	close(hold[1]);
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return i;
}

/* processes: the same of processes. */
static int processes(void)
{
	int i, st;
	if (pipe(hold))
		return 0;
	for (i = 0; i < n; i++) {
		pid_t p = fork();
		if (p < 0)
			return i;
		if (p == 0) {
			close(hold[1]);
			idle(NULL);
			_exit(0);
		}
	}
	close(hold[1]);
	for (i = 0; wait(&st) > 0 && st == 0; i++)
		;
	return i;
}

int main(int argc, char **argv)
{
	const struct { const char *name; int (*f)(void); } kinds[] = {
		{"futex", ping}, {"pipe", pipes}, {"fork", forks}, {"count", count},
		{"threads", threads}, {"processes", processes}};
	if (argc != 3)
		return 2;
	n = atoi(argv[2]);
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			int got = kinds[i].f();
			printf("%s %d\n", argv[1], got);
			return got != n;
		}
	return 2;
}
