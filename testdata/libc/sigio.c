/* Signals that files send: SIGIO, leases, directory notification, urgent data. */
#include "t.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>

#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif

static sigset_t all;

/* take waits for a signal of the set. */
static siginfo_t take(void)
{
	siginfo_t si;
	struct timespec t = {20, 0};
	memset(&si, 0, sizeof si);
	if (sigtimedwait(&all, &si, &t) < 0)
		si.si_signo = 0;
	return si;
}

static int none(void)
{
	struct timespec t = {0, 20000000};
	return sigtimedwait(&all, NULL, &t) == -1 && errno == EAGAIN;
}

static void owners(void)
{
	int p[2];
	struct f_owner_ex ex = {F_OWNER_PID, 0};
	MUST(pipe(p) == 0);
	CHECK(fcntl(p[0], F_GETOWN) == 0 && fcntl(p[0], F_GETSIG) == 0);
	CHECK(fcntl(p[0], F_SETOWN, getpid()) == 0 && fcntl(p[0], F_GETOWN) == getpid());
	CHECK(fcntl(p[0], F_GETOWN_EX, &ex) == 0 && ex.type == F_OWNER_PID && ex.pid == getpid());
	CHECK(fcntl(p[0], F_SETOWN, -getpgrp()) == 0);
	CHECK(fcntl(p[0], F_GETOWN_EX, &ex) == 0 && ex.type == F_OWNER_PGRP && ex.pid == getpgrp());
	ERR(ESRCH, fcntl(p[0], F_SETOWN, 0x3ffffff));
	ERR(EINVAL, fcntl(p[0], F_SETOWN, INT_MIN));
	ERR(EINVAL, fcntl(p[0], F_SETSIG, 65));
	ex.type = 7;
	ERR(EINVAL, fcntl(p[0], F_SETOWN_EX, &ex));
	close(p[0]);
	close(p[1]);
}

static void pipes(void)
{
	int p[2];
	siginfo_t si;
	MUST(pipe(p) == 0);
	int fd = dup2(p[0], 77);
	CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETFL, O_ASYNC) == 0);
	CHECK(fcntl(p[0], F_GETFL) & O_ASYNC);
	MUST(write(p[1], "x", 1) == 1);
	si = take();
	CHECK(si.si_signo == SIGIO && si.si_code == SI_KERNEL);
	CHECK(fcntl(fd, F_SETSIG, SIGRTMIN) == 0 && fcntl(fd, F_GETSIG) == SIGRTMIN);
	MUST(write(p[1], "x", 1) == 1);
	si = take();
	CHECK(si.si_signo == SIGRTMIN && si.si_code == POLL_IN && si.si_fd == 77 && (si.si_band & POLLIN));
	CHECK(fcntl(fd, F_SETSIG, SIGIO) == 0);
	MUST(write(p[1], "x", 1) == 1);
	si = take();
	CHECK(si.si_signo == SIGIO && si.si_code == POLL_IN && si.si_fd == 77);
	CHECK(fcntl(fd, F_SETFL, 0) == 0 && !(fcntl(fd, F_GETFL) & O_ASYNC));
	MUST(write(p[1], "x", 1) == 1);
	CHECK(none());
	int on = 1;
	CHECK(ioctl(fd, FIOASYNC, &on) == 0 && (fcntl(fd, F_GETFL) & O_ASYNC));
	MUST(write(p[1], "x", 1) == 1);
	CHECK(take().si_signo == SIGIO);
	CHECK(fcntl(fd, F_SETOWN, 0) == 0);
	MUST(write(p[1], "x", 1) == 1);
	CHECK(none());
	close(fd);
	close(p[0]);
	close(p[1]);
}

/* The owner is a process group, of which a child is a member too. */
static void groups(void)
{
	int p[2], st;
	MUST(pipe(p) == 0);
	CHECK(fcntl(p[0], F_SETFL, O_ASYNC) == 0 && fcntl(p[0], F_SETSIG, SIGUSR1) == 0);
	pid_t c = fork();
	if (c == 0) {
		setpgid(0, 0);
		if (fcntl(p[0], F_SETOWN, -getpid()) != 0)
			_exit(2);
		MUST(write(p[1], "x", 1) == 1);
		_exit(take().si_signo != SIGUSR1);
	}
	CHECK(waitpid(c, &st, 0) == c && st == 0);
	CHECK(none());
	close(p[0]);
	close(p[1]);
}

static int shared[2];

static void *thread(void *arg)
{
	struct f_owner_ex ex = {F_OWNER_TID, syscall(SYS_gettid)};
	MUST(fcntl(shared[0], F_SETOWN_EX, &ex) == 0);
	MUST(write(shared[1], "x", 1) == 1);
	*(int *)arg = take().si_signo;
	return NULL;
}

static void threads(void)
{
	int no = 0;
	pthread_t t;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, shared) == 0);
	CHECK(fcntl(shared[0], F_SETFL, O_ASYNC) == 0 && fcntl(shared[0], F_SETSIG, SIGRTMIN + 1) == 0);
	MUST(pthread_create(&t, NULL, thread, &no) == 0 && pthread_join(t, NULL) == 0);
	CHECK(no == SIGRTMIN + 1);
	close(shared[0]);
	close(shared[1]);
}

static void leases(void)
{
	int st;
	put("leased", "text");
	int fd = open("leased", O_RDONLY);
	CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK);
	CHECK(fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_GETLEASE) == F_WRLCK);
	pid_t c = fork();
	if (c == 0)
		_exit(open("leased", O_WRONLY) < 0);
	CHECK(take().si_signo == SIGIO);
	CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	CHECK(waitpid(c, &st, 0) == c && st == 0);
	close(fd);
}

static void notifies(void)
{
	MUST(mkdir("dir", 0755) == 0);
	int fd = open("dir", O_RDONLY);
	CHECK(fcntl(fd, F_SETSIG, SIGRTMIN + 2) == 0 && fcntl(fd, F_NOTIFY, DN_CREATE) == 0);
	put("dir/new", "");
	siginfo_t si = take();
	CHECK(si.si_signo == SIGRTMIN + 2 && si.si_fd == fd);
	/* What a call causes is there when it returns. */
	CHECK(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT) == 0);
	int late = 0;
	for (int i = 0; i < 300; i++) {
		sigset_t now;
		MUST(chmod("dir/new", 0600 + i % 8) == 0 && sigpending(&now) == 0);
		late += !sigismember(&now, SIGRTMIN + 2);
		MUST(take().si_signo == SIGRTMIN + 2);
	}
	CHECK(late == 0);
	close(fd);
}

static void urgent(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	MUST(bind(l, (void *)&a, n) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&a, &n) == 0);
	MUST(connect(c, (void *)&a, n) == 0);
	int s = accept(l, NULL, NULL);
	CHECK(fcntl(s, F_SETOWN, getpid()) == 0);
	MUST(send(c, "!", 1, MSG_OOB) == 1);
	CHECK(take().si_signo == SIGURG);
	char b = 0;
	CHECK(recv(s, &b, 1, MSG_OOB) == 1 && b == '!');
	close(s);
	close(c);
	close(l);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	alarm(60);
	sigemptyset(&all);
	sigaddset(&all, SIGIO);
	sigaddset(&all, SIGURG);
	sigaddset(&all, SIGUSR1);
	for (int i = 0; i < 3; i++)
		sigaddset(&all, SIGRTMIN + i);
	sigprocmask(SIG_BLOCK, &all, NULL);
	owners();
	pipes();
	groups();
	threads();
	leases();
	notifies();
	urgent();
	return done();
}
