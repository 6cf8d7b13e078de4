/* Never ends: with an argument it makes system calls meanwhile, without one it
   does not leave its loop. */
#include "utemu.h"

int program(word *sp)
{
	print("running\n");
	flush();
	for (volatile unsigned i = 0;; i++)
		if (sp[0] > 1)
			sc(__NR_getppid);
}
