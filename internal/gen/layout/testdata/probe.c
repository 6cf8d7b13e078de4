/*
 * Makes system calls without the C library's wrappers and prints, one a line,
 * the name of a structure and the bytes the kernel put there. The values are
 * set up so that each field holds something of its own; probe_test.go knows
 * them. The arguments are a file, a folder with one file in it, and the size
 * of struct statfs64, which the call takes and checks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <asm/termbits.h>

static unsigned char buf[4096];

static void need(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void show(const char *name, long r)
{
	need(r >= 0, name);
	printf("%s ", name);
	for (int i = 0; i < 512; i++)
		printf("%02x", buf[i]);
	printf("\n");
	memset(buf, 0xa5, sizeof buf);
}

static void handler(int sig) { (void)sig; }

static void files(const char *file, const char *dir, size_t size)
{
	int fd = open(file, O_RDONLY), d = open(dir, O_RDONLY | O_DIRECTORY);

	need(fd >= 0 && d >= 0, "open");
	show("stat", syscall(SYS_fstat, fd, buf));
#ifdef SYS_fstat64
	show("stat64", syscall(SYS_fstat64, fd, buf));
#endif
	show("statx", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0xfff, buf));
	show("statfs", syscall(SYS_fstatfs, fd, buf));
#ifdef SYS_fstatfs64
	show("statfs64", syscall(SYS_fstatfs64, fd, size, buf));
#endif
#ifdef SYS_getdents
	show("linux_dirent", syscall(SYS_getdents, d, buf, 512));
	lseek(d, 0, SEEK_SET);
#endif
	show("linux_dirent64", syscall(SYS_getdents64, d, buf, 512));
}

static void times_and_limits(void)
{
	struct itimerval it = { { 1001, 0 }, { 2002, 0 } };
	struct rlimit rl = { 77, 99 };

	need(!setitimer(ITIMER_VIRTUAL, &it, 0), "setitimer");
	show("itimerval", syscall(SYS_getitimer, ITIMER_VIRTUAL, buf));
	show("timeval", syscall(SYS_gettimeofday, buf, 0));
	show("timespec", syscall(SYS_clock_gettime, CLOCK_REALTIME, buf));
#ifdef SYS_clock_gettime64
	show("__kernel_timespec", syscall(SYS_clock_gettime64, CLOCK_REALTIME, buf));
#endif
	need(!setrlimit(RLIMIT_NOFILE, &rl), "setrlimit");
#ifdef SYS_ugetrlimit
	show("rlimit", syscall(SYS_ugetrlimit, RLIMIT_NOFILE, buf));
#else
	show("rlimit", syscall(SYS_getrlimit, RLIMIT_NOFILE, buf));
#endif
	show("rlimit64", syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, buf));
	show("rusage", syscall(SYS_getrusage, RUSAGE_SELF, buf));
	show("sysinfo", syscall(SYS_sysinfo, buf));
	show("new_utsname", syscall(SYS_uname, buf));
}

static void signals(void)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_NODEFER | SA_RESTART };
	union sigval v = { .sival_int = 0x1234567 };
	sigset_t set;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGUSR2);
	need(!sigaction(SIGUSR1, &sa, 0), "sigaction");
	printf("handler %lx\n", (unsigned long)handler);
	show("sigaction", syscall(SYS_rt_sigaction, SIGUSR1, 0, buf, 8));

	printf("stack %lx\n", (unsigned long)stack);
	need(!sigaltstack(&ss, 0), "sigaltstack");
	show("stack_t", syscall(SYS_sigaltstack, 0, buf));

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	need(!sigprocmask(SIG_BLOCK, &set, 0), "sigprocmask");
	need(!sigqueue(getpid(), SIGUSR2, v), "sigqueue");
	printf("pid %lx\n", (unsigned long)getpid());
	show("siginfo", syscall(SYS_rt_sigtimedwait, &set, buf, 0, 8));
}

static void sockets(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 };
	int ep = epoll_create1(0), e = eventfd(1, 0), sv[2];
	unsigned len = 512;

	need(!epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev), "epoll_ctl");
	show("epoll_event", syscall(SYS_epoll_pwait, ep, buf, 1, 0, 0, 8));
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, sv), "socketpair");
	need(!getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, buf, &len), "SO_PEERCRED");
	show("ucred", 0);
}

static void sysv(void)
{
	int shm = shmget(IPC_PRIVATE, 12345, 0640), sem = semget(IPC_PRIVATE, 7, 0620);
	int msg = msgget(IPC_PRIVATE, 0604);
	need(shm >= 0 && sem >= 0 && msg >= 0, "shmget, semget, msgget");
#ifdef SYS_ipc
	unsigned long arg = (unsigned long)buf;

	show("shmid64_ds", syscall(SYS_ipc, 24, shm, IPC_STAT | 0x100, 0, buf));
	show("semid64_ds", syscall(SYS_ipc, 3, sem, 0, IPC_STAT | 0x100, &arg));
	show("msqid64_ds", syscall(SYS_ipc, 14, msg, IPC_STAT | 0x100, 0, buf));
#else
	int v = sizeof(long) == 4 ? 0x100 : 0; /* IPC_64 */

	show("shmid64_ds", syscall(SYS_shmctl, shm, IPC_STAT | v, buf));
	show("semid64_ds", syscall(SYS_semctl, sem, 0, IPC_STAT | v, buf));
	show("msqid64_ds", syscall(SYS_msgctl, msg, IPC_STAT | v, buf));
#endif
	shmctl(shm, IPC_RMID, 0);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, 0);
}

static void terminal(void)
{
	struct winsize ws = { 24, 80, 640, 480 };
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	need(fd >= 0, "/dev/ptmx");
	need(!ioctl(fd, TIOCSWINSZ, &ws), "TIOCSWINSZ");
	show("winsize", syscall(SYS_ioctl, fd, TIOCGWINSZ, buf));
	show("termios", syscall(SYS_ioctl, fd, TCGETS, buf));
}

int main(int argc, char **argv)
{
	need(argc == 4, "usage: probe FILE DIR SIZEOF_STATFS64");
	memset(buf, 0xa5, sizeof buf);
	files(argv[1], argv[2], atoi(argv[3]));
	times_and_limits();
	signals();
	sockets();
	sysv();
	terminal();
	return 0;
}
