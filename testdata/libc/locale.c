/* Locales that the library has built in, wide characters, conversions. */
#include "t.h"

#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

static void convert(const char *to, const char *from, const char *in, size_t n)
{
	iconv_t c = iconv_open(to, from);
	if (c == (iconv_t)-1) {
		printf("%s to %s: none\n", from, to);
		return;
	}
	char out[64], *o = out, *i = (char *)in;
	size_t left = sizeof out;
	errno = 0;
	size_t r = iconv(c, &i, &n, &o, &left);
	printf("%s to %s: %s left %d:", from, to, r == (size_t)-1 ? ename(errno) : "ok", (int)n);
	for (char *p = out; p < o; p++)
		printf(" %02x", (unsigned char)*p);
	printf("\n");
	iconv_close(c);
}

static void wide(void)
{
	MUST(setlocale(LC_ALL, "C.UTF-8") != NULL);
	printf("%s %d\n", nl_langinfo(CODESET), (int)MB_CUR_MAX);
	wchar_t w[64];
	size_t n = mbstowcs(w, "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80", 64);
	printf("%d:", (int)n);
	for (size_t i = 0; i < n; i++)
		printf(" %x%s%s", (unsigned)w[i], iswalpha(w[i]) ? "a" : "", iswspace(w[i]) ? "s" : "");
	printf("\n");
	char b[64];
	n = wcstombs(b, w, 64);
	printf("%d %d %x\n", (int)n, (int)strlen(b), (unsigned)towupper(0xe9));
	mbstate_t s = {0};
	errno = 0;
	int r = (int)mbrtowc(w, "\xff", 1, &s);
	printf("%d %s\n", r, ename(errno));
	memset(&s, 0, sizeof s);
	printf("%d\n", (int)mbrtowc(w, "\xe2\x82", 2, &s));
	wchar_t v[64];
	swprintf(v, 64, L"%ls|%5d|%-8ls|%lc", L"wide", 42, L"pad", (wint_t)0x20ac);
	printf("%ls %d\n", v, (int)wcslen(v));
	printf("%ld %lld %d\n", wcstol(L"-123x", NULL, 10), (long long)wcstoull(L"ffffffffff", NULL, 16), wcscmp(L"abc", L"abd") < 0);
	wchar_t *save, text[] = L"a b  c", *t = wcstok(text, L" ", &save);
	for (; t; t = wcstok(NULL, L" ", &save))
		printf("[%ls]", t);
	printf("\n%d %d\n", wmemchr(L"xyz", L'z', 3) != NULL, wcscoll(L"a", L"b") < 0);
	FILE *f = fopen("wide", "w+,ccs=UTF-8");
	MUST(f != NULL);
	fputws(L"\x20ac line\n", f);
	rewind(f);
	printf("%x\n", (unsigned)fgetwc(f));
	printf("%d\n", fwide(f, 0) > 0);
	fclose(f);
	struct stat st;
	printf("%d\n", stat("wide", &st) == 0 ? (int)st.st_size : -1);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	printf("%s\n", setlocale(LC_ALL, NULL));
	CHECK(setlocale(LC_ALL, "xx_YY") == NULL);
	struct lconv *l = localeconv();
	printf("'%s' '%s' %d %s %s\n", l->decimal_point, l->thousands_sep, l->frac_digits == CHAR_MAX, nl_langinfo(CODESET), nl_langinfo(DAY_3));
	convert("UCS-2BE", "UTF-8", "a\xc3\xa9\xf0\x9f\x98\x80", 7);
	convert("UCS-2LE", "UTF-8", "a\xe2\x82\xac", 4);
	convert("UCS-4BE", "UTF-8", "\xe2\x82\xac", 3);
	convert("UTF-8", "UCS-2BE", "\x20\xac\x00z", 4);
	convert("ASCII", "UTF-8", "ab\xc3\xa9z", 5);
	convert("ASCII//TRANSLIT", "UTF-8", "ab\xe2\x82\xac", 5);
	convert("UTF-8", "UTF-8", "ab\xc3", 3);
	convert("NONE", "UTF-8", "", 0);
	wide();
	return done();
}
