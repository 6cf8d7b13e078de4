// Tells how many files it can have open.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(void)
{
	struct rlimit l;
	int n = 3;
	if (getrlimit(RLIMIT_NOFILE, &l))
		return 1;
	printf("limit %d %d\n", (int)l.rlim_cur, (int)l.rlim_max);
	for (;;) {
		int fd = open("/dev/null", O_RDONLY);
		if (fd < 0)
			break;
		n = fd + 1;
	}
	printf("%d %s\n", n, strerror(errno));
	return 0;
}
