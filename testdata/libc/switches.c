/*
 * Threads keep the registers of the floating point and vector units, and their
 * status, however often the CPU goes from one to the other: in system calls,
 * and in loops that make none.
 */
#include "t.h"
#include <pthread.h>
#include <sched.h>

struct state {
	unsigned char b[1024];
} __attribute__((aligned(64)));

/* pass loads all registers from *in, divides, which sets flags, spins n times,
   or, where that is 0, makes a system call, and stores them in *out. */

#if defined(__x86_64__) || defined(__i386__)
#ifdef __x86_64__
#define YIELD "mov $24, %%eax\n syscall\n"
#define CLOBBERS "rcx", "r11"
#else
#define YIELD "mov $158, %%eax\n int $0x80\n"
#define CLOBBERS "ecx"
#endif
static void begin(struct state *s, unsigned seed)
{
	unsigned short cw = 0x037f | (seed & 3) << 10;
	unsigned mxcsr = 0x1f80 | (seed & 3) << 13;
	memset(s->b, 0, 32);
	memcpy(s->b, &cw, 2);
	s->b[3] = (seed & 7) << 3; /* top of stack */
	s->b[4] = 0xff;
	memcpy(s->b + 24, &mxcsr, 4);
	for (int i = 0; i < 8; i++) {
		s->b[32 + 16 * i + 7] |= 0x80;
		memset(s->b + 32 + 16 * i + 10, 0, 6);
		s->b[32 + 16 * i + 9] = 0x40;
	}
	float one = 1, three = seed % 2 ? 3 : 2;
	memcpy(s->b + 160, &one, 4);
	memcpy(s->b + 176, &three, 4);
}
static void pass(const struct state *in, struct state *out, unsigned n)
{
	__asm__ volatile("fxrstor (%0)\n divss %%xmm1, %%xmm0\n"
			 "test %2, %2\n jz 2f\n 1: dec %2\n jnz 1b\n jmp 3f\n 2:" YIELD "3: fxsave (%1)"
			 : "+r"(in), "+r"(out), "+r"(n) : : "eax", CLOBBERS, "memory", "cc");
}
#elif defined(__powerpc__)
static void begin(struct state *s, unsigned seed)
{
	s->b[1006] = 0, s->b[1007] = seed & 3; /* FPSCR: rounding, in the last word of a double */
	memset(s->b + 1000, 0, 6);
	memset(s->b + 1008, 0, 16);
	s->b[1008 + 13] = seed & 1; /* VSCR: NJ */
	double one = 1, three = seed % 2 ? 3 : 2;
	memcpy(s->b, &one, 8);
	memcpy(s->b + 8, &three, 8);
}
static void pass(const struct state *in, struct state *out, unsigned n)
{
	__asm__ volatile(
		".machine push\n .machine \"any\"\n"
		"lfd 0,1000(%0)\n mtfsf 255,0\n addi 9,%0,1008\n lvx 0,0,9\n mtvscr 0\n"
		".set i,0\n .rept 32\n lfd i,8*i(%0)\n li 9,256+16*i\n lvx i,%0,9\n .set i,i+1\n .endr\n"
		"fdiv 2,0,1\n fcmpu 3,0,1\n cmpwi %2,0\n beq 2f\n mtctr %2\n 1: bdnz 1b\n b 3f\n"
		"2: li 0,158\n sc\n"
		"3: .set i,0\n .rept 32\n stfd i,8*i(%1)\n li 9,256+16*i\n stvx i,%1,9\n .set i,i+1\n .endr\n"
		"mfvscr 0\n addi 9,%1,1008\n stvx 0,0,9\n mffs 0\n stfd 0,1000(%1)\n mfcr 9\n rlwinm 9,9,0,12,15\n stw 9,768(%1)\n .machine pop"
		: "+b"(in), "+b"(out), "+r"(n) : : "0", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "ctr", "cr0", "cr3", "xer", "memory"
#ifndef __powerpc64__
		, "fr0"
#endif
		);
}
#elif defined(__aarch64__)
static void begin(struct state *s, unsigned seed)
{
	uint64_t fpcr = (uint64_t)(seed & 3) << 22, fpsr = 0;
	memcpy(s->b + 512, &fpcr, 8);
	memcpy(s->b + 520, &fpsr, 8);
	double one = 1, three = seed % 2 ? 3 : 2;
	memcpy(s->b, &one, 8);
	memcpy(s->b + 16, &three, 8);
}
static void pass(const struct state *in, struct state *out, unsigned n)
{
	__asm__ volatile(
		"add x9, %0, #512\n ldp x9, x10, [x9]\n msr fpcr, x9\n msr fpsr, x10\n"
		".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n ldr q\\i, [%0, #16*\\i]\n .endr\n"
		"fdiv d2, d0, d1\n cbz %w2, 2f\n 1: subs %w2, %w2, #1\n b.ne 1b\n b 3f\n 2: mov x8, #124\n svc #0\n 3:\n"
		".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n str q\\i, [%1, #16*\\i]\n .endr\n"
		"mrs x9, fpcr\n mrs x10, fpsr\n add x0, %1, #512\n stp x9, x10, [x0]"
		: "+r"(in), "+r"(out), "+r"(n) : : "x0", "x8", "x9", "x10", "memory", "cc");
}
#else
static void begin(struct state *s, unsigned seed)
{
	unsigned fpscr = (seed & 3) << 22;
	memcpy(s->b + 256, &fpscr, 4);
	double one = 1, three = seed % 2 ? 3 : 2;
	memcpy(s->b, &one, 8);
	memcpy(s->b + 8, &three, 8);
}
static void pass(const struct state *in, struct state *out, unsigned n)
{
	__asm__ volatile(
		".fpu neon\n ldr r4, [%0, #256]\n vmsr fpscr, r4\n vldmia %0!, {d0-d15}\n vldmia %0, {d16-d31}\n"
		"vdiv.f64 d2, d0, d1\n vcmp.f64 d0, d1\n cmp %2, #0\n beq 2f\n 1: subs %2, %2, #1\n bne 1b\n b 3f\n"
		"2: mov r12, r7\n mov r7, #158\n svc #0\n mov r7, r12\n 3:\n"
		"vmrs r4, fpscr\n str r4, [%1, #256]\n vstmia %1!, {d0-d15}\n vstmia %1, {d16-d31}"
		: "+r"(in), "+r"(out), "+r"(n) : : "r0", "r4", "r12", "memory", "cc");
}
#endif

enum { THREADS = 3, ROUNDS = 300, SPIN = 20000 };

static void *work(void *arg)
{
	unsigned seed = (uintptr_t)arg, r = seed * 2654435761u;
	struct state in, want, got;
	uintptr_t bad = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned j = 0; j < sizeof in.b; j++)
			in.b[j] = (r = r * 1664525 + 1013904223) >> 24;
		begin(&in, seed + i);
		memset(&want, 0, sizeof want);
		memset(&got, 0, sizeof got);
		pass(&in, &want, 1);
		pass(&in, &got, i % 2 ? SPIN : 0);
		bad += memcmp(&want, &got, sizeof want) != 0;
	}
	return (void *)bad;
}

int main(void)
{
	pthread_t t[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		MUST(pthread_create(&t[i], NULL, work, (void *)(i + 1)) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		MUST(pthread_join(t[i], &bad) == 0);
		if (bad != NULL)
			T_FAIL("thread %d: %d of %d rounds", i, (int)(uintptr_t)bad, ROUNDS);
	}
	CHECK(failures == 0);
	return done();
}
