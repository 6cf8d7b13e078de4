/* When a wait call tells of a child's end, its SIGCHLD is pending and its
 * children have their new parent. */
#include "t.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 300 };

static void note(int no) { (void)no; }

/* took takes a pending SIGCHLD of the child; it does not wait for one. */
static int took(pid_t pid, int code)
{
	sigset_t s;
	siginfo_t si;
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	return sigtimedwait(&s, &si, &(struct timespec){0, 0}) == SIGCHLD && si.si_pid == pid && si.si_code == code;
}

static void ends(void)
{
	int n = 0;
	for (int i = 0; i < ROUNDS; i++) {
		pid_t a = fork();
		MUST(a >= 0);
		if (a == 0)
			_exit(3);
		MUST(waitpid(a, NULL, 0) == a);
		n += took(a, CLD_EXITED);
	}
	CHECK(n == ROUNDS);
	n = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int p[2];
		char c;
		MUST(pipe(p) == 0);
		pid_t a = fork();
		MUST(a >= 0);
		if (a == 0) {
			close(p[0]);
			_exit(3); /* which closes the pipe */
		}
		close(p[1]);
		MUST(read(p[0], &c, 1) == 0);
		close(p[0]);
		while (waitpid(a, NULL, WNOHANG) == 0)
			;
		n += took(a, CLD_EXITED);
	}
	CHECK(n == ROUNDS);
}

/* Those that a process leaves behind have another parent when it has ended. */
static void left(void)
{
	int n = 0;
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (int i = 0; i < ROUNDS / 3; i++) {
		int st;
		pid_t a = fork();
		MUST(a >= 0);
		if (a == 0) {
			pid_t b = fork();
			if (b == 0)
				_exit(7);
			if (b > 0)
				waitid(P_PID, b, &(siginfo_t){0}, WEXITED | WNOWAIT);
			_exit(3);
		}
		MUST(waitpid(a, NULL, 0) == a);
		n += waitpid(-1, &st, WNOHANG) > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 7;
	}
	CHECK(n == ROUNDS / 3);
}

int main(void)
{
	sigset_t s;
	setvbuf(stdout, NULL, _IONBF, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	MUST(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	MUST(signal(SIGCHLD, note) != SIG_ERR);
	ends();
	left();
	return failures != 0;
}
