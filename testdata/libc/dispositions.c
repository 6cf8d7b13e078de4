/* Signals without a handler: masks, pending ones, waiting, what is ignored. */
#include "t.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

static sigset_t one(int n)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, n);
	return s;
}

static void handler(int n) { (void)n; }

static void actions(void)
{
	struct sigaction a = {0}, o;
	a.sa_handler = handler;
	a.sa_flags = SA_RESTART | SA_NODEFER;
	sigaddset(&a.sa_mask, SIGUSR2);
	sigaddset(&a.sa_mask, SIGRTMIN + 5);
	CHECK(sigaction(SIGUSR1, &a, &o) == 0 && o.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGUSR1, NULL, &o) == 0 && o.sa_handler == handler);
	CHECK((o.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO)) == (SA_RESTART | SA_NODEFER));
	CHECK(sigismember(&o.sa_mask, SIGUSR2) && sigismember(&o.sa_mask, SIGRTMIN + 5) && !sigismember(&o.sa_mask, SIGUSR1));
	ERR(EINVAL, sigaction(SIGKILL, &a, NULL));
	ERR(EINVAL, sigaction(99, &a, NULL));
	CHECK(signal(SIGUSR1, SIG_IGN) == handler);
	CHECK(raise(SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0 && raise(SIGCHLD) == 0 && raise(SIGURG) == 0 && raise(SIGWINCH) == 0);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	CHECK(signal(SIGPIPE, SIG_IGN) == SIG_DFL);
	int p[2];
	MUST(pipe(p) == 0 && close(p[0]) == 0);
	ERR(EPIPE, write(p[1], "x", 1));
	close(p[1]);
	stack_t s, t;
	CHECK(sigaltstack(NULL, &s) == 0 && (s.ss_flags & SS_DISABLE));
	static char space[1 << 16];
	t = (stack_t){.ss_sp = space, .ss_size = sizeof space};
	CHECK(sigaltstack(&t, NULL) == 0 && sigaltstack(NULL, &s) == 0 && s.ss_sp == space && s.ss_size == sizeof space && s.ss_flags == 0);
	t.ss_size = 10;
	ERR(ENOMEM, sigaltstack(&t, NULL));
}

static void pending(void)
{
	sigset_t s = one(SIGUSR1), o, p;
	sigaddset(&s, SIGRTMIN + 1);
	sigaddset(&s, SIGTERM);
	CHECK(sigprocmask(SIG_BLOCK, &s, &o) == 0 && !sigismember(&o, SIGUSR1));
	CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0 && kill(getpid(), SIGTERM) == 0);
	CHECK(sigpending(&p) == 0 && sigismember(&p, SIGUSR1) && sigismember(&p, SIGTERM) && !sigismember(&p, SIGINT));
	siginfo_t i;
	CHECK(sigwaitinfo(&s, &i) == SIGUSR1 && i.si_signo == SIGUSR1 && i.si_pid == getpid() && i.si_uid == getuid());
	CHECK(sigtimedwait(&s, &i, &(struct timespec){0, 0}) == SIGTERM && i.si_code == SI_USER);
	ERR(EAGAIN, sigtimedwait(&s, &i, &(struct timespec){0, 1000000}));
	for (int k = 0; k < 3; k++)
		MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 70 + k}) == 0);
	for (int k = 0; k < 3; k++) {
		int r = sigwaitinfo(&s, &i);
		printf("queued %d %d %d\n", r == SIGRTMIN + 1, i.si_value.sival_int, i.si_code == SI_QUEUE);
	}
	int n;
	MUST(raise(SIGTERM) == 0);
	CHECK(sigwait(&s, &n) == 0 && n == SIGTERM);
	int fd = signalfd(-1, &s, SFD_NONBLOCK);
	struct signalfd_siginfo f;
	MUST(fd >= 0);
	ERR(EAGAIN, read(fd, &f, sizeof f));
	raise(SIGTERM);
	CHECK(read(fd, &f, sizeof f) == sizeof f && f.ssi_signo == SIGTERM && f.ssi_pid == (unsigned)getpid());
	close(fd);
	raise(SIGTERM);
	CHECK(signal(SIGTERM, SIG_IGN) == SIG_DFL && sigpending(&p) == 0 && !sigismember(&p, SIGTERM));
	CHECK(sigprocmask(SIG_SETMASK, &o, NULL) == 0);
	sigset_t all;
	sigfillset(&all);
	CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0 && sigprocmask(SIG_SETMASK, &o, &p) == 0);
	CHECK(!sigismember(&p, SIGKILL) && !sigismember(&p, SIGSTOP) && sigismember(&p, SIGHUP) && sigismember(&p, SIGRTMAX));
	ERR(EINVAL, sigprocmask(77, &o, NULL));
	printf("%s, %s, %s\n", strsignal(SIGSEGV), sigabbrev_np(SIGHUP), strsignal(200));
}

int main(void)
{
	actions();
	pending();
	return done();
}
