/* Signals that end system calls, and calls that are made again after them. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static volatile int hits, last; /* signals now, and of the time before */
static int p[2];
static int feed; /* write a byte in the handler at this hit */
static sigset_t empty, usr1;

static void hit(int s)
{
	(void)s;
	if (++hits == feed)
		write(p[1], "x", 1);
}

static void catch(int flags)
{
	struct sigaction sa = {.sa_flags = flags};
	sa.sa_handler = hit;
	MUST(sigaction(SIGALRM, &sa, NULL) == 0);
}

/* every sends SIGALRM in so many milliseconds, and again. */
static void every(int ms, int again)
{
	struct itimerval it = {{again / 1000, again % 1000 * 1000}, {0, ms * 1000}};
	last = hits;
	hits = 0;
	setitimer(ITIMER_REAL, &it, NULL);
}

static int64_t ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static char b[16];
static struct timespec ts, rem;

/* INTR wants the call to end at a signal; one that comes before the call is
 * followed by another. */
#define INTR(call) \
	do { \
		every(10, 10); \
		errno = 0; \
		long r_ = (long)(call); \
		int e_ = errno; \
		every(0, 0); \
		errno = e_; \
		if (r_ == -1 && errno == EINTR && last >= 1) \
			printf("ok EINTR %s\n", #call); \
		else \
			T_FAIL("%s = %ld after %d signals", #call, r_, last); \
	} while (0)

/* AGAIN wants the call to go on until the third signal feeds the pipe. */
#define AGAIN(call) \
	do { \
		feed = 3; \
		every(10, 10); \
		errno = 0; \
		long r_ = (long)(call); \
		every(0, 0); \
		feed = 0; \
		if (r_ == 1) \
			printf("ok again %s\n", #call); \
		else \
			T_FAIL("%s = %ld", #call, r_); \
	} while (0)

static fd_set *set(void)
{
	static fd_set in;
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	return &in;
}

static void ended(const char *flags)
{
	printf("%s\n", flags);
	struct pollfd pf = {p[0], POLLIN, 0};
	struct epoll_event ev;
	int ep = epoll_create1(0);
	struct timespec hour = {3600, 0};
	struct timeval tv = {3600, 0};
	siginfo_t si;
	INTR(poll(&pf, 1, -1));
	INTR(poll(&pf, 1, 100000));
	INTR(ppoll(&pf, 1, &hour, NULL));
	INTR(select(p[0] + 1, set(), NULL, NULL, &tv));
	INTR(pselect(p[0] + 1, set(), NULL, NULL, NULL, NULL));
	INTR(epoll_wait(ep, &ev, 1, -1));
	INTR(epoll_pwait(ep, &ev, 1, -1, &empty));
	INTR(pause());
	INTR(sigsuspend(&empty));
	INTR(nanosleep(&hour, &rem));
	CHECK(rem.tv_sec == 3599);
	INTR(sigtimedwait(&usr1, &si, &hour));
	close(ep);
}

static void restarted(void)
{
	int s[2];
	printf("SA_RESTART\n");
	catch(SA_RESTART);
	AGAIN(read(p[0], b, sizeof b));
	struct iovec v = {b, sizeof b};
	AGAIN(readv(p[0], &v, 1));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	int keep[2] = {p[0], p[1]};
	p[0] = s[0], p[1] = s[1];
	AGAIN(recv(p[0], b, sizeof b, 0));
	AGAIN(recvfrom(p[0], b, sizeof b, 0, NULL, NULL));
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	AGAIN(recvmsg(p[0], &m, 0));
	struct timeval tv = {100, 0};
	MUST(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0);
	INTR(recv(p[0], b, sizeof b, 0));
	INTR(read(p[0], b, sizeof b));
	p[0] = keep[0], p[1] = keep[1];
	close(s[0]);
	close(s[1]);
}

static void masks(void)
{
	sigset_t block, now, pend;
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	struct timespec zero = {0, 0}, hour = {3600, 0};
	struct pollfd pf = {p[0], POLLIN, 0};
	sigprocmask(SIG_BLOCK, &block, NULL);
	printf("blocked\n");
	INTR(ppoll(&pf, 1, &hour, &empty));
	INTR(pselect(0, NULL, NULL, NULL, &hour, &empty));
	INTR(sigsuspend(&empty));
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGALRM));
	every(1, 0);
	struct timespec t = {0, 20000000};
	CHECK(nanosleep(&t, NULL) == 0 && hits == 0);
	while (sigpending(&pend) == 0 && !sigismember(&pend, SIGALRM))
		;
	CHECK(ppoll(&pf, 1, &zero, NULL) == 0 && hits == 0);
	CHECK(sigpending(&pend) == 0 && sigismember(&pend, SIGALRM));
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	CHECK(hits == 1);
}

static void slept(void)
{
	/* A sleep with an absolute end that is made again ends in time. */
	printf("sleeps\n");
	catch(SA_RESTART);
	struct timespec t;
	int64_t start = ms();
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += 60000000;
	t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
	every(5, 5);
	int r;
	while ((r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) == EINTR)
		;
	every(0, 0);
	CHECK(r == 0 && ms() - start >= 59);
	/* The rest of a sleep adds up. */
	start = ms();
	ts = (struct timespec){0, 60000000};
	every(5, 5);
	while (nanosleep(&ts, &ts) == -1)
		if (errno != EINTR)
			exit(2);
	every(0, 0);
	CHECK(ms() - start >= 59);
	/* An ignored signal does not end a sleep. */
	signal(SIGALRM, SIG_IGN);
	every(5, 5);
	ts = (struct timespec){0, 30000000};
	CHECK(nanosleep(&ts, NULL) == 0);
	every(0, 0);
}

/* Signals that are ignored by default, and those that would end the program,
   while a blocked one is waited for. */
static void waited(void)
{
	const int signals[] = {SIGCHLD, SIGWINCH, SIGTERM};
	struct timespec minute = {60, 0};
	sigset_t one, old;
	siginfo_t si;
	for (int i = 0; i < 3; i++) {
		sigemptyset(&one);
		sigaddset(&one, signals[i]);
		sigprocmask(SIG_BLOCK, &one, i == 0 ? &old : NULL);
		pid_t pid = fork();
		if (pid == 0) {
			usleep(50000);
			if (i > 0)
				kill(getppid(), signals[i]);
			_exit(3);
		}
		CHECK(sigtimedwait(&one, &si, &minute) == signals[i] && si.si_pid == pid);
		CHECK(waitpid(pid, NULL, 0) == pid);
	}
	sigemptyset(&one);
	sigaddset(&one, SIGCHLD);
	struct timespec none = {0, 0};
	while (sigtimedwait(&one, NULL, &none) > 0) /* of those that were waited for by waitpid */
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	waited();
	MUST(pipe(p) == 0);
	sigemptyset(&empty);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	catch(0);
	ended("no SA_RESTART");
	INTR(read(p[0], b, 1));
	int s[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	INTR(recv(s[0], b, 1, 0));
	catch(SA_RESTART);
	ended("SA_RESTART");
	restarted();
	masks();
	slept();
	return done();
}
