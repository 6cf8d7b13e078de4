// A program of the host that guest.c executes: it tells what it has got.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void report(char **argv)
{
	for (int i = 0; argv[i]; i++)
		printf("argv[%d] %s\n", i, argv[i]);
	printf("variable %s\n", getenv("HOSTEXEC") ? getenv("HOSTEXEC") : "none");
	mode_t m = umask(0);
	printf("umask %03o\n", m);
	char cwd[4096], *base = getcwd(cwd, sizeof cwd) ? strrchr(cwd, '/') + 1 : "?";
	printf("directory %s\n", base);
	for (int fd = 0; fd < 100; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("descriptor %d\n", fd);
	sigset_t set;
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int s = 1; s < 65; s++) {
		struct sigaction a;
		if (sigismember(&set, s) == 1)
			printf("blocked %d\n", s);
		if (sigaction(s, NULL, &a) == 0 && a.sa_handler != SIG_DFL)
			printf("ignored %d\n", s);
	}
}

static volatile sig_atomic_t got;
static volatile int value;

static void note(int s, siginfo_t *si, void *context)
{
	(void)context;
	got = s;
	value = si->si_value.sival_int;
}

// Waits for signals, and tells of each.
static void wait_for(void)
{
	struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGRTMIN + 3, &a, NULL);
	puts("ready");
	for (;;) {
		sigsuspend(&none);
		if (got == SIGUSR1)
			puts("usr1");
		else
			printf("value %d\n", value);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	// Guests but the first have numbers from here on.
	if (getpid() >= 4 << 20)
		puts("emulated");
	if (argc < 2)
		return 99;
	if (!strcmp(argv[1], "report"))
		report(argv);
	else if (!strcmp(argv[1], "pid"))
		printf("%d\n", getpid());
	else if (!strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	else if (!strcmp(argv[1], "die"))
		raise(atoi(argv[2]));
	else if (!strcmp(argv[1], "wait"))
		wait_for();
	else if (!strcmp(argv[1], "cat")) {
		char b[100];
		for (ssize_t n; (n = read(0, b, sizeof b)) > 0;)
			if (write(1, b, n) != n)
				return 1;
	}
	return 0;
}
