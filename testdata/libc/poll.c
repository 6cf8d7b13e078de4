/* Waiting for descriptors: select, poll, epoll, eventfd, timerfd. */
#include "t.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void pipes(void)
{
	int p[2], n;
	char b[8];
	CHECK(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0 && (fcntl(p[0], F_GETFL) & O_NONBLOCK) && fcntl(p[1], F_GETFD) == FD_CLOEXEC);
	ERR(EAGAIN, read(p[0], b, 1));
	CHECK(write(p[1], "abc", 3) == 3 && ioctl(p[0], FIONREAD, &n) == 0 && n == 3);
	CHECK(read(p[0], b, 8) == 3);
	n = 0;
	static char block[4096];
	while (write(p[1], block, sizeof block) == sizeof block)
		n++;
	CHECK(n > 0 && n * 4096 == fcntl(p[1], F_GETPIPE_SZ));
	CHECK(close(p[0]) == 0 && signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	ERR(EPIPE, write(p[1], "x", 1));
	close(p[1]);
	ERR(EINVAL, pipe2(p, 1));
}

static void selects(void)
{
	int p[2];
	MUST(pipe(p) == 0);
	int hi = fcntl(p[0], F_DUPFD, 200);
	fd_set r, w;
	FD_ZERO(&r); FD_SET(hi, &r), FD_SET(p[0], &r);
	FD_ZERO(&w); FD_SET(p[1], &w);
	struct timeval tv = {0, 20000};
	CHECK(select(hi + 1, &r, &w, NULL, &tv) == 1 && !FD_ISSET(hi, &r) && FD_ISSET(p[1], &w));
	FD_ZERO(&r); FD_SET(hi, &r);
	int64_t t = now();
	tv = (struct timeval){0, 20000};
	CHECK(select(hi + 1, &r, NULL, NULL, &tv) == 0 && !FD_ISSET(hi, &r) && now() - t >= 20000000 && tv.tv_sec == 0 && tv.tv_usec == 0);
	MUST(write(p[1], "x", 1) == 1);
	FD_ZERO(&r); FD_SET(hi, &r), FD_SET(p[0], &r);
	CHECK(select(hi + 1, &r, NULL, NULL, NULL) == 2 && FD_ISSET(hi, &r) && FD_ISSET(p[0], &r));
	struct timespec ts = {0, 0};
	sigset_t s;
	sigemptyset(&s);
	FD_ZERO(&r); FD_SET(hi, &r);
	CHECK(pselect(hi + 1, &r, NULL, NULL, &ts, &s) == 1);
	close(hi);
	FD_ZERO(&r); FD_SET(hi, &r);
	ERR(EBADF, select(hi + 1, &r, NULL, NULL, NULL));
	ERR(EINVAL, select(-1, NULL, NULL, NULL, NULL));
	tv = (struct timeval){-1, 0};
	ERR(EINVAL, select(0, NULL, NULL, NULL, &tv));
	struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT | POLLIN, 0}, {-1, POLLIN, 7}};
	CHECK(poll(f, 3, -1) == 2 && f[0].revents == POLLIN && f[1].revents == POLLOUT && f[2].revents == 0);
	f[0].fd = 999;
	CHECK(poll(f, 1, -1) == 1 && f[0].revents == POLLNVAL);
	f[0].fd = p[0];
	close(p[1]);
	CHECK(ppoll(f, 1, &ts, &s) == 1 && f[0].revents == (POLLIN | POLLHUP));
	char c;
	CHECK(read(p[0], &c, 1) == 1 && poll(f, 1, 0) == 1 && f[0].revents == POLLHUP && read(p[0], &c, 1) == 0);
	close(p[0]);
	t = now();
	CHECK(poll(NULL, 0, 15) == 0 && now() - t >= 15000000);
}

/* One wait tells of all that is ready. */
static void many_epolled(void)
{
	enum { N = 400 };
	int e = epoll_create1(0), c = eventfd(1, 0), fd[N], seen = 0;
	static struct epoll_event out[N + 8];
	static char told[N];
	MUST(e >= 0 && c >= 0);
	for (int i = 0; i < N; i++) {
		struct epoll_event ev = {EPOLLIN, {.u32 = i}};
		MUST((fd[i] = dup(c)) >= 0 && epoll_ctl(e, EPOLL_CTL_ADD, fd[i], &ev) == 0);
	}
	CHECK(epoll_wait(e, out, N + 8, -1) == N);
	for (int i = 0; i < N; i++)
		told[out[i].data.u32 % N] = 1;
	for (int i = 0; i < N; i++)
		seen += told[i];
	CHECK(seen == N);
	for (int i = 0; i < N; i++)
		MUST((i % 2 ? 0 : epoll_ctl(e, EPOLL_CTL_DEL, fd[i], NULL)) == 0 && close(fd[i]) == 0);
	close(c);
	CHECK(epoll_wait(e, out, N, 0) == 0);
	close(e);
}

