/* Descriptors that tell of processes and signals: pidfds and signalfds. */
#include "t.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

static int go[2];

/* child ends with status 7 when it is told to. */
static pid_t child(void)
{
	char c;
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0)
		_exit(read(go[0], &c, 1) == 1 ? 7 : 8);
	return p;
}

static int ready(int fd, int ms)
{
	struct pollfd p = {fd, POLLIN, 0};
	return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

/* pidfd_getfd takes a descriptor out of a child. */
static void descriptors(void)
{
	int told[2], st;
	char c = 0;
	MUST(pipe(told) == 0);
	pid_t p = fork();
	if (p == 0) {
		int fd = open("/dev/zero", O_RDONLY);
		MUST(dup2(fd, 50) == 50 && write(told[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	MUST(read(told[0], &c, 1) == 1);
	int fd = syscall(SYS_pidfd_open, p, 0), got;
	CHECK((got = syscall(SYS_pidfd_getfd, fd, 50, 0)) >= 0 && fcntl(got, F_GETFD) == FD_CLOEXEC);
	CHECK(read(got, &c, 1) == 1 && c == 0 && close(got) == 0);
	ERR(EBADF, syscall(SYS_pidfd_getfd, fd, 51, 0));
	ERR(EINVAL, syscall(SYS_pidfd_getfd, fd, 50, 1));
	ERR(EBADF, syscall(SYS_pidfd_getfd, told[0], 50, 0));
	MUST(kill(p, SIGKILL) == 0 && waitpid(p, &st, 0) == p);
	ERR(ESRCH, syscall(SYS_pidfd_getfd, fd, 50, 0));
	close(fd);
	close(told[0]);
	close(told[1]);
}

static void pidfds(void)
{
	siginfo_t si;
	char b[8];
	pid_t p = child();
	int fd = syscall(SYS_pidfd_open, p, 0);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(!ready(fd, 0));
	ERR(EINVAL, read(fd, b, 8));
	CHECK(write(go[1], "x", 1) == 1 && ready(fd, 5000));
	memset(&si, 0, sizeof si);
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED) == 0 && si.si_pid == p && si.si_code == CLD_EXITED && si.si_status == 7);
	ERR(ESRCH, syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	ERR(ECHILD, waitid(P_PIDFD, fd, &si, WEXITED));
	CHECK(close(fd) == 0);
	p = child();
	fd = syscall(SYS_pidfd_open, p, 0);
	char dir[32];
	sprintf(dir, "/proc/%d", p);
	int procfd = open(dir, O_RDONLY | O_DIRECTORY);
	CHECK(procfd >= 0);
	CHECK(syscall(SYS_pidfd_send_signal, procfd, 0, NULL, 0) == 0);
	CHECK(close(procfd) == 0);
	procfd = syscall(SYS_pidfd_open, p, O_NONBLOCK);
	ERR(EAGAIN, waitid(P_PIDFD, procfd, &si, WEXITED));
	CHECK(close(procfd) == 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED) == 0 && si.si_code == CLD_KILLED && si.si_status == SIGTERM && close(fd) == 0);
	ERR(EINVAL, syscall(SYS_pidfd_open, p, 77));
	descriptors();
	ERR(ESRCH, syscall(SYS_pidfd_open, 0x3ffffff0, 0));
	ERR(EBADF, waitid(P_PIDFD, 0, &si, WEXITED));
	fd = -1;
	p = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
	MUST(p >= 0);
	if (p == 0)
		_exit(9);
	CHECK(ready(fd, 5000) && waitid(P_PIDFD, fd, &si, WEXITED) == 0 && si.si_status == 9 && close(fd) == 0);
}

/* send has a child send this process a signal after a moment. */
static pid_t send(int no, int value)
{
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0) {
		usleep(30000);
		_exit(sigqueue(getppid(), no, (union sigval){.sival_int = value}) != 0);
	}
	return p;
}

static void signalfds(void)
{
	sigset_t s;
	struct signalfd_siginfo i;
	struct epoll_event ev = {.events = EPOLLIN};
	int st;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, SIGRTMIN + 1);
	MUST(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	int fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK), ep = epoll_create1(0);
	MUST(fd >= 0 && ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	CHECK(!ready(fd, 0) && epoll_wait(ep, &ev, 1, 0) == 0);
	pid_t p = send(SIGUSR1, 5);
	CHECK(ready(fd, 5000));
	CHECK(read(fd, &i, sizeof i) == sizeof i && i.ssi_signo == SIGUSR1 && i.ssi_code == SI_QUEUE && i.ssi_int == 5 && i.ssi_pid == p);
	ERR(EAGAIN, read(fd, &i, sizeof i));
	CHECK(!ready(fd, 0) && epoll_wait(ep, &ev, 1, 0) == 0 && waitpid(p, &st, 0) == p && st == 0);
	p = send(SIGRTMIN + 1, 6);
	CHECK(epoll_wait(ep, &ev, 1, 5000) == 1 && read(fd, &i, sizeof i) == sizeof i && i.ssi_int == 6);
	CHECK(epoll_wait(ep, &ev, 1, 0) == 0 && waitpid(p, &st, 0) == p && st == 0);
	raise(SIGUSR1);
	siginfo_t si;
	CHECK(ready(fd, 0) && sigwaitinfo(&s, &si) == SIGUSR1 && !ready(fd, 0) && epoll_wait(ep, &ev, 1, 0) == 0);
	CHECK(close(fd) == 0);
}

/* A child whose parent ends goes to the reaper and is signalled. */
static void parents(void)
{
	int st, told[2];
	char c = 0;
	MUST(pipe(told) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid_t me = getpid(), p = fork();
	if (p == 0) {
		pid_t q = fork();
		if (q == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			pid_t parent = getppid();
			MUST(write(told[1], "k", 1) == 1);
			for (;;)
				pause();
		}
		MUST(read(told[0], &c, 1) == 1);
		_exit(0);
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	CHECK(waitpid(-1, &st, 0) > 0 && WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	ERR(ECHILD, waitpid(-1, &st, 0));
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}

/* state is what stat shows of a process. */
static char state(pid_t p)
{
	char path[40], b[200];
	snprintf(path, sizeof path, "/proc/%d/stat", p);
	int fd = open(path, O_RDONLY), n = read(fd, b, sizeof b - 1);
	MUST(n > 0);
	b[n] = 0;
	close(fd);
	return strrchr(b, ')')[2];
}

/* A child sleeps in a call that blocks, and not before its first turn. */
static void states(void)
{
	int asleep = 0, st;
	for (int i = 0; i < 20; i++) {
		pid_t p = fork();
		if (p == 0)
			for (volatile int x = 0;; x++)
				;
		for (int j = 0; j < 4; j++)
			asleep += state(p) == 'S';
		kill(p, SIGKILL);
		MUST(waitpid(p, &st, 0) == p);
	}
	CHECK(asleep == 0);
	pid_t p = fork();
	if (p == 0)
		for (;;)
			pause();
	while (state(p) != 'S')
		usleep(1000);
	kill(p, SIGKILL);
	CHECK(waitpid(p, &st, 0) == p && WTERMSIG(st) == SIGKILL);
}

static int ran[2];

static void tells(int s) { MUST(s == SIGUSR1 && write(ran[1], "x", 1) == 1); }

/* Who is sent a signal sleeps again when its handler has run. An emulator may
 * itself be held up between a call's begin and what it does on the host. */
static void wakes(int polls)
{
	int late = 0, st;
	char c;
	MUST(pipe(ran) == 0);
	pid_t p = fork();
	if (p == 0) {
		sigset_t none;
		signal(SIGUSR1, tells);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (;;)
			polls ? poll(NULL, 0, -1) : pause();
	}
	while (state(p) != 'S')
		sched_yield();
	for (int i = 0; i < 300; i++) {
		struct pollfd told = {ran[0], POLLIN, 0};
		MUST(kill(p, SIGUSR1) == 0);
		while (state(p) != 'S')
			sched_yield();
		late += poll(&told, 1, 0) != 1;
		MUST(read(ran[0], &c, 1) == 1);
		while (state(p) != 'S')
			sched_yield();
	}
	CHECK(late < 10);
	kill(p, SIGKILL);
	MUST(waitpid(p, &st, 0) == p && close(ran[0]) == 0 && close(ran[1]) == 0);
}

/* Others are known to the scheduler's calls. */
static void scheduling(void)
{
	int st;
	struct sched_param par = {7};
	cpu_set_t set;
	pid_t p = fork();
	if (p == 0)
		for (;;)
			pause();
	MUST(setpgid(p, p) == 0);
	CHECK(sched_getparam(p, &par) == 0 && par.sched_priority == 0 && sched_getscheduler(p) == SCHED_OTHER);
	CHECK(sched_getaffinity(p, sizeof set, &set) == 0 && sched_setaffinity(p, sizeof set, &set) == 0);
	CHECK(getpriority(PRIO_PROCESS, p) == getpriority(PRIO_PROCESS, 0) && getpriority(PRIO_PGRP, p) == getpriority(PRIO_PROCESS, 0));
	CHECK(setpriority(PRIO_PROCESS, p, getpriority(PRIO_PROCESS, 0)) == 0 && setpriority(PRIO_PGRP, p, getpriority(PRIO_PROCESS, 0)) == 0);
	kill(p, SIGKILL);
	MUST(waitpid(p, &st, 0) == p);
}

/* An event wakes one or more of those that wait for it so, the next one the rest. */
static void exclusive(void)
{
	int in[2], told[2], st;
	char c;
	pid_t p[2];
	MUST(pipe(in) == 0 && pipe(told) == 0);
	for (int i = 0; i < 2; i++) {
		p[i] = fork();
		if (p[i] == 0) {
			int ep = epoll_create1(0);
			struct epoll_event ev = {.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE};
			MUST(epoll_ctl(ep, EPOLL_CTL_ADD, in[0], &ev) == 0);
			_exit(epoll_wait(ep, &ev, 1, -1) != 1 || write(told[1], "x", 1) != 1);
		}
	}
	for (int i = 0; i < 2; i++)
		while (state(p[i]) != 'S')
			usleep(1000);
	MUST(write(in[1], "1", 1) == 1);
	CHECK(read(told[0], &c, 1) == 1);
	MUST(write(in[1], "2", 1) == 1);
	CHECK(read(told[0], &c, 1) == 1);
	for (int i = 0; i < 2; i++)
		CHECK(waitpid(p[i], &st, 0) == p[i] && st == 0);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	alarm(60);
	MUST(pipe(go) == 0);
	pidfds();
	signalfds();
	parents();
	states();
	wakes(0);
	wakes(1);
	scheduling();
	exclusive();
	return done();
}
