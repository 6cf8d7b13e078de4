/* Handlers for signals that are sent: masks, flags, queues and siginfo. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

static volatile int seen[128], count;
static siginfo_t last;
static sigset_t inside;

static void plain(int s) { seen[count++ & 127] = s; }

static void info(int s, siginfo_t *si, void *u)
{
	(void)u;
	seen[count++ & 127] = s;
	last = *si;
	sigprocmask(SIG_BLOCK, NULL, &inside);
}

static void catch(int s, int flags, void *fn, int also)
{
	struct sigaction sa = {.sa_flags = flags};
	sa.sa_handler = fn;
	sigemptyset(&sa.sa_mask);
	if (also)
		sigaddset(&sa.sa_mask, also);
	MUST(sigaction(s, &sa, NULL) == 0);
}

static void senders(void)
{
	catch(SIGUSR1, SA_SIGINFO, info, 0);
	CHECK(kill(getpid(), SIGUSR1) == 0 && count == 1 && seen[0] == SIGUSR1);
	CHECK(last.si_signo == SIGUSR1 && last.si_code == SI_USER && last.si_pid == getpid() && last.si_uid == getuid());
	CHECK(raise(SIGUSR1) == 0 && last.si_code == SI_TKILL && last.si_pid == getpid());
	CHECK(syscall(SYS_tkill, getpid(), SIGUSR1) == 0 && last.si_code == SI_TKILL);
	union sigval v = {.sival_ptr = &last};
	CHECK(sigqueue(getpid(), SIGUSR1, v) == 0 && last.si_code == SI_QUEUE && last.si_value.sival_ptr == &last && last.si_uid == getuid());
	v.sival_int = -77;
	CHECK(sigqueue(getpid(), SIGUSR1, v) == 0 && last.si_value.sival_int == -77);
	CHECK(count == 5);
}

static void masks(void)
{
	count = 0;
	catch(SIGUSR1, SA_SIGINFO, info, SIGUSR2);
	raise(SIGUSR1);
	CHECK(sigismember(&inside, SIGUSR1) && sigismember(&inside, SIGUSR2) && !sigismember(&inside, SIGINT));
	sigset_t now;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
	catch(SIGUSR1, SA_SIGINFO | SA_NODEFER, info, 0);
	raise(SIGUSR1);
	CHECK(!sigismember(&inside, SIGUSR1));
	catch(SIGUSR1, SA_RESETHAND, plain, 0);
	raise(SIGUSR1);
	struct sigaction sa;
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL && count == 3);
	CHECK(sysv_signal(SIGUSR1, plain) == SIG_DFL && raise(SIGUSR1) == 0 && sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL && raise(SIGUSR1) == 0 && count == 4);
}

static volatile int depth, deepest;

static void nest(int s)
{
	seen[count++ & 127] = s;
	if (++depth > deepest)
		deepest = depth;
	if (s < SIGRTMIN + 8)
		raise(s + 1);
	seen[count++ & 127] = -s;
	depth--;
}

static void nested(void)
{
	count = 0;
	for (int i = 0; i <= 8; i++)
		catch(SIGRTMIN + i, 0, nest, 0);
	raise(SIGRTMIN);
	int ok = count == 18;
	for (int i = 0; i < 9; i++)
		ok = ok && seen[i] == SIGRTMIN + i && seen[17 - i] == -(SIGRTMIN + i);
	CHECK(ok && deepest == 9);
}

static volatile int order[64], orders;

static void note(int s, siginfo_t *si, void *u)
{
	(void)u;
	order[orders++] = s * 100 + si->si_value.sival_int;
}

static void queues(void)
{
	sigset_t all, old, pend;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < 5; i++)
		catch(SIGRTMIN + i, SA_SIGINFO, note, 0);
	catch(SIGUSR2, SA_SIGINFO, note, 0);
	for (int j = 0; j < 3; j++)
		for (int i = 4; i >= 0; i--) {
			union sigval v = {.sival_int = j + 1};
			MUST(sigqueue(getpid(), SIGRTMIN + i, v) == 0);
		}
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR2);
	CHECK(sigpending(&pend) == 0 && sigismember(&pend, SIGUSR2) && sigismember(&pend, SIGRTMIN + 2) && !sigismember(&pend, SIGINT));
	orders = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* All frames are built before the first handler runs, so the last one
	 * taken, the highest number with the last value, runs first. */
	CHECK(orders == 16 && order[15] == SIGUSR2 * 100);
	int sum = 0;
	for (int i = 0; i < 16; i++)
		sum += order[i];
	CHECK(sum == 3 * 100 * (5 * SIGRTMIN + 10) + 30 + SIGUSR2 * 100);
	printf("first %d last of queue %d\n", order[0] - SIGRTMIN * 100, order[14] - SIGRTMIN * 100);
}

static void waits(void)
{
	sigset_t set, old, pend;
	siginfo_t si;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, &old);
	union sigval v = {.sival_int = 9};
	sigqueue(getpid(), SIGRTMIN + 3, v);
	sigqueue(getpid(), SIGUSR1, v);
	CHECK(sigwaitinfo(&set, &si) == SIGUSR1 && si.si_value.sival_int == 9);
	CHECK(sigwaitinfo(&set, &si) == SIGRTMIN + 3 && si.si_code == SI_QUEUE);
	struct timespec ts = {0, 1000000};
	ERR(EAGAIN, sigtimedwait(&set, &si, &ts));
	int s;
	kill(getpid(), SIGUSR1);
	CHECK(sigwait(&set, &s) == 0 && s == SIGUSR1);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	struct signalfd_siginfo fi[3];
	ERR(EAGAIN, read(fd, fi, sizeof fi));
	sigqueue(getpid(), SIGRTMIN + 3, v);
	kill(getpid(), SIGUSR1);
	CHECK(read(fd, fi, sizeof fi) == 2 * sizeof fi[0] && fi[0].ssi_signo == SIGUSR1 && fi[1].ssi_signo == (unsigned)SIGRTMIN + 3 && fi[1].ssi_int == 9);
	CHECK(fi[0].ssi_code == SI_USER && fi[0].ssi_pid == (unsigned)getpid() && fi[1].ssi_code == SI_QUEUE);
	close(fd);
	CHECK(sigpending(&pend) == 0 && !sigismember(&pend, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void timers(void)
{
	catch(SIGRTMIN + 1, SA_SIGINFO, info, 0);
	count = 0;
	timer_t id;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 4711};
	MUST(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
	struct itimerspec it = {.it_value.tv_nsec = 2000000};
	MUST(timer_settime(id, 0, &it, NULL) == 0);
	while (!count)
		;
	CHECK(last.si_code == SI_TIMER && last.si_value.sival_int == 4711 && last.si_overrun == 0);
	CHECK(timer_delete(id) == 0);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	senders();
	masks();
	nested();
	queues();
	waits();
	timers();
	return done();
}
