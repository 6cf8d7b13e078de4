/* Work for measurements: work KIND COUNT, with KIND cpu, mem, call or sys.
   Prints a checksum. */
#include "utemu.h"

static uint32_t cpu(unsigned long n)
{
	uint32_t x = 123456789;
	for (unsigned long i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		if (x & 64)
			x += 0x9e3779b9;
	}
	return x;
}

static uint32_t table[1 << 16];

static uint32_t mem(unsigned long n)
{
	uint32_t x = 1, sum = 0;
	for (unsigned long i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		uint32_t *p = &table[x >> 16];
		*p += x;
		sum ^= table[(x >> 8) & 0xffff];
	}
	return sum;
}

__attribute__((noinline)) static uint32_t leaf(uint32_t a, uint32_t b) { return (a ^ b) * 3; }
__attribute__((noinline)) static uint32_t node(uint32_t a, int d) { return d ? leaf(node(a + 1, d - 1), a) : a; }

static uint32_t call(unsigned long n)
{
	uint32_t x = 0;
	for (unsigned long i = 0; i < n; i++)
		x += node(x, 8);
	return x;
}

static uint32_t sys(unsigned long n)
{
	uint32_t x = 0;
	for (unsigned long i = 0; i < n; i++)
		x += sc(__NR_getppid) > 0;
	return x;
}

int program(word *sp)
{
	if (sp[0] != 3)
		return 2;
	char *kind = (char *)sp[2];
	unsigned long n = number((char *)sp[3]);
	uint32_t r;
	if (equal(kind, "cpu"))
		r = cpu(n);
	else if (equal(kind, "mem"))
		r = mem(n);
	else if (equal(kind, "call"))
		r = call(n);
	else if (equal(kind, "sys"))
		r = sys(n);
	else
		return 2;
	print_hex(r);
	put('\n');
	flush();
	return 0;
}
