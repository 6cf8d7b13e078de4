// Executes programs of the host. What it prints is the same wherever it runs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *native;

static void show(const char *what, int st)
{
	if (WIFEXITED(st))
		printf("%s: exit %d\n", what, WEXITSTATUS(st));
	else if (WIFSIGNALED(st))
		printf("%s: signal %d\n", what, WTERMSIG(st));
	else if (WIFSTOPPED(st))
		printf("%s: stopped %d\n", what, WSTOPSIG(st));
	else
		printf("%s: continued\n", what);
}

static void await(const char *what, pid_t pid)
{
	int st;
	if (waitpid(pid, &st, 0) != pid)
		printf("%s: %s\n", what, strerror(errno));
	else
		show(what, st);
}

static pid_t start(const char *mode, const char *arg)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(native, "native", mode, arg, NULL);
		_exit(98);
	}
	return pid;
}

static void statuses(void)
{
	await("exit 7", start("exit", "7"));
	await("exit 0", start("exit", "0"));
	await("SIGTERM", start("die", "15"));
	await("SIGKILL", start("die", "9"));
	pid_t pid = vfork();
	if (pid == 0) {
		execl(native, "native", "exit", "3", NULL);
		_exit(98);
	}
	await("vfork", pid);
	char *argv[] = {"native", "exit", "4", NULL};
	printf("posix_spawn %d\n", posix_spawn(&pid, native, NULL, NULL, argv, environ));
	await("posix_spawn", pid);
	siginfo_t si;
	pid = start("exit", "5");
	printf("waitid %d\n", waitid(P_PID, pid, &si, WEXITED));
	printf("si_code %d si_status %d same %d\n", si.si_code, si.si_status, si.si_pid == pid);
}

static void errors(const char *dir)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/none", dir);
	execl(path, "none", NULL);
	printf("missing: %s\n", strerror(errno));
	snprintf(path, sizeof path, "%s/broken", dir);
	execl(path, "broken", NULL);
	printf("without its interpreter: %s\n", strerror(errno));
	if (chmod(path, 0600))
		perror("chmod");
	execl(path, "broken", NULL);
	printf("not executable: %s\n", strerror(errno));
	char *big = malloc(200000);
	memset(big, 'x', 199999);
	big[199999] = 0;
	execl(native, "native", big, NULL);
	printf("long: %s\n", strerror(errno));
	free(big);
}

static void inherit(const char *dir)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigaddset(&set, SIGRTMIN + 5);
		sigprocmask(SIG_SETMASK, &set, NULL);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		signal(SIGTERM, SIG_DFL);
		umask(027);
		int fd = open("/dev/null", O_RDWR);
		dup2(fd, 3);
		dup2(fd, 20);
		dup2(fd, 77);
		fcntl(20, F_SETFD, FD_CLOEXEC);
		if (chdir(dir) || setenv("HOSTEXEC", "a b", 1))
			_exit(97);
		for (int i = 4; i < 20; i++)
			close(i);
		close(0);
		execl(native, "a name", "report", "", "two words", NULL);
		_exit(98);
	}
	await("inherit", pid);
}

static char line[200];

static const char *get(FILE *f)
{
	if (!fgets(line, sizeof line, f))
		return "end";
	line[strcspn(line, "\n")] = 0;
	return line;
}

static void signals(void)
{
	int p[2], st;
	if (pipe(p))
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		execl(native, "native", "wait", NULL);
		_exit(98);
	}
	setpgid(pid, pid);
	close(p[1]);
	FILE *f = fdopen(p[0], "r");
	printf("child: %s\n", get(f));
	kill(pid, SIGUSR1);
	printf("kill: %s\n", get(f));
	kill(-pid, SIGUSR1);
	printf("its group: %s\n", get(f));
	sigqueue(pid, SIGRTMIN + 3, (union sigval){.sival_int = 1234});
	printf("sigqueue: %s\n", get(f));
	kill(pid, SIGSTOP);
	printf("stop %d ", waitpid(pid, &st, WUNTRACED) == pid);
	show("", st);
	printf("nothing more %d\n", waitpid(pid, &st, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	printf("go on %d ", waitpid(pid, &st, WCONTINUED) == pid);
	show("", st);
	printf("its group is its own %d\n", getpgid(pid) == pid);
	printf("setpgid %s\n", setpgid(pid, getpgrp()) ? strerror(errno) : "works");
	int fd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	printf("pidfd before %d\n", poll(&pf, 1, 0));
	syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0);
	printf("pidfd: %s\n", get(f));
	kill(pid, SIGTERM);
	printf("pidfd after %d\n", poll(&pf, 1, -1));
	printf("stream: %s\n", get(f));
	await("SIGTERM", pid);
	printf("gone: %s\n", kill(pid, 0) ? strerror(errno) : "there");
}

static void pipeline(void)
{
	int a[2], b[2];
	if (pipe2(a, O_CLOEXEC) || pipe2(b, O_CLOEXEC))
		exit(1);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(a[0], 0);
		dup2(b[1], 1);
		execl(native, "native", "cat", NULL);
		_exit(98);
	}
	close(a[0]);
	close(b[1]);
	FILE *f = fdopen(b[0], "r");
	if (write(a[1], "through\n", 8) != 8)
		exit(1);
	printf("%s\n", get(f));
	close(a[1]);
	printf("%s\n", get(f));
	await("cat", pid);
	struct rusage ru;
	printf("children %d\n", getrusage(RUSAGE_CHILDREN, &ru));
}

static void *execute(void *arg)
{
	(void)arg;
	execl(native, "native", "exit", "6", NULL);
	return NULL;
}

static void threads(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t;
		pthread_create(&t, NULL, execute, NULL);
		for (;;)
			pause();
	}
	await("thread", pid);
}

static void scripts(const char *dir)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/script", dir);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execl(path, "script", "one", "two", NULL);
		_exit(98);
	}
	await("script", pid);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (chdir(dir))
			_exit(97);
		execl("./script", "script", "three", NULL);
		_exit(98);
	}
	await("relative script", pid);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 1;
	native = argv[2];
	if (!strcmp(argv[3], "exec")) {
		execv(native, argv + 4);
		return 98;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	statuses();
	errors(argv[1]);
	inherit(argv[1]);
	signals();
	pipeline();
	threads();
	scripts(argv[1]);
	return 0;
}
