/* Signals, handlers and the ways back. */
#include "guest.h"

static volatile int got[65];
static char *volatile hole;
static int ends[2];

static void on_usr2(int no, void *info, void *uc) { got[no]++; }
static void on_usr1(int no, void *info, void *uc)
{
	got[no]++;
	raise(SIGUSR2);
	ok("nested", got[SIGUSR2] == got[SIGUSR1]);
}

static void nested(word *sp)
{
	on(SIGUSR1, on_usr1, 0);
	on(SIGUSR2, on_usr2, 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	ok("twice", got[SIGUSR1] == 2);
}

/* A signal that waits when the thread goes back to user mode. */
static void pending(word *sp)
{
	uint64_t set = 1ull << (SIGUSR2 - 1);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && __SIZEOF_LONG__ == 4
	set = set << 32 | set >> 32;
#endif
	on(SIGUSR2, on_usr2, 0);
	sc(__NR_rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
	raise(SIGUSR2);
	ok("blocked", got[SIGUSR2] == 0);
	sc(__NR_rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8);
	ok("delivered", got[SIGUSR2] == 1);
}

__attribute__((noinline)) static int poke(char *p) { return *(volatile char *)p; }
static void on_segv(int no, void *info, void *uc)
{
	got[no]++;
	sc(__NR_mprotect, hole, 4096, PROT_READ | PROT_WRITE);
}

static void repaired(word *sp)
{
	hole = page(PROT_NONE);
	on(SIGSEGV, on_segv, 0);
	ok("read", poke(hole) == 0);
	ok("once", got[SIGSEGV] == 1);
}

static uintptr_t low, high;
static void on_alternate(int no, void *info, void *uc)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	got[no] += here >= low && here < high;
}

static void alternate(word *sp)
{
	char *p = (char *)sc(__NR_brk, 0);
	sc(__NR_brk, p + 65536);
	struct {
		void *sp;
		int flags;
		size_t size;
	} st = {p, 0, 65536};
	low = (uintptr_t)p, high = low + 65536;
	ok("sigaltstack", sc(__NR_sigaltstack, &st, 0) == 0);
	on(SIGUSR2, on_alternate, SA_ONSTACK);
	raise(SIGUSR2);
	ok("there", got[SIGUSR2] == 1);
}

/* Blocked and ignored: the stops of steps must not touch that. */
static void sigtrap(word *sp)
{
	struct action a = {(void *)1, 0, 0, 0}, now = {0};
	uint64_t set = ~0ull, was = 0;
	sc(__NR_rt_sigaction, SIGTRAP, &a, 0, 8);
	sc(__NR_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
	for (volatile int i = 0; i < 5; i++)
		;
	sc(__NR_rt_sigprocmask, SIG_SETMASK, 0, &was, 8);
	sc(__NR_rt_sigaction, SIGTRAP, 0, &now, 8);
	ok("ignored", now.handler == (void *)1);
	ok("blocked", (was | 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << (SIGKILL + 31) | 1ull << (SIGSTOP + 31)) == ~0ull);
}

static void *jump[5];
static void on_ill(int no, void *info, void *uc)
{
	got[no]++;
	__builtin_longjmp(jump, 1);
}
__attribute__((noinline)) static void illegal(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("ud2");
#elif defined(__thumb__)
	__asm__ volatile(".inst.n 0xdeff");
#elif defined(__arm__)
	__asm__ volatile(".inst 0xe7ffffff");
#elif defined(__aarch64__)
	__asm__ volatile(".inst 0");
#else
	__asm__ volatile(".long 0");
#endif
}

__attribute__((noinline)) static void away(word *sp)
{
	on(SIGILL, on_ill, SA_NODEFER);
	for (volatile int i = 0; i < 3; i++)
		if (__builtin_setjmp(jump) == 0)
			illegal();
	ok("thrice", got[SIGILL] == 3);
}

static void on_alrm(int no, void *info, void *uc)
{
	got[no]++;
	sc(__NR_write, ends[1], "x", 1);
}

/* A read that a handler with SA_RESTART interrupts is made again. */
static void restart(word *sp)
{
	char c = 0;
	struct {
		long interval[2], value[2];
	} it = {{0, 0}, {0, 40000}};
	ok("pipe", sc(__NR_pipe2, ends, 0) == 0);
	on(SIGALRM, on_alrm, SA_RESTART);
	sc(__NR_setitimer, 0, &it, 0);
	ok("read", sc(__NR_read, ends[0], &c, 1) == 1 && c == 'x');
	ok("alarm", got[SIGALRM] == 1);
}

/* A fault between a load with reservation and its store: the handler breaks
   the reservation, the loop goes round again. */
__attribute__((noinline)) static int exclusive(int *v, char *p)
{
#if defined(__aarch64__)
	int t, f, n = 0;
	__asm__ volatile("1: add %w2,%w2,#1\n ldxr %w0,[%3]\n ldrb %w1,[%4]\n add %w0,%w0,#1\n stxr %w1,%w0,[%3]\n cbnz %w1,1b"
			 : "=&r"(t), "=&r"(f), "+&r"(n) : "r"(v), "r"(p) : "memory");
	return n;
#elif defined(__arm__)
	int t, f, n = 0;
	__asm__ volatile("1: add %2,%2,#1\n ldrex %0,[%3]\n ldrb %1,[%4]\n add %0,%0,#1\n strex %1,%0,[%3]\n cmp %1,#0\n bne 1b"
			 : "=&r"(t), "=&r"(f), "+&r"(n) : "r"(v), "r"(p) : "memory", "cc");
	return n;
#elif defined(__powerpc__)
	int t, f, n = 0;
	__asm__ volatile("1: addi %2,%2,1\n lwarx %0,0,%3\n lbz %1,0(%4)\n addi %0,%0,1\n stwcx. %0,0,%3\n bne- 1b"
			 : "=&b"(t), "=&b"(f), "+&b"(n) : "b"(v), "b"(p) : "memory", "cr0");
	return n;
#else
	int n = poke(p) + 1;
	__asm__ volatile("lock; incl %0" : "+m"(*v));
	return n;
#endif
}

static void reserved(word *sp)
{
	static int v = 41;
	hole = page(PROT_NONE);
	on(SIGSEGV, on_segv, 0);
	int n = exclusive(&v, hole);
	ok("stored", v == 42);
	ok("rounds", n == 1 || n == 2);
	ok("once", got[SIGSEGV] == 1);
}

/* A fault in an IT block: the handler starts outside of one, the way back
   leads into it. */
__attribute__((noinline)) static int predicated(char *p, int x)
{
#if defined(__thumb__)
	int r = 7;
	__asm__ volatile("cmp %1,#3\n itete eq\n addeq %0,%0,#10\n addne %0,%0,#100\n ldrbeq %0,[%2]\n movne %0,#9" : "+&r"(r) : "r"(x), "r"(p) : "cc", "memory");
	return r;
#else
	return x == 3 ? poke(p) : 9;
#endif
}

static void it_block(word *sp)
{
	hole = page(PROT_NONE);
	on(SIGSEGV, on_segv, 0);
	ok("loaded", predicated(hole, 3) == 0);
	ok("else", predicated(hole, 4) == 9);
	ok("once", got[SIGSEGV] == 1);
}

/* TF of the program's own: each instruction is followed by its SIGTRAP. */
#if defined(__x86_64__) || defined(__i386__)
static void on_trap(int no, void *info, void *uc) { got[no]++; }
static void own_tf(word *sp)
{
	on(SIGTRAP, on_trap, 0);
#ifdef __x86_64__
	__asm__ volatile("pushfq\n orl $0x100,(%%rsp)\n popfq\n nop\n nop\n pushfq\n andl $~0x100,(%%rsp)\n popfq\n nop\n" : : : "memory", "cc");
#else
	__asm__ volatile("pushfl\n orl $0x100,(%%esp)\n popfl\n nop\n nop\n pushfl\n andl $~0x100,(%%esp)\n popfl\n nop\n" : : : "memory", "cc");
#endif
	ok("traps", got[SIGTRAP] == 5);
}
#endif

int program(word *sp)
{
	static const struct scenario l[] = {
		{"nested", nested}, {"pending", pending}, {"repaired", repaired}, {"alternate", alternate}, {"sigtrap", sigtrap}, {"away", away},
		{"restart", restart}, {"reserved", reserved}, {"it-block", it_block},
#if defined(__x86_64__) || defined(__i386__)
		{"own-tf", own_tf},
#endif
		{0, 0},
	};
	return pick_scenario(sp, l);
}
