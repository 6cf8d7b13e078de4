/* ptrace(2): a guest that traces others. */
#include "t.h"

#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifdef __arm__
#define STEPS 0 /* the kernel has none there */
#else
#define STEPS 1
#endif

#define STOPPED(sig) (0x7f | (sig) << 8)
#define EVENT(ev, sig) (STOPPED(sig) | (ev) << 16)
#define STOP_EVENT 128 /* PTRACE_EVENT_STOP */

static volatile sig_atomic_t handled;
static volatile long shared = 41;

static void handler(int no) { handled = handled * 100 + no; }

/* state is the next status of a task that is traced. */
static int state(pid_t p)
{
	int st = -1;
	return waitpid(p, &st, __WALL) == p ? st : -1;
}

/* go lets it go on and is what it stops with next. */
static int go(int how, pid_t p, long sig) { return ptrace(how, p, 0, sig) ? -1 : state(p); }

/* child is a process that has itself traced, and stopped. */
static pid_t child(void (*f)(void))
{
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(99);
		raise(SIGSTOP);
		f();
		_exit(7);
	}
	return p;
}

static void nothing(void) {}

/* Other ways to the memory of another process. */
static void memory(pid_t p)
{
	long v = 0;
	struct iovec here = {&v, sizeof v}, there = {(void *)&shared, sizeof shared};
	char path[64];
	int fd;
	CHECK(process_vm_readv(p, &here, 1, &there, 1, 0) == sizeof v && v == 42);
	v = 43;
	CHECK(process_vm_writev(p, &here, 1, &there, 1, 0) == sizeof v);
	there.iov_base = (void *)8;
	ERR(EFAULT, process_vm_readv(p, &here, 1, &there, 1, 0));
	snprintf(path, sizeof path, "/proc/%d/mem", p);
	fd = open(path, O_RDWR);
	CHECK(pread64(fd, &v, sizeof v, (uintptr_t)&shared) == sizeof v && v == 43);
	v = 44;
	CHECK(pwrite64(fd, &v, sizeof v, (uintptr_t)&shared) == sizeof v);
	CHECK(ptrace(PTRACE_PEEKDATA, p, &shared, 0) == 44 && shared == 41);
	ERR(EIO, pread(fd, &v, sizeof v, 8));
	close(fd);
}

static void basic(void)
{
	siginfo_t si;
	pid_t p = child(nothing);
	CHECK(state(p) == STOPPED(SIGSTOP));
	memset(&si, 0, sizeof si);
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0);
	CHECK(si.si_signo == SIGSTOP && si.si_code == SI_TKILL && si.si_pid == p);
	errno = 0;
	CHECK(ptrace(PTRACE_PEEKDATA, p, &shared, 0) == 41);
	CHECK(ptrace(PTRACE_POKEDATA, p, &shared, 42) == 0);
	CHECK(ptrace(PTRACE_PEEKDATA, p, &shared, 0) == 42 && shared == 41);
	memory(p);
	errno = 0;
	CHECK(ptrace(PTRACE_PEEKDATA, p, 8, 0) == -1 && errno == EIO);
	ERR(EINVAL, ptrace(PTRACE_SETOPTIONS, p, 0, 0x40000000));
	ERR(EPERM, ptrace(PTRACE_ATTACH, p, 0, 0));
	ERR(EIO, ptrace(PTRACE_CONT, p, 0, 65));
	ERR(EIO, ptrace(PTRACE_INTERRUPT, p, 0, 0));
	CHECK(go(PTRACE_CONT, p, 0) == 7 << 8);
	ERR(ESRCH, ptrace(PTRACE_CONT, p, 0, 0));
	ERR(EPERM, ptrace(PTRACE_ATTACH, getpid(), 0, 0));
	ERR(ESRCH, ptrace(PTRACE_PEEKDATA, getppid(), &shared, 0));
}

static void signaler(void)
{
	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGWINCH);
	_exit(handled == SIGUSR1 * 100 + SIGUSR2 ? 5 : 6);
}

