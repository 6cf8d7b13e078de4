/* Dies as its argument says. */
#include "code.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(n, p, f, fd) ((volatile char *)sc(__NR_mmap2, 0, n, p, f, fd, 0))
#else
#define MMAP(n, p, f, fd) ((volatile char *)sc(__NR_mmap, 0, n, p, f, fd, 0))
#endif

#if defined(__x86_64__)
#define SP "rsp"
#define AX "rax"
#else
#define SP "esp"
#define AX "eax"
#endif

struct __attribute__((packed, may_alias)) unaligned { uint32_t v; };
static volatile uint32_t sink[8] __attribute__((aligned(16)));

/* Runs out of stack: the bottom is never reached. */
static volatile int bottom;

__attribute__((noinline)) static int dive(int n)
{
	volatile char frame[4000];
	frame[n & 1023] = n;
	return n == bottom ? 0 : dive(n + 1) + frame[n & 511];
}

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
		__asm__ volatile("mcr p15, 0, r0, c2, c0, 0"); /* TTBR0 */
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
	if (equal(how, "noexec")) {
		uint8_t *p = (uint8_t *)MMAP(4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		sync_code(p, emit(p, 1));
		run(p);
	}
	if (equal(how, "runoff")) { /* the instruction's end is on a page that is not there */
		uint8_t *p = (uint8_t *)MMAP(8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		sc(__NR_munmap, p + 4096, 4096);
		uint8_t insn[16];
		emit(insn, 1);
		for (int i = 0; i < 4; i++)
			p[4092 + i] = insn[i];
		sync_code(p + 4092, 4);
		run(p + 4092);
	}
	if (equal(how, "straddle")) { /* the second half of the store is not permitted */
		char *p = (char *)MMAP(8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		sc(__NR_mprotect, p + 4096, 4096, PROT_READ);
		((volatile struct unaligned *)(p + 4094))->v = 1;
	}
	if (equal(how, "text"))
		*(volatile char *)((uintptr_t)equal & ~3ul) = 1;
	if (equal(how, "stack"))
		sink[0] = dive(1);
	if (equal(how, "kernel"))
		*(volatile char *)-4096;
	if (equal(how, "align"))
#if defined(__x86_64__) || defined(__i386__)
		__asm__ volatile("movaps 4(%0), %%xmm0" : : "r"((uintptr_t)sink & ~15ul));
#elif defined(__arm__)
		__asm__ volatile("ldrex r0, [%0]" : : "r"(((uintptr_t)sink & ~3ul) + 1) : "r0");
#elif defined(__aarch64__)
		__asm__ volatile("ldxr x0, [%0]" : : "r"(((uintptr_t)sink & ~7ul) + 1) : "x0");
#else
		__asm__ volatile("lwarx 9, 0, %0" : : "r"(((uintptr_t)sink & ~3ul) + 1) : "r9");
#endif
#if defined(__x86_64__) || defined(__i386__)
	if (equal(how, "alignment-check")) /* the flag of 486s */
		__asm__ volatile("pushf\n orl $0x40000, (%%" SP ")\n popf\n movl 1(%0), %%eax\n pushf\n andl $~0x40000, (%%" SP ")\n popf" : : "r"((uintptr_t)sink & ~15ul) : "eax", "memory");
	if (equal(how, "overflow")) {
		volatile int least = -2147483647 - 1, minus = -1;
		least = least / minus;
	}
	if (equal(how, "port"))
		__asm__ volatile("inb $0x80, %%al" : : : "eax");
	if (equal(how, "interrupt"))
		__asm__ volatile("int $0x99");
	if (equal(how, "int1"))
		__asm__ volatile(".byte 0xf1");
	if (equal(how, "undefined"))
		__asm__ volatile("ud1 %eax, %eax");
	if (equal(how, "cr"))
		__asm__ volatile("mov %%cr0, %%" AX : : : "eax");
	if (equal(how, "step")) /* the trap flag */
		__asm__ volatile("pushf\n orl $0x100, (%%" SP ")\n popf\n nop\n nop" : : : "memory");
#endif
#if defined(__x86_64__)
	if (equal(how, "noncanonical"))
		*(volatile char *)0x8000000000000000ul;
#elif defined(__i386__)
	if (equal(how, "bound")) {
		static const int bounds[2] = {1, 2};
		__asm__ volatile("bound %0, %1" : : "r"(7), "m"(bounds));
	}
	if (equal(how, "into"))
		__asm__ volatile("movb $0x7f, %%al\n addb $1, %%al\n into" : : : "eax");
	if (equal(how, "segment"))
		__asm__ volatile("mov %w0, %%gs" : : "r"(0x123));
#elif defined(__arm__)
	if (equal(how, "bkpt"))
		__asm__ volatile("bkpt #0");
	if (equal(how, "call")) /* no system call, and none of ARM's own */
		sc(0xf0800);
	if (equal(how, "system")) /* SCTLR is the kernel's */
		__asm__ volatile("mrc p15, 0, r0, c1, c0, 0" : : : "r0");
#elif defined(__aarch64__)
	if (equal(how, "odd")) {
		void (*volatile f)(void) = (void (*)(void))((uintptr_t)die + 2);
		f();
	}
	if (equal(how, "system"))
		__asm__ volatile("mrs x0, sctlr_el1" : : : "x0");
	if (equal(how, "hlt"))
		__asm__ volatile("hlt #0");
#else
	if (equal(how, "system"))
		__asm__ volatile("mfspr 9, 26" : : : "r9"); /* SRR0 */
	if (equal(how, "twi"))
		__asm__ volatile("twi 31, 0, 5");
	if (equal(how, "hypervisor"))
		__asm__ volatile("mtmsr %0" : : "r"(0));
#endif
	if (equal(how, "segv"))
		sc(__NR_kill, sc(__NR_getpid), 11);
	if (equal(how, "pipe")) {
		int p[2];
		sc(__NR_pipe2, p, 0);
		sc(__NR_close, p[0]);
		sc(__NR_write, p[1], "x", 1);
	}
	if (equal(how, "kill"))
		sc(__NR_kill, sc(__NR_getpid), 9);
	if (equal(how, "ignored")) { /* SIGCHLD, SIGURG, SIGWINCH and SIGCONT do nothing */
		static const int harmless[4] = {17, 23, 28, 18};
		for (int i = 0; i < 4; i++)
			sc(__NR_kill, sc(__NR_getpid), harmless[i]);
	}
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
