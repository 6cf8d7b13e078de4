/* Mappings of files: private and shared, past the end, over others, and what
   madvise, msync and mremap make of them. */
#include "utemu.h"
#include <linux/fcntl.h>
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(a, n, p, f, fd, page) ((char *)sc(__NR_mmap2, a, n, p, f, fd, page))
#else
#define MMAP(a, n, p, f, fd, page) ((char *)sc(__NR_mmap, a, n, p, f, fd, 4096l * (page)))
#endif
#define RW (PROT_READ | PROT_WRITE)
enum { EINVAL = 22, ENOMEM = 12, EACCES = 13, EBADF = 9, ENODEV = 19 };
#define FAILED(p, e) ((word)(p) == -(e))

static int fd;

static int at(int off)
{
	char c = -1;
	sc(__NR_lseek, fd, off, 0);
	return sc(__NR_read, fd, &c, 1) == 1 ? c : -1;
}

static void set(int off, char c)
{
	sc(__NR_lseek, fd, off, 0);
	sc(__NR_write, fd, &c, 1);
}

int program(word *sp)
{
	int failed = 0, ok;
	fd = sc(__NR_openat, AT_FDCWD, "utemu-map", O_RDWR | O_CREAT | O_TRUNC, 0600);
	sc(__NR_ftruncate, fd, 3 * 4096 + 100);
	set(0, 'a');
	set(4096, 'b');
	set(3 * 4096, 'd');
	char *priv = MMAP(0, 4 * 4096, RW, MAP_PRIVATE, fd, 0);
	CHECK("private", priv[0] == 'a' && priv[4096] == 'b' && priv[3 * 4096] == 'd' && priv[3 * 4096 + 100] == 0);
	priv[0] = 'x';
	CHECK("private written", at(0) == 'a' && priv[0] == 'x');
	char *shared = MMAP(0, 4 * 4096, RW, MAP_SHARED, fd, 0);
	shared[1] = 'y';
	shared[3 * 4096 + 99] = 'z';
	CHECK("shared written", at(1) == 'y' && at(3 * 4096 + 99) == 'z' && at(3 * 4096 + 100) == -1);
	set(4097, 'w');
	CHECK("file written", shared[4097] == 'w' && priv[4097] == 'w');
	shared[3 * 4096 + 200] = 'q';
	sc(__NR_ftruncate, fd, 3 * 4096 + 300);
	CHECK("msync", sc(__NR_msync, shared, 4 * 4096, MS_SYNC) == 0 && FAILED(sc(__NR_msync, shared + 1, 4096, MS_SYNC), EINVAL) && FAILED(sc(__NR_msync, shared, 4096, 64), EINVAL));
	char *off = MMAP(0, 4096, PROT_READ, MAP_PRIVATE, fd, 3);
	CHECK("at an offset", off[0] == 'd' && off[99] == 'z');
	CHECK("offset moved", (off = (char *)sc(__NR_mremap, off, 4096, 8192, MREMAP_MAYMOVE, 0)) && off[0] == 'd');

	char *over = MMAP(priv + 4096, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK("fixed over the middle", over == priv + 4096 && over[0] == 'a' && over[1] == 'y' && priv[0] == 'x' && priv[2 * 4096] == 0);
	CHECK("writing not allowed", FAILED(sc(__NR_read, fd, over, 1), 14));
	int ro = sc(__NR_openat, AT_FDCWD, "utemu-map", O_RDONLY, 0), wo = sc(__NR_openat, AT_FDCWD, "utemu-map", O_WRONLY, 0);
	CHECK("shared and read-only", FAILED(MMAP(0, 4096, RW, MAP_SHARED, ro, 0), EACCES));
	CHECK("private and read-only", !FAILED(MMAP(0, 4096, RW, MAP_PRIVATE, ro, 0), EACCES));
	CHECK("write-only", FAILED(MMAP(0, 4096, PROT_READ, MAP_PRIVATE, wo, 0), EACCES));
	char *s = MMAP(0, 4096, PROT_READ, MAP_SHARED, ro, 0);
	CHECK("mprotect of it", FAILED(sc(__NR_mprotect, s, 4096, RW), EACCES));
	CHECK("closed", FAILED(MMAP(0, 4096, PROT_READ, MAP_PRIVATE, 77, 0), EBADF));
	int dir = sc(__NR_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0);
	CHECK("a directory", FAILED(MMAP(0, 4096, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV));
	sc(__NR_close, fd);
	CHECK("file closed", shared[0] == 'a');
	fd = sc(__NR_openat, AT_FDCWD, "utemu-map", O_RDWR, 0);

	CHECK("dropped private pages", sc(__NR_madvise, priv, 4096, MADV_DONTNEED) == 0 && priv[0] == 'a');
	char *anon = MMAP(0, 4 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	anon[0] = anon[4096] = 1;
	CHECK("dropped pages", sc(__NR_madvise, anon, 4096, MADV_DONTNEED) == 0 && anon[0] == 0 && anon[4096] == 1);
	CHECK("madvise over a hole", sc(__NR_munmap, anon + 2 * 4096, 4096) == 0 && FAILED(sc(__NR_madvise, anon, 4 * 4096, MADV_NORMAL), ENOMEM));
	CHECK("madvise, unknown", FAILED(sc(__NR_madvise, anon, 4096, 999), EINVAL));
	unsigned char in[2] = {9, 9};
	CHECK("mincore", sc(__NR_mincore, anon, 8192, in) == 0 && (in[1] & 1) == 1 && FAILED(sc(__NR_mincore, anon + 2 * 4096, 4096, in), ENOMEM));
	char *to = MMAP(0, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved = (char *)sc(__NR_mremap, anon, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4096);
	ok = moved == to + 4096 && moved[4096] == 1;
	CHECK("moved to a place", ok && FAILED(sc(__NR_mprotect, anon, 4096, RW), ENOMEM));
	CHECK("moved onto itself", FAILED(sc(__NR_mremap, moved, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, moved + 4096), EINVAL));
	CHECK("mremap, to nothing", FAILED(sc(__NR_mremap, moved, 8192, 0, MREMAP_MAYMOVE, 0), EINVAL));
	char *twin = (char *)sc(__NR_mremap, shared, 0, 4096, MREMAP_MAYMOVE, 0);
	twin[5] = 't';
	CHECK("a second view", shared[5] == 't' && twin != shared);
	CHECK("unlink", sc(__NR_unlinkat, AT_FDCWD, "utemu-map", 0) == 0 && shared[0] == 'a');
	CHECK("unmapped whole", sc(__NR_munmap, priv, 4 * 4096) == 0 && FAILED(sc(__NR_mprotect, priv, 4096, RW), ENOMEM));
	return failed;
}