/* Each signal is shown to the tracer, who drops it, passes it on, or gives
   another. */
static void signals(void)
{
	siginfo_t si;
	pid_t p = child(signaler);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGUSR1));
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGUSR1));
	CHECK(go(PTRACE_CONT, p, SIGUSR1) == STOPPED(SIGUSR1));
	CHECK(go(PTRACE_CONT, p, SIGUSR2) == STOPPED(SIGWINCH));
	CHECK(go(PTRACE_CONT, p, SIGWINCH) == 5 << 8);

	p = child(signaler);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGUSR1));
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0);
	si.si_value.sival_int = 77;
	CHECK(ptrace(PTRACE_SETSIGINFO, p, 0, &si) == 0);
	CHECK(go(PTRACE_CONT, p, SIGKILL) == SIGKILL);
}

static void caller(void)
{
	syscall(SYS_getppid);
	syscall(SYS_getpgid, -5);
	raise(SIGUSR1);
}

/* info is struct ptrace_syscall_info. */
struct info {
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t ip, sp;
	union {
		struct {
			uint64_t nr, args[6];
		} entry;
		struct {
			int64_t rval;
			uint8_t error;
		} exit;
	};
};

/* entry goes on to the entry of a system call, past all others. */
static int entry(pid_t p, int nr, struct info *in)
{
	for (int i = 0; i < 100; i++) {
		if (go(PTRACE_SYSCALL, p, 0) != STOPPED(SIGTRAP | 0x80))
			return 0;
		if (ptrace(0x420e, p, sizeof *in, in) < 0)
			return 0;
		if (in->op == 1 && (int)in->entry.nr == nr)
			return 1;
	}
	return 0;
}

static void calls(void)
{
	struct info in;
	siginfo_t si;
	pid_t p = child(caller);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD) == 0);
	CHECK(ptrace(0x420e, p, sizeof in, &in) == 24 && in.op == 0 && in.ip && in.sp);
	CHECK(entry(p, SYS_getppid, &in));
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0);
	CHECK(si.si_signo == SIGTRAP && si.si_code == (SIGTRAP | 0x80) && si.si_pid == p);
	CHECK(go(PTRACE_SYSCALL, p, 0) == STOPPED(SIGTRAP | 0x80));
	CHECK(ptrace(0x420e, p, sizeof in, &in) == 33);
	CHECK(in.op == 2 && in.exit.rval == getpid() && !in.exit.error);
	CHECK(entry(p, SYS_getpgid, &in));
	CHECK((int)in.entry.args[0] == -5);
	CHECK(go(PTRACE_SYSCALL, p, 0) == STOPPED(SIGTRAP | 0x80));
	CHECK(ptrace(0x420e, p, sizeof in, &in) == 33 && in.exit.rval == -ESRCH && in.exit.error == 1);
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGUSR1));
	CHECK(go(PTRACE_CONT, p, SIGUSR1) == SIGUSR1);
}

static int thread_ran;

static void *thread(void *arg)
{
	(void)arg;
	thread_ran = 1;
	return 0;
}

static void maker(void)
{
	pthread_t t;
	int st;
	pid_t p = fork();
	if (p == 0)
		_exit(3);
	waitpid(p, &st, 0);
	p = vfork();
	if (p == 0)
		_exit(4);
	waitpid(p, &st, 0);
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	execl("/proc/self/exe", "trace", "exec", (char *)0);
}

static unsigned long message(pid_t p)
{
	unsigned long m = 0;
	return ptrace(PTRACE_GETEVENTMSG, p, 0, &m) ? 0 : m;
}

