/* Writes code, runs it, writes it anew and runs it again: in a page that is
   writable and executable, by mprotect, over a page end, and through a second
   mapping of the same file. */
#include "code.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(a, n, p, f, fd) ((uint8_t *)sc(__NR_mmap2, a, n, p, f, fd, 0))
#else
#define MMAP(a, n, p, f, fd) ((uint8_t *)sc(__NR_mmap, a, n, p, f, fd, 0))
#endif

static int rounds(uint8_t *write_at, uint8_t *run_at, int n)
{
	for (int i = 0; i < n; i++) {
		int len = emit(write_at, 100 + i);
		sync_code(write_at, len);
		if (run_at != write_at)
			sync_code(run_at, len);
		if (run(run_at) != 100 + i)
			return 0;
	}
	return 1;
}

int program(word *sp)
{
	int failed = 0, ok = 1;
	uint8_t *p = MMAP(0, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	p[100] = 1; /* data first */
	CHECK("rewritten in place", rounds(p, p, 200));
	CHECK("beside data", rounds(p + 64, p + 64, 50) && p[100] == 1);
	CHECK("over a page end", rounds(p + 4092, p + 4092, 50));
	for (int i = 0; i < 50 && ok; i++) {
		sc(__NR_mprotect, p, 4096, PROT_READ | PROT_WRITE);
		int len = emit(p, 500 + i);
		sync_code(p, len);
		sc(__NR_mprotect, p, 4096, PROT_READ | PROT_EXEC);
		ok = run(p) == 500 + i;
	}
	CHECK("by mprotect", ok);
	for (int i = 0; i < 20 && ok; i++) {
		sc(__NR_munmap, p, 8192);
		uint8_t *q = MMAP(p, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
		sync_code(q, emit(q, 700 + i));
		ok = q == p && run(q) == 700 + i;
	}
	CHECK("mapped anew", ok);
	int fd = sc(__NR_memfd_create, "code", 0);
	sc(__NR_ftruncate, fd, 4096);
	uint8_t *w = MMAP(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	uint8_t *x = MMAP(0, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
	CHECK("two views of one file", rounds(w, x, 50));
	static char tmp[64];
	for (int i = 0; i < 20 && ok; i++) { /* the kernel writes the code */
		int len = emit((uint8_t *)tmp, 900 + i), pp[2];
#ifdef __NR_pipe
		sc(__NR_pipe, pp);
#else
		sc(__NR_pipe2, pp, 0);
#endif
		sc(__NR_write, pp[1], tmp, len);
		sc(__NR_mprotect, p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
		sc(__NR_read, pp[0], p, len);
		sync_code(p, len);
		ok = run(p) == 900 + i;
		sc(__NR_close, pp[0]);
		sc(__NR_close, pp[1]);
	}
	CHECK("written by read", ok);
	return failed;
}
