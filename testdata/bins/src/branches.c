/* Calls, recursion, loops, switches and calls through pointers. */
#include "utemu.h"

__attribute__((noinline)) static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
__attribute__((noinline)) static int minus(int x) { return -x; }
__attribute__((noinline)) static int pick(int n)
{
	switch (n) {
	case 0: return 5;
	case 1: return 17;
	case 2: return -3;
	case 3: return 99;
	case 4: return 1000;
	case 5: return fib(5);
	case 6: return 12345;
	default: return 0;
	}
}

int program(word *sp)
{
	static int (*volatile fns[])(int) = {twice, minus, pick, fib};
	int sum = 0;
	for (int i = 0; i < 12; i++)
		sum = sum * 3 + fns[i & 3](i);
	line("fib", fib(12));
	line("sum", sum);
	return 0;
}
