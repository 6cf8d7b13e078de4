/* Instructions that are the kernel's alone: each is a signal, on its address. */
#include "t.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#if defined(__x86_64__) || defined(__i386__)
#define SIG SIGSEGV
#define CODE SI_KERNEL
#define BYTES(...) {__VA_ARGS__}
static const unsigned char insns[][8] = {
	BYTES(0xf4),                   /* hlt */
	BYTES(0xfa),                   /* cli */
	BYTES(0xe4, 0x80),             /* in $0x80,%al */
	BYTES(0xee),                   /* out %al,(%dx) */
	BYTES(0x0f, 0x01, 0x10),       /* lgdt (%eax) */
	BYTES(0x0f, 0x00, 0xd8),       /* ltr %eax */
	BYTES(0x0f, 0x20, 0xc0),       /* mov %cr0,%eax */
	BYTES(0x0f, 0x22, 0xd8),       /* mov %eax,%cr3 */
	BYTES(0x0f, 0x21, 0xf8),       /* mov %db7,%eax */
	BYTES(0x0f, 0x30),             /* wrmsr */
	BYTES(0x0f, 0x32),             /* rdmsr */
	BYTES(0x0f, 0x06),             /* clts */
	BYTES(0x0f, 0x09),             /* wbinvd */
	BYTES(0x0f, 0x01, 0x38),       /* invlpg (%eax) */
};
#elif defined(__powerpc__)
#define SIG SIGILL
#define CODE ILL_PRVOPC
static const unsigned insns[] = {
	0x7c600124, /* mtmsr r3 */
	0x7c6000a6, /* mfmsr r3 */
	0x7c7043a6, /* mtsprg0 r3 */
	0x7c7a02a6, /* mfsrr0 r3 */
	0x7c7602a6, /* mfdec r3 */
	0x7c7603a6, /* mtdec r3 */
	0x7c001bac, /* dcbi 0,r3 */
	0x7c001a64, /* tlbie r3 */
	0x7c00046c, /* tlbsync */
#ifdef __powerpc64__
	0x7c600164, /* mtmsrd r3 */
	0x4c000024, /* rfid */
	0x4c000224, /* hrfid */
	0x7c001b64, /* slbie r3 */
	0x7c0003e4, /* slbia */
	0x7c601b24, /* slbmte r3,r3 */
	0x7c7a4aa6, /* mfspr r3,HSRR0 */
	0x7c7e4ba6, /* mtspr LPCR,r3 */
#else
	0x4c000064, /* rfi */
	0x7c6004a6, /* mfsr r3,0 */
	0x7c6001a4, /* mtsr 0,r3 */
#endif
};
#elif defined(__aarch64__)
#define SIG SIGILL
#define CODE ILL_ILLOPC
static const unsigned insns[] = {
	0xd50342df, /* msr daifset, #2 */
	0xd5182000, /* msr ttbr0_el1, x0 */
	0xd5381000, /* mrs x0, sctlr_el1 */
	0xd508871f, /* tlbi vmalle1 */
	0xd69f03e0, /* eret */
	0xd4000002, /* hvc #0 */
};
#else
#define SIG SIGILL
#define CODE ILL_ILLOPC
static const unsigned insns[] = {
	0xee020f10, /* mcr p15, 0, r0, c2, c0, 0 */
	0xee110f10, /* mrc p15, 0, r0, c1, c0, 0 */
	0xee080f17, /* mcr p15, 0, r0, c8, c7, 0 */
};
#endif

static sigjmp_buf out;
static siginfo_t last;

static void leave(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)u;
	last = *si;
	siglongjmp(out, 1);
}

/* call calls code that is not Thumb; on 64-bit PowerPC a function is known by a
   descriptor. */
static void call(void *code)
{
#ifdef __powerpc64__
	static void *volatile descriptor[3];
	descriptor[0] = code;
	void (*volatile f)(void) = (void (*)(void))descriptor;
#else
	void (*volatile f)(void) = (void (*)(void))code;
#endif
	f();
}

int main(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(page != MAP_FAILED);
	struct sigaction sa = {.sa_flags = SA_SIGINFO};
	sa.sa_sigaction = leave;
	for (int s = 1; s < 32; s++)
		if (s == SIGILL || s == SIGSEGV || s == SIGTRAP || s == SIGBUS)
			MUST(sigaction(s, &sa, NULL) == 0);
	for (volatile unsigned i = 0; i < sizeof insns / sizeof *insns; i++) {
		memcpy(page, &insns[i], sizeof insns[i]);
		__builtin___clear_cache(page, page + sizeof insns[i]);
		memset(&last, 0, sizeof last);
		if (sigsetjmp(out, 1) == 0)
			call(page);
		if (last.si_signo != SIG || last.si_code != CODE || (SIG == SIGILL && last.si_addr != page))
			T_FAIL("instruction %u: signal %d, code %d", i, last.si_signo, last.si_code);
	}
	CHECK(failures == 0);
	return done();
}
