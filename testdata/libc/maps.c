/* mmap and its kin as the library gives them. */
#include "t.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096
static char *anon(size_t n) { return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static void remapping(void)
{
	char *p = anon(5 * PAGE);
	for (int i = 0; i < 4; i++)
		p[i * PAGE] = 'a' + i;
	char *wall = mmap(p + 4 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(wall == p + 4 * PAGE);
	ERR(ENOMEM, (intptr_t)mremap(p, 4 * PAGE, 8 * PAGE, 0));
	char *q = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p && q[3 * PAGE] == 'd' && q[63 * PAGE] == 0);
	unsigned char in[4];
	ERR(ENOMEM, mincore(p, 4 * PAGE, in));
	CHECK(mremap(q, 64 * PAGE, 2 * PAGE, 0) == q && q[PAGE] == 'b');
	char *to = anon(8 * PAGE);
	CHECK(mremap(q, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE && to[PAGE] == 'a' && to[2 * PAGE] == 'b');
	CHECK(munmap(to, 8 * PAGE) == 0);
}

static void files(void)
{
	put("file", "0123456789");
	int fd = open("file", O_RDWR);
	MUST(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0);
	char *s = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *o = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
	MUST(s != MAP_FAILED && p != MAP_FAILED && o != MAP_FAILED);
	s[2 * PAGE + 5] = 'x';
	s[1] = 'S';
	p[2] = 'P';
	char b[10];
	CHECK(o[5] == 'x' && p[1] == 'S' && pread(fd, b, 10, 0) == 10 && memcmp(b, "0S23456789", 10) == 0);
	CHECK(pwrite(fd, "W", 1, 2) == 1 && s[2] == 'W' && p[2] == 'P');
	CHECK(msync(s, 3 * PAGE, MS_SYNC) == 0 && munmap(p + PAGE, PAGE) == 0);
	CHECK(read(fd, s + PAGE, 10) == 10 && s[PAGE] == '0');
	close(fd);
	CHECK(unlink("file") == 0 && s[2] == 'W');
	fd = open("/dev/zero", O_RDWR);
	char *z = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(z != MAP_FAILED && z[100] == 0 && (z[100] = 1));
	close(fd);
	ERR(EBADF, (intptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0));
	ERR(EINVAL, (intptr_t)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void rights(void)
{
	char *p = anon(3 * PAGE);
	int pp[2];
	MUST(pipe(pp) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	ERR(EFAULT, write(pp[1], "x", 1) == 1 ? read(pp[0], p + PAGE, 1) : 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	ERR(EFAULT, write(pp[1], p + PAGE, 1));
	CHECK(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE) == 0 && (p[PAGE] = 1));
	ERR(EINVAL, mprotect(p + 1, PAGE, PROT_READ));
	CHECK(munmap(p + PAGE, PAGE) == 0);
	ERR(ENOMEM, mprotect(p, 3 * PAGE, PROT_READ));
	CHECK(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED) == 0);
	ERR(EEXIST, (intptr_t)mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	CHECK(mlock(p, PAGE) == 0 || errno == ENOMEM || errno == EPERM);
	CHECK(munlock(p, PAGE) == 0);
	int fd = memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	MUST(fd >= 0 && ftruncate(fd, PAGE) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	ERR(EPERM, write(fd, "x", 1));
	ERR(EPERM, (intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static void many(void)
{
	char *p[500];
	int ok = 1;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 500; i++) {
			p[i] = anon((i % 7 + 1) * PAGE);
			p[i][(i % 7) * PAGE] = i;
		}
		for (int i = 0; i < 500; i += 2)
			munmap(p[i], (i % 7 + 1) * PAGE);
		for (int i = 1; i < 500; i += 2) {
			ok &= p[i][(i % 7) * PAGE] == (char)i;
			munmap(p[i], (i % 7 + 1) * PAGE);
		}
	}
	CHECK(ok);
}

static void hole(void)
{
	char *p = anon(1 << 20);
	for (int i = 0; i < 1 << 20; i += PAGE)
		p[i] = i / PAGE;
	int ok = 1;
	for (int i = 1; i < 256; i += 2)
		ok &= mprotect(p + i * PAGE, PAGE, PROT_READ) == 0;
	for (int i = 0; i < 256; i++)
		ok &= p[i * PAGE] == (char)i;
	CHECK(ok && munmap(p, 1 << 20) == 0);
}

/* lockedKB is VmLck of /proc/self/status. */
static int lockedKB(void)
{
	char line[200];
	int n = -1;
	FILE *f = fopen("/proc/self/status", "r");
	MUST(f != NULL);
	while (fgets(line, sizeof line, f))
		sscanf(line, "VmLck: %d", &n);
	fclose(f);
	return n;
}

static void locks(void)
{
	unsigned char in[4];
	int st;
	char *p = anon(4 * PAGE);
	CHECK(lockedKB() == 0);
	CHECK(mlock(p + 1, 2 * PAGE) == 0 && lockedKB() == 12);
	CHECK(mincore(p, 4 * PAGE, in) == 0 && in[0] & in[1] & in[2] & 1);
	CHECK(mlock(p, PAGE) == 0 && lockedKB() == 12);
	pid_t c = fork();
	if (c == 0)
		_exit(lockedKB());
	CHECK(waitpid(c, &st, 0) == c && st == 0);
	CHECK(munlock(p + PAGE, PAGE) == 0 && lockedKB() == 8);
	int advices[] = {MADV_DONTNEED, MADV_FREE, MADV_REMOVE, 20 /* MADV_COLD */, 21 /* MADV_PAGEOUT */};
	for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++)
		ERR(EINVAL, madvise(p, PAGE, advices[i]));
	CHECK(madvise(p + PAGE, PAGE, MADV_DONTNEED) == 0 && madvise(p, PAGE, 24 /* MADV_DONTNEED_LOCKED */) == 0);
	char path[40];
	int fd = memfd_create("shared", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int ro = open(path, O_RDONLY);
	MUST(ro >= 0 && write(fd, "text", 4) == 4);
	char *w = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), *r = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	CHECK(w[0] == 't' && r[0] == 't');
	ERR(EACCES, madvise(r, PAGE, MADV_REMOVE));
	CHECK(madvise(w, PAGE, MADV_REMOVE) == 0 && w[0] == 0 && r[0] == 0);
	close(fd);
	close(ro);
	ERR(EBUSY, msync(p, 4 * PAGE, MS_SYNC | MS_INVALIDATE));
	CHECK(msync(p, 4 * PAGE, MS_SYNC) == 0 && msync(p + PAGE, PAGE, MS_ASYNC | MS_INVALIDATE) == 0);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	CHECK(q != MAP_FAILED && lockedKB() == 12);
	CHECK(munlockall() == 0 && lockedKB() == 0);
	ERR(ENOMEM, mlock((char *)0x1000, PAGE));
	ERR(EINVAL, mlockall(0));
}

/* most makes as many mappings as the kernel allows, if that does not take too
 * long. */
static void most(void)
{
	long max = 0, n = 0;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	MUST(f != NULL && fscanf(f, "%ld", &max) == 1 && fclose(f) == 0);
	size_t room = (max <= 100000 ? max : 0) * 4 * PAGE + 4 * PAGE;
	char *base = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p = base;
	MUST(base != MAP_FAILED && munmap(base, room) == 0);
	for (; p < base + room; p += 4 * PAGE, n++)
		if (mmap(p, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p)
			break;
	int full = errno == ENOMEM && n < max;
	p -= 4 * PAGE;
	int e = munmap(p + PAGE, PAGE) ? errno : 0, e2 = mprotect(p + PAGE, PAGE, PROT_READ) ? errno : 0;
	MUST(munmap(p, PAGE) == 0 && munmap(base, PAGE) == 0);
	int all = mprotect(p + PAGE, 2 * PAGE, PROT_READ) == 0;
	MUST(munmap(base, room) == 0);
	CHECK(all && (max > 100000 || full && e == ENOMEM && e2 == ENOMEM));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	remapping();
	files();
	rights();
	many();
	hole();
	locks();
	most();
	return done();
}
