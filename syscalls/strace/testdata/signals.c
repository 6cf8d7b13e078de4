/* What strace tells of signals: their siginfo, the returns of their handlers,
   and the calls that they cut. */
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int no) { (void)no; }

static void catch(int no, int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};

	sigaddset(&sa.sa_mask, SIGHUP);
	sigaction(no, &sa, NULL);
}

/* Waits for a child before its signal comes. */
static void waited(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	wait(NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int forked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return fork();
}

static void child(int end)
{
	if (forked() == 0) {
		if (end > 0)
			kill(getpid(), end);
		_exit(-end);
	}
	waited();
}

int main(void)
{
	struct itimerval soon = {.it_value = {.tv_usec = 1000}};
	sigset_t set;
	timer_t timer;

	catch(SIGUSR1, 0);
	catch(SIGUSR2, SA_SIGINFO);
	sigemptyset(&set);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	sigqueue(getpid(), SIGUSR2, (union sigval){.sival_ptr = (void *)0x1234});

	child(-3); /* ignored, but told of */
	catch(SIGCHLD, 0);
	child(-4);
	child(SIGTERM);

	/* Blocked until the wait for it, which cannot come too late. */
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGALRM);
	catch(SIGALRM, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	sigsuspend(&set);

	sigdelset(&set, SIGUSR2);
	if (timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2,
	                 .sigev_value.sival_int = 7}, &timer))
		return 4;
	timer_settime(timer, 0, &(struct itimerspec){.it_value.tv_nsec = 1000000}, NULL);
	sigsuspend(&set);
	abort();
}