static void epolls(void)
{
	int p[2], e = epoll_create1(EPOLL_CLOEXEC);
	MUST(e >= 0 && pipe(p) == 0);
	struct epoll_event ev = {EPOLLIN, {.u64 = 0x123456789abcdef0ull}}, out[4];
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev) == 0);
	ERR(EEXIST, epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
	ev = (struct epoll_event){EPOLLOUT | EPOLLET, {.u64 = 7}};
	CHECK(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &ev) == 0);
	CHECK(epoll_wait(e, out, 4, -1) == 1 && out[0].data.u64 == 7 && out[0].events == EPOLLOUT);
	CHECK(epoll_wait(e, out, 4, 0) == 0);
	MUST(write(p[1], "x", 1) == 1);
	CHECK(epoll_wait(e, out, 1, 100) == 1 && out[0].data.u64 == 0x123456789abcdef0ull && out[0].events == EPOLLIN);
	ev = (struct epoll_event){EPOLLIN | EPOLLONESHOT, {.u32 = 9}};
	CHECK(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev) == 0 && epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL) == 0);
	sigset_t s;
	sigemptyset(&s);
	CHECK(epoll_pwait(e, out, 4, 100, &s) == 1 && out[0].data.u32 == 9);
	CHECK(epoll_wait(e, out, 4, 0) == 0);
	ERR(ENOENT, epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
	ERR(EINVAL, epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
	ERR(EBADF, epoll_ctl(e, EPOLL_CTL_ADD, 999, &ev));
	put("regular", "x");
	ERR(EPERM, epoll_ctl(e, EPOLL_CTL_ADD, open("regular", O_RDONLY), &ev));
	ERR(EINVAL, epoll_wait(e, out, 0, 0));
	ERR(EINVAL, epoll_wait(p[0], out, 1, 0));
	ERR(EINVAL, epoll_create(0));
	ERR(EINVAL, epoll_create1(1));
}

static void events(void)
{
	uint64_t v;
	int e = eventfd(3, EFD_NONBLOCK);
	CHECK(read(e, &v, 8) == 8 && v == 3);
	ERR(EAGAIN, read(e, &v, 8));
	v = 1ull << 40;
	CHECK(write(e, &v, 8) == 8 && eventfd_read(e, &v) == 0 && v == 1ull << 40);
	v = UINT64_MAX;
	ERR(EINVAL, write(e, &v, 8));
	ERR(EINVAL, read(e, &v, 4));
	int s = eventfd(2, EFD_SEMAPHORE);
	CHECK(read(s, &v, 8) == 8 && v == 1);
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec it = {{0, 5000000}, {0, 10000000}}, got;
	int64_t t0 = now();
	CHECK(timerfd_settime(t, 0, &it, NULL) == 0 && timerfd_gettime(t, &got) == 0 && got.it_interval.tv_nsec == 5000000 && got.it_value.tv_nsec <= 10000000);
	CHECK(read(t, &v, 8) == 8 && v >= 1 && now() - t0 >= 10000000);
	CHECK(read(t, &v, 8) == 8 && v >= 1 && now() - t0 >= 15000000);
	it = (struct itimerspec){{0, 0}, {0, 0}};
	CHECK(timerfd_settime(t, 0, &it, &got) == 0 && got.it_interval.tv_nsec == 5000000);
	struct timespec abs;
	clock_gettime(CLOCK_MONOTONIC, &abs);
	it.it_value = abs;
	it.it_value.tv_nsec = 1;
	CHECK(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL) == 0 && read(t, &v, 8) == 8 && v == 1);
	it.it_value.tv_nsec = 1000000000;
	ERR(EINVAL, timerfd_settime(t, 0, &it, NULL));
	ERR(EINVAL, timerfd_create(99, 0));
	ERR(EINVAL, timerfd_gettime(e, &got));
}

static void signals(void)
{
	sigset_t s, old, pend;
	sigemptyset(&s), sigaddset(&s, SIGUSR1), sigaddset(&s, SIGRTMIN + 3);
	CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0 && !sigismember(&old, SIGUSR1));
	CHECK(kill(getpid(), SIGUSR1) == 0 && sigpending(&pend) == 0 && sigismember(&pend, SIGUSR1) && !sigismember(&pend, SIGUSR2));
	int fd = signalfd(-1, &s, SFD_NONBLOCK);
	struct signalfd_siginfo si;
	CHECK(read(fd, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR1 && si.ssi_pid == (uint32_t)getpid() && si.ssi_code == SI_USER);
	ERR(EAGAIN, read(fd, &si, sizeof si));
	union sigval v = {.sival_int = 4711};
	siginfo_t in;
	CHECK(sigqueue(getpid(), SIGRTMIN + 3, v) == 0 && sigwaitinfo(&s, &in) == SIGRTMIN + 3 && in.si_value.sival_int == 4711 && in.si_code == SI_QUEUE && in.si_uid == getuid());
	struct timespec ts = {0, 1000000};
	ERR(EAGAIN, sigtimedwait(&s, &in, &ts));
	int sig;
	CHECK(raise(SIGUSR1) == 0 && sigwait(&s, &sig) == 0 && sig == SIGUSR1);
	struct sigaction sa = {.sa_handler = SIG_IGN, .sa_flags = SA_RESTART}, sb;
	sigemptyset(&sa.sa_mask), sigaddset(&sa.sa_mask, SIGTERM);
	CHECK(sigaction(SIGUSR2, &sa, NULL) == 0 && sigaction(SIGUSR2, NULL, &sb) == 0 && sb.sa_handler == SIG_IGN && (sb.sa_flags & SA_RESTART) && sigismember(&sb.sa_mask, SIGTERM));
	CHECK(kill(0, 0) == 0 && raise(SIGUSR2) == 0);
	ERR(EINVAL, sigaction(SIGKILL, &sa, NULL));
	ERR(EINVAL, kill(getpid(), 999));
	stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536}, os;
	CHECK(sigaltstack(&ss, NULL) == 0 && sigaltstack(NULL, &os) == 0 && os.ss_sp == ss.ss_sp && os.ss_size == 65536 && os.ss_flags == 0);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0 && sigprocmask(SIG_SETMASK, NULL, &s) == 0 && !sigismember(&s, SIGUSR1));
	ERR(EINVAL, sigprocmask(99, &old, NULL));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	pipes();
	selects();
	epolls();
	many_epolled();
	events();
	signals();
	return done();
}
