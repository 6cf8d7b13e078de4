/* Ends with the status that its first argument says: by exit_group, or by exit
   if there is a second argument. */
#include "utemu.h"

int program(word *sp)
{
	int status = sp[0] > 1 ? number((char *)sp[2]) : 0;
	if (sp[0] > 2)
		sc(__NR_exit, status);
	return status;
}
