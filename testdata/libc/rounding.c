/* The floating-point environment: rounding and exceptions. */
#include "t.h"

#include <fenv.h>
#include <float.h>
#include <math.h>

static volatile double zero, one = 1, half = 2.5, huge = DBL_MAX;

int main(void)
{
	static const int mode[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
	for (int i = 0; i < 4; i++) {
		MUST(fesetround(mode[i]) == 0 && fegetround() == mode[i]);
		volatile double third = one / 3, negative = -one / 3;
		printf("%a %a %g %g\n", third, negative, rint(half), rint(-half));
	}
	fesetround(FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	volatile double r = one / zero;
	CHECK(fetestexcept(FE_DIVBYZERO | FE_INVALID) == FE_DIVBYZERO);
	feclearexcept(FE_ALL_EXCEPT);
	r = huge * huge;
	CHECK(fetestexcept(FE_OVERFLOW | FE_DIVBYZERO) == FE_OVERFLOW);
	feclearexcept(FE_ALL_EXCEPT);
	r = zero / zero;
	CHECK(fetestexcept(FE_INVALID | FE_DIVBYZERO) == FE_INVALID);
	feclearexcept(FE_ALL_EXCEPT);
	r = one / 4;
	CHECK(fetestexcept(FE_INEXACT) == 0);
	(void)r;
	return done();
}
