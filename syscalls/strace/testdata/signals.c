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

static void alarm_soon(void)
{
	struct itimerval it = {.it_value = {.tv_usec = 50000}};

	setitimer(ITIMER_REAL, &it, NULL);
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
	struct timespec long_time = {.tv_sec = 3};
	sigset_t set;
	timer_t timer;
	int p[2];
	char c;

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

	catch(SIGALRM, 0);
	alarm_soon();
	nanosleep(&long_time, NULL);
	alarm_soon();
	pause();
	if (pipe(p))
		return 1;
	alarm_soon();
	if (read(p[0], &c, 1) >= 0)
		return 2;

	catch(SIGALRM, SA_RESTART);
	alarm_soon();
	if (forked() == 0) {
		usleep(300000);
		_exit(write(p[1], "x", 1) != 1);
	}
	if (read(p[0], &c, 1) != 1)
		return 3;
	waited();

	if (timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2,
	                 .sigev_value.sival_int = 7}, &timer))
		return 4;
	timer_settime(timer, 0, &(struct itimerspec){.it_value.tv_nsec = 1000000}, NULL);
	pause();
	abort();
}
