/* Clocks, sleeping, calendar. */
#include "t.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

static void calendar(void)
{
	static const long long at[] = {0, 86399, 951782400, 1078012800, 1234567890, 1709164800, 2147483647, -1, -2147483648LL};
	char b[200];
	for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
		time_t t = at[i];
		struct tm tm = *gmtime(&t);
		strftime(b, sizeof b, "%Y-%m-%d %H:%M:%S %a %A %b %B %j %U %W %V %G %u %w %y %C %p %I %e %D %T %R %%", &tm);
		printf("%s %d %d\n", b, timegm(&tm) == t, tm.tm_yday);
	}
	struct tm tm = {.tm_year = 124, .tm_mon = 13, .tm_mday = -5, .tm_hour = 30, .tm_min = -90, .tm_sec = 3600};
	printf("%lld ", (long long)mktime(&tm));
	printf("%s", asctime(&tm));
	static const char *const zone[] = {"UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "XYZ+3:30"};
	for (unsigned i = 0; i < 4; i++) {
		setenv("TZ", zone[i], 1);
		tzset();
		for (int k = 0; k < 2; k++) {
			time_t t = k ? 1720000000 : 1700000000;
			struct tm l = *localtime(&t);
			strftime(b, sizeof b, "%c %Z %z", &l);
			printf("%s %d %ld %s\n", b, l.tm_isdst, timezone, tzname[l.tm_isdst > 0]);
		}
	}
	setenv("TZ", "UTC", 1);
	tzset();
	memset(&tm, 0, sizeof tm);
	char *rest = strptime("12 Mar 2019 01:02:03 rest", "%d %b %Y %H:%M:%S", &tm);
	printf("%d %d %d '%s'\n", tm.tm_year, tm.tm_mon, tm.tm_hour, rest);
}

static long long now(clockid_t c)
{
	struct timespec t;
	MUST(clock_gettime(c, &t) == 0);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void clocks(void)
{
	long long a = now(CLOCK_MONOTONIC), r = now(CLOCK_REALTIME), c = now(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(nanosleep(&(struct timespec){0, 20000000}, NULL) == 0);
	CHECK(now(CLOCK_MONOTONIC) - a >= 20000000 && now(CLOCK_REALTIME) > r);
	CHECK(now(CLOCK_MONOTONIC) - a < 20000000000LL);
	for (volatile int i = 0; i < 1000000; i++)
		;
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) > c && now(CLOCK_THREAD_CPUTIME_ID) > 0 && clock() > 0);
	CHECK(now(CLOCK_BOOTTIME) > 0 && now(CLOCK_MONOTONIC_RAW) > 0 && now(CLOCK_REALTIME_COARSE) > 0);
	struct timeval tv;
	CHECK(gettimeofday(&tv, NULL) == 0 && tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	CHECK(llabs((long long)time(NULL) - tv.tv_sec) <= 1);
	CHECK(r / 1000000000 - tv.tv_sec < 2);
	struct timespec res;
	CHECK(clock_getres(CLOCK_MONOTONIC, &res) == 0 && res.tv_sec == 0 && res.tv_nsec >= 1);
	ERR(EINVAL, clock_gettime(77, &res));
	ERR(EINVAL, nanosleep(&(struct timespec){0, 1000000000}, NULL));
	ERR(EPERM, getuid() ? clock_settime(CLOCK_REALTIME, &(struct timespec){0, 0}) : (errno = EPERM, -1));
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 5000000;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	CHECK(usleep(1000) == 0);
	struct tms t;
	CHECK(times(&t) != (clock_t)-1 && t.tms_utime + t.tms_stime >= 0);
	struct rusage u;
	CHECK(getrusage(RUSAGE_SELF, &u) == 0 && u.ru_maxrss > 0 && u.ru_utime.tv_usec < 1000000);
}

static void timers(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	MUST(fd >= 0);
	uint64_t n = 0;
	ERR(EAGAIN, read(fd, &n, sizeof n));
	struct itimerspec s = {{0, 2000000}, {0, 1000000}}, old;
	CHECK(timerfd_settime(fd, 0, &s, NULL) == 0);
	CHECK(timerfd_gettime(fd, &old) == 0 && old.it_interval.tv_nsec == 2000000);
	MUST(fcntl(fd, F_SETFL, 0) == 0);
	usleep(10000);
	CHECK(read(fd, &n, sizeof n) == sizeof n && n >= 3 && n < 10000);
	struct itimerval v = {{0, 0}, {1000, 500}}, got;
	CHECK(setitimer(ITIMER_REAL, &v, NULL) == 0 && getitimer(ITIMER_REAL, &got) == 0 && got.it_value.tv_sec >= 990);
	CHECK(alarm(0) >= 990 && getitimer(ITIMER_REAL, &got) == 0 && got.it_value.tv_sec == 0);
}

int main(void)
{
	calendar();
	clocks();
	timers();
	return done();
}
