/* futex(2) in all its operations, within a process and across fork. */
#include "t.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

static long futex(void *a, int op, unsigned v, const void *timeout, void *b, unsigned v3)
{
	return syscall(SYS_futex, a, op, v, timeout, b, v3);
}

#define P FUTEX_PRIVATE_FLAG
#ifdef SYS_futex_time64
#define SYS_wide SYS_futex_time64
#else
#define SYS_wide SYS_futex
#endif

static int word, other, asleep, ended;

struct sleeper { pthread_t t; int *at; unsigned bits; int op; long r; int e; };

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;
	__atomic_fetch_add(&asleep, 1, __ATOMIC_SEQ_CST);
	s->r = s->op == FUTEX_WAIT_REQUEUE_PI ? futex(s->at, s->op | P, 0, NULL, &other, 0)
	                                      : futex(s->at, s->op | P, 0, NULL, NULL, s->bits);
	s->e = errno;
	if (s->op == FUTEX_WAIT_REQUEUE_PI && s->r == 0)
		futex(&other, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0);
	__atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* begin has n threads wait, some time. */
static void begin(struct sleeper *s, int n, int *at, int op, const unsigned *bits)
{
	for (int i = 0; i < n; i++) {
		s[i] = (struct sleeper){.at = at, .op = op, .bits = bits ? bits[i] : ~0u};
		MUST(pthread_create(&s[i].t, NULL, sleeps, &s[i]) == 0);
	}
}

/* woken wakes until n have been woken in all. */
static int woken(int *at, int n, unsigned bits)
{
	int got = 0;
	while (got < n) {
		long r = futex(at, FUTEX_WAKE_BITSET | P, n - got, NULL, NULL, bits);
		MUST(r >= 0);
		got += r;
		sched_yield();
	}
	return got;
}

static void finish(struct sleeper *s, int n)
{
	for (int i = 0; i < n; i++) {
		MUST(pthread_join(s[i].t, NULL) == 0);
		CHECK(s[i].r == 0);
	}
}

static void simple(void)
{
	struct timespec soon = {0, 3000000}, bad = {0, 1000000000}, past = {1, 0};
	ERR(EAGAIN, futex(&word, FUTEX_WAIT | P, 1, NULL, NULL, 0));
	ERR(ETIMEDOUT, futex(&word, FUTEX_WAIT | P, 0, &soon, NULL, 0));
	ERR(ETIMEDOUT, futex(&word, FUTEX_WAIT_BITSET | P | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 1));
	ERR(ETIMEDOUT, futex(&word, FUTEX_WAIT_BITSET | P, 0, &past, NULL, 1));
	ERR(EINVAL, futex(&word, FUTEX_WAIT | P, 0, &bad, NULL, 0));
	ERR(EINVAL, futex((char *)&word + 1, FUTEX_WAIT | P, 0, NULL, NULL, 0));
	ERR(EINVAL, futex((char *)&word + 2, FUTEX_WAKE | P, 1, NULL, NULL, 0));
	ERR(EINVAL, futex(&word, FUTEX_WAIT_BITSET | P, 0, NULL, NULL, 0));
	ERR(EINVAL, futex(&word, FUTEX_WAKE_BITSET | P, 1, NULL, NULL, 0));
	ERR(EFAULT, futex((void *)64, FUTEX_WAIT | P, 0, NULL, NULL, 0));
	ERR(ENOSYS, futex(&word, 77, 0, NULL, NULL, 0));
	CHECK(futex(&word, FUTEX_WAKE | P, 1, NULL, NULL, 0) == 0);
	ERR(EINVAL, futex(&word, FUTEX_CMP_REQUEUE | P, -1, (void *)1, &other, 0));
	ERR(EAGAIN, futex(&word, FUTEX_CMP_REQUEUE | P, 1, (void *)1, &other, 5));
	/* the call whose timeout is 64 bits wide everywhere */
	long long wide[2] = {0, 3000000};
	CHECK(syscall(SYS_wide, &word, FUTEX_WAIT | P, 0, wide, NULL, 0) == -1 && errno == ETIMEDOUT);
}

static void waking(void)
{
	struct sleeper s[6];
	begin(s, 6, &word, FUTEX_WAIT, NULL);
	CHECK(woken(&word, 6, ~0u) == 6);
	finish(s, 6);

	const unsigned bits[4] = {1, 2, 4, 4};
	begin(s, 4, &word, FUTEX_WAIT_BITSET, bits);
	CHECK(woken(&word, 2, 4) == 2);
	CHECK(futex(&word, FUTEX_WAKE_BITSET | P, 9, NULL, NULL, 8) == 0);
	CHECK(woken(&word, 1, 2) == 1);
	CHECK(woken(&word, 1, 1 | 2) == 1);
	finish(s, 4);
}

