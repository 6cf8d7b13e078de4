/* long double is another type on each architecture; ten digits of it are the
 * same on all. */
#include "t.h"

#include <math.h>

int main(void)
{
	volatile long double a = 1, b = 3, c = 1e100L, n = -7.5L;
	printf("%.10Lg %.10Lg %.10Lg %.10Lg\n", a / b, a + b * n, b - n, b * n);
	printf("%.10Lg %.10Lg %Lf %.3Le\n", c / 7, sqrtl(2), n, -c);
	printf("%lld %d %llu\n", (long long)(n * 1000000), (int)n, (unsigned long long)(b * 1e15L));
	printf("%.10Lg %.10Lg\n", (long double)-123456789012345ll, (long double)18446744073709551615ull);
	printf("%d%d%d%d\n", a < b, n > a, a == b / 3, c != c);
	printf("%g %g\n", (double)(a / b), (float)(b / 7));
	printf("%.10Lg %.10Lg %.10Lg %.10Lg\n", sinl(1), expl(2.5L), powl(2, 0.3L), fabsl(n));
	printf("%.10Lg %.10Lg\n", strtold("3.14159265358979323846", NULL), floorl(n));
	long double r;
	int k = sscanf("2.5e10 1", "%Lf", &r);
	printf("%d %.10Lg\n", k, r);
	long double s = 0;
	for (int i = 1; i < 1000; i++)
		s += a / i;
	printf("%.10Lf\n", s);
	long double v[4] = {1, 2, 3, 4};
	printf("%.1Lf %.1Lf %s\n", v[2], v[3], isnan(NAN * a) ? "nan" : "number");
	return done();
}
