/* A program's way to the kernel without a C library: system calls, the entry
   point, and the little output that the tests compare. */
#ifndef UTEMU_H
#define UTEMU_H

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

typedef long word;

#if defined(__x86_64__)
static inline word sc6(word n, word a, word b, word c, word d, word e, word f)
{
	word r;
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}
#define START ".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call cmain\n"
#elif defined(__i386__)
/* The sixth argument goes through ebp, which the compiler may use itself. */
word sc6(word n, word a, word b, word c, word d, word e, word f);
__asm__(".text\nsc6: push %ebp\n push %edi\n push %esi\n push %ebx\n"
	"mov 20(%esp),%eax\n mov 24(%esp),%ebx\n mov 28(%esp),%ecx\n mov 32(%esp),%edx\n"
	"mov 36(%esp),%esi\n mov 40(%esp),%edi\n mov 44(%esp),%ebp\n int $0x80\n"
	"pop %ebx\n pop %esi\n pop %edi\n pop %ebp\n ret\n");
#define START ".globl _start\n_start: xor %ebp,%ebp\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call cmain\n"
#elif defined(__arm__)
static inline word sc6(word n, word a, word b, word c, word d, word e, word f)
{
	register word r0 __asm__("r0") = a;
	register word r1 __asm__("r1") = b;
	register word r2 __asm__("r2") = c;
	register word r3 __asm__("r3") = d;
	register word r4 __asm__("r4") = e;
	register word r5 __asm__("r5") = f;
	/* r7 is the frame pointer of Thumb code. */
	__asm__ volatile("push {r7}\n mov r7, %1\n svc #0\n pop {r7}" : "+r"(r0) : "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory", "ip", "lr");
	return r0;
}
#define START ".syntax unified\n.arm\n.globl _start\n.type _start,%function\n_start: mov fp, #0\n mov r0, sp\n bic sp, sp, #7\n blx cmain\n"
#elif defined(__aarch64__)
static inline word sc6(word n, word a, word b, word c, word d, word e, word f)
{
	register word x8 __asm__("x8") = n;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = e;
	register word x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#define START ".globl _start\n_start: mov x29, #0\n mov x0, sp\n bl cmain\n"
#elif defined(__powerpc__)
static inline word sc6(word n, word a, word b, word c, word d, word e, word f)
{
	register word r0 __asm__("r0") = n;
	register word r3 __asm__("r3") = a;
	register word r4 __asm__("r4") = b;
	register word r5 __asm__("r5") = c;
	register word r6 __asm__("r6") = d;
	register word r7 __asm__("r7") = e;
	register word r8 __asm__("r8") = f;
	__asm__ volatile("sc\n bns+ 1f\n neg %1, %1\n1:" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
			 : : "memory", "cr0", "ctr", "r9", "r10", "r11", "r12");
	return r3;
}
#ifdef __powerpc64__
#define START ".section .opd,\"aw\"\n.globl _start\n_start: .quad .start,.TOC.@tocbase,0\n.previous\n" \
	".start: mr 3,1\n li 0,0\n stdu 0,-128(1)\n bl cmain\n nop\n"
#else
#define START ".globl _start\n_start: mr 3,1\n li 0,0\n rlwinm 1,1,0,0,27\n stwu 0,-16(1)\n bl cmain\n"
#endif
#else
#error "no such architecture"
#endif

#define sc(...) SC_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SC_PICK(n, a, b, c, d, e, f, ...) sc6(n, (word)(a), (word)(b), (word)(c), (word)(d), (word)(e), (word)(f))

__asm__(".text\n" START);

int program(word *sp); /* sp: argc, argv, 0, envp, 0, auxv */

static void quit(int status)
{
	for (;;)
		sc(__NR_exit_group, status);
}

__attribute__((used)) void cmain(word *sp) { quit(program(sp)); }

/* ---- output */

static char out_buf[1024];
static unsigned out_n;

static void flush(void)
{
	unsigned done = 0;
	while (done < out_n) {
		word r = sc(__NR_write, 1, out_buf + done, out_n - done);
		if (r <= 0)
			quit(99);
		done += r;
	}
	out_n = 0;
}

static void put(char c)
{
	if (out_n == sizeof out_buf)
		flush();
	out_buf[out_n++] = c;
}

static void print(const char *s)
{
	while (*s)
		put(*s++);
}

static void print_hex(unsigned long v)
{
	char b[2 * sizeof v + 1];
	int i = sizeof b;
	b[--i] = 0;
	do {
		b[--i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	print("0x");
	print(b + i);
}

/* Division by constants only: 32-bit ARM has no other without a library. */
static void print_dec(long v)
{
	char b[24];
	int i = sizeof b;
	unsigned long u = v < 0 ? -(unsigned long)v : (unsigned long)v;
	b[--i] = 0;
	do {
		b[--i] = '0' + u % 10;
		u /= 10;
	} while (u);
	if (v < 0)
		put('-');
	print(b + i);
}

static void line(const char *name, long v)
{
	print(name);
	put(' ');
	print_dec(v);
	put('\n');
	flush();
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static unsigned long number(const char *s)
{
	unsigned long v = 0;
	while (*s >= '0' && *s <= '9')
		v = v * 10 + (*s++ - '0');
	return v;
}

/* What gcc calls on its own. */
void *memset(void *p, int c, size_t n)
{
	for (volatile char *q = p; n--;)
		*q++ = c;
	return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
	volatile char *t = to;
	for (const char *f = from; n--;)
		*t++ = *f++;
	return to;
}

#define CHECK(name, cond) do { int ok_ = (cond); print(ok_ ? "ok " : "FAIL "); print(name); put('\n'); flush(); if (!ok_) failed = 1; } while (0)

#endif
