/* Clocks and sleeps: what must hold of them, not what they say. */
#include "utemu.h"
#include <linux/time.h>
#include <linux/time_types.h>

enum { EINVAL = 22, EFAULT = 14 };

#ifdef __NR_clock_gettime64
#define GETTIME __NR_clock_gettime64
#define GETRES __NR_clock_getres_time64
#define NANOSLEEP __NR_clock_nanosleep_time64
#else
#define GETTIME __NR_clock_gettime
#define GETRES __NR_clock_getres
#define NANOSLEEP __NR_clock_nanosleep
#endif

static struct __kernel_timespec zero_time;

struct old { word sec, nsec; }; /* timespec and timeval of this word size */

static int64_t now(int clock)
{
	struct __kernel_timespec t = {-1, -1};
	if (sc(GETTIME, clock, &t) != 0 || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
		return -1;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int program(word *sp)
{
	static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
	int failed = 0, ok = 1;
	for (int i = 0; i < sizeof clocks / sizeof *clocks; i++)
		ok &= now(clocks[i]) >= 0;
	CHECK("clocks", ok);
	CHECK("no such clock", sc(GETTIME, 77, sp) == -EINVAL);
	CHECK("bad pointer", sc(GETTIME, CLOCK_REALTIME, 16) == -EFAULT);
	int64_t last = now(CLOCK_MONOTONIC);
	for (int i = 0; i < 1000 && ok; i++) {
		int64_t t = now(CLOCK_MONOTONIC);
		ok = t >= last;
		last = t;
	}
	CHECK("monotonic", ok);
	CHECK("after 2020", now(CLOCK_REALTIME) > 1577836800 * 1000000000LL);
	struct __kernel_timespec res = {-1, -1};
	CHECK("resolution", sc(GETRES, CLOCK_MONOTONIC, &res) == 0 && res.tv_sec == 0 && res.tv_nsec >= 1 && res.tv_nsec <= 10000000 && sc(GETRES, CLOCK_MONOTONIC, 0) == 0);

	struct old tv = {-1, -1};
	ok = sc(__NR_gettimeofday, &tv, 0) == 0 && tv.nsec >= 0 && tv.nsec < 1000000;
	int64_t apart = now(CLOCK_REALTIME) - (tv.sec * 1000000LL + tv.nsec) * 1000;
	CHECK("gettimeofday", ok && apart >= 0 && apart < 5000000000LL);
#ifdef __NR_clock_gettime
	struct old ts = {-1, -1};
	CHECK("in words", sc(__NR_clock_gettime, CLOCK_REALTIME, &ts) == 0 && ts.sec >= tv.sec && ts.sec <= tv.sec + 5 && ts.nsec >= 0 && ts.nsec < 1000000000);
#endif

	struct old nap = {0, 2000000}, bad = {0, 1000000000};
	int64_t before = now(CLOCK_MONOTONIC);
	CHECK("nanosleep", sc(__NR_nanosleep, &nap, 0) == 0 && now(CLOCK_MONOTONIC) - before >= 2000000);
	CHECK("nanosleep, bad", sc(__NR_nanosleep, &bad, 0) == -EINVAL);
	struct __kernel_timespec rel = {0, 1000000}, at;
	before = now(CLOCK_MONOTONIC);
	CHECK("sleep for", sc(NANOSLEEP, CLOCK_MONOTONIC, 0, &rel, 0) == 0 && now(CLOCK_MONOTONIC) - before >= 1000000);
	sc(GETTIME, CLOCK_MONOTONIC, &at);
	at.tv_nsec += 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	CHECK("sleep until", sc(NANOSLEEP, CLOCK_MONOTONIC, 1, &at, 0) == 0 && now(CLOCK_MONOTONIC) >= at.tv_sec * 1000000000LL + at.tv_nsec);
	CHECK("until the past", sc(NANOSLEEP, CLOCK_MONOTONIC, 1, &zero_time, 0) == 0);
	word t[4] = {-1, -1, -1, -1};
	CHECK("times", sc(__NR_times, t) != -EFAULT && t[0] >= 0 && t[1] >= 0 && t[2] == 0 && t[3] == 0);
	return failed;
}
