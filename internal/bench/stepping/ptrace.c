// The host's own way to step: ptrace N PROG [ARGS...] makes N steps with
// PTRACE_SINGLESTEP, reads the PC of each stop, and ends the program.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long n = atol(argv[1]);
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	int status;
	struct user_regs_struct r;
	unsigned long sum = 0;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 1;
	for (long k = 0; k < n; k++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return 1;
		ptrace(PTRACE_GETREGS, pid, 0, &r);
		sum += r.rip;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return sum == 0;
}
