/* Files, directories, pipes and polls, in the current directory. */
#include "utemu.h"
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <asm/stat.h>
#include <linux/stat.h>
#include <linux/time_types.h>

struct dirent64 { uint64_t ino; int64_t off; uint16_t reclen; uint8_t type; char name[]; };

static int has(const char *name)
{
	static char buf[4096] __attribute__((aligned(8)));
	int fd = sc(__NR_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0), found = 0;
	for (word n; (n = sc(__NR_getdents64, fd, buf, sizeof buf)) > 0;)
		for (char *p = buf; p < buf + n; p += ((struct dirent64 *)p)->reclen)
			found |= equal(((struct dirent64 *)p)->name, name);
	sc(__NR_close, fd);
	return found;
}

int program(word *sp)
{
	static char buf[64];
	static struct statx st;
	int failed = 0, pp[2];
	int fd = sc(__NR_openat, AT_FDCWD, "utemu-file", O_RDWR | O_CREAT | O_TRUNC, 0640);
	CHECK("create", fd >= 0);
	CHECK("write", sc(__NR_write, fd, "hello, file", 11) == 11);
	CHECK("exclusive", sc(__NR_openat, AT_FDCWD, "utemu-file", O_RDWR | O_CREAT | O_EXCL, 0600) == -17);
	CHECK("not a directory", sc(__NR_openat, AT_FDCWD, "utemu-file", O_RDONLY | O_DIRECTORY, 0) == -20);
	struct iovec { void *p; size_t n; } v[2] = {{buf, 5}, {buf + 10, 20}};
	sc(__NR_lseek, fd, 0, 0);
	CHECK("readv", sc(__NR_readv, fd, v, 2) == 11 && buf[4] == 'o' && buf[12] == 'f');
	CHECK("statx", sc(__NR_statx, AT_FDCWD, "utemu-file", 0, STATX_BASIC_STATS, &st) == 0 && st.stx_size == 11 && (st.stx_mode & 0777) == 0640);
	CHECK("listed", has("utemu-file"));
	CHECK("unlink", sc(__NR_unlinkat, AT_FDCWD, "utemu-file", 0) == 0 && !has("utemu-file"));
	CHECK("gone", sc(__NR_openat, AT_FDCWD, "utemu-file", O_RDONLY, 0) == -2);
	CHECK("bad pointer", sc(__NR_openat, AT_FDCWD, 16, O_RDONLY, 0) == -14);
#ifdef __NR_pipe
	sc(__NR_pipe, pp);
#else
	sc(__NR_pipe2, pp, 0);
#endif
	struct pollfd { int fd; short events, revents; } pf = {pp[0], POLLIN, 0};
	struct __kernel_timespec zero = {0, 0};
#ifdef __NR_ppoll_time64
#define PPOLL __NR_ppoll_time64
#else
#define PPOLL __NR_ppoll
#endif
	CHECK("nothing to read", sc(PPOLL, &pf, 1, &zero, 0, 8) == 0);
	sc(__NR_write, pp[1], "x", 1);
	CHECK("something to read", sc(PPOLL, &pf, 1, &zero, 0, 8) == 1 && pf.revents == POLLIN);
	sc(__NR_close, pp[1]);
	CHECK("read", sc(__NR_read, pp[0], buf, 10) == 1 && buf[0] == 'x');
	CHECK("end of file", sc(__NR_read, pp[0], buf, 10) == 0);
	CHECK("hang up", sc(PPOLL, &pf, 1, &zero, 0, 8) == 1 && pf.revents == POLLHUP);
	return failed;
}
