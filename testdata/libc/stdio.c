/* Formatted input and output, streams on files and on memory. */
#include "t.h"
#include <inttypes.h>
#include <stddef.h>
#include <wchar.h>

static void formats(void)
{
	printf("[%d] [%5d] [%-5d] [%05d] [%+d] [% d]\n", -7, 42, 42, 42, 42, 42);
	printf("[%u] [%x] [%#X] [%o] [%#o]\n", 4000000000u, 0xbeefu, 0xbeefu, 8u, 8u);
	printf("[%hhd] [%hd] [%ld] [%lld]\n", (char)-1, (short)-2, -3L, -9223372036854775807LL - 1);
	printf("[%" PRIu64 "] [%" PRIx64 "] [%jd] [%zu] [%td]\n", UINT64_MAX, (uint64_t)1 << 63, (intmax_t)-1, sizeof(char), (ptrdiff_t)-5);
	printf("[%s] [%10s] [%-10s] [%.3s] [%*.*s]\n", "abc", "abc", "abc", "abcdef", 6, 2, "xyz");
	printf("[%c] [%5c] [%%]\n", 'q', 'w');
	printf("[%2$s] [%1$d]\n", 12, "pos");
	errno = ENOENT;
	printf("[%m]\n");
	printf("[%p]\n", (void *)0);
	int n = -1;
	printf("12345%n", &n);
	printf(" %d\n", n);
	char b[16];
	printf("%d", snprintf(b, sizeof b, "%s", "longer than sixteen bytes"));
	printf(" [%s]\n", b);
	wchar_t w[32];
	printf("%d\n", swprintf(w, 32, L"%ls-%d", L"wide", 7));
	char *a = NULL;
	CHECK(asprintf(&a, "%0*d", 300, 5) == 300 && strlen(a) == 300 && a[299] == '5');
	free(a);
}

static void scanning(void)
{
	int d, x, n;
	long long ll;
	unsigned char hh;
	char s[16], set[16], c;
	CHECK(sscanf("12 0x1f hello", "%d %i %15s", &d, &x, s) == 3 && d == 12 && x == 31 && !strcmp(s, "hello"));
	CHECK(sscanf("-9000000000 255", "%lld %hhu", &ll, &hh) == 2 && ll == -9000000000LL && hh == 255);
	CHECK(sscanf("abc123 ]", "%15[a-c]%d %c%n", set, &d, &c, &n) == 3 && d == 123 && c == ']' && n == 8);
	CHECK(sscanf("x", "%d", &d) == 0);
	CHECK(sscanf("", "%d", &d) == EOF);
	char *m = NULL;
	CHECK(sscanf("alloc rest", "%ms", &m) == 1 && !strcmp(m, "alloc"));
	free(m);
}

static void files(void)
{
	FILE *f = fopen("f", "w+");
	MUST(f);
	for (int i = 0; i < 5000; i++)
		fprintf(f, "line %d\n", i);
	CHECK(ftell(f) == 48890);
	rewind(f);
	char *line = NULL;
	size_t cap = 0;
	long sum = 0;
	while (getline(&line, &cap, f) > 0)
		sum += atoi(line + 5);
	CHECK(sum == 12497500 && feof(f) && !ferror(f));
	free(line);
	CHECK(fseek(f, -10, SEEK_END) == 0 && fgetc(f) == 'l');
	CHECK(ungetc('Z', f) == 'Z' && fgetc(f) == 'Z' && fgetc(f) == 'i');
	CHECK(fseek(f, 3, SEEK_SET) == 0 && fputc('!', f) == '!' && fflush(f) == 0);
	char b[8] = {0};
	CHECK(pread(fileno(f), b, 6, 0) == 6 && !strcmp(b, "lin! 0"));
	CHECK(fclose(f) == 0);
	f = fopen("f", "a");
	CHECK(f && fputs("tail\n", f) > 0 && fclose(f) == 0);
	CHECK((f = fopen("f", "r")) && fputc('x', f) == EOF && ferror(f) && errno == EBADF);
	CHECK((f = freopen("f", "r", f)) && fread(b, 2, 3, f) == 3 && fclose(f) == 0);
	ERR(ENOENT, fopen("none", "r"));
	ERR(EEXIST, fopen("f", "wx"));
	ERR(EINVAL, fopen("f", "q"));
	CHECK(rename("f", "g") == 0 && remove("g") == 0);
}

static void temporary(void)
{
	FILE *f = tmpfile();
	MUST(f);
	struct stat st;
	CHECK(fstat(fileno(f), &st) == 0 && st.st_nlink == 0);
	CHECK(fputs("temporary", f) > 0 && fseek(f, 4, SEEK_SET) == 0 && fgetc(f) == 'o');
	fclose(f);
	char name[] = "tXXXXXX", dir[] = "dXXXXXX";
	int fd = mkstemp(name);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
	close(fd);
	CHECK(unlink(name) == 0);
	CHECK(mkdtemp(dir) == dir && rmdir(dir) == 0);
}

static void memory(void)
{
	char *p = NULL, b[32];
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	MUST(f);
	fprintf(f, "%s:%d", "mem", 99);
	CHECK(fclose(f) == 0 && n == 6 && !strcmp(p, "mem:99"));
	free(p);
	f = fmemopen(b, sizeof b, "w+");
	CHECK(f && fputs("fmemopen", f) > 0 && fclose(f) == 0 && !strcmp(b, "fmemopen"));
}

static void pipes(void)
{
	int p[2];
	MUST(pipe(p) == 0);
	FILE *w = fdopen(p[1], "w"), *r = fdopen(p[0], "r");
	char b[32];
	CHECK(fprintf(w, "through %s\n", "a pipe") == 15 && fclose(w) == 0);
	CHECK(fgets(b, sizeof b, r) == b && !strcmp(b, "through a pipe\n"));
	CHECK(fgets(b, sizeof b, r) == NULL && feof(r));
	fclose(r);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	formats();
	scanning();
	files();
	temporary();
	memory();
	pipes();
	fprintf(stderr, "not in stdout\n");
	return done();
}
