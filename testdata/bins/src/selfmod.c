/* Code that changes what runs next: the instruction after the store, the page
   that it runs from, code that begins behind a page end, code that moves. */
#include "code.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(a, n, p, f) ((uint8_t *)sc(__NR_mmap2, a, n, p, f, -1, 0))
#else
#define MMAP(a, n, p, f) ((uint8_t *)sc(__NR_mmap, a, n, p, f, -1, 0))
#endif
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* next(insn, at) stores an instruction at `at`, which is `changed`, and runs
   into it. What it returns is what the new instruction loaded. */
#if defined(__x86_64__)
__asm__(".text\n.balign 128\nnext: mov %edi,1(%rsi)\nchanged: mov $-1,%eax\n ret\n"
	"passes: mov %edi,%ecx\n1: incl 2f+1(%rip)\n2: mov $0,%eax\n dec %ecx\n jnz 1b\n ret\n.balign 4\ntally: .long 0\n");
#define MOVE(v) (v)
#elif defined(__i386__)
__asm__(".text\n.balign 128\nnext: mov 4(%esp),%eax\n mov 8(%esp),%edx\n mov %eax,1(%edx)\nchanged: mov $-1,%eax\n ret\n"
	"passes: mov 4(%esp),%ecx\n1: incl 2f+1\n2: mov $0,%eax\n dec %ecx\n jnz 1b\n ret\n.balign 4\ntally: .long 0\n");
#define MOVE(v) (v)
#elif defined(__thumb__)
__asm__(".text\n.syntax unified\n.thumb\n.balign 128\n.thumb_func\nnext: push {r7,lr}\n strh r0,[r1]\n mov r0,r1\n adds r1,#2\n movs r2,#0\n movw r7,#2\n movt r7,#15\n svc #0\n"
	"changed: movs r0,#255\n pop {r7,pc}\n.balign 4\ntally: .long 0\n");
#define MOVE(v) (0x2000 | ((v) & 0xff))
#elif defined(__arm__)
__asm__(".text\n.arm\n.balign 128\nnext: push {r7,lr}\n str r0,[r1]\n mov r0,r1\n add r1,r1,#4\n mov r2,#0\n movw r7,#2\n movt r7,#15\n svc #0\n"
	"changed: mov r0,#255\n pop {r7,pc}\ntally: .long 0\n");
#define MOVE(v) (0xe3a00000 | ((v) & 0xff))
#elif defined(__aarch64__)
__asm__(".text\n.balign 128\nnext: str w0,[x1]\n dc cvau,x1\n dsb ish\n ic ivau,x1\n dsb ish\n isb\nchanged: mov w0,#255\n ret\ntally: .long 0\n");
#define MOVE(v) (0x52800000 | ((v) & 0xff) << 5)
#elif defined(__powerpc64__)
__asm__(".section .opd,\"aw\"\nnext: .quad .next,.TOC.@tocbase,0\n.previous\n"
	".text\n.balign 128\n.next: stw 3,0(4)\n dcbst 0,4\n sync\n icbi 0,4\n sync\n isync\nchanged: li 3,255\n blr\ntally: .long 0\n");
#define MOVE(v) (0x38600000 | ((v) & 0xff))
#else
__asm__(".text\n.balign 128\nnext: stw 3,0(4)\n dcbst 0,4\n sync\n icbi 0,4\n sync\n isync\nchanged: li 3,255\n blr\ntally: .long 0\n");
#define MOVE(v) (0x38600000 | ((v) & 0xff))
#endif
extern int next(uint32_t insn, uint8_t *at);
extern uint8_t changed[];
extern volatile uint32_t tally;
#if defined(__x86_64__) || defined(__i386__)
extern int passes(int n);
#endif

/* Changes what the page of the program's own code allows. */
static int protect(uint8_t *at, int prot)
{
	return sc(__NR_mprotect, (uintptr_t)at & ~4095ul, 4096, prot) == 0;
}

/* Rewrites three bytes of the function at p, and the byte before it, by one
   store that lies across the page end. */
static int across(uint8_t *p)
{
	struct __attribute__((packed, may_alias)) u32 { uint32_t v; };
	int len = emit(p, 0);
	sync_code(p, len);
	for (int k = 1; k < 50; k++) {
		uint8_t insn[16], bytes[4] = {p[-1]};
		uint32_t v;
		emit(insn, k << 8);
		for (int i = 0; i < 3; i++)
			bytes[i + 1] = insn[i];
		__builtin_memcpy(&v, bytes, 4);
		((volatile struct u32 *)(p - 1))->v = v;
		sync_code(p - 32, 32 + len);
		if (run(p) != k << 8)
			return 0;
	}
	return 1;
}

int program(word *sp)
{
	int failed = 0, ok = 1;
	CHECK("own code made writable", protect((uint8_t *)changed, RWX));
	for (int i = 0; i < 200 && ok; i++)
		ok = next(MOVE(i), changed) == i;
	CHECK("next instruction", ok);
#if defined(__x86_64__) || defined(__i386__)
	ok = passes(1000) == 1000;
#endif
	CHECK("own operand", ok);
	for (int i = 0; i < 2000; i++)
		tally += i;
	CHECK("data beside running code", tally == 1999000);
	CHECK("own code made read-only", protect((uint8_t *)changed, PROT_READ | PROT_EXEC));

	uint8_t *p = MMAP(0, 3 * 4096, RWX, ANON);
	CHECK("across a page end", across(p + 4096));
	sync_code(p + 256, emit(p + 256, 11));
	ok = run(p + 256) == 11;
	uint8_t *to = MMAP(0, 16 * 4096, PROT_NONE, ANON);
	uint8_t *q = (uint8_t *)sc(__NR_mremap, p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	sync_code(q, 512);
	CHECK("moved", ok && q == to && run(q + 256) == 11);
	/* Another page comes where the first one was. */
	p = MMAP(p, 4096, RWX, ANON | MAP_FIXED);
	sync_code(p + 256, emit(p + 256, 22));
	CHECK("replaced", run(p + 256) == 22 && run(q + 256) == 11);
	for (int i = 0; i < 40 && ok; i++) {
		uint8_t *f = i & 1 ? p + 256 : q + 256, *other = i & 1 ? q + 256 : p + 256;
		int keep = run(other);
		sync_code(f, emit(f, 1000 + i));
		ok = run(f) == 1000 + i && run(other) == keep;
	}
	CHECK("turn by turn", ok);
	sc(__NR_madvise, p, 4096, MADV_DONTNEED);
	ok = p[256] == 0;
	sync_code(p + 256, emit(p + 256, 33));
	CHECK("thrown away and written anew", ok && run(p + 256) == 33);
	return failed;
}
