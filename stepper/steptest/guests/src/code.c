/* Code that is read, moved about and shared, and what it computes. */
#include "guest.h"

/* A function that returns 42, wherever it lies. */
static const unsigned char answer[] = {
#if defined(__x86_64__) || defined(__i386__)
	0xb8, 42, 0, 0, 0, 0xc3,
#elif defined(__thumb__)
	42, 0x20, 0x70, 0x47,
#elif defined(__arm__)
	42, 0, 0xa0, 0xe3, 0x1e, 0xff, 0x2f, 0xe1,
#elif defined(__aarch64__)
	0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6,
#else
	0x38, 0x60, 0, 42, 0x4e, 0x80, 0, 0x20,
#endif
};

static void copy(volatile unsigned char *to)
{
	for (unsigned i = 0; i < sizeof answer; i++)
		to[i] = answer[i];
}

__attribute__((noinline)) static int call(void *p)
{
#if defined(__powerpc64__)
	void *volatile descriptor[3] = {p, 0, 0};
	p = (void *)descriptor;
#elif defined(__thumb__)
	p = (void *)((uintptr_t)p | 1);
#endif
	return ((int (*)(void))p)();
}

/* The kernel reads code that is being stepped. */
static void passed(word *sp)
{
	int ends[2];
	unsigned char back[64];
	const unsigned char *own = (const unsigned char *)((uintptr_t)call & ~(uintptr_t)1);
#if defined(__powerpc64__)
	own = *(const unsigned char **)call;
#endif
	ok("pipe", sc(__NR_pipe2, ends, 0) == 0);
	ok("write", sc(__NR_write, ends[1], own, sizeof back) == sizeof back);
	ok("read", sc(__NR_read, ends[0], back, sizeof back) == sizeof back);
	for (unsigned i = 0; i < sizeof back; i++)
		ok("same", back[i] == own[i]);
}

/* Memory that code has run from goes and comes again. */
static void remapped(word *sp)
{
	for (int i = 0; i < 3; i++) {
		unsigned char *p = (unsigned char *)page(PROT_READ | PROT_WRITE | PROT_EXEC);
		copy(p);
		ok("answer", call(p) == 42);
		ok("munmap", sc(__NR_munmap, p, 4096) == 0);
	}
}

/* A page of code that two processes share. */
static void shared(word *sp)
{
	int fd = sc(__NR_memfd_create, "code", 0);
	ok("memfd", fd >= 0 && sc(__NR_ftruncate, fd, 4096, 0) == 0);
#ifdef __NR_mmap2
	unsigned char *p = (unsigned char *)sc(__NR_mmap2, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
#else
	unsigned char *p = (unsigned char *)sc(__NR_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
#endif
	copy(p);
	word pid = sc(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		quit(call(p));
	int st = 0;
	ok("wait", sc(__NR_wait4, pid, &st, 0, 0) == pid && st == 42 << 8);
	ok("answer", call(p) == 42);
	for (unsigned i = 0; i < sizeof answer; i++)
		ok("same", p[i] == answer[i]);
}

/* A sum that the status tells of. */
static void digest(word *sp)
{
	uint32_t h = 2166136261u, x = 1;
	for (uint32_t i = 0; i < 500; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		h = (h ^ (x & 0xff)) * 16777619u;
		if (x & 4)
			h += (x >> (i & 15)) * i;
	}
	quit(h & 0x7f);
}

/* The kernel's helpers at the top of memory. */
#if defined(__arm__)
static void helpers(word *sp)
{
	int v = 5;
	int (*cmpxchg)(int, int, volatile int *) = (void *)0xffff0fc0;
	void (*barrier)(void) = (void *)0xffff0fa0;
	ok("exchanged", cmpxchg(5, 7, &v) == 0 && v == 7);
	barrier();
	ok("kept", cmpxchg(5, 9, &v) != 0 && v == 7);
}
#endif

int program(word *sp)
{
	static const struct scenario l[] = {
		{"passed", passed}, {"remapped", remapped}, {"shared", shared}, {"digest", digest},
#if defined(__arm__)
		{"helpers", helpers},
#endif
		{0, 0},
	};
	return pick_scenario(sp, l);
}
