/* Sockets of one process with itself. */
#include "t.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void pairs(void)
{
	int s[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	char b[100] = {0}, c[4] = {0};
	struct iovec out[2] = {{"hello ", 6}, {"world", 5}}, in[2] = {{c, 3}, {b, 50}};
	CHECK(writev(s[0], out, 2) == 11 && readv(s[1], in, 2) == 11 && !memcmp(c, "hel", 3) && !memcmp(b, "lo world", 8));
	int p[2];
	MUST(pipe(p) == 0);
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof p)]; } u = {0};
	struct msghdr m = {.msg_iov = out, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof p);
	memcpy(CMSG_DATA(h), p, sizeof p);
	CHECK(sendmsg(s[0], &m, 0) == 6);
	memset(&u, 0, sizeof u);
	struct msghdr r = {.msg_iov = in + 1, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	CHECK(recvmsg(s[1], &r, MSG_CMSG_CLOEXEC) == 6);
	h = CMSG_FIRSTHDR(&r);
	CHECK(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof p) && CMSG_NXTHDR(&r, h) == NULL);
	int q[2];
	memcpy(q, CMSG_DATA(h), sizeof q);
	CHECK(write(q[1], "via", 3) == 3 && read(p[0], b, 10) == 3 && (fcntl(q[0], F_GETFD) & FD_CLOEXEC));
	struct ucred cred;
	socklen_t n = sizeof cred;
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && cred.pid == getpid() && n == sizeof cred);
	struct timeval tv = {0, 10000}, got;
	n = sizeof got;
	CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0 && getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &n) == 0 && got.tv_usec >= 10000);
	ERR(EAGAIN, recv(s[0], b, 1, 0));
	int avail = 0;
	CHECK(send(s[0], "12345", 5, MSG_NOSIGNAL) == 5 && ioctl(s[1], FIONREAD, &avail) == 0 && avail == 5);
	CHECK(recv(s[1], b, 2, MSG_PEEK) == 2 && recv(s[1], b, 10, 0) == 5);
	CHECK(shutdown(s[0], SHUT_WR) == 0 && read(s[1], b, 1) == 0);
	ERR(EPIPE, send(s[0], "x", 1, MSG_NOSIGNAL));
	put("data", "sendfile source");
	int fd = open("data", O_RDONLY);
	off_t off = 4;
	CHECK(sendfile(p[1], fd, &off, 5) == 5 && off == 9 && read(p[0], b, 10) == 5 && !memcmp(b, "file ", 5));
}

static void local(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"}, peer;
	socklen_t n = sizeof peer;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(l, (void *)&a, sizeof a) == 0 && listen(l, 5) == 0 && connect(c, (void *)&a, sizeof a) == 0);
	int s = accept(l, (void *)&peer, &n);
	CHECK(s >= 0 && peer.sun_family == AF_UNIX);
	n = sizeof peer;
	CHECK(getpeername(c, (void *)&peer, &n) == 0 && strcmp(peer.sun_path, "sock") == 0);
	CHECK(n == offsetof(struct sockaddr_un, sun_path) + 5);
	struct stat st;
	CHECK(stat("sock", &st) == 0 && S_ISSOCK(st.st_mode) && unlink("sock") == 0);
	ERR(ENOENT, connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a));
	int d[2];
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, d) == 0);
	struct iovec v[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
	struct mmsghdr mm[3] = {0};
	for (int i = 0; i < 3; i++)
		mm[i].msg_hdr.msg_iov = &v[i], mm[i].msg_hdr.msg_iovlen = 1;
	CHECK(sendmmsg(d[0], mm, 3, 0) == 3 && mm[2].msg_len == 3);
	char b[3][10];
	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){b[i], 2};
	CHECK(recvmmsg(d[1], mm, 3, MSG_DONTWAIT, NULL) == 3 && mm[1].msg_len == 2 && (mm[2].msg_hdr.msg_flags & MSG_TRUNC));
}

