// Processes that write to one pipe, send their parent signals and sleep; the
// parent prints what came in which order, with clocks, numbers of processes
// and random numbers.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 3, ROUNDS = 6 };

static volatile sig_atomic_t signals, alarms;

static void handler(int no)
{
	if (no == SIGALRM)
		alarms++;
	else
		signals++;
}

static void child(int no, int fd)
{
	volatile unsigned work = 0;
	for (int i = 0; i < ROUNDS; i++) {
		char b[16];
		int n = snprintf(b, sizeof b, "%d:%d ", no, i);
		if (write(fd, b, n) != n)
			_exit(100);
		for (int j = 0; j < 200 * no; j++)
			work += j;
		if (i == ROUNDS / 2)
			kill(getppid(), SIGUSR1);
		if (i == no)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	_exit(no);
}

static void show_time(void)
{
	struct timespec real, mono, cpu;
	struct timeval day;
	struct tms tms;
	struct stat st;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	gettimeofday(&day, NULL);
	printf("%lld.%09ld %lld.%09ld %lld.%09ld %lld.%06ld %ld %lld\n", (long long)real.tv_sec, real.tv_nsec,
		(long long)mono.tv_sec, mono.tv_nsec, (long long)cpu.tv_sec, cpu.tv_nsec,
		(long long)day.tv_sec, (long)day.tv_usec, (long)times(&tms), (long long)time(NULL));
	if (fstat(1, &st) == 0)
		printf("%lld %lld\n", (long long)st.st_ino, (long long)st.st_mtime);
}

static void show_random(void)
{
	uint64_t a = 0, b = 0, *aux = (uint64_t *)getauxval(AT_RANDOM);
	int fd = open("/dev/urandom", O_RDONLY);
	if (getrandom(&a, sizeof a, 0) != sizeof a || read(fd, &b, sizeof b) != sizeof b)
		exit(101);
	close(fd);
	printf("%016llx %016llx %016llx\n", (unsigned long long)a, (unsigned long long)b, (unsigned long long)aux[0]);
}

int main(void)
{
	int fds[2], status;
	char b[256];
	ssize_t n;
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	if (pipe(fds) != 0)
		return 102;
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			child(i, fds[1]);
	close(fds[1]);
	struct itimerval it = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
	setitimer(ITIMER_REAL, &it, NULL);
	while ((n = read(fds[0], b, sizeof b)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			fwrite(b, 1, n, stdout);
	for (;;) {
		pid_t pid = wait(&status);
		if (pid > 0)
			printf("\n%d ended with %d", (int)pid, WEXITSTATUS(status));
		else if (errno != EINTR)
			break;
	}
	it = (struct itimerval){0};
	setitimer(ITIMER_REAL, &it, NULL);
	printf("\n%d signals %d alarms, %d of %d\n", (int)signals, (int)alarms, (int)getpid(), (int)getppid());
	show_time();
	show_random();
	sleep(100);
	show_time();
	return 0;
}
