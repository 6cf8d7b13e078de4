#include "utemu.h"

int program(word *sp)
{
	print("hello, world\n");
	flush();
	return 0;
}
