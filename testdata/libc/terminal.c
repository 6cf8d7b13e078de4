/* A pseudoterminal that is the controlling terminal of a session: its
 * keyboard's signals, the background, and the end of the line. */
#include "t.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile sig_atomic_t got[65];

static void note(int no) { got[no]++; }

static void handle(int no, int flags)
{
	struct sigaction sa = {.sa_handler = note, .sa_flags = flags};
	MUST(sigaction(no, &sa, NULL) == 0);
}

static int line[2];

static void say(char c) { MUST(write(line[1], &c, 1) == 1); }

static int hear(void)
{
	char c;
	return read(line[0], &c, 1) == 1 ? c : -1;
}

static int master, end[2]; /* the parent waits at end for the shell's last step */

/* type writes to the keyboard. */
static int type(const char *s) { return write(master, s, strlen(s)) == (ssize_t)strlen(s); }

static int ended(pid_t p, int want)
{
	int st;
	if (waitpid(p, &st, WUNTRACED) != p)
		return 0;
	if (st != want)
		printf("status %#x\n", st);
	return st == want;
}

/* job is a process of a group of its own, which runs f. */
static pid_t job(void (*f)(void), int foreground)
{
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0) {
		signal(SIGTTOU, SIG_IGN);
		setpgid(0, 0);
		if (foreground)
			tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		f();
		_exit(0);
	}
	setpgid(p, p);
	return p;
}

static void waiter(void)
{
	say('r');
	for (;;)
		pause();
}

static void reader(void)
{
	char b[20];
	say('r');
	int n = read(0, b, sizeof b);
	_exit(n == 4 && memcmp(b, "abc\n", 4) == 0 ? 0 : 1);
}

static void writer(void)
{
	say('r');
	_exit(write(1, "", 1) == 1 ? 0 : 1);
}

static void resized(void)
{
	handle(SIGWINCH, 0);
	say('r');
	while (!got[SIGWINCH])
		usleep(1000);
	struct winsize w;
	_exit(ioctl(0, TIOCGWINSZ, &w) != 0 || w.ws_col != 99);
}

static void ignoring(void)
{
	char c;
	signal(SIGTTIN, SIG_IGN);
	_exit(!(read(0, &c, 1) == -1 && errno == EIO));
}

#define STOPPED(no) ((no) << 8 | 0x7f)

/* shell leads the session of the terminal. */
static void shell(const char *name)
{
	ERR(ENXIO, open("/dev/tty", O_RDWR));
	int fd = open(name, O_RDWR | O_NOCTTY);
	MUST(fd >= 0);
	ERR(ENOTTY, tcgetpgrp(fd));
	ERR(ENXIO, open("/dev/tty", O_RDWR));
	CHECK(ioctl(fd, TIOCSCTTY, 0) == 0 && ioctl(fd, TIOCSCTTY, 0) == 0);
	CHECK(tcgetpgrp(fd) == getpid() && tcgetsid(fd) == getpid());
	int tty = open("/dev/tty", O_RDWR);
	CHECK(tty >= 0 && tcgetpgrp(tty) == getpid() && close(tty) == 0);
	MUST(dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && close(fd) == 0);
	/* from here on its output goes to the terminal */
	pid_t p;
	FILE *out = stderr;
	signal(SIGTTOU, SIG_IGN);
#define WANT(cond) fprintf(out, "%s %s\n", (errno = 0, cond) ? "ok" : (failures++, "FAIL"), #cond)
	WANT(tcsetpgrp(0, 0x3ffffff0) == -1 && errno == ESRCH);
	WANT(tcsetpgrp(0, getppid()) == -1 && errno == EPERM);
	struct { int ch; int no; } keys[] = {{3, SIGINT}, {28, SIGQUIT}, {26, SIGTSTP}};
	for (int i = 0; i < 3; i++) {
		char s[2] = {keys[i].ch, 0};
		p = job(waiter, 1);
		hear();
		WANT(tcgetpgrp(0) == p);
		WANT(type("\26\3") && type(s)); /* a quoted one first */
		if (keys[i].no == SIGTSTP) {
			WANT(ended(p, STOPPED(SIGTSTP)));
			WANT(kill(-p, SIGCONT) == 0 && kill(-p, SIGTERM) == 0 && ended(p, SIGTERM));
		} else {
			int st;
			WANT(waitpid(p, &st, 0) == p && WIFSIGNALED(st) && WTERMSIG(st) == keys[i].no);
		}
		WANT(tcsetpgrp(0, getpid()) == 0 && tcflush(0, TCIOFLUSH) == 0);
	}
	p = job(reader, 0);
	hear();
	WANT(ended(p, STOPPED(SIGTTIN)));
	WANT(tcsetpgrp(0, p) == 0 && kill(-p, SIGCONT) == 0 && type("abc\n") && ended(p, 0));
	WANT(tcsetpgrp(0, getpid()) == 0);
	p = job(ignoring, 0);
	WANT(ended(p, 0));
	p = job(writer, 0);
	hear();
	WANT(ended(p, 0));
	struct termios t;
	WANT(tcgetattr(0, &t) == 0 && (t.c_lflag |= TOSTOP) && tcsetattr(0, TCSANOW, &t) == 0);
	p = job(writer, 0);
	hear();
	WANT(ended(p, STOPPED(SIGTTOU)));
	WANT(tcsetpgrp(0, p) == 0 && kill(-p, SIGCONT) == 0 && ended(p, 0) && tcsetpgrp(0, getpid()) == 0);
	p = job(resized, 1);
	hear();
	WANT(ioctl(master, TIOCSWINSZ, &(struct winsize){33, 99}) == 0 && ended(p, 0));
	WANT(tcsetpgrp(0, getpid()) == 0);
	handle(SIGHUP, 0);
	WANT(close(master) == 0);
	MUST(write(end[1], "h", 1) == 1);
	while (!got[SIGHUP])
		usleep(1000);
	char c;
	WANT(read(0, &c, 1) <= 0);
	_exit(failures != 0);
}

int main(int argc, char **argv)
{
	int st;
	enter(argc, argv);
	dup2(1, 2);
	alarm(60);
	MUST(pipe(line) == 0 && pipe(end) == 0);
	MUST((master = posix_openpt(O_RDWR | O_NOCTTY)) >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	char name[64];
	MUST(ptsname_r(master, name, sizeof name) == 0);
	pid_t p = fork();
	MUST(p >= 0);
	if (p == 0) {
		MUST(setsid() == getpid());
		shell(name);
	}
	char h;
	MUST(read(end[0], &h, 1) == 1);
	close(master);
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	/* the line comes with an open, and goes with the leader */
	MUST((master = posix_openpt(O_RDWR | O_NOCTTY)) >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	MUST(ptsname_r(master, name, sizeof name) == 0);
	if ((p = fork()) == 0) {
		setsid();
		int fd = open(name, O_RDWR);
		int bad = fd < 0 || tcgetpgrp(fd) != getpid();
		pid_t b = fork();
		if (b == 0) {
			handle(SIGHUP, 0);
			say('k');
			while (!got[SIGHUP])
				usleep(1000);
			say(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 'y' : 'n');
			_exit(0);
		}
		_exit(bad || hear() != 'k');
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	CHECK(hear() == 'y');
	return done();
}
