/* What a process learns of itself. */
#include "t.h"

#include <elf.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static int slurp(const char *path, char *b, int n)
{
	int fd = open(path, O_RDONLY), got = 0, r;
	MUST(fd >= 0);
	while (got < n - 1 && (r = read(fd, b + got, n - 1 - got)) > 0)
		got += r;
	b[got] = 0;
	close(fd);
	return got;
}

static void identity(void)
{
	CHECK(getpid() > 0 && getppid() >= 0 && getpgrp() == getpgid(0) && getsid(0) >= 0);
	CHECK(syscall(SYS_gettid) == getpid());
	uid_t r, e, s;
	CHECK(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid() && s == e);
	CHECK(getgroups(0, NULL) >= 0);
	char b[100];
	CHECK(prctl(PR_SET_NAME, "renamed") == 0 && prctl(PR_GET_NAME, b) == 0 && strcmp(b, "renamed") == 0);
	CHECK(slurp("/proc/self/comm", b, sizeof b) == 8 && strcmp(b, "renamed\n") == 0);
	int fd = open("/proc/self/comm", O_RDWR);
	CHECK(write(fd, "a name that is too long", 23) == 23 && prctl(PR_GET_NAME, b) == 0 && strcmp(b, "a name that is ") == 0);
	CHECK(write(fd, "short\0er", 8) == 8 && prctl(PR_GET_NAME, b) == 0 && strcmp(b, "short") == 0);
	CHECK(close(fd) == 0);
	CHECK(prctl(PR_GET_DUMPABLE) >= 0 && prctl(PR_SET_PDEATHSIG, 0) == 0);
	ERR(EINVAL, prctl(99999));
	ERR(ESRCH, kill(0x3fffffff, 0));
	CHECK(kill(getpid(), 0) == 0);
	ERR(ECHILD, waitpid(-1, NULL, 0));
	struct passwd *p = getpwuid(0);
	CHECK(p == NULL || strcmp(p->pw_name, "root") == 0);
	struct utsname u;
	CHECK(uname(&u) == 0 && strcmp(u.sysname, "Linux") == 0);
}

static void vector(char **argv)
{
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100 && getauxval(AT_SECURE) == 0);
	CHECK(getauxval(AT_PHDR) != 0 && getauxval(AT_ENTRY) != 0 && getauxval(AT_RANDOM) != 0 && getauxval(AT_EXECFN) != 0);
	CHECK(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
	static char a[8192];
	int fd = open("/proc/self/auxv", O_RDONLY), n = read(fd, a, sizeof a);
	unsigned long *v = (unsigned long *)a, entry = 0;
	close(fd);
	for (int i = 0; i < n / (int)sizeof *v; i += 2)
		if (v[i] == AT_ENTRY)
			entry = v[i + 1];
	CHECK(entry == getauxval(AT_ENTRY));
}

__attribute__((noinline)) static void proc(int argc, char **argv)
{
	static char b[1 << 16], link[4096];
	int n = readlink("/proc/self/exe", link, sizeof link - 1);
	MUST(n > 0);
	link[n] = 0;
	CHECK(strcmp(link, argv[0]) == 0);
	n = slurp("/proc/self/cmdline", b, sizeof b);
	int args = 0;
	for (int i = 0; i < n; i++)
		args += b[i] == 0;
	CHECK(args == argc && strcmp(b, argv[0]) == 0);
	n = slurp("/proc/self/environ", b, sizeof b);
	CHECK(memmem(b, n, "UTEMU_TEST=a value", 19) != NULL);
	slurp("/proc/self/maps", b, sizeof b);
	int found = 0, stack = 0, heap = 0;
	void *p = malloc(10);
	for (char *l = strtok(b, "\n"); l; l = strtok(NULL, "\n")) {
		unsigned long from, to;
		char mode[5], name[4096] = "";
		MUST(sscanf(l, "%lx-%lx %4s %*x %*x:%*x %*u %4095s", &from, &to, mode, name) >= 3);
		found |= (uintptr_t)__builtin_return_address(0) - from < to - from && mode[2] == 'x' && strcmp(name, argv[0]) == 0;
		stack |= (uintptr_t)&from - from < to - from && strcmp(name, "[stack]") == 0;
		heap |= (uintptr_t)p - from < to - from && strcmp(name, "[heap]") == 0;
	}
	CHECK(found);
	CHECK(stack);
	CHECK(heap);
	slurp("/proc/self/status", b, sizeof b);
	char *pid = strstr(b, "\nPid:\t");
	CHECK(pid && atoi(pid + 6) == getpid());
	n = slurp("/proc/self/stat", b, sizeof b);
	CHECK(atoi(b) == getpid() && strchr(b, '(') != NULL);
	int fd = open("/dev/null", O_RDWR);
	char name[40];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, link, sizeof link - 1);
	CHECK(n == 9 && memcmp(link, "/dev/null", 9) == 0);
	snprintf(name, sizeof name, "/dev/fd/%d", fd);
	CHECK(open(name, O_RDONLY) > fd && close(fd) == 0);
	ERR(ENOENT, open(name, O_RDONLY));
	char cwd[4096];
	n = readlink("/proc/self/cwd", link, sizeof link - 1);
	link[n > 0 ? n : 0] = 0;
	CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, link) == 0);
	CHECK(slurp("/proc/meminfo", b, sizeof b) > 0 && slurp("/proc/cpuinfo", b, sizeof b) > 0 && slurp("/proc/version", b, sizeof b) > 0);
}

static void limits(void)
{
	struct rlimit l, k;
	CHECK(getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur > 10 && l.rlim_cur <= l.rlim_max);
	k = l;
	k.rlim_cur = 64;
	CHECK(setrlimit(RLIMIT_NOFILE, &k) == 0 && sysconf(_SC_OPEN_MAX) == 64);
	int fd, most = 0;
	while ((fd = dup(0)) >= 0)
		most = fd;
	int why = errno;
	CHECK(why == EMFILE && most == 63);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
	k.rlim_cur = k.rlim_max + 1;
	ERR(EINVAL, k.rlim_max == RLIM_INFINITY ? (errno = EINVAL, -1) : setrlimit(RLIMIT_NOFILE, &k));
	CHECK(getrlimit(RLIMIT_STACK, &l) == 0 && getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur == RLIM_INFINITY);
	k.rlim_cur = k.rlim_max = 4096;
	struct rlimit old;
	CHECK(prlimit(0, RLIMIT_FSIZE, NULL, &old) == 0);
	CHECK(sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_CLK_TCK) == 100 && sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_PHYS_PAGES) > 1000);
	struct sysinfo s;
	CHECK(sysinfo(&s) == 0 && s.totalram > 0 && s.mem_unit >= 1 && s.procs > 0);
	struct statvfs v;
	CHECK(statvfs(".", &v) == 0 && v.f_bsize > 0 && v.f_namemax >= 14);
	cpu_set_t set;
	CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
	CHECK(sched_yield() == 0 && getpriority(PRIO_PROCESS, 0) <= 19 && sched_getscheduler(0) >= 0);
	unsigned char r[32] = {0};
	CHECK(getrandom(r, sizeof r, 0) == sizeof r && getentropy(r, 16) == 0);
	ERR(ENOSYS, syscall(7777));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	identity();
	vector(argv);
	proc(argc, argv);
	limits();
	return done();
}
