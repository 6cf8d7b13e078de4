/* What the guests of the suite share: signals, threads, processes. */
#ifndef GUEST_H
#define GUEST_H

#include "utemu.h"
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0
#endif

/* struct sigaction of rt_sigaction(2), the same on all of them. */
struct action {
	void (*handler)(int, void *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

#if defined(__x86_64__)
__asm__(".text\nrestorer: mov $15,%eax\n syscall\n"
	".globl spawn\nspawn: mov %rdx,%r9\n xor %edx,%edx\n xor %r10d,%r10d\n mov $56,%eax\n syscall\n"
	"test %eax,%eax\n jz 1f\n ret\n1: xor %ebp,%ebp\n call *%r9\n hlt\n");
#elif defined(__i386__)
__asm__(".text\nrestorer: mov $173,%eax\n int $0x80\n"
	".globl spawn\nspawn: push %ebx\n push %esi\n push %edi\n mov 16(%esp),%ebx\n mov 20(%esp),%ecx\n mov 24(%esp),%edi\n"
	"xor %edx,%edx\n xor %esi,%esi\n mov $120,%eax\n int $0x80\n test %eax,%eax\n jz 1f\n"
	"pop %edi\n pop %esi\n pop %ebx\n ret\n1: call *%edi\n hlt\n");
#elif defined(__arm__)
__asm__(".text\n.arm\n.globl spawn\n.type spawn,%function\nspawn: push {r4,r7}\n mov r4,r2\n mov r2,#0\n mov r3,#0\n mov r7,#120\n svc #0\n"
	"cmp r0,#0\n beq 1f\n pop {r4,r7}\n bx lr\n1: blx r4\n udf #0\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl spawn\nspawn: mov x5,x2\n mov x2,#0\n mov x3,#0\n mov x4,#0\n mov x8,#220\n svc #0\n"
	"cbz x0,1f\n ret\n1: mov x29,#0\n blr x5\n udf #0\n");
#elif defined(__powerpc64__)
__asm__(".section .opd,\"aw\"\n.globl spawn\nspawn: .quad .Lspawn,.TOC.@tocbase,0\n.previous\n.text\n"
	".Lspawn: stdu 1,-128(1)\n std 31,120(1)\n mr 31,5\n li 5,0\n li 6,0\n li 7,0\n li 0,120\n sc\n cmpwi 3,0\n beq 1f\n"
	"ld 31,120(1)\n addi 1,1,128\n blr\n1: ld 0,0(31)\n mtctr 0\n ld 2,8(31)\n bctrl\n trap\n");
#elif defined(__powerpc__)
__asm__(".text\n.globl spawn\nspawn: stwu 1,-16(1)\n stw 31,8(1)\n mr 31,5\n li 5,0\n li 6,0\n li 7,0\n li 0,120\n sc\n cmpwi 3,0\n beq 1f\n"
	"lwz 31,8(1)\n addi 1,1,16\n blr\n1: mtctr 31\n bctrl\n trap\n");
#endif
word spawn(unsigned long flags, void *stack, void (*fn)(void));

#if defined(__x86_64__) || defined(__i386__)
void restorer(void);
#define RESTORER restorer, SA_RESTORER
#else
#define RESTORER 0, 0
#endif

static word act(int no, void (*h)(int, void *, void *), unsigned long flags, void (*r)(void), unsigned long rf)
{
	struct action a = {h, flags | SA_SIGINFO | rf, r, 0};
	return sc(__NR_rt_sigaction, no, &a, 0, 8);
}
#define on(no, h, flags) act(no, h, flags, RESTORER)

static void raise(int no) { sc(__NR_kill, sc(__NR_getpid), no); }

static char *page(int prot)
{
#ifdef __NR_mmap2
	return (char *)sc(__NR_mmap2, 0, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#else
	return (char *)sc(__NR_mmap, 0, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
}

/* The stack of a thread: aligned, with room above for a back chain. */
static void *stack(void) { return page(PROT_READ | PROT_WRITE) + 4096 - 256; }

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static void wait_for(int *v, int n)
{
	int now;
	while ((now = __atomic_load_n(v, __ATOMIC_ACQUIRE)) != n)
		sc(__NR_futex, v, FUTEX_WAIT, now, 0, 0, 0);
}

static void add(int *v)
{
	__atomic_fetch_add(v, 1, __ATOMIC_SEQ_CST);
	sc(__NR_futex, v, FUTEX_WAKE, 1, 0, 0, 0);
}

static int ok(const char *what, int cond)
{
	if (!cond) {
		print("FAIL ");
		print(what);
		put('\n');
		flush();
		quit(1);
	}
	return 1;
}

/* The scenario is the first argument. */
struct scenario {
	const char *name;
	void (*run)(word *sp);
};

static int pick_scenario(word *sp, const struct scenario *l)
{
	for (; l->name; l++)
		if (sp[0] > 1 && equal((char *)sp[2], l->name)) {
			l->run(sp);
			return 0;
		}
	return 2;
}

#endif
