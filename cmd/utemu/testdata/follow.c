/* A program whose thread, child of a fork and child of a vfork, which becomes
   this program with an argument, each do something of their own. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *s, int n)
{
	if (write(1, s, n) != n)
		_exit(1);
}

static void *thread(void *p)
{
	say("thread\n", 7);
	return p;
}

static int status(pid_t p)
{
	int st;
	return waitpid(p, &st, 0) == p && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		say("program\n", 8);
		return 3;
	}
	pthread_t t;
	if (pthread_create(&t, 0, thread, 0) != 0 || pthread_join(t, 0) != 0)
		return 2;
	pid_t p = fork();
	if (p == 0) {
		say("fork\n", 5);
		_exit(7);
	}
	if (status(p) != 7)
		return 4;
	p = vfork();
	if (p == 0) {
		execl("/proc/self/exe", "follow", "again", (char *)0);
		_exit(9);
	}
	return status(p) == 3 ? 0 : 5;
}