static void events(void)
{
	const long all = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
		PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
	pid_t q, p = child(maker);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_SETOPTIONS, p, 0, all) == 0);

	CHECK(go(PTRACE_CONT, p, 0) == EVENT(PTRACE_EVENT_FORK, SIGTRAP));
	q = message(p);
	CHECK(q > 0 && state(q) == STOPPED(SIGSTOP));
	CHECK(go(PTRACE_CONT, q, 0) == EVENT(PTRACE_EVENT_EXIT, SIGTRAP));
	CHECK(message(q) == 3 << 8);
	CHECK(go(PTRACE_CONT, q, 0) == 3 << 8);
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGCHLD));

	CHECK(go(PTRACE_CONT, p, SIGCHLD) == EVENT(PTRACE_EVENT_VFORK, SIGTRAP));
	q = message(p);
	CHECK(q > 0 && state(q) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
	CHECK(go(PTRACE_CONT, q, 0) == EVENT(PTRACE_EVENT_EXIT, SIGTRAP));
	CHECK(waitpid(p, 0, __WALL | WNOHANG) == 0);
	CHECK(ptrace(PTRACE_CONT, q, 0, 0) == 0);
	CHECK(state(p) == EVENT(PTRACE_EVENT_VFORK_DONE, SIGTRAP));
	CHECK(message(p) == (unsigned long)q);
	CHECK(state(q) == 4 << 8);
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGCHLD));

	CHECK(go(PTRACE_CONT, p, SIGCHLD) == EVENT(PTRACE_EVENT_CLONE, SIGTRAP));
	q = message(p);
	CHECK(q > 0 && state(q) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
	CHECK(go(PTRACE_CONT, q, 0) == EVENT(PTRACE_EVENT_EXIT, SIGTRAP));
	CHECK(go(PTRACE_CONT, q, 0) == 0);
	CHECK(state(p) == EVENT(PTRACE_EVENT_EXEC, SIGTRAP));
	CHECK(message(p) == (unsigned long)p);
	CHECK(go(PTRACE_CONT, p, 0) == EVENT(PTRACE_EVENT_EXIT, SIGTRAP));
	CHECK(go(PTRACE_CONT, p, 0) == 9 << 8);
}

static void executer(void) { execl("/proc/self/exe", "trace", "exec", (char *)0); }

/* Without the option the first a tracer sees of a new program is a signal. */
static void execs(void)
{
	siginfo_t si;
	pid_t p = child(executer);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGTRAP));
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0 && si.si_code == SI_USER && si.si_pid == p);
	CHECK(go(PTRACE_CONT, p, 0) == 9 << 8);
}

static void registers(void)
{
	uint64_t buf[200], again[200];
	struct iovec v = {buf, sizeof buf}, w;
	pid_t p = child(nothing);
	CHECK(state(p) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v) == 0 && v.iov_len > 0 && v.iov_len < sizeof buf);
	w = (struct iovec){again, v.iov_len};
	CHECK(ptrace(PTRACE_SETREGSET, p, NT_PRSTATUS, &v) == 0);
	CHECK(ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &w) == 0 && memcmp(buf, again, v.iov_len) == 0);
	v = (struct iovec){buf, sizeof buf};
	CHECK(ptrace(PTRACE_GETREGSET, p, NT_PRFPREG, &v) == 0 && v.iov_len > 0);
	CHECK(ptrace(PTRACE_SETREGSET, p, NT_PRFPREG, &v) == 0);
	ERR(EINVAL, ptrace(PTRACE_GETREGSET, p, 0x12345, &v));
	v.iov_len = 7;
	ERR(EINVAL, ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v));
	CHECK(go(PTRACE_CONT, p, 0) == 7 << 8);
}

static void computer(void)
{
	volatile int n = 0;
	for (int i = 0; i < 1000; i++)
		n += i;
	syscall(SYS_getpid);
	_exit(n == 499500 && handled == SIGUSR1 ? 8 : 1);
}

/* step is one instruction, where there are steps. */
static int step(pid_t p, long sig)
{
	errno = 0;
	if (ptrace(PTRACE_SINGLESTEP, p, 0, sig))
		return !STEPS && errno == EIO;
	return STEPS && state(p) == STOPPED(SIGTRAP);
}