/* requeued tells whether four of five go over to the other word. */
static int requeued(void)
{
	struct sleeper s[5];
	ended = 0;
	begin(s, 5, &word, FUTEX_WAIT, NULL);
	long moved = 0, r;
	while (moved < 4) {
		/* none is woken, up to four go over */
		MUST((r = futex(&word, FUTEX_CMP_REQUEUE | P, 0, (void *)(4 - moved), &other, 0)) >= 0);
		moved += r;
		sched_yield();
	}
	CHECK(moved == 4);
	int one = futex(&other, FUTEX_WAKE | P, 1, NULL, NULL, 0);
	int rest = futex(&other, FUTEX_WAKE | P, 9, NULL, NULL, 0);
	int last = woken(&word, 1, ~0u);
	if (one + rest < 4)
		while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < 5) {
			futex(&word, FUTEX_WAKE | P, 9, NULL, NULL, 0);
			sched_yield();
		}
	finish(s, 5);
	return one == 1 && rest == 3 && last == 1;
}

/* A kernel that interrupts a thread for reasons of its own, such as to freeze all,
   has it wait at the first word again: once may be bad luck. */
static void requeue(void) { CHECK(requeued() || requeued()); }

static void wakeop(void)
{
	struct sleeper s[4];
	other = 7;
	begin(s, 2, &word, FUTEX_WAIT, NULL);
	int got = 0;
	while (got < 2) {
		long r = futex(&word, FUTEX_WAKE_OP | P, 9, (void *)9, &other, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_LT, 0));
		MUST(r >= 0);
		got += r;
		other = 8;
		sched_yield();
	}
	finish(s, 2);
	const struct { unsigned op; int want; } ops[] = {
		{FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0), 5},
		{FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_EQ, 0), 11},
		{FUTEX_OP(FUTEX_OP_OR, 3, FUTEX_OP_CMP_EQ, 0), 15},
		{FUTEX_OP(FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_EQ, 0), 8},
		{FUTEX_OP(FUTEX_OP_XOR, 5, FUTEX_OP_CMP_EQ, 0), 9},
		{FUTEX_OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_EQ, 0), 28},
	};
	for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
		other = 12;
		CHECK(futex(&word, FUTEX_WAKE_OP | P, 1, (void *)1, &other, ops[i].op) == 0);
		CHECK(other == ops[i].want);
	}
	ERR(ENOSYS, futex(&word, FUTEX_WAKE_OP | P, 1, (void *)1, &other, 5u << 28));
	other = 0;
}

static void *tries(void *arg)
{
	CHECK(futex(&other, FUTEX_TRYLOCK_PI | P, 0, NULL, NULL, 0) == -1 && errno == EAGAIN);
	CHECK(futex(&other, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0) == -1 && errno == EPERM);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(futex(&other, FUTEX_LOCK_PI | P, 0, &now, NULL, 0) == -1 && errno == ETIMEDOUT);
	return arg;
}

static void *locks(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		MUST(futex(&other, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0) == 0);
		(*(int *)arg)++;
		MUST(futex(&other, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0) == 0);
	}
	return NULL;
}

static void inherit(void)
{
	pthread_t t[3];
	int n = 0;
	CHECK(futex(&other, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0) == 0);
	CHECK(other == (int)syscall(SYS_gettid));
	ERR(EDEADLK, futex(&other, FUTEX_LOCK_PI | P, 0, NULL, NULL, 0));
	MUST(pthread_create(&t[0], NULL, tries, NULL) == 0);
	MUST(pthread_join(t[0], NULL) == 0);
	CHECK(futex(&other, FUTEX_UNLOCK_PI | P, 0, NULL, NULL, 0) == 0);
	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&t[i], NULL, locks, &n) == 0);
	for (int i = 0; i < 3; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	CHECK(n == 9000);
	CHECK(other == 0);

	struct sleeper s[3];
	begin(s, 3, &word, FUTEX_WAIT_REQUEUE_PI, NULL);
	long got = 0, r;
	while (got < 3) {
		r = futex(&word, FUTEX_CMP_REQUEUE_PI | P, 1, (void *)9, &other, 0);
		MUST(r >= 0);
		got += r;
		sched_yield();
	}
	finish(s, 3);
	CHECK(other == 0);
}

static void *dies(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

static void robust(pthread_mutex_t *m, int proto)
{
	pthread_mutexattr_t a;
	pthread_t t;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, proto);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	MUST(pthread_mutex_init(m, &a) == 0);
	MUST(pthread_create(&t, NULL, dies, m) == 0);
	MUST(pthread_join(t, NULL) == 0);
	CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(m) == 0);
	CHECK(pthread_mutex_unlock(m) == 0);
	pid_t p = fork();
	if (p == 0) {
		pthread_mutex_lock(m);
		_exit(0);
	}
	MUST(waitpid(p, NULL, 0) == p);
	CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(m) == 0);
	CHECK(pthread_mutex_unlock(m) == 0);
	CHECK(pthread_mutex_lock(m) == 0);
	CHECK(pthread_mutex_unlock(m) == 0);
}

