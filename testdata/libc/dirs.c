/* Directories, names and links. */
#include "t.h"
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <libgen.h>
#include <fnmatch.h>

static void listing(void)
{
	MUST(mkdir("many", 0755) == 0);
	char n[64];
	for (int i = 0; i < 1000; i++) {
		snprintf(n, sizeof n, "many/%d-%.*s", i, i % 40, "a-name-of-many-lengths-to-shift-the-records");
		int fd = open(n, O_CREAT | O_EXCL | O_WRONLY, 0600);
		MUST(fd >= 0);
		close(fd);
	}
	DIR *d = opendir("many");
	MUST(d);
	int count = 0, regular = 0;
	long sum = 0, at = 0;
	char after[256] = "";
	for (struct dirent *e; (e = readdir(d)); count++) {
		if (at && !after[0])
			strcpy(after, e->d_name);
		if (count == 500)
			at = telldir(d);
		regular += e->d_type == DT_REG;
		sum += atoi(e->d_name);
		if (e->d_name[0] != '.') {
			struct stat st;
			if (fstatat(dirfd(d), e->d_name, &st, 0) != 0 || st.st_ino != e->d_ino)
				T_FAIL("%s", e->d_name);
		}
	}
	CHECK(count == 1002 && regular == 1000 && sum == 499500);
	seekdir(d, at);
	CHECK(!strcmp(readdir(d)->d_name, after));
	rewinddir(d);
	count = 0;
	while (readdir(d))
		count++;
	CHECK(count == 1002);
	CHECK(closedir(d) == 0);
	struct dirent **v;
	CHECK(scandir("many", &v, NULL, versionsort) == 1002);
	printf("%s %s %s\n", v[0]->d_name, v[2]->d_name, v[1001]->d_name);
	for (int i = 0; i < 1002; i++)
		free(v[i]);
	free(v);
	glob_t g;
	CHECK(glob("many/1?-*", 0, NULL, &g) == 0 && g.gl_pathc == 10);
	globfree(&g);
	CHECK(fnmatch("*.[ch]", "dirs.c", 0) == 0);
	ERR(ENOTEMPTY, rmdir("many"));
	ERR(ENOENT, opendir("none"));
}

static int files, dirs, links;
static int walk(const char *p, const struct stat *st, int type, struct FTW *f)
{
	files += type == FTW_F && S_ISREG(st->st_mode);
	dirs += type == FTW_D || type == FTW_DP;
	links += type == FTW_SL;
	return type == FTW_DP || (strncmp(p, "many", 4) == 0 && f->level > 0) ? remove(p) : 0;
}

static void trees(void)
{
	CHECK(mkdir("many/deep", 0755) == 0 && mkdir("many/deep/er", 0755) == 0 && symlink("../x", "many/deep/er/l") == 0);
	CHECK(nftw("many", walk, 8, FTW_PHYS | FTW_DEPTH) == 0);
	printf("walked %d %d %d\n", files, dirs, links);
	ERR(ENOENT, access("many", F_OK));
}

