/* Memory and files through pipes. */
#include "t.h"

#include <sys/uio.h>

static char from[1 << 18] __attribute__((aligned(4096))), to[1 << 18];

int main(int argc, char **argv)
{
	int p[2];
	enter(argc, argv);
	for (int i = 0; i < sizeof from; i++)
		from[i] = i % 251;
	MUST(pipe(p) == 0);
	struct iovec v = {from, sizeof from};
	int room = fcntl(p[0], F_GETPIPE_SZ), n;
	CHECK(room > 0 && room < sizeof from);
	/* What does not fit is not waited for. */
	CHECK((n = vmsplice(p[1], &v, 1, 0)) == room);
	ERR(EAGAIN, vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK));
	int fd = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
	CHECK(splice(p[0], NULL, fd, NULL, n, 0) == n);
	CHECK(pread(fd, to, n, 0) == n && memcmp(from, to, n) == 0);
	MUST(write(p[1], "hello", 5) == 5);
	memset(to, 0, 10);
	v = (struct iovec){to, 10};
	CHECK(vmsplice(p[0], &v, 1, 0) == 5 && memcmp(to, "hello", 6) == 0);
	ERR(EAGAIN, vmsplice(p[0], &v, 1, SPLICE_F_NONBLOCK));
	ERR(EBADF, vmsplice(fd, &v, 1, 0));
	return done();
}
