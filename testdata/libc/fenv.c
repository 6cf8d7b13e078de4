/* Exceptions of floating point: which operation raises which, and how they are
 * cleared, saved and brought back. */
#include "t.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <signal.h>

#define ALL (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT)

/* names are those of exceptions, which have other numbers on each machine. */
static const char *names(int e)
{
	static char b[8];
	snprintf(b, sizeof b, "%s%s%s%s%s", e & FE_INVALID ? "i" : "", e & FE_DIVBYZERO ? "z" : "",
		e & FE_OVERFLOW ? "o" : "", e & FE_UNDERFLOW ? "u" : "", e & FE_INEXACT ? "x" : "");
	return b;
}

#define RAISES(want, operation) \
	do { \
		feclearexcept(FE_ALL_EXCEPT); \
		operation; \
		const char *n_ = names(fetestexcept(ALL)); \
		if (strcmp(n_, want) == 0) \
			printf("ok %s: %s\n", #operation, want); \
		else \
			T_FAIL("%s raises %s, not %s", #operation, n_, want); \
	} while (0)

#define TYPE(T, name, least, most, root) \
static void name(void) \
{ \
	volatile T zero = 0, one = 1, two = 2, three = 3, tiny = least, big = most, inf = INFINITY, nan = NAN, r; \
	volatile int i; \
	printf("%s\n", #T); \
	RAISES("", r = one + two); \
	RAISES("", r = one / 4); \
	RAISES("x", r = one / three); \
	RAISES("z", r = one / zero); \
	RAISES("z", r = -one / zero); \
	RAISES("i", r = zero / zero); \
	RAISES("", r = inf / zero); \
	RAISES("i", r = inf - inf); \
	RAISES("i", r = inf * zero); \
	RAISES("ox", r = big * big); \
	RAISES("ux", r = tiny * tiny); \
	RAISES("", r = tiny / 2); \
	RAISES("ux", r = tiny / three); \
	RAISES("i", r = root(-one)); \
	RAISES("", r = root(four(one))); \
	RAISES("x", r = root(two)); \
	RAISES("", r = nan + one); \
	RAISES("", i = isless(nan, one)); \
	RAISES("", i = nan == one); \
	RAISES("x", i = (int)(three / two)); \
	RAISES("", i = (int)three); \
	RAISES("i", i = (int)big); \
	RAISES("i", i = (int)nan); \
	(void)r; \
	(void)i; \
}
#define four(x) (4 * (x))
TYPE(float, floats, FLT_MIN, FLT_MAX, sqrtf)
TYPE(double, doubles, DBL_MIN, DBL_MAX, sqrt)
#if LDBL_MANT_DIG == 64
TYPE(long double, long_doubles, LDBL_MIN, LDBL_MAX, sqrtl)
#endif

static volatile double zero, one = 1, three = 3, half = 1.5;
static volatile float third;

static void conversions(void)
{
	volatile double r;
	volatile long l;
	RAISES("x", third = one / three);
	RAISES("ox", third = DBL_MAX * one);
	RAISES("x", r = rint(half));
	RAISES("", r = nearbyint(half));
	RAISES("x", l = lrint(half));
	RAISES("i", l = lrint(DBL_MAX * one));
	RAISES("", r = fmod(DBL_MAX, three));
	RAISES("i", r = fmod(one, zero));
	RAISES("z", r = log(zero));
	RAISES("i", r = log(-one));
	RAISES("ox", r = exp(1000 * one));
	(void)r;
	(void)l;
}

static void environments(void)
{
	feclearexcept(FE_ALL_EXCEPT);
	for (int e = FE_INVALID, i = 0; i < 5; i++) {
		static const int one_[] = {FE_INVALID, FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT};
		e = one_[i];
		feclearexcept(FE_ALL_EXCEPT);
		MUST(feraiseexcept(e) == 0);
		MUST((fetestexcept(ALL) & e) == e);
		MUST(feclearexcept(e) == 0);
		MUST((fetestexcept(ALL) & e) == 0);
	}
	volatile double r = one / three;
	r = one / zero;
	CHECK(fetestexcept(ALL) == (FE_INEXACT | FE_DIVBYZERO));
	feclearexcept(FE_INEXACT);
	CHECK(fetestexcept(ALL) == FE_DIVBYZERO);
	fexcept_t some;
	CHECK(fegetexceptflag(&some, FE_DIVBYZERO) == 0);
	feclearexcept(FE_ALL_EXCEPT);
	CHECK(fesetexceptflag(&some, FE_DIVBYZERO) == 0 && fetestexcept(ALL) == FE_DIVBYZERO);
	fenv_t env, held;
	CHECK(fegetenv(&env) == 0);
	r = zero / zero;
	CHECK(fetestexcept(ALL) == (FE_INVALID | FE_DIVBYZERO));
	CHECK(fesetenv(&env) == 0 && fetestexcept(ALL) == FE_DIVBYZERO);
	CHECK(feholdexcept(&held) == 0 && fetestexcept(ALL) == 0);
	r = one / three;
	CHECK(fetestexcept(ALL) == FE_INEXACT);
	CHECK(feupdateenv(&held) == 0 && fetestexcept(ALL) == (FE_INEXACT | FE_DIVBYZERO));
	CHECK(fesetenv(FE_DFL_ENV) == 0 && fetestexcept(ALL) == 0);
	(void)r;
}

static void handler(int signo)
{
	volatile double r = zero / zero;
	(void)r;
	(void)signo;
	MUST(fetestexcept(FE_INVALID));
	feclearexcept(FE_ALL_EXCEPT);
	r = three * DBL_MAX;
}

/* What a handler raises and clears is its own; system calls change nothing. */
static void signals(void)
{
	signal(SIGUSR1, handler);
	feclearexcept(FE_ALL_EXCEPT);
	volatile double r = one / zero;
	raise(SIGUSR1);
	CHECK(fetestexcept(ALL) == FE_DIVBYZERO);
	MUST(getppid() > 0);
	CHECK(fetestexcept(ALL) == FE_DIVBYZERO);
	feclearexcept(FE_ALL_EXCEPT);
	raise(SIGUSR1);
	CHECK(fetestexcept(ALL) == 0);
	r = one / three;
	CHECK(fetestexcept(ALL) == FE_INEXACT);
	(void)r;
}

int main(void)
{
	floats();
	doubles();
	conversions();
	environments();
	signals();
#if LDBL_MANT_DIG == 64
	/* The others have another type, or none. */
	fflush(stdout);
	int out = dup(1);
	MUST(freopen("/dev/null", "w", stdout));
	long_doubles();
	fflush(stdout);
	dup2(out, 1);
#endif
	return done();
}
