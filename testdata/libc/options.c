/* What a command line meets: getopt, the environment, patterns. */
#include "t.h"

#include <fnmatch.h>
#include <getopt.h>
#include <glob.h>
#include <libgen.h>
#include <regex.h>
#include <wordexp.h>

extern char **environ;

static void options(void)
{
	static const struct option longs[] = {{"all", no_argument, NULL, 'a'}, {"name", required_argument, NULL, 'n'}, {"maybe", optional_argument, NULL, 'm'}, {0}};
	char *argv[] = {"prog", "-ab", "--name=x", "one", "-n", "y", "--maybe", "--may=z", "-q", "--none", "two", "--", "-a", NULL};
	int argc = sizeof argv / sizeof *argv - 1, c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "abn:m::", longs, NULL)) != -1)
		printf("option %c %s\n", c, optarg ? optarg : "-");
	while (optind < argc)
		printf("rest %s\n", argv[optind++]);
}

static void variables(void)
{
	CHECK(getenv("UTEMU_TEST") && strcmp(getenv("UTEMU_TEST"), "a value") == 0);
	CHECK(setenv("ONE", "1", 1) == 0 && setenv("ONE", "2", 0) == 0 && strcmp(getenv("ONE"), "1") == 0);
	CHECK(putenv("TWO=2") == 0 && unsetenv("ONE") == 0 && getenv("ONE") == NULL && strcmp(getenv("TWO"), "2") == 0);
	ERR(EINVAL, setenv("a=b", "", 1));
	int n = 0;
	for (char **e = environ; *e; e++)
		n++;
	printf("%d variables\n", n);
	clearenv();
	CHECK(getenv("PATH") == NULL);
}

static void patterns(void)
{
	static const char *const re[] = {"^a(b*)c$", "[[:digit:]]+([.,][0-9]{2})?", "(x|yy)*z", "a{2,3}", "[^a-c]+", "(", "\\<w"};
	static const char *const text[] = {"abbbc", "cost 12.50 or", "yyxyyz", "aaaa", "abcde", "x", "a word"};
	for (int i = 0; i < 7; i++) {
		regex_t r;
		regmatch_t m[3];
		char why[100];
		int e = regcomp(&r, re[i], REG_EXTENDED);
		if (e) {
			regerror(e, &r, why, sizeof why);
			printf("%s: %s\n", re[i], why);
			continue;
		}
		e = regexec(&r, text[i], 3, m, 0);
		printf("%s: %d %d-%d %d-%d\n", re[i], e, e ? 0 : (int)m[0].rm_so, e ? 0 : (int)m[0].rm_eo, e || r.re_nsub < 1 ? 0 : (int)m[1].rm_so, e || r.re_nsub < 1 ? 0 : (int)m[1].rm_eo);
		regfree(&r);
	}
	printf("%d %d %d %d\n", fnmatch("*.[ch]", "x.c", 0), fnmatch("*", ".x", FNM_PERIOD) != 0, fnmatch("a/*", "a/b/c", FNM_PATHNAME) != 0, fnmatch("[!a]?", "bc", 0));
	static const char *const file[] = {"a1", "a2", "b1", "a10", ".h"};
	for (int i = 0; i < 5; i++)
		put(file[i], "");
	glob_t g;
	MUST(glob("a*", 0, NULL, &g) == 0);
	MUST(glob("{b,.}*", GLOB_APPEND | GLOB_BRACE | GLOB_NOCHECK, NULL, &g) == 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		printf("glob %s\n", g.gl_pathv[i]);
	globfree(&g);
	setenv("V", "p q", 1);
	wordexp_t w;
	MUST(wordexp("$V \"$V\" ${V:-x} a?  '*'", &w, WRDE_NOCMD) == 0);
	for (size_t i = 0; i < w.we_wordc; i++)
		printf("word %s\n", w.we_wordv[i]);
	wordfree(&w);
	char p[] = "/usr/lib/x.so", q[] = "/usr/lib/x.so";
	printf("%s %s\n", dirname(p), basename(q));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	variables();
	options();
	patterns();
	return done();
}
