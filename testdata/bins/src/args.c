/* Prints what the kernel put on the stack, except what differs by run. */
#include "utemu.h"

int program(word *sp)
{
	word argc = sp[0];
	char **argv = (char **)sp + 1, **envp = argv + argc + 1, **e = envp;
	line("argc", argc);
	for (int i = 1; i < argc; i++) {
		print("argv ");
		print(argv[i]);
		put('\n');
	}
	for (; *e; e++) {
		print("env ");
		print(*e);
		put('\n');
	}
	for (word *a = (word *)(e + 1); a[0]; a += 2)
		switch (a[0]) {
		case 6: case 17: case 23:
			print("aux ");
			print_dec(a[0]);
			put(' ');
			print_dec(a[1]);
			put('\n');
		}
	line("aligned", ((unsigned long)sp & 15) == 0);
	return argc;
}
