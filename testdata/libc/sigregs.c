/* What a handler does to registers is undone, what it does to its context
 * takes effect. */
#define _GNU_SOURCE
#include <sys/cdefs.h>
#undef __LEAF /* handlers run inside of raise() and the like */
#define __LEAF
#include "t.h"
#include <fenv.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int hits;
static double junk[64];

static void storm(int us)
{
	struct itimerval it = {{0, 0}, {0, us}};
	setitimer(ITIMER_REAL, &it, NULL);
}

static void clobber(int s)
{
	hits++;
	volatile double a = 1e300;
	for (int i = 0; i < 64; i++) {
		junk[i] = a / (i + 3) - hits;
		a = -a * 0.5;
	}
	fesetround(FE_UPWARD);
	char text[100];
	snprintf(text, sizeof text, "%.17g %lld", junk[hits & 63], (long long)hits * 12345678901ll);
	/* Less and less often, so that a slow machine gets on with the sums. */
	if (s == SIGALRM)
		storm(500 + 5 * hits);
}

/* The same sums in many registers at once. libunicorn before 2.1 computes
 * wrongly on 64-bit PowerPC, differently each time. */
#ifdef __powerpc64__
typedef long number;
#define flow(n) (n)
#else
typedef double number;
static double flow(int n)
{
	double a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
	float p = 1, q = 2, r = 3, s = 4;
	for (int i = 0; i < n; i++) {
		a += b * 1e-3, b -= c * 1e-3, c += d * 1e-3, d -= e * 1e-3;
		e += f * 1e-3, f -= g * 1e-3, g += h * 1e-3, h -= a * 1e-3;
		p += q * 1e-4f, q -= r * 1e-4f, r += s * 1e-4f, s -= p * 1e-4f;
	}
	return a + b + c + d + e + f + g + h + p + q + r + s;
}
#endif

static uint64_t mix(int n)
{
	uint64_t a = 1, b = 2, c = 3, d = 5, e = 7, f = 11, g = 13, h = 17;
	for (int i = 0; i < n; i++) {
		a = a * 6364136223846793005ull + b, b ^= c >> 7, c += d << 3, d = d * 3 + (e > f);
		e += f ^ g, f = f * 5 + 1, g -= h, h ^= a >> 33;
		if ((a ^ h) & 1)
			c ^= e;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}

#if defined __x86_64__
#define PC(u) ((u)->uc_mcontext.gregs[REG_RIP])
#elif defined __i386__
#define PC(u) ((u)->uc_mcontext.gregs[REG_EIP])
#elif defined __aarch64__
#define PC(u) ((u)->uc_mcontext.pc)
#elif defined __arm__
#define PC(u) ((u)->uc_mcontext.arm_pc)
#elif defined __powerpc64__
#define PC(u) ((u)->uc_mcontext.gp_regs[32])
#else
#define PC(u) ((u)->uc_mcontext.uc_regs->gregs[32])
#endif

static int elsewhere_ran;

static __attribute__((noinline, noreturn)) void elsewhere(void)
{
	elsewhere_ran = 1;
	printf("ok elsewhere\n");
	exit(done());
}

static void divert(int s, siginfo_t *si, void *v)
{
	(void)s;
	(void)si;
	ucontext_t *u = v;
	uintptr_t to = (uintptr_t)elsewhere;
#if defined __powerpc64__ && _CALL_ELF != 2
	u->uc_mcontext.gp_regs[2] = ((uint64_t *)to)[1];
	to = *(uint64_t *)to;
#endif
#if defined __arm__
	if (to & 1)
		u->uc_mcontext.arm_cpsr |= 0x20;
	else
		u->uc_mcontext.arm_cpsr &= ~0x20ul;
#endif
#if defined __x86_64__
	u->uc_mcontext.gregs[REG_RSP] = ((u->uc_mcontext.gregs[REG_RSP] - 4096) & -16) - 8;
#elif defined __i386__
	u->uc_mcontext.gregs[REG_ESP] = ((u->uc_mcontext.gregs[REG_ESP] - 4096) & -16) - 4;
#endif
	PC(u) = to;
	sigaddset(&u->uc_sigmask, SIGINT);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	number want = flow(300000);
	uint64_t wanted = mix(300000);
	signal(SIGALRM, clobber);
	signal(SIGUSR1, clobber);
	storm(500);
	int before = hits;
	while (hits < before + 200)
		MUST(flow(300000) == want);
	while (hits < before + 400)
		MUST(mix(300000) == wanted);
	CHECK(fegetround() == FE_TONEAREST);
	signal(SIGALRM, SIG_IGN);
	storm(0);
	hits = 0;
	raise(SIGUSR1);
	CHECK(hits == 1 && fegetround() == FE_TONEAREST && flow(300000) == want);
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = divert;
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	return 7;
}