/* across wakes a child through memory that both see, and waits for it. */
static void across(int *a)
{
	enum { N = 2000 };
	pid_t p = fork();
	MUST(p >= 0);
	for (int i = 0; i < N; i++) {
		int mine = 2 * i + (p == 0), v;
		while ((v = __atomic_load_n(a, __ATOMIC_SEQ_CST)) != mine)
			futex(a, FUTEX_WAIT, v, NULL, NULL, 0);
		__atomic_store_n(a, mine + 1, __ATOMIC_SEQ_CST);
		futex(a, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	if (p == 0)
		_exit(0);
	int st;
	MUST(waitpid(p, &st, 0) == p);
	CHECK(st == 0 && *a == 2 * N);
	*a = 0;
}

static void *rests(void *word) { return (void *)futex(word, FUTEX_WAIT, 0, NULL, NULL, 0); }

/* segments has futexes in System V memory: each segment's words are its own,
 * wherever it is attached. */
static void segments(void)
{
	enum { STEP = 1 << 16 };
	char *room = mmap(NULL, 8 * STEP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(room != MAP_FAILED);
	room = (char *)(((uintptr_t)room + STEP - 1) & -STEP);
	int id[2], *at[3];
	for (int i = 0; i < 3; i++) {
		if (i < 2)
			MUST((id[i] = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600)) >= 0);
		MUST((at[i] = shmat(id[i % 2], room + 2 * i * STEP, SHM_REMAP)) == (void *)(room + 2 * i * STEP));
	}
	MUST(mprotect(at[2], 4096, PROT_READ) == 0); /* its second page is a mapping of its own */
	pthread_t t;
	MUST(pthread_create(&t, NULL, rests, at[0] + 1024) == 0);
	while (futex(at[0] + 1024, FUTEX_REQUEUE, 0, (void *)1, at[0], 0) == 0)
		sched_yield();
	CHECK(futex(at[0], FUTEX_REQUEUE, 0, (void *)1, at[0] + 1024, 0) == 1);
	CHECK(futex(at[1] + 1024, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	CHECK(futex(at[0], FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	CHECK(futex(at[2] + 1024, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
	MUST(pthread_join(t, NULL) == 0);
	for (int i = 0; i < 3; i++)
		MUST(shmdt(at[i]) == 0 && (i == 2 || shmctl(id[i], IPC_RMID, NULL) == 0));
}

/* attached has two processes add to words of a segment that each has attached
 * for itself. */
static void attached(void)
{
	enum { N = 1000000 };
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600), st;
	MUST(id >= 0);
	pid_t p = fork();
	MUST(p >= 0);
	int *a = shmat(id, NULL, 0);
	MUST(a != (void *)-1);
	__atomic_fetch_add(a, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(a, __ATOMIC_SEQ_CST) != 2) /* both are there */
		sched_yield();
	for (int i = 0; i < N; i++)
		__atomic_fetch_add(a + 1, 1, __ATOMIC_SEQ_CST);
	if (p == 0)
		_exit(0);
	MUST(waitpid(p, &st, 0) == p);
	CHECK(st == 0 && a[1] == 2 * N);
	MUST(shmctl(id, IPC_RMID, NULL) == 0 && shmdt(a) == 0);
}

static void *tick(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

/* many has two hundred threads at once. */
static void many(void)
{
	enum { N = 200 };
	static pthread_t t[N];
	static pthread_barrier_t b;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 256 << 10);
	pthread_barrier_init(&b, NULL, N + 1);
	for (int i = 0; i < N; i++)
		MUST(pthread_create(&t[i], &a, tick, &b) == 0);
	pthread_barrier_wait(&b);
	pthread_barrier_wait(&b);
	for (int i = 0; i < N; i++)
		MUST(pthread_join(t[i], NULL) == 0);
	printf("ok %d threads\n", N);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	attached(); /* before it has other memory in common with a child */
	simple();
	waking();
	requeue();
	wakeop();
	inherit();
	char *m = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(m != MAP_FAILED);
	robust((pthread_mutex_t *)m, PTHREAD_PRIO_NONE);
	robust((pthread_mutex_t *)(m + 256), PTHREAD_PRIO_INHERIT);
	across((int *)(m + 512));
	MUST(mprotect(m, 4096, PROT_READ) == 0); /* the second page is a mapping of its own now */
	across((int *)(m + 4096 + 512));
	int fd = open("words", O_RDWR | O_CREAT, 0600);
	MUST(fd >= 0 && ftruncate(fd, 8192) == 0);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	MUST(m != MAP_FAILED);
	across((int *)(m + 16));
	segments();
	many();
	return done();
}
