/* Numbers that no system call has. */
#include "utemu.h"

enum { ENOSYS = 38 };

int program(word *sp)
{
#ifdef __arm__
	/* From 0xf0000 on are ARM's own calls; the first is a jump to 0, what lies
	   beyond them is an illegal instruction. */
	static const word nr[] = {777, 7777, 0xffff, 0x10000, 0xeffff, 0xf0007, 0xf0010, 0xf07ff};
#else
	static const word nr[] = {777, 7777, 0xffff, 0x10000, 0x7fffffff, -1, -38, -4096};
#endif
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
