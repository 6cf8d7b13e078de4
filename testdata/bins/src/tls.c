/* The thread pointer as each kernel hands it out, and ARM's helper page. */
#include "utemu.h"

#if defined(__x86_64__)
static int check(void)
{
	static uint64_t block[4] = {0x1111, 0x2222, 0x3333, 0x4444};
	uint64_t v, back = 0;
	int failed = 0;
	enum { SET_GS = 0x1001, SET_FS, GET_FS, GET_GS };
	CHECK("fs", sc(__NR_arch_prctl, SET_FS, block) == 0);
	__asm__ volatile("mov %%fs:8, %0" : "=r"(v));
	CHECK("fs read", v == 0x2222 && sc(__NR_arch_prctl, GET_FS, &back) == 0 && back == (uintptr_t)block);
	CHECK("gs", sc(__NR_arch_prctl, SET_GS, block + 1) == 0);
	__asm__ volatile("movq $0x5555, %%gs:16" : : : "memory");
	CHECK("gs written", block[3] == 0x5555 && sc(__NR_arch_prctl, GET_GS, &back) == 0 && back == (uintptr_t)(block + 1));
	CHECK("kernel address", sc(__NR_arch_prctl, SET_FS, 1ull << 63) == -1);
	CHECK("unknown", sc(__NR_arch_prctl, 0x7777, 0) == -22);
	return failed;
}
#elif defined(__i386__)
#include <asm/ldt.h>
static int check(void)
{
	static uint32_t block[4] = {0x1111, 0x2222, 0x3333, 0x4444};
	struct user_desc d = {.entry_number = -1, .base_addr = (uintptr_t)block, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
	uint32_t v;
	int failed = 0;
	CHECK("entry given", sc(__NR_set_thread_area, &d) == 0 && d.entry_number >= 6 && d.entry_number <= 14);
	uint16_t sel = d.entry_number * 8 + 3;
	__asm__ volatile("mov %w1, %%gs\n mov %%gs:4, %0" : "=r"(v) : "r"((uint32_t)sel));
	CHECK("gs read", v == 0x2222);
	__asm__ volatile("movl $0x5555, %%gs:12" : : : "memory");
	CHECK("gs written", block[3] == 0x5555);
	struct user_desc got = {.entry_number = d.entry_number};
	CHECK("entry read", sc(__NR_get_thread_area, &got) == 0 && got.base_addr == (uintptr_t)block && got.limit == 0xfffff && got.seg_32bit);
	d.base_addr += 4;
	CHECK("entry changed", sc(__NR_set_thread_area, &d) == 0);
	__asm__ volatile("mov %w1, %%gs\n mov %%gs:0, %0" : "=r"(v) : "r"((uint32_t)sel));
	CHECK("gs read again", v == 0x2222);
	d.entry_number = 1;
	CHECK("bad entry", sc(__NR_set_thread_area, &d) == -22);
	return failed;
}
#elif defined(__arm__)
static int check(void)
{
	static uint32_t block[4];
	static volatile int target = 5;
	static volatile long long wide = 1LL << 40;
	uint32_t v;
	int failed = 0;
	int (*cas)(int, int, volatile int *) = (void *)0xffff0fc0;
	uint32_t (*get_tls)(void) = (void *)0xffff0fe0;
	void (*barrier)(void) = (void *)0xffff0fa0;
	int (*cas64)(const long long *, const long long *, volatile long long *) = (void *)0xffff0f60;
	CHECK("set_tls", sc(0x0f0005, block) == 0);
	__asm__ volatile("mrc p15,0,%0,c13,c0,3" : "=r"(v));
	CHECK("register", v == (uintptr_t)block);
	CHECK("helper version", *(volatile int *)0xffff0ffc >= 5);
	CHECK("helper get_tls", get_tls() == (uintptr_t)block);
	barrier();
	CHECK("helper cmpxchg", cas(5, 6, &target) == 0 && target == 6 && cas(5, 7, &target) != 0 && target == 6);
	long long from = 1LL << 40, to = 3;
	CHECK("helper cmpxchg64", cas64(&from, &to, &wide) == 0 && wide == 3 && cas64(&from, &to, &wide) != 0);
	return failed;
}
#elif defined(__aarch64__)
static int check(void)
{
	uint64_t v;
	int failed = 0;
	__asm__ volatile("msr tpidr_el0, %1\n mov %0, #0\n mrs %0, tpidr_el0" : "=&r"(v) : "r"(0x123456789abcdef0ul));
	CHECK("register", v == 0x123456789abcdef0ul);
	sc(__NR_getpid);
	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(v));
	CHECK("after a call", v == 0x123456789abcdef0ul);
	return failed;
}
#else
static int check(void)
{
	/* r2 and r13 are the ABI's; the kernel only must leave them alone. */
	unsigned long v;
	int failed = 0;
#ifdef __powerpc64__
	__asm__ volatile("mr 31,13\n lis 13,0x1234\n ori 13,13,0x5678\n li 0,20\n sc\n mr %0,13\n mr 13,31" : "=r"(v) : : "r0", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r31", "cr0", "ctr", "memory");
#else
	__asm__ volatile("mr 31,2\n lis 2,0x1234\n ori 2,2,0x5678\n li 0,20\n sc\n mr %0,2\n mr 2,31" : "=r"(v) : : "r0", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r31", "cr0", "ctr", "memory");
#endif
	CHECK("register", v == 0x12345678);
	return failed;
}
#endif

int program(word *sp) { return check(); }
