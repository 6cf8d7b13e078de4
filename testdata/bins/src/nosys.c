/* Numbers that no system call has. */
#include "utemu.h"

enum { ENOSYS = 38 };

int program(word *sp)
{
	static const word nr[] = {-1, 777, 7777, 0xffff, 0x10000, 0x7fffffff, -38, -4096};
	int failed = 0;
	for (int i = 0; i < sizeof nr / sizeof *nr; i++) {
		word r = sc(nr[i], 1, 2, 3, 4, 5, 6);
		print(r == -ENOSYS ? "ok " : "FAIL ");
		print_dec(nr[i]);
		if (r != -ENOSYS) {
			put(' ');
			print_dec(r);
			failed = 1;
		}
		put('\n');
		flush();
	}
	return failed;
}
