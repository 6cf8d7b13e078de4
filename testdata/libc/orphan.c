/* What a process holds goes when it ends, though its children live on: ends of
   pipes and sockets, and locks. */
#include "t.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	int sync[2], pair[2], hold[2];
	char name[] = "/tmp/orphanXXXXXX", c;
	int fd = mkstemp(name);
	CHECK(fd >= 0);
	int again = open(name, O_RDWR);
	CHECK(again >= 0 && unlink(name) == 0);
	CHECK(pipe(sync) == 0 && pipe(hold) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	CHECK(fcntl(again, F_SETLK, &l) == 0);
	pid_t p = fork();
	CHECK(p >= 0);
	if (p > 0) {
		int mine = open("/proc/self/exe", O_RDONLY); /* a lock of this process alone */
		CHECK(mine >= 0 && flock(mine, LOCK_EX) == 0);
		CHECK(write(sync[1], "x", 1) == 1);
		close(hold[0]);
		usleep(100000);
		_exit(0);
	}
	CHECK(close(pair[0]) == 0 && close(hold[1]) == 0);
	CHECK(read(sync[0], &c, 1) == 1);
	CHECK(fcntl(again, F_SETLK, &l) == -1);
	struct pollfd f = {pair[1], POLLIN, 0};
	CHECK(poll(&f, 1, 30000) == 1 && (f.revents & POLLHUP));
	CHECK(read(hold[0], &c, 1) == 0);
	CHECK(fcntl(again, F_SETLKW, &l) == 0);
	int other = open("/proc/self/exe", O_RDONLY);
	CHECK(other >= 0 && flock(other, LOCK_EX) == 0);
	printf("orphan\n");
	return 0;
}
