/* Stores of every width at every offset, over page ends, in blocks, in strings
   and under a lock. */
#include "utemu.h"
#include <linux/mman.h>

#ifdef __NR_mmap2
#define MMAP(n) ((uint8_t *)sc(__NR_mmap2, 0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
#else
#define MMAP(n) ((uint8_t *)sc(__NR_mmap, 0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
#endif
#define BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

struct __attribute__((packed, may_alias)) u16 { uint16_t v; };
struct __attribute__((packed, may_alias)) u32 { uint32_t v; };
struct __attribute__((packed, may_alias)) u64 { uint64_t v; };

__attribute__((noinline)) static void store(volatile uint8_t *p, int width, uint64_t v)
{
	switch (width) {
	case 1: *p = v; break;
	case 2: ((volatile struct u16 *)p)->v = v; break;
	case 4: ((volatile struct u32 *)p)->v = v; break;
	case 8: ((volatile struct u64 *)p)->v = v; break;
	}
}

__attribute__((noinline)) static uint64_t load(volatile uint8_t *p, int width)
{
	switch (width) {
	case 1: return *p;
	case 2: return ((volatile struct u16 *)p)->v;
	case 4: return ((volatile struct u32 *)p)->v;
	default: return ((volatile struct u64 *)p)->v;
	}
}

/* Whether a store at p writes its bytes in the machine's order and no other. */
static int exact(uint8_t *p, int width)
{
	const uint64_t v = 0x8182838485868788ULL;
	for (int i = -16; i < 24; i++)
		p[i] = 0x5a;
	store(p, width, v);
	for (int i = -16; i < 24; i++) {
		uint8_t want = 0x5a;
		if (i >= 0 && i < width)
			want = v >> 8 * (BIG ? width - 1 - i : i);
		if (p[i] != want)
			return 0;
	}
	uint64_t mask = width == 8 ? ~0ULL : (1ULL << 8 * width) - 1;
	return load(p, width) == (v & mask);
}

static int all(uint8_t *at, int from, int to, int width)
{
	for (int o = from; o < to; o++)
		if (!exact(at + o, width))
			return 0;
	return 1;
}

/* Stores 1..8 as 32-bit words by the machine's widest block instruction. */
__attribute__((noinline)) static void block(uint32_t *p)
{
#if defined(__x86_64__)
	uint32_t n[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	const void *from = n;
	long count = 8;
	__asm__ volatile("rep movsl" : "+D"(p), "+S"(from), "+c"(count) : : "memory");
#elif defined(__i386__)
	uint32_t *end = p + 8;
	__asm__ volatile("mov %%esp,%%ecx\n mov %0,%%esp\n push $8\n push $7\n push $6\n push $5\n push $4\n push $3\n push $2\n push $1\n mov %%ecx,%%esp" : : "r"(end) : "ecx", "memory");
#elif defined(__arm__)
	__asm__ volatile("mov r1,#1\n mov r2,#2\n mov r3,#3\n mov r4,#4\n stmia %0!,{r1,r2,r3,r4}\n"
			 "mov r1,#5\n mov r2,#6\n mov r3,#7\n mov r4,#8\n stmia %0,{r1,r2,r3,r4}" : "+r"(p) : : "r1", "r2", "r3", "r4", "memory");
#elif defined(__aarch64__)
	__asm__ volatile("mov w1,#1\n mov w2,#2\n stp w1,w2,[%0],#8\n mov w1,#3\n mov w2,#4\n stp w1,w2,[%0]\n"
			 "mov x1,#5\n movk x1,#6,lsl #32\n mov x2,#7\n movk x2,#8,lsl #32\n stp x1,x2,[%0,#8]!" : "+r"(p) : : "x1", "x2", "memory");
#else
	__asm__ volatile("li 24,1\n li 25,2\n li 26,3\n li 27,4\n li 28,5\n li 29,6\n stmw 24,0(%0)\n li 24,7\n stw 24,24(%0)\n li 24,8\n li 25,28\n stwx 24,%0,25"
			 : : "b"(p) : "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31", "memory");
#endif
}

/* Sets n bytes the way this machine clears or fills memory at once. */
__attribute__((noinline)) static void fill(uint8_t *p, long n)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
#elif defined(__aarch64__)
	uint64_t id;
	__asm__("mrs %0, dczid_el0" : "=r"(id));
	long line = 4l << (id & 15);
	for (uint8_t *q = p; q < p + n; q += line)
		__asm__ volatile("dc zva, %0" : : "r"(q) : "memory");
#elif defined(__powerpc__)
	/* The line is as long as AT_DCACHEBSIZE says; 16 divides them all. */
	for (uint8_t *q = p; q < p + n; q += 16)
		__asm__ volatile("dcbz 0,%0" : : "r"(q) : "memory");
#else
	for (uint32_t *q = (uint32_t *)p; q < (uint32_t *)(p + n); q++)
		*(volatile uint32_t *)q = 0;
#endif
}