static void steps(void)
{
	siginfo_t si;
	int ok = 1;
	pid_t p;
	signal(SIGUSR1, handler);
	p = child(computer);
	CHECK(state(p) == STOPPED(SIGSTOP));
	for (int i = 0; i < 200; i++)
		ok &= step(p, 0);
	CHECK(ok);
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0 && (si.si_signo == SIGTRAP || !STEPS));
	CHECK(kill(p, SIGUSR1) == 0);
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGUSR1));
	/* A step into a handler ends before its first instruction. */
	CHECK(step(p, SIGUSR1));
	if (STEPS)
		CHECK(go(PTRACE_CONT, p, 0) == 8 << 8);
	else
		printf("ok go(PTRACE_CONT, p, 0) == 8 << 8\n"), ptrace(PTRACE_CONT, p, 0, SIGUSR1), state(p);
}

static int ready[2], gate[2];

static void waiter(void)
{
	char c;
	signal(SIGUSR1, handler);
	c = write(ready[1], "r", 1);
	while (read(gate[0], &c, 1) < 0 && errno == EINTR)
		;
	_exit(handled == SIGUSR1 ? 11 : 12);
}

static pid_t untraced(void (*f)(void))
{
	char c;
	pid_t p;
	MUST(pipe(ready) == 0 && pipe(gate) == 0);
	p = fork();
	MUST(p >= 0);
	if (p == 0)
		f();
	MUST(read(ready[0], &c, 1) == 1);
	return p;
}

static void finish(pid_t p)
{
	MUST(write(gate[1], "g", 1) == 1);
	(void)p;
	close(ready[0]), close(ready[1]), close(gate[0]), close(gate[1]);
}

static void attach(void)
{
	siginfo_t si;
	pid_t p = untraced(waiter);
	CHECK(ptrace(PTRACE_ATTACH, p, 0, 0) == 0);
	CHECK(state(p) == STOPPED(SIGSTOP));
	ERR(EPERM, ptrace(PTRACE_ATTACH, p, 0, 0));
	CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
	ERR(ESRCH, ptrace(PTRACE_CONT, p, 0, 0));
	CHECK(kill(p, SIGUSR1) == 0 && state(p) == STOPPED(SIGUSR1));
	CHECK(ptrace(PTRACE_DETACH, p, 0, SIGUSR1) == 0);
	ERR(ESRCH, ptrace(PTRACE_CONT, p, 0, 0));
	finish(p);
	CHECK(state(p) == 11 << 8);
	/* Of a process that is stopped. */
	p = untraced(waiter);
	CHECK(kill(p, SIGSTOP) == 0 && waitpid(p, 0, WUNTRACED) == p);
	CHECK(ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_EXITKILL) == 0);
	CHECK(state(p) == EVENT(STOP_EVENT, SIGSTOP));
	CHECK(kill(p, SIGCONT) == 0 && go(PTRACE_CONT, p, 0) > 0);
	while (ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0 && si.si_signo != SIGCONT)
		MUST(go(PTRACE_CONT, p, 0) > 0);
	CHECK(kill(p, SIGKILL) == 0 && state(p) == SIGKILL);
	finish(p);
}

static void seize(void)
{
	siginfo_t si;
	pid_t p = untraced(waiter);
	ERR(EIO, ptrace(PTRACE_SEIZE, p, 0, 0x40000000));
	CHECK(ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_TRACESYSGOOD) == 0);
	CHECK(waitpid(p, 0, __WALL | WNOHANG) == 0);
	CHECK(ptrace(PTRACE_INTERRUPT, p, 0, 0) == 0);
	CHECK(state(p) == EVENT(STOP_EVENT, SIGTRAP));
	CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &si) == 0 && si.si_code == (SIGTRAP | STOP_EVENT << 8));
	CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
	/* A stop of the whole process. */
	CHECK(kill(p, SIGSTOP) == 0 && state(p) == STOPPED(SIGSTOP));
	CHECK(go(PTRACE_CONT, p, SIGSTOP) == EVENT(STOP_EVENT, SIGSTOP));
	CHECK(ptrace(PTRACE_LISTEN, p, 0, 0) == 0);
	CHECK(waitpid(p, 0, __WALL | WNOHANG) == 0);
	CHECK(kill(p, SIGCONT) == 0 && state(p) == EVENT(STOP_EVENT, SIGTRAP));
	CHECK(go(PTRACE_CONT, p, 0) == STOPPED(SIGCONT));
	CHECK(kill(p, SIGUSR1) == 0 && go(PTRACE_CONT, p, SIGCONT) == STOPPED(SIGUSR1));
	CHECK(ptrace(PTRACE_CONT, p, 0, SIGUSR1) == 0);
	finish(p);
	CHECK(state(p) == 11 << 8);
}

