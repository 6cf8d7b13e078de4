/* Dies as its argument says. */
#include "utemu.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(n, p, f, fd) ((volatile char *)sc(__NR_mmap2, 0, n, p, f, fd, 0))
#else
#define MMAP(n, p, f, fd) ((volatile char *)sc(__NR_mmap, 0, n, p, f, fd, 0))
#endif

__attribute__((noinline)) static void die(const char *how)
{
	if (equal(how, "read"))
		*(volatile int *)16;
	if (equal(how, "write"))
		*(volatile int *)16 = 1;
	if (equal(how, "readonly"))
		*(volatile char *)MMAP(4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1) = 1;
	if (equal(how, "none"))
		*(volatile char *)MMAP(4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (equal(how, "jump")) {
#ifdef __powerpc64__
		static volatile struct { uint64_t fn, toc, env; } d = {16, 0, 0};
		((void (*)(void))&d)();
#else
		void (*volatile f)(void) = (void (*)(void))16;
		f();
#endif
	}
	if (equal(how, "bus")) {
		int fd = sc(__NR_memfd_create, "empty", 0);
		*MMAP(4096, PROT_READ, MAP_SHARED, fd);
	}
	if (equal(how, "illegal"))
#if defined(__x86_64__) || defined(__i386__)
		__asm__ volatile("ud2");
#elif defined(__arm__)
		__asm__ volatile("udf #0");
#else
		__asm__ volatile(".long 0");
#endif
	if (equal(how, "break"))
#if defined(__x86_64__) || defined(__i386__)
		__asm__ volatile("int3");
#elif defined(__arm__) && defined(__thumb__)
		__asm__ volatile(".inst.n 0xde01");
#elif defined(__arm__)
		__asm__ volatile(".inst 0xe7f001f0");
#elif defined(__aarch64__)
		__asm__ volatile("brk #0");
#else
		__asm__ volatile("trap");
#endif
	if (equal(how, "privileged"))
#if defined(__x86_64__) || defined(__i386__)
		__asm__ volatile("hlt");
#elif defined(__arm__)
		__asm__ volatile("udf #1");
#elif defined(__aarch64__)
		__asm__ volatile("msr daifset, #2");
#else
		__asm__ volatile("tlbsync");
#endif
#if defined(__x86_64__) || defined(__i386__)
	if (equal(how, "divide")) {
		volatile int zero = 0, one = 1;
		one = one / zero;
	}
#endif
	if (equal(how, "abort"))
		sc(__NR_kill, sc(__NR_getpid), 6);
	if (equal(how, "term"))
		sc(__NR_kill, sc(__NR_getpid), 15);
}

int program(word *sp)
{
	print("before\n");
	flush();
	die(sp[0] > 1 ? (char *)sp[2] : "");
	print("after\n");
	flush();
	return 3;
}
