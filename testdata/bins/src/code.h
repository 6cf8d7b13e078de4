/* Code made at run time: a function that returns a number, what the processor
   must be told after it was written, and the call. */
#ifndef CODE_H
#define CODE_H

#include "utemu.h"

#if defined(__x86_64__) || defined(__i386__)
static int emit(uint8_t *p, unsigned v) /* mov $v,%eax; ret */
{
	p[0] = 0xb8;
	for (int i = 0; i < 4; i++)
		p[1 + i] = v >> (8 * i);
	p[5] = 0xc3;
	return 6;
}
static void sync_code(void *p, int n) {}
#elif defined(__arm__)
static int emit(uint8_t *p, unsigned v) /* movw r0,#v; bx lr */
{
	uint32_t *w = (uint32_t *)p;
	w[0] = 0xe3000000 | (v & 0xf000) << 4 | (v & 0xfff);
	w[1] = 0xe12fff1e;
	return 8;
}
static void sync_code(void *p, int n) { sc(0x0f0002, p, (char *)p + n, 0); }
#elif defined(__aarch64__)
static int emit(uint8_t *p, unsigned v) /* mov w0,#v; ret */
{
	uint32_t *w = (uint32_t *)p;
	w[0] = 0x52800000 | v << 5;
	w[1] = 0xd65f03c0;
	return 8;
}
static void sync_code(void *p, int n) { __builtin___clear_cache(p, (char *)p + n); }
void __aarch64_sync_cache_range(void *a, void *z)
{
	for (char *q = (char *)((uintptr_t)a & ~63ul); q < (char *)z; q += 64)
		__asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(q) : "memory");
}
void __clear_cache(void *a, void *z) { __aarch64_sync_cache_range(a, z); }
#else
static int emit(uint8_t *p, unsigned v) /* li r3,v; blr */
{
	uint32_t *w = (uint32_t *)p;
	w[0] = 0x38600000 | v;
	w[1] = 0x4e800020;
	return 8;
}
static void sync_code(void *p, int n)
{
	for (char *q = (char *)((uintptr_t)p & ~31ul); q < (char *)p + n; q += 32)
		__asm__ volatile("dcbst 0,%0\n sync\n icbi 0,%0\n sync\n isync" : : "r"(q) : "memory");
}
#endif

__attribute__((noinline)) static int run(uint8_t *p)
{
#if defined(__powerpc64__)
	struct { uint8_t *fn; uint64_t toc, env; } d = {p, 0, 0};
	__asm__ volatile("" : : "r"(&d) : "memory");
	return ((int (*)(void))&d)();
#else
	int (*f)(void);
	__asm__("" : "=r"(f) : "0"(p));
	return f();
#endif
}

#endif
