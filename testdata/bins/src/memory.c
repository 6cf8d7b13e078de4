/* The rules of mmap, mremap, mprotect and brk. */
#include "utemu.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(a, n, p, f) sc(__NR_mmap2, a, n, p, f, -1, 0)
#else
#define MMAP(a, n, p, f) sc(__NR_mmap, a, n, p, f, -1, 0)
#endif
#define RW (PROT_READ | PROT_WRITE)
#define PRIV (MAP_PRIVATE | MAP_ANONYMOUS)
#define FAILED(r, e) ((r) == -(e))
enum { EINVAL = 22, ENOMEM = 12, EEXIST = 17, EFAULT = 14, EBADF = 9 };

int program(word *sp)
{
	int failed = 0;
	char *p = (char *)MMAP(0, 5 * 4096, RW, PRIV);
	p[0] = 1;
	p[4096] = 2;
	p[4 * 4096] = 5;
	CHECK("zero length", FAILED(MMAP(0, 0, RW, PRIV), EINVAL));
	CHECK("fixed, not aligned", FAILED(MMAP(p + 1, 4096, RW, PRIV | MAP_FIXED), EINVAL));
	CHECK("no kind", FAILED(MMAP(0, 4096, RW, MAP_ANONYMOUS), EINVAL));
	CHECK("noreplace", FAILED(MMAP(p, 4096, RW, PRIV | MAP_FIXED_NOREPLACE), EEXIST));
	CHECK("fixed replaces", MMAP(p + 4096, 4096, RW, PRIV | MAP_FIXED) == (word)(p + 4096) && p[4096] == 0 && p[0] == 1);
	CHECK("hole", sc(__NR_munmap, p + 2 * 4096, 4096) == 0);
	CHECK("hint taken", MMAP(p + 2 * 4096, 4096, RW, PRIV) == (word)(p + 2 * 4096));
	CHECK("munmap, not aligned", FAILED(sc(__NR_munmap, p + 1, 4096), EINVAL));
	CHECK("munmap of nothing", sc(__NR_munmap, p + 2 * 4096, 4096) == 0 && sc(__NR_munmap, p + 2 * 4096, 4096) == 0);
	CHECK("mprotect over a hole", FAILED(sc(__NR_mprotect, p, 5 * 4096, PROT_READ), ENOMEM));
	CHECK("mprotect, not aligned", FAILED(sc(__NR_mprotect, p + 1, 4096, RW), EINVAL));
	CHECK("mprotect back", sc(__NR_mprotect, p, 2 * 4096, RW) == 0);
	CHECK("fault in a call", FAILED(sc(__NR_write, 1, p + 2 * 4096, 10), EFAULT));
	sc(__NR_mprotect, p, 4096, PROT_READ);
	int pp[2];
#ifdef __NR_pipe
	sc(__NR_pipe, pp);
#else
	sc(__NR_pipe2, pp, 0);
#endif
	sc(__NR_write, pp[1], "x", 1);
	CHECK("read into read-only", FAILED(sc(__NR_read, pp[0], p, 1), EFAULT));
	char *q = (char *)sc(__NR_mremap, p + 3 * 4096, 2 * 4096, 4 * 4096, MREMAP_MAYMOVE, 0);
	CHECK("mremap moves or grows", (unsigned long)q < (unsigned long)-4096 && q[4096] == 5 && q[2 * 4096] == 0);
	CHECK("mremap shrinks", sc(__NR_mremap, q, 4 * 4096, 4096, 0, 0) == (word)q);
	CHECK("mremap, no room", FAILED(sc(__NR_mremap, p, 4096, 1 << 20, 0, 0), ENOMEM));
	CHECK("mremap of nothing", FAILED(sc(__NR_mremap, p + 2 * 4096, 4096, 8192, MREMAP_MAYMOVE, 0), EFAULT));
	char *b = (char *)sc(__NR_brk, 0);
	CHECK("brk grows", sc(__NR_brk, b + 10000) == (word)(b + 10000));
	b[9999] = 7;
	CHECK("brk shrinks", sc(__NR_brk, b + 100) == (word)(b + 100));
	CHECK("brk zeroes", sc(__NR_brk, b + 10000) == (word)(b + 10000) && b[9999] == 0);
	CHECK("brk refuses", sc(__NR_brk, 16) == (word)(b + 10000));
	CHECK("unknown call", FAILED(sc(7777), 38));
	CHECK("bad descriptor", FAILED(sc(__NR_close, 77), EBADF));
	return failed;
}
