/* Threads, children, new programs and ends. */
#include "guest.h"

static int count, done;

__attribute__((noinline)) static void work(void) { __atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST); }

static void thread(void)
{
	for (int i = 0; i < 20; i++)
		work();
	add(&done);
	for (;;)
		sc(__NR_exit, 0);
}

static void threads(int n)
{
	for (int i = 0; i < n; i++)
		ok("clone", spawn(THREAD, stack(), thread) > 0);
	for (int i = 0; i < 20; i++)
		work();
	wait_for(&done, n);
	ok("count", count == 20 * (n + 1));
}

/* All of them go through work at the same time. */
static void crossing(word *sp) { threads(2); }

/* More threads than slots out of line. */
static void many(word *sp) { threads(9); }

static void leaver(void)
{
	work();
	for (;;)
		sc(__NR_exit, 0);
}

static void waits(void)
{
	wait_for(&count, 1);
	add(&done);
	for (;;)
		sc(__NR_exit, 0);
}

/* One thread ends while another sleeps on it. */
static void leaving(word *sp)
{
	spawn(THREAD, stack(), waits);
	spawn(THREAD, stack(), leaver);
	while (__atomic_load_n(&count, __ATOMIC_SEQ_CST) != 1)
		sc(__NR_sched_yield);
	sc(__NR_futex, &count, FUTEX_WAKE, 1, 0, 0, 0);
	wait_for(&done, 1);
}

static void spins(void)
{
	add(&done);
	for (;;)
		work();
}

/* The process ends while another thread is in the middle of a step. */
static void group(word *sp)
{
	spawn(THREAD, stack(), spins);
	wait_for(&done, 1);
	work();
	quit(3);
}

static int status(word pid)
{
	int st = -1;
	ok("wait", sc(__NR_wait4, pid, &st, 0, 0) == pid);
	return st;
}

__attribute__((noinline)) static void child(int code)
{
	work();
	if (code == 5)
		raise(SIGKILL);
	quit(code);
}

static void forked(word *sp)
{
	for (int code = 4; code < 6; code++) {
		word pid = sc(__NR_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			child(code);
		work();
		ok("status", status(pid) == (code == 4 ? 4 << 8 : SIGKILL));
	}
	ok("own memory", count == 2);
}

/* The child borrows the memory, and shows it. */
static void borrower(void)
{
	count = 7;
	quit(6);
}

static void vforked(word *sp)
{
	word pid = spawn(CLONE_VM | CLONE_VFORK | SIGCHLD, stack(), borrower);
	ok("same memory", count == 7);
	ok("status", status(pid) == 6 << 8);
}

static void exec(word *sp)
{
	const char *argv[] = {(char *)sp[1], "again", 0};
	const char *none[] = {0};
	sc(__NR_execve, argv[0], argv, none);
	ok("execve", 0);
}

static void again(word *sp)
{
	work();
	quit(8);
}

int program(word *sp)
{
	static const struct scenario l[] = {
		{"crossing", crossing}, {"many", many}, {"leaving", leaving}, {"group", group},
		{"forked", forked}, {"vforked", vforked}, {"exec", exec}, {"again", again}, {0, 0},
	};
	return pick_scenario(sp, l);
}
