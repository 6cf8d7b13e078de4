/* A child that spins gets SIGXCPU at its soft limit of processor time and
   SIGKILL at the hard one; its parent does not. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void over(int no)
{
	if (write(1, "SIGXCPU\n", 8) != 8)
		_exit(1);
}

int main(void)
{
	pid_t p = fork();
	if (p == 0) {
		struct rlimit l = {1, 2}, got;
		signal(SIGXCPU, over);
		if (setrlimit(RLIMIT_CPU, &l) != 0 || getrlimit(RLIMIT_CPU, &got) != 0 || got.rlim_cur != 1 || got.rlim_max != 2)
			return 1;
		for (;;)
			;
	}
	int st;
	waitpid(p, &st, 0);
	printf("%d %d\n", WIFSIGNALED(st), WTERMSIG(st));
	return 0;
}
