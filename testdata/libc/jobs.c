/* Process groups, sessions and job control among processes. */
#include "t.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t got[65];

static void note(int no) { got[no]++; }

static void handle(int no, int flags)
{
	struct sigaction sa = {.sa_handler = note, .sa_flags = flags};
	MUST(sigaction(no, &sa, NULL) == 0);
}

/* chld takes a SIGCHLD, which is blocked: it is of the process, code and
 * status that are wanted. */
static int chld(pid_t pid, int code, int status)
{
	sigset_t s;
	siginfo_t si;
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	if (sigtimedwait(&s, &si, &(struct timespec){code ? 2 : 0, 0}) != SIGCHLD)
		return code == 0;
	return si.si_pid == pid && si.si_code == code && si.si_status == status;
}


static int line[2]; /* a child tells its parent something here */

static void say(char c) { MUST(write(line[1], &c, 1) == 1); }

static int hear(void)
{
	char c;
	return read(line[0], &c, 1) == 1 ? c : -1;
}

static int quiet(void)
{
	struct pollfd p = {line[0], POLLIN, 0};
	return poll(&p, 1, 60) == 0;
}

static void groups(void)
{
	int st;
	pid_t me = getpid(), pgrp = getpgrp(), sid = getsid(0);
	pid_t a = fork();
	MUST(a >= 0);
	if (a == 0) {
		hear();
		int bad = getpgrp() != getpid() || getsid(0) != sid;
		bad |= !(setsid() == -1 && errno == EPERM);
		_exit(bad);
	}
	CHECK(getpgid(a) == pgrp && getsid(a) == sid);
	CHECK(setpgid(a, 0) == 0 && getpgid(a) == a);
	pid_t b = fork();
	MUST(b >= 0);
	if (b == 0) {
		int bad = !(setpgid(0, a) == 0 && getpgrp() == a);
		bad |= !(setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid());
		bad |= !(setpgid(0, 0) == -1 && errno == EPERM);
		bad |= open("/dev/tty", O_RDWR) != -1 || errno != ENXIO;
		_exit(bad);
	}
	CHECK(waitpid(b, &st, 0) == b && st == 0);
	ERR(EPERM, setpgid(a, 0x3ffffff0));
	ERR(ESRCH, setpgid(getppid(), 0));
	ERR(EINVAL, setpgid(a, -1));
	ERR(ESRCH, getpgid(0x3ffffff0));
	ERR(ECHILD, waitpid(-me - 1000000, &st, WNOHANG));
	CHECK(waitpid(-a, &st, WNOHANG) == 0);
	say('x');
	CHECK(waitpid(-a, &st, 0) == a && st == 0);
	ERR(ESRCH, kill(-a, 0));
	pid_t k[3];
	for (int i = 0; i < 3; i++) {
		if ((k[i] = fork()) == 0) {
			setpgid(0, i ? k[0] : 0);
			pause();
			_exit(1);
		}
		setpgid(k[i], k[0]);
	}
	CHECK(kill(-k[0], SIGTERM) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(waitpid(-k[0], &st, 0) > 0 && WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	ERR(ECHILD, waitpid(-k[0], &st, 0));
}


/* counter is a child that tells that it runs. */
static pid_t counter(void)
{
	pid_t a = fork();
	MUST(a >= 0);
	if (a == 0) {
		handle(SIGCONT, SA_RESTART);
		for (;;) {
			say(got[SIGCONT] ? 'c' : 'r');
			nanosleep(&(struct timespec){0, 10000000}, NULL);
		}
	}
	MUST(hear() == 'r');
	return a;
}

static void drain(void)
{
	int fl = fcntl(line[0], F_GETFL);
	fcntl(line[0], F_SETFL, fl | O_NONBLOCK);
	while (hear() >= 0)
		;
	fcntl(line[0], F_SETFL, fl);
}

static void stopping(int no)
{
	int st = 0;
	siginfo_t si;
	printf("stop by %d\n", no);
	handle(SIGCHLD, 0);
	pid_t a = counter();
	ERR(ECHILD, waitpid(a + 100000, &st, WUNTRACED));
	CHECK(setpgid(a, a) == 0); /* not orphaned: its parent is of the session */
	CHECK(kill(a, no) == 0);
	memset(&si, 0, sizeof si);
	CHECK(waitid(P_PID, a, &si, WSTOPPED | WNOWAIT) == 0 && si.si_code == CLD_STOPPED && si.si_status == no && si.si_pid == a);
	CHECK(waitpid(a, &st, WUNTRACED) == a && WIFSTOPPED(st) && WSTOPSIG(st) == no);
	CHECK(chld(a, CLD_STOPPED, no));
	CHECK(chld(0, 0, 0));
	CHECK(waitpid(a, &st, WUNTRACED | WNOHANG) == 0);
	drain();
	CHECK(quiet());
	CHECK(kill(a, SIGUSR1) == 0); /* waits until it goes on; SIGUSR1 kills it then */
	CHECK(waitpid(a, &st, WNOHANG) == 0);
	CHECK(kill(a, SIGCONT) == 0);
	CHECK(waitpid(a, &st, WUNTRACED) == a && WIFSIGNALED(st) && WTERMSIG(st) == SIGUSR1);
	chld(a, CLD_KILLED, SIGUSR1); /* after CLD_CONTINUED, or merged with it */
	chld(0, 0, 0);
}

static void continuing(void)
{
	int st = 0;
	pid_t a = counter();
	CHECK(kill(a, SIGSTOP) == 0 && waitpid(a, &st, WUNTRACED) == a && WIFSTOPPED(st));
	CHECK(chld(a, CLD_STOPPED, SIGSTOP));
	drain();
	CHECK(kill(a, SIGCONT) == 0);
	siginfo_t si = {0};
	CHECK(waitid(P_PID, a, &si, WCONTINUED | WNOWAIT) == 0 && si.si_code == CLD_CONTINUED && si.si_status == SIGCONT);
	CHECK(waitpid(a, &st, WCONTINUED) == a && WIFCONTINUED(st));
	CHECK(waitpid(a, &st, WCONTINUED | WNOHANG) == 0);
	CHECK(hear() == 'c');
	CHECK(chld(a, CLD_CONTINUED, SIGCONT));
	handle(SIGCHLD, SA_NOCLDSTOP);
	CHECK(kill(a, SIGSTOP) == 0 && waitpid(a, &st, WUNTRACED) == a);
	CHECK(chld(0, 0, 0));
	CHECK(kill(a, SIGKILL) == 0 && waitpid(a, &st, 0) == a && WTERMSIG(st) == SIGKILL);
	CHECK(chld(a, CLD_KILLED, SIGKILL));
}

/* An orphaned group does not stop by the keyboard's signals, and one that
 * becomes orphaned while it is stopped is continued. */
static void orphans(void)
{
	int st;
	drain();
	pid_t a = fork();
	MUST(a >= 0);
	if (a == 0) {
		setsid();
		kill(getpid(), SIGTSTP);
		pid_t b = fork();
		if (b == 0) {
			setpgid(0, 0);
			handle(SIGHUP, 0);
			handle(SIGCONT, 0);
			while (getppid() == 0)
				;
			pid_t parent = getppid();
			raise(SIGSTOP);
			while (getppid() == parent)
				usleep(1000);
			say(got[SIGHUP] == 1 && got[SIGCONT] == 1 ? 'y' : 'n');
			_exit(0);
		}
		waitpid(b, &st, WUNTRACED);
		_exit(WIFSTOPPED(st) ? 3 : 4);
	}
	CHECK(waitpid(a, &st, WUNTRACED) == a && WIFEXITED(st) && WEXITSTATUS(st) == 3);
	CHECK(hear() == 'y');
}

static void usage(void)
{
	int st;
	struct rusage r, c;
	pid_t a = fork();
	MUST(a >= 0);
	if (a == 0) {
		clock_t t = clock();
		while (clock() - t < CLOCKS_PER_SEC / 20)
			;
		_exit(0);
	}
	CHECK(wait4(a, &st, 0, &r) == a && st == 0);
	long us = r.ru_utime.tv_usec + r.ru_stime.tv_usec;
	CHECK(r.ru_utime.tv_sec + r.ru_stime.tv_sec > 0 || us >= 40000);
	CHECK(getrusage(RUSAGE_CHILDREN, &c) == 0 && c.ru_utime.tv_sec * 1000000L + c.ru_utime.tv_usec >= r.ru_utime.tv_sec * 1000000L + r.ru_utime.tv_usec);
	ERR(EINVAL, getrusage(7, &c));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	alarm(30);
	MUST(pipe(line) == 0);
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	groups();
	MUST(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	int list[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
	for (int i = 0; i < 4; i++)
		stopping(list[i]);
	continuing();
	orphans();
	usage();
	return done();
}