/* The end of a process is its tracer's to wait for before it is its parent's, and
   what a tracer leaves behind goes on, or is killed. */
static void others(void)
{
	for (int kills = 0; kills < 2; kills++) {
		pid_t p = untraced(waiter), tracer = fork();
		if (tracer == 0) {
			int r = ptrace(PTRACE_SEIZE, p, 0, kills ? PTRACE_O_EXITKILL : 0);
			r |= ptrace(PTRACE_INTERRUPT, p, 0, 0);
			_exit(r || state(p) != EVENT(STOP_EVENT, SIGTRAP));
		}
		CHECK(state(tracer) == 0);
		if (kills) {
			CHECK(state(p) == SIGKILL);
			finish(p);
			continue;
		}
		CHECK(kill(p, SIGUSR1) == 0);
		finish(p);
		CHECK(state(p) == 11 << 8);
	}
	{
		int st = 0, go2[2];
		char c;
		pid_t p = untraced(waiter), tracer;
		MUST(pipe(go2) == 0);
		tracer = fork();
		if (tracer == 0) {
			if (ptrace(PTRACE_SEIZE, p, 0, 0))
				_exit(1);
			c = write(go2[1], "s", 1);
			while (waitid(P_PID, p, &(siginfo_t){0}, WEXITED | WNOWAIT | __WALL))
				;
			c = write(go2[1], "e", 1);
			usleep(20000);
			_exit(state(p) == SIGKILL ? 0 : 2);
		}
		MUST(read(go2[0], &c, 1) == 1 && c == 's');
		CHECK(kill(p, SIGKILL) == 0);
		MUST(read(go2[0], &c, 1) == 1 && c == 'e');
		CHECK(waitpid(p, &st, 0) == p && st == SIGKILL);
		CHECK(waitpid(tracer, &st, 0) == tracer && st == 0);
		finish(p);
	}
}

static void *sleeper(void *arg)
{
	char c;
	pid_t me = gettid();
	c = write(ready[1], &me, sizeof me);
	c = read(gate[0], &c, 1);
	syscall(SYS_exit, 21);
	return arg;
}

static void threaded(void)
{
	pthread_t t;
	char c;
	pthread_create(&t, 0, sleeper, 0);
	pthread_join(t, 0);
	MUST(read(gate[0], &c, 1) == 1);
	_exit(22);
}

/* A thread alone is traced, and waited for. */
static void threads(void)
{
	pid_t tid, p;
	MUST(pipe(ready) == 0 && pipe(gate) == 0);
	p = fork();
	if (p == 0)
		threaded();
	MUST(read(ready[0], &tid, sizeof tid) == sizeof tid);
	CHECK(ptrace(PTRACE_ATTACH, tid, 0, 0) == 0);
	CHECK(state(tid) == STOPPED(SIGSTOP));
	CHECK(ptrace(PTRACE_CONT, tid, 0, 0) == 0);
	MUST(write(gate[1], "g", 1) == 1);
	CHECK(state(tid) == 21 << 8);
	finish(p);
	CHECK(state(p) == 22 << 8);
	CHECK(waitpid(-1, 0, __WALL) == -1 && errno == ECHILD);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		return 9;
	setvbuf(stdout, 0, _IONBF, 0);
	basic();
	signals();
	calls();
	events();
	execs();
	registers();
	steps();
	attach();
	seize();
	others();
	threads();
	return failures != 0;
}
