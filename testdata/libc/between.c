/* What the kernel knows of one process when another asks: who has a file or a
 * lock, who was the last to use a queue, what two have in common. */
#include "t.h"

#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

/* end waits for a child and is its exit status. */
static int end(pid_t pid)
{
	int status;
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* at waits until a process has said that it is there, through a pipe. */
static void at(int fd)
{
	char c;
	MUST(read(fd, &c, 1) == 1);
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	char b[65536];
	MUST(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, b, sizeof b)) > 0;)
		MUST(write(out, b, n) == n);
	MUST(close(in) == 0 && close(out) == 0);
}

/* run executes a program whose argument is what it does; errno is its status if
 * that does not go. */
static pid_t run(const char *path, const char *what)
{
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		execl(path, path, ".", what, (char *)NULL);
		_exit(errno);
	}
	return pid;
}

/* hold executes a program that runs until the descriptor *go is closed. */
static pid_t hold(const char *path, int *go)
{
	int in[2], there[2];
	MUST(pipe(in) == 0 && pipe(there) == 0);
	fflush(stdout);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(there[1], 1);
		close(in[1]);
		execl(path, path, ".", "hold", (char *)NULL);
		_exit(errno);
	}
	*go = in[1];
	at(there[0]);
	MUST(close(in[0]) == 0 && close(there[0]) == 0 && close(there[1]) == 0);
	return pid;
}

static void text(void)
{
	int go;
	copy("/proc/self/exe", "prog");
	put("script", "#! prog\n");
	CHECK(chmod("script", 0755) == 0);
	int fd = open("prog", O_WRONLY), again = dup(fd);
	CHECK(end(run("prog", "nothing")) == ETXTBSY);
	CHECK(close(fd) == 0 && end(run("script", "nothing")) == ETXTBSY);
	pid_t pid = fork(); /* which has it too */
	if (pid == 0)
		_exit(0 * pause());
	CHECK(close(again) == 0 && end(run("prog", "nothing")) == ETXTBSY);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	fd = open("script", O_WRONLY | O_APPEND);
	CHECK(end(run("./script", "nothing")) == ETXTBSY && close(fd) == 0);
	CHECK(end(run("prog", "nothing")) == 0 && end(run("./script", "nothing")) == 0);

	pid = hold("prog", &go);
	ERR(ETXTBSY, open("prog", O_WRONLY));
	ERR(ETXTBSY, open("prog", O_RDWR | O_CREAT, 0755));
	ERR(ETXTBSY, open("prog", O_RDONLY | O_TRUNC));
	ERR(EEXIST, open("prog", O_RDWR | O_CREAT | O_EXCL, 0755));
	ERR(ETXTBSY, truncate("prog", 10));
	struct stat st;
	CHECK((fd = open("prog", O_RDONLY)) >= 0 && fstat(fd, &st) == 0 && st.st_size > 10 && close(fd) == 0);
	CHECK(end(run("prog", "nothing")) == 0);
	CHECK(close(go) == 0 && end(pid) == 0);
	CHECK((fd = open("prog", O_WRONLY)) >= 0 && close(fd) == 0 && truncate("prog", 10) == 0);
}

static int lock(int fd, int cmd, int type, off_t from, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len};
	return fcntl(fd, cmd, &l);
}

/* In a circle of n each has what another waits for: the one that asks last is
 * refused, whoever that is. */
static void circle(int n)
{
	int there[2], go[2], refused = 0, others = 0, fd = open("locks", O_RDWR | O_CREAT, 0644);
	char c;
	pid_t pid[n];
	MUST(fd >= 0 && pipe(there) == 0 && pipe(go) == 0);
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		MUST((pid[i] = fork()) >= 0);
		if (pid[i] == 0) {
			close(go[1]);
			MUST(lock(fd, F_SETLK, F_WRLCK, 10 * i, 10) == 0);
			MUST(write(there[1], "x", 1) == 1 && read(go[0], &c, 1) == 0);
			_exit(lock(fd, F_SETLKW, i & 1 ? F_WRLCK : F_RDLCK, 10 * ((i + 1) % n) + i, 1) ? errno : 0);
		}
	}
	for (int i = 0; i < n; i++)
		at(there[0]);
	close(go[1]);
	for (int i = 0; i < n; i++) {
		int e = end(pid[i]);
		refused += e == EDEADLK;
		others += e != EDEADLK && e != 0;
	}
	CHECK(refused == 1 && others == 0);
	CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0);
	CHECK(close(fd) == 0 && close(go[0]) == 0 && close(there[0]) == 0 && close(there[1]) == 0);
}

