// Tells who has sent a signal.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	sigset_t set;
	siginfo_t si;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (int i = 0; i < 2; i++) {
		int s = sigwaitinfo(&set, &si);
		printf("%d %d %d %d\n", s, si.si_code, si.si_pid, si.si_uid);
	}
	return 0;
}