__attribute__((noinline)) static void reversed(uint32_t *p, uint32_t v)
{
#if defined(__powerpc__)
	__asm__ volatile("stwbrx %1,0,%0" : : "r"(p), "r"(v) : "memory");
#else
	*(volatile uint32_t *)p = __builtin_bswap32(v);
#endif
}

int program(word *sp)
{
	int failed = 0, ok;
	uint8_t *p = MMAP(3 * 4096);
	CHECK("bytes", all(p + 64, 0, 16, 1));
	CHECK("halfwords", all(p + 64, 0, 16, 2));
	CHECK("words", all(p + 64, 0, 16, 4));
	CHECK("doublewords", all(p + 64, 0, 16, 8));
	CHECK("halfwords over a page end", all(p + 4096, -8, 1, 2));
	CHECK("words over a page end", all(p + 4096, -8, 1, 4));
	CHECK("doublewords over a page end", all(p + 4096, -8, 1, 8));
	sc(__NR_munmap, p, 4096);
	CHECK("at the start of a mapping", exact(p + 4096 + 16, 8));
	sc(__NR_munmap, p + 8192, 4096);
	p[8191] = 1;
	store(p + 8184, 8, 0x1122334455667788ULL);
	CHECK("at the end of a mapping", load(p + 8184, 8) == 0x1122334455667788ULL);

	static uint32_t words[64] __attribute__((aligned(128)));
	block(words + 1);
	ok = words[0] == 0 && words[9] == 0;
	for (int i = 0; i < 8; i++)
		ok &= words[i + 1] == i + 1;
	CHECK("block", ok);
	static uint8_t bytes[1024] __attribute__((aligned(512)));
	for (int i = 0; i < 1024; i++)
		bytes[i] = 0xee;
	fill(bytes, 512);
	ok = 1;
	for (int i = 0; i < 1024; i++)
		ok &= bytes[i] == (i < 512 ? 0 : 0xee);
	CHECK("fill", ok);
	reversed(words, 0x11223344);
	CHECK("reversed", words[0] == 0x44332211);
	words[0] = 0;
	for (int i = 0; i < 1000; i++)
		__sync_fetch_and_add(&words[0], i);
	CHECK("added under a lock", words[0] == 499500);
	CHECK("compared and swapped", __sync_bool_compare_and_swap(&words[0], 499500, 7) && !__sync_bool_compare_and_swap(&words[0], 8, 9) && words[0] == 7);

	static uint8_t field[65536 + 8];
	uint32_t x = 2463534242u, sum = 0;
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		int width = 1 << (x & 3);
		uint8_t *at = field + (x >> 16);
		sum = sum * 33 + (uint32_t)load(at, 1);
		/* The same bytes in any order: the sum is every machine's. */
		store(at, width, 0x0101010101010101ULL * (x >> 8 & 0xff));
	}
	line("sum", sum & 0x7fffffff);
	for (int i = 0; i < sizeof field; i++)
		sum = sum * 33 + field[i];
	line("field", sum & 0x7fffffff);
	return failed;
}