static void names(void)
{
	char cwd[PATH_MAX], b[PATH_MAX], *p;
	MUST(getcwd(cwd, sizeof cwd));
	CHECK(mkdir("a", 0777) == 0 && mkdir("a/b", 0700) == 0 && chdir("a/b") == 0);
	CHECK(getcwd(b, sizeof b) && !strcmp(b + strlen(cwd), "/a/b") && !strncmp(b, cwd, strlen(cwd)));
	ERR(ERANGE, getcwd(b, 3));
	put("f", "hello");
	CHECK(chdir("..") == 0 && access("b/f", R_OK | W_OK) == 0);
	int fd = open("b", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && faccessat(fd, "f", R_OK, 0) == 0 && faccessat(fd, "../b/./f", F_OK, 0) == 0);
	CHECK(fchdir(fd) == 0 && access("f", F_OK) == 0 && chdir(cwd) == 0);
	CHECK(mkdirat(fd, "sub", 0755) == 0 && unlinkat(fd, "sub", AT_REMOVEDIR) == 0);
	ERR(EISDIR, unlinkat(AT_FDCWD, "a", 0));
	ERR(ENOTDIR, openat(fd, "f/x", O_RDONLY));
	ERR(ENOTDIR, open("a/b/f", O_RDONLY | O_DIRECTORY));
	ERR(EISDIR, open("a", O_WRONLY));
	CHECK(symlink("a/b", "s") == 0 && symlinkat("f", fd, "t") == 0);
	CHECK(readlink("s", b, sizeof b) == 3 && !memcmp(b, "a/b", 3));
	CHECK(readlinkat(fd, "t", b, 1) == 1);
	ERR(EINVAL, readlink("a", b, sizeof b));
	CHECK((p = realpath("s/../b/t", b)) == b && !strcmp(p + strlen(cwd), "/a/b/f"));
	CHECK((p = realpath("./s//f", NULL)) && !strcmp(p, b));
	free(p);
	ERR(ELOOP, (symlink("loop", "loop"), open("loop", O_RDONLY)));
	ERR(ELOOP, open("s", O_RDONLY | O_NOFOLLOW));
	CHECK(link("s/t", "hard") == 0 && readlink("hard", b, sizeof b) == 1);
	CHECK(linkat(AT_FDCWD, "a/b/f", AT_FDCWD, "hard2", 0) == 0);
	ERR(EEXIST, link("a/b/f", "hard2"));
	ERR(EEXIST, symlink("x", "hard2"));
	ERR(EEXIST, mkdir("a", 0777));
	CHECK(linkat(AT_FDCWD, "s", AT_FDCWD, "hard3", AT_SYMLINK_FOLLOW) == -1);
	CHECK(rename("hard2", "renamed") == 0 && access("hard2", F_OK) == -1);
	CHECK(renameat2(AT_FDCWD, "renamed", AT_FDCWD, "s", RENAME_EXCHANGE) == 0 && readlink("renamed", b, sizeof b) == 3);
	ERR(EEXIST, renameat2(AT_FDCWD, "renamed", AT_FDCWD, "s", RENAME_NOREPLACE));
	ERR(EINVAL, rename("a", "a/b/c"));
	ERR(ENOTDIR, rename("a", "s"));
	CHECK(unlink("s") == 0 && unlink("renamed") == 0 && unlink("hard") == 0 && unlink("loop") == 0);
	CHECK(unlink("a/b/f") == 0 && unlinkat(fd, "t", 0) == 0 && rmdir("a/b") == 0);
	/* The folder is gone, the descriptor is not. */
	ERR(ENOENT, openat(fd, "new", O_CREAT | O_WRONLY, 0600));
	close(fd);
	char dn[] = "/usr/lib/x", bn[] = "/usr/lib/x";
	printf("%s %s\n", dirname(dn), basename(bn));
}

static void longnames(void)
{
	char n[300], path[5000];
	memset(n, 'n', sizeof n);
	n[255] = 0;
	CHECK(mkdir(n, 0755) == 0 && rmdir(n) == 0);
	n[255] = 'n', n[256] = 0;
	ERR(ENAMETOOLONG, mkdir(n, 0755));
	memset(path, '/', sizeof path);
	path[4999] = 0;
	ERR(ENAMETOOLONG, open(path, O_RDONLY));
	path[4095] = 0;
	CHECK(open(path, O_RDONLY) >= 0);
	ERR(ENOENT, open("", O_RDONLY));
	/* Deeper than a path can name. */
	int depth = 0;
	memset(n, 'd', 200);
	n[200] = 0;
	for (; depth < 30 && mkdir(n, 0755) == 0 && chdir(n) == 0; depth++)
		;
	CHECK(depth == 30);
	ERR(ENAMETOOLONG, syscall(SYS_getcwd, path, sizeof path));
	for (; depth > 0 && chdir("..") == 0 && rmdir(n) == 0; depth--)
		;
	CHECK(depth == 0);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	listing();
	trees();
	names();
	longnames();
	return done();
}
