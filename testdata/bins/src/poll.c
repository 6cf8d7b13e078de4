/* Pipes, and the four ways to wait for them. */
#include "utemu.h"
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/eventpoll.h>
#include <linux/time_types.h>
#include <asm/ioctls.h>

enum { EAGAIN = 11, EBADF = 9, EINVAL = 22, EEXIST = 17, ENOENT = 2 };

#ifdef __NR_ppoll_time64
#define PPOLL __NR_ppoll_time64
#define PSELECT __NR_pselect6_time64
#else
#define PPOLL __NR_ppoll
#define PSELECT __NR_pselect6
#endif

static struct __kernel_timespec zero;

static int ready(int fd, int events)
{
	struct pollfd p = {fd, events, 0};
	return sc(PPOLL, &p, 1, &zero, 0, 8) < 0 ? -1 : p.revents;
}

static int selected(int fd, int n)
{
	unsigned long in[16] = {0};
	in[fd / (8 * sizeof *in)] = 1ul << fd % (8 * sizeof *in);
	word r = sc(PSELECT, n, in, 0, 0, &zero, 0);
	return r < 0 ? r : in[fd / (8 * sizeof *in)] != 0;
}

static int waited(int ep, struct epoll_event *e, int n)
{
	return sc(__NR_epoll_pwait, ep, e, n, 0, 0, 8);
}

int program(word *sp)
{
	static char buf[65536];
	int failed = 0, p[2], n = 0;
	CHECK("bad flags", sc(__NR_pipe2, p, 0x123) == -EINVAL);
	CHECK("pipe", sc(__NR_pipe2, p, O_NONBLOCK | O_CLOEXEC) == 0);
	CHECK("flags", (sc(__NR_fcntl, p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK) && sc(__NR_fcntl, p[0], F_GETFD) == FD_CLOEXEC);
	CHECK("empty", sc(__NR_read, p[0], buf, 1) == -EAGAIN && ready(p[0], POLLIN) == 0 && ready(p[1], POLLOUT) == POLLOUT);
	CHECK("not to be written", sc(__NR_write, p[0], buf, 1) == -EBADF);
	CHECK("full", sc(__NR_write, p[1], buf, 65536) == 65536 && sc(__NR_write, p[1], buf, 1) == -EAGAIN && ready(p[1], POLLOUT) == 0);
	CHECK("bytes to read", sc(__NR_ioctl, p[0], FIONREAD, &n) == 0 && n == 65536);
	CHECK("drained", sc(__NR_read, p[0], buf, 65536) == 65536 && sc(__NR_read, p[0], buf, 1) == -EAGAIN);

	int d = sc(__NR_dup3, p[1], 100, O_CLOEXEC);
	CHECK("dup3", d == 100 && sc(__NR_dup3, p[1], p[1], 0) == -EINVAL);
	CHECK("lowest free", sc(__NR_dup, p[1]) == p[1] + 1 && sc(__NR_close, p[1] + 1) == 0 && sc(__NR_fcntl, p[1], F_DUPFD, 50) == 50);

	int ep = sc(__NR_epoll_create1, 0);
	struct epoll_event e = {EPOLLIN, 0x1122334455667788ULL}, got[4];
	CHECK("epoll", ep > 0 && sc(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e) == 0 && waited(ep, got, 4) == 0);
	CHECK("epoll, twice", sc(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e) == -EEXIST);
	CHECK("epoll, unknown", sc(__NR_epoll_ctl, ep, EPOLL_CTL_MOD, p[1], &e) == -ENOENT);
	CHECK("epoll, itself", sc(__NR_epoll_ctl, ep, EPOLL_CTL_ADD, ep, &e) == -EINVAL);
	sc(__NR_write, 100, "abc", 3);
	CHECK("poll", ready(p[0], POLLIN | POLLPRI) == POLLIN);
	CHECK("select", selected(p[0], p[0] + 1) == 1 && selected(p[0], p[0]) == 0);
	CHECK("select, closed", selected(99, 128) == -EBADF);
	CHECK("epoll event", waited(ep, got, 4) == 1 && got[0].events == EPOLLIN && got[0].data == e.data);
	e.events = EPOLLIN | EPOLLET;
	CHECK("epoll, by edge", sc(__NR_epoll_ctl, ep, EPOLL_CTL_MOD, p[0], &e) == 0 && waited(ep, got, 4) == 1 && waited(ep, got, 4) == 0);
	CHECK("poll, closed", ready(99, POLLIN) == POLLNVAL);
	CHECK("poll, none", ready(-1, POLLIN) == 0);

	uint64_t count = 5;
	int ev = sc(__NR_eventfd2, 3, O_NONBLOCK);
	CHECK("eventfd", ev > 0 && sc(__NR_write, ev, &count, 8) == 8 && sc(__NR_read, ev, &count, 8) == 8 && count == 8 && sc(__NR_read, ev, &count, 8) == -EAGAIN);
	CHECK("eventfd, short", sc(__NR_read, ev, &count, 4) == -EINVAL);

	sc(__NR_read, p[0], buf, 100);
	sc(__NR_close, p[1]);
	sc(__NR_close, 50);
	CHECK("a writer is left", sc(__NR_read, p[0], buf, 1) == -EAGAIN);
	sc(__NR_close, 100);
	CHECK("no writer is left", sc(__NR_read, p[0], buf, 1) == 0 && ready(p[0], POLLIN) == POLLHUP);
	return failed;
}