static void inet(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b;
	socklen_t n = sizeof b;
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1, v = 0;
	CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(l, (void *)&a, sizeof a) == 0 && listen(l, 1) == 0);
	CHECK(getsockname(l, (void *)&a, &n) == 0 && n == sizeof a && ntohs(a.sin_port) > 1023);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(connect(c, (void *)&a, sizeof a) == 0 || errno == EINPROGRESS);
	n = sizeof b;
	int s = accept4(l, (void *)&b, &n, SOCK_CLOEXEC);
	CHECK(s >= 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	struct pollfd p = {c, POLLOUT, 0};
	CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLOUT);
	n = sizeof v;
	CHECK(getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n) == 0 && v == 0);
	CHECK(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 && getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, &n) == 0 && v != 0);
	struct linger lg = {1, 5}, lo;
	n = sizeof lo;
	CHECK(setsockopt(c, SOL_SOCKET, SO_LINGER, &lg, sizeof lg) == 0 && getsockopt(c, SOL_SOCKET, SO_LINGER, &lo, &n) == 0 && lo.l_linger == 5);
	char buf[20];
	ERR(EAGAIN, recv(c, buf, 1, 0));
	CHECK(send(s, "tcp", 3, 0) == 3 && poll(&(struct pollfd){c, POLLIN, 0}, 1, 1000) == 1 && recv(c, buf, 20, 0) == 3);
	int u = socket(AF_INET, SOCK_DGRAM, 0), w = socket(AF_INET, SOCK_DGRAM, 0);
	a.sin_port = 0;
	n = sizeof a;
	CHECK(bind(u, (void *)&a, sizeof a) == 0 && getsockname(u, (void *)&a, &n) == 0);
	CHECK(sendto(w, "udp!", 4, 0, (void *)&a, sizeof a) == 4);
	n = sizeof b;
	CHECK(recvfrom(u, buf, 20, 0, (void *)&b, &n) == 4 && b.sin_family == AF_INET && n == sizeof b);
	CHECK(sendto(w, "udp again", 9, 0, (void *)&a, sizeof a) == 9);
	struct msghdr m = {.msg_iov = &(struct iovec){buf, 3}};
	CHECK(recvmsg(u, &m, MSG_PEEK | MSG_TRUNC) == 9 && m.msg_flags == MSG_TRUNC);
	m.msg_iovlen = 1;
	CHECK(recvmsg(u, &m, MSG_PEEK | MSG_TRUNC) == 9 && m.msg_flags == MSG_TRUNC && memcmp(buf, "udp", 3) == 0);
	CHECK(recv(u, NULL, 0, MSG_PEEK | MSG_TRUNC) == 9);
	CHECK(recv(u, buf, 3, MSG_TRUNC) == 9);
	CHECK(send(s, "tcp again", 9, 0) == 9 && poll(&(struct pollfd){c, POLLIN, 0}, 1, 1000) == 1);
	CHECK(recv(c, buf, 4, MSG_TRUNC | MSG_WAITALL) == 4);
	ERR(EAFNOSUPPORT, socket(77, SOCK_STREAM, 0));
	ERR(ENOTSOCK, getsockname(0, (void *)&b, &n));
	struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *ai = NULL;
	CHECK(getaddrinfo("127.0.0.1", "80", &hint, &ai) == 0 && ai->ai_family == AF_INET && ((struct sockaddr_in *)ai->ai_addr)->sin_port == htons(80));
	freeaddrinfo(ai);
	char text[64];
	struct in6_addr six;
	CHECK(inet_pton(AF_INET6, "fe80::1:2", &six) == 1 && strcmp(inet_ntop(AF_INET6, &six, text, sizeof text), "fe80::1:2") == 0);
	CHECK(if_nametoindex("lo") > 0);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	pairs();
	local();
	inet();
	return done();
}