/* Two that both read want to write. */
static void upgrade(void)
{
	int there[2], fd = open("locks", O_RDWR);
	MUST(fd >= 0 && pipe(there) == 0 && lock(fd, F_SETLK, F_RDLCK, 0, 0) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		MUST(lock(fd, F_SETLK, F_RDLCK, 5, 5) == 0 && write(there[1], "x", 1) == 1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 5, 5) ? errno : 0);
	}
	at(there[0]);
	int mine = lock(fd, F_SETLKW, F_WRLCK, 0, 0) ? errno : 0;
	MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	int its = end(pid);
	CHECK((mine == EDEADLK && its == 0) || (mine == 0 && its == EDEADLK));
	CHECK(close(fd) == 0);
}

union semun { int val; struct semid_ds *buf; unsigned short *array; };

static int value(int id, int n) { return semctl(id, n, GETVAL); }

static int op(int id, int n, int by, int flags)
{
	return semop(id, &(struct sembuf){n, by, flags}, 1);
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	MUST(id >= 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(op(id, 1, 5, 0) != 0);
	CHECK(end(pid) == 0 && semctl(id, 1, GETPID) == pid && semctl(id, 0, GETPID) == 0);
	CHECK(op(id, 1, 0, IPC_NOWAIT) == -1 && errno == EAGAIN && semctl(id, 1, GETPID) == pid);
	CHECK(op(id, 1, 1, 0) == 0 && semctl(id, 1, GETPID) == getpid());
	CHECK(semctl(id, 2, SETVAL, (union semun){7}) == 0 && semctl(id, 2, GETPID) == getpid());

	/* What a process has asked to be undone is so at its end. */
	pid = fork();
	if (pid == 0)
		_exit(op(id, 1, -4, SEM_UNDO) | op(id, 2, 3, SEM_UNDO) | op(id, 0, 1, 0) | op(id, 1, 1, SEM_UNDO));
	CHECK(end(pid) == 0 && value(id, 0) == 1 && value(id, 1) == 6 && value(id, 2) == 7);
	CHECK(semctl(id, 1, GETPID) == pid);
	pid = fork();
	if (pid == 0)
		_exit(op(id, 2, 3, SEM_UNDO) | op(id, 2, -9, 0));
	CHECK(end(pid) == 0 && value(id, 2) == 0);
	CHECK(op(id, 0, -1, SEM_UNDO) == 0 && semctl(id, 0, SETVAL, (union semun){1}) == 0);
	pid = fork();
	if (pid == 0) {
		op(id, 0, -1, SEM_UNDO);
		execl("/proc/self/exe", "prog", ".", "nothing", (char *)NULL);
		_exit(1);
	}
	CHECK(end(pid) == 0 && value(id, 0) == 1);
	/* Somebody waits for it. */
	CHECK(op(id, 0, -1, 0) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		op(id, 1, -6, 0);
		op(id, 2, 1, SEM_UNDO);
		op(id, 0, 2, 0);
		op(id, 1, -1, 0);
		_exit(0);
	}
	CHECK(op(id, 0, -2, 0) == 0 && value(id, 2) == 1 && op(id, 1, 1, 0) == 0 && op(id, 2, 0, 0) == 0 && end(pid) == 0);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void queues(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	struct { long type; char text[8]; } m = {1, "one"};
	struct msqid_ds d;
	MUST(id >= 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(msgsnd(id, &m, 4, 0) != 0);
	CHECK(end(pid) == 0 && msgctl(id, IPC_STAT, &d) == 0 && d.msg_lspid == pid && d.msg_lrpid == 0);
	CHECK(msgrcv(id, &m, 8, 0, 0) == 4 && msgctl(id, IPC_STAT, &d) == 0 && d.msg_lspid == pid && d.msg_lrpid == getpid());
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);

	struct shmid_ds s;
	pid = fork();
	if (pid == 0)
		_exit(shmget(0x7574 ^ getppid(), 4096, IPC_CREAT | IPC_EXCL | 0600) < 0);
	CHECK(end(pid) == 0 && (id = shmget(0x7574 ^ getpid(), 0, 0)) >= 0);
	CHECK(shmctl(id, IPC_STAT, &s) == 0 && s.shm_cpid == pid && s.shm_lpid == 0);
	pid_t last = fork();
	if (last == 0) {
		char *p = shmat(id, NULL, 0);
		_exit(p == (void *)-1 || shmctl(id, IPC_STAT, &s) != 0 || s.shm_lpid != getpid());
	}
	CHECK(end(last) == 0 && shmctl(id, IPC_STAT, &s) == 0 && s.shm_cpid == pid && s.shm_lpid == last && s.shm_nattch == 0);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

static long kcmp(pid_t a, pid_t b, int type, unsigned long x, unsigned long y) { return syscall(SYS_kcmp, a, b, type, x, y); }

static int waits(void *fd)
{
	char c;
	return read(*(int *)fd, &c, 1) != 0;
}

static void common(void)
{
	int fd = open("locks", O_RDWR), other = open("locks", O_RDWR), same = dup(fd), go[2];
	pid_t me = getpid();
	MUST(fd >= 0 && other >= 0 && same >= 0 && pipe(go) == 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		_exit(waits(&go[0]));
	}
	CHECK(kcmp(me, pid, KCMP_FILE, fd, same) == 0 && kcmp(pid, me, KCMP_FILE, other, other) == 0);
	long r = kcmp(me, pid, KCMP_FILE, fd, other);
	CHECK((r == 1 || r == 2) && kcmp(pid, me, KCMP_FILE, other, fd) == 3 - r);
	ERR(EBADF, kcmp(me, pid, KCMP_FILE, fd, 1000));
	ERR(EBADF, kcmp(me, pid, KCMP_FILE, -1, fd));
	for (int kind = KCMP_VM; kind <= KCMP_SIGHAND; kind++) {
		r = kcmp(me, pid, kind, 0, 0);
		CHECK((r == 1 || r == 2) && kcmp(pid, me, kind, 0, 0) == 3 - r && kcmp(pid, pid, kind, 0, 0) == 0);
	}
	CHECK(kcmp(me, pid, KCMP_SYSVSEM, 0, 0) > 0 && kcmp(me, pid, KCMP_IO, 0, 0) == 0);
	ERR(EINVAL, kcmp(me, pid, 100, 0, 0));
	ERR(ESRCH, kcmp(me, 0x7fffffff, KCMP_FILE, 0, 0));
	CHECK(close(go[1]) == 0 && end(pid) == 0);

	MUST(pipe(go) == 0);
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid = clone(waits, stack + 65536, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &go[0]);
	MUST(pid > 0);
	CHECK(kcmp(me, pid, KCMP_VM, 0, 0) == 0 && kcmp(me, pid, KCMP_FILES, 0, 0) == 0 && kcmp(me, pid, KCMP_FS, 0, 0) == 0);
	CHECK(kcmp(me, pid, KCMP_SIGHAND, 0, 0) > 0);
	CHECK(close(go[1]) == 0 && end(pid) == 0);
}

/* number is the nth number, from 1 on, of a file that has numbers behind ") " or
 * from its start. */
static long number(const char *path, int n)
{
	char b[2048];
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, b, sizeof b - 1);
	MUST(got > 0 && close(fd) == 0);
	b[got] = 0;
	char *p = strrchr(b, ')');
	p = p ? p + 4 : b;
	while (--n > 0)
		strtol(p, &p, 10);
	return strtol(p, NULL, 10);
}

/* How nice one is, and how it is scheduled, is its own. */
static void scheduled(void)
{
	int go[2], there[2], base = getpriority(PRIO_PROCESS, 0);
	char path[64];
	MUST(base <= 15 && pipe(go) == 0 && pipe(there) == 0);
	struct sched_param none = {0};
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		MUST(nice(3) == base + 3 && sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none) == 0);
		MUST(write(there[1], "x", 1) == 1);
		_exit(waits(&go[0]));
	}
	at(there[0]);
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	CHECK(getpriority(PRIO_PROCESS, pid) == base + 3 && getpriority(PRIO_PROCESS, 0) == base);
	CHECK(number(path, 16) == base + 3 && number("/proc/self/stat", 16) == base && number(path, 15) == base + 23);
	CHECK(sched_getscheduler(pid) == (SCHED_BATCH | SCHED_RESET_ON_FORK) && sched_getscheduler(0) == SCHED_OTHER);
	CHECK(number(path, 38) == SCHED_BATCH && number("/proc/self/stat", 38) == SCHED_OTHER);
	CHECK(setpriority(PRIO_PROCESS, pid, base + 4) == 0 && getpriority(PRIO_PROCESS, pid) == base + 4);
	siginfo_t si;
	CHECK(close(go[1]) == 0 && waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	CHECK(getpriority(PRIO_PROCESS, pid) == base + 4 && sched_getscheduler(pid) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
	CHECK(end(pid) == 0);
	ERR(EINVAL, sched_setscheduler(0, 77, &none));
	ERR(ESRCH, sched_getscheduler(0x3fffffff));

	CHECK(prctl(PR_SET_TIMERSLACK, 70000) == 0 && number("/proc/self/timerslack_ns", 1) == 70000);
	pid = fork();
	if (pid == 0)
		_exit(prctl(PR_SET_TIMERSLACK, 0) != 0 || prctl(PR_GET_TIMERSLACK) != 70000);
	CHECK(end(pid) == 0 && prctl(PR_SET_TIMERSLACK, 0) == 0 && number("/proc/self/timerslack_ns", 1) == 50000);
	int reaper = 1;
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	if (pid == 0)
		_exit(prctl(PR_GET_CHILD_SUBREAPER, &reaper) != 0 || reaper != 0);
	CHECK(end(pid) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 1 && prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	CHECK(getpid() < number("/proc/sys/kernel/pid_max", 1) && pid < number("/proc/sys/kernel/pid_max", 1));
}

/* leaves takes what it shares with its parent for itself and changes it. */
static int leaves(void *fd)
{
	return unshare(CLONE_FILES | CLONE_FS) != 0 || close(*(int *)fd) != 0 || chdir("/") != 0;
}

static void shared(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), dir[PATH_MAX], now[PATH_MAX];
	int fd = dup(1);
	MUST(getcwd(dir, sizeof dir));
	pid_t pid = clone(leaves, stack + 65536, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &fd);
	CHECK(pid > 0 && end(pid) == 0 && fcntl(fd, F_GETFD) == 0 && getcwd(now, sizeof now) && strcmp(dir, now) == 0 && close(fd) == 0);
}

/* in tells whether the current directory is dir. */
static int in(const char *dir)
{
	char now[PATH_MAX];
	return getcwd(now, sizeof now) && strcmp(now, dir) == 0;
}

static void *inner(void *dir) { return (void *)(intptr_t)in(dir); }

/* roams has a directory and an umask of its own; its threads share them, and
 * its children begin there. */
static void *roams(void *dir)
{
	pthread_t t;
	void *there;
	pid_t pid;
	if (unshare(CLONE_FS) != 0 || chdir("/") != 0)
		return NULL;
	umask(077);
	pthread_create(&t, NULL, inner, "/");
	pthread_join(t, &there);
	pid = fork();
	if (pid == 0)
		_exit(!in("/") || umask(0) != 077);
	return (void *)(intptr_t)(there && end(pid) == 0 && in("/") && unshare(CLONE_FS) == 0 && in("/") && !in(dir));
}

static void alone(void)
{
	char dir[PATH_MAX];
	pthread_t t;
	void *ok;
	mode_t mask = umask(022);
	MUST(getcwd(dir, sizeof dir));
	CHECK(pthread_create(&t, NULL, roams, dir) == 0);
	pthread_join(t, &ok);
	CHECK(ok && in(dir) && umask(mask) == 022);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[2], "hold") == 0) {
		char c;
		return write(1, "x", 1) != 1 || read(0, &c, 1) != 0;
	}
	if (argc > 2)
		return 0;
	enter(argc, argv);
	text();
	circle(2);
	circle(5);
	upgrade();
	semaphores();
	queues();
	common();
	scheduled();
	shared();
	alone();
	return done();
}
